"""The same work on one core or on all of them: tasks spread over processes, results in the order of the tasks."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import ExitStack
from multiprocessing import get_context
from types import TracebackType
from typing import Any, Final, Self

Work = Callable[[Any], Any]
#: What makes a piece of work in each process, and from what.
Maker = tuple[Callable[..., Work], tuple[Any, ...]]

_made: dict[str, Work] = {}


def cores() -> int:
    """The cores this process may use."""
    return len(os.sched_getaffinity(0))


class Workers:
    """So many processes that do named work; with one, everything is done here. A context manager.

    ``makers``: for each name what makes the work, called once in each process. It, tasks and results are pickled when
    there is more than one process.
    """

    def __init__(self, processes: int, makers: Mapping[str, Maker]) -> None:
        self._processes: Final = processes
        self._makers: Final = makers
        self._open = ExitStack()
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Self:
        if self._processes > 1:
            # Not by fork: this process may have threads, which a fork would lose together with their locks.
            pool = ProcessPoolExecutor(self._processes, get_context("spawn"), _prepare, (dict(self._makers),))
            self._pool = self._open.enter_context(pool)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    def each(self, name: str, tasks: Iterable[Any]) -> Iterator[Any]:
        """The work of this name on every task, in the order of the tasks. Raises what the work raises.

        Only a few results wait at a time, so that memory stays flat.
        """
        if self._pool is None:
            make, arguments = self._makers[name]
            yield from map(make(*arguments), tasks)
            return
        waiting: deque[Future[Any]] = deque()
        try:
            for task in tasks:
                waiting.append(self._pool.submit(_run, name, task))
                if len(waiting) > 2 * self._processes:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _prepare(makers: Mapping[str, Maker]) -> None:
    _made.update({name: make(*arguments) for name, (make, arguments) in makers.items()})


def _run(name: str, task: Any) -> Any:
    return _made[name](task)
