"""What a row of a replay says, and how the lines of many parts become one text, in the order of persons.

Nothing of the projection takes part, not even its tables of links and stations: what comes out is what the law says of
the events.
"""

from __future__ import annotations

import csv
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from functools import lru_cache
from typing import Final, NamedTuple, Protocol
from uuid import UUID

import msgspec

from register.audit.reading import Range
from register.law.dossier import Stretch, timeline
from register.law.events import Event
from register.law.franchise import ALWAYS, FOREVER
from register.law.parameters import Law
from register.law.persons import persons
from register.law.territory import DayCoverage

#: The members of the voter answer (contract, section 3) by which a row is known; empty where there is none. Grounds
#: are parted by a space. The position is the same for all rows and not repeated in each.
COLUMNS: Final = (
    "person", "jmb", "entered", "grounds", "surname", "given_name", "parent_name", "sex", "born_on", "municipality",
    "settlement", "street", "house_number", "counts_in", "entity", "voting_option", "mobile_team", "polling_station",
    "marked_deceased", "from", "to",
)  # fmt: skip

#: (events folded, all events): how far the work is.
Progress = Callable[[int, int], None]


class PositionError(ValueError):
    """There is no such position, or the instant given is none."""


class Sink(Protocol):
    """Where the bytes go: the header, then whole lines, any number of them at a time."""

    def write(self, piece: bytes, /) -> object:
        """Append bytes."""


class Replayed(msgspec.Struct, frozen=True):
    """What a replay rests on and gave: position and day, events folded, rows written, and how many were entered."""

    position: int
    on: date
    events: int
    persons: int
    entered: int


class Line(NamedTuple):
    """The line of a person."""

    person: UUID
    text: bytes
    entered: bool


class Part(msgspec.Struct):
    """What became of a range of streams: its lines in the order of persons, cut before each of the persons asked."""

    pieces: list[bytes] = []
    events: int = 0
    persons: int = 0
    entered: int = 0


def row(person: UUID, stretch: Stretch, station: str | None) -> tuple[str, ...]:
    """The values of :data:`COLUMNS`; ``station``: the one that covers the address on the day."""
    a = stretch.answer
    return (
        _id(person), a.jmb, "true" if a.entered else "false", " ".join(a.grounds),
        a.surname or "", a.given_name or "", a.parent_name or "", a.sex or "", _day(a.born_on),
        a.municipality or "", a.settlement or "", a.street or "", a.house_number or "",
        a.counts_in or "", a.entity or "", a.voting_option, "true" if a.mobile_team else "false", station or "",
        "true" if a.marked_deceased else "false", _day(stretch.from_), _day(stretch.to),
    )  # fmt: skip


def _id(person: UUID) -> str:
    """The same as str(), sooner."""
    digits = person.bytes.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


@lru_cache(1 << 12)
def _day(day: date | None) -> str:
    """A day as it is written; nothing for one that is not known, or an open end."""
    return "" if day is None or day in (ALWAYS, FOREVER) else day.isoformat()


class Teller:
    """Tells the line of a person for one day, with the polling station. ``coverage``: that of the day."""

    def __init__(self, on: date, coverage: DayCoverage) -> None:
        self._on = on
        self._coverage = coverage

    def lines(self, timelines: Iterable[tuple[UUID, Sequence[Stretch]]]) -> Iterator[Line]:
        """The line of everybody of whom something is known, in the order given."""
        for person, stretches in timelines:
            for stretch in stretches:
                if stretch.from_ <= self._on < stretch.to:
                    address = stretch.answer.voting_address
                    station = None if address is None else self._coverage.station(address)
                    yield Line(person, csv_line(row(person, stretch, station)), stretch.answer.entered)

    def linked_lines(self, events: Iterable[Event], law: Law) -> list[Line]:
        """The lines of persons with several numbers, in order; ``events``: those of all streams that may be linked."""
        streams: dict[UUID, list[Event]] = {}
        for event in events:
            streams.setdefault(event.stream, []).append(event)
        whole = ((person, timeline(found, law)) for person, found in sorted(persons(streams).items()))
        return list(self.lines(whole))


def cut(lines: Iterable[Line], before: Sequence[UUID], part: Part) -> Part:
    """Gather lines into ``part``, one piece more than there are persons in ``before``: each begins a new one.

    So the lines of others can be put between them by whoever puts parts together.
    """
    pieces: list[list[bytes]] = [[]]
    for line in lines:
        while len(pieces) <= len(before) and before[len(pieces) - 1] < line.person:
            pieces.append([])
        pieces[-1].append(line.text)
        part.persons += 1
        part.entered += line.entered
    pieces += [[] for _ in range(len(before) + 1 - len(pieces))]
    part.pieces = [b"".join(piece) for piece in pieces]
    return part


class Whole:
    """Puts parts together, and between their lines those of persons with several numbers."""

    def __init__(self, out: Sink, linked: Iterable[Line], events: int) -> None:
        """``linked``: the lines of persons with several numbers, in order, whose events are ``events``."""
        self._out = out
        self._linked: Mapping[UUID, Line] = {line.person: line for line in linked}
        self._order = list(self._linked)
        self.events = events
        self._persons = 0
        self._entered = 0
        out.write(csv_line(COLUMNS))

    def within(self, streams: Range) -> list[UUID]:
        """The persons with several numbers whose place is in a range, in order: where its lines are to be cut."""
        return self._order[bisect_left(self._order, streams[0]) : bisect_right(self._order, streams[1])]

    def take(self, part: Part, before: Collection[UUID]) -> None:
        """Write a part that was cut before these persons, and their lines."""
        first, *others = part.pieces
        self._write(first)
        for person, piece in zip(before, others, strict=True):
            line = self._linked[person]
            self._write(line.text)
            self._write(piece)
            self._persons += 1
            self._entered += line.entered
        self._persons += part.persons
        self._entered += part.entered
        self.events += part.events

    def done(self, position: int, on: date) -> Replayed:
        """What came out."""
        return Replayed(position, on, self.events, self._persons, self._entered)

    def _write(self, piece: bytes) -> None:
        if piece:
            self._out.write(piece)


class _Echo:
    """What a writer of CSV writes to, to have the line back."""

    @staticmethod
    def write(text: str) -> str:
        return text


_to_csv: Final = csv.writer(_Echo, lineterminator="\n").writerow


def csv_line(values: Sequence[str]) -> bytes:
    """A row of several texts as a line of CSV."""
    line = ",".join(values)
    if line.count(",") >= len(values) or '"' in line or "\n" in line or "\r" in line:  # rare: something is quoted
        return str(_to_csv(values)).encode()
    return (line + "\n").encode()


def check_instant(instant: datetime) -> None:
    """Raises :class:`PositionError` for an instant without a zone."""
    if instant.tzinfo is None:
        raise PositionError("an instant needs an offset from UTC")


def check_position(position: int, last: int) -> int:
    """The position. Raises :class:`PositionError` where there is none of that number."""
    if not 0 <= position <= last:
        raise PositionError(f"there is no position {position}; the last one is {last}")
    return position
