"""``rebuild``: the register's tables built anew by whole streams, compared and switched, beside the projector.

Both make the same tables of the same events: the projector batch by batch in one process, a rebuild with all cores.
"""

from __future__ import annotations

from typing import Final

from register.audit.processes import cores
from register.projection.projector import follow
from register.projection.rebuild import rebuild
from register.rehearsal.bench.ground import Connection, Ground, fill, stopwatch
from register.rehearsal.bench.projection import begin_again
from register.rehearsal.bench.result import ROUNDS, BenchError, Goal, Result, forget_peak, median, peak_rss_mib
from register.store import Store

SIZE: Final = 120_000
GOAL: Final = Goal(3)


def run(ground: Ground, size: int = SIZE) -> Result:
    """Follow ``size`` events, then build the same anew, as many times as there are rounds."""
    values, ceilings, alone = [], [], []
    with ground.register() as (database, store), database.psycopg() as connection:
        ground.say(f"recording {size:,} events")
        events = fill(store, size)
        for number in range(ROUNDS):
            begin_again(connection)
            with stopwatch() as taken:
                _follow_all(connection, store)
            ceilings.append(events / taken[0])
            forget_peak()
            with stopwatch() as taken:
                built = rebuild(database, store, processes=cores())
            if not built.switched:
                raise BenchError("the register built anew is not the one the projector made")
            values.append(events / taken[0])
            with stopwatch() as taken:
                rebuild(database, store, processes=1)
            alone.append(events / taken[0])
            ground.say(f"round {number + 1}: {values[-1]:,.0f} beside {ceilings[-1]:,.0f} events/s")
        peak = peak_rss_mib()
    return Result(
        name="rebuild",
        unit="events/s",
        value=median(values),
        ceiling=median(ceilings),
        goal=GOAL,
        size=events,
        peak_rss_mib=peak,
        beside={"one_process": median(alone), "processes": cores()},
    )


def _follow_all(connection: Connection, store: Store) -> None:
    while follow(connection, store):
        pass
