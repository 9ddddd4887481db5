"""The register folded again from the event store alone, as of any knowledge and any day, as CSV.

Nothing of the projection takes part, not even its tables of links and stations: what comes out is what the law says of
the events. Whole streams at a time, so that each is read and folded once; ranges of streams are shared among processes.
"""

from __future__ import annotations

import csv
import heapq
import io
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import date, datetime
from typing import Final, Protocol
from uuid import UUID

import msgspec

from register.audit.processes import Workers
from register.audit.reading import (
    Connection,
    Range,
    Source,
    decoded,
    head,
    held_still,
    linked_streams,
    one,
    ranges,
    rows_by_stream,
    rows_of,
    station_streams,
)
from register.law.dossier import Answer, Stretch, live, timeline
from register.law.events import AboutPerson, Event
from register.law.franchise import ALWAYS, FOREVER
from register.law.parameters import LAW, Law
from register.law.persons import persons
from register.law.territory import Coverage, station_on

#: The members of the voter answer (contract, section 3) by which a row is known; empty where there is none. Grounds
#: are parted by a space. The position is the same for all rows and not repeated in each.
COLUMNS: Final = (
    "person", "jmb", "entered", "grounds", "surname", "given_name", "parent_name", "sex", "born_on", "municipality",
    "settlement", "street", "house_number", "counts_in", "entity", "voting_option", "mobile_team", "polling_station",
    "marked_deceased", "from", "to",
)  # fmt: skip

#: (events folded, all events): how far the work is.
Progress = Callable[[int, int], None]
#: Person, the line, whether entered.
_Line = tuple[UUID, bytes, bool]


class Sink(Protocol):
    """Where the bytes go."""

    def write(self, piece: bytes, /) -> object:
        """Append bytes."""


class Replayed(msgspec.Struct, frozen=True):
    """What a replay rests on and gave: position and day, events folded, rows written, and how many were entered."""

    position: int
    on: date
    events: int
    persons: int
    entered: int


class _Task(msgspec.Struct):
    """A range of streams, and the lines of persons with several numbers that belong between its own."""

    streams: Range
    aside: list[_Line]


class _Part(msgspec.Struct):
    """What became of a range: lines in the order of persons."""

    lines: bytes
    events: int = 0
    persons: int = 0
    entered: int = 0


def replay(
    dsn: str,
    *,
    known_at: int | datetime | None = None,
    on: date,
    out: Sink,
    processes: int = 1,
    progress: Progress = lambda _done, _all: None,
    law: Law = LAW,
) -> Replayed:
    """Write everybody known at ``known_at`` as the register had them for the day ``on``, by person, as CSV.

    ``dsn`` connects as ``cvr_app``. ``known_at``: a position, an instant (the last position recorded at or before it),
    or None for all that is recorded. ``law``: the rule sets by which days are judged, instead of those in force on
    them. The bytes do not depend on ``processes``. Raises ValueError for a position beyond
    the head, and what decoding raises for an event that cannot be read (``cvr verify`` names it).
    """
    with held_still(dsn) as (source, connection):
        position = _position(connection, known_at)
        linked = linked_streams(connection, position)
        folder = _Folder(source, position, on, linked, station_streams(connection, position), law)
        aside, total = folder.linked(connection)
        out.write(_csv([COLUMNS]))
        tasks = [_Task(part, _within(aside, part)) for part in ranges(connection, position)]
        persons_, entered = 0, 0
        with Workers(processes, {"fold": (_Folder, folder.arguments)}) as workers:
            for part in workers.each("fold", tasks):
                out.write(part.lines)
                total, persons_, entered = total + part.events, persons_ + part.persons, entered + part.entered
                progress(total, position)
    return Replayed(position, on, total, persons_, entered)


class _Folder:
    """Folds ranges of streams in one process."""

    def __init__(
        self, source: Source, position: int, on: date, linked: Collection[UUID], stations: Sequence[UUID], law: Law
    ) -> None:
        self.arguments = (source, position, on, linked, stations, law)
        self._source, self._position, self._on, self._linked, self._stations, self._law = self.arguments
        self._station_events: list[Event] | None = None
        self._coverage: dict[str, Coverage] = {}

    def __call__(self, task: _Task) -> _Part:
        """The lines of a range."""
        part = _Part(b"")
        with self._source.connect() as connection:
            self._read_stations(connection)
            lines = list(heapq.merge(self._lines(connection, task.streams, part), task.aside))
        part.lines = b"".join(line for _, line, _ in lines)
        part.persons = len(lines)
        part.entered = sum(entered for *_, entered in lines)
        return part

    def linked(self, connection: Connection) -> tuple[list[_Line], int]:
        """The lines of persons with several numbers, in order, and how many events they have."""
        self._read_stations(connection)
        streams: dict[UUID, list[Event]] = {}
        events = decoded(rows_of(connection, self._linked, self._position))
        for event in events:
            streams.setdefault(event.stream, []).append(event)
        whole = ((person, timeline(found, self._law)) for person, found in sorted(persons(streams).items()))
        return list(self._written(whole)), len(events)

    def _lines(self, connection: Connection, streams: Range, part: _Part) -> Iterator[_Line]:
        return self._written(self._timelines(connection, streams, part))

    def _timelines(
        self, connection: Connection, streams: Range, part: _Part
    ) -> Iterator[tuple[UUID, Sequence[Stretch]]]:
        for stream, rows in rows_by_stream(connection, self._position, streams):
            if stream in self._linked:
                continue
            part.events += len(rows)
            events = decoded(rows)
            if any(isinstance(event.data, AboutPerson) for event in events):
                yield stream, timeline(events, self._law)

    def _written(self, timelines: Iterable[tuple[UUID, Sequence[Stretch]]]) -> Iterator[_Line]:
        on = self._on
        for person, stretches in timelines:
            for stretch in stretches:
                if stretch.from_ <= on < stretch.to:
                    yield person, _csv([self._row(person, stretch, stretch.answer)]), stretch.answer.entered

    def _row(self, person: UUID, stretch: Stretch, a: Answer) -> tuple[object, ...]:
        return (
            person, a.jmb, _bool(a.entered), " ".join(a.grounds), a.surname, a.given_name, a.parent_name, a.sex,
            a.born_on, a.municipality, a.settlement, a.street, a.house_number, a.counts_in, a.entity, a.voting_option,
            _bool(a.mobile_team), self._polling_station(a), _bool(a.marked_deceased),
            None if stretch.from_ == ALWAYS else stretch.from_, None if stretch.to == FOREVER else stretch.to,
        )  # fmt: skip

    def _polling_station(self, a: Answer) -> str | None:
        """The regular station that covers the address of who votes where he or she lives."""
        address = a.voting_address
        if address is None:
            return None
        coverage = self._coverage.get(address.municipality)
        if coverage is None:
            coverage = self._coverage[address.municipality] = Coverage(address.municipality, self._station_events or ())
        covering = station_on(coverage.resolve(address), self._on)
        return None if covering is None else covering.station

    def _read_stations(self, connection: Connection) -> None:
        if self._station_events is None:
            self._station_events = live(decoded(rows_of(connection, self._stations, self._position)))


def _position(connection: Connection, known_at: int | datetime | None) -> int:
    last = head(connection)
    if known_at is None:
        return last
    if isinstance(known_at, datetime):
        if known_at.tzinfo is None:
            raise ValueError("an instant needs an offset from UTC")
        return one(connection, "SELECT store.position_at(%s)", (known_at,))
    if not 0 <= known_at <= last:
        raise ValueError(f"there is no position {known_at}; the last one is {last}")
    return known_at


def _within(lines: Iterable[_Line], streams: Range) -> list[_Line]:
    return [line for line in lines if streams[0] <= line[0] <= streams[1]]


def _bool(value: bool) -> str:
    return "true" if value else "false"


def _csv(rows: Iterable[Sequence[object]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()
