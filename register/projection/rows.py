"""From the law's answers to the rows of the tables, and the keys they are found by.

A row is made from the same parts in two ways: of plain values, to be compared (``cvr verify``), and for COPY
(:mod:`register.projection.copying`).
"""

from __future__ import annotations

import re
from datetime import date
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

import msgspec
from psycopg.types.json import Jsonb
from psycopg.types.multirange import Multirange
from psycopg.types.range import Range

from register.law.alphabet import fold, sort_key
from register.law.deletions import AuditEntry, Days
from register.law.dossier import Answer, Stretch
from register.law.franchise import ALWAYS, FOREVER
from register.projection.copying import (
    bool_field,
    date_field,
    days_field,
    field,
    positions_field,
    rendered_days,
    rendered_days_held,
    rendered_json,
    rendered_texts,
    row_head,
    text_field,
)

_LEADING_DIGITS: Final = re.compile(r"\s*([0-9]+)")
#: Names and addresses come back again and again; folding one costs more than looking it up.
_CACHED: Final = 1 << 16

#: Columns of ``projection.stretch`` in the order of :func:`stretch_row`, with their PostgreSQL types for binary COPY.
STRETCH_COLUMNS: Final[tuple[tuple[str, str], ...]] = (
    ("person", "uuid"),
    ("days", "daterange"),
    ("known", "int8range"),
    ("entered", "bool"),
    ("grounds", "text[]"),
    ("jmb", "text"),
    ("surname", "text"),
    ("given_name", "text"),
    ("parent_name", "text"),
    ("sex", "text"),
    ("born_on", "date"),
    ("script", "text"),
    ("municipality", "text"),
    ("settlement", "text"),
    ("street", "text"),
    ("house_number", "text"),
    ("counts_in", "text"),
    ("entity", "text"),
    ("voting_option", "text"),
    ("mobile_team", "bool"),
    ("marked_deceased", "bool"),
    ("address_key", "text"),
    ("name_key", "text"),
    ("sort_key", "bytea"),
)

#: The head of a row of stretches, up to the length of its first field, the person.
_STRETCH_HEAD: Final = row_head(len(STRETCH_COLUMNS)) + field(bytes(16))[:4]

AUDIT_COLUMNS: Final[tuple[tuple[str, str], ...]] = (
    ("position", "int8"),
    ("person", "uuid"),
    ("part", "int4"),
    ("action", "text"),
    ("days", "daterange"),
    ("ground", "text"),
    ("article", "text"),
    ("remark", "text"),
    ("municipality", "text"),
    ("recorded_at", "timestamptz"),
    ("source", "text"),
    ("id", "text"),
    ("type", "text"),
    ("document", "jsonb"),
)

COVERAGE_COLUMNS: Final[tuple[tuple[str, str], ...]] = (
    ("municipality", "text"),
    ("address_key", "text"),
    ("days", "daterange"),
    ("known", "int8range"),
    ("station", "text"),
    ("ambiguous", "bool"),
)

PERSON_COLUMNS: Final[tuple[tuple[str, str], ...]] = (
    ("person", "uuid"),
    ("first_position", "int8"),
    ("held", "datemultirange"),
)


def days_range(lower: date, upper: date) -> Range[date]:
    """Days ``[lower, upper)`` as PostgreSQL holds them: open ends are unbounded."""
    return Range(None if lower == ALWAYS else lower, None if upper == FOREVER else upper, "[)")


def days_of(multirange: Multirange[date]) -> Days:
    """The days of a multirange, as the law counts them."""
    return tuple((r.lower or ALWAYS, r.upper or FOREVER) for r in multirange)


@lru_cache(_CACHED)
def _folded(text: str | None) -> str:
    return "" if text is None else fold(text)


@lru_cache(_CACHED)
def address_key(settlement: str | None, street: str | None, house_number: str | None) -> str:
    """What two addresses of a municipality must share to be covered alike: folded names and the leading digits."""
    digits = _LEADING_DIGITS.match(house_number or "")
    return f"{_folded(settlement)}\x1f{_folded(street)}\x1f{digits[1] if digits else ''}"


def name_key(surname: str, given_name: str, born_on: date) -> str:
    """What a search by name and date of birth goes by: script and case play no part."""
    return f"{_folded(surname)}\x1f{_folded(given_name)}\x1f{born_on.isoformat()}"


def stretch_row(person: UUID, stretch: Stretch, known: Range[int]) -> tuple[Any, ...]:
    """One row of ``projection.stretch``, in the order of :data:`STRETCH_COLUMNS`."""
    a = stretch.answer
    return (person, days_range(stretch.from_, stretch.to), known, a.entered, list(a.grounds), *_answered(a))


def stretch_to_copy(person: UUID, stretch: Stretch, since: int, until: int | None) -> bytes:
    """The same, rendered for COPY; known from position ``since`` to ``until`` (None: still)."""
    days, known = days_field(stretch.from_, stretch.to), positions_field(since, until)
    return b"".join((_STRETCH_HEAD, person.bytes, days, known, _to_copy(stretch.answer)))


def _to_copy(a: Answer) -> bytes:
    """The columns of an answer, rendered."""
    bearer, by_name = _bearer_to_copy(a.jmb, a.surname, a.given_name, a.parent_name, a.sex, a.born_on, a.script)
    address, key = _address_to_copy(a.municipality, a.settlement, a.street, a.house_number)
    option = _option_to_copy(a.counts_in, a.entity, a.voting_option, a.mobile_team, a.marked_deceased)
    grounds = _grounds_to_copy(a.entered, a.grounds)
    return b"".join((grounds, bearer, address, option, key, by_name))


@lru_cache(1 << 12)  # the stretches of one person follow one another
def _bearer_to_copy(
    jmb: str,
    surname: str | None,
    given_name: str | None,
    parent_name: str | None,
    sex: str | None,
    born_on: date | None,
    script: str | None,
) -> tuple[bytes, bytes]:
    """The columns of who it is, and those by which a name is found."""
    names = b"".join(map(text_field, (surname, given_name, parent_name, sex)))
    name, order = _name_keys(surname, given_name, parent_name, born_on)
    found_by = field(None if name is None else name.encode()) + field(order)
    return field(jmb.encode()) + names + date_field(born_on) + text_field(script), found_by


@lru_cache(_CACHED)
def _address_to_copy(
    municipality: str | None, settlement: str | None, street: str | None, house_number: str | None
) -> tuple[bytes, bytes]:
    """The columns of an address, and its key."""
    key = None if municipality is None else address_key(settlement, street, house_number).encode()
    return b"".join(map(text_field, (municipality, settlement, street, house_number))), field(key)


@lru_cache(_CACHED)
def _grounds_to_copy(entered: bool, grounds: tuple[str, ...]) -> bytes:
    """Whether entered, and why not."""
    return bool_field(entered) + field(rendered_texts(grounds))


@lru_cache(_CACHED)
def _option_to_copy(
    counts_in: str | None, entity: str | None, voting_option: str, mobile_team: bool, marked_deceased: bool
) -> bytes:
    texts = b"".join(map(text_field, (counts_in, entity, voting_option)))
    return texts + bool_field(mobile_team) + bool_field(marked_deceased)


def _answered(a: Answer) -> tuple[Any, ...]:
    """The columns of an answer behind its grounds."""
    return (
        a.jmb,
        a.surname,
        a.given_name,
        a.parent_name,
        a.sex,
        a.born_on,
        a.script,
        a.municipality,
        a.settlement,
        a.street,
        a.house_number,
        a.counts_in,
        a.entity,
        a.voting_option,
        a.mobile_team,
        a.marked_deceased,
        None if a.municipality is None else address_key(a.settlement, a.street, a.house_number),
        *_name_keys(a.surname, a.given_name, a.parent_name, a.born_on),
    )


def _name_keys(
    surname: str | None, given_name: str | None, parent_name: str | None, born_on: date | None
) -> tuple[str, bytes] | tuple[None, None]:
    """What a name is found by, and its place in the order of lists; of who is not recorded there is neither."""
    if surname is None or given_name is None or parent_name is None or born_on is None:
        return None, None
    return name_key(surname, given_name, born_on), sort_key(surname, given_name, parent_name, born_on)


def audit_row(entry: AuditEntry, part: int) -> tuple[Any, ...]:
    """One row of ``projection.audit_entry``; ``part`` counts the entries of one person at one position."""
    document = None if entry.document is None else Jsonb(msgspec.to_builtins(entry.document))
    days = days_range(entry.from_, entry.to)
    return (entry.position, entry.person, part, entry.action, days, *_told(entry), document)


def audit_to_copy(entry: AuditEntry, part: int) -> tuple[Any, ...]:
    """The same for COPY."""
    document = None if entry.document is None else rendered_json(entry.document)
    days = rendered_days(entry.from_, entry.to)
    return (entry.position, entry.person.bytes, part, entry.action, days, *_told(entry), document)


def _told(entry: AuditEntry) -> tuple[Any, ...]:
    """The columns of an entry between its days and its document."""
    return (
        entry.ground,
        entry.article,
        entry.remark,
        entry.municipality,
        entry.recorded_at,
        entry.source,
        entry.id,
        entry.type,
    )


def person_to_copy(person: UUID, first_position: int, held: Days) -> tuple[Any, ...]:
    """One row of ``projection.person`` for COPY, in the order of :data:`PERSON_COLUMNS`."""
    return (person.bytes, first_position, rendered_days_held(held))
