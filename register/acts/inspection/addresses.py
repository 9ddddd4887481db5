"""Kinds about addresses: found by groups of the register's tables, limited to what was touched."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import date, timedelta
from itertools import pairwise
from typing import Final
from uuid import UUID

import msgspec

from register.acts.inspection.looking import Examined, Sight, loading
from register.law.calendar import calendar_of
from register.law.deficiencies import Finding
from register.law.deficiencies.addresses import (
    ARRIVALS_AN_ADDRESS,
    Application,
    Arrival,
    Inhabited,
    ambiguous,
    arrivals_from,
    crowded,
    many_arrivals,
    uncovered,
)
from register.law.dossier import facts_on, live
from register.law.effects import Rolling
from register.law.events import SOURCE_PREFIX, ElectionCalled, Event, Residence, VotingOption
from register.law.parameters import in_force
from register.law.persons import persons
from register.projection.copying import array
from register.projection.deficiencies import abroad_key, by_key, standing_of
from register.projection.links import linked_streams
from register.projection.rows import address_key

_UNCOVERED: Final = ("address-uncovered", "address-ambiguous")
#: Parts of an address key are kept apart by this.
_PART: Final = "\x1f"

_GAPS: Final = """
    SELECT DISTINCT s.municipality FROM projection.stretch s
    JOIN projection.coverage c ON c.municipality = s.municipality AND c.address_key = s.address_key
    WHERE s.person = ANY(%s::uuid[]) AND lower(s.known) <= %s AND upper_inf(c.known) AND c.days @> %s::date
        AND (c.station IS NULL OR c.ambiguous)
"""
_TOWNS: Final = """
    SELECT DISTINCT municipality FROM projection.coverage
    WHERE upper_inf(known) AND days @> %s::date AND (station IS NULL OR ambiguous)
    UNION
    SELECT municipality FROM projection.deficiency
    WHERE kind = ANY(%s) AND state NOT IN ('remedied', 'dismissed') AND municipality IS NOT NULL
"""
#: Those for whom it matters: who votes at the station of the address.
_INHABITED: Final = """
    SELECT split_part(c.address_key, %(part)s, 1), c.ambiguous, count(*), min(c.station)
    FROM projection.coverage c
    JOIN projection.stretch s ON s.address_key = c.address_key
    WHERE c.municipality = %(town)s AND upper_inf(c.known) AND c.days @> %(today)s::date
        AND (c.station IS NULL OR c.ambiguous)
        AND s.counts_in = %(town)s AND s.entered AND s.municipality = %(town)s AND s.voting_option = 'regular'
        AND s.known @> %(position)s::int8 AND s.days @> %(today)s::date
    GROUP BY 1, 2
"""
_LAST_WORD: Final = """
    SELECT max(e.notification_id) FROM store.event e JOIN projection.station s ON s.stream = e.originator_id
    WHERE s.municipality = %s AND e.notification_id <= %s
"""
_ARRIVED_AT: Final = """
    SELECT municipality, address_key, array_agg(DISTINCT person) FROM projection.stretch
    WHERE known @> %s::int8 AND municipality IS NOT NULL AND lower(days) BETWEEN %s AND %s
    GROUP BY municipality, address_key HAVING count(DISTINCT person) > %s
"""
_RESIDED: Final = """
    SELECT count(DISTINCT person) FROM projection.stretch
    WHERE counts_in = %s AND entered AND municipality = %s AND address_key = %s AND known @> %s::int8
        AND days @> %s::date
"""


# --- polling stations: Art. 3.5(3)4 ---------------------------------------------------------------------------------


def towns_of_stations(sight: Sight, streams: Collection[UUID]) -> set[str]:
    """The municipalities of the polling stations among these streams."""
    if not streams:
        return set()
    query = "SELECT DISTINCT municipality FROM projection.station WHERE stream = ANY(%s::uuid[])"
    return {town for (town,) in sight.connection.execute(query, (array(streams),))}


def towns_with_gaps(sight: Sight, streams: Collection[UUID]) -> set[str]:
    """The municipalities in which these people reside or resided at an address not covered well today."""
    if not streams:
        return set()
    return {town for (town,) in sight.connection.execute(_GAPS, (array(streams), sight.position, sight.today))}


def towns_to_look_at(sight: Sight) -> list[str]:
    """The municipalities that have an address not covered well, or a deficiency that says so."""
    return sorted(town for (town,) in sight.connection.execute(_TOWNS, (sight.today, list(_UNCOVERED))))


def examine_town(sight: Sight, town: str) -> Examined:
    """The settlements of a municipality in which voters' addresses are covered by no station, or by several."""
    rows = sight.connection.execute(
        _INHABITED, {"town": town, "today": sight.today, "position": sight.position, "part": _PART}
    ).fetchall()
    places = [
        # A settlement stands for its addresses: a load without stations must not make a deficiency of each house.
        Inhabited(town, f"{settlement}{_PART}", voters, station, double)
        for settlement, double, voters, station in rows
    ]
    (last,) = sight.connection.execute(_LAST_WORD, (town, sight.position)).fetchone() or (None,)
    found = [*uncovered(places, () if last else (town,)), *ambiguous(places)]
    if last is not None:  # what the commission has said last shows it
        found = [msgspec.structs.replace(finding, evidence=(last,)) for finding in found]
    standing = [state for kind in _UNCOVERED for state in standing_of(sight.connection, kind, town)]
    if loading(sight, {f"municipal-commission:{town}"}):
        return Examined([], standing, found)
    return Examined(found, standing)


# --- foreign addresses ----------------------------------------------------------------------------------------------


def crowds(sight: Sight, streams: Collection[UUID]) -> list[str]:
    """The foreign addresses named by options of these people that more than a few ever named."""
    return _crowds(sight, "stream = ANY(%(streams)s::uuid[])", streams=array(streams)) if streams else []


def crowds_by_day(sight: Sight, since: date | None) -> set[str]:
    """Those named by options that took effect after ``since``, or that were for an election that has passed since."""
    over = [c.election for c in sight.elections if (since or c.day) <= c.day < sight.today]
    days = "election = ANY(%(over)s) OR (effective_on > %(since)s AND effective_on <= %(today)s)"
    return set(_crowds(sight, days, over=over, since=since or date.min, today=sight.today))


def _crowds(sight: Sight, named: str, **parameters: object) -> list[str]:
    rows = sight.connection.execute(
        f"""
        SELECT abroad_key FROM projection.option
        WHERE abroad_key IN (SELECT abroad_key FROM projection.option WHERE {named})
        GROUP BY abroad_key HAVING count(DISTINCT stream) > %(limit)s
        """.encode(),
        {**parameters, "limit": in_force(sight.today).applications_an_address},
    )
    return [key for (key,) in rows]


def examine_abroad(sight: Sight, key: str) -> Examined:
    """Whether too many applications that count name one foreign address."""
    rows = sight.connection.execute("SELECT DISTINCT stream FROM projection.option WHERE abroad_key = %s", (key,))
    streams = linked_streams(sight.connection, {stream for (stream,) in rows})
    joined = persons(sight.store.streams(streams, upto=sight.position))
    applications = [
        Application(
            person=person,
            country=option.country or "",
            foreign_address=option.foreign_address or "",
            position=event.position,
            authority=event.source.removeprefix(SOURCE_PREFIX),
        )
        for person, events in joined.items()
        for event, option in _applications(sight, events)
        if abroad_key(option) == key
    ]
    found = crowded(applications, in_force(sight.today).applications_an_address)
    standing = [state for state in by_key(sight.connection, [("crowded-address", key)]) if state.stands]
    return Examined(found, standing)


def _applications(sight: Sight, events: list[Event]) -> Iterator[tuple[Event, VotingOption]]:
    """The out-of-country applications of a living person that count today, standing or for an election to come."""
    coming = [called for called in sight.elections if called.day >= sight.today]
    rolls = [Rolling(called.election, calendar_of(called).options_until) for called in coming]
    for rolling in (None, *rolls):
        facts = facts_on(events, sight.today, rolling)
        option = None if facts is None or facts.dead else facts.option
        if option is not None and option.option == "mail":
            yield next((event, option) for event in events if event.data is option)


# --- arrivals before a conclusion -----------------------------------------------------------------------------------


def examine_arrivals(sight: Sight, called: ElectionCalled) -> Examined:
    """Where many arrived before the conclusion of an election; while it is near, or as long as something stands."""
    calendar = calendar_of(called)
    first, last = arrivals_from(calendar), calendar.conclusion_day
    standing = [
        state for state in standing_of(sight.connection, "many-arrivals") if state.key.startswith(f"{called.election}:")
    ]
    if sight.today < first or (sight.today > called.day and not standing):
        return Examined()
    usual = min(each.value for each in ARRIVALS_AN_ADDRESS)
    until = min(last, sight.today)
    found: list[Finding] = []
    for town, key, arrived in sight.connection.execute(_ARRIVED_AT, (sight.position, first, until, usual)).fetchall():
        before = (town, town, key, sight.position, first - timedelta(days=1))
        (residents,) = sight.connection.execute(_RESIDED, before).fetchone() or (0,)
        found.extend(many_arrivals(_arrivals(sight, town, key, arrived, residents), calendar))
    return Examined(found, standing)


def _arrivals(sight: Sight, town: str, key: str, arrived: Iterable[UUID], residents: int) -> list[Arrival]:
    """Who of these people moved to an address from another one, and when."""
    linked = linked_streams(sight.connection, set(arrived))
    arrivals = []
    for person, events in persons(sight.store.streams(linked, upto=sight.position)).items():
        moves = sorted(
            (
                (event.data, event)
                for event in live(events)
                if isinstance(event.data, Residence)
                and event.data.kind == "permanent"
                and event.data.effective_on <= sight.today
            ),
            key=lambda move: (move[0].effective_on, move[1].weight),
        )
        for (before, _), (here, event) in pairwise(moves):
            if _place(here) == (town, key) != _place(before):
                arrivals.append(Arrival(person, town, key, here.effective_on, residents, event.position))
    return arrivals


def _place(residence: Residence) -> tuple[str | None, str]:
    key = address_key(residence.settlement, residence.street, residence.house_number)
    return residence.municipality, key
