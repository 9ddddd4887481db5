"""Reading the whole event store for an audit: one snapshot for all readers, rows as they are stored, ranges of streams.

An audit reads the rows itself: a row that cannot be decoded any more must be named, not end the reading, and all that
is compared must have been true at one moment, however many processes read.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Any, Final, TypeVar
from uuid import UUID

import msgspec
import psycopg
from psycopg import sql

from register.law.events import Event, JmbReplaced, PollingStation, PollingStationAbolished
from register.store import UnknownTopicError
from register.store.codec import READERS
from register.store.subjects import streams_of

Connection = psycopg.Connection[Any]
#: position, stream, version, recorded_at, topic, state
Row = tuple[int, UUID, int, datetime, str, bytes]
#: Streams from the first to the last, both included.
Range = tuple[UUID, UUID]
Key = TypeVar("Key", UUID, str)

#: What decoding a damaged row may raise.
UNREADABLE: Final = (msgspec.MsgspecError, UnknownTopicError, ValueError)
FIRST: Final = UUID(int=0)
LAST: Final = UUID(int=2**128 - 1)

_COLUMNS: Final = "notification_id, originator_id, originator_version, recorded_at, topic, state"
_BY_STREAM: Final = (
    f"SELECT {_COLUMNS} FROM store.event WHERE originator_id BETWEEN %s AND %s AND notification_id <= %s"
    " ORDER BY originator_id, originator_version"
)
_PAGE: Final = 2_000
#: Rows that libpq hands over at once: few enough that they stay in the processor's cache until they are decoded.
_CHUNK: Final = 500
#: Events in a range of streams, roughly: enough that the reading costs more than the asking.
_EVENTS_IN_RANGE: Final = 10_000
_STATIONS: Final = [PollingStation.TOPIC, PollingStationAbolished.TOPIC]


class Source(msgspec.Struct, frozen=True):
    """Where the event store is: a libpq connection string acting as ``cvr_app``, and the snapshot to read in."""

    dsn: str
    snapshot: str | None = None

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """A connection in a read-only transaction that sees the snapshot, for as long as the block lasts."""
        with psycopg.connect(self.dsn) as connection:
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            connection.read_only = True
            if self.snapshot is not None:
                connection.execute(sql.SQL("SET TRANSACTION SNAPSHOT {}").format(sql.Literal(self.snapshot)))
            connection.execute("SET LOCAL TimeZone TO 'UTC'")
            # A cursor here is always read to its end: plans that only begin fast are the wrong ones.
            connection.execute("SET LOCAL cursor_tuple_fraction TO 1")
            yield connection


@contextmanager
def held_still(dsn: str) -> Iterator[tuple[Source, Connection]]:
    """A source whose snapshot every process can join while the block lasts, and a connection within it."""
    with Source(dsn).connect() as connection:
        (snapshot,) = connection.execute("SELECT pg_export_snapshot()").fetchone() or (None,)
        yield Source(dsn, snapshot), connection


def head(connection: Connection) -> int:
    """The last position, 0 for the empty event store."""
    return one(connection, "SELECT coalesce(max(notification_id), 0) FROM store.event")


def one(connection: Connection, query: str, parameters: Sequence[object] = ()) -> int:
    """The number that a query gives; 0 for none."""
    row = connection.execute(query.encode(), parameters).fetchone()
    return int(row[0] or 0) if row else 0


def rows_between(connection: Connection, after: int, upto: int) -> list[Row]:
    """The rows with after < position <= upto, by position."""
    query = f"SELECT {_COLUMNS} FROM store.event WHERE notification_id > %s AND notification_id <= %s ORDER BY 1, 2, 3"
    return connection.execute(query.encode(), (after, upto), binary=True).fetchall()


def rows_of(connection: Connection, streams: Collection[UUID], upto: int) -> list[Row]:
    """The rows of some streams up to a position, by position."""
    query = f"SELECT {_COLUMNS} FROM store.event WHERE originator_id = ANY(%s) AND notification_id <= %s ORDER BY 1"
    return connection.execute(query.encode(), (list(streams), upto), binary=True).fetchall()


def rows_of_streams(connection: Connection, streams: Collection[UUID], upto: int) -> Iterator[tuple[UUID, list[Row]]]:
    """Each of some streams with its rows up to a position, by version; streamed."""
    query = (
        f"SELECT {_COLUMNS} FROM store.event WHERE originator_id = ANY(%s) AND notification_id <= %s"
        " ORDER BY originator_id, originator_version"
    )
    return grouped(streamed(connection, query, (list(streams), upto)), itemgetter(1))


def rows_about(connection: Connection, topics: Collection[str], upto: int) -> list[Row]:
    """The rows of some topics up to a position, by position; for topics of which there are few."""
    query = f"SELECT {_COLUMNS} FROM store.event WHERE topic = ANY(%s) AND notification_id <= %s ORDER BY 1"
    return connection.execute(query.encode(), (list(topics), upto), binary=True).fetchall()


def rows_by_stream(connection: Connection, upto: int, streams: Range) -> Iterator[tuple[UUID, list[Row]]]:
    """Every stream of a range with its rows up to a position, by version; streamed."""
    return grouped(streamed(connection, _BY_STREAM, (*streams, upto)), itemgetter(1))


def passed_by_stream(connection: Connection, upto: int, streams: Range) -> Iterator[tuple[UUID, list[Row]]]:
    """As :func:`rows_by_stream`, not page by page: the server reads on while rows are folded.

    Nothing else can be asked of the connection until the last row was read.
    """
    with connection.cursor() as cursor:
        rows = cursor.stream(_BY_STREAM.encode(), (*streams, upto), binary=True, size=_CHUNK)
        yield from grouped(rows, itemgetter(1))


def streamed(connection: Connection, query: str, parameters: Sequence[object] = ()) -> Iterator[tuple[Any, ...]]:
    """The rows of a query, a page at a time; several may be read side by side on one connection."""
    with connection.cursor(f"audit_{connection.info.backend_pid}_{next(_names)}") as cursor:
        cursor.itersize = _PAGE
        cursor.execute(query.encode(), parameters, binary=True)
        yield from cursor


_names: Final = iter(range(2**62))


def grouped(rows: Iterable[Any], key: Callable[[Any], Key]) -> Iterator[tuple[Key, list[Any]]]:
    """Rows in the order of a key, gathered by it."""
    for value, group in groupby(rows, key):
        yield value, list(group)


def together(*sources: Iterator[tuple[str, list[Any]]]) -> Iterator[tuple[str, list[list[Any]]]]:
    """Sources in the order of one key, side by side: each key with what every source has under it (nothing: [])."""
    heads = [next(source, None) for source in sources]
    while True:
        keys = [found[0] for found in heads if found is not None]
        if not keys:
            return
        key = min(keys)
        groups: list[list[Any]] = []
        for n, found in enumerate(heads):
            if found is not None and found[0] == key:
                groups.append(found[1])
                heads[n] = next(sources[n], None)
            else:
                groups.append([])
        yield key, groups


def decoded(rows: Iterable[Row], unreadable: list[int] | None = None) -> list[Event]:
    """The events of rows, in the order given. The positions of damaged ones go to ``unreadable``; without it, raises.

    Raises msgspec.MsgspecError, UnknownTopicError, ValueError.
    """
    events: list[Event] = []
    for position, stream, version, recorded_at, topic, state in rows:
        try:
            events.append(READERS[topic].read(position, stream, version, recorded_at, state))
        except UNREADABLE:
            if unreadable is None:
                raise
            unreadable.append(position)
    return events


def ranges(connection: Connection, upto: int) -> list[Range]:
    """All streams, cut into ranges of roughly as many events each. Depends on the event store alone."""
    count = max(1, min(upto // _EVENTS_IN_RANGE, 1_000))
    asked = [upto * n // (8 * count) + 1 for n in range(8 * count)] if count > 1 else []
    query = "SELECT originator_id FROM store.event WHERE notification_id = ANY(%s) ORDER BY originator_id"
    sample = [row[0] for row in connection.execute(query, (asked,))]
    borders = sorted({sample[len(sample) * n // count] for n in range(1, count)}) if sample else []
    firsts = [FIRST, *(UUID(int=border.int + 1) for border in borders if border != LAST)]
    return list(zip(firsts, [*borders, LAST], strict=False))


def linked_streams(connection: Connection, upto: int, unreadable: list[int] | None = None) -> set[UUID]:
    """Streams that a replacement of a number, live or not, names on either side, up to a position."""
    rows = rows_about(connection, [JmbReplaced.TOPIC], upto)
    streams = {row[1] for row in rows}
    numbers = {e.data.new_jmb for e in decoded(rows, unreadable) if isinstance(e.data, JmbReplaced)}
    return streams | set(streams_of(connection, [f"jmb:{number}" for number in sorted(numbers)]).values())


def station_streams(connection: Connection, upto: int) -> list[UUID]:
    """The streams of polling stations heard of up to a position."""
    query = "SELECT DISTINCT originator_id FROM store.event WHERE topic = ANY(%s) AND notification_id <= %s ORDER BY 1"
    return [row[0] for row in connection.execute(query, (_STATIONS, upto))]
