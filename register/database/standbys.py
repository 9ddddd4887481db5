"""Readings from standbys: servers that follow the primary one, each used for as long as it is where it should be.

Each standby is asked twice a second, in a thread of its own, how far it is, and whether it tells the same history as
the primary. A reading tries those found fit a moment ago, and else the primary: a standby that is down, hangs, lags or
has gone another way after a failover costs nobody an answer, and nobody more than some seconds. What a reading writes
beside (the journal of looks) is written on the primary and committed before the reading ends.
Docs: decisions/0027-more-than-one-machine.md.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from types import TracebackType
from typing import Any, Final, Self, cast

import psycopg
import sqlalchemy as sa
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from register.database.connection import POOL_SIZE, Database, acting_as
from register.database.errors import DatabaseError
from register.database.schema import APP_ROLE

#: Between two looks at a standby (seconds).
PAUSE: Final = 0.5
#: A standby is fit if it is where the primary was so many looks ago, or further: about two seconds.
LOOKS: Final = 4
#: What was found longer ago than this (seconds) is not believed: whoever looks may himself be waiting for an answer.
BELIEVED: Final = 2.0
#: After so long without an answer (seconds) whoever waits for a standby is let go.
HANGS: Final = 4.0
#: A reading waits so long for a free connection to a standby, and then goes on to the next server (seconds).
_PATIENCE: Final = 0.1
#: What says how soon a server that is gone is noticed; the operator's own words in the address have precedence.
_WATCHED: Final = {
    "connect_timeout": "2", "tcp_user_timeout": "3000", "keepalives_idle": "2", "keepalives_interval": "1",
    "keepalives_count": "3",
}  # fmt: skip

_log: Final = logging.getLogger("register.database")


@dataclass(frozen=True, slots=True)
class Questions:
    """What is asked of a server.

    ``position``: the one its register rests on, None when it cannot answer from its tables. ``event_at``: what tells
    the event at a position from any other that could stand there.
    """

    position: Callable[[sa.Connection], int | None]
    event_at: Callable[[sa.Connection, int], object]


@dataclass(frozen=True, slots=True)
class Found:
    """What a look at a standby found: why it is not used (None: it is fit), how far it is, and when that was."""

    unfit: str | None
    position: int
    behind: int
    at: float


class Standby:
    """One standby. ``ordinal`` is its place among the addresses, from 1: what logs and metrics call it."""

    def __init__(self, ordinal: int, dsn: str, primary: Database, questions: Questions) -> None:
        def connect() -> psycopg.Connection[Any]:
            return psycopg.connect(dsn)

        self.ordinal = ordinal
        self._questions = questions
        self._readers = sa.create_engine(
            "postgresql+psycopg://", creator=connect, pool_size=POOL_SIZE, max_overflow=0, pool_timeout=_PATIENCE,
            isolation_level="REPEATABLE READ",
        )  # fmt: skip
        # The looks wait for nobody who reads, neither here nor there.
        self._own = sa.create_engine("postgresql+psycopg://", creator=connect, pool_size=1, max_overflow=0)
        self._writers = primary.engine
        self._primary = sa.create_engine("postgresql+psycopg://", creator=primary.psycopg, pool_size=1, max_overflow=0)
        self._waiting: set[psycopg.Connection[Any]] = set()
        self._past: deque[int] = deque(maxlen=LOOKS)
        self._same = False
        self.found = Found("not looked at yet", 0, 0, time.monotonic())

    def fit(self, wanted: int) -> bool:
        """Whether it was found fit a moment ago, and has reached a position."""
        found = self.found
        return found.unfit is None and found.position >= wanted and time.monotonic() - found.at < BELIEVED

    def failed(self) -> None:
        """A reading got no answer: until the next look it is not used."""
        self.found = Found("does not answer", self.found.position, self.found.behind, time.monotonic())

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A connection for one reading, which sees one state; see :func:`written_with`.

        Raises SQLAlchemy's ``OperationalError`` and ``TimeoutError``.
        """
        with self._readers.begin() as connection, _Beside(self._writers) as beside, self._at_work(connection):
            yield connection.execution_options(cvr_beside=beside)

    @contextmanager
    def _at_work(self, connection: sa.Connection) -> Iterator[None]:
        raw = cast("psycopg.Connection[Any]", connection.connection.driver_connection)
        self._waiting.add(raw)
        try:
            yield
        finally:
            self._waiting.discard(raw)

    def cut_off(self) -> None:
        """End whatever waits for a server that hangs; whoever reads goes on to the next one."""
        if time.monotonic() - self.found.at < HANGS:
            return
        for raw in tuple(self._waiting):
            # By then it may have been closed, or be idle: the next who takes it finds it broken and another instead.
            with suppress(OSError, psycopg.OperationalError), socket.socket(fileno=os.dup(raw.fileno())) as wire:
                wire.shutdown(socket.SHUT_RDWR)

    def look(self) -> None:
        """See how far it is. Never raises what a server that is down raises."""
        begun = time.monotonic()
        try:
            unfit, position, behind = self._look()
        except sa.exc.SQLAlchemyError:
            unfit, position, behind = "does not answer", self.found.position, self.found.behind
            self._readers.dispose()  # when it is back, nobody is to find a connection of before
        if unfit != self.found.unfit:
            _log.info("standby %d %s", self.ordinal, "is read from" if unfit is None else f"is passed over: {unfit}")
        self.found = Found(unfit, position, behind, begun)

    def _look(self) -> tuple[str | None, int, int]:
        with self._own.connect() as standby, self._at_work(standby):
            follows = standby.scalar(sa.text("SELECT pg_is_in_recovery()"))
            position = self._questions.position(standby)
            if not follows:
                return "follows nobody", position or 0, 0
            if position is None:
                return "its register cannot be read yet", 0, 0
            self._compare(standby, position)
        behind = max(0, self._past[-1] - position) if self._past else 0
        if not self._same:
            return "tells another history than the primary", position, behind
        return ("lags" if position < self._past[0] else None), position, behind

    def _compare(self, standby: sa.Connection, position: int) -> None:
        """Hold it against the primary; as long as that one does not answer, what was found before holds."""
        try:
            with self._primary.connect() as primary:
                there = self._questions.position(primary) or 0
                # Where the standby is, also when that is further: whatever its register rests on stands in the event
                # store of the primary already, or is what a lost primary took along.
                told = self._questions.event_at(primary, position)
        except sa.exc.SQLAlchemyError:
            return
        self._past.append(there)
        self._same = told == self._questions.event_at(standby, position)

    def close(self) -> None:
        """Let go of its connections."""
        for engine in (self._readers, self._own, self._primary):
            engine.dispose()


class Standbys:
    """The standbys readings may use, in the order of their addresses; looked at while a ``with`` block lasts."""

    def __init__(self, standbys: Sequence[Standby] = ()) -> None:
        self._standbys = tuple(standbys)
        self._turns = count()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._watch, args=(each,), daemon=True) for each in self._standbys]
        if self._standbys:
            self._threads.append(threading.Thread(target=self._mind, daemon=True))

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(BELIEVED)
        for standby in self._standbys:
            standby.close()

    def __len__(self) -> int:
        return len(self._standbys)

    def __iter__(self) -> Iterator[Standby]:
        return iter(self._standbys)

    def reached(self, wanted: int) -> Iterator[Standby]:
        """Those fit that have reached a position, each time beginning with another one."""
        first = next(self._turns)
        for place in range(len(self._standbys)):
            standby = self._standbys[(first + place) % len(self._standbys)]
            if standby.fit(wanted):
                yield standby

    def _watch(self, standby: Standby) -> None:
        while not self._stop.is_set():
            standby.look()
            self._stop.wait(PAUSE)

    def _mind(self) -> None:
        while not self._stop.wait(PAUSE):
            for standby in self._standbys:
                standby.cut_off()


def standbys_of(urls: Sequence[str], primary: Database, questions: Questions) -> Standbys:
    """The standbys at these addresses. Raises `DatabaseError` for one that cannot be read, naming its place alone."""
    found = []
    for ordinal, url in enumerate(urls, start=1):
        try:
            dsn = make_conninfo(url, **{n: v for n, v in _WATCHED.items() if n not in conninfo_to_dict(url)})
        except psycopg.ProgrammingError:
            raise DatabaseError(f"address {ordinal} in CVR_STANDBY_URLS cannot be read as a PostgreSQL URL") from None
        found.append(Standby(ordinal, acting_as(dsn, APP_ROLE), primary, questions))
    return Standbys(found)


def written_with(reading: sa.Connection) -> sa.Connection:
    """Where a reading writes what goes with it: its own connection, or if that is a standby's, one to the primary.

    It is committed before the reading's block ends, and with an error not at all.
    """
    beside: _Beside | None = reading.get_execution_options().get("cvr_beside")
    return reading if beside is None else beside.connection()


class _Beside:
    """A transaction on the primary, begun when something is to be written."""

    def __init__(self, primary: sa.Engine) -> None:
        self._primary = primary
        self._open = ExitStack()
        self._connection: sa.Connection | None = None

    def connection(self) -> sa.Connection:
        if self._connection is None:
            self._connection = self._open.enter_context(self._primary.begin())
        return self._connection

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.__exit__(kind, error, trace)
