"""What the benches of reads have in common: a register built beforehand, and a route beside that only authenticates."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Final

from register.database import Database
from register.projection.projector import follow
from register.rehearsal.bench.ground import UNTIL, Connection, Ground, fill
from register.rehearsal.bench.result import ROUNDS, Goal, Result, forget_peak, median, p95, peak_rss_mib
from register.rehearsal.bench.serving import NOTHING, reading_server, request, token
from register.store import Store

#: Requests of a round, each of both kinds, at the most; of a small register fewer.
_REQUESTS: Final = 200
YEARS: Final = timedelta(days=4 * 365)

#: Given random numbers and the last position: the path of one request.
Path = Callable[[random.Random, int], str]


def measure(ground: Ground, name: str, goal: Goal, size: int, paths: Callable[[Connection], Path]) -> Result:
    """Ask the same path with ever other days and positions, taking turns with :data:`serving.NOTHING`.

    Both figures are 95th percentiles in seconds, one client; ``paths`` is asked once, when the register is there.
    On an existing register ``size`` plays no part: it is asked as large as it is.
    """
    values, ceilings = [], []
    with opened(ground, size) as (database, events):
        count = min(_REQUESTS, events // 30)
        with database.psycopg() as connection:
            path = paths(connection)
        bearer = token(ground.settings, "auditor", "auditor:bench")
        nothing = request("GET", NOTHING, bearer)
        with reading_server(ground) as server:
            dice = random.Random(1)  # noqa: S311 - which day and person: any will do
            server.ask([request("GET", path(dice, events), bearer) for _ in range(20)] + [nothing] * 20)
            forget_peak(server.process)
            for number in range(ROUNDS):
                asked = [request("GET", path(dice, events), bearer) for _ in range(count)]
                taken = server.ask([one for pair in zip(asked, [nothing] * count, strict=True) for one in pair])
                values.append(p95(taken[0::2]))
                ceilings.append(p95(taken[1::2]))
                ground.say(f"round {number + 1}: {values[-1] * 1e3:.2f} beside {ceilings[-1] * 1e3:.2f} ms")
            peak = peak_rss_mib(server.process)
    return Result(
        name=name,
        unit="s",
        value=median(values),
        ceiling=median(ceilings),
        goal=goal,
        size=events,
        peak_rss_mib=peak,
    )


@contextmanager
def opened(ground: Ground, size: int) -> Iterator[tuple[Database, int]]:
    """The existing register, or one of ``size`` events made for this; its database and how many events it has."""
    with ground.register() as (database, store):
        yield database, store.head() if ground.existing else _made(ground, database, store, size)


def _made(ground: Ground, database: Database, store: Store, size: int) -> int:
    ground.say(f"recording and projecting {size:,} events")
    events = fill(store, size)
    with database.psycopg() as connection:
        while follow(connection, store):
            pass
    return events


def day_and_position(dice: random.Random, head: int) -> str:
    """The query of a random day of the last years and a random position of the later half."""
    day = UNTIL - timedelta(days=dice.randrange(YEARS.days))
    return f"on={day}&known_at={dice.randint(head // 2, head)}"
