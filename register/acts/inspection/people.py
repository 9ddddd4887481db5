"""Kinds about one person: whom the events touch, whom the passing of time may have touched, and what is wrong there."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

import psycopg

from register.acts.inspection.looking import Connection, Examined, Sight, loading
from register.law.calendar import calendar_of
from register.law.deficiencies import KINDS, Finding
from register.law.deficiencies.persons import PERSONAL_KINDS, about_person
from register.law.events import BRCKO, SOURCE_PREFIX, Event
from register.law.parameters import in_force
from register.projection.copying import array
from register.projection.deficiencies import standing_about
from register.projection.links import linked_streams

#: People looked at together.
TOGETHER: Final = 1_000
#: Kinds whose findings come and go with the day alone.
_BY_DAY: Final = ("number-disagrees", "over-110", "after-death", "late-option")
#: No notice takes effect later than so many days after it came: the first sweep looks back so far.
_FIRST: Final = timedelta(days=366)

#: Whose stretches of today tell that a notice is missing, or that nobody grows so old; and whose began meanwhile.
_CANDIDATES: Final = """
    SELECT person FROM projection.stretch
    WHERE known @> %(position)s::int8 AND days @> %(today)s::date AND (
        ('not-recorded' = ANY(grounds) AND municipality IS NOT NULL)
        OR (surname IS NOT NULL AND 'no-residence' = ANY(grounds))
        OR (entered AND counts_in = %(brcko)s AND entity IS NULL)
        OR (entered AND born_on <= %(oldest)s)
        OR lower(days) > %(since)s)
"""
#: Who has a deficiency that the day may end.
_STANDING: Final = """
    SELECT unnest(persons) AS person FROM projection.deficiency
    WHERE kind = ANY(%(kinds)s) AND state NOT IN ('remedied', 'dismissed')
"""
_LATE: Final = "SELECT stream FROM projection.option WHERE effective_on > %(after)s AND effective_on <= %(upto)s"


def examine(sight: Sight, streams: Collection[UUID]) -> Examined:
    """What is wrong about the persons of these streams, and what stands of it."""
    if not streams:
        return Examined()
    linked = linked_streams(sight.connection, streams)
    events = sight.store.streams(linked, upto=sight.position)
    found: list[Finding] = []
    held: list[Finding] = []
    for finding in about_person(events, sight.today, sight.elections):
        (held if _under_way(sight, finding, events) else found).append(finding)
    return Examined(found, standing_about(sight.connection, PERSONAL_KINDS, linked), held)


def known(sight: Sight, streams: Collection[UUID]) -> set[UUID]:
    """Those of some streams that are of personal numbers."""
    query = "SELECT person FROM projection.person WHERE person = ANY(%s::uuid[]) AND first_position <= %s"
    return (
        {person for (person,) in sight.connection.execute(query, (array(streams), sight.position))}
        if streams
        else set()
    )


def touched_by_time(sight: Sight, since: date | None) -> Iterator[set[UUID]]:
    """Whom the days after ``since`` up to today may have touched, some at a time."""
    today = sight.today
    parameters = {
        "today": today,
        "position": sight.position,
        "since": since or today - _FIRST,
        "brcko": BRCKO,
        "oldest": _years_before(today, in_force(today).age_most + 1),
        "kinds": [*_BY_DAY, *(kind for kind, rule in KINDS.items() if rule.about == "person" and rule.waits)],
    }
    yield from in_parts(sight.connection, f"{_CANDIDATES} UNION ALL {_STANDING}", parameters)


def late_for(sight: Sight, election: str) -> Iterator[set[UUID]]:
    """Who made an option that may be late for an election."""
    for called in sight.elections:
        if called.election == election:
            days = {"after": calendar_of(called).options_until, "upto": called.day}
            yield from in_parts(sight.connection, _LATE, days)


def in_parts(connection: Connection, query: str, parameters: Mapping[str, Any]) -> Iterator[set[UUID]]:
    """The streams that a query finds, streamed, some at a time."""
    with psycopg.ServerCursor(connection, f"found_{uuid4().hex}") as cursor:
        cursor.execute(query.encode(), parameters)
        while rows := cursor.fetchmany(TOGETHER):
            yield {stream for (stream,) in rows}


def _under_way(sight: Sight, finding: Finding, events: Mapping[UUID, Sequence[Event]]) -> bool:
    """Whether what is missing may still come: what shows that it is missing was sent in a first load (Art. 3.5(5))."""
    if not sight.loads or not KINDS[finding.kind].waits:
        return False
    evidence = set(finding.evidence)
    senders = {e.source for each in events.values() for e in each if e.position in evidence}
    return loading(sight, {source.removeprefix(SOURCE_PREFIX) for source in senders})


def _years_before(day: date, years: int) -> date:
    """So many years earlier; of 29 February the day before where there is none."""
    year = max(day.year - years, 1)
    return day.replace(year=year) if (day.month, day.day) != (2, 29) else date(year, 2, 28)
