"""What is wrong about one person: a pure function of the events, the day, and the elections called.

The same set of events gives the same findings, in whatever order they came; what is annulled is as if never sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Final
from uuid import UUID

from register.law import personal_number
from register.law.deficiencies import gaps, identity, notices
from register.law.deficiencies.case import Case, case_of, recorded_on
from register.law.deficiencies.kinds import KINDS, Finding, Kind
from register.law.dossier import live
from register.law.events import AboutPerson, Citizen, ElectionCalled, Event, JmbReplaced, PersonalData
from register.law.franchise import comes_of_age
from register.law.parameters import RuleSet, in_force
from register.law.persons import persons
from register.law.provisions import Refusal

#: The kinds that :func:`about_person` finds: what it does not find any more is remedied.
PERSONAL_KINDS: Final[frozenset[Kind]] = frozenset(
    {
        "two-under-one-number",
        "number-disagrees",
        "numbers-disagree",
        "over-110",
        "before-birth",
        "after-death",
        "ahead-of-time",
        "residence-without-citizen",
        "citizen-without-residence",
        "end-of-another-residence",
        "option-without-residence",
        "late-option",
        "foreign-commission",
        "no-entity-option",
    }
)
_RULES: Final[tuple[Callable[[Case], Iterator[Finding]], ...]] = (
    identity.two_under_one_number,
    identity.number_disagrees,
    identity.over_110,
    identity.before_birth,
    notices.after_death,
    notices.ahead_of_time,
    gaps.residence_without_citizen,
    gaps.citizen_without_residence,
    notices.end_of_another_residence,
    notices.option_without_residence,
    notices.foreign_commission,
    gaps.no_entity_option,
)
_ORDER: Final[dict[Kind, int]] = {kind: place for place, kind in enumerate(KINDS)}


def about_person(
    streams: Mapping[UUID, Sequence[Event]], today: date, elections: Sequence[ElectionCalled]
) -> list[Finding]:
    """Everything wrong on ``today`` about the persons of these streams, by kind, then key (Art. 3.5(6), 3.6 a).

    ``streams``: all number-streams that links may connect with one person, any order, as for
    :func:`register.law.persons.persons`. Links that link nothing leave several persons: the findings are about all.
    ``elections``: the calls of all elections; only options need them.
    """
    rules = in_force(today)
    joined = persons(streams)
    found = list(identity.numbers_disagree(streams, joined))
    for person, events in joined.items():
        case = case_of(person, events, today, rules)
        if case is None:
            continue
        for rule in _RULES:
            found.extend(rule(case))
        found.extend(notices.late_options(case, elections))
    if len(found) > 1:
        found.sort(key=lambda finding: (_ORDER[finding.kind], finding.key))
    return found


def next_look(streams: Mapping[UUID, Sequence[Event]], today: date) -> date | None:
    """The first day after ``today`` on which the passing of time alone may change the findings (Art. 3.5(6)).

    None: only an event can. Until that day :func:`about_person` says the same as today.
    """
    rules = in_force(today)
    waiting = timedelta(days=rules.waiting_days)
    days: set[date] = set()
    for events in streams.values():
        for event in live(events):
            if isinstance(event.data, AboutPerson):
                days.add(event.data.effective_on)
                days.add(recorded_on(event) + waiting)
    for born_on in _births(streams):
        of_age = comes_of_age(born_on, rules.voting_age)
        days |= {of_age, of_age + waiting, *_doubted(born_on, today, rules)}
    return min((day for day in days if day > today), default=None)


def _births(streams: Mapping[UUID, Sequence[Event]]) -> set[date]:
    """Every date of birth that somebody or some number states."""
    births: set[date] = set()
    numbers: set[str] = set()
    for events in streams.values():
        for event in events:
            data = event.data
            if isinstance(data, AboutPerson):
                numbers.add(data.jmb)
            if isinstance(data, Citizen | PersonalData) and data.born_on is not None:
                births.add(data.born_on)
            if isinstance(data, JmbReplaced):
                numbers.add(data.new_jmb)
    for number in numbers:
        try:
            births.add(personal_number.birth_date(number))
        except Refusal:
            continue  # refused at the door; it says nothing
    return births


def _doubted(born_on: date, today: date, rules: RuleSet) -> set[date]:
    """The birthdays from which on an age is doubted, and the next ones, on which the figure grows."""
    first = rules.age_most + 1
    return {comes_of_age(born_on, max(first, today.year - born_on.year + more)) for more in (0, 1)}
