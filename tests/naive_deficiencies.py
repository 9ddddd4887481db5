"""A second reading of the rules of deficiencies about persons, to be compared with the register's own.

Written from the rules in words (docs/law.md, "Deficiencies") on top of the naive reading of the law. Every question is
asked anew of all events; nothing is remembered, nothing is fast.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import product
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from register.law.events import (
    CapacityRestored,
    CapacityWithdrawn,
    Citizen,
    Citizenship,
    Death,
    ElectionCalled,
    EntityOption,
    Event,
    JmbReplaced,
    PersonalData,
    RefugeeStatus,
    ReportedDeceased,
    Residence,
    ResidenceEnded,
    VotingBarred,
    VotingOption,
)
from tests import naive
from tests.naive import BRCKO, ONE_DAY, Events, of, r_tie

THIRTY_DAYS = timedelta(days=30)
AUTHORITY = "urn:cvr:authority:"


@dataclass(frozen=True)
class Found:
    """What is wrong, and who must put it right; the events that show it are named by source and id."""

    kind: str
    key: str
    authority: str
    municipality: str | None
    persons: frozenset[UUID]
    evidence: frozenset[tuple[str, str]]
    figures: tuple[tuple[str, int], ...] = field(default=())


def findings(known: Iterable[Event], today: date, elections: Sequence[ElectionCalled]) -> set[Found]:
    """Everything that is wrong on a day, about everybody."""
    everything: Events = list(known)
    all_live = naive.live(everything)
    found = set(dead_links(everything, all_live))
    for person, numbers in naive.persons_by_stream(everything).items():
        linking = {e.position for e in naive.links(all_live)}
        events = [e for e in all_live if getattr(e.data, "jmb", None) in numbers]
        events = [e for e in events if not isinstance(e.data, JmbReplaced) or e.position in linking]
        if events:
            number = naive.number_on(all_live, numbers, today)
            found |= set(Person(person, events, number, today, elections).everything())
    return found


@dataclass(frozen=True)
class Person:
    """A person on a day, in the light of the elections called; ``number`` is the one shown on that day."""

    person: UUID
    events: Events
    number: str
    today: date
    elections: Sequence[ElectionCalled]

    def everything(self) -> Iterator[Found]:
        yield from self.two_under_one_number()
        yield from self.numbers()
        yield from self.ages()
        yield from self.after_death()
        yield from self.clocks()
        yield from self.ends()
        yield from self.ended_at_once()
        yield from self.options()
        yield from self.commissions()
        yield from self.missing_citizen()
        yield from self.missing_residence()
        yield from self.missing_entity_option()

    def say(self, kind: str, key: str, authority: str, *evidence: Any, **figures: int) -> Found:
        shown = frozenset((e.source, e.id) for e in evidence)
        told = tuple(sorted(figures.items()))
        return Found(kind, key, authority, municipality(authority), frozenset({self.person}), shown, told)

    def of_notice(self, kind: str, notice: Any, *evidence: Any, **figures: int) -> Found:
        return self.say(kind, notice_key(notice), sender(notice), notice, *evidence, **figures)

    # --- who somebody is

    def two_under_one_number(self) -> Iterator[Found]:
        for stream in {e.stream for e in of(self.events, Citizen)}:
            clashing = contradicting([e for e in self.events if e.stream == stream])
            if clashing:
                yield self.say("two-under-one-number", str(stream), sender(naive.last(clashing)), *clashing)

    def birth_said(self) -> Any:
        return naive.last(e for e in of(self.events, Citizen, PersonalData) if e.data.born_on is not None)

    def sex_said(self) -> Any:
        statements = of(self.events, Citizen, PersonalData, until=self.today)
        return naive.last(e for e in statements if e.data.sex is not None)

    def numbers(self) -> Iterator[Found]:
        stated_birth, stated_sex = in_number(self.number)
        birth, sex = self.birth_said(), self.sex_said()
        if birth is not None and birth.data.born_on != stated_birth:
            word = birth
        elif sex is not None and sex.data.sex != stated_sex:
            word = sex
        else:
            return
        link = naive.last(of(self.events, JmbReplaced, until=self.today))
        if link is not None:
            yield self.say("number-disagrees", notice_key(link), sender(word), word, link)
        else:
            stream = next(e.stream for e in self.events if e.data.jmb == self.number)
            yield self.say("number-disagrees", str(stream), sender(word), word)

    def ages(self) -> Iterator[Found]:
        born = naive.born_on(self.events)
        if born is None:
            return
        for event in self.events:
            if event.data.effective_on < born:
                yield self.of_notice("before-birth", event)
        age = max((n for n in range(200) if birthday(born, n) <= self.today), default=0)
        if age > 110 and not naive.grounds(self.events, self.today):
            key = str(earliest(of(self.events, Citizen)).stream)
            yield self.say("over-110", key, sender(self.birth_said()), self.birth_said(), age=age)

    # --- notices that cannot stand beside others

    def after_death(self) -> Iterator[Found]:
        if not naive.is_dead(self.events, self.today):
            return
        death = min(of(self.events, Death), key=r_tie)
        acts = (Citizen, Residence, EntityOption, Citizenship, RefugeeStatus, VotingBarred, VotingOption)
        for event in of(self.events, *acts, CapacityWithdrawn, CapacityRestored):
            if event.data.effective_on > death.data.effective_on:
                yield self.of_notice("after-death", event, death)

    def clocks(self) -> Iterator[Found]:
        for event in self.events:
            seconds = (event.time - event.recorded_at).total_seconds()
            if seconds > 300:
                yield self.of_notice("ahead-of-time", event, minutes=int(seconds // 60))

    def ends(self) -> Iterator[Found]:
        for event in of(self.events, ResidenceEnded):
            day = event.data.effective_on
            homes = [last_home(self.events, day), last_home(self.events, day - ONE_DAY)]
            own = any(home is not None and home.data.municipality == event.data.municipality for home in homes)
            if event.data.kind == "permanent" and not own:
                shown = [home for home in homes[:1] if home is not None]
                yield self.of_notice("end-of-another-residence", event, *shown)

    def ended_at_once(self) -> Iterator[Found]:
        home = last_home(self.events, self.today)
        if home is None or self.gone():
            return
        ends = [e for e in of(self.events, ResidenceEnded) if e.data.kind == "permanent"]
        own = [e for e in ends if e.data.municipality == home.data.municipality]
        days = {e.data.effective_on for e in own if e.data.effective_on >= home.data.effective_on}
        if days == {home.data.effective_on}:
            end = naive.last(e for e in own if e.data.effective_on == home.data.effective_on)
            yield self.of_notice("residence-ended-at-once", end, home)

    def options(self) -> Iterator[Found]:
        for event in of(self.events, VotingOption):
            if event.data.option in ("mail", "diplomatic-mission") and homeless(self.events, event.data.effective_on):
                yield self.of_notice("option-without-residence", event)
            for called in self.elections:
                if is_late(self.events, event, called):
                    key = f"{notice_key(event)} {called.election}"
                    yield self.say("late-option", key, sender(event), event)

    def commissions(self) -> Iterator[Found]:
        for event in of(self.events, VotingOption):
            if not naive.concerns(self.events, event, standing_before(self.events, event)):
                yield self.of_notice("foreign-commission", event)
        for event in of(self.events, ReportedDeceased):
            chosen = naive.chosen(naive.standing_options(self.events, event.data.effective_on))
            if not naive.concerns(self.events, event, chosen):
                yield self.of_notice("foreign-commission", event)

    # --- what is missing

    def gone(self) -> bool:
        return naive.is_dead(self.events, self.today) or naive.citizenship_ended(self.events, self.today)

    def homes(self) -> Events:
        return [e for e in of(self.events, Residence) if e.data.kind == "permanent"]

    def waited(self, first: Any, born: Any) -> bool:
        return bool(self.today >= max(civil(first), birthday(born, 18)) + THIRTY_DAYS)

    def missing_citizen(self) -> Iterator[Found]:
        home = naive.residence(self.events, self.today)
        if home is None or of(self.events, Citizen) or self.gone():
            return
        if self.waited(earliest(self.homes()), naive.born_on(self.events) or in_number(self.number)[0]):
            key, office = str(earliest(self.homes()).stream), f"registry-office:{home.municipality}"
            yield self.say("residence-without-citizen", key, office, last_home(self.events, self.today))

    def missing_residence(self) -> Iterator[Found]:
        stays = naive.temporary_residence(self.events, self.today)
        abroad = stays is not None and stays.kind == "abroad"
        excused = abroad or naive.refugee(self.events, self.today) is not None or self.gone()
        if excused or self.homes() or not naive.recorded(self.events, self.today):
            return
        citizens = of(self.events, Citizen)
        if self.waited(earliest(citizens), naive.born_on(self.events)):
            authority = f"residence-authority:{municipality(sender(naive.last(citizens)))}"
            key = str(earliest(citizens).stream)
            yield self.say("citizen-without-residence", key, authority, naive.last(citizens))

    def missing_entity_option(self) -> Iterator[Found]:
        option = naive.chosen(naive.standing_options(self.events, self.today))
        counts_in = naive.would_count_in(self.events, self.today, option)
        if counts_in != BRCKO or naive.grounds(self.events, self.today):
            return
        if of(self.events, EntityOption, until=self.today):
            return
        home, status = (f(self.events, self.today) for f in (naive.residence, naive.refugee))
        placing: Events = []
        if home is not None and home.municipality == BRCKO:
            homes = [e for e in self.homes() if e.data.effective_on <= self.today]
            elsewhere = naive.last(e for e in homes if e.data.municipality != BRCKO)
            placing += [e for e in homes if elsewhere is None or r_tie(e) > r_tie(elsewhere)]
        if option is not None and option.municipality_1991 == BRCKO:
            standing = [e for e in of(self.events, VotingOption) if e.data.election is None]
            placing += [e for e in standing if e.data.municipality_1991 == BRCKO]
        if status is not None and status.municipality_1991 == BRCKO:
            placing += [e for e in of(self.events, RefugeeStatus) if e.data.municipality_1991 == BRCKO]
        if self.waited(earliest(placing), naive.born_on(self.events)):
            by_1991 = option is not None and option.municipality_1991 is not None
            shown = next(e for e in self.events if e.data is (option if by_1991 else home or status))
            authority = f"residence-authority:{BRCKO}"
            yield self.say("no-entity-option", str(earliest(placing).stream), authority, shown)


# --- who is who -------------------------------------------------------------------------------------------------------


def contradicting(events: Events) -> Events:
    """The citizen notices under one number that cannot be about one person."""
    changes = of(events, PersonalData)
    changed_words = {w for e in changes for w in words(e.data.surname) | words(e.data.given_name)}
    births = {e.data.born_on for e in changes}
    clashing = {}
    for one, other in product(of(events, Citizen), repeat=2):
        names = [words(e.data.surname) | words(e.data.given_name) for e in (one, other)]
        two_names = not names[0] & names[1] and not (names[0] | names[1]) & changed_words
        days = {one.data.born_on, other.data.born_on}
        if two_names or (len(days) == 2 and not days & births):
            clashing[one.position] = one
    return list(clashing.values())


CYRILLIC = dict(zip("абвгдежзијклмнопрстћуфхцчшђ", "abvgdežzijklmnoprstćufhcčšđ", strict=True))


def words(name: str | None) -> set[str]:
    latin = "".join(CYRILLIC.get(letter, letter) for letter in (name or "").lower())
    bare = "".join(c for c in unicodedata.normalize("NFD", latin) if not unicodedata.combining(c))
    return set(bare.replace("đ", "dj").replace("-", " ").split())


def in_number(number: str) -> tuple[date, str]:
    year = int(number[4:7])
    born = date(year + (1000 if year >= 800 else 2000), int(number[2:4]), int(number[:2]))
    return born, "F" if number[9] >= "5" else "M"


def dead_links(everything: Events, all_live: Events) -> Iterable[Found]:
    linking = {e.position for e in naive.links(all_live)}
    owners = {number: p for p, numbers in naive.persons_by_stream(everything).items() for number in numbers}
    for link in of(all_live, JmbReplaced):
        if link.position not in linking:
            pair = [link.data.jmb, link.data.new_jmb]
            said = [e for e in of(all_live, Citizen) if e.data.jmb in pair]
            shown = frozenset((e.source, e.id) for e in (link, *said))
            concerned = frozenset(owners[n] for n in pair if n in owners)
            where = municipality(sender(link))
            yield Found("numbers-disagree", notice_key(link), sender(link), where, concerned, shown)


# --- residences and options -------------------------------------------------------------------------------------------


def last_home(events: Events, day: date) -> Any:
    return naive.last(e for e in of(events, Residence, until=day) if e.data.kind == "permanent")


def standing_before(events: Events, event: Any) -> Any:
    before = [e for e in naive.standing_options(events, event.data.effective_on) if r_tie(e) < r_tie(event)]
    return naive.chosen(before)


def homeless(events: Events, day: date) -> bool:
    return naive.residence(events, day) is None and naive.refugee(events, day) is None


def is_late(events: Events, event: Any, called: ElectionCalled) -> bool:
    option, day = event.data, event.data.effective_on
    until = called.options_until or called.day - 75 * ONE_DAY
    for_it = option.option != "mobile-team" and option.election in (None, called.election)
    return for_it and until < day <= called.day and is_made(events, event) and would_change(events, option, called)


def is_made(events: Events, event: Any) -> bool:
    abroad = event.data.option in ("mail", "diplomatic-mission")
    own = naive.concerns(events, event, standing_before(events, event))
    return own and not (abroad and homeless(events, event.data.effective_on))


def would_change(events: Events, option: Any, called: ElectionCalled) -> bool:
    """Whether the person is a voter of that roll, and would stand there otherwise with this option."""
    until = called.options_until or called.day - 75 * ONE_DAY
    settled = called.day - (20 if called.early else 45) * ONE_DAY
    now, _ = naive.options_for(events, called.election, until, settled)
    outweighed = option.election is None and now is not None and now.election is not None
    places = {naive.would_count_in(events, settled, now), naive.would_count_in(events, settled, option)}
    elsewhere = called.municipalities and not places & set(called.municipalities)
    barred = set(naive.grounds(events, called.day)) - {"no-residence"}
    if outweighed or elsewhere or barred or "no-residence" in naive.grounds(events, settled):
        return False

    def how(choice: Any) -> tuple[Any, ...]:
        if choice is None:
            return ("regular", None, None, None, None)
        where = (choice.country, choice.foreign_address, choice.mission)
        return (choice.option, choice.municipality_1991, *where)

    return how(now) != how(option)


# --- days and names ---------------------------------------------------------------------------------------------------


def earliest(events: Events) -> Any:
    return min(events, key=lambda e: e.position)


def civil(event: Any) -> date:
    day: date = event.recorded_at.astimezone(ZoneInfo("Europe/Sarajevo")).date()
    return day


def birthday(born: Any, n: int) -> date:
    try:
        return date(born.year + n, born.month, born.day)
    except ValueError:
        return date(born.year + n, 2, 28)


def sender(event: Any) -> str:
    return str(event.source[len(AUTHORITY) :])


def notice_key(event: Any) -> str:
    return f"{event.stream}:{event.source} {event.id}"


def municipality(authority: str) -> str | None:
    kind, _, code = authority.partition(":")
    return code if kind in ("registry-office", "residence-authority", "municipal-commission") else None
