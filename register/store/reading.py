"""Reading the event store: in order, by stream, by key, by instant; and waiting for more.

Everything streams: whatever the length of the history, a reader holds one page of it.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import chain, groupby
from operator import attrgetter
from typing import Any, Final, NamedTuple
from uuid import UUID

import msgspec
import psycopg
import psycopg_pool
import sqlalchemy as sa
from psycopg.rows import tuple_row

from register.law.events import Event
from register.store.addressed import addressed_query
from register.store.codec import READERS
from register.store.judging import Key
from register.store.recorder import CHANNEL, Connect, TupleCursor, prepare

#: Rows of a page. Half a megabyte of them stays in the processor's cache until it is decoded: measured, pages of 1,000
#: are read and decoded a tenth faster than pages of 5,000, and pages of 250 lose it again on the round trips.
PAGE: Final = 1_000
#: A wake-up can be missed: look at least so often (seconds).
POLL: Final = 1.0
_END: Final = 2**63 - 1

_COLUMNS: Final = "notification_id, originator_id, originator_version, recorded_at, topic, state"
_BY_POSITION: Final = (
    f"SELECT {_COLUMNS} FROM store.event WHERE notification_id > %s AND notification_id <= %s"
    " ORDER BY notification_id LIMIT %s"
)
_BY_POSITION_AND_TOPIC: Final = (
    f"SELECT {_COLUMNS} FROM store.event WHERE notification_id > %s AND notification_id <= %s AND topic = ANY(%s)"
    " ORDER BY notification_id LIMIT %s"
)
_STREAMS: Final = (
    f"SELECT {_COLUMNS} FROM store.event WHERE originator_id = ANY(%s) AND notification_id <= %s"
    " ORDER BY originator_id, originator_version"
)
_BY_STREAM: Final = (
    f"SELECT {_COLUMNS} FROM store.event WHERE notification_id <= %s AND originator_id >= %s"
    " AND originator_id <= %s ORDER BY originator_id, originator_version"
)
_FIND: Final = (
    f"SELECT {_COLUMNS} FROM store.event WHERE notification_id = (SELECT k.position FROM store.event_key k"
    " WHERE k.source_no = (SELECT s.no FROM store.source s WHERE s.source = %s) AND k.id = %s)"
)
_AT: Final = f"SELECT {_COLUMNS} FROM store.event WHERE notification_id = ANY(%s)"
_ADDRESSED: Final = addressed_query(_COLUMNS)
# Thousands of keys go over as two JSON texts: psycopg writes arrays element by element, in Python.
_KNOWN: Final = (
    "SELECT s.source, k.id, k.content, k.position, e.topic"
    " FROM ROWS FROM (json_array_elements_text(%s), json_array_elements_text(%s)) AS u(source, id)"
    " JOIN store.source s ON s.source = u.source"
    " JOIN store.event_key k ON k.source_no = s.no AND k.id = u.id"
    " JOIN store.event e ON e.notification_id = k.position"
)
_HEAD: Final = "SELECT coalesce(max(notification_id), 0) FROM store.event"

_FIRST_STREAM: Final = UUID(int=0)
_LAST_STREAM: Final = UUID(int=2**128 - 1)

Row = tuple[int, UUID, int, datetime, str, bytes]


class StoredRecord(msgspec.Struct, frozen=True, gc=False):
    """One row as it is stored, for who needs the bytes and not their meaning (the transparency log)."""

    position: int
    stream: UUID
    version: int
    topic: str
    recorded_at: datetime
    state: bytes


class Found(NamedTuple):
    """What is recorded under a (source, id): the digest of its content, its position and topic."""

    content: bytes
    position: int | None
    topic: str


def decode_rows(rows: Sequence[Row]) -> list[Event]:
    """Rows in the order of ``_COLUMNS``, decoded. Raises UnknownTopicError."""
    readers = READERS
    return [
        readers[topic].read(position, stream, version, recorded_at, state)
        for position, stream, version, recorded_at, topic, state in rows
    ]


def row_at(connection: sa.Connection, position: int) -> tuple[Any, ...] | None:
    """What tells the event at a position, as a server has it, from any other: its place in its stream, its instant."""
    query = "SELECT originator_id, originator_version, recorded_at FROM store.event WHERE notification_id = :position"
    row = connection.execute(sa.text(query), {"position": position}).one_or_none()
    return None if row is None else tuple(row)


class Reader:
    """The reading half of the store. Each call takes a connection of the pool for a page, never for longer."""

    def __init__(self, connect: Connect, pool: psycopg_pool.ConnectionPool[Any]) -> None:
        self._connect = connect
        self._pool = pool

    def events(
        self,
        *,
        after: int = 0,
        upto: int | None = None,
        limit: int | None = None,
        topics: Collection[str] | None = None,
    ) -> Iterator[Event]:
        """Events with after < position <= upto in order, at most ``limit``, of all topics or of these; streamed.

        Without ``upto`` the reading ends at the head found when it gets there.
        """
        for page in self._pages(after, upto, limit, topics):
            yield from decode_rows(page)

    def records(self, after: int, upto: int | None = None) -> Iterator[StoredRecord]:
        """Rows with after < position <= upto as they are stored, in order; streamed."""
        for page in self._pages(after, upto, None, None):
            for position, stream, version, recorded_at, topic, state in page:
                yield StoredRecord(position, stream, version, topic, recorded_at, state)

    def stream(self, stream: UUID, upto: int | None = None) -> list[Event]:
        """The events of one stream up to a position, in order; empty for a stream that does not exist."""
        return self.streams((stream,), upto)[stream]

    def streams(self, streams: Collection[UUID], upto: int | None = None) -> dict[UUID, list[Event]]:
        """The events of several streams up to a position, by one query; every stream asked for has a list."""
        found: dict[UUID, list[Event]] = {stream: [] for stream in streams}
        with self._reading() as cursor:
            cursor.execute(_STREAMS, (list(found), _END if upto is None else upto))
            for event in decode_rows(cursor.fetchall()):
                found[event.stream].append(event)
        return found

    def by_stream(
        self, upto: int, *, first: UUID = _FIRST_STREAM, last: UUID = _LAST_STREAM
    ) -> Iterator[tuple[UUID, list[Event]]]:
        """Every stream from ``first`` to ``last`` with its events up to a position, in the order of stream identities.

        Holds a page; works on a connection of its own until it is exhausted or closed. Several readers share the work
        by disjoint ranges of streams.
        """
        connection = self._connect()
        try:
            connection.rollback()
            # A cursor of the server: psycopg reads a page of it in C, but COPY row by row in Python.
            with connection.cursor("by_stream", row_factory=tuple_row) as cursor:
                cursor.execute(_BY_STREAM, (upto, first, last), binary=True)
                pages = iter(lambda: decode_rows(cursor.fetchmany(PAGE)), [])
                for stream, events in groupby(chain.from_iterable(pages), attrgetter("stream")):
                    yield stream, list(events)
        finally:
            connection.close()

    def find(self, source: str, id: str) -> Event | None:
        """The event recorded under (source, id)."""
        with self._reading() as cursor:
            rows = cursor.execute(_FIND, (source, id)).fetchall()
        return decode_rows(rows)[0] if rows else None

    def at(self, positions: Collection[int]) -> dict[int, Event]:
        """The events at these positions, by one query; positions beyond the head are left out."""
        if not positions:
            return {}
        with self._reading() as cursor:
            return {e.position: e for e in decode_rows(cursor.execute(_AT, (list(positions),)).fetchall())}

    def addressed(self, authority: str, *, after: int, upto: int, limit: int) -> list[Event]:
        """Events with after < position <= upto that are told to an authority, in order, at most ``limit``."""
        asked = {"authority": authority, "after": after, "upto": upto, "limit": limit}
        with self._reading() as cursor:
            return decode_rows(cursor.execute(_ADDRESSED, asked).fetchall())

    def known(self, keys: Collection[Key]) -> dict[Key, Found]:
        """What is recorded under each of these (source, id), by one query; keys of which nothing is are left out."""
        if not keys:
            return {}
        listed = list(keys)
        columns = [msgspec.json.encode([key[n] for key in listed]).decode() for n in (0, 1)]
        with self._reading() as cursor:
            rows = cursor.execute(_KNOWN, columns, prepare=True).fetchall()
        return {(source, number): Found(*rest) for source, number, *rest in rows}

    def stream_of(self, subject: str) -> UUID | None:
        """The stream in which a subject (``jmb:…``, ``station:…``, ``election:…``) is filed."""
        found = self._one("SELECT stream FROM store.subject WHERE subject = %s", (subject,))
        return found if isinstance(found, UUID) else None

    def head(self) -> int:
        """The last position, 0 for the empty event store."""
        return int(self._one(_HEAD, ()))

    def position_at(self, instant: datetime) -> int:
        """The last position recorded at or before an instant (with an offset from UTC); 0 when there is none."""
        if instant.tzinfo is None:
            raise ValueError("an instant needs an offset from UTC")
        return int(self._one("SELECT store.position_at(%s)", (instant,)))

    def recorded_at(self, position: int) -> datetime | None:
        """The instant at which a position was recorded, None beyond the head."""
        found = self._one("SELECT recorded_at FROM store.event WHERE notification_id = %s", (position,))
        return found if isinstance(found, datetime) else None

    def wait_for_events(self, after: int, timeout: float) -> int:
        """Wait up to ``timeout`` seconds for a position greater than ``after``; the head, whether greater or not.

        Listens for the announcement of an append, and looks once a second all the same.
        """
        deadline = time.monotonic() + timeout
        with self._reading() as cursor:
            connection = cursor.connection
            cursor.execute(f"LISTEN {CHANNEL}")
            try:
                while True:
                    (head,) = cursor.execute(_HEAD).fetchone() or (0,)
                    left = deadline - time.monotonic()
                    if head > after or left <= 0:
                        return int(head)
                    for _ in connection.notifies(timeout=min(left, POLL), stop_after=1):
                        pass
            finally:
                if not connection.closed:
                    cursor.execute(f"UNLISTEN {CHANNEL}")

    def _pages(
        self, after: int, upto: int | None, limit: int | None, topics: Collection[str] | None
    ) -> Iterator[list[Row]]:
        left = _END if limit is None else limit
        end = _END if upto is None else upto
        while left > 0 and after < end:
            size = min(PAGE, left)
            with self._reading() as cursor:
                if topics is None:
                    cursor.execute(_BY_POSITION, (after, end, size), prepare=True)
                else:
                    cursor.execute(_BY_POSITION_AND_TOPIC, (after, end, list(topics), size), prepare=True)
                page: list[Row] = cursor.fetchall()
            if page:
                after = page[-1][0]
                yield page
            if len(page) < size:
                return
            left -= size

    def _one(self, query: str, parameters: tuple[object, ...]) -> Any:
        with self._reading() as cursor:
            row = cursor.execute(query, parameters).fetchone()
        return None if row is None else row[0]

    @contextmanager
    def _reading(self) -> Iterator[TupleCursor]:
        """A cursor of a connection that was alive a moment ago: the server may have been started again meanwhile."""
        with self._pool.connection() as connection:
            try:
                connection.execute("")
            except psycopg.OperationalError:
                alive = False
            else:
                alive = True
                with connection.cursor(row_factory=tuple_row, binary=True) as cursor:
                    yield cursor
        if not alive:
            connection = prepare(self._connect())
            try:
                with connection.cursor(row_factory=tuple_row, binary=True) as cursor:
                    yield cursor
            finally:
                connection.close()
