"""The sealer: follows the event store and signs the tree's head. One at a time, and never in the way of intake.

The order is what makes it safe against a crash at any step: append to the files and wait for the disk; sign and commit
the checkpoint in the database, which is the point of no return; publish it by an atomic rename. What stands in the
files beyond the last committed size was never signed and is cut off. The sealer would rather stop than sign a second
root for a size, or anything that does not continue what the world has already seen.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from threading import Event as StopEvent
from typing import Final, Protocol

from sqlalchemy import Connection, Engine, func, insert, select

from register.law.events import ElectionConcluded
from register.log.files import FilesError, LogFiles, replace_file
from register.log.keys import Signing, check_signature
from register.log.note import Checkpoint, NoteError, VerifierKey, verify_checkpoint
from register.log.record import StoredRecord, entry_of, record_of
from register.log.tables import CHECKPOINT

#: Name of the published checkpoint in the log's folder.
PUBLISHED: Final = "checkpoint"
#: Whoever holds this PostgreSQL advisory lock is the one sealer ("cvr log" in ASCII).
_LOCK: Final = 0x637672206C6F67
#: Events whose own position gets a checkpoint: an excerpt prints the root at its conclusion.
_LANDMARKS: Final = frozenset({ElectionConcluded.TOPIC})
#: Records hashed between two writes, and at most sealed under one checkpoint.
_BATCH: Final = 8_192
_STRIDE: Final = 1_000_000


class SealError(Exception):
    """The sealer does not sign, because what it would sign does not continue what was signed or published."""


class GapError(SealError):
    """The event store has a hole, or an event out of its place."""

    def __init__(self, expected: int, found: int | None) -> None:
        super().__init__(f"position {expected} is missing from the event store (next found: {found})")
        self.expected, self.found = expected, found


class Source(Protocol):
    """What the sealer needs of the event store."""

    def head(self) -> int:
        """Position of the last event; 0 when there is none."""

    def records(self, after: int, upto: int | None = None) -> Iterable[StoredRecord]:
        """The events behind position ``after`` (up to and with ``upto``), in order."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A checkpoint that was signed and committed, with its signed note."""

    checkpoint: Checkpoint
    note: bytes

    @property
    def size(self) -> int:
        """Leaves in the tree: the position of the last event it covers."""
        return self.checkpoint.size


class Sealer:
    """Seals one event store into one folder under one origin. ``clock`` only dates the rows; order is the position.

    ``signer`` knows the keys: all of them sign each checkpoint. ``guard`` is shown the last checkpoint before anything
    is signed, and raises SealError when somebody outside has seen more than it.
    """

    def __init__(
        self,
        *,
        source: Source,
        engine: Engine,
        folder: Path,
        signer: Signing,
        clock: Callable[[], datetime],
        guard: Callable[[Sealed], None] = lambda _: None,
    ) -> None:
        self._source = source
        self._engine = engine
        self._folder = folder
        self._signer = signer
        self._clock = clock
        self._guard = guard

    def seal(self, upto: int | None = None, at: Collection[int] = ()) -> Sealed:
        """Seal everything recorded (or up to position ``upto``), and give the newest checkpoint.

        Each size in ``at`` gets a checkpoint of its own, also one already passed; so does each conclusion. Waits while
        another sealer works. Raises SealError, GapError, RecordError, and ValueError for positions that are not
        recorded yet.
        """
        head = self._source.head()
        target = max((head if upto is None else upto, *at))
        if min((target, *at)) < 0 or target > head:
            raise ValueError("there is no such position yet")
        with self._alone() as connection, LogFiles(self._folder, write=True) as files:
            last = self._recover(connection, files)
            self._commit(connection, files, [size for size in at if size <= last.size])
            while last.size < target:
                stop = min(target, last.size + _STRIDE)
                landmarks = self._append(files, last.size, stop)
                files.sync()
                last = self._commit(connection, files, {stop, *landmarks, *(s for s in at if last.size < s <= stop)})
                self._publish(last)
            return last

    def run(self, stop: StopEvent, interval: float = 1.0) -> None:
        """Seal at most once in ``interval`` seconds until told to stop. Raises what :meth:`seal` raises."""
        recovered = False
        while not stop.is_set():
            if not recovered or self.lag():
                self.seal()
                recovered = True
            stop.wait(interval)

    def lag(self) -> int:
        """Events recorded but not yet under a signed checkpoint."""
        newest = self.newest()
        return self._source.head() - (newest.size if newest else 0)

    def newest(self) -> Sealed | None:
        """The largest checkpoint signed so far; None before the first one."""
        with self._engine.connect() as connection:
            return newest_sealed(connection)

    def at(self, size: int) -> Sealed | None:
        """The checkpoint of exactly this size, if one was signed."""
        with self._engine.connect() as connection:
            return sealed_at(connection, size)

    def rebuild(self) -> Sealed:
        """Throw the five files away and make them again from the event store; nothing is signed.

        Raises SealError when the event store no longer gives the root that was signed.
        """
        with self._alone() as connection, LogFiles(self._folder, write=True) as files:
            files.cut(0)
            return self._recover(connection, files)

    # --- steps ------------------------------------------------------------------------------------------------------

    @contextmanager
    def _alone(self) -> Iterator[Connection]:
        """A connection that holds the sealer's lock; closing it for good gives the lock back, whatever happened."""
        with self._engine.connect() as connection:
            connection.detach()
            connection.execute(select(func.pg_advisory_lock(_LOCK)))
            connection.commit()
            yield connection

    def _recover(self, connection: Connection, files: LogFiles) -> Sealed:
        """Bring files and publication to the last committed checkpoint, or refuse to go on from there."""
        published = self._published()
        last = newest_sealed(connection)
        if last is None:
            if published is not None:
                raise SealError("a checkpoint was published that the database does not know: was it restored?")
            files.cut(0)
            files.sync()
            last = self._commit(connection, files, [0])
        self._refuse_fork(connection, last, published)
        self._guard(last)
        connection.commit()  # no transaction stays open while records are hashed
        held = min(files.complete_size(), last.size)
        files.cut(held)
        if held < last.size:  # files were lost: the event store gives them back
            self._append(files, held, last.size)
            files.sync()
        if self._root(files, last.size) != last.checkpoint.root:
            raise SealError(f"files or event store no longer give the root signed for size {last.size}")
        if published != last.checkpoint:
            self._publish(last)
        return last

    def _refuse_fork(self, connection: Connection, last: Sealed, published: Checkpoint | None) -> None:
        try:
            signed = verify_checkpoint(last.note, self._keys(), check_signature)
        except NoteError as error:
            raise SealError(f"the last checkpoint was not signed by this log's key: {error}") from error
        if signed != last.checkpoint:
            raise SealError("the last checkpoint says another thing than its note")
        if self._source.head() < last.size:
            raise SealError("the event store holds less than was signed: was it restored?")
        if published is None:
            return
        if published.size > last.size:
            raise SealError("the published checkpoint is ahead of the database: was it restored?")
        known = sealed_at(connection, published.size)
        if known is None or known.checkpoint != published:
            raise SealError("the published checkpoint is not one of the database's: the log would fork")

    def _published(self) -> Checkpoint | None:
        raw = published_note(self._folder)
        if raw is None:
            return None
        try:
            return verify_checkpoint(raw, self._keys(), check_signature)
        except NoteError as error:
            raise SealError(f"the published checkpoint cannot be trusted: {error}") from error

    def _append(self, files: LogFiles, size: int, stop: int) -> list[int]:
        """Append the records of positions ``size + 1 … stop``; gives those of them that need a checkpoint."""
        entries: list[bytes] = []
        landmarks = []
        position = size
        for stored in self._source.records(after=size, upto=stop):
            position += 1
            if stored.position != position or position > stop:
                raise GapError(position, stored.position)
            entries.append(entry_of(record_of(stored)))
            if stored.topic in _LANDMARKS:
                landmarks.append(position)
            if len(entries) == _BATCH:
                size = files.append(size, entries)
                entries.clear()
        if position != stop:
            raise GapError(position + 1, None)
        files.append(size, entries)
        return landmarks

    def _commit(self, connection: Connection, files: LogFiles, sizes: Iterable[int]) -> Sealed:
        """Sign these sizes and commit them together; gives the newest checkpoint there is."""
        for size in sorted(sizes):
            root = self._root(files, size)
            before = sealed_at(connection, size)
            if before is not None:
                if before.checkpoint.root != root:
                    raise SealError(f"another root was signed for size {size}")
                continue
            note = self._sign(size, root)
            row = {"size": size, "root": root, "note": note.decode(), "sealed_at": self._clock()}
            connection.execute(insert(CHECKPOINT).values(row))
        newest = newest_sealed(connection)
        connection.commit()
        if newest is None:
            raise SealError("nothing was signed")
        return newest

    def _sign(self, size: int, root: bytes) -> bytes:
        first, *others = self._signer.signers()
        checkpoint = Checkpoint(first.key.name, size, root)
        return first.sign(checkpoint) + "".join(str(other.line(checkpoint)) for other in others).encode()

    def _keys(self) -> list[VerifierKey]:
        return [signer.key for signer in self._signer.signers()]

    def _publish(self, sealed: Sealed) -> None:
        replace_file(self._folder / PUBLISHED, sealed.note)

    def _root(self, files: LogFiles, size: int) -> bytes:
        try:
            return files.root(size)
        except FilesError as error:
            raise SealError(f"the log's files cannot be read: {error}") from error


def published_note(folder: Path) -> bytes | None:
    """The published checkpoint as a signed note; None when the log has none yet."""
    try:
        return (folder / PUBLISHED).read_bytes()
    except FileNotFoundError:
        return None


def newest_sealed(connection: Connection) -> Sealed | None:
    """The largest checkpoint signed so far; None before the first one."""
    return _sealed(connection, select(func.max(CHECKPOINT.c.size)).scalar_subquery())


def sealed_at(connection: Connection, size: int) -> Sealed | None:
    """The checkpoint of exactly this size, if one was signed."""
    return _sealed(connection, size)


def _sealed(connection: Connection, size: object) -> Sealed | None:
    row = connection.execute(
        select(CHECKPOINT.c.size, CHECKPOINT.c.root, CHECKPOINT.c.note).where(CHECKPOINT.c.size == size)
    ).one_or_none()
    if row is None:
        return None
    return Sealed(Checkpoint(row.note.partition("\n")[0], row.size, bytes(row.root)), row.note.encode())
