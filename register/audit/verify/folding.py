"""Whole histories folded into the rows that the register's tables must hold, at every position and for all days."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any, Final
from uuid import UUID

import msgspec
from psycopg.types.json import Jsonb
from psycopg.types.range import Range

from register.law.deletions import Days
from register.law.dossier import Stretch
from register.law.events import AboutPerson, ElectionCalled, ElectionConcluded, Event
from register.law.franchise import ALWAYS, FOREVER
from register.projection.chronicle import Chronicle
from register.projection.rows import STRETCH_COLUMNS, audit_row, stretch_row

#: A row of a table as it is compared, the person as text first (comparing text is quicker than comparing UUIDs). Of
#: ``projection.stretch``: person, whether the days are empty, their ends, the ends of the
#: positions it is known at, then the other columns.
Row = tuple[Any, ...]

_REST: Final = [name for name, _ in STRETCH_COLUMNS[3:]]
#: What the values of a :data:`Row` are called.
NAMES: Final = ("person", "empty", "from", "to", "known_from", "known_to", *_REST)
_SELECT_STRETCH: Final = (
    "SELECT person::text, isempty(days), lower(days), upper(days), lower(known), upper(known), "
    + ", ".join("array_to_string(grounds, ' ')" if name == "grounds" else name for name in _REST)
    + " FROM projection.stretch WHERE person {where} ORDER BY person"
)
_SELECT_AUDIT: Final = (
    "SELECT person::text, position, part, action, isempty(days), lower(days), upper(days), ground, article, remark,"
    " municipality, recorded_at, source, id, type, document::text"
    " FROM projection.audit_entry WHERE person {where} ORDER BY person, position, part"
)
_SELECT_PERSON: Final = (
    "SELECT person::text, first_position, held::text FROM projection.person WHERE person {where} ORDER BY person"
)
BETWEEN: Final = "BETWEEN %s AND %s"
#: What the tables hold, by person: stretches, audit entries, persons; ``{where}`` takes a condition on the person.
TABLES: Final = (_SELECT_STRETCH, _SELECT_AUDIT, _SELECT_PERSON)

_ANY: Final[Range[int]] = Range()


class Folded(msgspec.Struct):
    """The rows that some streams must have given, by person; ``joined``: (stream, person, known from, known to)."""

    stretches: defaultdict[str, list[Row]]
    audit: defaultdict[str, list[Row]]
    persons: dict[str, Row]
    joined: list[tuple[UUID, UUID, int, int | None]]


def fold(events: Iterable[Event]) -> Folded:
    """Fold the events of some streams, by position; all streams that links may connect must be among them."""
    events = list(events)
    chronicle = Chronicle({}, events, {})
    folded = Folded(defaultdict(list), defaultdict(list), {}, [])
    opened: dict[tuple[UUID, Stretch], int] = {}
    standing: dict[UUID, tuple[UUID, int]] = {}
    first: dict[UUID, int] = {}
    for event in events:
        data = event.data
        if isinstance(data, ElectionCalled | ElectionConcluded):
            continue
        if not isinstance(data, AboutPerson) and not chronicle.knows(event.stream):
            continue
        first.setdefault(event.stream, event.position)
        change = chronicle.feed(event)
        for person, stretch in change.closed:
            since = opened.pop((person, stretch))
            folded.stretches[str(person)].append(_stretch(person, stretch, since, event.position))
        for key in change.opened:
            opened[key] = event.position
        parts: Counter[UUID] = Counter()
        for entry in change.audit:
            parts[entry.person] += 1
            folded.audit[str(entry.person)].append(_audit(audit_row(entry, parts[entry.person])))
        for stream, person_now in change.joined:
            if stream in standing:
                folded.joined.append((stream, *standing.pop(stream), event.position))
            if person_now is not None:
                standing[stream] = (person_now, event.position)
    for (person, stretch), since in opened.items():
        folded.stretches[str(person)].append(_stretch(person, stretch, since, None))
    folded.joined.extend((stream, *held, None) for stream, held in standing.items())
    for stream, position in first.items():
        folded.persons[str(stream)] = (str(stream), position, _multirange(chronicle.held.get(stream, ())))
    return folded


def audit_as_read(row: Sequence[Any]) -> Row:
    """A row of :data:`TABLES` ' audit entries, with its document in the form that is compared."""
    return (*row[:-1], None if row[-1] is None else _document(msgspec.json.decode(row[-1])))


def _stretch(person: UUID, stretch: Stretch, since: int, until: int | None) -> Row:
    row = stretch_row(person, stretch, _ANY)
    return (
        str(person), False, _day(stretch.from_), _day(stretch.to), since, until, row[3], " ".join(row[4]), *row[5:],
    )  # fmt: skip


def _audit(row: Sequence[Any]) -> Row:
    position, person, part, action, days, *rest, document = row
    plain = document.obj if isinstance(document, Jsonb) else None
    return (
        str(person), position, part, action, days.isempty, days.lower, days.upper, *rest,
        None if plain is None else _document(plain),
    )  # fmt: skip


def _document(plain: object) -> bytes:
    return msgspec.json.encode(plain, order="deterministic")


def _day(day: date) -> date | None:
    return None if day in (ALWAYS, FOREVER) else day


def _multirange(days: Days) -> str:
    """Days as PostgreSQL writes a datemultirange."""
    return "{" + ",".join(f"{_lower(lower)},{_upper(upper)})" for lower, upper in days) + "}"


def _lower(day: date) -> str:
    return "(" if day == ALWAYS else f"[{day.isoformat()}"


def _upper(day: date) -> str:
    return "" if day == FOREVER else day.isoformat()
