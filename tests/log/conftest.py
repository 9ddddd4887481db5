"""An event store of made-up events for the log's tests: what the sealer asks of the real one, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from threading import Lock
from uuid import UUID

import pytest

START = datetime(2026, 8, 1, 8, tzinfo=UTC)


@dataclass(frozen=True)
class Stored:
    """One row of the event store, as ``record.StoredRecord`` asks for it."""

    position: int
    stream: UUID
    version: int
    topic: str
    recorded_at: datetime
    state: bytes


class Events:
    """An event store in a list. ``rows`` may be tampered with."""

    def __init__(self) -> None:
        self.rows: list[Stored] = []
        self._lock = Lock()

    def record(self, count: int = 1, topic: str = "ba.cvr.death.v1", salt: str = "AA==") -> int:
        """Record that many events; gives the head."""
        with self._lock:
            self._record(count, topic, salt)
            return len(self.rows)

    def _record(self, count: int, topic: str, salt: str) -> None:
        for _ in range(count):
            position = len(self.rows) + 1
            personal = f'{{"jmb":"0101990150007","salt":"{salt}"}}'
            state = f'{{"data":{{}},"id":"{position}","personal":{personal},"source":"s","time":"t"}}'
            self.rows.append(
                Stored(position, UUID(int=position), 1, topic, START + timedelta(seconds=position), state.encode())
            )

    def head(self) -> int:
        return self.rows[-1].position if self.rows else 0

    def records(self, after: int, upto: int | None = None) -> Iterator[Stored]:
        """Rows behind ``after``, by position, as they stand now."""
        rows = sorted(self.rows, key=lambda row: row.position)
        return iter([row for row in rows if row.position > after and (upto is None or row.position <= upto)])

    def alter(self, position: int) -> None:
        """What nobody may do: change an event that was recorded."""
        row = self.rows[position - 1]
        self.rows[position - 1] = replace(row, version=row.version + 1)


@pytest.fixture
def events() -> Events:
    return Events()


@pytest.fixture
def clock() -> Callable[[], datetime]:
    return lambda: START
