"""Identities of streams: UUID version 7 (RFC 9562, section 5.7), ordered by the time they were given.

Time-ordered identities keep new rows at the end of the primary key's index; a random one would scatter them. Nothing
of the subject is in them, so that no personal number can be tried out against them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_TAIL_BITS: Final = 74
_LOW_BITS: Final = 62
_LOW: Final = (1 << _LOW_BITS) - 1


class StreamIds:
    """Gives new stream identities, each greater than the one before, also when the clock stands still or goes back.

    Within a millisecond the 74 bits after it count on from a random start by random steps (RFC 9562, section 6.2,
    method 2). ``random_bytes(n)`` gives n unpredictable bytes.
    """

    def __init__(self, random_bytes: Callable[[int], bytes]) -> None:
        self._random_bytes = random_bytes
        self._lock = threading.Lock()
        self._millisecond = -1
        self._tail = 0

    def new(self, now: datetime, count: int) -> list[UUID]:
        """New identities at ``now`` (with an offset from UTC), ascending."""
        millisecond = (now - _EPOCH) // _MILLISECOND
        with self._lock:
            steps = self._random_bytes(4 * count)
            return [self._next(millisecond, int.from_bytes(steps[at : at + 4])) for at in range(0, 4 * count, 4)]

    def _next(self, millisecond: int, step: int) -> UUID:
        self._tail += 1 + step
        if millisecond > self._millisecond or self._tail >> _TAIL_BITS:
            self._millisecond = max(millisecond, self._millisecond + 1)
            self._tail = int.from_bytes(self._random_bytes(10)) >> 7  # top bit clear: room to count on
        high, low = self._tail >> _LOW_BITS, self._tail & _LOW
        return UUID(int=self._millisecond << 80 | 7 << 76 | high << 64 | 2 << 62 | low)
