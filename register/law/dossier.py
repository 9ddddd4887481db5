"""Events about one person -> the stretches of days on which the answer is the same.

The answer depends only on the *set* of events, never on the order in which they came: they are taken by day of effect,
on the same day by the weight of R-tie. Late, repeated and early notices therefore need no case of their own, and
replay, rebuild, audit and every question about the past call :func:`timeline`. Who wants it after every event of a
person asks a :class:`Dossier`, which says the same sooner.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date

import msgspec

from register.law import franchise
from register.law.effects import PersonNotice, Rolling, take, unknown
from register.law.events import AboutPerson, Annulment, Citizen, Entity, Event, JmbReplaced, PersonalData
from register.law.franchise import ALWAYS, FOREVER, Facts, Ground
from register.law.parameters import LAW, Law, RuleSet
from register.law.territory import Address


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
    annulled = {(e.source, e.data.annuls) for e in events if type(e.data) is Annulment}
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
    return tuple(_judged((), _regimes(ordered, unknown(ordered), law), law))


def _judged(before: Iterable[Stretch], regimes: Iterable[tuple[date, date, Facts]], law: Law) -> list[Stretch]:
    """The stretches ``before``, and those that the regimes after them come to; days with the same answer are one."""
    stretches = list(before)
    rules, several = law.sets[0], len(law.sets) > 1
    for day, until, facts in regimes:
        if several:
            rules = law.in_force(day)
        answer = _answer(facts, day, rules)
        if stretches and stretches[-1].answer == answer:
            stretches[-1] = Stretch(stretches[-1].from_, until, stretches[-1].answer)
        else:
            stretches.append(Stretch(day, until, answer))
    return stretches


class Dossier:
    """The events of one person as they are recorded, and after each what :func:`timeline` says of all so far.

    Most notices take effect after everything before them. Such a one leaves the days before as they are, and only what
    follows is judged. After any other, and once anything was taken back, all days are judged from the beginning. That
    both come to the same is tested after every event of any history.
    """

    __slots__ = ("_facts", "_law", "_turns", "_until", "events", "stretches")

    def __init__(self, events: Iterable[Event] = (), law: Law = LAW) -> None:
        """``events``: those so far, in any order."""
        self._law = law
        self.events = list(events)
        self.stretches: tuple[Stretch, ...] = ()
        #: What is known from the last day on which anything took effect, and that day; None: judge from the beginning.
        self._facts: Facts | None = None
        self._until = ALWAYS
        self._turns: Sequence[date] = ()
        if self.events:
            self._judge_all()

    def add(self, event: Event) -> tuple[Stretch, ...]:
        """Take one more event; the stretches from now on."""
        self.events.append(event)
        data = event.data
        if self._facts is None or not isinstance(data, AboutPerson) or not self._only_later(self._facts, data):
            self._judge_all()
            return self.stretches
        day = data.effective_on
        before = [s for s in self.stretches if s.from_ < day]
        take(self._facts, ((event, data),), None)
        before[-1] = Stretch(before[-1].from_, day, before[-1].answer)
        judged = _judged(before, _regimes_from(day, self._facts, self._turns), self._law)
        self._until, self.stretches = day, tuple(judged)
        return self.stretches

    def _only_later(self, facts: Facts, data: AboutPerson) -> bool:
        """Whether a notice changes nothing about the days before it. Birth and the first number are not dated."""
        if data.effective_on <= self._until or isinstance(data, JmbReplaced):
            return False
        return not isinstance(data, Citizen | PersonalData) or data.born_on in (None, facts.born_on)

    def _judge_all(self) -> None:
        """All days from the beginning."""
        ordered = in_order(self.events)
        self._facts = None
        if not ordered or any(isinstance(event.data, Annulment) for event in self.events):
            judged: Sequence[Stretch] = timeline(self.events, self._law)
        else:
            self._facts = facts = unknown(ordered)
            judged = _judged((), _regimes(ordered, facts, self._law), self._law)
            self._until = ordered[-1][1].effective_on
            self._turns = _turning_days(facts.born_on, self._law)
        self.stretches = tuple(judged)


def on_day(stretches: Sequence[Stretch], day: date) -> Answer | None:
    """The answer on ``day``, or None when there is none at all."""
    return next((s.answer for s in stretches if s.from_ <= day < s.to), None)


def facts_on(events: Iterable[Event], day: date, rolling: Rolling | None = None) -> Facts | None:
    """What the events of one person say on ``day``; None when no live event is about a person.

    With ``rolling``, options are taken as for the roll of that election; without, options that name one are not
    looked at.
    """
    ordered = in_order(live(events))
    return _facts_until(ordered, day, rolling) if ordered else None


def facts_on_both(events: Iterable[Event], first: date, second: date, rolling: Rolling) -> tuple[Facts, Facts] | None:
    """:func:`facts_on` of two days in order; the very same facts when nothing takes effect between."""
    ordered = in_order(live(events))
    if not ordered:
        return None
    facts = _facts_until(ordered, first, rolling)
    if any(first < data.effective_on <= second for _, data in ordered):
        return facts, _facts_until(ordered, second, rolling)
    return facts, facts


def _facts_until(ordered: list[tuple[Event, PersonNotice]], day: date, rolling: Rolling | None) -> Facts:
    facts = unknown(ordered)
    for today in _by_day(ordered):
        if today[0][1].effective_on > day:
            break
        take(facts, today, rolling)
    return facts


def _regimes(ordered: list[tuple[Event, PersonNotice]], facts: Facts, law: Law) -> Iterator[tuple[date, date, Facts]]:
    """``(from, to, facts)`` over all days; a day on which time alone may change the answer opens one of its own.

    ``facts``: what is known before the first day (``effects.unknown``); they are filled on the way.
    """
    turns = _turning_days(facts.born_on, law)
    start = ALWAYS
    for today in _by_day(ordered):
        day = today[0][1].effective_on
        for turn in turns:
            if start < turn < day:
                yield start, turn, facts
                start = turn
        if day > start:
            yield start, day, facts
        take(facts, today, None)
        start = day
    yield from _regimes_from(start, facts, turns)


def _regimes_from(start: date, facts: Facts, turns: Sequence[date]) -> Iterator[tuple[date, date, Facts]]:
    """The regimes from the last day on which anything took effect: only time goes on."""
    for turn in turns:
        if start < turn:
            yield start, turn, facts
            start = turn
    yield start, FOREVER, facts


def _turning_days(born_on: date | None, law: Law) -> Sequence[date]:
    """The days, in order, on which one may come of age, or cease to be of age, by time alone."""
    if born_on is None:
        return ()
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
