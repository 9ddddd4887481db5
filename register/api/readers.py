"""How many streams of the feed are open, so that nobody keeps the others from theirs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from anyio import CapacityLimiter

#: Streams open at once for one authority, and for all together, in one process.
EACH: Final = 4
ALL: Final = 512
#: Threads in which the streams look for what is new; few, so that a database that stalls stalls nothing else.
_THREADS: Final = 4


class TooManyStreamsError(Exception):
    """This authority, or all together, have as many streams open as they may."""


class Readers:
    """Counts the open streams of one process. For use in one event loop."""

    def __init__(self) -> None:
        self._open: Counter[str] = Counter()
        self._limiter: CapacityLimiter | None = None

    @property
    def limiter(self) -> CapacityLimiter:
        """What bounds the threads of all streams together."""
        if self._limiter is None:
            self._limiter = CapacityLimiter(_THREADS)
        return self._limiter

    def check(self, authority: str) -> None:
        """Raise :class:`TooManyStreamsError` when no further stream may be opened."""
        if self._open[authority] >= EACH or self._open.total() >= ALL:
            raise TooManyStreamsError

    @contextmanager
    def one_more(self, authority: str) -> Iterator[None]:
        """Count a stream for as long as the block lasts."""
        self._open[authority] += 1
        try:
            yield
        finally:
            self._open[authority] -= 1
            self._open += Counter()  # only those that have one
