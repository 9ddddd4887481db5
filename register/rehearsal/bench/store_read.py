"""``store-read``: the event store read in order and decoded, beside the same pages read and not decoded."""

from __future__ import annotations

from typing import Final

from register.rehearsal.bench.ground import Connection, Ground, fill, stopwatch
from register.rehearsal.bench.result import ROUNDS, Goal, Result, forget_peak, median, peak_rss_mib
from register.store import Store
from register.store.reading import PAGE

SIZE: Final = 60_000
GOAL: Final = Goal(0.6)
_PAGES: Final = (
    "SELECT notification_id, originator_id, originator_version, recorded_at, topic, state FROM store.event"
    " WHERE notification_id > %s ORDER BY notification_id LIMIT %s"
)


def run(ground: Ground, size: int = SIZE) -> Result:
    """Read ``size`` events."""
    values, ceilings = [], []
    with ground.register() as (database, store), database.psycopg(autocommit=True) as connection:
        ground.say(f"recording {size:,} events")
        events = fill(store, size)
        forget_peak()
        for number in range(ROUNDS):
            with stopwatch() as taken:
                _decoded(store)
            values.append(events / taken[0])
            with stopwatch() as taken:
                _undecoded(connection)
            ceilings.append(events / taken[0])
            ground.say(f"round {number + 1}: {values[-1]:,.0f} beside {ceilings[-1]:,.0f} events/s")
        peak = peak_rss_mib()
    return Result(
        name="store-read",
        unit="events/s",
        value=median(values),
        ceiling=median(ceilings),
        goal=GOAL,
        size=events,
        peak_rss_mib=peak,
    )


def _decoded(store: Store) -> None:
    for _ in store.events():
        pass


def _undecoded(connection: Connection) -> None:
    after, more = 0, True
    with connection.cursor(binary=True) as cursor:
        while more:
            page = cursor.execute(_PAGES, (after, PAGE), prepare=True).fetchall()
            for row in page:
                after = row[0]
            more = len(page) == PAGE
