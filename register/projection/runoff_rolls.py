"""The roll of a run-off from the event store: the first round's, and what events have changed since."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, Final
from uuid import UUID

import msgspec
import psycopg

from register.law.dossier import live
from register.law.events import AboutPerson, ElectionCalled, Event
from register.law.rolls import RollEntry, roll_of
from register.law.runoffs import Change, CoverageOf, Runoff, changes, runoff_of, stand_again
from register.law.territory import Coverage
from register.projection.links import linked_streams
from register.projection.loading import linked_streams as linked_upto
from register.projection.voters import roll_entries
from register.store import Store
from register.store.subjects import streams_of_kind

Connection = psycopg.Connection[Any]

#: Whom only one of the two rolls has, or whose mark differs; the first roll's only where the run-off is held.
_DIFFERING: Final = """
    SELECT coalesce(a.person, b.person)
    FROM (SELECT person, marked_deceased FROM projection.roll
          WHERE election = %(first)s AND (%(everywhere)s OR municipality = ANY(%(towns)s))) a
    FULL JOIN (SELECT person, marked_deceased FROM projection.roll WHERE election = %(runoff)s) b USING (person)
    WHERE a.person IS NULL OR b.person IS NULL OR a.marked_deceased <> b.marked_deceased
    ORDER BY 1
"""


def entries_of(
    connection: Connection, store: Store, called: ElectionCalled, conclusion: int, municipalities: Collection[str]
) -> Iterator[tuple[UUID, RollEntry]]:
    """The roll of an election concluded at a position, a run-off's too: (person, entry), in no order that matters.

    ``municipalities``: the codes of all. Raises ``LookupError`` for a run-off whose first round the tables do not
    know to be concluded.
    """
    upto = conclusion - 1
    if called.runoff_of is None:
        yield from roll_entries(connection, store, roll_of(called, municipalities), upto)
        return
    terms = terms_of(connection, called, municipalities)
    covering = coverage_of(connection, store, terms)
    linked = linked_upto(connection, store, upto)
    aside: dict[UUID, list[Event]] = {}
    for stream, events in store.by_stream(upto=upto):
        if stream in linked:
            aside[stream] = events
        elif any(isinstance(event.data, AboutPerson) for event in events):
            yield from stand_again({stream: events}, terms, covering)
    yield from stand_again(aside, terms, covering)


def terms_of(connection: Connection, called: ElectionCalled, municipalities: Collection[str]) -> Runoff:
    """The terms of a run-off. Raises ``LookupError`` where the tables do not know its first round to be concluded."""
    row = connection.execute(
        "SELECT called, conclusion FROM projection.election WHERE election = %s AND conclusion IS NOT NULL",
        (called.runoff_of,),
    ).fetchone()
    if row is None:
        raise LookupError(called.runoff_of)
    return runoff_of(roll_of(msgspec.convert(row[0], ElectionCalled), municipalities), row[1], called)


def coverage_of(connection: Connection, store: Store, terms: Runoff) -> CoverageOf:
    """The polling stations as known at the first conclusion, by municipality."""
    streams = store.streams(streams_of_kind(connection, "station"), upto=terms.conclusion - 1)
    stations = [event for events in streams.values() for event in live(events)]
    made: dict[str, Coverage] = {}

    def of(municipality: str) -> Coverage:
        if municipality not in made:
            made[municipality] = Coverage(municipality, stations)
        return made[municipality]

    return of


def differing(connection: Connection, terms: Runoff) -> list[UUID]:
    """Whom the frozen rolls of the two rounds do not have alike, where the run-off is held."""
    towns = terms.called.municipalities
    asked = {"first": terms.first.called.election, "runoff": terms.called.election, "towns": list(towns)}
    rows = connection.execute(_DIFFERING.encode(), {**asked, "everywhere": not towns})
    return [person for (person,) in rows]


def changes_of(
    connection: Connection, store: Store, terms: Runoff, people: Collection[UUID], upto: int
) -> list[Change]:
    """The changes about some people that :func:`differing` found, explained; ``upto``: before the second conclusion."""
    linked = linked_streams(connection, set(people))
    streams = store.streams(linked, upto=upto)
    wanted = set(people)
    found = changes(streams, terms, coverage_of(connection, store, terms))
    return sorted((each for each in found if each.person in wanted), key=lambda each: each.person)
