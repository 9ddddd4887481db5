"""The projector: event store -> tables, with its position in the same transaction, so that each event counts once.

It reads a batch, gathers the streams it touches in one query, folds each event at its own position
(:mod:`register.projection.chronicle`), writes the changed rows by COPY and moves the position. Results do not depend
on the size of the batch. Events about polling stations change coverage, never a voter's stretches.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, LiteralString
from uuid import UUID

import msgspec
import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb
from psycopg.types.range import Range

from register.law.deletions import Days
from register.law.dossier import Stretch
from register.law.events import (
    AboutPerson,
    Annulment,
    ElectionCalled,
    ElectionConcluded,
    Event,
    JmbReplaced,
    PollingStation,
    PollingStationAbolished,
)
from register.law.territory import Address
from register.projection.chronicle import Chronicle
from register.projection.coverage import NewAddresses, follow_coverage
from register.projection.rows import (
    AUDIT_COLUMNS,
    STRETCH_COLUMNS,
    address_key,
    audit_row,
    days_multirange,
    days_of,
    days_range,
    stretch_row,
)
from register.store import Store
from register.store.subjects import streams_of, subjects_of

Connection = psycopg.Connection[Any]

#: The one part there is today; a part is a set of persons.
PART = 0
BATCH = 5_000


class RivalProjectorError(Exception):
    """Another projector moved the position meanwhile; nothing was written."""


def position_of(connection: Connection) -> int:
    """The position the tables rest on."""
    row = connection.execute("SELECT position FROM projection.progress WHERE part = %s", (PART,)).fetchone()
    return 0 if row is None else int(row[0])


def follow(connection: Connection, store: Store, *, limit: int = BATCH) -> int:
    """Take the next events into the tables, in one transaction; how many they were (0: nothing new).

    Raises :class:`RivalProjectorError` when a rival moved the position.
    """
    with connection.transaction():
        old = _lock(connection)
        batch = list(store.events(after=old, limit=limit))
        if not batch:
            return 0
        stations, others = _apart(connection, batch)
        addresses = _take(connection, store, others, old)
        follow_coverage(connection, store, addresses, stations, batch[-1].position)
        _move(connection, old, batch[-1].position)
    return len(batch)


def _lock(connection: Connection) -> int:
    """The position, its row locked: rivals wait here and then find it moved."""
    query = "SELECT position FROM projection.progress WHERE part = %s FOR UPDATE"
    row = connection.execute(query, (PART,)).fetchone()
    if row is not None:
        return int(row[0])
    connection.execute("INSERT INTO projection.progress VALUES (%s, 0) ON CONFLICT DO NOTHING", (PART,))
    return _lock(connection)


def _move(connection: Connection, old: int, new: int) -> None:
    moved = connection.execute(
        "UPDATE projection.progress SET position = %s WHERE part = %s AND position = %s", (new, PART, old)
    )
    if moved.rowcount != 1:
        raise RivalProjectorError


def _apart(connection: Connection, batch: Sequence[Event]) -> tuple[list[Event], list[Event]]:
    """The events about polling stations (annulments of them too), and all others; each in order."""
    annulled = [e.stream for e in batch if isinstance(e.data, Annulment)]
    rows = connection.execute("SELECT stream FROM projection.station WHERE stream = ANY(%s)", (annulled,)).fetchall()
    streams = {stream for (stream,) in rows}
    streams.update(e.stream for e in batch if isinstance(e.data, PollingStation | PollingStationAbolished))
    return [e for e in batch if e.stream in streams], [e for e in batch if e.stream not in streams]


def _take(connection: Connection, store: Store, batch: Sequence[Event], upto: int) -> NewAddresses:
    """Fold events about people and elections, write what changed; the addresses that stretches began to have."""
    streams = _linked_streams(connection, batch)
    known = _held(connection, streams)
    chronicle = Chronicle(store.streams(streams, upto=upto) if upto else {}, batch, known)
    writes = Writes()
    for event in batch:
        if isinstance(event.data, ElectionCalled | ElectionConcluded):
            take_election(connection, event)
            continue
        writes.take(event, chronicle)
    writes.write(connection)
    _write_persons(connection, chronicle, known, writes.first_position)
    return writes.addresses


def _linked_streams(connection: Connection, batch: Sequence[Event]) -> set[UUID]:
    """The streams the batch touches, and all that links, live or not, may connect with them."""
    streams = {e.stream for e in batch}
    numbers = {e.data.jmb for e in batch if isinstance(e.data, AboutPerson)}
    numbers.update(e.data.new_jmb for e in batch if isinstance(e.data, JmbReplaced))
    links = connection.execute("SELECT EXISTS (SELECT FROM projection.link)").fetchone()
    if links == (False,) and not any(isinstance(e.data, JmbReplaced) for e in batch):
        return streams
    while True:
        numbers.update(
            s.removeprefix("jmb:") for s in subjects_of(connection, streams).values() if s.startswith("jmb:")
        )
        found = connection.execute(
            "SELECT stream, new_jmb FROM projection.link WHERE new_jmb = ANY(%s) OR stream = ANY(%s)",
            (list(numbers), list(streams)),
        ).fetchall()
        numbers.update(number for _, number in found)
        more = {stream for stream, _ in found} | set(streams_of(connection, [f"jmb:{n}" for n in numbers]).values())
        if more <= streams:
            return streams
        streams |= more


def _held(connection: Connection, streams: Collection[UUID]) -> dict[UUID, Days]:
    rows = connection.execute(
        "SELECT person, held FROM projection.person WHERE person = ANY(%s)", (list(streams),), binary=True
    )
    return {person: days_of(held) for person, held in rows}


def take_election(connection: Connection, event: Event) -> None:
    """An election called or concluded, for reading; the event store decides."""
    data = event.data
    if isinstance(data, ElectionCalled):
        connection.execute(
            "INSERT INTO projection.election (election, called_at_position, called) VALUES (%s, %s, %s)",
            (data.election, event.position, Jsonb(msgspec.to_builtins(data))),
        )
    elif isinstance(data, ElectionConcluded):
        connection.execute(
            "UPDATE projection.election SET conclusion = %s, concluded_at = %s WHERE election = %s",
            (event.position, event.recorded_at, data.election),
        )


class Writes:
    """The rows a batch changes, gathered before any is written."""

    def __init__(self) -> None:
        #: Stretches that began to be known in this batch and still are: (person, stretch) -> position.
        self.opened: dict[tuple[UUID, Stretch], int] = {}
        self._passing: list[tuple[Any, ...]] = []
        self._closed: list[tuple[UUID, Any, int]] = []
        self._audit: list[tuple[Any, ...]] = []
        self._links: list[tuple[int, UUID, str]] = []
        self._joined: list[tuple[UUID, UUID | None, int]] = []
        #: Streams first heard of in this batch, or not; the tables know which.
        self.first_position: dict[UUID, int] = {}
        #: (municipality, address key) -> the address, and the position at which a stretch of this batch first had it.
        self.addresses: NewAddresses = {}

    def take(self, event: Event, chronicle: Chronicle) -> None:
        """Feed one event and note its changes."""
        if not isinstance(event.data, AboutPerson) and not chronicle.knows(event.stream):
            return
        change = chronicle.feed(event)
        position = event.position
        self.first_position.setdefault(event.stream, position)
        for person, stretch in change.closed:
            since = self.opened.pop((person, stretch), None)
            if since is None:
                self._closed.append((person, days_range(stretch.from_, stretch.to), position))
            else:
                self._passing.append(stretch_row(person, stretch, Range(since, position, "[)")))
        for person, stretch in change.opened:
            self.opened[person, stretch] = position
            a = stretch.answer
            if a.municipality is not None:
                address = Address(a.municipality, a.settlement, a.street, a.house_number)
                key = address_key(a.settlement, a.street, a.house_number)
                self.addresses.setdefault((a.municipality, key), (address, position))
        parts: Counter[UUID] = Counter()
        for entry in change.audit:
            parts[entry.person] += 1
            self._audit.append(audit_row(entry, parts[entry.person]))
        if isinstance(event.data, JmbReplaced):
            self._links.append((position, event.stream, event.data.new_jmb))
        self._joined.extend((stream, person, position) for stream, person in change.joined)

    def write(self, connection: Connection) -> None:
        """Write everything, what ends to be known first."""
        if self._closed:
            persons, days, positions = zip(*self._closed, strict=True)
            connection.execute(
                """
                UPDATE projection.stretch s SET known = int8range(lower(s.known), c.position)
                FROM unnest(%s::uuid[], %s::daterange[], %s::int8[]) AS c(person, days, position)
                WHERE s.person = c.person AND s.days = c.days AND upper_inf(s.known)
                """,
                (list(persons), list(days), list(positions)),
            )
        rows = (
            stretch_row(person, stretch, Range(since, None, "[)")) for (person, stretch), since in self.opened.items()
        )
        copy(connection, "stretch", STRETCH_COLUMNS, self._passing)
        copy(connection, "stretch", STRETCH_COLUMNS, rows)
        copy(connection, "audit_entry", AUDIT_COLUMNS, self._audit)
        copy(connection, "link", (("position", "int8"), ("stream", "uuid"), ("new_jmb", "text")), self._links)
        for stream, person, position in self._joined:
            connection.execute(
                """
                UPDATE projection.joined SET known = int8range(lower(known), %s)
                WHERE stream = %s AND upper_inf(known)
                """,
                (position, stream),
            )
            if person is not None:
                connection.execute(
                    "INSERT INTO projection.joined VALUES (%s, %s, int8range(%s, NULL))", (stream, person, position)
                )


def _write_persons(
    connection: Connection, chronicle: Chronicle, known: Mapping[UUID, Days], first_position: Mapping[UUID, int]
) -> None:
    """The days ever entered, by person; a person's first row says at which position it was first heard of."""
    changed = chronicle.changed_held | (first_position.keys() - known.keys())
    if not changed:
        return
    rows = ((p, first_position.get(p, 0), days_multirange(chronicle.held.get(p, ()))) for p in sorted(changed))
    connection.execute("CREATE TEMP TABLE changed_person (LIKE projection.person) ON COMMIT DROP")
    columns = (("person", "uuid"), ("first_position", "int8"), ("held", "datemultirange"))
    copy(connection, "changed_person", columns, rows, schema="pg_temp")
    connection.execute(
        """
        INSERT INTO projection.person SELECT * FROM changed_person
        ON CONFLICT (person) DO UPDATE SET held = excluded.held
        """
    )


def copy(
    connection: Connection,
    table: LiteralString,
    columns: Sequence[tuple[str, str]],
    rows: Iterable[Sequence[Any]],
    *,
    schema: LiteralString = "projection",
) -> None:
    """Write rows into a table by binary COPY; nothing is sent when there is none."""
    rows = iter(rows)
    first = next(rows, None)
    if first is None:
        return
    statement = sql.SQL("COPY {}.{} ({}) FROM STDIN (FORMAT BINARY)").format(
        sql.Identifier(schema),
        sql.Identifier(table),
        sql.SQL(", ").join(sql.Identifier(name) for name, _ in columns),
    )
    with connection.cursor().copy(statement) as out:
        out.set_types([kind for _, kind in columns])
        out.write_row(first)
        for row in rows:
            out.write_row(row)
