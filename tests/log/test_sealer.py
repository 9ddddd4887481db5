"""The sealer signs one root for a size, whatever breaks, and nothing that does not continue what the world has seen."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from threading import Event as StopEvent
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from register.audit.offline import checks
from register.database import Database
from register.law.events import ElectionConcluded
from register.log.files import LogFiles
from register.log.keys import Signer
from register.log.note import Checkpoint
from register.log.receipts import consistency, receipt
from register.log.record import record_of
from register.log.sealer import PUBLISHED, GapError, Sealer, SealError, published_note
from register.log.tables import CHECKPOINT

if TYPE_CHECKING:
    from .conftest import Events

SIGNER = Signer("log.example/register", bytes(range(32)))
KEY = str(SIGNER.key)
Make = Callable[..., Sealer]


@pytest.fixture
def make(database: Database, events: Events, tmp_path: Path, clock: Callable[[], datetime]) -> Make:
    def sealer(**changed: Any) -> Sealer:
        given: dict[str, Any] = {
            "source": events,
            "engine": database.engine,
            "folder": tmp_path,
            "signer": SIGNER,
            "clock": clock,
        }
        return Sealer(**given | changed)

    return sealer


def truth(events: Events) -> bytes:
    """The root of the event store as an auditor computes it."""
    return checks.root_of(record_of(row) for row in events.rows)[1]


def sizes(database: Database) -> list[int]:
    with database.engine.connect() as connection:
        return list(connection.scalars(sa.select(CHECKPOINT.c.size).order_by(CHECKPOINT.c.size)))


def test_what_is_recorded_is_sealed_signed_and_published(make: Make, events: Events, tmp_path: Path) -> None:
    sealer = make()
    assert sealer.newest() is None
    assert sealer.seal().size == 0
    events.record(300)
    assert sealer.lag() == 300
    sealed = sealer.seal()
    assert sealer.lag() == 0
    assert published_note(tmp_path) == sealed.note
    assert (
        checks.check_checkpoint(sealed.note, KEY)
        == sealed.checkpoint
        == Checkpoint(SIGNER.key.name, 300, truth(events))
    )
    with LogFiles(tmp_path) as files:
        assert files.check(300) == sealed.checkpoint.root
        row = events.rows[122]
        proof = receipt(123, sealed.note, files.node)
        assert checks.check_receipt(record_of(row), proof, KEY) == (123, sealed.checkpoint)


def test_each_checkpoint_continues_the_one_before(make: Make, events: Events, tmp_path: Path) -> None:
    sealer = make()
    older = sealer.seal()
    for count in (1, 1, 254, 1, 300):
        events.record(count)
        newer = sealer.seal()
        with LogFiles(tmp_path) as files:
            proof = consistency(older.size, newer.note, files.node)
        assert checks.check_consistency(proof, older.checkpoint, KEY) == newer.checkpoint
        older = newer


def test_a_conclusion_and_whatever_is_asked_for_get_their_own_size(
    make: Make, events: Events, database: Database
) -> None:
    sealer = make()
    events.record(10)
    events.record(1, topic=ElectionConcluded.TOPIC)
    events.record(20)
    assert sealer.seal(at=(25,)).size == 31
    assert sizes(database) == [0, 11, 25, 31]
    sealer.seal(at=(7, 25))
    assert sizes(database) == [0, 7, 11, 25, 31]
    for size in (7, 11):
        sealed = sealer.at(size)
        assert sealed is not None
        assert sealed.checkpoint.root == checks.root_of(record_of(row) for row in events.rows[:size])[1]
    assert sealer.at(8) is None
    impossible: dict[str, Any]
    for impossible in ({"upto": 32}, {"at": (32,)}, {"at": (-1,)}):
        with pytest.raises(ValueError, match="no such position"):
            sealer.seal(**impossible)
    events.record(5)
    assert sealer.seal(upto=33).size == 33


def test_a_hole_or_a_misplaced_event_stops_the_sealer(
    make: Make, events: Events, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    sealer = make()
    events.record(20)
    sealer.seal()
    events.record(10)
    whole = list(events.rows)
    for tampered, expected in (
        (whole[:24] + whole[25:], 25),
        (whole[:20] + whole[21:], 21),
        (whole[:25] + whole[24:], 26),
    ):
        events.rows = tampered
        with pytest.raises(GapError) as refused:
            sealer.seal()
        assert refused.value.expected == expected
    events.rows = whole
    with monkeypatch.context() as patch:
        patch.setattr(events, "head", lambda: 31)  # the event at the end went away after the head was read
        with pytest.raises(GapError, match="31"):
            make().seal()
    assert sizes(database) == [0, 20]
    assert sealer.seal().checkpoint.root == truth(events)


def test_disk_then_database_then_publication(
    make: Make, events: Events, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everything written is on disk before the checkpoint is committed, and committed before it is published."""
    make().seal()
    events.record(300)
    seen: list[tuple[str, str]] = []

    def note(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def noted(*args: Any) -> Any:
            done = call(*args)
            file = Path(f"/proc/self/fd/{args[0]}").resolve().name if name in {"pwrite", "fsync"} else ""
            seen.append((name, file))
            return done

        return noted

    for name in ("pwrite", "fsync", "replace"):
        monkeypatch.setattr(f"register.log.files.os.{name}", note(name, getattr(os, name)))
    monkeypatch.setattr(Signer, "sign", note("sign", Signer.sign))
    monkeypatch.setattr(sa.Connection, "commit", note("commit", sa.Connection.commit))
    make().seal()

    signed = seen.index(("sign", ""))
    committed = seen.index(("commit", ""), signed)
    published = seen.index(("replace", ""))
    written = {file for name, file in seen if name == "pwrite"}
    assert written == {"entries.bin", "level0.bin", "level1.bin"}
    for file in written:
        last_write = len(seen) - 1 - seen[::-1].index(("pwrite", file))
        assert last_write < seen.index(("fsync", file)) < signed
    assert committed < seen.index(("fsync", f".{PUBLISHED}.new")) < published
    assert published < len(seen) - 1 - seen[::-1].index(("fsync", tmp_path.name))


class BrokenError(Exception):
    """The process died here."""


#: Every call by which the sealer changes the world outside its own memory, in the module that makes it.
STEPS = ["os.ftruncate", "os.pwrite", "os.fsync", "os.open", "os.write", "os.replace", "sign", "insert", "commit"]


@pytest.mark.parametrize("step", STEPS)
def test_a_sealer_killed_at_any_step_changes_nothing(
    step: str, make: Make, events: Events, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each call of each kind fails once, having done its work or not, then the next sealer goes on: same root."""
    events.record(250)
    make().seal()
    for done in (False, True):
        broken = 0
        while _breaks(make, events, monkeypatch, step, broken, done=done):
            broken += 1
            _litter(tmp_path)
            assert _all_roots_are_true(database, events)
            published = published_note(tmp_path)
            assert published is not None
            assert checks.check_checkpoint(published, KEY).size in sizes(database)
            sealed = make().seal()
            assert (sealed.size, sealed.checkpoint.root) == (events.head(), truth(events))
            assert published_note(tmp_path) == sealed.note
            with LogFiles(tmp_path) as files:
                assert files.check(sealed.size) == sealed.checkpoint.root
        assert broken


def _breaks(make: Make, events: Events, monkeypatch: pytest.MonkeyPatch, step: str, number: int, *, done: bool) -> bool:
    """Whether a sealer breaks on some new events when call ``number`` of one kind fails; no, once it makes fewer."""
    events.record(9)
    with monkeypatch.context() as patch:
        _break(patch, step, number, done=done)
        try:
            make().seal()
        except (BrokenError, OSError):
            return True
    return False


def _break(patch: pytest.MonkeyPatch, step: str, number: int, *, done: bool) -> None:
    """Let call ``number`` (0, 1, 2 …) of one kind fail: once ``done``, or before (a write then gets half way)."""
    left = iter(range(number))

    def counting(call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            if next(left, None) is not None:
                return call(*args, **kwargs)
            if done:
                call(*args, **kwargs)
            elif call.__name__ == "pwrite":
                file, content, offset = args
                call(file, bytes(content)[: len(content) // 2], offset)
            raise OSError(errno.EIO, "broken") if call.__module__ == "posix" else BrokenError

        return wrapped

    match step:
        case "sign":
            patch.setattr(Signer, "sign", counting(Signer.sign))
        case "insert":
            patch.setattr("register.log.sealer.insert", counting(sa.insert))
        case "commit":
            patch.setattr(sa.Connection, "commit", counting(sa.Connection.commit))
        case _:
            name = step.removeprefix("os.")
            patch.setattr(f"register.log.files.os.{name}", counting(getattr(os, name)))


def _litter(folder: Path) -> None:
    """Garbage behind the end of every file, as a torn write leaves it."""
    for path in folder.glob("*.bin"):
        with path.open("ab") as file:
            file.write(b"garbage, and not a multiple of a hash")


def _all_roots_are_true(database: Database, events: Events) -> bool:
    with database.engine.connect() as connection:
        rows = connection.execute(sa.select(CHECKPOINT.c.size, CHECKPOINT.c.root)).all()
    return all(checks.root_of(record_of(row) for row in events.rows[:size])[1] == root for size, root in rows)


def test_lost_files_are_made_again_from_the_event_store(make: Make, events: Events, tmp_path: Path) -> None:
    events.record(700)
    sealed = make().seal()
    for names in (["level1.bin"], ["entries.bin", "level0.bin", "level1.bin", "level2.bin", "level3.bin"]):
        for name in names:
            (tmp_path / name).unlink()
        assert make().seal() == sealed
        with LogFiles(tmp_path) as files:
            assert files.check(700) == sealed.checkpoint.root


def test_damaged_files_are_not_signed_over_but_can_be_rebuilt(make: Make, events: Events, tmp_path: Path) -> None:
    events.record(700)
    sealed = make().seal()
    path = tmp_path / "level1.bin"
    held = bytearray(path.read_bytes())
    held[33] ^= 1
    path.write_bytes(held)
    events.record(1)
    with pytest.raises(SealError, match="no longer give the root signed for size 700"):
        make().seal()
    assert make().rebuild() == sealed
    assert make().seal().checkpoint.root == truth(events)


def test_a_changed_history_is_refused_when_it_is_sealed_again(make: Make, events: Events) -> None:
    events.record(30)
    make().seal()
    events.alter(12)
    with pytest.raises(SealError, match="no longer give the root"):
        make().rebuild()


def test_a_restored_backup_is_refused(make: Make, events: Events, database: Database, tmp_path: Path) -> None:
    """The published checkpoint is larger than what the database knows; or unknown to it; or the events are fewer."""
    events.record(30)
    make().seal()
    published = tmp_path / PUBLISHED
    known = published.read_bytes()
    root = truth(events)
    for size, reason in ((31, "ahead of the database"), (29, "would fork"), (30, None)):
        published.write_bytes(SIGNER.sign(Checkpoint(SIGNER.key.name, size, root)))
        if reason is None:
            make().seal()
        else:
            with pytest.raises(SealError, match=reason):
                make().seal()
    published.write_bytes(SIGNER.sign(Checkpoint(SIGNER.key.name, 30, bytes(32))))
    with pytest.raises(SealError, match="would fork"):
        make().seal()
    published.write_bytes(known[:-3])
    with pytest.raises(SealError, match="cannot be trusted"):
        make().seal()
    published.write_bytes(known)
    events.rows = events.rows[:29]
    with pytest.raises(SealError, match="holds less than was signed"):
        make().seal()
    assert sizes(database) == [0, 30]


def test_a_fresh_database_beside_a_published_log_is_refused(make: Make, events: Events, tmp_path: Path) -> None:
    (tmp_path / PUBLISHED).write_bytes(SIGNER.sign(Checkpoint(SIGNER.key.name, 0, truth(events))))
    with pytest.raises(SealError, match="does not know"):
        make().seal()


def test_a_lost_key_does_not_go_on_under_a_new_one(make: Make, events: Events, tmp_path: Path) -> None:
    events.record(3)
    make().seal()
    (tmp_path / PUBLISHED).unlink()
    with pytest.raises(SealError, match="not signed by this log's key"):
        make(signer=Signer("log.example/register", bytes(32))).seal()


def test_the_database_keeps_one_root_for_a_size_for_ever(
    make: Make, events: Events, database: Database, clock: Callable[[], datetime]
) -> None:
    events.record(3)
    note = make().seal().note.decode()
    row = {"size": 3, "root": bytes(32), "note": note, "sealed_at": clock()}
    refused = (sa.exc.IntegrityError, sa.exc.ProgrammingError, sa.exc.InternalError)
    for statement in (
        sa.insert(CHECKPOINT).values(row),
        sa.insert(CHECKPOINT).values(row | {"size": 4}),
        sa.insert(CHECKPOINT).values(row | {"size": 5, "root": b"", "note": "log\n5\n\n"}),
        sa.update(CHECKPOINT).values(sealed_at=clock()),
        sa.delete(CHECKPOINT),
        sa.text("truncate log.checkpoint"),
        sa.text("drop table log.checkpoint"),
        sa.text("drop schema log cascade"),
    ):
        with database.engine.connect() as connection, pytest.raises(refused):
            connection.execute(statement)
    with database.owner_engine() as engine:
        for text in ("update log.checkpoint set size = 7", "delete from log.checkpoint", "truncate log.checkpoint"):
            with engine.connect() as connection, pytest.raises(sa.exc.DBAPIError, match="append-only"):
                connection.execute(sa.text(text))
    assert sizes(database) == [0, 3]


def test_a_forged_checkpoint_in_the_table_is_not_signed_over(
    make: Make, events: Events, database: Database, clock: Callable[[], datetime]
) -> None:
    events.record(9)
    make().seal()
    forged = Checkpoint(SIGNER.key.name, 7, bytes(32))
    row = {"size": 7, "root": forged.root, "note": SIGNER.sign(forged).decode(), "sealed_at": clock()}
    with database.engine.begin() as connection:
        connection.execute(sa.insert(CHECKPOINT).values(row))
    with pytest.raises(SealError, match="another root was signed for size 7"):
        make().seal(at=(7,))


def test_two_sealers_take_turns(make: Make, events: Events, database: Database) -> None:
    """Several at once over the same files and table; none of them fails, and the roots are true."""
    make().seal()
    failed: list[BaseException] = []

    def work() -> None:
        try:
            for _ in range(5):
                events.record(3)
                make().seal()
        except BaseException as error:
            failed.append(error)
            raise

    threads = [Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert sizes(database)[-1] == events.head() == 45
    assert _all_roots_are_true(database, events)


def test_the_loop_seals_until_it_is_told_to_stop(make: Make, events: Events) -> None:
    sealer, stop = make(), StopEvent()
    events.record(2)
    thread = Thread(target=sealer.run, args=(stop, 0.01))
    thread.start()
    try:
        for _ in range(500):
            if sealer.newest() is not None and sealer.lag() == 0:
                break
            stop.wait(0.01)
        events.record(2)
        for _ in range(500):
            if sealer.lag() == 0:
                break
            stop.wait(0.01)
    finally:
        stop.set()
        thread.join()
    newest = sealer.newest()
    assert newest is not None
    assert (newest.size, newest.checkpoint.root) == (4, truth(events))
