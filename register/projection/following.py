"""The projector turn by turn: how much at a time, and what it does about an event that cannot be read."""

from __future__ import annotations

import time
from typing import Final

import msgspec

from register.projection.links import linked_streams
from register.projection.parts import ALL, next_step, position_of, positions_of
from register.projection.projector import Connection, follow
from register.store import Store, UnknownTopicError
from register.store.reading import Row, decode_rows

#: A batch is as large as can be followed in about so many seconds: what waits for a batch waits no longer.
BATCH_SECONDS: Final = 1.0
SMALLEST: Final = 1
LARGEST: Final = 20_000
#: The first batch, before anything is known of the speed.
FIRST: Final = 1_000
#: How long it waits for other parts, at first and at most (seconds).
FIRST_PAUSE: Final = 0.01
LONGEST_PAUSE: Final = 1.0
#: What decoding a damaged row may raise.
_UNREADABLE: Final = (msgspec.MsgspecError, UnknownTopicError, ValueError)


class Obstacle(msgspec.Struct, frozen=True):
    """An event that cannot be read: its position and topic, and the position of the event that needs it."""

    position: int
    topic: str
    needed_by: int

    def __str__(self) -> str:
        told = f"the event at position {self.position} ({self.topic}) cannot be read"
        return told if self.position == self.needed_by else f"{told}, and the one at {self.needed_by} needs it"


class StoppedError(Exception):
    """The projector can go no further; everything before is followed, nothing behind. Nothing personal is told."""

    def __init__(self, obstacle: Obstacle) -> None:
        super().__init__(str(obstacle))
        self.obstacle = obstacle


class Follower:
    """Follows the event store on a connection of its own, by batches as large as go in a second.

    ``parts``: those it follows; they may be changed between turns.
    """

    def __init__(self, connection: Connection, store: Store, parts: frozenset[int] = ALL) -> None:
        self._connection = connection
        self._store = store
        self._idle = 0
        self.parts = parts
        self.size = FIRST

    def wait(self) -> None:
        """After a turn with nothing to follow: until there may be something.

        New events are announced. For other parts to come further it looks after 10 ms, then ever more seldom.
        """
        with self._connection.transaction():
            positions = positions_of(self._connection)
        position = min((positions[part] for part in self.parts), default=max(positions.values()))
        if self._store.wait_for_events(position, LONGEST_PAUSE) > position:
            time.sleep(min(LONGEST_PAUSE, FIRST_PAUSE * 2**self._idle))
            self._idle += 1

    def turn(self) -> int:
        """Follow a batch; how many positions that was (0: nothing new, or others must come further first).

        A batch in which an event cannot be read is tried again in smaller ones, so that all events before it are
        followed. Raises :class:`StoppedError` once that event is the next.
        """
        begun = time.monotonic()
        try:
            taken = follow(self._connection, self._store, limit=self.size, parts=self.parts)
        except _UNREADABLE:
            found = self._obstacle() if self.size == SMALLEST else None
            if found is not None:
                raise StoppedError(found) from None
            if self.size == SMALLEST:
                raise
            self.size = max(SMALLEST, self.size // 8)
            return self.turn()
        self._idle = 0 if taken else self._idle
        seconds = time.monotonic() - begun
        if seconds > 2 * BATCH_SECONDS:
            self.size = max(SMALLEST, self.size // 2)
        elif taken == self.size and seconds < BATCH_SECONDS:
            self.size = min(LARGEST, 2 * self.size)
        return taken

    def _obstacle(self) -> Obstacle | None:
        with self._connection.transaction():
            step = next_step(positions_of(self._connection), self.parts)
        return None if step is None else obstacle(self._connection, self._store, after=step.after)


def obstacle(connection: Connection, store: Store, after: int | None = None) -> Obstacle | None:
    """What keeps the tables from going on to the event behind ``after`` (None: where the register stands).

    That is the event itself, or an earlier one of its person; None: nothing.
    """
    with connection.transaction():
        position = (position_of(connection) if after is None else after) + 1
        for record in store.records(position - 1, position):
            streams = linked_streams(connection, {record.stream})
            for row in _rows(connection, [str(stream) for stream in streams], position):
                if not _is_readable(row):
                    return Obstacle(row[0], row[4], position)
    return None


def _rows(connection: Connection, streams: list[str], upto: int) -> list[Row]:
    query = """
        SELECT notification_id, originator_id, originator_version, recorded_at, topic, state FROM store.event
        WHERE originator_id = ANY(%s::uuid[]) AND notification_id <= %s ORDER BY notification_id
    """
    return connection.execute(query, (streams, upto), binary=True).fetchall()


def _is_readable(row: Row) -> bool:
    try:
        decode_rows([row])
    except _UNREADABLE:
        return False
    return True
