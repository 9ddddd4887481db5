"""What is wrong about one person: a pure function of the events, the day, and the elections called.

The same set of events gives the same findings, in whatever order they came; what is annulled is as if never sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from typing import Final
from uuid import UUID

from register.law.deficiencies import gaps, identity, notices
from register.law.deficiencies.case import Case, case_of
from register.law.deficiencies.kinds import KINDS, Finding, Kind
from register.law.events import ElectionCalled, Event
from register.law.parameters import in_force
from register.law.persons import persons

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
        "residence-ended-at-once",
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
    notices.residence_ended_at_once,
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
        options = notices.judged(case)
        found.extend(notices.option_without_residence(case, options))
        found.extend(notices.foreign_commission(case, options))
        found.extend(notices.late_options(case, options, elections))
    if len(found) > 1:
        found.sort(key=lambda finding: (_ORDER[finding.kind], finding.key))
    return found
