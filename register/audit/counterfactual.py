"""Whom late notices put on or off a concluded roll, or on another list of it (Art. 3.5(5)).

What is asked: had every notice come within its 2 days, who would have stood where? The notices recorded after the
conclusion that should have come by its day are taken as known at it, and the persons they touch are folded again with
the law the roll was made by. Not taken: annulments, which report no change, and what they annul; what a declared first
load brought, which is not measured.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from itertools import combinations
from typing import Any, Final, Literal, NamedTuple
from uuid import UUID

import msgspec
import psycopg

from register.law.calendar import civil_day
from register.law.dossier import live
from register.law.events import (
    NOTICE_TYPES,
    SOURCE_PREFIX,
    AboutPerson,
    Annulment,
    ControlTotal,
    ElectionCalled,
    Event,
    JmbReplaced,
    PollingStation,
    PollingStationAbolished,
)
from register.law.persons import persons
from register.law.rolls import Roll, RollEntry, residence_of, roll_of, stand
from register.law.territory import Coverage
from register.law.timeliness import effective_day, in_time_by, within_first_load
from register.projection.links import linked_streams
from register.store import Store
from register.store.subjects import streams_of_kind

Connection = psycopg.Connection[Any]
#: How a person would have stood otherwise: on the roll, off it, counted in another municipality, on another list there.
Change = Literal["on", "off", "municipality", "list"]
CHANGES: Final[tuple[Change, ...]] = ("on", "off", "municipality", "list")
Streams = Mapping[UUID, Sequence[Event]]

#: So many streams are folded at a time.
_AT_ONCE: Final = 1_000
_TOPICS: Final = [kind.TOPIC for kind in NOTICE_TYPES if kind is not ControlTotal]
_FIRST_LOADS: Final = """
    SELECT DISTINCT ON (authority) authority, until FROM projection.first_load WHERE position <= %s
    ORDER BY authority, position DESC
"""


class Place(msgspec.Struct, frozen=True):
    """The one list on which a voter of a roll stands."""

    list: str
    municipality: str
    station: str | None
    mission: str | None


class Changed(msgspec.Struct, frozen=True):
    """A person who would have stood otherwise.

    ``authorities``: whose late notices did it; several where only together. The fewest that bring about what all
    together do; of as few, those of which a late notice was recorded first.
    """

    person: UUID
    change: Change
    authorities: tuple[str, ...]
    as_concluded: Place | None
    in_time: Place | None


class Late(NamedTuple):
    """The late notices after a conclusion: about persons by stream, about stations by municipality."""

    persons: dict[UUID, list[Event]]
    stations: dict[str, list[Event]]


class Concluded(NamedTuple):
    """A concluded election: its call, the position and instant of its conclusion, the codes of all municipalities."""

    called: ElectionCalled
    conclusion: int
    at: datetime
    municipalities: Collection[str]


def counterfactual(connection: Connection, store: Store, of: Concluded, *, upto: int) -> list[Changed]:
    """Everybody who would have stood otherwise, by person, by what is recorded up to ``upto`` (Art. 3.5(5)).

    The tables rest on ``upto`` or a later position, and hold the frozen roll.
    """
    late = late_notices(connection, store, of, upto=upto)
    world = _World(connection, store, of, late)
    found: list[Changed] = []
    done: set[UUID] = set()
    touched = sorted(late.persons.keys() | _residents(connection, of.called.election, late.stations))
    for at in range(0, len(touched), _AT_ONCE):
        streams = linked_streams(connection, [s for s in touched[at : at + _AT_ONCE] if s not in done]) - done
        done |= streams
        for group in _groups(store.streams(streams, upto=of.conclusion - 1), late.persons):
            found.extend(world.changed(group))
    return sorted(found, key=lambda changed: changed.person)


def late_notices(connection: Connection, store: Store, of: Concluded, *, upto: int) -> Late:
    """The notices recorded after the conclusion that should have come by its day, and that nobody took back."""
    day = civil_day(of.at)
    loads = dict(connection.execute(_FIRST_LOADS, (upto,)).fetchall())
    taken: list[Event] = []
    annulled: set[tuple[str, str]] = set()
    for event in store.events(after=of.conclusion, upto=upto, topics=_TOPICS):
        if isinstance(event.data, Annulment):
            annulled.add((event.source, event.data.annuls))
        elif _is_late(event, day, loads):
            taken.append(event)
    late = Late({}, {})
    for event in taken:
        if (event.source, event.id) in annulled:
            continue
        if isinstance(event.data, PollingStation | PollingStationAbolished):
            late.stations.setdefault(event.data.municipality, []).append(event)
        else:
            late.persons.setdefault(event.stream, []).append(event)
    return late


def _is_late(event: Event, day: date, loads: Mapping[str, date]) -> bool:
    effective_on = effective_day(event.data)
    if effective_on is None or not in_time_by(effective_on, day):
        return False
    return not within_first_load(civil_day(event.recorded_at), loads.get(_sender(event)))


def _sender(event: Event) -> str:
    return event.source.removeprefix(SOURCE_PREFIX)


def _residents(connection: Connection, election: str, municipalities: Iterable[str]) -> set[UUID]:
    """Who stands on the roll and resides where a notice about a polling station came late."""
    query = "SELECT person FROM projection.roll WHERE election = %s AND residence = ANY(%s)"
    return {person for (person,) in connection.execute(query, (election, list(municipalities)))}


class _Group(NamedTuple):
    """The streams that links may connect, with the events known at the conclusion, and their late ones."""

    known: dict[UUID, Sequence[Event]]
    late: list[Event]


def _groups(known: Streams, late: Streams) -> Iterator[_Group]:
    """Streams apart, as far as links, known or late, do not connect them."""
    events = {stream: [*known[stream], *late.get(stream, ())] for stream in known}
    stream_of = {e.data.jmb: s for s, every in events.items() for e in every if isinstance(e.data, AboutPerson)}
    leads_to: dict[UUID, UUID] = {}

    def end(stream: UUID) -> UUID:
        while (further := leads_to.get(stream, stream)) != stream:
            stream = further
        return stream

    for stream, every in events.items():
        for event in every:
            if isinstance(event.data, JmbReplaced):
                # A number nobody has reported on yet still connects those it replaces.
                other = stream_of.setdefault(event.data.new_jmb, stream)
                leads_to[end(stream)] = end(other)
    together: dict[UUID, list[UUID]] = {}
    for stream in sorted(events):
        together.setdefault(end(stream), []).append(stream)
    for streams in together.values():
        of_late = sorted((e for s in streams for e in late.get(s, ())), key=lambda event: event.position)
        yield _Group({s: known[s] for s in streams}, of_late)


class _World:
    """How persons stand on a roll when the late notices of some authorities are taken as known."""

    def __init__(self, connection: Connection, store: Store, of: Concluded, late: Late) -> None:
        self._roll: Roll = roll_of(of.called, of.municipalities)
        self._late = late.stations
        self._stations: dict[str, list[Event]] = {}
        streams = store.streams(streams_of_kind(connection, "station"), upto=of.conclusion - 1)
        for event in (event for events in streams.values() for event in live(events)):
            if isinstance(event.data, PollingStation | PollingStationAbolished):
                self._stations.setdefault(event.data.municipality, []).append(event)
        self._coverage: dict[tuple[str, frozenset[str]], Coverage] = {}

    def changed(self, group: _Group) -> Iterator[Changed]:
        """Who of a group would have stood otherwise, and by whose notices."""
        senders = list(dict.fromkeys(_sender(e) for e in group.late))
        homes = self._homes(group)
        senders += sorted({_sender(e) for home in homes for e in self._late.get(home, ())} - set(senders))
        before, after = self._standing(group, ()), self._standing(group, senders)
        stood = {(): before, tuple(senders): after}
        for person in sorted(before.keys() | after.keys()):
            was, would = before.get(person), after.get(person)
            if was == would:
                continue
            for some in (some for count in range(1, len(senders) + 1) for some in combinations(senders, count)):
                if some not in stood:
                    stood[some] = self._standing(group, some)
                if stood[some].get(person) == would:
                    yield Changed(person, _change(was, would), tuple(sorted(some)), was, would)
                    break

    def _homes(self, group: _Group) -> set[str]:
        """Where those of a group may reside at the conclusion, with all late notices known or only some."""
        data = [e.data for events in (*group.known.values(), group.late) for e in events]
        return {home for each in data if (home := getattr(each, "municipality", None)) is not None}

    def _standing(self, group: _Group, senders: Collection[str]) -> dict[UUID, Place]:
        """Person -> place on the roll, of those who are on it."""
        late: dict[UUID, list[Event]] = {}
        for event in group.late:
            if _sender(event) in senders:
                late.setdefault(event.stream, []).append(event)
        streams = {s: [*events, *late.get(s, ())] for s, events in group.known.items() if events or s in late}
        found = {}
        for person, events in persons(streams).items():
            home = residence_of(events, self._roll)
            entry = stand(events, self._roll, None if home is None else self._covering(home, senders))
            if entry is not None:
                found[person] = _place(entry)
        return found

    def _covering(self, municipality: str, senders: Collection[str]) -> Coverage:
        late = [event for event in self._late.get(municipality, ()) if _sender(event) in senders]
        key = (municipality, frozenset(map(_sender, late)))
        if key not in self._coverage:
            self._coverage[key] = Coverage(municipality, [*self._stations.get(municipality, ()), *late])
        return self._coverage[key]


def _place(entry: RollEntry) -> Place:
    return Place(entry.list_kind, entry.municipality, entry.station, entry.mission)


def _change(was: Place | None, would: Place | None) -> Change:
    if was is None:
        return "on"
    if would is None:
        return "off"
    return "list" if was.municipality == would.municipality else "municipality"
