"""The event store stream by stream, and the register and audit log that must have come of it, person by person."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from operator import attrgetter, itemgetter
from typing import Any, Final
from uuid import UUID

import msgspec

from register.audit.reading import (
    Connection,
    Range,
    Row,
    Source,
    decoded,
    grouped,
    rows_by_stream,
    rows_of,
    streamed,
    together,
)
from register.audit.verify.findings import Findings
from register.audit.verify.folding import BETWEEN, NAMES, TABLES, Folded, audit_as_read, fold
from register.audit.verify.tallies import Tallies
from register.law.events import AboutPerson, Annulment, Event, subject_of
from register.projection.links import groups
from register.projection.parts import COMMON, part_of

_SUBJECTS: Final = "SELECT stream::text, subject FROM store.subject WHERE stream BETWEEN %s AND %s ORDER BY stream"
_ENTERED, _COUNTS_IN, _MUNICIPALITY = (NAMES.index(name) for name in ("entered", "counts_in", "municipality"))
_KNOWN_FROM, _KNOWN_TO = NAMES.index("known_from"), NAMES.index("known_to")
#: Of audit entries, in the order of ``folding.TABLES``.
_MUNICIPALITY_OF_ENTRY: Final = 10
_NOTHING: Final = Folded(defaultdict(list), defaultdict(list), {}, [])


class Compared(msgspec.Struct):
    """What became of a range of streams."""

    events: int = 0
    streams: int = 0
    stretches: int = 0
    entries: int = 0
    filed: Findings = msgspec.field(default_factory=Findings)
    register: Findings = msgspec.field(default_factory=Findings)
    audit: Findings = msgspec.field(default_factory=Findings)
    tallies: Tallies = msgspec.field(default_factory=Tallies)
    audit_tallies: Tallies = msgspec.field(default_factory=Tallies)

    def add(self, other: Compared) -> None:
        """Take over another range."""
        self.events += other.events
        self.streams += other.streams
        self.stretches += other.stretches
        self.entries += other.entries
        for mine, theirs in (
            (self.filed, other.filed),
            (self.register, other.register),
            (self.audit, other.audit),
        ):
            mine.extend(theirs)
        self.tallies.add(other.tallies)
        self.audit_tallies.add(other.audit_tallies)


class Reached(msgspec.Struct, frozen=True):
    """How far each part of the register has come; the tables of a person rest on the position of the person's part."""

    positions: dict[int, int]

    @property
    def position(self) -> int:
        """The position the register rests on."""
        return self.positions[COMMON]

    @property
    def furthest(self) -> int:
        """The position that no part is beyond: replacements up to it are in the tables, unless no part is there yet."""
        return max(self.positions.values())

    def of(self, stream: UUID) -> int:
        """The position that the tables of a person of one number rest on."""
        return self.positions[part_of(stream)]

    def of_linked(self, connection: Connection, streams: Collection[UUID]) -> dict[UUID, int]:
        """The same for streams that links may connect."""
        return {s: self.of(min(holders)) for group, holders in groups(connection, streams) for s in group}


class Streams:
    """Checks ranges of streams in one process: up to ``head`` their filing, the tables as far as they have come."""

    def __init__(self, source: Source, head: int, reached: Reached, linked: Collection[UUID]) -> None:
        self._source = source
        self._head = head
        self._reached = reached
        self._linked = frozenset(map(str, linked))

    def __call__(self, streams: Range) -> Compared:
        """Check a range."""
        compared = Compared()
        with self._source.connect() as connection:
            subjects = grouped(streamed(connection, _SUBJECTS, streams), itemgetter(0))
            sources: list[Iterator[tuple[str, list[Any]]]] = [
                ((str(stream), rows) for stream, rows in rows_by_stream(connection, self._head, streams)),
                subjects,
                *(
                    grouped(streamed(connection, table.format(where=BETWEEN), streams), itemgetter(0))
                    for table in TABLES
                ),
            ]
            for stream, (rows, named, stretches, audit, person) in together(*sources):
                events = self._filed(rows, named, compared)
                if stream in self._linked:
                    continue
                known = [event for event in events if event.position <= self._reached.of(event.stream)]
                about_person = any(isinstance(event.data, AboutPerson) for event in known)
                folded = fold(known) if about_person else _NOTHING
                compare(stream, folded, [stretches, list(map(audit_as_read, audit)), person], compared)
        return compared

    @staticmethod
    def _filed(rows: Sequence[Row], named: Sequence[tuple[str, str]], out: Compared) -> list[Event]:
        """Check versions, subject and annulments of a stream; its readable events by position."""
        out.events += len(rows)
        out.streams += 1
        last = 0
        for number, row in enumerate(rows, 1):
            if row[2] != number:
                out.filed.add(f"stands as number {row[2]} of its stream, where number {number} should be", row[0])
            if row[0] < last:
                out.filed.add("stands in its stream behind a later event", row[0])
            last = max(last, row[0])
        events = decoded(rows, [])
        subjects = {subject for _, subject in named}
        if not rows:
            out.filed.add("a subject has a stream without events")
        elif not subjects:
            out.filed.add("the stream of the event has no subject", rows[0][0])
        else:
            _check_filing(events, subjects, out.filed)
        events.sort(key=attrgetter("position"))
        return events


def compare_linked(connection: Connection, linked: Collection[UUID], reached: Reached, out: Compared) -> Folded:
    """Fold the streams that links may connect, all in one, and compare; what they must have given."""
    upto = reached.of_linked(connection, linked)
    rows = rows_of(connection, linked, reached.furthest)
    folded = fold(decoded((row for row in rows if row[0] <= (upto.get(row[1]) or reached.of(row[1]))), []))
    sources = [
        grouped(streamed(connection, table.format(where="= ANY(%s)"), (list(linked),)), itemgetter(0))
        for table in TABLES
    ]
    seen: set[str] = set()
    for person, (stretches, audit, row) in together(*sources):
        compare(person, folded, [stretches, list(map(audit_as_read, audit)), row], out)
        seen.add(person)
    for person in sorted((folded.stretches.keys() | folded.audit.keys() | folded.persons.keys()) - seen):
        compare(person, folded, [[], [], []], out)
    return folded


def compare(person: str, folded: Folded, tables: Sequence[list[Any]], out: Compared) -> None:
    """Compare a person's rows in the tables with what the events give.

    ``tables``: stretches; audit entries as :func:`audit_as_read` gives them; the person's own row.
    """
    stretches, audit, persons = tables
    same = _compare_stretches(person, folded.stretches.get(person, []), stretches, out)
    expected = folded.audit.get(person, [])
    out.entries += len(expected)
    if audit == expected:
        out.audit_tallies.same(expected, _municipality_of_entry)
    else:
        out.audit_tallies.count(expected, audit, _municipality_of_entry)
        _name_entries(person, expected, audit, out.audit)
    whole = folded.persons.get(person)
    if same and persons != ([] if whole is None else [whole]):
        position = next((row[1] for row in (whole, *persons) if row is not None), None)
        out.register.add("when the person was first heard of, or the days ever entered, differ", position, person)


def _check_filing(events: Sequence[Event], subjects: Collection[str], findings: Findings) -> None:
    earlier: set[tuple[str, str]] = set()
    for event in events:
        data = event.data
        if isinstance(data, Annulment):
            if (event.source, data.annuls) not in earlier:
                findings.add("an annulment is not filed with what it annuls", event.position)
            continue
        earlier.add((event.source, event.id))
        if subject_of(data, event.source) not in subjects:
            findings.add("the event is filed in the stream of another subject", event.position)


def _compare_stretches(person: str, expected: list[Any], found: list[Any], out: Compared) -> bool:
    """Compare, count and add up; whether they are the same."""
    out.stretches += len(expected)
    if len(expected) == len(found) and set(expected) == set(found):
        out.tallies.same(expected, _municipality)
        return True
    out.tallies.count(expected, found, _municipality)
    _name_stretches(person, expected, found, out.register)
    return False


def _name_stretches(person: str, expected: list[Any], found: list[Any], findings: Findings) -> None:
    """Name the first position at which the tables answer otherwise than the events, and in what."""
    bounds = {row[at] for row in (*expected, *found) for at in (_KNOWN_FROM, _KNOWN_TO)} - {None}
    for position in sorted(bounds):
        mine, theirs = _standing(expected, position), _standing(found, position)
        missing, strange = mine - theirs, theirs - mine
        if missing or strange:
            findings.add(_difference([*missing.elements()], [*strange.elements()]), position, person)
            return
    findings.add("a stretch of days known at no position", None, person)


def _standing(rows: Iterable[Any], position: int) -> Counter[tuple[Any, ...]]:
    """What is known at a position, without from when to when."""
    return Counter(
        (*row[:_KNOWN_FROM], *row[_KNOWN_TO + 1 :])
        for row in rows
        if row[_KNOWN_FROM] is not None
        and row[_KNOWN_FROM] <= position
        and (row[_KNOWN_TO] is None or position < row[_KNOWN_TO])
    )


def _difference(missing: Sequence[tuple[Any, ...]], strange: Sequence[tuple[Any, ...]]) -> str:
    """In which columns two answers differ; never what stands in them."""
    if not strange:
        return "from here on a stretch of days is missing"
    if not missing:
        return "from here on there is a stretch of days that no event gives"
    names = [*NAMES[:_KNOWN_FROM], *NAMES[_KNOWN_TO + 1 :]]
    pairs = [(one, other) for one in missing for other in strange if one[1:4] == other[1:4]]
    one, other = pairs[0] if pairs else (missing[0], strange[0])
    differing = ", ".join(name for name, a, b in zip(names, one, other, strict=True) if a != b)
    return f"from here on a stretch of days says otherwise: {differing}"


def _name_entries(person: str, expected: list[Any], found: list[Any], findings: Findings) -> None:
    mine = {row[1:3]: row for row in expected}
    theirs = {row[1:3]: row for row in found}
    for place in sorted(mine.keys() | theirs.keys()):
        if place not in theirs:
            findings.add("an audit entry is missing", place[0], person)
        elif place not in mine:
            findings.add("an audit entry that no event gives", place[0], person)
        elif mine[place] != theirs[place]:
            findings.add("an audit entry says otherwise", place[0], person)


def _municipality(row: Any) -> str:
    return str(row[_COUNTS_IN] or row[_MUNICIPALITY] or "")


def _municipality_of_entry(row: Any) -> str:
    return str(row[_MUNICIPALITY_OF_ENTRY] or "")
