"""``store``: events appended through the library's recorder, their keys and subjects with them, beside COPY of them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Final

from register.rehearsal.bench.ceilings import Recorded
from register.rehearsal.bench.ground import NOW, Connection, Ground, batches, notices, stopwatch
from register.rehearsal.bench.result import ROUNDS, Goal, Result, forget_peak, median, peak_rss_mib
from register.store import Pending, Store, prepare
from register.store.judging import Judgement, Known, judge
from register.store.recorder import begin_append
from register.store.store import write_keys
from register.store.streams import StreamIds

SIZE: Final = 60_000
GOAL: Final = Goal(0.7)


def run(ground: Ground, size: int = SIZE) -> Result:
    """Append ``size`` events in each round, in batches of 5,000."""
    values, alls, alones = [], [], []
    with ground.register() as (database, store), database.psycopg(autocommit=True) as writer:
        ground.say(f"judging {ROUNDS * size:,} generated notices beforehand")
        judged = _judged(notices(ROUNDS * size), size)
        with database.psycopg() as connection:
            beside = Recorded(connection)
            forget_peak()
            for number, share in enumerate(judged):
                after = store.head()
                with stopwatch() as taken:
                    for batch in share:
                        _append(store, writer, batch)
                count = store.head() - after
                values.append(count / taken[0])
                every, alone = beside.seconds(after, after + count)
                alls.append(count / every)
                alones.append(count / alone)
                ground.say(f"round {number + 1}: {values[-1]:,.0f} beside {alls[-1]:,.0f} events/s")
        peak = peak_rss_mib()
    return Result(
        name="store",
        unit="events/s",
        value=median(values),
        ceiling=median(alls),
        goal=GOAL,
        size=size,
        peak_rss_mib=peak,
        beside={
            "ceiling_event_table_only": median(alones),
            "ratio_event_table_only": median(values) / median(alones),
        },
    )


def _judged(pending: Sequence[Pending], size: int) -> list[list[Judgement]]:
    """Everything that comes before writing, done: encoding, and giving streams, versions and positions; by round."""
    known = Known(0, {}, {})
    streams = StreamIds(os.urandom)
    rounds: list[list[Judgement]] = []
    for share in batches(pending, size):
        rounds.append([])
        for batch in batches(share):
            prepared = [prepare(item) for item in batch]
            result = judge(prepared, known, recorded_at=NOW, new_stream=lambda: streams.new(NOW, 1)[0])
            known = Known(known.head + len(result.stored), {}, known.places)
            rounds[-1].append(result)
    return rounds


def _append(store: Store, connection: Connection, judgement: Judgement) -> None:
    """One append transaction: lock, events by the library's recorder, keys and subjects with them, commit."""
    query = ("SELECT source, no FROM store.source", ())
    with begin_append(connection, query) as (writing, (sources,)):
        numbers = {str(source): int(no) for source, no in sources}
        store.recorder.insert_events(
            judgement.stored,
            writing=writing,
            recorded_at=writing.instant(NOW),
            extra=lambda cursor: write_keys(cursor, judgement, numbers),
        )
