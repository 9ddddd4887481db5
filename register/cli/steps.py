"""Progress of long work in steps: a bar on a terminal, plain lines elsewhere; always on standard error."""

from __future__ import annotations

import time
from typing import Final, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

#: Seconds between two plain lines of one step.
_PACE: Final = 5.0


class Steps:
    """Shows one step after another. A context manager."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._step = ""
        self._said = 0.0

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
            self._bar = Progress(*columns, console=self._console, transient=True)
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def advance(self, step: str, done: int, total: int) -> None:
        """Say how far a step is; ``total`` 0 when nobody knows."""
        if self._bar is not None:
            if step != self._step or self._task is None:
                self._task = self._bar.add_task(step)
            self._bar.update(self._task, completed=done, total=total or None)
        elif step != self._step or time.monotonic() - self._said > _PACE:
            self._said = time.monotonic()
            self._console.print(f"{step}: {done:,} of {total:,}" if total else step, highlight=False)
        self._step = step
