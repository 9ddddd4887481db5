"""The log on disk: five append-only files, of which every C2SP tile is a byte range.

``entries.bin`` holds the 32-byte entries, ``level0.bin`` their leaves, ``level1..3.bin`` the roots of the full subtrees
of 256, 256^2 and 256^3 leaves. A partial tile is a prefix of the full one, so none is ever stored. All five can be
made again from the event store, so they need comparing, not backing up.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from register.log.tree import HASH_BYTES, Stack, leaf_hash, perfect_root, root

#: Hashes in a full tile (C2SP tlog-tiles).
TILE: Final = 256
LEVELS: Final = 4
#: A tree of this many leaves would need a fifth level.
LARGEST: Final[int] = TILE**LEVELS

_ENTRIES: Final = 0
_NAMES: Final = ("entries.bin", *(f"level{level}.bin" for level in range(LEVELS)))
#: Leaves under one hash of each file.
_SPAN: Final[tuple[int, ...]] = (1, *(1 << 8 * level for level in range(LEVELS)))
_PATH: Final = re.compile(
    r"(?P<level>entries|[0-3])/(?P<index>(?:x[0-9]{3}/){0,4}[0-9]{3})(?:\.p/(?P<width>[1-9][0-9]{0,2}))?\Z"
)


class FilesError(Exception):
    """The log's files do not hold what they should."""


class DamageError(FilesError):
    """A hash in one of the files is not the one that belongs there."""

    def __init__(self, file: str, index: int, position: int) -> None:
        super().__init__(f"{file}: hash {index} is wrong (first position under it: {position})")
        self.file, self.index, self.position = file, index, position


@dataclass(frozen=True, slots=True)
class Tile:
    """One tile's name: ``level`` None for a bundle of entries, ``width`` 1 … 256 hashes."""

    level: int | None
    index: int
    width: int = TILE

    def __str__(self) -> str:
        """The path below ``/tile/``, for instance ``0/x001/x234/067.p/5``."""
        digits = f"{self.index:03d}"
        digits = digits.zfill(-(-len(digits) // 3) * 3)
        groups = [digits[i : i + 3] for i in range(0, len(digits), 3)]
        where = "/".join([*(f"x{group}" for group in groups[:-1]), groups[-1]])
        partial = "" if self.width == TILE else f".p/{self.width}"
        return f"{'entries' if self.level is None else self.level}/{where}{partial}"


def parse_tile(path: str) -> Tile:
    """Read a tile's path below ``/tile/``. Raises LookupError for anything but the one spelling of a tile."""
    found = _PATH.match(path)
    if found is None:
        raise LookupError("there is no such tile")
    level = None if found["level"] == "entries" else int(found["level"])
    index = int(found["index"].replace("x", "").replace("/", ""))
    tile = Tile(level, index, int(found["width"] or TILE))
    if tile.width > TILE or str(tile) != path:
        raise LookupError("there is no such tile")
    return tile


def tiles_of(size: int) -> list[Tile]:
    """Every tile and bundle of a tree of ``size`` leaves, full ones and the partial one at each level's end."""
    found = []
    for level in (None, *range(LEVELS)):
        full, rest = divmod(size // _SPAN[_file(level)], TILE)
        found += [Tile(level, index) for index in range(full)]
        if rest:
            found.append(Tile(level, full, rest))
    return found


class LogFiles:
    """The five files of one log. Readers share them freely; a writer must be alone (the sealer's lock sees to it).

    A context manager. Raises FileNotFoundError when opened for reading before the log was begun.
    """

    def __init__(self, folder: Path, *, write: bool = False) -> None:
        self.folder = folder
        if write:
            folder.mkdir(parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT if write else os.O_RDONLY
        self._files: list[int] = []
        try:
            for name in _NAMES:
                self._files.append(os.open(folder / name, flags | os.O_CLOEXEC, 0o644))
        except OSError:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the files."""
        while self._files:
            os.close(self._files.pop())

    # --- reading ----------------------------------------------------------------------------------------------------

    def complete_size(self) -> int:
        """The largest tree size all five files hold in full."""
        counts = [os.fstat(file).st_size // HASH_BYTES for file in self._files]
        return min((count + 1) * span - 1 for count, span in zip(counts, _SPAN, strict=True))

    def node(self, level: int, index: int) -> bytes:
        """Root of the perfect subtree over leaves ``[index << level, (index + 1) << level)``; a ``tree.Node``.

        Raises FilesError when the files do not reach so far.
        """
        step = min(level // 8, LEVELS - 1)
        width = 1 << (level - 8 * step)
        return perfect_root(self._hashes(step + 1, index * width, width))

    def root(self, size: int) -> bytes:
        """Root of the tree over the first ``size`` leaves. Raises FilesError when the files do not reach so far."""
        return root(size, self.node)

    def entry(self, position: int) -> bytes:
        """The 32-byte entry at ``position`` (1, 2, 3 …). Raises FilesError when the files do not reach so far."""
        return self._read(_ENTRIES, position - 1, 1)

    def tile(self, tile: Tile, size: int) -> bytes:
        """The bytes of a tile as part of the tree of ``size`` leaves (the published one).

        A bundle of entries prefixes each with its length, two bytes big-endian. Raises LookupError when the tree does
        not reach so far.
        """
        file = _file(tile.level)
        start = tile.index * TILE
        if start + tile.width > size // _SPAN[file]:
            raise LookupError("there is no such tile yet")
        held = self._read(file, start, tile.width)
        if tile.level is not None:
            return held
        length = HASH_BYTES.to_bytes(2, "big")
        return b"".join(length + held[i : i + HASH_BYTES] for i in range(0, len(held), HASH_BYTES))

    def check(self, size: int) -> bytes:
        """Make every hash again from the entries, compare, and give the root at ``size``.

        Raises DamageError with the first wrong hash, FilesError when the files are too short.
        """
        stack = Stack()
        for start in range(0, size, TILE):
            entries = self._hashes(_ENTRIES, start, min(TILE, size - start))
            leaves = [leaf_hash(entry) for entry in entries]
            self._compare(1, start, leaves)
            for leaf in leaves:
                stack.push(leaf)
            for file in range(2, len(_NAMES)):
                done, rest = divmod(stack.size, _SPAN[file])
                if rest:
                    break
                self._compare(file, done - 1, [perfect_root(self._hashes(file - 1, (done - 1) * TILE, TILE))])
        return stack.root()

    # --- writing ----------------------------------------------------------------------------------------------------

    def cut(self, size: int) -> None:
        """Cut all files to the tree of ``size`` leaves. Raises FilesError when they hold less."""
        if self.complete_size() < size:
            raise FilesError("the files are shorter than the tree they should be cut to")
        for file, span in zip(self._files, _SPAN, strict=True):
            os.ftruncate(file, size // span * HASH_BYTES)

    def append(self, size: int, entries: Sequence[bytes]) -> int:
        """Append entries behind the first ``size`` ones, and the tiles they complete; gives the new size.

        Nothing is durable before :meth:`sync`. Raises FilesError above :data:`LARGEST` leaves.
        """
        grown = size + len(entries)
        if grown >= LARGEST:
            raise FilesError("the log needs a fifth level")
        self._write(_ENTRIES, size, entries)
        self._write(1, size, [leaf_hash(entry) for entry in entries])
        for file in range(2, len(_NAMES)):
            old, new = size // _SPAN[file], grown // _SPAN[file]
            roots = [perfect_root(self._hashes(file - 1, index * TILE, TILE)) for index in range(old, new)]
            self._write(file, old, roots)
        return grown

    def sync(self) -> None:
        """Wait until everything written is on disk, and the files' names with it."""
        for file in self._files:
            os.fsync(file)
        sync_folder(self.folder)

    # --- bytes ------------------------------------------------------------------------------------------------------

    def _read(self, file: int, index: int, count: int) -> bytes:
        held = os.pread(self._files[file], count * HASH_BYTES, index * HASH_BYTES)
        if len(held) != count * HASH_BYTES:
            raise FilesError(f"{_NAMES[file]} is too short")
        return held

    def _hashes(self, file: int, index: int, count: int) -> list[bytes]:
        held = self._read(file, index, count)
        return [held[i : i + HASH_BYTES] for i in range(0, len(held), HASH_BYTES)]

    def _write(self, file: int, index: int, hashes: Sequence[bytes]) -> None:
        rest, offset = memoryview(b"".join(hashes)), index * HASH_BYTES
        while rest:
            written = os.pwrite(self._files[file], rest, offset)
            rest, offset = rest[written:], offset + written

    def _compare(self, file: int, index: int, expected: Sequence[bytes]) -> None:
        for at, (held, right) in enumerate(zip(self._hashes(file, index, len(expected)), expected, strict=True), index):
            if held != right:
                raise DamageError(_NAMES[file], at, at * _SPAN[file] + 1)


def replace_file(path: Path, content: bytes) -> None:
    """Put ``content`` at ``path`` in one step: a reader sees the old file or the new one, also after a crash."""
    beside = path.with_name(f".{path.name}.new")
    file = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
    try:
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(file, rest) :]
        os.fsync(file)
    finally:
        os.close(file)
    beside.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on disk."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _file(level: int | None) -> int:
    return _ENTRIES if level is None else level + 1
