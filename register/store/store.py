"""The event store: what is appended, and the guarantees of an append.

One append is one transaction under READ COMMITTED: lock; *then* find which (source, id) exist; drop repeats, refuse
conflicts; settle what annulments point to; give streams, versions, positions without holes and ``recorded_at``; write
events, keys and subjects; commit; only then answer. Any other order is wrong: COPY has no ON CONFLICT, versions
collide, and the head is stale.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, Final, Self
from uuid import UUID

import msgspec
import psycopg
from psycopg.rows import tuple_row

from register.store.judging import (
    Judgement,
    Key,
    Known,
    Pending,
    Place,
    Prepared,
    Receipt,
    Recorded,
    judge,
)
from register.store.judging import prepare as prepare_event
from register.store.reading import Reader
from register.store.recorder import (
    SMALL,
    Connect,
    Query,
    Register,
    RegisterRecorder,
    TupleCursor,
    Writing,
    begin_append,
    check_durable,
    prepare,
)
from register.store.streams import StreamIds

_APPEND_NEW: Final = (
    "SELECT first, recorded FROM store.append_new(%b::text[], %b::text[], %b::bytea[], %b::text[], %b::uuid[],"
    " %b::text[], %b::bytea[], %b::timestamptz)"
)
_SOURCES: Final = (
    "SELECT s.source, s.no FROM json_array_elements_text(%s) AS u(source) JOIN store.source s ON s.source = u.source"
)
_NEW_SOURCES: Final = "INSERT INTO store.source (source) SELECT unnest(%s::text[]) RETURNING source, no"
# Lists of thousands of texts go over as one JSON text: psycopg writes arrays element by element, in Python.
_KEYS: Final = (
    "SELECT s.source, k.id, k.content, k.position, e.recorded_at, e.topic, e.originator_id"
    " FROM ROWS FROM (json_array_elements_text(%s), json_array_elements_text(%s)) AS u(source, id)"
    " JOIN store.source s ON s.source = u.source"
    " JOIN store.event_key k ON k.source_no = s.no AND k.id = u.id"
    " JOIN store.event e ON e.notification_id = k.position"
)
_PLACES: Final = (
    "SELECT s.subject, s.stream,"
    " (SELECT max(e.originator_version) FROM store.event e WHERE e.originator_id = s.stream)"
    " FROM json_array_elements_text(%s) AS u(subject) JOIN store.subject s ON s.subject = u.subject"
)
_VERSIONS: Final = (
    "SELECT u.stream, (SELECT max(e.originator_version) FROM store.event e WHERE e.originator_id = u.stream)"
    " FROM unnest(%s::uuid[]) AS u(stream)"
)
_INSERT_SUBJECTS: Final = "INSERT INTO store.subject (subject, stream) SELECT * FROM unnest(%s::text[], %s::uuid[])"
_INSERT_KEYS: Final = (
    "INSERT INTO store.event_key (source_no, id, content, position)"
    " SELECT * FROM unnest(%s::int4[], %s::text[], %s::bytea[], %s::int8[])"
)


class Store(Reader):
    """The event store. Safe to use from several threads and processes; each append takes a connection of the pool.

    ``connect`` opens a psycopg connection as the role ``cvr_app``; ``random_bytes(n)`` gives n unpredictable bytes,
    for stream identities. Raises :class:`UnsafeStoreError` when the server does not keep what it commits, or the
    library's switch is set under which readers lose events.
    """

    def __init__(
        self, connect: Connect, *, random_bytes: Callable[[int], bytes] = secrets.token_bytes, pool_size: int = 2
    ) -> None:
        self.register = Register(connect, pool_size=pool_size)
        self.recorder: RegisterRecorder = self.register.recorder  # type: ignore[assignment]
        super().__init__(connect, self.recorder.datastore.pool)
        self._stream_ids = StreamIds(random_bytes)
        self._pool.open()
        with self._pool.connection() as connection:
            check_durable(connection)

    def close(self) -> None:
        """Close the connections of the pool."""
        self.register.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def append(self, pending: Iterable[Pending | Prepared], *, now: datetime) -> list[Receipt]:
        """Record what may be recorded, in order; one receipt each, after the commit. All in one transaction.

        ``now`` (with an offset from UTC) becomes ``recorded_at``, unless a later instant was recorded before. A
        refused event is in its receipt and hinders no other. Raises :class:`ConcurrencyError` (nothing written),
        psycopg errors (nothing written, unless the connection was lost: then the append was tried once more on a new
        connection, where the keys tell what had been committed; such events come back as repeats with their own
        position). Texts hold neither NUL nor lone surrogates: the caller has judged them.
        """
        if now.tzinfo is None:
            raise ValueError("the instant of an append needs an offset from UTC")
        prepared = [item if isinstance(item, Prepared) else prepare_event(item) for item in pending]
        if not prepared:
            return []
        with self._pool.connection() as connection:
            try:
                return self._append(connection, prepared, now)
            except (psycopg.OperationalError, psycopg.InterfaceError):
                if not connection.closed:
                    raise
        fresh = prepare(self._connect())
        try:
            return self._append(fresh, prepared, now)
        finally:
            fresh.close()

    def _append(
        self, connection: psycopg.Connection[Any], prepared: Sequence[Prepared], now: datetime
    ) -> list[Receipt]:
        if _is_simple(prepared):
            receipts = self._append_new(connection, prepared, now)
            if receipts is not None:
                return receipts
        return self._append_judged(connection, prepared, now)

    def _append_new(
        self, connection: psycopg.Connection[Any], prepared: Sequence[Prepared], now: datetime
    ) -> list[Receipt] | None:
        """The whole append in one round trip; None, and nothing written, when there is something to decide."""
        parameters = (
            [p.source for p in prepared],
            [p.id for p in prepared],
            [p.content for p in prepared],
            [p.subject for p in prepared],
            self._stream_ids.new(now, len(prepared)),
            [p.topic for p in prepared],
            [p.state for p in prepared],
            now,
        )
        with connection.cursor(row_factory=tuple_row, binary=True) as cursor:
            row = cursor.execute(_APPEND_NEW, parameters, prepare=True).fetchone()
        if row is None or row[0] is None:
            return None
        return [Receipt(status="recorded", position=row[0] + n, recorded_at=row[1]) for n in range(len(prepared))]

    def _append_judged(
        self, connection: psycopg.Connection[Any], prepared: Sequence[Prepared], now: datetime
    ) -> list[Receipt]:
        """Look up, judge, write: three steps under the lock."""
        with begin_append(connection, *_questions(prepared)) as (writing, (sources, keys, places)):
            recorded_at = writing.instant(now)
            known = _known(writing, prepared, keys, places)
            numbers: dict[str, int] = dict(sources)
            new_streams = iter(self._stream_ids.new(recorded_at, len(prepared) - len(places)))
            result = judge(prepared, known, recorded_at=recorded_at, new_stream=new_streams.__next__)
            if result.stored:
                self.recorder.insert_events(
                    result.stored,
                    writing=writing,
                    recorded_at=recorded_at,
                    extra=lambda cursor: write_keys(cursor, result, numbers),
                )
        return result.receipts


def _is_simple(prepared: Sequence[Prepared]) -> bool:
    """Whether nothing within these few can need a decision, except that a key is known already."""
    return (
        len(prepared) < SMALL
        and all(p.expected_version is None and p.annulled is None for p in prepared)
        and len({(p.source, p.id) for p in prepared}) == len(prepared)
    )


def _questions(prepared: Sequence[Prepared]) -> tuple[Query, Query, Query]:
    """What is asked under the lock: the numbers of the sources, what is recorded, the streams of the subjects."""
    keys: set[Key] = {(p.source, p.id) for p in prepared} | _annulled(prepared)
    subjects = {p.subject for p in prepared} - {""}
    return (
        (_SOURCES, (_json({p.source for p in prepared}),)),
        (_KEYS, (_json([source for source, _ in keys]), _json([number for _, number in keys]))),
        (_PLACES, (_json(subjects),)),
    )


def _annulled(prepared: Sequence[Prepared]) -> set[Key]:
    """The keys of the notices that annulments annul."""
    return {(p.source, p.annulled) for p in prepared if p.annulled is not None}


def _known(
    writing: Writing, prepared: Sequence[Prepared], keys: Sequence[tuple[Any, ...]], places: Sequence[tuple[Any, ...]]
) -> Known:
    """What the answers say, each stream with one place, so that its versions are counted once."""
    by_subject = {subject: Place(stream, version or 0) for subject, stream, version in places}
    by_stream: dict[UUID, Place] = {}
    if annulled := _annulled(prepared):
        by_stream = {place.stream: place for place in by_subject.values()}
        missing = {stream for source, number, *_, stream in keys if (source, number) in annulled} - by_stream.keys()
        if missing:
            found = writing.cursor.execute(_VERSIONS, (list(missing),))
            by_stream |= {stream: Place(stream, version) for stream, version in found}
    recorded = {
        (source, number): Recorded(content, position, recorded_at, topic, by_stream.get(stream) or Place(stream))
        for source, number, content, position, recorded_at, topic, stream in keys
    }
    return Known(writing.head, recorded, by_subject)


def _json(values: Collection[str]) -> str:
    return msgspec.json.encode(values).decode()


def write_keys(cursor: TupleCursor, result: Judgement, sources: dict[str, int]) -> None:
    """Write the keys and the new subjects of a judgement, and sources seen for the first time, in its transaction."""
    new = sorted({source for (source, _), _, _ in result.keys} - sources.keys())
    numbers = sources | dict(cursor.execute(_NEW_SOURCES, (new,)).fetchall()) if new else sources
    if len(result.keys) < SMALL:
        keys = [(numbers[source], number, content, position) for (source, number), content, position in result.keys]
        cursor.execute(_INSERT_KEYS, [list(column) for column in zip(*keys, strict=True)], prepare=True)
        if result.subjects:
            cursor.execute(_INSERT_SUBJECTS, [list(column) for column in zip(*result.subjects, strict=True)])
        return
    with cursor.copy("COPY store.event_key (source_no, id, content, position) FROM STDIN (FORMAT BINARY)") as copy:
        copy.set_types(("int4", "text", "bytea", "int8"))
        for (source, number), content, position in result.keys:
            copy.write_row((numbers[source], number, content, position))
    if result.subjects:
        with cursor.copy("COPY store.subject (subject, stream) FROM STDIN (FORMAT BINARY)") as copy:
            copy.set_types(("text", "uuid"))
            for row in result.subjects:
                copy.write_row(row)
