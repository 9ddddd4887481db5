"""Which parts are whose: each projector that lives holds a seat, and the parts are dealt out among the seats taken.

A seat is an advisory lock of the projector's session: it is free again as soon as the session ends, however it ends.
Nothing rests on it but who does the work: who is at a part holds its row (:mod:`register.projection.parts`).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

import psycopg

from register.projection.parts import ALL, deal

Connection = psycopg.Connection[Any]

#: As many projectors as parts; one more waits for a seat.
SEATS: Final = len(ALL)
#: Who came and who went is looked at so often (seconds).
LOOK: Final = 1.0
#: The first of the two numbers of the locks.
_KIND: Final = 7_240_006

_TAKE: Final = "SELECT pg_try_advisory_lock(%s, %s)"
_TAKEN: Final = """
    SELECT objid::int8 FROM pg_locks
    WHERE locktype = 'advisory' AND classid = %s AND objsubid = 2 AND granted
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    ORDER BY 1
"""
#: A host that falls silent, or a process that stands still, loses its session, and with it its seat and its rows,
#: within about half a minute.
_SOON_GONE: Final = """
    SET tcp_keepalives_idle TO 10; SET tcp_keepalives_interval TO 5; SET tcp_keepalives_count TO 3;
    SET tcp_user_timeout TO 25000;
    SET idle_in_transaction_session_timeout TO 60000; SET idle_session_timeout TO 60000
"""


def taken_seats(connection: Connection) -> list[int]:
    """The seats of the projectors that live."""
    return [seat for (seat,) in connection.execute(_TAKEN, (_KIND,))]


class Seat:
    """A projector's place among those that live. ``clock`` gives seconds."""

    def __init__(self, connection: Connection, clock: Callable[[], float] = time.monotonic) -> None:
        self._connection = connection
        self._clock = clock
        self._looked: float | None = None
        self._number: int | None = None
        self._parts: frozenset[int] = frozenset()
        with connection.transaction():
            for setting in _SOON_GONE.split(";"):
                connection.execute(setting.strip().encode())

    def parts(self) -> frozenset[int]:
        """The parts that are this projector's now; none while all seats are taken."""
        now = self._clock()
        if self._looked is None or now - self._looked >= LOOK:
            self._looked = now
            with self._connection.transaction():
                self._parts = self._look()
        return self._parts

    def _look(self) -> frozenset[int]:
        if self._number is None:
            self._number = next((seat for seat in range(SEATS) if self._take(seat)), None)
            if self._number is None:
                return frozenset()
        taken = taken_seats(self._connection)
        return deal(len(taken), taken.index(self._number))

    def _take(self, seat: int) -> bool:
        return self._connection.execute(_TAKE, (_KIND, seat)).fetchone() == (True,)
