"""Files of an export: gzip, written once, with their digests; the same content gives the same bytes."""

from __future__ import annotations

import hashlib
import zlib
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import msgspec

#: Raised whenever the files of an export change their form.
FORMAT: Final = 1
INDEX: Final = "export.json"
#: Level 1: three times as fast as level 6 for a fifth more bytes.
_LEVEL: Final = 1
#: A gzip header, with the largest window.
_GZIP: Final = 31


class Described(msgspec.Struct, frozen=True, kw_only=True):
    """One file of the export: its path below the folder, its bytes and their SHA-256, and its lines."""

    file: str
    bytes: int
    sha256: str
    lines: int


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A range of streams: their records, by kind of sender their personal parts, and what the register says of them."""

    streams: Described
    personal: dict[str, Described]
    register: Described


class Index(msgspec.Struct, frozen=True, kw_only=True):
    """``export.json``. ``size``: of the checkpoint the export ends with; ``position``: what the register rests on."""

    format: int
    origin: str
    key: str
    size: int
    position: int
    records: list[Described]
    entries: Described
    checkpoints: Described
    parts: list[Part]


class Lines:
    """A gzip file of lines, being written; nothing is made before the first line. A context manager."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._name = name
        self._digest = hashlib.sha256()
        self._bytes = 0
        self._zip = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        self._out = path.open("xb")
        self.lines = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._out.close()

    def write(self, line: bytes) -> None:
        """Append one line, given without its end."""
        self._put(self._zip.compress(line + b"\n"))
        self.lines += 1

    def done(self) -> Described:
        """Write what is left; nothing can be added then."""
        self._put(self._zip.flush())
        self._out.close()
        return Described(file=self._name, bytes=self._bytes, sha256=self._digest.hexdigest(), lines=self.lines)

    def _put(self, piece: bytes) -> None:
        if piece:
            self._digest.update(piece)
            self._bytes += len(piece)
            self._out.write(piece)


def write_index(folder: Path, index: Index) -> None:
    """Write ``export.json``, the last file of an export: without it, it is none."""
    told: Any = msgspec.to_builtins(index)
    (folder / INDEX).write_bytes(msgspec.json.format(msgspec.json.encode(told), indent=1) + b"\n")


def read_index(folder: Path) -> Index:
    """Read ``export.json``. Raises OSError, msgspec.ValidationError, msgspec.DecodeError."""
    return msgspec.json.decode((folder / INDEX).read_bytes(), type=Index)
