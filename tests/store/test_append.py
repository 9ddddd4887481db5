"""One append: repeats, conflicts, annulments, versions, positions, instants; the same whichever way it is written."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

import psycopg
import pytest

from register.database import Database
from register.law.events import ControlTotal, RollFrozen
from register.store import ConcurrencyError, Pending, Receipt, Store, codec
from register.store.judging import NOT_ANNULLABLE

Make = Callable[..., Pending]
OTHER = "urn:cvr:authority:registry-office:10057"


def brief(receipts: list[Receipt]) -> list[tuple[str, int | None]]:
    """What a receipt says, in short; a refusal by its kind."""
    return [(r.refusal.kind if r.refusal else r.status, r.position) for r in receipts]


def counts(database: Database) -> tuple[int, ...]:
    with database.psycopg() as connection:
        row = connection.execute(
            "SELECT (SELECT count(*) FROM store.event), (SELECT count(*) FROM store.event_key),"
            " (SELECT count(*) FROM store.subject), (SELECT count(*) FROM store.source)"
        ).fetchone()
    assert row is not None
    return row


def test_a_repeat_has_the_receipt_of_the_first_time(store: Store, notice: Make, way: str, now: datetime) -> None:
    assert brief(store.append([notice("a"), notice("b", 2)], now=now)) == [("recorded", 1), ("recorded", 2)]
    later = now + timedelta(days=1)
    again = store.append([notice("b", 2, time=later), notice("c", 3)], now=later)
    assert brief(again) == [("repeated", 2), ("recorded", 3)]
    assert [r.recorded_at for r in again] == [now, later]


def test_other_content_under_a_used_id_is_refused(store: Store, notice: Make, way: str, now: datetime) -> None:
    store.append([notice("a")], now=now)
    receipts = store.append([notice("a", day=2), notice("b", 2)], now=now)
    assert brief(receipts) == [("id-conflict", None), ("recorded", 2)]
    assert receipts[0].refusal is not None
    assert [fault.pointer for fault in receipts[0].refusal.faults] == ["/id"]
    assert brief(store.append([notice("a", source=OTHER, day=2)], now=now)) == [("recorded", 3)]


def test_repeats_and_conflicts_within_a_batch(store: Store, notice: Make, way: str, now: datetime) -> None:
    batch = [notice("a"), notice("a"), notice("a", day=2), notice("a", source=OTHER, day=2), notice("b", 2)]
    expected = [("recorded", 1), ("repeated", 1), ("id-conflict", None), ("recorded", 2), ("recorded", 3)]
    assert brief(store.append(batch, now=now)) == expected
    assert [event.id for event in store.events()] == ["a", "a", "b"]


def test_a_subject_has_one_stream_and_versions_without_holes(
    store: Store, notice: Make, way: str, now: datetime
) -> None:
    store.append([notice("a", 1), notice("b", 2), notice("c", 1)], now=now)
    store.append([notice("d", 1), notice("e", 3), notice("f", 2)], now=now)
    filed = [(event.id, event.version) for event in store.events()]
    assert filed == [("a", 1), ("b", 1), ("c", 2), ("d", 3), ("e", 1), ("f", 2)]
    stream = store.stream_of(f"jmb:{1:013d}")
    assert stream is not None
    assert [event.id for event in store.stream(stream)] == ["a", "c", "d"]
    assert store.stream_of(f"jmb:{9:013d}") is None


def test_streams_are_time_ordered_and_say_nothing_of_the_number(
    store: Store, notice: Make, way: str, now: datetime
) -> None:
    # The clock stands still, goes on and goes back: later streams are greater all the same.
    for n, instant in enumerate([now, now, now + timedelta(seconds=1), now - timedelta(days=1)]):
        store.append([notice(f"{n}-{i}", 10 * n + i) for i in range(5)], now=instant)
    streams = [event.stream for event in store.events()]
    assert streams == sorted(streams)
    assert len(set(streams)) == 20
    assert {(stream.version, stream.variant) for stream in streams} == {(7, UUID(int=2 << 62).variant)}
    assert streams[0].int >> 80 == int(now.timestamp() * 1000)


def test_recorded_at_never_goes_back_when_the_clock_does(store: Store, notice: Make, way: str, now: datetime) -> None:
    store.append([notice("a")], now=now)
    receipts = store.append([notice("b", 2)], now=now - timedelta(hours=1))
    store.append([notice("c", 3)], now=now + timedelta(hours=1))
    assert receipts[0].recorded_at == now
    assert [event.recorded_at for event in store.events()] == [now, now, now + timedelta(hours=1)]


def test_an_annulment_is_filed_with_what_it_annuls(
    store: Store, notice: Make, annulment: Make, way: str, now: datetime
) -> None:
    store.append([notice("a", 1), notice("b", 1)], now=now)
    receipts = store.append([notice("c", 1), annulment("x", "a"), annulment("y", "c"), notice("d", 1)], now=now)
    assert brief(receipts) == [("recorded", 3), ("recorded", 4), ("recorded", 5), ("recorded", 6)]
    stream = store.stream_of(f"jmb:{1:013d}")
    assert stream is not None
    assert [(e.id, e.version) for e in store.stream(stream)] == list(zip("abcxyd", range(1, 7), strict=True))
    # Annulled already, but under another id: nothing forbids it.
    assert brief(store.append([annulment("z", "a"), annulment("x", "a")], now=now)) == [
        ("recorded", 7),
        ("repeated", 4),
    ]


def test_what_cannot_be_annulled(store: Store, notice: Make, annulment: Make, way: str, now: datetime) -> None:
    frozen = RollFrozen(election="sample", conclusion=1, voters=0, sha256="0" * 64)
    store.append([notice("a", source=OTHER), notice("act", data=frozen), notice("b"), annulment("x", "b")], now=now)
    receipts = store.append(
        [
            annulment("1", "unknown"),
            annulment("2", "a"),
            annulment("3", "x"),
            annulment("4", "act"),
            annulment("5", "5"),
        ],
        now=now,
    )
    assert brief(receipts) == [("annulment", None)] * 5
    # Another's notice and an unknown one get the same answer.
    said = {(r.refusal.detail, r.refusal.provision, r.refusal.faults[0].pointer) for r in receipts if r.refusal}
    assert said == {(NOT_ANNULLABLE, "later law 3.13", "/data/annuls")}
    # A refused notice does not use up its id, not even within one batch.
    batch = [annulment("6", "late"), notice("late", 2), annulment("6", "late")]
    assert brief(store.append(batch, now=now)) == [("annulment", None), ("recorded", 5), ("recorded", 6)]


def test_a_control_total_can_be_annulled(store: Store, notice: Make, annulment: Make, way: str, now: datetime) -> None:
    total = ControlTotal(day=now.date(), sent={"ba.cvr.death.v1": 2})
    assert brief(store.append([notice("t", data=total), annulment("x", "t")], now=now)) == [
        ("recorded", 1),
        ("recorded", 2),
    ]


def test_an_unexpected_version_stops_the_whole_append(
    store: Store, database: Database, notice: Make, way: str, now: datetime
) -> None:
    store.append([notice("a", 1, expected_version=0)], now=now)
    before = counts(database)
    with pytest.raises(ConcurrencyError) as caught:
        store.append([notice("b", 2), notice("c", 1, expected_version=0)], now=now)
    assert (caught.value.index, caught.value.expected, caught.value.found) == (1, 0, 1)
    assert counts(database) == before
    # A repeat is a repeat, though its stream has moved on since.
    assert brief(store.append([notice("a", 1, expected_version=0)], now=now)) == [("repeated", 1)]
    assert brief(store.append([notice("d", 1, expected_version=1)], now=now)) == [("recorded", 2)]


def test_a_failed_append_leaves_nothing(
    store: Store, database: Database, notice: Make, way: str, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        # The database refuses the last thing written, the key: its digest is too short.
        patch.setattr(codec, "content_digest", lambda _: b"short")
        with pytest.raises(psycopg.errors.CheckViolation):
            store.append([notice("a"), notice("b", 2, source=OTHER)], now=now)
    assert counts(database) == (0, 0, 0, 0)
    assert brief(store.append([notice("a")], now=now)) == [("recorded", 1)]


def test_another_isolation_level_is_refused_by_the_database(database: Database) -> None:
    with database.psycopg() as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        with pytest.raises(psycopg.errors.InvalidTransactionState, match="READ COMMITTED"):
            connection.execute("SELECT store.begin_append()")
