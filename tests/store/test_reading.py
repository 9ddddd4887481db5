"""Reading in order, by stream, by key and by instant."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import uuid4

import pytest

from register.database import Database
from register.law.events import Death, ElectionCalled
from register.store import Pending, Store, UnknownTopicError, codec, reading

Make = Callable[..., Pending]


@pytest.fixture
def filled(store: Store, notice: Make, now: datetime) -> Store:
    """Three hundred events of a hundred persons, thirty an hour, and one act."""
    for hour in range(10):
        batch = [notice(f"{hour}-{i}", (30 * hour + i) % 100) for i in range(30)]
        store.append(batch, now=now + timedelta(hours=hour))
    called = ElectionCalled(election="sample", kind="general", early=False, day=now.date(), called_on=now.date())
    store.append([notice("act", data=called)], now=now + timedelta(hours=10))
    return store


def test_pages_of_any_size_give_the_same_events(filled: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    events = list(filled.events())
    assert [event.position for event in events] == list(range(1, 302))
    for page in (1, 7, 301, 302):
        monkeypatch.setattr(reading, "PAGE", page)
        assert list(filled.events()) == events
        assert list(filled.events(after=5, upto=290)) == events[5:290]
        assert list(filled.events(after=5, limit=9)) == events[5:14]
        assert [event.id for event in filled.events(topics=[ElectionCalled.TOPIC])] == ["act"]
        assert list(filled.events(topics=[Death.TOPIC], after=290, limit=3)) == events[290:293]
    assert list(filled.events(after=301)) == []


def test_records_are_the_bytes_of_the_events(filled: Store) -> None:
    records = list(filled.records(3, 7))
    assert [
        codec.decode(
            r.topic, r.state, position=r.position, stream=r.stream, version=r.version, recorded_at=r.recorded_at
        )
        for r in records
    ] == list(filled.events(after=3, upto=7))


def test_by_stream_gives_every_event_once_stream_by_stream(filled: Store) -> None:
    events = list(filled.events(upto=250))
    streams = dict(filled.by_stream(250))
    assert list(streams) == sorted(streams)
    assert sorted(itertools.chain(*streams.values()), key=lambda event: event.position) == events
    assert filled.streams(streams, 250) == streams
    middle = list(streams)[40]
    first, second = dict(filled.by_stream(250, last=middle)), dict(filled.by_stream(250, first=middle))
    assert (len(first), len(second)) == (41, 60)
    assert first | second == streams


def test_a_reader_that_stops_early_leaves_no_connection_behind(filled: Store) -> None:
    for _ in range(20):
        next(filled.by_stream(301)), next(filled.events())
    assert len(filled.stream(uuid4())) == 0


def test_find_by_key(filled: Store, notice: Make) -> None:
    pending = notice("3-7", 97)
    event = filled.find(pending.source, pending.id)
    assert event is not None
    assert (event.position, event.data, event.time) == (98, pending.data, pending.time)
    assert filled.find(pending.source, "unknown") is None
    assert filled.find("urn:cvr:authority:unknown", pending.id) is None


def test_position_at_is_the_last_position_recorded_at_or_before_the_instant(filled: Store, now: datetime) -> None:
    tick = timedelta(microseconds=1)
    assert filled.position_at(now - tick) == 0
    for hour in range(10):
        instant = now + timedelta(hours=hour)
        assert filled.position_at(instant - tick) == 30 * hour
        assert filled.position_at(instant) == filled.position_at(instant + tick) == 30 * (hour + 1)
    assert filled.position_at(now + timedelta(days=9)) == filled.head() == 301
    assert filled.recorded_at(31) == now + timedelta(hours=1)
    assert filled.recorded_at(302) is None


def test_the_empty_event_store(store: Store, now: datetime) -> None:
    assert (store.head(), store.position_at(now), list(store.events()), list(store.by_stream(0))) == (0, 0, [], [])
    assert store.append([], now=now) == []


def test_a_reader_waits_until_something_is_appended(store: Store, notice: Make, now: datetime) -> None:
    started = time.monotonic()
    assert store.wait_for_events(0, 0.2) == 0
    assert time.monotonic() - started >= 0.2
    for size in (1, 250):
        head = store.head()
        batch = [notice(f"{size}-{i}", i) for i in range(size)]
        later = threading.Timer(0.1, store.append, args=(batch,), kwargs={"now": now})
        later.start()
        started = time.monotonic()
        assert store.wait_for_events(head, 30) == head + size
        # Woken, not found by looking once a second.
        assert time.monotonic() - started < 0.9
        later.join()


def test_a_topic_of_tomorrow_is_not_passed_over(store: Store, database: Database) -> None:
    with database.psycopg() as connection:
        connection.execute(
            "INSERT INTO store.event VALUES (gen_random_uuid(), 1, 'ba.cvr.tomorrow.v1', '{}', 1, now())"
        )
    with pytest.raises(UnknownTopicError):
        list(store.events())
