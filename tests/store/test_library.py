"""The library's own test cases against our recorder, and its parts as we use them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from eventsourcing.persistence import IntegrityError, ProgrammingError, StoredEvent
from eventsourcing.tests import persistence

from register.database import Database
from register.store import Pending, Store, UnsafeStoreError
from register.store import recorder as recorder_module
from register.store.codec import Filed
from register.store.recorder import Register, RegisterDatastore, RegisterRecorder, check_durable


class WithoutPositions(RegisterRecorder):
    """What the library's cases for aggregates expect: nothing returned."""

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> None:
        super().insert_events(stored_events, **kwargs)


class OnOurDatabase:
    """Gives the library's cases our recorder, on a fresh database."""

    recorder_class: type[RegisterRecorder] = RegisterRecorder
    small = recorder_module.SMALL

    @pytest.fixture(autouse=True)
    def _datastore(self, database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        monkeypatch.setattr(recorder_module, "SMALL", self.small)
        with RegisterDatastore(database.psycopg, pool_size=1) as self.datastore:
            yield

    def create_recorder(self) -> RegisterRecorder:
        return self.recorder_class(self.datastore)


class TestApplicationRecorder(OnOurDatabase, persistence.ApplicationRecorderTestCase[RegisterRecorder]):
    def test_insert_subscribe(self) -> None:
        self.optional_test_insert_subscribe()


class TestApplicationRecorderByCopy(TestApplicationRecorder):
    small = 0


class TestAggregateRecorder(OnOurDatabase, persistence.AggregateRecorderTestCase):
    recorder_class = WithoutPositions


class TestAggregateRecorderByCopy(TestAggregateRecorder):
    small = 0


@pytest.fixture(params=[recorder_module.SMALL, 0], ids=["function", "COPY"])
def recorder(
    request: pytest.FixtureRequest, database: Database, monkeypatch: pytest.MonkeyPatch
) -> Iterator[RegisterRecorder]:
    monkeypatch.setattr(recorder_module, "SMALL", request.param)
    with RegisterDatastore(database.psycopg) as datastore:
        yield RegisterRecorder(datastore)


def stored(count: int) -> list[StoredEvent]:
    return [StoredEvent(uuid4(), 1, "topic", b"state") for _ in range(count)]


def test_a_failed_insert_leaves_no_hole(recorder: RegisterRecorder) -> None:
    first = stored(3)
    assert recorder.insert_events(first) == [1, 2, 3]
    with pytest.raises(IntegrityError):
        recorder.insert_events([*stored(2), first[0]])
    assert recorder.insert_events(stored(2)) == [4, 5]


def test_rows_of_the_callback_commit_with_the_events_or_not_at_all(
    recorder: RegisterRecorder, database: Database
) -> None:
    def extra(cursor: psycopg.Cursor[Any]) -> None:
        cursor.execute("INSERT INTO store.source (source) VALUES ('sample')")

    events = stored(1)
    assert recorder.insert_events(events, extra=extra) == [1]
    with pytest.raises(IntegrityError):
        recorder.insert_events(stored(1), extra=extra)
    with database.psycopg() as connection:
        assert connection.execute("SELECT count(*) FROM store.event").fetchone() == (1,)
        assert connection.execute("SELECT count(*) FROM store.source").fetchone() == (1,)


def test_the_library_creates_no_table(recorder: RegisterRecorder) -> None:
    with pytest.raises(ProgrammingError, match="migrations"):
        recorder.create_table()


@pytest.mark.parametrize("name", ["POSTGRES_ENABLE_DB_FUNCTIONS", "REGISTER_POSTGRES_ENABLE_DB_FUNCTIONS"])
def test_the_switch_under_which_readers_lose_events_is_refused(
    database: Database, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "y")
    with pytest.raises(UnsafeStoreError, match="lose events"):
        Store(database.psycopg)


def test_a_server_that_does_not_keep_what_it_commits_is_refused(database: Database) -> None:
    with database.psycopg() as connection:
        connection.execute("SET synchronous_commit = off")
        with pytest.raises(UnsafeStoreError, match="synchronous_commit"):
            check_durable(connection)


def test_what_the_library_reads_is_what_was_appended(
    store: Store, notice: Callable[..., Pending], now: datetime
) -> None:
    pending = [notice("a", 1), notice("b", 2), notice("c", 1)]
    store.append(pending, now=now)
    notifications = store.register.notification_log.select(start=1, limit=10)
    assert [n.id for n in notifications] == [1, 2, 3]
    filed: list[Any] = [store.register.mapper.to_domain_event(n) for n in notifications]
    assert [(f.source, f.id, f.time, f.data, f.salt) for f in filed] == [
        (p.source, p.id, p.time, p.data, p.salt) for p in pending
    ]
    of_one: list[Any] = list(store.register.events.get(filed[0].originator_id))
    assert [(f.id, f.originator_version) for f in of_one] == [("a", 1), ("c", 2)]
    assert all(isinstance(f, Filed) for f in of_one)


def test_nothing_enters_past_the_keys(store: Store) -> None:
    with pytest.raises(ProgrammingError, match=r"Store\.append"):
        store.register.save()
    assert isinstance(store.register, Register)
