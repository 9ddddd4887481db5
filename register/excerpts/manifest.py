"""Files that are there whole or not at all, and the manifest that says what is there.

A file is written under a temporary name, synced, and renamed; its SHA-256 is taken on the way. ``manifest.json``
stands beside the files of a run and names each with its digest and its number of rows.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

MANIFEST: Final = "manifest.json"
_PART: Final = ".part"
#: What tells this process from those of other hosts that draw into the same folder, whatever their numbers.
_PROCESS: Final = f"{os.getpid()}-{os.urandom(4).hex()}"


class FolderMissingError(Exception):
    """The folder of a run or a copy is not on this host, though whoever began it has made it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(f"there is no folder {folder} here: is CVR_DATA the data folder of the server?")


class ManifestEntry(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """One file of a run: its name, its list, how many rows, its SHA-256, and the digest its list's formats share."""

    file: str
    list: str
    rows: int
    sha256: str
    rows_sha256: str


class Part:
    """A file being written; ``sha256`` is the digest of what was written so far."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._digest = hashlib.sha256()

    def write(self, piece: bytes) -> None:
        """Append ``piece``."""
        self._digest.update(piece)
        self._out.write(piece)

    @property
    def sha256(self) -> str:
        """Lower-case hex."""
        return self._digest.hexdigest()


@contextmanager
def whole_file(path: Path) -> Iterator[Part]:
    """Write ``path`` so that it is there whole or not at all, also after a crash. An error leaves nothing behind.

    The temporary name is the process's own, so that a worker thought dead cannot write into another's file.
    """
    part = part_of(path)
    try:
        with part.open("wb") as out:
            yield Part(out)
            out.flush()
            os.fsync(out.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    _sync_folder(path.parent)


def part_of(path: Path) -> Path:
    """The temporary name under which this process writes a file."""
    return path.with_name(f".{path.name}.{_PROCESS}{_PART}")


def check_folder(folder: Path) -> None:
    """Raise :class:`FolderMissingError` where a folder that was made for files is not to be seen."""
    if not folder.is_dir():
        raise FolderMissingError(folder)


def write_manifest(folder: Path, entries: Iterable[ManifestEntry]) -> Path:
    """Write the finished run's ``manifest.json``: sorted by file name, sorted keys, so the same run, the same bytes.

    What killed workers left of unfinished files is removed; call it once, after the last list.
    """
    for left in folder.glob(f".*{_PART}"):
        left.unlink(missing_ok=True)
    for left in folder.glob(f".*{_PART}.d"):
        shutil.rmtree(left, ignore_errors=True)
    content = {"files": sorted(entries)}
    path = folder / MANIFEST
    with whole_file(path) as part:
        part.write(msgspec.json.format(msgspec.json.encode(content, order="sorted"), indent=1) + b"\n")
    return path


def read_manifest(folder: Path) -> tuple[ManifestEntry, ...]:
    """The entries of the ``manifest.json`` in ``folder``. Raises FileNotFoundError, msgspec.DecodeError."""
    decoded = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=dict[str, tuple[ManifestEntry, ...]])
    return decoded["files"]


def differing_files(folder: Path) -> tuple[str, ...]:
    """Names of the files that the manifest names and that are missing or not the same; nothing when all is well."""
    return differing(folder, read_manifest(folder))


def differing(folder: Path, entries: Iterable[ManifestEntry]) -> tuple[str, ...]:
    """Names of those files that are missing in ``folder`` or not the same; nothing when all is well."""
    return tuple(entry.file for entry in entries if _sha256_of(folder / entry.file) != entry.sha256)


def _sha256_of(path: Path) -> str | None:
    if not path.is_file():
        return None
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync_folder(folder: Path) -> None:
    """Make the rename itself durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
