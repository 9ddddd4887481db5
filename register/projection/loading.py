"""The register's tables filled by whole streams: each is read and folded once, ranges of streams side by side.

What stands in the tables is what the projector writes event by event (a test compares them). It is quicker because no
stream is read again for every batch that touches it, nothing written is changed again, and indexes are made at the end.
Each step is one transaction that notes itself, so that a load that was broken off goes on where it was.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby, islice
from operator import attrgetter
from typing import Any, Final
from uuid import UUID

import psycopg

from register.law.deletions import Days, audit_entries, entered_days, union
from register.law.dossier import Dossier, Stretch
from register.law.events import (
    AboutPerson,
    Annulment,
    ElectionCalled,
    ElectionConcluded,
    Event,
    FirstLoadDeclared,
    JmbReplaced,
    PollingStation,
    PollingStationAbolished,
    WrittenNoticeReceived,
)
from register.projection.chronicle import Chronicle
from register.projection.copying import copy, copy_rendered, for_copy
from register.projection.coverage import cover_whole
from register.projection.deficiencies import follow_deficiencies, note_options
from register.projection.forms import constraints, look_into
from register.projection.projector import Writes, take_election
from register.projection.punctuality import count_notices, settle_notices
from register.projection.rows import (
    AUDIT_COLUMNS,
    PERSON_COLUMNS,
    STRETCH_COLUMNS,
    audit_to_copy,
    person_to_copy,
    stretch_to_copy,
)
from register.store import Store
from register.store.reading import decode_rows
from register.store.subjects import streams_of

Connection = psycopg.Connection[Any]
Range = tuple[UUID, UUID]

#: Tables that are filled bare; their indexes are made when they are full. The others are small, or written by key.
BARE: Final = ("stretch", "person", "audit_entry", "coverage", "option")
#: Events in a range of streams, roughly: enough that the reading costs more than the asking.
_EVENTS_IN_RANGE: Final = 10_000
_BATCH: Final = 5_000
#: Among so many the municipalities are dealt out when addresses are covered; a broken load goes on with the same.
_SHARES: Final = 4
_ASIDE: Final = (
    Annulment, WrittenNoticeReceived, FirstLoadDeclared, ElectionCalled, ElectionConcluded, PollingStation,
    PollingStationAbolished,
)  # fmt: skip
_ROWS: Final = """
    SELECT notification_id, originator_id, originator_version, recorded_at, topic, state FROM store.event
    WHERE originator_id BETWEEN %s AND %s AND notification_id <= %s ORDER BY originator_id, originator_version
"""
_FIRST: Final = UUID(int=0)
_LAST: Final = UUID(int=2**128 - 1)


class Loader:
    """Fills the tables of ``schema`` with what the events up to ``upto`` give; one in each process.

    ``connection``, as the program, looks into that schema from now on. ``linked``: the streams that links, live or
    not, may connect.
    """

    def __init__(self, connection: Connection, store: Store, schema: str, upto: int, linked: Collection[UUID]) -> None:
        look_into(connection, schema)
        self._connection = connection
        self._store = store
        self._upto = upto
        self._linked = frozenset(linked)

    @contextmanager
    def _step(self, name: str) -> Iterator[bool]:
        """One transaction; whether the step is still to be done."""
        with self._connection.transaction():
            query = "INSERT INTO projection.loaded VALUES (%s) ON CONFLICT DO NOTHING"
            yield self._connection.execute(query, (name,)).rowcount == 1

    def range(self, streams: Range) -> None:
        """Whole streams of a range, but for those that are folded together."""
        with self._step(f"streams from {streams[0]}") as to_do:
            if not to_do:
                return
            rows = self._connection.execute(_ROWS, (*streams, self._upto), binary=True).fetchall()
            events = decode_rows(rows)
            people = Alone()
            whole = (list(found) for _, found in groupby(events, attrgetter("stream")))
            alone = (found for found in whole if found[0].stream not in self._linked and _is_about_person(found))
            copy_rendered(self._connection, "stretch", STRETCH_COLUMNS, people.stretches(alone))
            copy(self._connection, "audit_entry", for_copy(AUDIT_COLUMNS), people.audit)
            copy(self._connection, "person", for_copy(PERSON_COLUMNS), people.persons)
            note_options(self._connection, events)
            follow_deficiencies(self._connection, events)
            # Last: others wait for a row of these counts until this transaction ends.
            count_notices(self._connection, events)

    def linked(self) -> None:
        """The streams that links may connect, folded together by position."""
        with self._step("linked streams") as to_do:
            if to_do:
                streams = self._store.streams(self._linked, self._upto).values()
                self._people(sorted((e for events in streams for e in events), key=attrgetter("position")))

    def _people(self, events: Sequence[Event]) -> None:
        """Fold events of whole persons; those of one person are in order."""
        connection, chronicle, writes = self._connection, Chronicle({}, events, {}), Writes()
        copy_rendered(connection, "stretch", STRETCH_COLUMNS, writes.stretches(events, chronicle))
        writes.write_rest(connection, 0)
        persons = ((p, first, chronicle.held.get(p, ())) for p, first in writes.first_position.items())
        copy(connection, "person", for_copy(PERSON_COLUMNS), (person_to_copy(*person) for person in persons))

    def aside(self) -> None:
        """Elections, polling stations, and what is taken back or comes on paper: few, in order."""
        with self._step("aside") as to_do:
            events = self._store.events(upto=self._upto, topics=[kind.TOPIC for kind in _ASIDE]) if to_do else iter(())
            while batch := list(islice(events, _BATCH)):
                settle_notices(self._connection, self._store, batch)
                for event in batch:
                    take_election(self._connection, event)
                    if isinstance(event.data, PollingStation | PollingStationAbolished):
                        self._connection.execute(
                            "INSERT INTO projection.station VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
                            (event.stream, event.data.municipality, event.data.code),
                        )

    def share(self, number: int) -> None:
        """Cover the addresses of a share of the municipalities."""
        with self._step(f"addresses, share {number}") as to_do:
            if to_do:
                cover_whole(self._connection, self._store, self._upto, number, _SHARES)

    def index(self, name: str) -> None:
        """Make an index, or a primary key, of a full table."""
        with self._step(f"index {name}") as to_do:
            if to_do:
                self._connection.execute("SET LOCAL maintenance_work_mem TO '256MB'")
                self._connection.execute(constraints(BARE)[name].encode())


class Alone:
    """The rows of persons of one number, as nearly all are: what a chronicle and its writes come to, only sooner."""

    def __init__(self) -> None:
        self.audit: list[tuple[Any, ...]] = []
        self.persons: list[tuple[Any, ...]] = []

    def stretches(self, whole: Iterable[Sequence[Event]]) -> Iterator[bytes]:
        """The rows of stretches of each person; the others are gathered. ``whole``: streams, their events in order."""
        for events in whole:
            yield from self._fold(events[0].stream, events)

    def _fold(self, person: UUID, events: Sequence[Event]) -> Iterator[bytes]:
        dossier = Dossier()
        before: tuple[Stretch, ...] = ()
        since: list[int] = []
        days: Days = ()
        held: Days = ()
        for event in events:
            if not dossier.events and not isinstance(event.data, AboutPerson):
                continue
            after = dossier.add(event)
            if after == before:
                continue
            position, changed = event.position, False
            for stretch, known in zip(before, since, strict=True):
                if stretch not in after:
                    changed = changed or stretch.answer.entered
                    yield stretch_to_copy(person, stretch, known, position)
            known_since, since = since, []
            for stretch in after:
                if stretch in before:
                    since.append(known_since[before.index(stretch)])
                else:
                    changed = changed or stretch.answer.entered
                    since.append(position)
            if changed and (now := entered_days(after)) != days:  # otherwise nobody came or went
                entries = audit_entries({person: before}, {person: after}, {person: held}, event)
                self.audit.extend(audit_to_copy(entry, part) for part, entry in enumerate(entries, 1))
                days, held = now, union(held, now)
            before = after
        self.persons.append(person_to_copy(person, dossier.events[0].position, held))
        for stretch, known in zip(before, since, strict=True):
            yield stretch_to_copy(person, stretch, known, None)


def _is_about_person(events: Iterable[Event]) -> bool:
    return any(isinstance(event.data, AboutPerson) for event in events)


def ranges(connection: Connection, upto: int) -> list[Range]:
    """All streams, cut into ranges of roughly as many events each. Depends on the event store up to ``upto`` alone."""
    count = max(1, upto // _EVENTS_IN_RANGE)
    asked = [upto * n // (8 * count) + 1 for n in range(8 * count)] if count > 1 else []
    query = "SELECT originator_id FROM store.event WHERE notification_id = ANY(%s) ORDER BY originator_id"
    sample = [row[0] for row in connection.execute(query, (asked,))]
    borders = sorted({sample[len(sample) * n // count] for n in range(1, count)}) if sample else []
    firsts = [_FIRST, *(UUID(int=border.int + 1) for border in borders if border != _LAST)]
    return list(zip(firsts, [*borders, _LAST], strict=False))


def linked_streams(connection: Connection, store: Store, upto: int) -> set[UUID]:
    """Streams that a replacement of a number, live or not, names on either side, up to a position."""
    links = list(store.events(upto=upto, topics=[JmbReplaced.TOPIC]))
    numbers = {event.data.new_jmb for event in links if isinstance(event.data, JmbReplaced)}
    found = streams_of(connection, [f"jmb:{number}" for number in sorted(numbers)])
    return {event.stream for event in links} | set(found.values())


def shares() -> range:
    """What :meth:`Loader.share` is called with, one after the other or side by side."""
    return range(_SHARES)
