"""Which numbers are one person: the set of personal numbers that live links (``jmb-replaced``) connect.

A link between numbers whose live citizen events disagree in date of birth or sex links nothing (and is a deficiency)
until they agree. The person is known by the least stream id among its numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from register.law.dossier import live
from register.law.events import AboutPerson, Citizen, Event, JmbReplaced


def persons(streams: Mapping[UUID, Sequence[Event]]) -> dict[UUID, list[Event]]:
    """Person (least stream id) -> all events of its numbers, without links that link nothing (Art. 3.5(3)2).

    ``streams``: for each stream of a personal number, its events up to one and the same position. All streams that
    links may connect must be there; order plays no part.
    """
    dead, parent = _join(streams)
    joined: dict[UUID, list[Event]] = {}
    for stream in sorted(streams):
        events = streams[stream]
        kept = [e for e in events if e.position not in dead] if dead else events
        joined.setdefault(_find(parent, stream), []).extend(kept)
    return joined


def members(streams: Mapping[UUID, Sequence[Event]]) -> dict[UUID, UUID]:
    """Stream -> person (Art. 3.5(3)2), for every stream given, also one whose every event was annulled."""
    _, parent = _join(streams)
    return {stream: _find(parent, stream) for stream in streams}


def _join(streams: Mapping[UUID, Sequence[Event]]) -> tuple[set[int], dict[UUID, UUID]]:
    """The positions of live links that link nothing, and a forest that leads from a stream to the least one."""
    dead: set[int] = set()
    parent = {stream: stream for stream in streams}
    if not any(isinstance(e.data, JmbReplaced) for events in streams.values() for e in events):
        return dead, parent
    alive = {stream: live(events) for stream, events in streams.items()}
    by_number = {number: stream for stream, events in streams.items() for number in _numbers(events)}
    identities = {stream: _identities(events) for stream, events in alive.items()}
    # Two numbers replaced by the same new one are one person, also before anything else is known of that one: until
    # then, the first number linked to it stands for it.
    unreported: dict[str, UUID] = {}
    for stream, events in alive.items():
        for event in events:
            if not isinstance(event.data, JmbReplaced):
                continue
            other = by_number.get(event.data.new_jmb)
            if len(identities[stream].union(() if other is None else identities[other])) > 1:
                dead.add(event.position)
                continue
            if other is None:
                other = unreported.setdefault(event.data.new_jmb, stream)
            a, b = _find(parent, stream), _find(parent, other)
            parent[max(a, b)] = min(a, b)
    return dead, parent


def _numbers(events: Sequence[Event]) -> set[str]:
    return {e.data.jmb for e in events if isinstance(e.data, AboutPerson)}


def _identities(events: Sequence[Event]) -> set[tuple[object, str]]:
    """What the live citizen events of a number say of date of birth and sex."""
    return {(e.data.born_on, e.data.sex) for e in events if isinstance(e.data, Citizen)}


def _find(parent: dict[UUID, UUID], stream: UUID) -> UUID:
    while parent[stream] != stream:
        stream = parent[stream]
    return stream
