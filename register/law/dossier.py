"""Events about one person -> the stretches of days on which the answer is the same.

The answer depends only on the *set* of events, never on the order in which they came: they are taken by day of effect,
on the same day by the weight of R-tie. Late, repeated and early notices therefore need no case of their own, and
replay, rebuild, audit and every question about the past call :func:`timeline`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from typing import assert_never

import msgspec

from register.law import franchise
from register.law.events import (
    AboutPerson,
    Annulment,
    CapacityRestored,
    CapacityWithdrawn,
    Citizen,
    Citizenship,
    CitizenshipEnded,
    Death,
    Entity,
    EntityOption,
    Event,
    JmbReplaced,
    PersonalData,
    RefugeeStatus,
    RefugeeStatusEnded,
    ReportedDeceased,
    Residence,
    ResidenceEnded,
    VotingBarEnded,
    VotingBarred,
    VotingOption,
)
from register.law.franchise import ALWAYS, FOREVER, Facts, Ground
from register.law.parameters import LAW, Law, RuleSet
from register.law.territory import Address

PersonNotice = (
    Citizen
    | PersonalData
    | Death
    | Residence
    | ResidenceEnded
    | JmbReplaced
    | EntityOption
    | Citizenship
    | CitizenshipEnded
    | RefugeeStatus
    | RefugeeStatusEnded
    | CapacityWithdrawn
    | CapacityRestored
    | VotingBarred
    | VotingBarEnded
    | VotingOption
    | ReportedDeceased
)


class Answer(msgspec.Struct, frozen=True, gc=False):
    """What the register says about a person on a day. ``counts_in`` and ``entity`` are None when not entered."""

    entered: bool
    grounds: tuple[Ground, ...]
    jmb: str
    surname: str | None
    given_name: str | None
    parent_name: str | None
    sex: str | None
    born_on: date | None
    script: str | None
    municipality: str | None
    settlement: str | None
    street: str | None
    house_number: str | None
    counts_in: str | None
    entity: Entity | None
    voting_option: str
    mobile_team: bool
    marked_deceased: bool

    @property
    def voting_address(self) -> Address | None:
        """The address whose regular polling station one votes at; None for who votes elsewhere, or not at all."""
        if self.municipality is None or self.voting_option != "regular" or self.counts_in != self.municipality:
            return None
        return Address(self.municipality, self.settlement, self.street, self.house_number)


class Stretch(msgspec.Struct, frozen=True, gc=False):
    """Days ``[from_, to)`` with the same answer; ``ALWAYS`` and ``FOREVER`` are open ends."""

    from_: date
    to: date
    answer: Answer


def live(events: Iterable[Event]) -> list[Event]:
    """The events that nobody took back: without annulments and without what they annul (later law 3.13)."""
    return _not_annulled(list(events))


def _not_annulled(events: list[Event]) -> list[Event]:
    annulled = {(e.source, e.data.annuls) for e in events if isinstance(e.data, Annulment)}
    if not annulled:
        return events
    return [e for e in events if not isinstance(e.data, Annulment) and (e.source, e.id) not in annulled]


def in_order(events: Iterable[Event]) -> list[tuple[Event, PersonNotice]]:
    """Live events about a person by day of effect, then R-tie."""
    about = [(e, e.data) for e in events if isinstance(e.data, AboutPerson)]
    about.sort(key=lambda pair: (pair[1].effective_on, pair[0].time, pair[0].source, pair[0].id))
    return about  # the subclasses of AboutPerson are exactly PersonNotice


def timeline(events: Iterable[Event], law: Law = LAW) -> tuple[Stretch, ...]:
    """The stretches of days of one person, covering all days; () when no event is about a person.

    ``events``: all events in the streams of the person's numbers, in any order. R1-R8, U1-U4, each day under the rule
    set of ``law`` in force on it. When every one of them was annulled, nothing is known of the person but the number.
    """
    events = list(events)
    ordered = in_order(_not_annulled(events))
    if not ordered:
        numbers = sorted(e.data.jmb for e in events if isinstance(e.data, AboutPerson))
        return tuple(Stretch(ALWAYS, FOREVER, _answer(Facts(None, n), ALWAYS, law.sets[0])) for n in numbers[:1])
    stretches: list[Stretch] = []
    rules, several = law.sets[0], len(law.sets) > 1
    for day, until, facts in _regimes(ordered, law):
        if several:
            rules = law.in_force(day)
        answer = _answer(facts, day, rules)
        if stretches and stretches[-1].answer == answer:
            stretches[-1] = Stretch(stretches[-1].from_, until, answer)
        else:
            stretches.append(Stretch(day, until, answer))
    return tuple(stretches)


def on_day(stretches: Sequence[Stretch], day: date) -> Answer | None:
    """The answer on ``day``, or None when there is none at all."""
    return next((s.answer for s in stretches if s.from_ <= day < s.to), None)


class Rolling(msgspec.Struct, frozen=True):
    """Under which election a roll is judged: its id, and the last day on which an option for it may take effect."""

    election: str
    options_until: date


def facts_on(events: Iterable[Event], day: date, rolling: Rolling | None = None) -> Facts | None:
    """What the events of one person say on ``day``; None when no live event is about a person.

    With ``rolling``, options are taken as for the roll of that election; without, options that name one are not
    looked at.
    """
    ordered = in_order(live(events))
    if not ordered:
        return None
    facts = _unknown(ordered)
    for today in _by_day(ordered):
        if today[0][1].effective_on > day:
            break
        _take(facts, today, rolling)
    return facts


def _regimes(ordered: list[tuple[Event, PersonNotice]], law: Law) -> Iterator[tuple[date, date, Facts]]:
    """``(from, to, facts)`` over all days; a day on which time alone may change the answer opens one of its own."""
    facts = _unknown(ordered)
    turns = () if facts.born_on is None else _turns(facts.born_on, law)
    start = ALWAYS
    for today in _by_day(ordered):
        day = today[0][1].effective_on
        for turn in turns:
            if start < turn < day:
                yield start, turn, facts
                start = turn
        if day > start:
            yield start, day, facts
        _take(facts, today, None)
        start = day
    for turn in turns:
        if start < turn:
            yield start, turn, facts
            start = turn
    yield start, FOREVER, facts


def _turns(born_on: date, law: Law) -> Sequence[date]:
    """The days, in order, on which one may come of age, or cease to be of age, by time alone (R2)."""
    sets = law.sets
    if len(sets) == 1:
        return (franchise.comes_of_age(born_on, sets[0].voting_age),)
    changes = [rules.since for rules in sets]
    return sorted({*changes, *(franchise.comes_of_age(born_on, rules.voting_age) for rules in sets)})


def _by_day(ordered: list[tuple[Event, PersonNotice]]) -> Iterator[list[tuple[Event, PersonNotice]]]:
    """The events grouped by day of effect, in order."""
    group: list[tuple[Event, PersonNotice]] = []
    for pair in ordered:
        if group and group[0][1].effective_on != pair[1].effective_on:
            yield group
            group = []
        group.append(pair)
    if group:
        yield group


def _unknown(ordered: list[tuple[Event, PersonNotice]]) -> Facts:
    """The facts before the first day: only what is not dated (date of birth) and the first number are there."""
    born_on: date | None = None
    jmb = ordered[0][1].jmb
    first_link = True
    for _, data in ordered:
        if isinstance(data, Citizen | PersonalData) and data.born_on is not None:
            born_on = data.born_on
        elif first_link and isinstance(data, JmbReplaced):
            jmb, first_link = data.jmb, False
    return Facts(born_on, jmb)


def _take(facts: Facts, today: list[tuple[Event, PersonNotice]], rolling: Rolling | None) -> None:
    """Take one day's events into account, in order.

    Ends of residence come after the residences of the same day (R7), options after both, and reports of a death last:
    what a commission sent is judged by where the person resides and counts at the end of that day.
    """
    ends: list[ResidenceEnded] = []
    options: list[tuple[Event, VotingOption]] = []
    reports: list[Event] = []
    for event, data in today:
        match data:
            case ResidenceEnded():
                ends.append(data)
            case VotingOption():
                options.append((event, data))
            case ReportedDeceased():
                reports.append(event)
            case Citizen() | PersonalData() | Death():
                _take_registry(facts, data)
            case Residence():
                _take_residence(facts, data)
            case _:
                _take_status(facts, event, data)
    for end in ends:
        _take_end_of_residence(facts, end)
    for event, option in options:
        _take_option(facts, event, option, rolling)
    for event in reports:
        _take_report_of_death(facts, event)


def _take_registry(facts: Facts, data: Citizen | PersonalData | Death) -> None:
    """R1, R3, names. Names and sex are dated by their effect; the date of birth is not dated and was taken before."""
    match data:
        case Citizen():
            facts.recorded = True
            facts.surname, facts.given_name, facts.parent_name = data.surname, data.given_name, data.parent_name
            facts.sex, facts.script = data.sex, data.script
        case PersonalData():
            facts.surname = data.surname or facts.surname
            facts.given_name = data.given_name or facts.given_name
            facts.parent_name = data.parent_name or facts.parent_name
            facts.sex = data.sex or facts.sex
        case Death():
            facts.dead = True


def _take_residence(facts: Facts, data: Residence) -> None:
    """R7; a temporary residence, at home or abroad, is beside it and takes the place of an earlier one."""
    if data.kind == "permanent":
        facts.residence, facts.residence_ended = data, False
    else:
        facts.temporary, facts.temporary_ended = data, False


def _take_report_of_death(facts: Facts, event: Event) -> None:
    """A mark, and no deletion (practice); a commission marks only those who reside or count with it."""
    sender = franchise.commission_of(event)
    if sender is None or franchise.concerns(facts, sender):
        facts.marked_deceased = True


def _take_status(
    facts: Facts,
    event: Event,
    data: JmbReplaced
    | EntityOption
    | Citizenship
    | CitizenshipEnded
    | RefugeeStatus
    | RefugeeStatusEnded
    | CapacityWithdrawn
    | CapacityRestored
    | VotingBarred
    | VotingBarEnded,
) -> None:
    """Citizenship (R4, R8), refugee status (R7), capacity (R5), bars (R6), entity option (U4), the number shown."""
    match data:
        case Citizenship():
            facts.citizenship_ended, facts.other_citizenships = False, data.other_citizenships
        case CitizenshipEnded():
            facts.citizenship_ended, facts.other_citizenships = True, ()
        case RefugeeStatus():
            facts.refugee = data
        case RefugeeStatusEnded():
            facts.refugee = None
        case CapacityWithdrawn():
            if data.extent == "full":
                facts.capacity = data
        case CapacityRestored():
            facts.capacity = data
        case VotingBarred():
            facts.bars.append((event.source, event.id, data.ground))
        case VotingBarEnded():
            facts.bar_ends.add(data.names(event.source))
        case EntityOption():
            facts.entity_option = data.entity
        case JmbReplaced():
            facts.jmb = data.new_jmb
        case _:
            assert_never(data)


def _take_end_of_residence(facts: Facts, data: ResidenceEnded) -> None:
    """R7: an end counts only for the residence of the same municipality; of another one it changes nothing."""
    if data.kind == "permanent":
        if facts.residence is not None and facts.residence.municipality == data.municipality:
            facts.residence_ended = True
    elif facts.temporary is not None and (facts.temporary.kind, facts.temporary.municipality) == (
        data.kind,
        data.municipality,
    ):
        facts.temporary_ended = True


def _take_option(facts: Facts, event: Event, data: VotingOption, rolling: Rolling | None) -> None:
    """Voting options (Art. 3.5(3)5): standing ones, or for the election of a roll; ``mobile-team`` is a switch beside.

    For a roll every option but ``mobile-team`` counts up to its last day only; a later ``regular`` still ends the
    mobile team.
    """
    if data.election is not None and (rolling is None or data.election != rolling.election):
        return
    if not franchise.option_takes_effect(facts, event, data):
        return
    for_election = data.election is not None
    if data.option in ("mobile-team", "regular"):
        if for_election:
            facts.mobile_for_election = data.option == "mobile-team"
        else:
            facts.mobile_standing = data.option == "mobile-team"
    if data.option == "mobile-team":
        return
    in_time = rolling is None or data.effective_on <= rolling.options_until
    if not for_election:
        facts.standing_option = data
        facts.counted_option = data if in_time else facts.counted_option
    elif in_time:
        facts.election_option = data


def _answer(facts: Facts, day: date, rules: RuleSet) -> Answer:
    """The answer on ``day`` by the facts and the rules of that day: R1-R8 and U1-U4."""
    found = franchise.grounds(facts, day, rules)
    entered = not found
    option = facts.option
    counts_in = franchise.would_count_in(facts, option) if entered else None
    residence = franchise.permanent_residence(facts)
    return Answer(
        entered,
        found,
        facts.jmb,
        facts.surname,
        facts.given_name,
        facts.parent_name,
        facts.sex,
        facts.born_on,
        facts.script,
        None if residence is None else residence.municipality,
        None if residence is None else residence.settlement,
        None if residence is None else residence.street,
        None if residence is None else residence.house_number,
        counts_in,
        franchise.entity(facts, counts_in),
        "regular" if option is None else option.option,
        facts.mobile_team,
        facts.marked_deceased,
    )
