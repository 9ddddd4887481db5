"""The projector: event store -> tables, with its position in the same transaction, so that each event counts once.

It reads a batch, gathers the streams it touches in one query, folds each event at its own position
(:mod:`register.projection.chronicle`), writes the changed rows by COPY while it folds, so that the database works
meanwhile, and moves the position. Results do not depend on the size of the batch. Events about polling stations change
coverage, never a voter's stretches.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec
import psycopg
from psycopg.types.json import Jsonb

from register.law.deletions import Days
from register.law.dossier import Answer, Stretch
from register.law.events import (
    AboutDeficiency,
    AboutPerson,
    Annulment,
    ControlTotal,
    ElectionCalled,
    ElectionConcluded,
    Event,
    FirstLoadDeclared,
    JmbReplaced,
    LogKeyAnnounced,
    LogKeyRetired,
    PollingStation,
    PollingStationAbolished,
    RequestSigned,
    SenderKeyRegistered,
    SenderKeyRevoked,
    WrittenNoticeReceived,
)
from register.law.territory import Address
from register.projection.chronicle import Change, Chronicle
from register.projection.copying import array, copy, copy_rendered, for_copy, written_days
from register.projection.coverage import NewAddresses, follow_coverage, leave_new_addresses, take_new_addresses
from register.projection.deficiencies import follow_deficiencies, note_options
from register.projection.forms import check_following
from register.projection.links import streams_with
from register.projection.parts import (
    ALL,
    COMMON,
    PERSONS,
    TOGETHER,
    Step,
    begin,
    bounds,
    events_of,
    lock,
    lock_step,
    move,
    position_of,
)
from register.projection.punctuality import follow_timeliness
from register.projection.rows import (
    AUDIT_COLUMNS,
    PERSON_COLUMNS,
    STRETCH_COLUMNS,
    address_key,
    audit_to_copy,
    days_of,
    person_to_copy,
    stretch_to_copy,
)
from register.store import Store
from register.store.subjects import subjects_of

Connection = psycopg.Connection[Any]

__all__ = ["BATCH", "RivalProjectorError", "copy", "follow", "position_of", "take_election"]

BATCH = 5_000
#: What is about no person and no election; the streams of authorities grow long.
_OF_AUTHORITIES = (
    AboutDeficiency
    | ControlTotal
    | FirstLoadDeclared
    | LogKeyAnnounced
    | LogKeyRetired
    | RequestSigned
    | SenderKeyRegistered
    | SenderKeyRevoked
    | WrittenNoticeReceived
)


class RivalProjectorError(Exception):
    """Another projector moved the position meanwhile; nothing was written."""


class UnfaithfulTablesError(Exception):
    """The tables do not hold what the events gave before; nothing was written. ``cvr verify`` says where."""

    def __init__(self, position: int) -> None:
        super().__init__(f"the register's tables are not what the events up to position {position} give")


def follow(
    connection: Connection,
    store: Store,
    *,
    limit: int = BATCH,
    upto: int | None = None,
    parts: Collection[int] = ALL,
) -> int:
    """Take the next events of these parts, none behind ``upto``, into the tables, in one transaction.

    How many positions that were; 0: there is nothing new, or other parts must come further first. Raises
    :class:`RivalProjectorError` when a rival moved a position, ``OtherFormError`` for tables of another form, which a
    program of another host may have put in place.
    """
    with connection.transaction():
        begin(connection)
        check_following(connection)
        step = lock(connection, parts)
        if step is None:
            return 0
        if COMMON in step.parts:
            return _follow(connection, store, step, limit, upto)
        end, replacement = bounds(connection, step.after, _least(step.after + limit, step.upto, upto))
        if replacement is None or replacement > step.after + 1:
            return _follow_persons(connection, store, step, end if replacement is None else replacement - 1)
    # Without the locks so far: who waits for them may hold those that are wanted now.
    with connection.transaction():
        begin(connection)
        check_following(connection)
        step = Step(frozenset(PERSONS), step.after, None)
        if not lock_step(connection, step):
            return 0
        end, _ = bounds(connection, step.after, _least(step.after + min(limit, TOGETHER), upto))
        return _follow_persons(connection, store, step, end)


def _follow(connection: Connection, store: Store, step: Step, limit: int, upto: int | None) -> int:
    """A batch of all parts, or of the common part alone."""
    batch = list(store.events(after=step.after, upto=_least(None, step.upto, upto), limit=limit))
    if not batch:
        return 0
    follow_deficiencies(connection, batch)
    note_options(connection, batch)
    follow_timeliness(connection, store, batch)
    for event in batch:
        if isinstance(event.data, ElectionCalled | ElectionConcluded):
            take_election(connection, event)
    stations, others = _apart(connection, batch)
    here = batch[-1].position
    addresses = (
        _take(connection, store, others, step.after) if len(step.parts) > 1 else take_new_addresses(connection, here)
    )
    follow_coverage(connection, store, addresses, stations, here)
    _move(connection, step, here)
    return len(batch)


def _follow_persons(connection: Connection, store: Store, step: Step, upto: int) -> int:
    """A batch of parts of persons; new addresses are left to the common part."""
    if upto <= step.after:
        return 0
    _, batch = _apart(connection, events_of(connection, step, upto))
    if batch:
        leave_new_addresses(connection, _take(connection, store, batch, step.after))
    _move(connection, step, upto)
    return upto - step.after


def _move(connection: Connection, step: Step, upto: int) -> None:
    if not move(connection, step, upto):
        raise RivalProjectorError


def _least(*bounds: int | None) -> int | None:
    return min((bound for bound in bounds if bound is not None), default=None)


def _apart(connection: Connection, batch: Sequence[Event]) -> tuple[list[Event], list[Event]]:
    """The events about polling stations (annulments of them too), and those about people; each in order."""
    annulled = [e.stream for e in batch if isinstance(e.data, Annulment)]
    rows = connection.execute("SELECT stream FROM projection.station WHERE stream = ANY(%s)", (annulled,)).fetchall()
    streams = {stream for (stream,) in rows}
    streams.update(e.stream for e in batch if isinstance(e.data, PollingStation | PollingStationAbolished))
    aside = streams | {e.stream for e in batch if isinstance(e.data, _OF_AUTHORITIES)}
    aside |= {s for s, subject in subjects_of(connection, annulled).items() if subject.startswith("authority:")}
    others = [e for e in batch if e.stream not in aside]
    return [e for e in batch if e.stream in streams], others


def _take(connection: Connection, store: Store, batch: Sequence[Event], upto: int) -> NewAddresses:
    """Fold events about people, write what changed; the addresses that stretches began to have."""
    streams = streams_with(connection, batch)
    # A stream begins with version 1: of one that begins in this batch nothing was known before.
    earlier = streams - {e.stream for e in batch if e.version == 1}
    known = _held(connection, earlier)
    chronicle = Chronicle(store.streams(earlier, upto=upto) if earlier else {}, batch, known)
    writes = Writes()
    copy_rendered(connection, "stretch", STRETCH_COLUMNS, writes.stretches(batch, chronicle))
    writes.write_rest(connection, upto)
    _write_persons(connection, chronicle, known, writes.first_position)
    return writes.addresses


def _held(connection: Connection, streams: Collection[UUID]) -> dict[UUID, Days]:
    if not streams:
        return {}
    rows = connection.execute(
        "SELECT person, held FROM projection.person WHERE person = ANY(%s::uuid[])", (array(streams),), binary=True
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
    """The rows a batch changes; those of stretches are given as they come, the others gathered."""

    def __init__(self) -> None:
        #: By person, stretches that began to be known in this batch and still are, and from which position on. Few
        #: each: looking through them is quicker than to make a digest of every answer.
        self._opened: dict[UUID, list[tuple[Stretch, int]]] = {}
        self._closed: list[tuple[UUID, Stretch, int]] = []
        self._audit: list[tuple[Any, ...]] = []
        self._links: list[tuple[Any, ...]] = []
        self._joined: list[tuple[UUID, UUID | None, int]] = []
        #: Streams first heard of in this batch, or not; the tables know which.
        self.first_position: dict[UUID, int] = {}
        #: (municipality, address key) -> the address, and the position at which a stretch of this batch first had it.
        self.addresses: NewAddresses = {}

    def stretches(self, batch: Iterable[Event], chronicle: Chronicle) -> Iterator[bytes]:
        """Feed the events; rows to be copied: stretches known for a while, then those that still are."""
        for event in batch:
            if isinstance(event.data, AboutPerson) or chronicle.knows(event.stream):
                yield from self._take(event, chronicle.feed(event))
        for person, standing in self._opened.items():
            for stretch, since in standing:
                yield stretch_to_copy(person, stretch, since, None)

    def _take(self, event: Event, change: Change) -> Iterator[bytes]:
        position = event.position
        self.first_position.setdefault(event.stream, position)
        for person, stretch in change.closed:
            since = self._no_longer(person, stretch)
            if since is None:
                self._closed.append((person, stretch, position))
            else:
                yield stretch_to_copy(person, stretch, since, position)
        for person, stretch in change.opened:
            self._opened.setdefault(person, []).append((stretch, position))
            self._note_address(stretch.answer, position)
        if change.audit:
            parts: Counter[UUID] = Counter()
            for entry in change.audit:
                parts[entry.person] += 1
                self._audit.append(audit_to_copy(entry, parts[entry.person]))
        if isinstance(event.data, JmbReplaced):
            self._links.append((position, event.stream.bytes, event.data.new_jmb))
        self._joined.extend((stream, person, position) for stream, person in change.joined)

    def _no_longer(self, person: UUID, stretch: Stretch) -> int | None:
        """Since when a stretch of this batch was known that is no longer; None when it began before the batch."""
        standing = self._opened.get(person, [])
        for number, (known, since) in enumerate(standing):
            if known is stretch or known == stretch:
                del standing[number]
                return since
        return None

    def _note_address(self, a: Answer, position: int) -> None:
        if a.municipality is not None:
            place = (a.municipality, address_key(a.settlement, a.street, a.house_number))
            if place not in self.addresses:
                self.addresses[place] = Address(a.municipality, a.settlement, a.street, a.house_number), position

    def write_rest(self, connection: Connection, upto: int) -> None:
        """End what was known at ``upto``, before this batch, and is no longer; write all but the stretches."""
        if self._closed:
            persons, stretches, positions = zip(*self._closed, strict=True)
            ended = connection.execute(
                """
                UPDATE projection.stretch s SET known = int8range(lower(s.known), c.position)
                FROM unnest(%s::uuid[], %s::daterange[], %s::int8[]) AS c(person, days, position)
                WHERE s.person = c.person AND s.days = c.days AND upper_inf(s.known) AND lower(s.known) <= %s
                """,
                (array(persons), array(f'"{written_days(s.from_, s.to)}"' for s in stretches), array(positions), upto),
            )
            if ended.rowcount != len(self._closed):
                raise UnfaithfulTablesError(upto)
        copy(connection, "audit_entry", for_copy(AUDIT_COLUMNS), self._audit)
        copy(connection, "link", for_copy((("position", "int8"), ("stream", "uuid"), ("new_jmb", "text"))), self._links)
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
    rows = (person_to_copy(p, first_position.get(p, 0), chronicle.held.get(p, ())) for p in sorted(changed))
    connection.execute("CREATE TEMP TABLE changed_person (LIKE projection.person)")
    copy(connection, "changed_person", for_copy(PERSON_COLUMNS), rows, schema="pg_temp")
    connection.execute(
        """
        INSERT INTO projection.person SELECT * FROM changed_person
        ON CONFLICT (person) DO UPDATE SET held = excluded.held
        """
    )
    connection.execute("DROP TABLE pg_temp.changed_person")
