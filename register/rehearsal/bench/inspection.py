"""``inspection``: the inspector beside the projector over the same events, and how much memory it takes."""

from __future__ import annotations

import os
import time
from typing import Final

from register.acts.inspection import Inspector, inspect_all
from register.acts.tables import metadata as inspection
from register.projection.projector import follow
from register.projection.tables import metadata as projection
from register.rehearsal.bench.ground import NOW, Connection, Ground, fill, stopwatch
from register.rehearsal.bench.result import ROUNDS, Goal, Result, forget_peak, median, peak_rss_mib
from register.store import Store

SIZE: Final = 60_000
#: No slower than the projector, behind which it comes.
GOAL: Final = Goal(1.0)


def run(ground: Ground, size: int = SIZE) -> Result:
    """Inspect ``size`` events from nothing, in one process, with the first sweep; the ceiling is the projector."""
    values, ceilings, cpu = [], [], []
    with ground.register() as (database, store), database.psycopg() as connection, database.psycopg() as other:
        ground.say(f"recording {size:,} events")
        events = fill(store, size)
        for number in range(ROUNDS):
            _begin_again(connection)
            with stopwatch() as projecting:
                _follow_all(connection, store)
            inspector = Inspector(database.psycopg, store, clock=lambda: NOW, entropy=os.urandom)
            forget_peak()
            begun = time.process_time()
            with stopwatch() as inspecting:
                inspect_all(inspector, other, lambda: _follow_all(connection, store))
            cpu.append(events / (time.process_time() - begun))
            values.append(events / inspecting[0])
            ceilings.append(events / projecting[0])
            ground.say(f"round {number + 1}: {values[-1]:,.0f} beside {ceilings[-1]:,.0f} events/s")
        peak = peak_rss_mib()
        row = connection.execute("SELECT count(*) FROM projection.deficiency").fetchone() or (0,)
    return Result(
        name="inspection",
        unit="events/s",
        value=median(values),
        ceiling=median(ceilings),
        goal=GOAL,
        size=events,
        peak_rss_mib=peak,
        beside={"events_per_second_of_its_own_cpu": median(cpu), "deficiencies": float(row[0])},
    )


def _begin_again(connection: Connection) -> None:
    """Empty what both have made; the deficiencies established stay events."""
    for table in (*projection.sorted_tables, *inspection.sorted_tables):
        if table.name == "form":  # empty or not, they are of today's form
            continue
        connection.execute(f"TRUNCATE {table.fullname}".encode())
    connection.commit()


def _follow_all(connection: Connection, store: Store) -> None:
    while follow(connection, store):
        pass
