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
from register.projection.forms import check_answering
from register.projection.parts import COMMON
from register.projection.rows import name_key
from register.projection.tables import audit_entry, coverage, form, joined, link, person, progress, stretch

Row = Mapping[str, Any]
#: The columns of the stretches, or of a page of them.
Columns = Any

#: What a summary may be counted by.
SUMMARY_BY: Final = ("municipality", "entity", "sex", "age", "ground")


class BadCursorError(ValueError):
    """``after`` is not a place in this list."""


class BehindError(Exception):
    """The projection has not reached the position asked for within the time given; ``position`` is where it is."""

    def __init__(self, position: int) -> None:
        super().__init__(f"the register rests on position {position}")
        self.position = position


def position(connection: Connection) -> int:
    """The position the tables rest on. Raises ``OtherFormError`` for tables from which this program cannot answer.

    Whoever reads the register asks for it first, in the transaction of the reading: from then on, until the end of
    that transaction, no rebuild puts other tables in the place of these.
    """
    found, version = connection.execute(_POSITION).one()
    check_answering(version or 0)
    return int(found or 0)


def wait_for(engine: sa.Engine, wanted: int, *, seconds: float) -> int:
    """Wait until the tables rest on ``wanted`` or a later position; raises :class:`BehindError` after ``seconds``."""
    deadline = time.monotonic() + seconds
    while True:
        with engine.connect() as connection:
            here = position(connection)
        if here >= wanted:
            return here
        if time.monotonic() >= deadline:
            raise BehindError(here)
        time.sleep(0.02)


def _known(table: sa.FromClause, known: int | sa.BindParameter[int]) -> ColumnElement[bool]:
    return table.c.known.op("@>")(sa.cast(known, sa.BigInteger))


def _on(table: sa.FromClause, on: date | sa.BindParameter[date]) -> ColumnElement[bool]:
    return table.c.days.op("@>")(sa.cast(on, sa.Date))


def _votes_there(rows: Columns) -> ColumnElement[bool]:
    """Whether a stretch's voter votes at the regular station of the address."""
    return sa.and_(rows.entered, rows.voting_option == "regular", rows.counts_in == rows.municipality)


def _covers(rows: Columns, on: date | sa.BindParameter[date], known: int | sa.BindParameter[int]) -> ColumnElement[bool]:
    return sa.and_(
        coverage.c.municipality == rows.municipality,
        coverage.c.address_key == rows.address_key,
        _on(coverage, on),
        _known(coverage, known),
    )


def _with_station(
    rows: sa.Table | sa.Subquery, on: date | sa.BindParameter[date], known: int | sa.BindParameter[int]
) -> sa.Select[Any]:
    """Stretches as of (day, position), each with the regular station that covers its address."""
    station = sa.case((_votes_there(rows.c), coverage.c.station)).label("polling_station")
    return select(rows, station).select_from(rows.outerjoin(coverage, _covers(rows.c, on, known)))


# The statements of which the answer to every look at one person consists are written once: to put one together anew
# takes three times as long as to have it answered.
_WHO: Final = sa.bindparam("who", type_=sa.Uuid)
_DAY: Final = sa.bindparam("on", type_=sa.Date)
_UPTO: Final = sa.bindparam("known", type_=sa.BigInteger)
_POSITION: Final = select(
    select(progress.c.position).where(progress.c.part == COMMON).scalar_subquery(),
    select(form.c.version).scalar_subquery(),
)
_PERSON: Final = (
    select(func.coalesce(joined.c.person, person.c.person))
    .select_from(person.outerjoin(joined, sa.and_(joined.c.stream == person.c.person, _known(joined, _UPTO))))
    .where(person.c.person == _WHO, person.c.first_position <= _UPTO)
)
_VOTER: Final = _with_station(stretch, _DAY, _UPTO).where(
    stretch.c.person == _WHO, _on(stretch, _DAY), _known(stretch, _UPTO)
)


def person_of(connection: Connection, stream: UUID, known: int) -> UUID | None:
    """The person a stream belongs to as known at a position, or None when nothing of it was known then."""
    found = connection.scalar(_PERSON, {"who": stream, "known": known})
    return None if found is None else UUID(str(found))


def bearers(connection: Connection, jmb: str, stream: UUID | None, known: int) -> list[UUID]:
    """Persons who bear a number, or bore it; ``stream``: the one its own notices are filed in, if there is one.

    A number that so far stands only as the new one of a replacement is borne by whose number it replaced.
    """
    streams = [] if stream is None else [stream]
    replaced = select(link.c.stream).where(link.c.new_jmb == jmb, link.c.position <= known)
    found = {who for own in streams if (who := person_of(connection, own, known)) is not None}
    for linked in connection.scalars(replaced).all():
        who = person_of(connection, linked, known)
        shown = select(stretch.c.person).where(stretch.c.person == who, stretch.c.jmb == jmb, _known(stretch, known))
        if who is not None and connection.scalar(shown.limit(1)) is not None:
            found.add(who)
    return sorted(found)


def municipalities_of(
    connection: Connection, persons: Collection[UUID], days: Collection[date], known: int
) -> dict[UUID, set[str]]:
    """Where each of these persons permanently resides or counts on any of these days, as known at a position."""
    query = select(stretch.c.person, stretch.c.municipality, stretch.c.counts_in).where(
        stretch.c.person.in_(list(persons)), _known(stretch, known), sa.or_(*(_on(stretch, day) for day in days))
    )
    found: dict[UUID, set[str]] = {who: set() for who in persons}
    for who, resides, counts in connection.execute(query):
        found[who].update(code for code in (resides, counts) if code is not None)
    return found


def streams_of(connection: Connection, who: UUID, known: int) -> list[UUID]:
    """The streams of a person's numbers as known at a position."""
    rows = connection.scalars(select(joined.c.stream).where(joined.c.person == who, _known(joined, known)))
    return [who, *rows]


def voter(connection: Connection, who: UUID, on: date, known: int) -> Row | None:
    """The stretch of a person that holds on a day, with its polling station; None when there is none."""
    row = connection.execute(_VOTER, {"who": who, "on": on, "known": known}).mappings().first()
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

    Raises :class:`BadCursorError`.
    """
    query = select(stretch).where(stretch.c.entered, _on(stretch, on), _known(stretch, known))
    if municipality is not None:
        query = query.where(stretch.c.counts_in == municipality)
    if polling_station is not None:
        covered = sa.and_(_covers(stretch.c, on, known), coverage.c.station == polling_station)
        query = query.where(_votes_there(stretch.c), sa.exists().where(covered))
    if after is not None:
        key, who = _place(connection, after, on, known)
        place = sa.tuple_(stretch.c.sort_key, stretch.c.person)
        query = query.where(place > sa.tuple_(sa.literal(key, sa.LargeBinary), sa.literal(who, sa.UUID)))
    # The page first, the stations of its few voters then: no plan can take it into its head to join a country.
    page = query.order_by(stretch.c.sort_key, stretch.c.person).limit(limit + 1).subquery()
    whole = _with_station(page, on, known).order_by(page.c.sort_key, page.c.person)
    rows: list[Row] = [dict(row) for row in connection.execute(whole).mappings()]
    following: str | None = str(rows[limit - 1]["person"]) if len(rows) > limit else None
    return rows[:limit], following


def _place(connection: Connection, after: str, on: date, known: int) -> tuple[bytes, UUID]:
    """The place in the order behind a cursor. A cursor is a person: it tells no name, as a sort key would."""
    try:
        who = UUID(after)
    except ValueError as error:
        raise BadCursorError(after) from error
    query = select(stretch.c.sort_key).where(stretch.c.person == who, _on(stretch, on), _known(stretch, known))
    key = connection.scalar(query)
    if key is None:
        raise BadCursorError(after)
    return bytes(key), who


def summary(connection: Connection, on: date, known: int, by: Collection[str]) -> list[Row]:
    """Counts of voters (with ``ground``: of those not entered too) by municipality, entity, sex, age, first ground.

    Each row holds the members of ``by`` in the order of :data:`SUMMARY_BY`, and ``count``. The municipality is where
    a voter counts, of those not entered where they reside.
    """
    age = func.date_part("year", func.age(sa.cast(on, sa.Date), stretch.c.born_on)).cast(sa.Integer)
    columns: dict[str, ColumnElement[Any]] = {
        "municipality": func.coalesce(stretch.c.counts_in, stretch.c.municipality),
        "entity": stretch.c.entity,
        "sex": stretch.c.sex,
        "age": age,
        "ground": stretch.c.grounds[1],
    }
    chosen = [columns[name].label(name) for name in SUMMARY_BY if name in by]
    query = select(*chosen, func.count().label("count")).where(_on(stretch, on), _known(stretch, known))
    if "ground" not in by:
        query = query.where(stretch.c.entered)
    if chosen:
        labels: list[ColumnElement[Any]] = [sa.literal_column(str(n)) for n in range(1, len(chosen) + 1)]
        query = query.group_by(*labels).order_by(*(label.nulls_first() for label in labels))
    return [dict(row) for row in connection.execute(query).mappings()]


def counts(connection: Connection, on: date, known: int) -> dict[str | None, int]:
    """Voters by the municipality they count in."""
    return {row["municipality"]: row["count"] for row in summary(connection, on, known, ["municipality"])}


def changes(connection: Connection, on: date, after: int, upto: int) -> list[Row]:
    """What the audit log says of a day between two positions: ``municipality``, ``action``, ``ground``, ``count``.

    The municipality is where the entry counts on that very day: after an entry or reinstatement, before a deletion.
    """
    at = sa.case((audit_entry.c.action == "deleted", audit_entry.c.position - 1), else_=audit_entry.c.position)
    there = sa.and_(stretch.c.person == audit_entry.c.person, _on(stretch, on), stretch.c.known.op("@>")(at))
    query = (
        select(
            stretch.c.counts_in.label("municipality"),
            audit_entry.c.action,
            audit_entry.c.ground,
            func.count().label("count"),
        )
        .select_from(audit_entry.outerjoin(stretch, there))
        .where(audit_entry.c.position > after, audit_entry.c.position <= upto, _on(audit_entry, on))
        .group_by(stretch.c.counts_in, audit_entry.c.action, audit_entry.c.ground)
    )
    return [dict(row) for row in connection.execute(query).mappings()]


def moves(connection: Connection, on: date, after: int, upto: int) -> list[tuple[str, str, int]]:
    """Voters who, for that day, ceased to count in one municipality and began to in another: (from, to, how many)."""
    was, now = stretch.alias("was"), stretch.alias("now")
    at = func.upper(was.c.known)
    query = (
        select(was.c.counts_in, now.c.counts_in, func.count())
        .select_from(was.join(now, sa.and_(now.c.person == was.c.person, func.lower(now.c.known) == at)))
        .where(was.c.entered, now.c.entered, was.c.counts_in != now.c.counts_in)
        .where(at > after, at <= upto, was.c.days.op("@>")(sa.cast(on, sa.Date)), _on(now, on))
        .group_by(was.c.counts_in, now.c.counts_in)
    )
    return [(a, b, n) for a, b, n in connection.execute(query)]


def _before(instant: datetime) -> ColumnElement[int]:
    """The last position recorded before an instant."""
    at = sa.cast(instant, sa.DateTime(timezone=True)) - sa.text("interval '1 microsecond'")
    return sa.cast(func.store.position_at(at), sa.BigInteger)


def audit_page(
    connection: Connection,
    known: int,
    *,
    after: tuple[int, UUID, int] | None,
    limit: int | None,
    action: Action | None = None,
    ground: str | None = None,
    who: Collection[UUID] | None = None,
    municipality: str | None = None,
    source: str | None = None,
    recorded_from: datetime | None = None,
    recorded_to: datetime | None = None,
) -> Sequence[Row]:
    """Audit entries by position; at most ``limit + 1`` of them, so that the last one says that there is more.

    ``limit`` None: all of them. ``after``: (position, person, part) of the entry before.
    """
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
    # Instants rise with positions, by which there is an index.
    if recorded_from is not None:
        query = query.where(audit_entry.c.position > _before(recorded_from))
    if recorded_to is not None:
        query = query.where(audit_entry.c.position <= _before(recorded_to))
    query = query.order_by(audit_entry.c.position, audit_entry.c.person, audit_entry.c.part)
    if limit is not None:
        query = query.limit(limit + 1)
    return [dict(row) for row in connection.execute(query).mappings()]
