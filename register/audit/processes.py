"""The same work on one core or on all of them: tasks spread over processes, results in the order of the tasks."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any, TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")

_worker: list[Callable[[Any], Any]] = []


def cores() -> int:
    """The cores this process may use."""
    return len(os.sched_getaffinity(0))


def each(
    make: Callable[..., Callable[[Task], Result]], arguments: tuple[Any, ...], tasks: Iterable[Task], processes: int
) -> Iterator[Result]:
    """``make(*arguments)`` of every task, in the order of the tasks, by so many processes.

    ``make`` is called once in each process. Only a few results wait at a time, so that memory stays flat. Arguments,
    tasks and results are pickled when there is more than one process. Raises what the work raises.
    """
    if processes <= 1:
        yield from map(make(*arguments), tasks)
        return
    context = get_context("spawn")  # this process may have threads, which a fork would lose together with their locks
    with ProcessPoolExecutor(processes, context, _prepare, (make, arguments)) as pool:
        waiting: deque[Future[Result]] = deque()
        try:
            for task in tasks:
                waiting.append(pool.submit(_run, task))
                if len(waiting) > 2 * processes:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _prepare(make: Callable[..., Callable[[Any], Any]], arguments: tuple[Any, ...]) -> None:
    _worker[:] = [make(*arguments)]


def _run(task: Any) -> Any:
    return _worker[0](task)
