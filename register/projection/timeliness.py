"""Reading how quickly notices came and what did not arrive (Art. 3.5(4)-(5)), from the projector's counts.

For the inspector: :func:`findings` ``(connection, today, *, authorities=None, days=None) -> Iterator[Finding]`` gives
what is wrong today with control totals, silent days and written notices: of all authorities and days, or of these. What
it gave before and gives no longer is remedied. Its keys are ``register.law.deficiencies.receiving.key_of``.

Refused notices count for control totals too: they stand in the intake journal, and are read from it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import date
from itertools import groupby, islice
from operator import itemgetter
from typing import Any, Final, NamedTuple

import psycopg

from register.law.deficiencies.kinds import Finding
from register.law.deficiencies.receiving import Total, deciding, silent_day, unmatched_total, written_missing
from register.law.events import ControlTotal

Connection = psycopg.Connection[Any]

#: So many (authority, day)s are compared at a time.
_AT_ONCE: Final = 2_000
#: A first control total may be about a day long past: an authority is expected to report from so many days before the
#: day on which that total was recorded, at the earliest.
_LOOKING_BACK: Final = 31

_OF_THESE: Final = """
    (%(authorities)s::text[] IS NULL OR authority = ANY(%(authorities)s))
    AND (%(days)s::date[] IS NULL OR day = ANY(%(days)s))
"""
# The totals of days on which one of them is not plainly the counts of the recorded notices: what is left to compare.
_DOUBTFUL: Final = f"""
    WITH total AS (SELECT * FROM projection.control_total WHERE NOT annulled AND {_OF_THESE}), counted AS (
        SELECT authority, day, jsonb_object_agg(type, notices) AS notices FROM projection.received
        WHERE type <> '{ControlTotal.TOPIC}' AND {_OF_THESE} GROUP BY authority, day
    ), doubtful AS (
        SELECT t.authority, t.day FROM total t LEFT JOIN counted c ON c.day = t.day AND c.authority = t.authority
        WHERE coalesce(c.notices, '{{}}') <> (
            SELECT coalesce(jsonb_object_agg(name, count), '{{}}') FROM jsonb_each(t.sent) AS s(name, count)
            WHERE count <> '0'
        ) OR EXISTS (SELECT FROM intake.refused f WHERE f.authority = t.authority AND f.sent_on = t.day)
    )
    SELECT authority, day, position, time, id, sent FROM total
    WHERE (authority, day) IN (SELECT authority, day FROM doubtful) ORDER BY authority, day
"""
# A refused notice counts under its id once, also where it was recorded in the end, with the same type on the same day.
_RECEIVED: Final = """
    WITH asked AS (SELECT * FROM unnest(%s::text[], %s::date[]) AS u(authority, day))
    SELECT a.authority, a.day, r.type, r.notices
    FROM asked a JOIN projection.received r ON r.day = a.day AND r.authority = a.authority
    UNION ALL
    SELECT a.authority, a.day, f.notice_type, count(DISTINCT f.notice_id)
    FROM asked a JOIN intake.refused f ON f.authority = a.authority AND f.sent_on = a.day
    WHERE NOT EXISTS (
        SELECT FROM store.source s JOIN store.event_key k ON k.source_no = s.no AND k.id = f.notice_id
        JOIN store.event e ON e.notification_id = k.position
        WHERE s.source = 'urn:cvr:authority:' || f.authority AND e.topic = f.notice_type
            AND e.notification_id <= (SELECT coalesce(min(position), 0) FROM projection.progress)
            AND ((convert_from(e.state, 'UTF8')::jsonb ->> 'time')::timestamptz AT TIME ZONE 'Europe/Sarajevo')::date
                = f.sent_on
    )
    GROUP BY 1, 2, 3
"""
# A total speaks for the day it counts, not for the one on which it was sent.
_SILENT: Final = f"""
    WITH first AS (
        SELECT authority, greatest(min(day), min(recorded_on) - {_LOOKING_BACK}) AS day
        FROM projection.control_total WHERE NOT annulled GROUP BY authority
    ), expected AS (
        SELECT authority, first.day + n AS day FROM first, generate_series(1, %(today)s::date - first.day) AS n
    )
    SELECT authority, day FROM expected e WHERE {_OF_THESE}
        AND NOT EXISTS (
            SELECT FROM projection.received r
            WHERE r.day = e.day AND r.authority = e.authority AND r.type <> '{ControlTotal.TOPIC}'
        )
        AND NOT EXISTS (
            SELECT FROM projection.control_total t WHERE t.authority = e.authority AND t.day = e.day AND NOT t.annulled
        )
        AND NOT EXISTS (
            SELECT FROM intake.refused f WHERE f.authority = e.authority AND f.sent_on = e.day
                AND f.notice_type IS DISTINCT FROM '{ControlTotal.TOPIC}'
        )
    ORDER BY authority, day
"""
_FIRST_LOADS: Final = """
    SELECT DISTINCT ON (authority) authority, until FROM projection.first_load ORDER BY authority, position DESC
"""
# As the law says with paper_missing: 7 days after the change and after the electronic notice.
_MISSING: Final = f"""
    WITH load AS ({_FIRST_LOADS}), counted AS (
        SELECT authority, day, notices - excused AS papers FROM projection.notice_lag
        WHERE day + paper_days <= %(today)s AND day - lag + paper_days < %(today)s AND {_OF_THESE}
        UNION ALL
        SELECT w.authority, w.day, -w.papers FROM projection.written_lag w JOIN projection.notice_lag n
            ON (w.day, w.authority, w.type, w.lag) = (n.day, n.authority, n.type, n.lag)
        WHERE n.day + n.paper_days <= %(today)s AND n.day - n.lag + n.paper_days < %(today)s
            AND {_OF_THESE.replace("authority =", "w.authority =").replace("OR day", "OR w.day")}
    )
    SELECT authority, day, sum(papers)::int8 FROM counted LEFT JOIN load USING (authority)
    WHERE load.until IS NULL OR day > load.until GROUP BY authority, day HAVING sum(papers) > 0 ORDER BY authority, day
"""
_FIGURES: Final = f"""
    WITH load AS ({_FIRST_LOADS}), paper AS (
        SELECT day, authority, type, lag, sum(papers) AS papers, coalesce(sum(papers) FILTER (WHERE late), 0) AS late
        FROM projection.written_lag WHERE day BETWEEN %(first)s AND %(last)s GROUP BY 1, 2, 3, 4
    )
    SELECT n.authority, n.type, CASE WHEN %(these)s THEN date_trunc('month', n.day::timestamp)::date END, n.lag,
        coalesce(n.day <= load.until, false), sum(n.notices)::int8,
        coalesce(sum(n.notices) FILTER (WHERE n.late), 0)::int8, coalesce(sum(paper.late), 0)::int8,
        coalesce(sum(n.notices - n.excused - coalesce(paper.papers, 0))
            FILTER (WHERE n.day - n.lag + n.paper_days < %(today)s), 0)::int8
    FROM projection.notice_lag n LEFT JOIN paper USING (day, authority, type, lag) LEFT JOIN load USING (authority)
    WHERE n.day BETWEEN %(first)s AND %(last)s AND (n.type = ANY(%(types)s)) = %(these)s
    GROUP BY 1, 2, 3, 4, 5
"""

AuthorityDay = tuple[str, date]


class Figure(NamedTuple):
    """Notices of one lag, as the law classes it. ``month``: the first day of the month of recording, where asked for.

    ``late``: too late by wire. ``papers_late`` came, too late; ``papers_missing``: overdue and not here.
    """

    authority: str
    type: str
    month: date | None
    lag: int
    first_load: bool
    notices: int
    late: int
    papers_late: int
    papers_missing: int


class Compared(NamedTuple):
    """The deciding control total of an authority's day, and what was received of that day by type."""

    authority: str
    day: date
    total: Total
    received: dict[str, int]


def findings(
    connection: Connection,
    today: date,
    *,
    authorities: Collection[str] | None = None,
    days: Collection[date] | None = None,
) -> Iterator[Finding]:
    """What did not arrive, as it stands on ``today``: ``control-total``, ``silent-day``, ``written-notice-missing``.

    ``days``: what control totals are about, the silent days, the days of recording of notices whose paper is missing.
    """
    for authority, day, total, received in compared(connection, authorities=authorities, days=days):
        unmatched = unmatched_total(authority, day, total, received)
        if unmatched is not None:
            yield unmatched
    for authority, day in silent_days(connection, today, authorities=authorities, days=days):
        silent = silent_day(authority, day, today)
        if silent is not None:
            yield silent
    for authority, day, missing in _read(connection, _MISSING, authorities, days, today=today):
        lacking = written_missing(authority, day, missing)
        if lacking is not None:
            yield lacking


def compared(
    connection: Connection, *, authorities: Collection[str] | None = None, days: Collection[date] | None = None
) -> Iterator[Compared]:
    """Each control total that decides and may not match, in order of authority and day, beside what was received."""
    rows = _read(connection, _DOUBTFUL, authorities, days)
    each = ((key, deciding(Total(*row[2:]) for row in group)) for key, group in groupby(rows, itemgetter(0, 1)))
    decided: Iterator[tuple[AuthorityDay, Total]] = ((key, total) for key, total in each if total is not None)
    while some := list(islice(decided, _AT_ONCE)):
        received = received_of(connection, [key for key, _ in some])
        for key, total in some:
            yield Compared(key[0], key[1], total, received[key])


def received_of(connection: Connection, asked: Collection[AuthorityDay]) -> dict[AuthorityDay, dict[str, int]]:
    """How many notices came of these days, by type: distinct ids by the day of ``time``, refused ones included."""
    found: dict[AuthorityDay, dict[str, int]] = {key: {} for key in asked}
    parameters = ([authority for authority, _ in asked], [day for _, day in asked])
    for authority, day, kind, notices in connection.execute(_RECEIVED.encode(), parameters):
        of_day = found[authority, day]
        of_day[kind] = of_day.get(kind, 0) + notices
    return found


def silent_days(
    connection: Connection,
    today: date,
    *,
    authorities: Collection[str] | None = None,
    days: Collection[date] | None = None,
) -> Iterator[AuthorityDay]:
    """Days up to ``today`` of which nothing came from an authority that has sent a control total for an earlier day."""
    yield from _read(connection, _SILENT, authorities, days, today=today)


def figures(
    connection: Connection, first: date, last: date, today: date, *, types: Collection[str], these: bool
) -> list[Figure]:
    """What was recorded from ``first`` to ``last``, of these types by month, or (``these`` false) of all others."""
    asked = {"first": first, "last": last, "today": today, "types": list(types), "these": these}
    return [Figure(*row) for row in connection.execute(_FIGURES.encode(), asked)]


def _read(
    connection: Connection,
    query: str,
    authorities: Collection[str] | None,
    days: Collection[date] | None,
    **asked: object,
) -> list[Any]:
    chosen = {
        name: None if some is None else list(some) for name, some in (("authorities", authorities), ("days", days))
    }
    return connection.execute(query.encode(), chosen | asked).fetchall()
