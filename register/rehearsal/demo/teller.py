"""What the demo says while it runs: headings, lines, progress bars on a terminal, and how long each step took."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table


class Teller:
    """Prints to standard output; bars only where somebody watches."""

    def __init__(self) -> None:
        self.console = Console(highlight=False, soft_wrap=True)
        self._steps: list[tuple[str, float]] = []

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """One step of the story, timed."""
        self.console.print(f"\n[bold]{len(self._steps) + 1}. {title}[/bold]")
        start = time.perf_counter()
        yield
        self._steps.append((title, time.perf_counter() - start))

    def say(self, line: str) -> None:
        """One line; square brackets are plain text."""
        self.console.print(f"   {line}", markup=False)

    def table(self, header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
        """A small table."""
        table = Table(*header, box=None, padding=(0, 2), pad_edge=False, header_style="bold")
        for row in rows:
            table.add_row(*row)
        self.console.print(table)

    @contextmanager
    def progress(self, title: str, total: int) -> Iterator[Callable[[int], None]]:
        """A bar on a terminal, one plain line elsewhere; call with how much was done since the last call."""
        if not sys.stdout.isatty():
            yield lambda _: None
            return
        columns = (TextColumn("   {task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=self.console, transient=True) as bar:
            task = bar.add_task(title, total=total)
            yield lambda done: bar.advance(task, done)

    def times(self) -> None:
        """What each step took."""
        rows = [(title, f"{seconds:5.1f} s") for title, seconds in self._steps]
        rows.append(("all", f"{sum(seconds for _, seconds in self._steps):5.1f} s"))
        self.console.print()
        self.table(("step", "took"), rows)
