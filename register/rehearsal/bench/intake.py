"""``intake``: notices streamed as NDJSON over HTTP to durable answers, beside COPY of the rows they became."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Final

import msgspec

from register.law.competence import role_of
from register.rehearsal.bench.ceilings import Recorded
from register.rehearsal.bench.ground import Ground, batches, feed, stopwatch
from register.rehearsal.bench.result import ROUNDS, BenchError, Goal, Result, forget_peak, median, peak_rss_mib
from register.rehearsal.bench.serving import Server, token, whole_server
from register.rehearsal.generate import Line
from register.settings import Settings

SIZE: Final = 60_000
GOAL: Final = Goal(0.2)
#: The share of notices that may be refused: a generated life may have something impossible in it, very rarely.
REFUSED: Final = 0.001
#: Notices of one municipality come from few senders: a stream holds those of one.
MUNICIPALITY: Final = "10049"


def run(ground: Ground, size: int = SIZE) -> Result:
    """Send ``size`` notices in each round, one client; the server's workers follow at the same time, as they do."""
    values, ceilings = [], []
    lines = list(feed(ROUNDS * size, [MUNICIPALITY]))
    with ground.register() as (database, store), database.psycopg() as connection, whole_server(ground) as server:
        beside = Recorded(connection)
        forget_peak(server.process)
        for number, share in enumerate(batches(lines, -(-len(lines) // ROUNDS))):
            after = store.head()
            streams = _by_sender(ground.settings, share)
            with stopwatch() as taken:
                recorded = sum(_send(server, *stream) for stream in streams)
            if recorded < len(share) * (1 - REFUSED):
                raise BenchError(f"{len(share) - recorded} of {len(share)} notices were not recorded")
            values.append(recorded / taken[0])
            server.caught_up()
            ceilings.append(recorded / beside.seconds(after, after + recorded)[0])
            ground.say(f"round {number + 1}: {values[-1]:,.0f} beside {ceilings[-1]:,.0f} events/s")
        peak = peak_rss_mib(server.process)
    return Result(
        name="intake",
        unit="events/s",
        value=median(values),
        ceiling=median(ceilings),
        goal=GOAL,
        size=len(lines) // ROUNDS,
        peak_rss_mib=peak,
    )


def _by_sender(settings: Settings, lines: Iterable[Line]) -> list[tuple[str, bytes]]:
    """A token and a stream for each sender."""
    bodies: defaultdict[str, list[bytes]] = defaultdict(list)
    for line in lines:
        bodies[line.source].append(line.written)
    return [(token(settings, role_of(source), source), b"".join(body)) for source, body in bodies.items()]


def _send(server: Server, bearer: str, body: bytes) -> int:
    """How many notices of a stream were recorded, by the answer's last line."""
    answer = server.send("/v1/notices", bearer, "application/x-ndjson", body)
    end = msgspec.json.decode(answer.rstrip(b"\n").rpartition(b"\n")[2])
    return int(end["recorded"])
