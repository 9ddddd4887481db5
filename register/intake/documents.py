"""Documents behind events (Art. 3.5(7)): files kept by their SHA-256, and a record of who filed which, for ever.

A file is first written whole to a place of its own, its digest taken on the way; only then it gets its name, in one
step. So under a digest there is never half a file, and two who file the same at once do not disturb each other. What
is read is checked against its digest before the first byte of it is given to anybody.
"""

from __future__ import annotations

import errno
import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from datetime import datetime
from pathlib import Path
from typing import IO, Any, Final, Self

import fsspec  # type: ignore[import-untyped] # ships no types
import msgspec
import sqlalchemy as sa
from fsspec.implementations.local import LocalFileSystem  # type: ignore[import-untyped] # the same
from sqlalchemy.dialects.postgresql import insert

from register.intake.tables import DOCUMENT
from register.law.competence import Caller

#: So much is read at a time; a file of no more stays in memory while it is checked.
PIECE: Final = 1 << 18
#: So much of a file's beginning tells its type.
HEAD: Final = 128
#: What ended without a word is cleared away after so many seconds.
FORGOTTEN: Final = 86_400.0
_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})

_BEGINNINGS: Final = (
    (b"%PDF-", "application/pdf"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
)
#: Signed containers name themselves in their first member, not packed (ETSI EN 319 162-1, annex A.1).
_CONTAINERS: Final = ("application/vnd.etsi.asic-e+zip", "application/vnd.etsi.asic-s+zip")
#: Media type to the ending of a file's name.
ENDINGS: Final = {
    "application/pdf": ".pdf",
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "image/tiff": ".tif",
    _CONTAINERS[0]: ".asice",
    _CONTAINERS[1]: ".asics",
}


class KeepingError(Exception):
    """A file cannot be kept or fetched right now; nothing of it was left. ``full``: there is no room for it."""

    def __init__(self, error: OSError) -> None:
        self.full = error.errno in _NO_ROOM
        super().__init__("there is no room" if self.full else f"the place of files fails ({type(error).__name__})")


class DamagedError(Exception):
    """A file that was kept is missing, or is no longer the one its digest names."""


class Filing(msgspec.Struct, frozen=True, kw_only=True):
    """That an authority filed a document: ``sub`` did it for it; ``size`` in bytes, ``type`` its media type."""

    id: int
    sha256: str
    authority: str
    sub: str
    size: int
    type: str
    filed_at: datetime


def sniff(head: bytes) -> str | None:
    """The media type a file's first bytes show, or None for one that is not kept here."""
    for beginning, media_type in _BEGINNINGS:
        if head.startswith(beginning):
            return media_type
    # A local file header without extra field, method "stored", of a member named "mimetype" (ZIP, section 4.3.7).
    if head.startswith(b"PK\x03\x04") and head[8:10] == b"\0\0" and head[26:38] == b"\x08\0\0\0mimetype":
        return next((each for each in _CONTAINERS if head[38:].startswith(each.encode())), None)
    return None


class Shelf:
    """Files by their SHA-256 in one folder: ``place`` is a path or any fsspec URL, ``incoming`` a local folder.

    Raises ``ImportError`` or ``ValueError`` for a URL whose kind of place is not installed or not known.
    """

    def __init__(self, place: str, incoming: Path) -> None:
        self._fs, root = fsspec.url_to_fs(place)
        self._root = str(root).rstrip("/")
        self._local = isinstance(self._fs, LocalFileSystem)
        # A name is given in one step within one file system only.
        self._incoming = Path(self._root) / ".incoming" if self._local else incoming

    def sweep(self, now: float) -> None:
        """Clear away what a killed process left of files it was writing; ``now`` in seconds since 1970."""
        for left in self._incoming.glob("arrival-*"):
            with suppress(FileNotFoundError):
                if left.stat().st_mtime < now - FORGOTTEN:
                    left.unlink()

    def arrival(self) -> Arrival:
        """Begin to write a file; to be used as a context manager. Raises :class:`KeepingError`."""
        try:
            self._incoming.mkdir(parents=True, exist_ok=True)
            return Arrival(self, self._incoming)
        except OSError as error:
            raise KeepingError(error) from None

    def checked(self, sha256: str) -> IO[bytes]:
        """The file of a digest, copied while its digest was taken, at its beginning; the caller closes it.

        Raises :class:`DamagedError` when it is missing or another, :class:`KeepingError` when it cannot be fetched.
        """
        with ExitStack() as undone:
            copy: IO[bytes] = undone.enter_context(tempfile.SpooledTemporaryFile(PIECE))
            for piece in self._pieces(sha256):
                copy.write(piece)
            copy.seek(0)
            undone.pop_all()
            return copy

    def check(self, sha256: str) -> None:
        """Raise :class:`DamagedError` when the file of a digest is missing or another; else as :meth:`checked`."""
        for _ in self._pieces(sha256):
            pass

    def _pieces(self, sha256: str) -> Iterator[bytes]:
        """The file of a digest; at its end, raises :class:`DamagedError` when it was another."""
        path, digest = self._path(sha256), hashlib.sha256()
        try:
            with self._fs.open(path, "rb") as file:
                while piece := file.read(PIECE):
                    digest.update(piece)
                    yield piece
        except FileNotFoundError:
            raise DamagedError("the file is missing") from None
        except OSError as error:
            raise KeepingError(error) from None
        if digest.hexdigest() != sha256:
            raise DamagedError("the file is not the one that was kept")

    def take(self, written: Path, sha256: str) -> None:
        """Give a whole file its name, in the place of one that stands there. Raises ``OSError``."""
        target = self._path(sha256)
        folder = target.rpartition("/")[0]
        if self._local:
            Path(folder).mkdir(parents=True, exist_ok=True)
            written.replace(target)
            for each in (folder, self._root):
                _sync(each)
            return
        self._fs.makedirs(folder, exist_ok=True)
        aside = f"{self._root}/.incoming-{written.name}"
        try:
            self._fs.put_file(str(written), aside)
            self._fs.mv(aside, target)
        except OSError:
            with suppress(OSError):
                self._fs.rm_file(aside)
            raise
        written.unlink()

    def _path(self, sha256: str) -> str:
        if len(sha256) != 64 or not set(sha256) <= set("0123456789abcdef"):
            raise ValueError("a file is named by 64 hexadecimal digits")
        return f"{self._root}/{sha256[:2]}/{sha256}"


class Arrival:
    """A file while it comes in. What is not kept by the end of the block is gone."""

    def __init__(self, shelf: Shelf, folder: Path) -> None:
        self._shelf = shelf
        handle, name = tempfile.mkstemp(prefix="arrival-", dir=folder)
        self._file: IO[bytes] = os.fdopen(handle, "w+b")
        self._path = Path(name)
        self._digest = hashlib.sha256()
        #: Bytes so far, and the first of them.
        self.size = 0
        self.head = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.discard()

    @property
    def sha256(self) -> str:
        """The digest of what has come so far."""
        return self._digest.hexdigest()

    def write(self, data: bytes) -> None:
        """Take the next bytes. Raises :class:`KeepingError`."""
        self.head += data[: HEAD - len(self.head)]
        self.size += len(data)
        self._digest.update(data)
        try:
            self._file.write(data)
        except OSError as error:
            raise KeepingError(error) from None

    def pieces(self) -> Iterator[bytes]:
        """What has come, from its beginning. Raises :class:`KeepingError`."""
        try:
            self._file.flush()
            with self._path.open("rb") as file:
                while piece := file.read(PIECE):
                    yield piece
        except OSError as error:
            raise KeepingError(error) from None

    def keep(self) -> None:
        """Make the file durable under its digest. Raises :class:`KeepingError`; then nothing is left of it."""
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            self._shelf.take(self._path, self.sha256)
        except OSError as error:
            self.discard()
            raise KeepingError(error) from None

    def discard(self) -> None:
        """Let go of what was written and not kept."""
        with suppress(OSError):  # a full disk may refuse to write the last bytes of what is thrown away
            self._file.close()
        self._path.unlink(missing_ok=True)


class Documents:
    """Documents as they were filed. ``shelf`` holds their files, ``requests`` the bodies of signed requests."""

    def __init__(self, engine: sa.Engine, shelf: Shelf, requests: Shelf) -> None:
        self._engine = engine
        self.shelf = shelf
        self.requests = requests

    def file(
        self, connection: sa.Connection, arrival: Arrival, media_type: str, caller: Caller, now: datetime
    ) -> tuple[Filing, bool]:
        """Keep a file that has come whole, and write down who filed it; whether that is new for this authority.

        The file is durable before it is on record; committing is the caller's. Raises :class:`KeepingError`, database
        errors, and ``TypeError`` for a caller without authority.
        """
        if caller.authority is None:
            raise TypeError("documents are filed for an authority")
        arrival.keep()
        entry = {
            "sha256": arrival.sha256,
            "authority": caller.authority,
            "sub": caller.sub,
            "size": arrival.size,
            "type": media_type,
            "filed_at": now,
        }
        row = connection.execute(insert(DOCUMENT).values(entry).on_conflict_do_nothing().returning(DOCUMENT)).first()
        if row is not None:
            return _filing(row), True
        query = sa.select(DOCUMENT).where(DOCUMENT.c.sha256 == arrival.sha256, DOCUMENT.c.authority == caller.authority)
        return _filing(connection.execute(query).one()), False

    def find(self, sha256: str, authority: str | None) -> Filing | None:
        """Return the first filing of a document: by an authority, or (None) by anyone."""
        query = sa.select(DOCUMENT).where(DOCUMENT.c.sha256 == sha256).order_by(DOCUMENT.c.id).limit(1)
        if authority is not None:
            query = query.where(DOCUMENT.c.authority == authority)
        with self._engine.connect() as connection:
            row = connection.execute(query).first()
        return None if row is None else _filing(row)


def _filing(row: sa.Row[Any]) -> Filing:
    return Filing(**row._mapping)  # noqa: SLF001 - SQLAlchemy's public way to a row's columns by name


def _sync(folder: str) -> None:
    """Make what stands in a local folder durable: a name is kept by its folder, not by its file."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
