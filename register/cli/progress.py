"""How far a command is with a file: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final, Self

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

#: Seconds between two plain lines of progress.
_PACE: Final = 5.0


class Shown:
    """Progress of one file. ``size`` in bytes, None where it is not known."""

    def __init__(self, file: Path, size: int | None) -> None:
        self._file = file
        self._size = size
        self._console = Console(stderr=True)
        self._begun = self._said = time.monotonic()
        self._bar: Progress | None = None

    def __enter__(self) -> Self:
        if self._console.is_terminal and self._size is not None:
            rate = TextColumn("{task.fields[rate]:,.0f} notices/s")
            columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), rate, TimeRemainingColumn())
            self._bar = Progress(*columns, console=self._console)
            self._bar.add_task(self._file.name, total=self._size, rate=0.0)
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def advance(self, read: int, notices: int) -> None:
        """Say how far it is: bytes of the file read, notices answered by this run."""
        rate = notices / max(time.monotonic() - self._begun, 1e-6)
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=read, rate=rate)
        elif time.monotonic() - self._said > _PACE:
            self._said = time.monotonic()
            self._console.print(f"{self._file}: {notices} notices, {rate:,.0f}/s", highlight=False)
