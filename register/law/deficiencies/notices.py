"""Notices that cannot stand beside what else is known of the person (Art. 3.5(6), 3.5(3)2 and 5, 3.6)."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Final, NamedTuple

from register.law.calendar import calendar_of
from register.law.deficiencies.case import Case, about_notice, finding, key_of, sender
from register.law.deficiencies.kinds import Finding
from register.law.dossier import facts_on
from register.law.effects import Rolling
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
    ends = case.of(ResidenceEnded)
    homes = [(event, data) for event, data in case.of(Residence) if data.kind == "permanent"] if ends else []
    since = [data.effective_on for _, data in homes]
    for event, end in ends:
        until, before = bisect_right(since, end.effective_on), bisect_left(since, end.effective_on)
        own = {data.municipality for place in (until, before) for _, data in homes[max(place - 1, 0) : place]}
        if end.kind == "permanent" and end.municipality not in own:
            yield about_notice(
                case, "end-of-another-residence", event, *(e for e, _ in homes[max(until - 1, 0) : until])
            )


def residence_ended_at_once(case: Case) -> Iterator[Finding]:
    """The end, on the very day it began, of the last permanent residence of one left without any (R7, Art. 3.5(3)2).

    Of the two the end decides, in whatever order they came: who moves within a municipality that sends both is off the
    register. Not one who left on a later day as well, died, or ceased to be a citizen.
    """
    home = case.facts.residence
    if home is None or not case.facts.residence_ended or case.facts.dead or case.facts.citizenship_ended:
        return
    ends = [
        (event, end)
        for event, end in case.of(ResidenceEnded)
        if end.kind == "permanent" and end.municipality == home.municipality and end.effective_on >= home.effective_on
    ]
    if all(end.effective_on == home.effective_on for _, end in ends):
        yield about_notice(case, "residence-ended-at-once", ends[-1][0], case.carrying(home))


class Judged(NamedTuple):
    """An option, and whether its sender is competent for the person and the person can choose it, on its day."""

    event: Event
    option: VotingOption
    concerned: bool
    at_home: bool


def judged(case: Case) -> list[Judged]:
    """The options about a person in order, each judged by the facts of the end of its day and the options before it.

    That is how :mod:`register.law.dossier` takes them: those that are not validly made leave the one before in force.
    """
    found: list[Judged] = []
    standing: VotingOption | None = None
    facts_of = _FactsByDay(case)
    for event, option in case.of(VotingOption):
        facts = facts_of.end_of(option.effective_on)
        facts.standing_option = standing
        municipality = commission_of(event)
        at_home = permanent_residence(facts) is not None or facts.refugee is not None
        found.append(Judged(event, option, municipality is None or concerns(facts, municipality), at_home))
        if _is_lasting(option) and option_takes_effect(facts, event, option):
            standing = option
    return found


class _FactsByDay:
    """What is known of a person at the end of a day, but for options and reports of a death, which the rest judges."""

    def __init__(self, case: Case) -> None:
        self._rest = [event for event, data in case.notices if not isinstance(data, VotingOption | ReportedDeceased)]
        self._known: dict[date, Facts] = {}

    def end_of(self, day: date) -> Facts:
        if day not in self._known:
            self._known[day] = facts_on(self._rest, day) or Facts(None, "")
        return self._known[day]


def option_without_residence(case: Case, options: Sequence[Judged]) -> Iterator[Finding]:
    """Options by mail or at a mission of one without permanent residence or refugee status then (Art. 1.5(2), 20.8(6)).

    They count as not made.
    """
    for made in options:
        if _needs_home(made.option) and not made.at_home:
            yield about_notice(case, "option-without-residence", made.event)


def foreign_commission(case: Case, options: Sequence[Judged]) -> Iterator[Finding]:
    """Notices of a commission about one who neither resided nor counted with it on that day (Art. 3.5(3)5).

    They are without effect.
    """
    for made in options:
        if not made.concerned:
            yield about_notice(case, "foreign-commission", made.event)
    lasting = [made for made in options if _is_made(made) and _is_lasting(made.option)]
    since = [made.option.effective_on for made in lasting]
    facts_of = _FactsByDay(case) if case.of(ReportedDeceased) else None
    for event, report in case.of(ReportedDeceased):
        municipality = commission_of(event)
        if municipality is not None and facts_of is not None:
            facts = facts_of.end_of(report.effective_on)
            place = bisect_right(since, report.effective_on)
            facts.standing_option = lasting[place - 1].option if place else None
            if not concerns(facts, municipality):
                yield about_notice(case, "foreign-commission", event)


def late_options(case: Case, options: Sequence[Judged], elections: Sequence[ElectionCalled]) -> Iterator[Finding]:
    """Options after E-75 (early: the day the call sets) and up to E that would change the roll (Art. 3.6, practice).

    They do not count for this election. The key names the election: one notice may be late for two.
    """
    made = [(each.event, each.option) for each in options if _is_made(each) and each.option.option != "mobile-team"]
    for called in elections if made else ():
        until = calendar_of(called).options_until
        late = [
            (event, option)
            for event, option in made
            if until < option.effective_on <= called.day and option.election in (None, called.election)
        ]
        if not late:
            continue
        settled = _on_roll(case, called)
        for event, option in late:
            if settled is not None and _would_change(settled, option, called):
                yield finding(case, "late-option", f"{key_of(event)} {called.election}", sender(event), (event,))


def _needs_home(option: VotingOption) -> bool:
    return option.option in ("mail", "diplomatic-mission")


def _is_made(made: Judged) -> bool:
    """Whether an option takes effect, as ``franchise.option_takes_effect`` has it."""
    return made.concerned and (made.at_home or not _needs_home(made.option))


def _is_lasting(option: VotingOption) -> bool:
    """Whether it is a standing choice; the mobile team is a switch beside it."""
    return option.election is None and option.option != "mobile-team"


def _on_roll(case: Case, called: ElectionCalled) -> Facts | None:
    """What the roll of an election knows of the person on the day of the conclusion; None for one not on it."""
    calendar = calendar_of(called)
    events, rolling = case.events, Rolling(called.election, calendar.options_until)
    settled = facts_on(events, calendar.conclusion_day, rolling)
    on_the_day = facts_on(events, called.day, rolling)
    if settled is None or on_the_day is None or not residence_suffices(settled):
        return None
    barred = grounds(on_the_day, called.day, in_force(called.day))
    return None if any(ground != "no-residence" for ground in barred) else settled


def _would_change(settled: Facts, option: VotingOption, called: ElectionCalled) -> bool:
    """Whether a late option would, if it counted, change where or how the person stands on the roll."""
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
