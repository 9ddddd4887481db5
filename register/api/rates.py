"""How much one sender may ask, and how slowly it may speak: so that none holds up the others."""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections.abc import Callable
from typing import Final

from starlette.types import Message, Receive

from register.intake.lines import SlowFeedError

#: So many bytes at least in so many seconds of waiting for them: two notices a minute are enough.
LEAST: Final = 600
WINDOW: Final = 60.0
_SLOW: Final = "Too little has come for too long"


class Rates:
    """Requests of each authority: ``rate`` a second in the long run, and as many at once (a bucket of tokens)."""

    def __init__(self, rate: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._clock = clock
        self._lock = threading.Lock()
        self._full_at: dict[str, float] = {}

    def take(self, authority: str) -> int | None:
        """Count one request: None where it may go on, else the whole seconds to wait before the next (at least 1)."""
        with self._lock:
            now = self._clock()
            full_at = max(now, self._full_at.get(authority, now)) + 1 / self._rate
            if full_at - now > 1 + 1e-9:
                return max(1, math.ceil(full_at - now - 1))
            self._full_at[authority] = full_at
            return None


def steady(receive: Receive, clock: Callable[[], float] = time.monotonic) -> Receive:
    """The messages of a request, as long as its sender keeps sending.

    Raises ``SlowFeedError`` when :data:`WINDOW` seconds of waiting have brought less than :data:`LEAST` bytes. Only
    waiting for the sender counts: what the register takes to record is no fault of the sender's.
    """
    waited, got = 0.0, 0

    async def receiving() -> Message:
        nonlocal waited, got
        begun = clock()
        try:
            async with asyncio.timeout(WINDOW - waited):
                message = await receive()
        except TimeoutError:
            raise SlowFeedError(_SLOW) from None
        waited += clock() - begun
        got += len(message.get("body", b""))
        if got >= LEAST:
            waited, got = 0.0, 0
        elif waited >= WINDOW:
            raise SlowFeedError(_SLOW)
        return message

    return receiving
