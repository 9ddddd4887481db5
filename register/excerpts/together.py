"""Many files that are there whole or not at all, brought to disk together: written, synced at once, then renamed."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Self

from register.excerpts.manifest import Part, part_of


class Together:
    """Files of one folder written under temporary names; :meth:`settle` gives them their own. A context manager.

    The temporary names are the process's own, so that a worker thought dead cannot write into another's file.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._waiting: list[tuple[Path, Path]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for part, _path in self._waiting:
            part.unlink(missing_ok=True)
        self._waiting.clear()

    @contextmanager
    def whole(self, path: Path) -> Iterator[Part]:
        """Write ``path``, which is not there before :meth:`settle`. An error leaves nothing behind."""
        part = part_of(path)
        try:
            with part.open("wb") as out:
                yield Part(out)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        self._waiting.append((part, path))

    def settle(self) -> None:
        """Bring what was written to disk and give it its names; then all of it is there, also after a crash.

        Raises OSError when the disk does not take it; nothing has its name then.
        """
        if not self._waiting:
            return
        _sync([part for part, _ in self._waiting], self._folder)
        for part, path in self._waiting:
            part.replace(path)
        self._waiting.clear()
        _sync([self._folder], None)


def _sync(paths: list[Path], folder: Path | None) -> None:
    """Bring files to disk: many by one call for their file system (Linux: syncfs(2)), else one after the other."""
    if folder is not None and _SYNCFS is not None:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            if _SYNCFS(descriptor) == 0:
                return
            raise OSError(ctypes.get_errno(), "the file system could not be brought to disk")
        finally:
            os.close(descriptor)
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


_SYNCFS: Final = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None) if sys.platform == "linux" else None
