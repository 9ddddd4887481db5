"""Which numbers are one person: the set of personal numbers that live links (``jmb-replaced``) connect.

A link between numbers whose live citizen events disagree in date of birth or sex links nothing (and is a deficiency)
until they agree. The person is known by the least stream id among its numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from uuid import UUID

import msgspec

from register.law.dossier import live
from register.law.events import AboutPerson, Annulment, Citizen, Event, JmbReplaced


def persons(streams: Mapping[UUID, Sequence[Event]]) -> dict[UUID, list[Event]]:
    """Person (least stream id) -> all events of its numbers (Art. 3.5(3)2); links that link nothing as if annulled.

    ``streams``: for each stream of a personal number, its events up to one and the same position. All streams that
    links may connect must be there; order plays no part.
    """
    dead, belongs = _join(streams)
    joined: dict[UUID, list[Event]] = {}
    for stream in sorted(streams):
        kept = joined.setdefault(belongs[stream], [])
        kept.extend(streams[stream])
        if dead:
            kept.extend(_never_sent(event) for event in streams[stream] if event.position in dead)
    return joined


def _never_sent(link: Event) -> Event:
    """The annulment of a link that links nothing: nothing is left of it but the number in whose stream it lies."""
    return msgspec.structs.replace(link, id=f"{link.id}~", data=Annulment(annuls=link.id, reason="it links nothing"))


def members(streams: Mapping[UUID, Sequence[Event]]) -> dict[UUID, UUID]:
    """Stream -> person (Art. 3.5(3)2), for every stream given, also one whose every event was annulled."""
    return _join(streams)[1]


#: What a citizen event says of who somebody is: date of birth and sex.
_Identity = tuple[date, str]


def _join(streams: Mapping[UUID, Sequence[Event]]) -> tuple[set[int], dict[UUID, UUID]]:
    """The positions of live links that link nothing, and the least stream of the person each stream belongs to."""
    if not any(isinstance(e.data, JmbReplaced) for events in streams.values() for e in events):
        return set(), {stream: stream for stream in streams}
    alive = {stream: live(events) for stream, events in streams.items()}
    links = [(e.position, e.data) for events in alive.values() for e in events if isinstance(e.data, JmbReplaced)]
    said = {number: _identities(alive[stream]) for stream in streams for number in _numbers(streams[stream])}
    dead = _dead(links, said)
    groups = _Groups()
    for position, link in links:
        if position not in dead:
            groups.join(link.jmb, link.new_jmb)
    least: dict[str, UUID] = {}
    group_of = {stream: groups.of(next(iter(_numbers(events)), str(stream))) for stream, events in streams.items()}
    for stream in sorted(streams):
        least.setdefault(group_of[stream], stream)
    return dead, {stream: least[group] for stream, group in group_of.items()}


def _dead(links: Sequence[tuple[int, JmbReplaced]], said: Mapping[str, set[_Identity]]) -> set[int]:
    """The positions of links that link nothing, because the numbers they would connect disagree on who it is.

    A number no citizen event speaks of says nothing by itself: it and others like it that links connect say what all
    the numbers around them say. Otherwise a slip in a replacement would make two strangers one person, by way of a
    number on which nothing was reported, and one of them would lose the vote.
    """
    quiet = _Groups()
    for _, link in links:
        if not said.get(link.jmb) and not said.get(link.new_jmb):
            quiet.join(link.jmb, link.new_jmb)
    around: dict[str, set[_Identity]] = {}
    for _, link in links:
        for one, other in ((link.jmb, link.new_jmb), (link.new_jmb, link.jmb)):
            if not said.get(one):
                around.setdefault(quiet.of(one), set()).update(said.get(other, ()))
    dead: set[int] = set()
    for position, link in links:
        both = (said.get(n) or around[quiet.of(n)] for n in (link.jmb, link.new_jmb))
        if len(set[_Identity]().union(*both)) > 1:
            dead.add(position)
    return dead


class _Groups:
    """Numbers that something connects; a group is named by one of them."""

    def __init__(self) -> None:
        self._leads_to: dict[str, str] = {}

    def of(self, number: str) -> str:
        while (further := self._leads_to.get(number, number)) != number:
            number = further
        return number

    def join(self, one: str, other: str) -> None:
        a, b = sorted((self.of(one), self.of(other)))
        self._leads_to[b] = a


def _numbers(events: Sequence[Event]) -> set[str]:
    return {e.data.jmb for e in events if isinstance(e.data, AboutPerson)}


def _identities(events: Sequence[Event]) -> set[_Identity]:
    """What the live citizen events of a number say of date of birth and sex."""
    return {(e.data.born_on, e.data.sex) for e in events if isinstance(e.data, Citizen)}
