"""Reading the register as of any day and any position: one indexed query each, no replay.

Every function takes a connection and the position ``known`` on which the whole answer rests. ``on`` is a day.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import Connection, func, select
from sqlalchemy.sql.elements import ColumnElement

from register.law.deletions import Action
from register.projection.projector import PART
from register.projection.rows import name_key
from register.projection.tables import audit_entry, coverage, joined, person, progress, stretch

Row = Mapping[str, Any]

#: What a summary may be counted by.
SUMMARY_BY: Final = ("municipality", "entity", "sex", "age", "ground")


class BadCursor(ValueError):
    """``after`` is not a place in this list."""


class Behind(Exception):
    """The projection has not reached the position asked for within the time given; ``position`` is where it is."""

    def __init__(self, position: int) -> None:
        super().__init__(f"the register rests on position {position}")
        self.position = position


def position(connection: Connection) -> int:
    """The position the tables rest on."""
    found = connection.scalar(select(progress.c.position).where(progress.c.part == PART))
    return int(found or 0)


def wait_for(engine: sa.Engine, wanted: int, *, seconds: float) -> int:
    """Wait until the tables rest on ``wanted`` or a later position; raises :class:`Behind` after ``seconds``."""
    deadline = time.monotonic() + seconds
    while True:
        with engine.connect() as connection:
            here = position(connection)
        if here >= wanted:
            return here
        if time.monotonic() >= deadline:
            raise Behind(here)
        time.sleep(0.02)


def _known(table: sa.Table, known: int) -> ColumnElement[bool]:
    return table.c.known.op("@>")(sa.cast(known, sa.BigInteger))


def _on(table: sa.Table, on: date) -> ColumnElement[bool]:
    return table.c.days.op("@>")(sa.cast(on, sa.Date))


def _with_station(on: date, known: int) -> sa.Select[Any]:
    """Stretches as of (day, position), each with the regular station that covers its address."""
    here = sa.and_(
        coverage.c.municipality == stretch.c.municipality,
        coverage.c.address_key == stretch.c.address_key,
        _on(coverage, on),
        _known(coverage, known),
    )
    votes_there = sa.and_(
        stretch.c.entered,
        stretch.c.voting_option == "regular",
        stretch.c.counts_in == stretch.c.municipality,
    )
    station = sa.case((votes_there, coverage.c.station)).label("polling_station")
    return (
        select(stretch, station)
        .select_from(stretch.outerjoin(coverage, here))
        .where(_on(stretch, on), _known(stretch, known))
    )


def person_of(connection: Connection, stream: UUID, known: int) -> UUID | None:
    """The person a stream belongs to as known at a position, or None when nothing of it was known then."""
    first = connection.scalar(select(person.c.first_position).where(person.c.person == stream))
    if first is None or first > known:
        return None
    other = connection.scalar(select(joined.c.person).where(joined.c.stream == stream, _known(joined, known)))
    return stream if other is None else UUID(str(other))


def streams_of(connection: Connection, who: UUID, known: int) -> list[UUID]:
    """The streams of a person's numbers as known at a position."""
    rows = connection.scalars(select(joined.c.stream).where(joined.c.person == who, _known(joined, known)))
    return [who, *rows]


def voter(connection: Connection, who: UUID, on: date, known: int) -> Row | None:
    """The stretch of a person that holds on a day, with its polling station; None when there is none."""
    row = connection.execute(_with_station(on, known).where(stretch.c.person == who)).mappings().first()
    return None if row is None else dict(row)


def stretches(connection: Connection, who: UUID, known: int) -> list[Row]:
    """All stretches of a person as known at a position, by day."""
    query = select(stretch).where(stretch.c.person == who, _known(stretch, known))
    rows = connection.execute(query.order_by(func.lower(stretch.c.days).nulls_first())).mappings()
    return [dict(row) for row in rows]


def find_by_name(
    connection: Connection, surname: str, given_name: str, born_on: date, known: int, limit: int = 100
) -> list[UUID]:
    """Persons who bear, on any day, this name and date of birth; script and case play no part."""
    query = (
        select(stretch.c.person)
        .distinct()
        .where(stretch.c.name_key == name_key(surname, given_name, born_on), _known(stretch, known))
        .order_by(stretch.c.person)
        .limit(limit)
    )
    return [UUID(str(found)) for found in connection.scalars(query)]


def register_page(
    connection: Connection,
    on: date,
    known: int,
    *,
    municipality: str | None,
    polling_station: str | None,
    after: str | None,
    limit: int,
) -> tuple[list[Row], str | None]:
    """Entries in the order of the Latin alphabet, and the cursor of the next page or None.

    Raises :class:`BadCursor`.
    """
    query = _with_station(on, known).where(stretch.c.entered)
    if municipality is not None:
        query = query.where(stretch.c.counts_in == municipality)
    if polling_station is not None:
        query = query.where(
            coverage.c.station == polling_station,
            stretch.c.voting_option == "regular",
            stretch.c.counts_in == stretch.c.municipality,
        )
    place = sa.tuple_(stretch.c.sort_key, stretch.c.person)
    if after is not None:
        key, who = _place(connection, after, on, known)
        query = query.where(place > sa.tuple_(sa.literal(key, sa.LargeBinary), sa.literal(who, sa.UUID)))
    query = query.order_by(stretch.c.sort_key, stretch.c.person).limit(limit + 1)
    rows: list[Row] = [dict(row) for row in connection.execute(query).mappings()]
    following: str | None = rows[limit - 1]["person"].hex if len(rows) > limit else None
    return rows[:limit], following


def _place(connection: Connection, after: str, on: date, known: int) -> tuple[bytes, UUID]:
    """The place in the order behind a cursor. A cursor is a person: it tells no name, as a sort key would."""
    try:
        who = UUID(after)
    except ValueError as error:
        raise BadCursor(after) from error
    query = select(stretch.c.sort_key).where(stretch.c.person == who, _on(stretch, on), _known(stretch, known))
    key = connection.scalar(query)
    if key is None:
        raise BadCursor(after)
    return bytes(key), who


def summary(connection: Connection, on: date, known: int, by: Collection[str]) -> list[Row]:
    """Counts of voters (with ``ground``: of those not entered too) by municipality, entity, sex, age, first ground."""
    age = func.date_part("year", func.age(sa.cast(on, sa.Date), stretch.c.born_on)).cast(sa.Integer)
    columns: dict[str, ColumnElement[Any]] = {
        "municipality": stretch.c.counts_in,
        "entity": stretch.c.entity,
        "sex": stretch.c.sex,
        "age": age,
        "ground": stretch.c.grounds[1],
    }
    chosen = [columns[name].label(name) for name in SUMMARY_BY if name in by]
    query = select(*chosen, func.count().label("voters")).where(_on(stretch, on), _known(stretch, known))
    if "ground" not in by:
        query = query.where(stretch.c.entered)
    if chosen:
        labels: list[ColumnElement[Any]] = [sa.literal_column(str(n)) for n in range(1, len(chosen) + 1)]
        query = query.group_by(*labels).order_by(*(label.nulls_first() for label in labels))
    return [dict(row) for row in connection.execute(query).mappings()]


def audit_page(
    connection: Connection,
    known: int,
    *,
    after: tuple[int, UUID, int] | None,
    limit: int,
    action: Action | None = None,
    ground: str | None = None,
    who: Collection[UUID] | None = None,
    municipality: str | None = None,
    source: str | None = None,
    recorded_from: datetime | None = None,
    recorded_to: datetime | None = None,
) -> Sequence[Row]:
    """Audit entries by position; at most ``limit + 1`` of them, so that the last one says that there is more."""
    query = select(audit_entry).where(audit_entry.c.position <= known)
    place = sa.tuple_(audit_entry.c.position, audit_entry.c.person, audit_entry.c.part)
    if after is not None:
        query = query.where(place > after)
    for column, value in (
        (audit_entry.c.action, action),
        (audit_entry.c.ground, ground),
        (audit_entry.c.municipality, municipality),
        (audit_entry.c.source, source),
    ):
        if value is not None:
            query = query.where(column == value)
    if who is not None:
        query = query.where(audit_entry.c.person.in_(list(who)))
    if recorded_from is not None:
        query = query.where(audit_entry.c.recorded_at >= recorded_from)
    if recorded_to is not None:
        query = query.where(audit_entry.c.recorded_at < recorded_to)
    query = query.order_by(audit_entry.c.position, audit_entry.c.person, audit_entry.c.part).limit(limit + 1)
    return [dict(row) for row in connection.execute(query).mappings()]
