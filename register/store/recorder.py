"""The library's Application, Mapper and recorder, as the register uses them.

What is the library's: the application and its parts, the table layout, stored events, optimistic concurrency by the
primary key, notifications, subscriptions. What is ours: the codec, positions without holes, and how rows get in.

Both ways in (a plpgsql function in one round trip, binary COPY) take one advisory transaction lock and number
``max + 1`` under it. So the order of positions is the order of commits, and a reader that tails by position misses
nothing; the library's own table lock gives the same, but stops every writer for as long as a VACUUM runs. The sequence
of the library is not used: it leaves holes after a rollback, and an auditor rightly asks about holes.

The library's ``@retry`` around inserts is left out: after a commit whose answer was lost it would repeat an insert that
happened. Who appends through :class:`register.store.Store` is told by the keys.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, ClassVar, Final, cast
from uuid import UUID

import msgspec
import psycopg
from eventsourcing.application import Application
from eventsourcing.domain import DomainEventProtocol
from eventsourcing.persistence import (
    ApplicationRecorder,
    InfrastructureFactory,
    Mapper,
    ProgrammingError,
    StoredEvent,
)
from eventsourcing.postgres import (
    ConnectionPool,
    PostgresApplicationRecorder,
    PostgresDatastore,
    PostgresFactory,
)
from eventsourcing.utils import Environment, EnvType
from psycopg.rows import DictRow, dict_row, tuple_row

from register.store import codec
from register.store.codec import Filed

#: From so many events on, COPY is quicker than the function.
SMALL: Final = 200
#: Where a committed append is announced; nobody may rely on it alone (a wake-up can be missed).
CHANNEL: Final = "store_event"

Connect = Callable[[], psycopg.Connection[Any]]
#: A statement and its parameters.
Query = tuple[str, Sequence[object]]
TupleCursor = psycopg.Cursor[tuple[Any, ...]]

_BEGIN: Final = "SELECT head, last FROM store.begin_append()"
_COPY_EVENTS: Final = (
    "COPY store.event (originator_id, originator_version, topic, state, notification_id, recorded_at)"
    " FROM STDIN (FORMAT BINARY)"
)
_INSERT_EVENTS: Final = (
    "SELECT first, recorded FROM store.insert_events(%b::uuid[], %b::int8[], %b::text[], %b::bytea[], %b::timestamptz)"
)


class UnsafeStoreError(RuntimeError):
    """The database or the environment is set up in a way under which the event store could lose events."""


class EventMapper(Mapper[UUID]):
    """Between :class:`Filed` and the library's stored events, by the one codec; no cipher, no compressor."""

    def __init__(self) -> None:
        # The library's transcoder is for its own event classes; a codec of declared structs needs none.
        self.compressor = None
        self.cipher = None

    def to_stored_event(self, domain_event: DomainEventProtocol[UUID]) -> StoredEvent:
        """The row of a filed event; raises TypeError for anything else."""
        if not isinstance(domain_event, Filed):
            raise TypeError(f"the event store holds filed events, not {type(domain_event).__name__}")
        e = domain_event
        state = e.state or codec.encode(e.data, source=e.source, id=e.id, time=e.time, salt=e.salt)
        return StoredEvent(e.originator_id, e.originator_version, e.data.TOPIC, state)

    def to_domain_event(self, stored_event: StoredEvent) -> DomainEventProtocol[UUID]:
        """The filed event of a row or notification; raises UnknownTopicError."""
        e = stored_event
        return codec.decode_filed(e.topic, e.state, stream=cast("UUID", e.originator_id), version=e.originator_version)


class Writing(msgspec.Struct):
    """An append transaction that holds the lock: nobody else can give positions until it ends.

    ``head`` is the last position recorded, ``last`` its instant (None in an empty store).
    """

    cursor: TupleCursor
    head: int
    last: datetime | None

    def instant(self, now: datetime) -> datetime:
        """The instant to record under: never before the last one, though the clock may have gone back."""
        return now if self.last is None else max(now, self.last)


@contextmanager
def begin_append(
    connection: psycopg.Connection[Any], *queries: Query
) -> Iterator[tuple[Writing, list[list[tuple[Any, ...]]]]]:
    """One append transaction on a connection in autocommit: READ COMMITTED (checked by the database), locked.

    ``queries`` are run under the lock, sent together with it. Gives the transaction and the rows of each query. Commits
    at the end of the block, rolls back when it raises. Raises psycopg errors as they are.
    """
    with connection.transaction():
        with connection.pipeline() as pipeline:
            cursors = [
                connection.cursor(row_factory=tuple_row, binary=True).execute(query, parameters, prepare=True)
                for query, parameters in ((_BEGIN, ()), *queries)
            ]
            pipeline.sync()
            (began, *answers) = [cursor.fetchall() for cursor in cursors]
        with connection.cursor(row_factory=tuple_row, binary=True) as cursor:
            yield Writing(cursor, *began[0]), answers


def _row(cursor: TupleCursor) -> tuple[Any, ...]:
    """The row of a statement that always gives one."""
    row = cursor.fetchone()
    if row is None:
        raise psycopg.ProgrammingError("a statement that always gives a row gave none")
    return row


class RegisterDatastore(PostgresDatastore):
    """The library's datastore over connections that somebody else knows how to open."""

    def __init__(self, connect: Connect, *, pool_size: int = 2, max_overflow: int = 10) -> None:
        super().__init__(dbname="", host="", port="", user="", password="", schema="store")

        class Opened(psycopg.Connection[DictRow]):
            @classmethod
            def connect(cls, conninfo: str = "", **_: Any) -> Any:  # noqa: ARG003
                return prepare(connect())

        self.pool = ConnectionPool(
            connection_class=Opened, min_size=pool_size, max_size=pool_size + max_overflow, open=False
        )


def prepare(connection: psycopg.Connection[Any]) -> psycopg.Connection[DictRow]:
    """A connection fit for appending: autocommit, READ COMMITTED, rows as the library reads them.

    Every statement on the append path finds its rows by an index. Plans are cached while the tables are small, and a
    plan that scans a small table is ruinous for the large one it becomes within the same session: scans and hash joins
    are therefore off here.
    """
    connection.rollback()
    connection.autocommit = True
    connection.isolation_level = psycopg.IsolationLevel.READ_COMMITTED
    connection.row_factory = dict_row
    connection.execute(
        "SELECT set_config('enable_seqscan', 'off', false), set_config('enable_hashjoin', 'off', false),"
        " set_config('enable_mergejoin', 'off', false), set_config('TimeZone', 'UTC', false)"
    )
    return connection


def check_durable(connection: psycopg.Connection[Any]) -> None:
    """Raise :class:`UnsafeStoreError` unless a committed append survives a crash, and psycopg is the compiled one."""
    if psycopg.pq.__impl__ == "python":
        raise UnsafeStoreError("psycopg runs in pure Python; install psycopg[binary] or psycopg[c]")
    with connection.cursor(row_factory=tuple_row) as cursor:
        for setting, safe in (("fsync", {"on"}), ("synchronous_commit", {"on", "remote_apply"})):
            row = cursor.execute("SELECT current_setting(%s)", (setting,)).fetchone()
            if row is None or row[0] not in safe:
                raise UnsafeStoreError(f"{setting} must be on: a receipt may be given only for what is on disk")


class RegisterRecorder(PostgresApplicationRecorder):
    """The library's PostgreSQL recorder with two quick ways in, gapless positions and an advisory lock."""

    def __init__(self, datastore: PostgresDatastore, *, events_table_name: str = "event") -> None:
        super().__init__(datastore, events_table_name=events_table_name)
        self.channel_name = CHANNEL

    def create_table(self) -> None:
        """Refused: the tables are made by migration 0001, with their triggers and grants."""
        raise ProgrammingError("the event store's tables are made by the migrations only")

    def insert_events(
        self,
        stored_events: Sequence[StoredEvent],
        *,
        writing: Writing | None = None,
        recorded_at: datetime | None = None,
        extra: Callable[[TupleCursor], None] | None = None,
        **_: Any,
    ) -> Sequence[int] | None:
        """Write events at the next positions; all or nothing.

        ``writing`` joins an append transaction that holds the lock already (``recorded_at`` is then written as it is,
        and the positions follow from ``writing.head``: nothing is returned); without it the insert is a transaction of
        its own, and the positions are returned. ``extra`` writes rows that commit with the events or not at all.
        Raises the library's IntegrityError when a version of a stream exists (psycopg's own within ``writing``).
        """
        if not stored_events:
            return None
        if writing is not None:
            self._write(writing, stored_events, recorded_at, extra)
            return None
        with self.datastore.get_connection() as connection:
            if len(stored_events) < SMALL and extra is None:
                with connection.cursor(row_factory=tuple_row, binary=True) as cursor:
                    first = self._call(cursor, stored_events, recorded_at)
            else:
                with begin_append(connection) as (own, _answers):
                    first = own.head + 1
                    self._write(own, stored_events, recorded_at, extra)
        return list(range(first, first + len(stored_events)))

    def _write(
        self,
        writing: Writing,
        stored_events: Sequence[StoredEvent],
        recorded_at: datetime | None,
        extra: Callable[[TupleCursor], None] | None,
    ) -> None:
        if len(stored_events) < SMALL:
            self._call(writing.cursor, stored_events, recorded_at)
        else:
            self._copy(writing, stored_events, recorded_at)
        if extra is not None:
            extra(writing.cursor)

    @staticmethod
    def _call(cursor: TupleCursor, stored_events: Sequence[StoredEvent], recorded_at: datetime | None) -> int:
        parameters = (
            [e.originator_id for e in stored_events],
            [e.originator_version for e in stored_events],
            [e.topic for e in stored_events],
            [e.state for e in stored_events],
            recorded_at,
        )
        return cast("int", _row(cursor.execute(_INSERT_EVENTS, parameters, prepare=True))[0])

    @staticmethod
    def _copy(writing: Writing, stored_events: Sequence[StoredEvent], recorded_at: datetime | None) -> None:
        cursor, position = writing.cursor, writing.head
        if recorded_at is None:
            recorded_at = _row(cursor.execute("SELECT greatest(clock_timestamp(), %s)", (writing.last,)))[0]
        with cursor.copy(_COPY_EVENTS) as copy:
            copy.set_types(("uuid", "int8", "text", "bytea", "int8", "timestamptz"))
            write = copy.write_row
            for e in stored_events:
                position += 1
                write((e.originator_id, e.originator_version, e.topic, e.state, position, recorded_at))
        cursor.execute(f"NOTIFY {CHANNEL}")


class RegisterFactory(PostgresFactory):
    """The library's factory over a given datastore; creates no tables."""

    def __init__(self, env: Environment, datastore: RegisterDatastore) -> None:
        InfrastructureFactory.__init__(self, env)
        self.datastore = datastore

    def application_recorder(self) -> ApplicationRecorder:
        """The register's own recorder, whatever the environment says."""
        return RegisterRecorder(self.datastore)


class Register(Application[UUID]):
    """The library's application of the register's events. Events enter through :class:`register.store.Store`."""

    name = "register"
    #: The library's switch whose function numbers without a lock: tailing readers lose events.
    FORBIDDEN: ClassVar[str] = "POSTGRES_ENABLE_DB_FUNCTIONS"

    def __init__(self, connect: Connect, *, env: EnvType | None = None, pool_size: int = 2) -> None:
        self._datastore = RegisterDatastore(connect, pool_size=pool_size)
        super().__init__(env)

    def construct_env(self, name: str, env: EnvType | None = None) -> Environment:
        """The library's settings, of which one is refused: UnsafeStoreError when its DB functions are switched on."""
        environment = Environment(name, {**os.environ, **(env or {})})
        if environment.get(self.FORBIDDEN) is not None:
            raise UnsafeStoreError(f"{self.FORBIDDEN} is set: with it, readers of the event store lose events")
        return Environment(name, {"CREATE_TABLE": "n"})

    def construct_factory(self, env: Environment) -> Any:
        """The factory over the register's datastore."""
        return RegisterFactory(env, self._datastore)

    def construct_mapper(self) -> Mapper[UUID]:
        """The mapper of the register's codec."""
        return EventMapper()

    def save(self, *_: Any, **__: Any) -> Any:
        """Refused: an event written without its key could be recorded twice."""
        raise ProgrammingError("events enter by Store.append, which writes their keys with them")
