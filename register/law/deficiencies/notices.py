"""Notices that cannot stand beside what else is known of the person (Art. 3.5(6), 3.5(3)2 and 5, 3.6)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Final

from register.law.calendar import calendar_of
from register.law.deficiencies.case import Case, about_notice, finding, key_of, sender
from register.law.deficiencies.kinds import Finding
from register.law.dossier import Rolling, facts_on
from register.law.events import (
    CapacityRestored,
    CapacityWithdrawn,
    Citizen,
    Citizenship,
    Death,
    ElectionCalled,
    EntityOption,
    Event,
    RefugeeStatus,
    ReportedDeceased,
    Residence,
    ResidenceEnded,
    VotingBarred,
    VotingOption,
)
from register.law.franchise import (
    Facts,
    commission_of,
    concerns,
    grounds,
    option_takes_effect,
    permanent_residence,
    residence_suffices,
    would_count_in,
)
from register.law.parameters import in_force

#: How far the clocks of a sender and of the register may differ.
CLOCKS: Final = timedelta(minutes=5)
#: What nobody can do, and nobody can decide about a person, after death. Ends, corrections and reports of the death
#: itself rightly come after it.
_OF_THE_LIVING: Final = (
    Citizen,
    Residence,
    EntityOption,
    Citizenship,
    RefugeeStatus,
    CapacityWithdrawn,
    CapacityRestored,
    VotingBarred,
    VotingOption,
)


def ahead_of_time(case: Case) -> Iterator[Finding]:
    """Notices whose ``time`` lies more than five minutes after they were recorded (Art. 3.5(6)).

    By R-tie such a notice would go before those of the same day that are really sent later.
    """
    for event, _ in case.notices:
        if event.time > event.recorded_at and event.time - event.recorded_at > CLOCKS:
            ahead = (event.time - event.recorded_at) // timedelta(minutes=1)
            yield about_notice(case, "ahead-of-time", event, figures={"minutes": ahead})


def after_death(case: Case) -> Iterator[Finding]:
    """Notices that only a living person can give rise to, with effect after a death in effect today (Art. 3.5(6))."""
    if not case.facts.dead:
        return
    death, died = case.of(Death)[0]
    for type_ in _OF_THE_LIVING:
        for event, data in case.of(type_):
            if data.effective_on > died.effective_on:
                yield about_notice(case, "after-death", event, death)


def end_of_another_residence(case: Case) -> Iterator[Finding]:
    """Ends of a permanent residence in a municipality where the person did not reside (R7, Art. 3.5(3)2).

    An end on the day of the move itself is that of the residence left on that day.
    """
    for event, end in case.of(ResidenceEnded):
        if end.kind != "permanent":
            continue
        on_the_day = _residence_on(case, end, 0)
        if end.municipality not in (_municipality(on_the_day), _municipality(_residence_on(case, end, 1))):
            beside = () if on_the_day is None else (case.carrying(on_the_day),)
            yield about_notice(case, "end-of-another-residence", event, *beside)


def _residence_on(case: Case, end: ResidenceEnded, days_before: int) -> Residence | None:
    """The last permanent residence up to the day of an end, or days before it; also one ended."""
    until = end.effective_on - timedelta(days=days_before)
    last = None
    for _, data in case.of(Residence):
        if data.kind == "permanent" and data.effective_on <= until:
            last = data
    return last


def _municipality(residence: Residence | None) -> str | None:
    return None if residence is None else residence.municipality


def option_without_residence(case: Case) -> Iterator[Finding]:
    """Options by mail or at a mission of one without permanent residence or refugee status then (Art. 1.5(2), 20.8(6)).

    They count as not made.
    """
    for event, option in case.of(VotingOption):
        if option.option in ("mail", "diplomatic-mission"):
            facts = _before(case, event, option)
            if permanent_residence(facts) is None and facts.refugee is None:
                yield about_notice(case, "option-without-residence", event)


def foreign_commission(case: Case) -> Iterator[Finding]:
    """Notices of a commission about one who neither resided nor counted with it on that day (Art. 3.5(3)5).

    They are without effect.
    """
    for event, option in case.of(VotingOption):
        municipality = commission_of(event)
        if municipality is not None and not concerns(_before(case, event, option), municipality):
            yield about_notice(case, "foreign-commission", event)
    for event, report in case.of(ReportedDeceased):
        municipality = commission_of(event)
        facts = facts_on(case.events, report.effective_on)
        if municipality is not None and facts is not None and not concerns(facts, municipality):
            yield about_notice(case, "foreign-commission", event)


def late_options(case: Case, elections: Sequence[ElectionCalled]) -> Iterator[Finding]:
    """Options after E-75 (early: the day the call sets) and up to E that would change the roll (Art. 3.6, practice).

    They do not count for this election. The key names the election: one notice may be late for two.
    """
    options = [(e, o) for e, o in case.of(VotingOption) if o.option != "mobile-team"]
    for called in elections if options else ():
        until = calendar_of(called).options_until
        for event, option in options:
            if not until < option.effective_on <= called.day or option.election not in (None, called.election):
                continue
            taken = option_takes_effect(_before(case, event, option), event, option)
            if taken and _changes_roll(case, option, called, Rolling(called.election, until)):
                key = f"{key_of(event)} {called.election}"
                yield finding(case, "late-option", key, sender(event), (event,))


def _changes_roll(case: Case, option: VotingOption, called: ElectionCalled, rolling: Rolling) -> bool:
    """Whether a late option would, if it counted, change where or how the person stands on the roll."""
    events = case.events
    settled = facts_on(events, calendar_of(called).conclusion_day, rolling)
    on_the_day = facts_on(events, called.day, rolling)
    if settled is None or on_the_day is None or not residence_suffices(settled):
        return False
    rules = in_force(called.called_on)
    if any(ground != "no-residence" for ground in grounds(on_the_day, called.day, rules)):
        return False
    if option.election is None and settled.election_option is not None:
        return False
    places = {would_count_in(settled, settled.option), would_count_in(settled, option)}
    if called.municipalities and not places & set(called.municipalities):
        return False
    return _choice(option) != _choice(settled.option)


def _choice(option: VotingOption | None) -> tuple[str | None, ...]:
    """What a roll takes from an option; none is ``regular``."""
    if option is None:
        return ("regular", None, None, None, None)
    return (option.option, option.municipality_1991, option.country, option.foreign_address, option.mission)


def _before(case: Case, event: Event, option: VotingOption) -> Facts:
    """The facts by which an option is judged: of the end of its day, without it and the options R-tie puts after it."""
    own = (option.effective_on, event.weight)
    earlier = [
        other
        for other, data in case.notices
        if not isinstance(data, VotingOption) or (data.effective_on, other.weight) < own
    ]
    return facts_on(earlier, option.effective_on) or Facts(None, option.jmb)
