"""A feed in a folder, a file for each authority, as they would have them, or as a register's first load comes."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import zstandard

from register.intake.folder import ENDS, name_of

from .feed import Feed
from .notices import Line

#: Bytes of each authority's lines that are held before they are written: as one frame where they are packed.
_HELD: Final = 1 << 18


class Folder:
    """Writes lines to their authorities' files; the folder is there once all of it is. A context manager.

    ``packed``: as zstd. Raises ``FileExistsError`` when there is such a folder.
    """

    def __init__(self, path: Path, *, packed: bool) -> None:
        if path.exists():
            raise FileExistsError(17, "There is such a folder already", str(path))
        self._path = path
        self._new = path.with_name(f"{path.name}.new")
        self._end = ENDS[2] if packed else ENDS[0]
        self._pack = zstandard.ZstdCompressor(level=3).compress if packed else bytes
        self._held: dict[str, bytearray] = {}
        #: Lines by authority.
        self.lines: Counter[str] = Counter()

    def __enter__(self) -> Self:
        if self._new.exists():
            shutil.rmtree(self._new)  # of a run that was interrupted
        self._new.mkdir(parents=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            for authority in self._held:
                self._write(authority)
            self._new.rename(self._path)

    def add(self, line: Line) -> None:
        """Write a line."""
        held = self._held.get(line.source)
        if held is None:
            held = self._held[line.source] = bytearray()
        held += line.body
        held += b"\n"
        self.lines[line.source] += 1
        if len(held) >= _HELD:
            self._write(line.source)

    def _write(self, authority: str) -> None:
        with (self._new / name_of(authority, self._end)).open("ab") as file:
            file.write(self._pack(bytes(self._held[authority])))
        self._held[authority].clear()


def write_folder(feed: Feed, path: Path, *, packed: bool) -> Counter[str]:
    """Write a feed into a new folder; lines by authority. Raises ``FileExistsError`` when the folder is there."""
    with Folder(path, packed=packed) as folder:
        for line in feed:
            folder.add(line)
    return folder.lines
