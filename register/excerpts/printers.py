"""Lists are typeset in processes of their own: the typesetter keeps what it learned, and gives no memory back."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any, Final, Self

import msgspec

from register.excerpts.draw import draw_list
from register.excerpts.fonts import LayoutError
from register.excerpts.formats import Format
from register.excerpts.manifest import ManifestEntry, whole_file
from register.excerpts.rows import ListHead, Row

#: Each takes some 700 MiB once it has seen ten lists, and no more later (``typesetting.REMEMBERED``).
PROCESSES: Final = 2
#: After so many lists the processes are replaced. Counted here and not by the pool's ``max_tasks_per_child``, with
#: which Python 3.11's pool can wait for ever for a process that has just ended.
REPLACED_AFTER: Final = 1_000


class ListJob(msgspec.Struct, frozen=True):
    """One list to be drawn: its number within the run, its head and its rows."""

    no: int
    head: ListHead
    rows: Sequence[Row]


class Printers:
    """Draws lists; to be used as a context manager, from one thread. The processes start with the first PDF."""

    def __init__(self, processes: int = PROCESSES) -> None:
        self._processes = processes
        self._pool: ProcessPoolExecutor | None = None
        self._drawn = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the processes; lists not begun are left."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None

    def draw(
        self,
        lists: Collection[ListJob],
        formats: Collection[Format],
        folder: Path,
        whole: Callable[[Path], Any] = whole_file,
    ) -> Iterator[tuple[int, list[ManifestEntry] | LayoutError]]:
        """Draw lists into a folder; their numbers and the manifest's entries, in the order they are done.

        ``whole`` opens files where no PDFs are set (see ``draw_list``); lists are done in their order then.
        Of a list that cannot be printed the error is given, and the others are drawn. Raises what else ``draw_list``
        raises, and ``BrokenProcessPool`` when a process was killed; what was given by then is on disk.
        """
        if "pdf" not in formats:
            for job in lists:
                yield job.no, _drawn_or_not(job, formats, folder, whole)
            return
        if self._drawn >= REPLACED_AFTER:
            self.close()
        if self._pool is None:
            spawn = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(self._processes, mp_context=spawn, initializer=_end_with_parent)
            self._drawn = 0
        futures: dict[Future[list[ManifestEntry] | LayoutError], int] = {
            self._pool.submit(_drawn_or_not, job, tuple(formats), folder): job.no for job in lists
        }
        self._drawn += len(futures)
        done = False
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
            done = True
        finally:
            if not done:
                self.close()  # a broken pool, or lists nobody waits for


def _drawn_or_not(
    job: ListJob, formats: Collection[Format], folder: Path, whole: Callable[[Path], Any] = whole_file
) -> list[ManifestEntry] | LayoutError:
    try:
        return draw_list(job.head, job.rows, formats, folder, whole)
    except LayoutError as error:  # this list's own: it must not keep the others from being drawn
        return error


def _end_with_parent() -> None:
    """A process that typesets must not outlive the one that asked it to, however suddenly that one dies."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
