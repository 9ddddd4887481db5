"""``inspection``: the inspector beside the projector over the same events, and how much memory it takes."""

from __future__ import annotations

import os
import time
from typing import Final

from register.acts.inspection import Inspector, inspect_all
from register.projection.projector import follow
from register.rehearsal.bench.ground import NOW, Connection, Ground, fill, stopwatch
from register.rehearsal.bench.result import Goal, Result, forget_peak, peak_rss_mib
from register.store import Store

SIZE: Final = 60_000
#: No slower than the projector, behind which it comes.
GOAL: Final = Goal(1.0)


def run(ground: Ground, size: int = SIZE) -> Result:
    """Inspect ``size`` events from nothing, in one process, with the first sweep; the ceiling is the projector."""
    with ground.register() as (database, store), database.psycopg() as connection:
        ground.say(f"recording {size:,} events")
        events = fill(store, size)
        with stopwatch() as projecting:
            _follow_all(connection, store)
        ground.say(f"the projector: {events / projecting[0]:,.0f} events/s")
        inspector = Inspector(database.psycopg, store, clock=lambda: NOW, entropy=os.urandom)
        forget_peak()
        begun = time.process_time()
        with stopwatch() as inspecting, database.psycopg() as other:
            inspect_all(inspector, other, lambda: _follow_all(connection, store))
        cpu = events / (time.process_time() - begun)
        peak = peak_rss_mib()
        row = connection.execute("SELECT count(*) FROM projection.deficiency").fetchone() or (0,)
    return Result(
        name="inspection",
        unit="events/s",
        value=events / inspecting[0],
        ceiling=events / projecting[0],
        goal=GOAL,
        size=events,
        peak_rss_mib=peak,
        beside={"events_per_second_of_its_own_cpu": cpu, "deficiencies": float(row[0])},
    )


def _follow_all(connection: Connection, store: Store) -> None:
    while follow(connection, store):
        pass
