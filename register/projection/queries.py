"""Reading the register as of any day and any position: one indexed query each, no replay.

Every function takes a connection and the position ``known`` on which the whole answer rests. ``on`` is a day.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import Connection, func, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.sql.elements import ColumnElement

from register.law.deletions import Action
from register.projection.forms import check_answering
from register.projection.parts import COMMON
from register.projection.rows import name_key
from register.projection.tables import audit_entry, coverage, form, joined, link, person, progress, stretch

Row = Mapping[str, Any]
#: The columns of the stretches, or of a page of them.
Columns = Any
#: A place in the alphabet's order: sort key and person.
_Order = tuple[bytes, UUID]


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


def tables_of(connection: Connection) -> int:
    """Which tables these are: another number once a rebuild has put others in their place."""
    return int(connection.scalar(sa.text("SELECT 'projection.progress'::regclass::oid::int8")))


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


def known_at(table: sa.FromClause, known: int | sa.BindParameter[int]) -> ColumnElement[bool]:
    """Whether a row is known at a position."""
    return table.c.known.op("@>")(sa.cast(known, sa.BigInteger))


def holds_on(table: sa.FromClause, on: date | sa.BindParameter[date]) -> ColumnElement[bool]:
    """Whether a row holds on a day."""
    return table.c.days.op("@>")(sa.cast(on, sa.Date))


def _votes_there(rows: Columns) -> ColumnElement[bool]:
    """Whether a stretch's voter votes at the regular station of the address."""
    return sa.and_(rows.entered, rows.voting_option == "regular", rows.counts_in == rows.municipality)


def _covers(
    rows: Columns, on: date | sa.BindParameter[date], known: int | sa.BindParameter[int]
) -> ColumnElement[bool]:
    return sa.and_(
        coverage.c.municipality == rows.municipality,
        coverage.c.address_key == rows.address_key,
        holds_on(coverage, on),
        known_at(coverage, known),
    )


def _station_of(rows: Columns) -> sa.Label[Any]:
    return sa.case((_votes_there(rows), coverage.c.station)).label("polling_station")


def _with_station(
    rows: sa.Table | sa.Subquery, on: date | sa.BindParameter[date], known: int | sa.BindParameter[int]
) -> sa.Select[Any]:
    """Stretches as of (day, position), each with the regular station that covers its address."""
    return select(rows, _station_of(rows.c)).select_from(rows.outerjoin(coverage, _covers(rows.c, on, known)))


# The statements of which the answer to every look at one person consists are written once: to put one together anew
# takes three times as long as to have it answered.
_WHO: Final = sa.bindparam("who", type_=sa.Uuid)
_DAY: Final = sa.bindparam("on", type_=sa.Date)
_UPTO: Final = sa.bindparam("known", type_=sa.BigInteger)
_POSITION: Final = select(
    select(progress.c.position).where(progress.c.part == COMMON).scalar_subquery(),
    select(form.c.version).scalar_subquery(),
)
_SELF: Final[ColumnElement[UUID]] = func.coalesce(joined.c.person, person.c.person)
_BY_STREAM: Final = person.outerjoin(joined, sa.and_(joined.c.stream == person.c.person, known_at(joined, _UPTO)))
_KNOWN_PERSON: Final = sa.and_(person.c.person == _WHO, person.c.first_position <= _UPTO)
_PERSON: Final = select(_SELF).select_from(_BY_STREAM).where(_KNOWN_PERSON)
_VOTER: Final = _with_station(stretch, _DAY, _UPTO).where(
    stretch.c.person == _WHO, holds_on(stretch, _DAY), known_at(stretch, _UPTO)
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
        shown = select(stretch.c.person).where(stretch.c.person == who, stretch.c.jmb == jmb, known_at(stretch, known))
        if who is not None and connection.scalar(shown.limit(1)) is not None:
            found.add(who)
    return sorted(found)


def municipalities_of(
    connection: Connection, persons: Collection[UUID], days: Collection[date], known: int
) -> dict[UUID, set[str]]:
    """Where each of these persons permanently resides or counts on any of these days, as known at a position."""
    query = select(stretch.c.person, stretch.c.municipality, stretch.c.counts_in).where(
        stretch.c.person.in_(list(persons)), known_at(stretch, known), sa.or_(*(holds_on(stretch, day) for day in days))
    )
    found: dict[UUID, set[str]] = {who: set() for who in persons}
    for who, resides, counts in connection.execute(query):
        found[who].update(code for code in (resides, counts) if code is not None)
    return found


def streams_of(connection: Connection, who: UUID, known: int) -> list[UUID]:
    """The streams of a person's numbers as known at a position."""
    rows = connection.scalars(select(joined.c.stream).where(joined.c.person == who, known_at(joined, known)))
    return [who, *rows]


def voter(connection: Connection, who: UUID, on: date, known: int) -> Row | None:
    """The stretch of a person that holds on a day, with its polling station; None when there is none."""
    row = connection.execute(_VOTER, {"who": who, "on": on, "known": known}).mappings().first()
    return None if row is None else dict(row)


_HELD: Final = sa.and_(stretch.c.person == _SELF, holds_on(stretch, _DAY), known_at(stretch, _UPTO))
_FOUND: Final = (
    select(_SELF.label("self"), stretch, _station_of(stretch.c))
    .select_from(_BY_STREAM.outerjoin(stretch, _HELD).outerjoin(coverage, _covers(stretch.c, _DAY, _UPTO)))
    .where(_KNOWN_PERSON)
)


def person_and_voter(connection: Connection, stream: UUID, on: date, known: int) -> tuple[UUID | None, Row | None]:
    """What :func:`person_of` and then :func:`voter` give, asked for at once."""
    row = connection.execute(_FOUND, {"who": stream, "on": on, "known": known}).mappings().first()
    if row is None:
        return None, None
    return UUID(str(row["self"])), None if row["person"] is None else dict(row)


def stretches(connection: Connection, who: UUID, known: int) -> list[Row]:
    """All stretches of a person as known at a position, by day."""
    query = select(stretch).where(stretch.c.person == who, known_at(stretch, known))
    rows = connection.execute(query.order_by(func.lower(stretch.c.days).nulls_first())).mappings()
    return [dict(row) for row in rows]


def find_by_name(
    connection: Connection, surname: str, given_name: str, born_on: date, known: int, limit: int = 100
) -> list[UUID]:
    """Persons who bear, on any day, this name and date of birth; script and case play no part."""
    query = (
        select(stretch.c.person)
        .distinct()
        .where(stretch.c.name_key == name_key(surname, given_name, born_on), known_at(stretch, known))
        .order_by(stretch.c.person)
        .limit(limit)
    )
    return [UUID(str(found)) for found in connection.scalars(query)]


#: The parts of a place behind which a page begins; and what of an entry is for finding and ordering alone.
_BEHIND: Final = ("key", "who")
_UNSHOWN: Final = frozenset({"known", "script", "address_key", "name_key", "sort_key"})


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
    place = None if after is None else _place(connection, after, on, known)
    if polling_station is None or municipality is None:
        whole = _page(municipality is not None, place is not None)
        asked = {"municipality": municipality} | dict(zip(_BEHIND, place or (), strict=False))
        found = connection.execute(whole, {"on": on, "known": known, "limit": limit + 1} | asked)
    else:
        page = _page_of_station(connection, on, known, municipality, polling_station, place, limit + 1)
        found = connection.execute(_shown(page, on, known))
    rows: list[Row] = [dict(row) for row in found.mappings()]
    following: str | None = str(rows[limit - 1]["person"]) if len(rows) > limit else None
    return rows[:limit], following


@lru_cache
def _page(in_municipality: bool, behind: bool) -> sa.Select[Any]:
    """The first entries, behind a place or of all. Which ones is told by an index alone; only they are fetched."""
    order = stretch.c.sort_key, stretch.c.person
    chosen = [stretch.c.entered, holds_on(stretch, _DAY), known_at(stretch, _UPTO)]
    if behind:
        key, who = sa.bindparam(_BEHIND[0], type_=sa.LargeBinary), sa.bindparam(_BEHIND[1], type_=sa.Uuid)
        chosen.append(sa.tuple_(*order) > sa.tuple_(key, who))
    if in_municipality:
        chosen.append(stretch.c.counts_in == sa.bindparam("municipality", type_=sa.Text))
    names = (stretch.c.person, stretch.c.days, stretch.c.known)
    limit = sa.bindparam("limit", type_=sa.Integer)
    first = select(*names).where(*chosen).order_by(*order).limit(limit).subquery()
    same = sa.and_(*(column == first.c[column.name] for column in names))
    return _shown(select(stretch).select_from(first.join(stretch, same)).subquery(), _DAY, _UPTO)


def _shown(page: sa.Subquery, on: date | sa.BindParameter[date], known: int | sa.BindParameter[int]) -> sa.Select[Any]:
    """What is shown of the entries of a page, with their stations.

    The page first, the stations of its few voters then: no plan can take it into its head to join a country.
    """
    columns = [column for column in page.c if column.name not in _UNSHOWN]
    whole = select(*columns, _station_of(page.c)).select_from(page.outerjoin(coverage, _covers(page.c, on, known)))
    return whole.order_by(page.c.sort_key, page.c.person)


def _page_of_station(
    connection: Connection,
    on: date,
    known: int,
    municipality: str,
    station: str,
    place: _Order | None,
    limit: int,
) -> sa.Subquery:
    """The same of a polling station: its addresses, all its voters, and of these the first.

    Voters of one station stand far apart in the order of a municipality, and nobody can tell a plan how far.
    """
    covered = select(coverage.c.address_key).where(
        coverage.c.municipality == municipality,
        coverage.c.station == station,
        holds_on(coverage, on),
        known_at(coverage, known),
    )
    addresses = sa.literal(list(connection.scalars(covered)), ARRAY(sa.Text))
    # A plan made for any addresses would go through the municipality once for each of them.
    connection.execute(sa.text("SELECT set_config('plan_cache_mode', 'force_custom_plan', true)"))
    voters = (
        select(stretch)
        .where(
            stretch.c.entered,
            stretch.c.counts_in == municipality,
            stretch.c.address_key == sa.any_(addresses),
            _votes_there(stretch.c),
            holds_on(stretch, on),
            known_at(stretch, known),
        )
        .cte("voters")
        .prefix_with("MATERIALIZED")
    )
    behind = select(voters).where(*_behind(voters.c, place))
    return behind.order_by(voters.c.sort_key, voters.c.person).limit(limit).subquery()


def _behind(rows: Columns, place: _Order | None) -> list[ColumnElement[bool]]:
    if place is None:
        return []
    key, who = place
    order = sa.tuple_(rows.sort_key, rows.person)
    return [order > sa.tuple_(sa.literal(key, sa.LargeBinary), sa.literal(who, sa.Uuid))]


def _place(connection: Connection, after: str, on: date, known: int) -> _Order:
    """The place in the order behind a cursor. A cursor is a person: it tells no name, as a sort key would."""
    try:
        who = UUID(after)
    except ValueError as error:
        raise BadCursorError(after) from error
    query = select(stretch.c.sort_key).where(stretch.c.person == who, holds_on(stretch, on), known_at(stretch, known))
    key = connection.scalar(query)
    if key is None:
        raise BadCursorError(after)
    return bytes(key), who


def _before(instant: datetime) -> ColumnElement[int]:
    """The last position recorded before an instant."""
    at = sa.cast(instant, sa.DateTime(timezone=True)) - sa.text("interval '1 microsecond'")
    return sa.cast(func.store.position_at(at), sa.BigInteger)


_NOT_FIRST: Final = audit_entry.c.action != sa.literal_column("'entered'")


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
    if action is not None and action != "entered":
        query = query.where(_NOT_FIRST)  # in these words there is an index of the rare ones
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
