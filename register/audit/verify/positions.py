"""The event store position by position: no hole, time never going back, states that read and write the same, keys.

Beside it the entry of each row is made, for the log to be compared with.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from register.audit.reading import UNREADABLE, Connection, Row, Source, one, rows_between
from register.audit.verify.findings import Findings
from register.log.record import RecordError, entry_of, record_of
from register.store import StoredRecord, content_digest
from register.store.codec import READERS, Filed

#: Positions in one task: enough that the reading costs more than the asking.
SPAN: Final = 16_384
#: Stands for the entry of a position without a row that could have one; no SHA-256 is known that gives it.
NO_ENTRY: Final = bytes(32)

_KEYS: Final = (
    "SELECT k.content, k.position FROM unnest(%s::int4[], %s::text[]) WITH ORDINALITY AS u(no, id, n)"
    " LEFT JOIN store.event_key k ON k.source_no = u.no AND k.id = u.id ORDER BY u.n"
)
_STRAY_KEYS: Final = (
    "SELECT k.position FROM store.event_key k WHERE NOT EXISTS"
    " (SELECT FROM store.event e WHERE e.notification_id = k.position) ORDER BY 1"
)
_SHARED_KEYS: Final = "SELECT position FROM store.event_key GROUP BY position HAVING count(*) > 1 ORDER BY 1"


class Span(msgspec.Struct):
    """What became of the positions after one and up to another: ``entries`` has 32 bytes for each of them."""

    after: int
    upto: int
    events: int = 0
    entries: bytes = b""
    first_at: datetime | None = None
    last_at: datetime | None = None
    in_order: Findings = msgspec.field(default_factory=Findings)
    readable: Findings = msgspec.field(default_factory=Findings)
    keyed: Findings = msgspec.field(default_factory=Findings)


class Positions:
    """Checks spans of positions in one process."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._numbers: dict[str, int] = {}

    def __call__(self, task: tuple[int, int]) -> Span:
        """The positions with after < position <= upto."""
        span = Span(*task)
        with self._source.connect() as connection:
            rows = rows_between(connection, span.after, span.upto)
            self._numbers = self._numbers or dict(connection.execute("SELECT source, no FROM store.source"))
            placed = _placed(rows, span)
            filed = [(row, _read(row, span)) for row in placed]
            self._check_keys(connection, [(row[0], event) for row, event in filed if event is not None], span)
        entries = dict.fromkeys(range(span.after + 1, span.upto + 1), NO_ENTRY)
        for row, event in filed:
            entries[row[0]] = _entry(row, span, readable=event is not None)
        span.entries = b"".join(entries.values())
        return span

    def _check_keys(self, connection: Connection, events: list[tuple[int, Filed]], span: Span) -> None:
        sources = [self._numbers.get(event.source) for _, event in events]
        keys = connection.execute(_KEYS, (sources, [event.id for _, event in events]), binary=True)
        for (position, event), (content, at) in zip(events, keys, strict=True):
            if content is None:
                span.keyed.add("the event has no key: it could be recorded a second time", position)
            elif at != position:
                span.keyed.add(f"the key of the event leads to position {at}", position)
            elif bytes(content) != content_digest(event.data):
                span.keyed.add("the key holds the digest of another content than the event's", position)


def stray_keys(connection: Connection, events: int, findings: Findings) -> int:
    """How many keys there are. Names those that lead to no event, or two that lead to one, when the numbers differ."""
    keys = one(connection, "SELECT count(*) FROM store.event_key")
    if keys != events or findings:
        for query, what in (
            (_STRAY_KEYS, "a key leads here, where no event is"),
            (_SHARED_KEYS, "two keys lead to this event"),
        ):
            for (position,) in connection.execute(query.encode()):
                findings.add(what, position)
    return keys


def _placed(rows: list[Row], span: Span) -> list[Row]:
    """The rows, one for each position; holes, doubles and instants that go back are noted."""
    expected, placed = span.after + 1, []
    for row in rows:
        position, recorded_at = row[0], row[3]
        if position < expected:
            span.in_order.add("two events stand at this position", position)
            continue
        for missing in range(expected, position):
            span.in_order.add("the event is missing", missing)
        if span.last_at is not None and recorded_at < span.last_at:
            span.in_order.add("recorded earlier than the event before it", position)
        span.first_at = span.first_at or recorded_at
        span.last_at = recorded_at
        placed.append(row)
        expected = position + 1
    for missing in range(expected, span.upto + 1):
        span.in_order.add("the event is missing", missing)
    span.events = len(placed)
    return placed


def _read(row: Row, span: Span) -> Filed | None:
    """The event of a row, None when it cannot be read; noted when it would not be written the same way again."""
    position, stream, version, _, topic, state = row
    try:
        filed = READERS[topic].read_filed(stream, version, state)
        again = READERS[topic].write(filed.data, filed.source, filed.id, filed.time, filed.salt)
    except UNREADABLE:
        span.readable.add("the state does not fit the event's type", position)
        return None
    if again != state:
        span.readable.add("the state is not written as the codec writes it", position)
    return filed


def _entry(row: Row, span: Span, *, readable: bool) -> bytes:
    position, stream, version, recorded_at, topic, state = row
    try:
        return entry_of(record_of(StoredRecord(position, UUID(int=stream.int), version, topic, recorded_at, state)))
    except RecordError:
        if readable:
            span.readable.add("the state is not canonical JSON", position)
        return NO_ENTRY
