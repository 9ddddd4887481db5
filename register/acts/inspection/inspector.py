"""The inspector: follows the event store behind the projector, and establishes deficiencies and their end (Art. 3.6 a).

A turn takes the next events, looks again at what they touch, compares with what stands, and appends the difference as
one append that expects every history at the version it was compared at. Killed anywhere, it looks again, finds what it
wrote, and writes nothing twice. What it looks at is the register as it stands, never an event by itself, so that the
order of arrival plays no part in what stands in the end. Its own events touch nothing.

Matters of many people (addresses) wait until all events are inspected. What only time brings is found once a civil day.
"""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec
import psycopg

from register.acts.deficiencies import to_establish, to_remedy
from register.acts.inspection import matters, progress
from register.acts.inspection.looking import Connection, Examined, Sight, elections_of, loads_of, settle
from register.acts.inspection.progress import Progress
from register.law.calendar import civil_day
from register.projection.parts import position_of
from register.store import ConcurrencyError, Pending, Store

#: Events of a turn; matters of a turn that waited; events of an append.
BATCH: Final = 5_000
MATTERS: Final = 200
APPEND: Final = 2_000
#: Seconds between two looks at whether the projector has come further, and at whether another inspector has ended.
SHORT: Final = 0.1
LONG: Final = 1.0

Connect = Callable[[], AbstractContextManager[psycopg.Connection[Any]]]


class Inspector:
    """Inspects what is new, and once a civil day what time has brought.

    ``connect`` opens a connection as the program. ``entropy(n)`` gives n unpredictable bytes.
    """

    def __init__(
        self, connect: Connect, store: Store, *, clock: Callable[[], datetime], entropy: Callable[[int], bytes]
    ) -> None:
        self._connect = connect
        self._store = store
        self._clock = clock
        self._entropy = entropy
        #: The register must have come as far before the next look: to what the inspector wrote, and what overtook it.
        self._awaited = 0

    def run(self, stop: threading.Event) -> None:
        """Inspect until told to stop; wait while another inspector is at work."""
        with self._connect() as connection:
            while not progress.take_turn(connection):
                if stop.wait(LONG):
                    return
            while not stop.is_set():
                if not self.turn(connection):
                    self._wait(connection, stop)

    def turn(self, connection: Connection) -> bool:
        """Look at what is next, if anything is and the register has come as far; whether anything was done.

        What is next: events, then matters that waited for them, then the sweep of a new civil day.
        """
        try:
            with self._sight(connection) as (sight, come):
                if sight.position < max(self._awaited, come.written):
                    return False
                return self._inspect(sight, come) or self._look_at_waiting(sight, come) or self._sweep(sight, come)
        except ConcurrencyError:  # histories went on meanwhile: look again once the register knows
            self._awaited = self._store.head()
            return False

    @contextmanager
    def _sight(self, connection: Connection) -> Iterator[tuple[Sight, Progress]]:
        """One state of the tables, and how far the inspector has come; committed when the block ends well."""
        with connection.transaction():
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            position = position_of(connection)
            sight = Sight(
                connection=connection,
                store=self._store,
                position=position,
                today=civil_day(self._clock()),
                elections=elections_of(connection),
                loads=loads_of(connection),
            )
            yield sight, progress.read(connection)

    def _inspect(self, sight: Sight, come: Progress) -> bool:
        batch = list(self._store.events(after=come.position, upto=sight.position, limit=BATCH))
        if not batch:
            return False
        touched = matters.touched(sight, batch)
        progress.put_aside(sight.connection, touched.aside)
        written = self._settle(sight, [matters.about_persons(sight, touched.streams)])
        self._note(sight, come, position=batch[-1].position, written=written)
        return True

    def _look_at_waiting(self, sight: Sight, come: Progress) -> bool:
        waiting = progress.waiting(sight.connection, MATTERS)
        if not waiting:
            return False
        written = self._settle(sight, matters.look_at(sight, waiting))
        progress.done(sight.connection, waiting)
        self._note(sight, come, position=come.position, written=written)
        return True

    def _sweep(self, sight: Sight, come: Progress) -> bool:
        if come.swept_on is not None and come.swept_on >= sight.today:
            return False
        written = self._settle(sight, matters.sweep(sight, come.swept_on))
        swept = msgspec.structs.replace(come, swept_on=sight.today)
        self._note(sight, swept, position=come.position, written=written)
        return True

    def _note(self, sight: Sight, come: Progress, *, position: int, written: int) -> None:
        written = max(written, come.written)
        progress.write(sight.connection, msgspec.structs.replace(come, position=position, written=written))

    def _settle(self, sight: Sight, looks: Iterable[Examined]) -> int:
        """Append what is to be established and what is remedied, look by look; the last position written, or 0."""
        written = 0
        for examined in looks:
            settled = settle(sight.connection, examined)
            now = self._clock()
            pending = [
                to_establish(finding, state, number=self._number(), now=now, salt=self._salt())
                for finding, state in settled.established
            ]
            pending += [
                to_remedy(state, position=sight.position, number=self._number(), now=now, salt=self._salt())
                for state in settled.remedied
            ]
            for start in range(0, len(pending), APPEND):
                written = max(written, self._append(pending[start : start + APPEND], now))
        return written

    def _append(self, pending: Sequence[Pending], now: datetime) -> int:
        receipts = self._store.append(pending, now=now)
        for receipt in receipts:
            if receipt.refusal is not None:
                raise receipt.refusal
        self._awaited = max(receipt.position or 0 for receipt in receipts)
        return self._awaited

    def _number(self) -> UUID:
        return UUID(bytes=self._entropy(16))

    def _salt(self) -> str:
        return base64.b64encode(self._entropy(16)).decode()

    def _wait(self, connection: Connection, stop: threading.Event) -> None:
        """Until there may be something to do."""
        position = position_of(connection)
        connection.commit()
        if position < self._store.head():
            stop.wait(SHORT)
        else:
            self._store.wait_for_events(position, LONG)


def lag(connection: Connection, store: Store) -> int:
    """By how many events the inspector is behind the event store."""
    return store.head() - progress.read(connection).position


def inspect_all(inspector: Inspector, connection: Connection, project: Callable[[], object]) -> None:
    """Inspect until nothing is left; ``project`` brings the register up to date in between. For who has no workers."""
    idle = 0
    while idle < 2:  # a history that went on meanwhile is looked at once more
        project()
        idle = 0 if inspector.turn(connection) else idle + 1
