"""The roll of an election, and the one list on which each of its voters stands.

The roll is a function of the events up to the conclusion and of nothing else. R1-R6 are judged on election day; R7,
R8, U1-U4 and the polling station on the day of the conclusion (E-45, early elections E-20), whenever the act was done.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import date
from typing import Literal, NamedTuple

import msgspec

from register.law import franchise
from register.law.calendar import Calendar, calendar_of
from register.law.dossier import facts_on, facts_on_both
from register.law.effects import Rolling
from register.law.events import BRCKO, ElectionCalled, Entity, Event
from register.law.parameters import LAW, Law, RuleSet
from register.law.territory import Address, Coverage, station_on

ListKind = Literal[
    "no-entity-option",
    "in-person-1991",
    "absentee-1991",
    "mail",
    "diplomatic-mission",
    "polling-station",
    "unallocated",
]


class RollEntry(msgspec.Struct, frozen=True, gc=False):
    """A voter of a roll and the one list he or she stands on; ``mobile_team`` is an overlay on a station's list.

    ``municipality`` is where the entry counts; ``residence`` that of permanent residence, or None. ``station`` and
    ``mission`` are set on the lists that have one. ``list_kind`` is the first kind that fits (rules: rolls).
    """

    list_kind: ListKind
    municipality: str
    entity: Entity | None
    station: str | None
    mission: str | None
    jmb: str
    surname: str
    given_name: str
    parent_name: str
    sex: str
    born_on: date
    script: str | None
    residence: str | None
    settlement: str | None
    street: str | None
    house_number: str | None
    country: str | None
    foreign_address: str | None
    voting_option: str
    mobile_team: bool
    marked_deceased: bool


class Roll(msgspec.Struct, frozen=True):
    """What a roll is judged under: the call, its calendar, where it is held, the rules in force on election day."""

    called: ElectionCalled
    calendar: Calendar
    municipalities: frozenset[str]
    rules: RuleSet


def roll_of(called: ElectionCalled, all_municipalities: Collection[str], law: Law = LAW) -> Roll:
    """The roll's terms; an election without named municipalities is held in all of them (Art. 1.14)."""
    held_in = frozenset(called.municipalities or all_municipalities)
    return Roll(called, calendar_of(called, law), held_in, law.in_force(called.day))


class BothDays(NamedTuple):
    """What is known of a person on the two days of a roll: that of the conclusion, and election day."""

    at_conclusion: franchise.Facts
    on_the_day: franchise.Facts

    @property
    def municipality(self) -> str | None:
        """That of the permanent residence at the conclusion, whose stations :func:`stand_on` needs; or None."""
        residence = franchise.permanent_residence(self.at_conclusion)
        return None if residence is None else residence.municipality


def on_both_days(events: Iterable[Event], roll: Roll) -> BothDays | None:
    """What a roll is judged by, of one person; None when no live event is about a person. ``events`` as for `stand`."""
    rolling = Rolling(roll.called.election, roll.calendar.options_until)
    found = facts_on_both(events, roll.calendar.conclusion_day, roll.called.day, rolling)
    return None if found is None else BothDays(*found)


def stand(events: Iterable[Event], roll: Roll, coverage: Coverage | None) -> RollEntry | None:
    """Where a person stands on the roll, or None when not on it (Art. 3.6 b, c, e; R1-R8, U1-U4 of the roll's days).

    ``events``: those of one person up to the conclusion, any order (without links that link nothing). ``coverage``:
    of the municipality of the person's permanent residence, by the same events; see :func:`residence_of`.
    """
    facts = on_both_days(events, roll)
    return None if facts is None else stand_on(facts, roll, coverage)


def stand_on(facts: BothDays, roll: Roll, coverage: Coverage | None) -> RollEntry | None:
    """The same by what is known on the two days of the roll."""
    at_conclusion, on_the_day = facts
    barred = [g for g in franchise.grounds(on_the_day, roll.called.day, roll.rules) if g != "no-residence"]
    if barred or not franchise.residence_suffices(at_conclusion):
        return None
    counts_in = franchise.would_count_in(at_conclusion, at_conclusion.option)
    if counts_in is None or counts_in not in roll.municipalities:
        return None
    residence = franchise.permanent_residence(at_conclusion)
    station = None
    if residence is not None and residence.municipality == counts_in and coverage is not None:
        address = Address(counts_in, residence.settlement, residence.street, residence.house_number)
        covering = station_on(coverage.resolve(address), roll.calendar.conclusion_day)
        station = None if covering is None else covering.station
    entity = franchise.entity(at_conclusion, counts_in)
    kind = _list_kind(roll, at_conclusion, counts_in, entity, station)
    option = at_conclusion.option
    return RollEntry(
        list_kind=kind,
        municipality=counts_in,
        entity=entity,
        station=station if kind == "polling-station" else None,
        mission=option.mission if option is not None and kind == "diplomatic-mission" else None,
        jmb=on_the_day.jmb,
        surname=on_the_day.surname or "",
        given_name=on_the_day.given_name or "",
        parent_name=on_the_day.parent_name or "",
        sex=on_the_day.sex or "",
        born_on=on_the_day.born_on or date.min,
        script=on_the_day.script,
        residence=None if residence is None else residence.municipality,
        settlement=None if residence is None else residence.settlement,
        street=None if residence is None else residence.street,
        house_number=None if residence is None else residence.house_number,
        country=None if option is None else option.country,
        foreign_address=None if option is None else option.foreign_address,
        voting_option="regular" if option is None else option.option,
        mobile_team=at_conclusion.mobile_team and kind == "polling-station",
        marked_deceased=on_the_day.marked_deceased,
    )


def residence_of(events: Iterable[Event], roll: Roll) -> str | None:
    """The municipality whose stations :func:`stand` needs for this person, or None."""
    facts = facts_on(events, roll.calendar.conclusion_day)
    residence = None if facts is None else franchise.permanent_residence(facts)
    return None if residence is None else residence.municipality


def _list_kind(
    roll: Roll, facts: franchise.Facts, counts_in: str, entity: Entity | None, station: str | None
) -> ListKind:
    """The first list that fits, in the order of the rules."""
    if roll.called.kind == "general" and counts_in == BRCKO and entity is None:
        return "no-entity-option"
    match None if facts.option is None else facts.option.option:
        case "in-person-1991" | "absentee-1991" | "mail" | "diplomatic-mission" as kind:
            return kind
        case _:
            return "unallocated" if station is None else "polling-station"
