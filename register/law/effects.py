"""What takes effect on a day -> the facts about a person: what each kind of notice changes in them.

The register's answer (:mod:`register.law.dossier`) is judged by these facts, day after day.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import assert_never

import msgspec

from register.law import franchise
from register.law.events import (
    CapacityRestored,
    CapacityWithdrawn,
    Citizen,
    Citizenship,
    CitizenshipEnded,
    Death,
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
from register.law.franchise import Facts

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


class Rolling(msgspec.Struct, frozen=True):
    """Under which election a roll is judged: its id, and the last day on which an option for it may take effect."""

    election: str
    options_until: date


def unknown(ordered: Sequence[tuple[Event, PersonNotice]]) -> Facts:
    """The facts before the first day: only what is not dated (date of birth) and the first number are there."""
    born_on: date | None = None
    jmb = ordered[0][1].jmb
    first_link = True
    for _, data in ordered:
        if (type(data) is Citizen or type(data) is PersonalData) and data.born_on is not None:
            born_on = data.born_on
        elif first_link and type(data) is JmbReplaced:
            jmb, first_link = data.jmb, False
    return Facts(born_on, jmb)


def take(facts: Facts, today: Sequence[tuple[Event, PersonNotice]], rolling: Rolling | None) -> None:
    """Take one day's events into account, in order.

    Ends of residence come after the residences of the same day (R7), options after both, and reports of a death last:
    what a commission sent is judged by where the person resides and counts at the end of that day.
    """
    ends: list[ResidenceEnded] = []
    options: list[tuple[Event, VotingOption]] = []
    reports: list[Event] = []
    for event, data in today:
        match data:
            case Residence():  # by how many there are of each
                _take_residence(facts, data)
            case Citizen() | PersonalData() | Death():
                _take_registry(facts, data)
            case ResidenceEnded():
                ends.append(data)
            case VotingOption():
                options.append((event, data))
            case ReportedDeceased():
                reports.append(event)
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
