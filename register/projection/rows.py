"""From the law's answers to the rows of the tables, and the keys they are found by."""

from __future__ import annotations

import re
from datetime import date
from typing import Any, Final
from uuid import UUID

import msgspec
from psycopg.types.json import Jsonb
from psycopg.types.multirange import Multirange
from psycopg.types.range import Range

from register.law.alphabet import fold, sort_key
from register.law.deletions import AuditEntry, Days
from register.law.dossier import Stretch
from register.law.franchise import ALWAYS, FOREVER

_LEADING_DIGITS: Final = re.compile(r"\s*([0-9]+)")

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


def days_range(lower: date, upper: date) -> Range[date]:
    """Days ``[lower, upper)`` as PostgreSQL holds them: open ends are unbounded."""
    return Range(None if lower == ALWAYS else lower, None if upper == FOREVER else upper, "[)")


def days_multirange(days: Days) -> Multirange[date]:
    """Several intervals of days as one value."""
    return Multirange([days_range(lower, upper) for lower, upper in days])


def days_of(multirange: Multirange[date]) -> Days:
    """The way back from :func:`days_multirange`."""
    return tuple((r.lower or ALWAYS, r.upper or FOREVER) for r in multirange)


def address_key(settlement: str | None, street: str | None, house_number: str | None) -> str:
    """What two addresses of a municipality must share to be covered alike: folded names and the leading digits."""
    digits = _LEADING_DIGITS.match(house_number or "")
    return "\x1f".join(
        (
            "" if settlement is None else fold(settlement),
            "" if street is None else fold(street),
            digits[1] if digits else "",
        )
    )


def name_key(surname: str, given_name: str, born_on: date) -> str:
    """What a search by name and date of birth goes by: script and case play no part."""
    return f"{fold(surname)}\x1f{fold(given_name)}\x1f{born_on.isoformat()}"


def stretch_row(person: UUID, stretch: Stretch, known: Range[int]) -> tuple[Any, ...]:
    """One row of ``projection.stretch``, in the order of :data:`STRETCH_COLUMNS`."""
    a = stretch.answer
    named = a.surname is not None and a.given_name is not None and a.parent_name is not None and a.born_on is not None
    return (
        person,
        days_range(stretch.from_, stretch.to),
        known,
        a.entered,
        list(a.grounds),
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
        name_key(a.surname, a.given_name, a.born_on) if named else None,  # type: ignore[arg-type]
        sort_key(a.surname, a.given_name, a.parent_name, a.born_on) if named else None,  # type: ignore[arg-type]
    )


def audit_row(entry: AuditEntry, part: int) -> tuple[Any, ...]:
    """One row of ``projection.audit_entry``; ``part`` counts the entries of one person at one position."""
    return (
        entry.position,
        entry.person,
        part,
        entry.action,
        days_range(entry.from_, entry.to),
        entry.ground,
        entry.article,
        entry.remark,
        entry.municipality,
        entry.recorded_at,
        entry.source,
        entry.id,
        entry.type,
        None if entry.document is None else Jsonb(msgspec.to_builtins(entry.document)),
    )
