"""A second reading of the law, written from its rules alone, to be compared with the register's own.

It asks one day at a time and knows no intervals: every function takes all that is known and one day, goes through it
from the first event to the last, and remembers nothing. It is slow on purpose. Where the register's reading and this
one differ, one of the two has misread a rule.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import takewhile
from typing import Any
from uuid import UUID

from register.law.alphabet import fold
from register.law.events import (
    Annulment,
    CapacityRestored,
    CapacityWithdrawn,
    Citizen,
    Citizenship,
    CitizenshipEnded,
    Death,
    ElectionCalled,
    EntityOption,
    Event,
    JmbReplaced,
    PersonalData,
    PollingStation,
    PollingStationAbolished,
    RefugeeStatus,
    RefugeeStatusEnded,
    ReportedDeceased,
    Residence,
    ResidenceEnded,
    VotingBarEnded,
    VotingBarred,
    VotingOption,
)

#: Events and their data are read by the names of their members, as the rules name them.
Events = list[Any]

BRCKO = "30163"
ONE_DAY = timedelta(days=1)


# --- what is live, and what decides -----------------------------------------------------------------------------------


def live(known: Iterable[Event]) -> Events:
    """Without what was annulled: an annulled event is as if never sent, for every day."""
    events: Events = list(known)
    annulled = {(e.source, e.data.annuls) for e in events if isinstance(e.data, Annulment)}
    return [e for e in events if not isinstance(e.data, Annulment) and (e.source, e.id) not in annulled]


def r_tie(event: Any) -> tuple[Any, ...]:
    """The latest day of effect; on the same day the later time, then the greater source and id as text."""
    return (event.data.effective_on, event.time, event.source, event.id)


def last(events: Iterable[Any]) -> Any:
    found = None
    for event in events:
        if found is None or r_tie(event) > r_tie(found):
            found = event
    return found


def of(events: Events, *types: Any, until: date | None = None) -> Events:
    return [e for e in events if isinstance(e.data, types) and (until is None or e.data.effective_on <= until)]


# --- R1 to R8: every function takes live events and a day -------------------------------------------------------------


def recorded(events: Events, day: date) -> bool:  # R1
    return len(of(events, Citizen, until=day)) > 0


def born_on(events: Events) -> Any:
    """Not dated: the statement that R-tie puts last holds for all days."""
    statement = last(e for e in of(events, Citizen, PersonalData) if e.data.born_on is not None)
    return None if statement is None else statement.data.born_on


def is_adult(events: Events, day: date, age: int = 18) -> bool:  # R2
    born = born_on(events)
    try:
        birthday = born.replace(year=born.year + age)
    except ValueError:  # 29 February, reached on 28 February in a year without one
        birthday = date(born.year + age, 2, 28)
    return bool(birthday <= day)


def is_dead(events: Events, day: date) -> bool:  # R3
    return len(of(events, Death, until=day)) > 0


def citizenship_ended(events: Events, day: date) -> bool:  # R4
    decides = last(of(events, Citizenship, CitizenshipEnded, until=day))
    return decides is not None and isinstance(decides.data, CitizenshipEnded)


def capacity_withdrawn(events: Events, day: date) -> bool:  # R5
    decisions = of(events, CapacityWithdrawn, CapacityRestored, until=day)
    decides = last(e for e in decisions if isinstance(e.data, CapacityRestored) or e.data.extent == "full")
    return decides is not None and isinstance(decides.data, CapacityWithdrawn)


def barred(events: Events, day: date) -> set[str]:  # R6
    """The grounds (1.6, 1.7, 1.7a) with a bar in force."""
    grounds = set()
    for bar in of(events, VotingBarred, until=day):
        ends = [
            end
            for end in of(events, VotingBarEnded, until=day)
            if end.data.ends == bar.id and (end.data.ends_source or end.source) == bar.source
        ]
        if not ends:
            grounds.add(bar.data.ground)
    return grounds


def residence(events: Events, day: date) -> Any:  # R7
    """The residence in force, or None."""
    moved_in = last(e for e in of(events, Residence, until=day) if e.data.kind == "permanent")
    if moved_in is None:
        return None
    for end in of(events, ResidenceEnded, until=day):
        same = end.data.kind == "permanent" and end.data.municipality == moved_in.data.municipality
        if same and end.data.effective_on >= moved_in.data.effective_on:
            return None
    return moved_in.data


def temporary_residence(events: Events, day: date) -> Any:
    """Where the person stays beside that, at home or abroad; a later stay takes the place of an earlier one."""
    stays = last(e for e in of(events, Residence, until=day) if e.data.kind != "permanent")
    if stays is None:
        return None
    for end in of(events, ResidenceEnded, until=day):
        same = (end.data.kind, end.data.municipality) == (stays.data.kind, stays.data.municipality)
        if same and end.data.effective_on >= stays.data.effective_on:
            return None
    return stays.data


def refugee(events: Events, day: date) -> Any:
    """The refugee status in force, or None."""
    decides = last(of(events, RefugeeStatus, RefugeeStatusEnded, until=day))
    return decides.data if decides is not None and isinstance(decides.data, RefugeeStatus) else None


def other_citizenships(events: Events, day: date) -> tuple[str, ...]:
    decides = last(of(events, Citizenship, CitizenshipEnded, until=day))
    return decides.data.other_citizenships if decides is not None and isinstance(decides.data, Citizenship) else ()


def grounds(events: Events, day: date, age: int = 18) -> tuple[str, ...]:
    """Why the person is not entered on the day, in the order of the table; empty: entered. `age`: to vote then."""
    found = []
    if not recorded(events, day):
        found.append("not-recorded")
    elif not is_adult(events, day, age):  # R2 is judged once R1 holds
        found.append("under-age")
    if is_dead(events, day):
        found.append("deceased")
    if citizenship_ended(events, day):
        found.append("citizenship-ended")
    if capacity_withdrawn(events, day):
        found.append("legal-capacity-withdrawn")
    in_force = barred(events, day)
    found += ["barred-" + g for g in ("1.6", "1.7", "1.7a") if g in in_force]
    dual = len(other_citizenships(events, day)) > 0
    by_residence = residence(events, day) is not None
    by_status = refugee(events, day) is not None and not dual
    if not by_residence and not by_status:
        found.append("no-residence")
    return tuple(found)


# --- U1 to U4 and the voting options ----------------------------------------------------------------------------------


def commission_of(event: Event) -> str | None:
    """The municipality of a municipal election commission; None for the CEC and everybody else."""
    prefix = "urn:cvr:authority:municipal-commission:"
    return event.source[len(prefix) :] if event.source.startswith(prefix) else None


def would_count_in(events: Events, day: date, option: Any) -> Any:
    """Where an entry counts with this option in force: U2, U1, U3."""
    if option is not None and option.option in ("in-person-1991", "absentee-1991"):
        return option.municipality_1991
    at_home = residence(events, day)
    if at_home is not None:
        return at_home.municipality
    status = refugee(events, day)
    return None if status is None else status.municipality_1991


def concerns(events: Events, event: Any, option_before: Any) -> bool:
    """A commission's word has effect only about a person who resides or counts in its municipality.

    Residence is permanent or temporary; where the person counts is asked of the register, not of one election.
    """
    own = commission_of(event)
    if own is None:
        return True
    day = event.data.effective_on
    homes = (residence(events, day), temporary_residence(events, day))
    resides = any(home is not None and home.municipality == own for home in homes)
    return resides or would_count_in(events, day, option_before) == own


def standing_options(events: Events, until: date) -> Events:
    """Standing options that have effect, in the order of R-tie, up to a day: what was not validly made is left out."""
    accepted: Events = []
    for event in sorted(of(events, VotingOption, until=until), key=r_tie):
        if event.data.election is not None:  # for one election only; outside a roll not looked at
            continue
        day = event.data.effective_on
        choices = [e.data for e in accepted if e.data.option != "mobile-team"]
        if not concerns(events, event, choices[-1] if choices else None):
            continue
        at_home = residence(events, day) is not None or refugee(events, day) is not None
        if event.data.option in ("mail", "diplomatic-mission") and not at_home:
            continue
        accepted.append(event)
    return accepted


def chosen(accepted: Events) -> Any:
    choices = [e.data for e in accepted if e.data.option != "mobile-team"]
    return choices[-1] if choices else None


def mobile(accepted: Events) -> bool:
    """A switch of its own, ended by `regular`."""
    switch = [e.data.option for e in accepted if e.data.option in ("mobile-team", "regular")]
    return bool(switch) and switch[-1] == "mobile-team"


def marked(events: Events, day: date) -> bool:
    for event in of(events, ReportedDeceased, until=day):
        before = chosen(standing_options(events, event.data.effective_on))
        if concerns(events, event, before):
            return True
    return False


def entity(events: Events, day: date, municipality: str | None) -> Any:
    """The entity an entry counts for in a general election; in Brčko the last entity option says (U4)."""
    if municipality is None:
        return None
    if municipality == BRCKO:
        option = last(of(events, EntityOption, until=day))
        return None if option is None else option.data.entity
    return {"1": "FBiH", "2": "RS"}[municipality[0]]


def name_on(events: Events, day: date, member: str) -> Any:
    """Names and sex are dated by their effect; only the record of a citizen says the script."""
    statements = [e for e in of(events, Citizen, PersonalData, until=day) if getattr(e.data, member, None) is not None]
    statement = last(statements)
    return None if statement is None else getattr(statement.data, member)


# --- numbers and persons ----------------------------------------------------------------------------------------------


def said_of(events: Events, number: str) -> set[tuple[date, str]]:
    """What the live citizen events of a number say of date of birth and sex."""
    return {(e.data.born_on, e.data.sex) for e in of(events, Citizen) if e.data.jmb == number}


def speak_for(events: Events, number: str, asked: set[str]) -> set[tuple[date, str]]:
    """What is said of a number; of one that nothing is said of, what its neighbours by any live link say."""
    if said_of(events, number):
        return said_of(events, number)
    found = set()
    for link in of(events, JmbReplaced):
        ends = {link.data.jmb, link.data.new_jmb}
        if number in ends:
            for neighbour in ends - asked - {number}:
                found |= speak_for(events, neighbour, asked | {number})
    return found


def agree(events: Events, one: str, other: str) -> bool:
    """Whether all that speaks for the two numbers says the same of date of birth and sex."""
    return len(speak_for(events, one, set()) | speak_for(events, other, set())) <= 1


def links(events: Events) -> Events:
    """The live links that link: those between numbers that agree."""
    return [e for e in of(events, JmbReplaced) if agree(events, e.data.jmb, e.data.new_jmb)]


def people(known: Iterable[Event]) -> list[set[str]]:
    """All numbers known, parted into persons."""
    events: Events = list(known)
    numbers = {e.data.jmb for e in events if hasattr(e.data, "jmb")}
    persons = [{number} for number in sorted(numbers)]
    for link in links(live(events)):
        joined: set[str] = {link.data.jmb, link.data.new_jmb}
        apart = []
        for person in persons:
            if person & joined:
                joined |= person
            else:
                apart.append(person)
        persons = [*apart, joined]
    return persons


def number_on(all_live: Events, person: set[str], day: date) -> str:
    """The new number of the last link with effect; before the first link, the number it replaced."""
    own = [e for e in links(all_live) if e.data.jmb in person]
    link = last(e for e in own if e.data.effective_on <= day)
    if link is not None:
        return str(link.data.new_jmb)
    return str(min(own, key=r_tie).data.jmb) if own else min(person)


# --- the answer -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Answer:
    entered: bool
    grounds: tuple[str, ...]
    municipality: str | None
    settlement: str | None
    street: str | None
    house_number: str | None
    counts_in: str | None
    entity: str | None
    voting_option: str
    mobile_team: bool
    marked_deceased: bool
    jmb: str
    born_on: date | None
    surname: str | None
    given_name: str | None
    parent_name: str | None
    sex: str | None
    script: str | None


def answer(known: Iterable[Event], person: set[str], day: date, age: int = 18) -> Answer:
    """The answer about a person on a day, out of all events known; `age`: to vote on that day."""
    all_live = live(known)
    events = [e for e in all_live if getattr(e.data, "jmb", None) in person]
    why_not = grounds(events, day, age)
    at_home = residence(events, day)
    options = standing_options(events, day)
    option = chosen(options)
    counts_in = None if why_not else would_count_in(events, day, option)
    return Answer(
        entered=not why_not,
        grounds=why_not,
        municipality=None if at_home is None else at_home.municipality,
        settlement=None if at_home is None else at_home.settlement,
        street=None if at_home is None else at_home.street,
        house_number=None if at_home is None else at_home.house_number,
        counts_in=counts_in,
        entity=entity(events, day, counts_in),
        voting_option="regular" if option is None else option.option,
        mobile_team=mobile(options),
        marked_deceased=marked(events, day),
        jmb=number_on(all_live, person, day),
        born_on=born_on(events),
        surname=name_on(events, day, "surname"),
        given_name=name_on(events, day, "given_name"),
        parent_name=name_on(events, day, "parent_name"),
        sex=name_on(events, day, "sex"),
        script=getattr(getattr(last(of(events, Citizen, until=day)), "data", None), "script", None),
    )


# --- which polling station covers an address --------------------------------------------------------------------------


def stations(events: Events, municipality: str, day: date) -> dict[str, Any]:
    """The stations of a municipality in force on a day, by code; only regular ones cover addresses."""
    statements = of(events, PollingStation, PollingStationAbolished, until=day)
    codes = {e.data.code for e in statements if e.data.municipality == municipality}
    found = {}
    for code in codes:
        said = last(e for e in statements if (e.data.municipality, e.data.code) == (municipality, code))
        if isinstance(said.data, PollingStation) and said.data.kind == "regular":
            found[code] = said.data
    return found


def specificity(entry: Any, settlement: str | None, street: str | None, house_number: str | None) -> int:
    """How specifically an entry of a catchment names an address: 4 numbers of a street … 1 everything; 0 not at all."""
    if entry.settlement is not None and (settlement is None or fold(entry.settlement) != fold(settlement)):
        return 0
    if entry.street is None:
        return 1 if entry.settlement is None else 2
    if street is None or fold(entry.street) != fold(street):
        return 0
    if (entry.from_, entry.to, entry.parity) == (None, None, None):
        return 3
    digits = "".join(takewhile(str.isdigit, (house_number or "").strip()))
    if not digits:  # "bb": only entries without numbers match
        return 0
    number = int(digits)
    low = 0 if entry.from_ is None else entry.from_
    high = number if entry.to is None else entry.to
    odd_or_even = entry.parity is None or entry.parity == ("odd" if number % 2 else "even")
    return 4 if low <= number <= high and odd_or_even else 0


def station_of(
    known: Iterable[Event],
    municipality: str,
    day: date,
    *,
    settlement: str | None,
    street: str | None,
    house_number: str | None,
) -> tuple[str | None, bool]:
    """The station that covers an address on a day, and whether another one covers it just as specifically."""
    best = {
        code: max((specificity(entry, settlement, street, house_number) for entry in station.catchment), default=0)
        for code, station in stations(live(known), municipality, day).items()
    }
    most = max(best.values(), default=0)
    codes = sorted(code for code, how in best.items() if how == most and most > 0)
    return (codes[0] if codes else None), len(codes) > 1


# --- the roll of an election ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Place:
    """The one list a voter of a roll stands on; `where` is its municipality, mission or polling station."""

    list: str
    where: str | None
    counts_in: str
    entity: str | None
    mobile_team: bool


def options_for(events: Events, election: str, options_until: date, until: date) -> tuple[Any, bool]:
    """What decides for one election: options that name it before standing ones, each up to its last day."""

    def in_time(event: Any) -> bool:
        last_day = until if event.data.option == "mobile-team" else options_until
        return bool(event.data.effective_on <= last_day)

    def named(event: Any) -> bool:
        return event.data.election == election and in_time(event)

    def standing(event: Any) -> bool:
        return event.data.election is None and in_time(event)

    def switches(event: Any) -> bool:
        return event.data.option in ("mobile-team", "regular")

    def valid(event: Any) -> bool:
        """Whether an option naming an election has effect: judged beside the standing ones of its day."""
        day = event.data.effective_on
        before = [e for e in standing_options(events, day) if r_tie(e) < r_tie(event)]
        needs_home = event.data.option in ("mail", "diplomatic-mission")
        at_home = residence(events, day) is not None or refugee(events, day) is not None
        return concerns(events, event, chosen(before)) and (at_home or not needs_home)

    for_this_one = [e for e in sorted(of(events, VotingOption, until=until), key=r_tie) if e.data.election == election]
    for_this_one = [e for e in for_this_one if valid(e)]
    always = standing_options(events, until)
    option = chosen([e for e in for_this_one if named(e)]) or chosen([e for e in always if standing(e)])
    # "regular" ends the mobile team's visits up to the conclusion, as it may be asked for up to then.
    team = [e for e in for_this_one if switches(e)] or [e for e in always if switches(e)]
    return option, mobile(team)


def place_on_roll(
    known: Iterable[Event], person: set[str], called: ElectionCalled, station_of: Callable[[Any, date], str | None]
) -> Place | None:
    """Where a person stands on the roll of an election; None: not on it. `station_of(residence, day)`."""
    all_live = live(known)
    events = [e for e in all_live if getattr(e.data, "jmb", None) in person]
    settled = called.day - (20 if called.early else 45) * ONE_DAY
    options_until = called.options_until or called.day - 75 * ONE_DAY
    at_election = [g for g in grounds(events, called.day) if g != "no-residence"]
    if at_election or "no-residence" in grounds(events, settled):
        return None
    option, team = options_for(events, called.election, options_until, settled)
    counts_in = would_count_in(events, settled, option)
    if called.municipalities and counts_in not in called.municipalities:
        return None
    of_entity = entity(events, settled, counts_in)
    at_home = residence(events, settled)
    station = None if at_home is None else station_of(at_home, settled)
    name = "regular" if option is None else option.option
    if called.kind == "general" and counts_in == BRCKO and of_entity is None:
        place: tuple[str, str | None] = ("no-entity-option", None)
    elif name in ("in-person-1991", "absentee-1991"):
        place = (name, counts_in)
    elif name == "mail":
        place = ("mail", None)
    elif name == "diplomatic-mission":
        place = (name, option.mission)
    elif station is not None:
        place = ("polling-station", station)
    else:
        place = ("unallocated", counts_in)
    # The mobile team is an overlay on a polling station's list and on no other.
    return Place(*place, counts_in, of_entity, team and place[0] == "polling-station")


# --- deletions and reinstatements -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Entry:
    """One audit entry: days [from_, to), `to` None when it never ends."""

    person: object
    action: str
    from_: date
    to: date | None
    ground: str | None
    remark: str | None


def persons_by_stream(known: Iterable[Event]) -> dict[UUID, set[str]]:
    """Least stream id -> the numbers of a person. A number of which nothing is recorded has no stream."""
    streams = {e.data.jmb: e.stream for e in known if hasattr(e.data, "jmb")}
    return {min(streams[n] for n in person if n in streams): person for person in people(known)}


def entries_of(events: list[Event], days: Sequence[date]) -> list[Entry]:
    """The audit entries of the last of these events: every person before it and after it, one day after the other.

    `days` are in order; nothing may change between two of them, before the first or after the last.
    """
    before, after = persons_by_stream(events[:-1]), persons_by_stream(events)
    found = []
    for person in sorted(before.keys() | after.keys()):
        held = set()
        for position in range(len(events)):
            earlier = persons_by_stream(events[:position])
            if person in earlier:
                held |= {d for d in days if answer(events[:position], earlier[person], d).entered}
        run = None
        for day in days:
            was = answer(events[:-1], before[person], day) if person in before else None
            now = answer(events, after[person], day) if person in after else None
            change: tuple[str, str | None, str | None] | None = None
            if was and was.entered and not (now and now.entered):
                change = ("deleted", now.grounds[0] if now else "joined-number", None)
            elif now and now.entered and not (was and was.entered):
                if not held:
                    change = ("entered", None, None)
                else:
                    # Held before and nobody's answer now: the number belonged to another person, and is parted.
                    ground = was.grounds[0] if was else "joined-number"
                    change = ("reinstated", ground, None if day in held else "extended")
            if run and run[0] != change:
                found.append(Entry(person, run[0][0], run[1], day, *run[0][1:]))
                run = None
            if change and not run:
                run = (change, day)
        if run:
            found.append(Entry(person, run[0][0], run[1], None, *run[0][1:]))
    return found
