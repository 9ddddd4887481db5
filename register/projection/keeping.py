"""Keeps what is counted over whole tables and does not change any more: counted once, by one at a time."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, Final, TypeVar

T = TypeVar("T")

#: So many may wait for what is being counted, each holding a thread and a connection, and so long (seconds).
WAITING: Final = 2
PATIENCE: Final = 5.0


class BusyError(Exception):
    """Others are waiting for counts already, or one count takes too long; to be asked again later."""


class Keeper:
    """Keeps the ``size`` things counted last, whatever the number of those who ask."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._kept: OrderedDict[Hashable, Any] = OrderedDict()
        self._counting = threading.Lock()
        self._places = threading.BoundedSemaphore(1 + WAITING)

    def once(self, key: Hashable, count: Callable[[], T]) -> T:
        """What ``count()`` gives, or gave. Raises :class:`BusyError` rather than let many wait, or anyone for long."""
        found = self._kept.get(key)
        if found is not None:
            return found  # type: ignore[no-any-return]
        if not self._places.acquire(blocking=False):
            raise BusyError
        try:
            if not self._counting.acquire(timeout=PATIENCE):
                raise BusyError
            try:
                return self._counted(key, count)
            finally:
                self._counting.release()
        finally:
            self._places.release()

    def _counted(self, key: Hashable, count: Callable[[], T]) -> T:
        if key not in self._kept:
            self._kept[key] = count()
            while len(self._kept) > self._size:
                self._kept.popitem(last=False)
        return self._kept[key]  # type: ignore[no-any-return]
