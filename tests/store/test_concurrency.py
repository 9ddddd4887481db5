"""Writers at once, failures in between: positions without holes, and a reader that tails them misses nothing."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import psycopg
import pytest

from register.database import Database
from register.law.events import Event
from register.store import Pending, Prepared, Receipt, Store

WRITERS, SAVES = 5, 16
SIZES = (1, 1, 3, 40, 260)


class DeliberateError(Exception):
    pass


class FailingStore(Store):
    """One append in five fails after it has written all, before it commits."""

    dice = random.Random(1990)

    def _append(
        self, connection: psycopg.Connection[Any], prepared: Sequence[Prepared], now: datetime
    ) -> list[Receipt]:
        with connection.transaction():
            receipts = super()._append(connection, prepared, now)
            if self.dice.random() < 0.2:
                raise DeliberateError
        return receipts


def test_five_writers_with_rollbacks_leave_no_hole_and_a_tailing_reader_misses_nothing(
    database: Database, notice: Callable[..., Pending], now: datetime
) -> None:
    def write(writer: int) -> tuple[dict[int, str], int]:
        dice, failed = random.Random(writer), 0
        recorded: dict[int, str] = {}
        for save in range(SAVES):
            size = dice.choice(SIZES)
            # Few subjects, so that the writers meet in the same streams.
            batch = [notice(f"{writer}-{save}-{i}", dice.randrange(300)) for i in range(size)]
            try:
                receipts = store.append(batch, now=now)
            except DeliberateError:
                failed += 1
                continue
            positions = [receipt.position for receipt in receipts]
            assert positions == list(range(positions[0] or 0, (positions[0] or 0) + size))
            recorded |= {receipt.position or 0: pending.id for receipt, pending in zip(receipts, batch, strict=True)}
        return recorded, failed

    def tail() -> list[Event]:
        seen: list[Event] = []
        while not (done.done() and len(seen) == store.head()):
            after = len(seen)
            if store.wait_for_events(after, 0.2) > after:
                seen += store.events(after=after)
        return seen

    with FailingStore(database.psycopg, pool_size=WRITERS + 1) as store, ThreadPoolExecutor(WRITERS + 2) as pool:
        writers = [pool.submit(write, writer) for writer in range(WRITERS)]
        done = pool.submit(lambda: [writer.result() for writer in writers])
        seen = pool.submit(tail).result(timeout=60)
        results = done.result()

    assert sum(failed for _, failed in results) >= 5
    recorded = {position: name for positions, _ in results for position, name in positions.items()}
    assert [event.position for event in seen] == list(range(1, len(recorded) + 1))
    assert {event.position: event.id for event in seen} == recorded
    versions: dict[object, int] = {}
    for event in seen:
        assert event.version == versions.get(event.stream, 0) + 1
        versions[event.stream] = event.version
    with database.psycopg() as connection:
        keys = connection.execute("SELECT position, id FROM store.event_key").fetchall()
        subjects = connection.execute("SELECT count(*) FROM store.subject").fetchone()
    assert dict(keys) == recorded
    assert subjects == (len(versions),)


@pytest.mark.parametrize("size", [3, 250])
def test_the_same_notices_sent_by_two_at_once_are_recorded_once(
    store: Store, notice: Callable[..., Pending], now: datetime, size: int
) -> None:
    batch = [notice(f"n-{i}", i) for i in range(size)]
    with ThreadPoolExecutor(4) as pool:
        answers = [future.result() for future in [pool.submit(store.append, batch, now=now) for _ in range(4)]]
    assert [event.id for event in store.events()] == [pending.id for pending in batch]
    assert {tuple(receipt.position for receipt in answer) for answer in answers} == {tuple(range(1, size + 1))}
    assert sorted({receipt.status for receipt in answer} == {"recorded"} for answer in answers) == [False] * 3 + [True]
