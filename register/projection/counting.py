"""Counts of the whole register as of any day and any position, and what came and went between two positions.

Every function takes a connection, and the position or positions on which the whole answer rests. ``on`` is a day.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import Connection, func, select
from sqlalchemy.sql.elements import ColumnElement

from register.projection.queries import Row, holds_on, known_at
from register.projection.tables import audit_entry, stretch

#: What a summary may be counted by.
SUMMARY_BY: Final = ("municipality", "entity", "sex", "age", "ground")


def summary(connection: Connection, on: date, known: int, by: Collection[str]) -> list[Row]:
    """Counts of voters (with ``ground``: of those not entered too) by municipality, entity, sex, age, first ground.

    Each row holds the members of ``by`` in the order of :data:`SUMMARY_BY`, and ``count``. The municipality is where
    a voter counts, of those not entered where they reside.
    """
    age = func.date_part("year", func.age(sa.cast(on, sa.Date), stretch.c.born_on)).cast(sa.Integer)
    columns: dict[str, ColumnElement[Any]] = {
        "municipality": _counted_in(by),
        "entity": stretch.c.entity,
        "sex": stretch.c.sex,
        "age": age,
        "ground": stretch.c.grounds[1],
    }
    chosen = [columns[name].label(name) for name in SUMMARY_BY if name in by]
    query = select(*chosen, func.count().label("count")).where(holds_on(stretch, on), known_at(stretch, known))
    if "ground" not in by:
        query = query.where(stretch.c.entered)
    if chosen:
        labels: list[ColumnElement[Any]] = [sa.literal_column(str(n)) for n in range(1, len(chosen) + 1)]
        query = query.group_by(*labels).order_by(*(label.nulls_first() for label in labels))
    return [dict(row) for row in connection.execute(query).mappings()]


def _counted_in(by: Collection[str]) -> ColumnElement[Any]:
    """The municipality of a count. Who is entered counts somewhere, and an index alone tells where."""
    return func.coalesce(stretch.c.counts_in, stretch.c.municipality) if "ground" in by else stretch.c.counts_in


def counts(connection: Connection, on: date, *known: int) -> list[dict[str | None, int]]:
    """Voters by the municipality they count in, as known at each of some positions; counted in one go."""
    at = [known_at(stretch, position) for position in known]
    columns = [func.count().filter(is_known) for is_known in at]
    query = select(stretch.c.counts_in, *columns).where(stretch.c.entered, holds_on(stretch, on), sa.or_(*at))
    rows = connection.execute(query.group_by(stretch.c.counts_in)).all()
    return [{row[0]: row[n] for row in rows if row[n]} for n in range(1, len(known) + 1)]


def changes(connection: Connection, on: date, after: int, upto: int) -> list[Row]:
    """What the audit log says of a day between two positions: ``municipality``, ``action``, ``ground``, ``count``.

    The municipality is where the entry counts on that very day: after an entry or reinstatement, before a deletion.
    """
    at = sa.case((audit_entry.c.action == "deleted", audit_entry.c.position - 1), else_=audit_entry.c.position)
    there = sa.and_(stretch.c.person == audit_entry.c.person, holds_on(stretch, on), stretch.c.known.op("@>")(at))
    query = (
        select(
            stretch.c.counts_in.label("municipality"),
            audit_entry.c.action,
            audit_entry.c.ground,
            func.count().label("count"),
        )
        .select_from(audit_entry.outerjoin(stretch, there))
        .where(audit_entry.c.position > after, audit_entry.c.position <= upto, holds_on(audit_entry, on))
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
        .where(
            ~func.upper_inf(was.c.known),
            at > after,
            at <= upto,
            was.c.days.op("@>")(sa.cast(on, sa.Date)),
            holds_on(now, on),
        )
        .group_by(was.c.counts_in, now.c.counts_in)
    )
    return [(a, b, n) for a, b, n in connection.execute(query)]
