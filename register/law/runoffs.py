"""The roll of a run-off: the first round's roll, and what events have changed since (Art. 3.6 e).

The law says nothing of the roll of a second round. So it is the first round's, and nobody is put on it or taken off
without an event that explains it: off it goes who has a ground of R1-R6 on the day of the run-off (a death, a bar), or
whose number was joined with another voter's; on it comes whom the first roll left out, and who by what is known now has
no such ground on that day and lived where it is held when the first roll was concluded (an annulled death, a capacity
restored: Art. 3.2). R2 is judged on the first election's day: of who merely comes of age in between, no event says so.
Who stands on both stands where he or she stood; only the mark of a reported death is the newest.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Literal, NamedTuple
from uuid import UUID

import msgspec

from register.law import franchise
from register.law.dossier import facts_on, facts_on_both
from register.law.effects import Rolling
from register.law.events import Annulment, Citizen, ElectionCalled, Event, JmbReplaced
from register.law.parameters import RuleSet
from register.law.persons import members, persons
from register.law.rolls import BothDays, Roll, RollEntry, residence_of, stand, stand_on
from register.law.territory import Coverage

#: What became of a voter between the two rounds; ``marked``: the mark of a reported death came, or was taken back.
ChangeKind = Literal["removed", "added", "marked"]
#: The ground of one whose number was joined with that of another voter of the first roll.
JOINED = "joined-number"
#: What can join two numbers, or part them: a link, what makes it link nothing, and what takes either back.
_LINKING = (JmbReplaced, Citizen, Annulment)

Streams = Mapping[UUID, Sequence[Event]]
#: The polling stations of a municipality as known at the first conclusion.
CoverageOf = Callable[[str], Coverage]


class Runoff(msgspec.Struct, frozen=True):
    """What a run-off's roll is judged under: the first round's terms, its conclusion, the call of the run-off."""

    first: Roll
    conclusion: int
    called: ElectionCalled
    rules: RuleSet
    municipalities: frozenset[str]


class Change(msgspec.Struct, frozen=True):
    """What became of a voter between the rounds, on which grounds, and the positions of the events that explain it."""

    kind: ChangeKind
    person: UUID
    entry: RollEntry
    grounds: tuple[str, ...]
    events: tuple[int, ...]


class _Voter(NamedTuple):
    """A person as known now: the rows of the first roll that are his or hers, the least first, and all events.

    ``beside``: the events of other persons with whom he or she was one at the first conclusion.
    """

    person: UUID
    rows: list[tuple[UUID, RollEntry]]
    events: Sequence[Event]
    beside: Sequence[Event]


def runoff_of(first: Roll, conclusion: int, called: ElectionCalled) -> Runoff:
    """The terms of a run-off of the election concluded at ``conclusion`` (Art. 3.6 e)."""
    held_in = frozenset(called.municipalities) or first.municipalities
    return Runoff(first, conclusion, called, first.rules, held_in)


def stand_again(streams: Streams, terms: Runoff, coverage_of: CoverageOf) -> Iterator[tuple[UUID, RollEntry]]:
    """Who of some persons stands on the roll of a run-off, and where (Art. 3.6 e).

    ``streams``: all those that links may connect, with their events up to the conclusion of the run-off, in any order.
    """
    for voter in _voters(streams, terms, coverage_of):
        after = _after(voter, voter.events, terms, coverage_of)
        if after is not None:
            yield after


def changes(streams: Streams, terms: Runoff, coverage_of: CoverageOf) -> Iterator[Change]:
    """How the roll of the run-off differs from the first round's about some persons, each difference explained.

    ``streams``: as for :func:`stand_again`. An explaining event is one without which the difference were none; where
    several say the same, all that were recorded since the first conclusion (Art. 3.6 e).
    """
    for voter in _voters(streams, terms, coverage_of):
        after = _after(voter, voter.events, terms, coverage_of)
        for person, entry in voter.rows[1:]:
            yield Change("removed", person, entry, (JOINED,), _joining(voter, terms))
        before = voter.rows[0] if voter.rows else None
        if before == after:
            continue
        explained = _explained(voter, after, terms, coverage_of)
        if after is None and before is not None:
            yield Change("removed", before[0], before[1], _grounds(voter.events, terms), explained)
        elif after is not None:
            yield Change("added" if before is None else "marked", after[0], after[1], (), explained)


def _voters(streams: Streams, terms: Runoff, coverage_of: CoverageOf) -> Iterator[_Voter]:
    """The persons as known now, each with the rows of the first roll that are his or hers."""
    known = {
        stream: found
        for stream, events in streams.items()
        if (found := [event for event in events if event.position < terms.conclusion])
    }
    first = {
        person: entry
        for person, events in persons(known).items()
        if (entry := _first(events, terms, coverage_of)) is not None and entry.municipality in terms.municipalities
    }
    belonged, belongs = members(known), members(streams)
    were_one: defaultdict[UUID, list[UUID]] = defaultdict(list)
    for stream, before in belonged.items():
        were_one[before].append(stream)
    for person, events in persons(streams).items():
        own = {person, *(event.stream for event in events)}
        once = {belonged[stream] for stream in own & belonged.keys()}
        parted = (stream for before in once for stream in were_one[before] if belongs[stream] != person)
        beside = [event for stream in parted for event in streams[stream]]
        yield _Voter(person, [(row, first[row]) for row in sorted(own & first.keys())], events, beside)


def _first(events: Iterable[Event], terms: Runoff, coverage_of: CoverageOf) -> RollEntry | None:
    events = list(events)
    home = residence_of(events, terms.first)
    return stand(events, terms.first, None if home is None else coverage_of(home))


def _after(
    voter: _Voter, events: Sequence[Event], terms: Runoff, coverage_of: CoverageOf
) -> tuple[UUID, RollEntry] | None:
    """How the person stands on the roll of the run-off by these events of his or hers."""
    facts = facts_on_both(events, terms.first.calendar.conclusion_day, terms.called.day, _rolling(terms))
    if facts is None or _grounds_by(facts[1], terms):
        return None
    if voter.rows:
        person, entry = voter.rows[0]
        return person, msgspec.structs.replace(entry, marked_deceased=facts[1].marked_deceased)
    both = BothDays(*facts)
    late = stand_on(both, terms.first, None if both.municipality is None else coverage_of(both.municipality))
    return None if late is None or late.municipality not in terms.municipalities else (voter.person, late)


def _grounds(events: Sequence[Event], terms: Runoff) -> tuple[str, ...]:
    """The grounds of R1-R6 on the day of the run-off; R2 is judged on the first election's day."""
    facts = facts_on(events, terms.called.day, _rolling(terms))
    return ("not-recorded",) if facts is None else _grounds_by(facts, terms)


def _grounds_by(facts: franchise.Facts, terms: Runoff) -> tuple[str, ...]:
    found = franchise.grounds(facts, terms.first.called.day, terms.rules)
    return tuple(ground for ground in found if ground != "no-residence")


def _rolling(terms: Runoff) -> Rolling:
    return Rolling(terms.first.called.election, terms.first.calendar.options_until)


def _since(voter: _Voter, terms: Runoff) -> list[Event]:
    return _after_conclusion(voter.events, terms)


def _after_conclusion(events: Iterable[Event], terms: Runoff) -> list[Event]:
    return [event for event in events if event.position > terms.conclusion]


def _explained(
    voter: _Voter, after: tuple[UUID, RollEntry] | None, terms: Runoff, coverage_of: CoverageOf
) -> tuple[int, ...]:
    """The events that explain where somebody stands now: those recorded since, else those that took effect since."""
    since = _since(voter, terms)
    took_effect = [
        event
        for event in voter.events
        if terms.first.called.day < getattr(event.data, "effective_on", date.min) <= terms.called.day
    ]
    for candidates in (since, took_effect):
        deciding = tuple(
            event.position
            for event in candidates
            if _after(voter, [e for e in voter.events if e is not event], terms, coverage_of) != after
        )
        if deciding:
            return tuple(sorted(deciding))
    if voter.beside:
        parting = [e.position for e in _after_conclusion((*voter.events, *voter.beside), terms) if _links(e)]
        return tuple(sorted(parting))
    return tuple(sorted(event.position for event in since or took_effect))


def _joining(voter: _Voter, terms: Runoff) -> tuple[int, ...]:
    """The events that made one voter of two: links recorded since, else what let an earlier one link."""
    since = [event for event in _since(voter, terms) if _links(event)]
    links = [event for event in since if isinstance(event.data, JmbReplaced)]
    return tuple(sorted(event.position for event in links or since))


def _links(event: Event) -> bool:
    return isinstance(event.data, _LINKING)
