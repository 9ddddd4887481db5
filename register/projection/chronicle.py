"""Folding events at their own positions: the pure heart of the projector.

A :class:`Chronicle` holds the streams of the persons a batch touches. Fed one event after the other, it says what
changed at that position: stretches that ceased or began to be known, audit entries, numbers joined or parted. The
result therefore does not depend on how many events a batch holds, and a rebuild or a replay is the same call.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

import msgspec

from register.law.deletions import AuditEntry, Days, audit_entries, entered_days, union
from register.law.dossier import Dossier, Stretch, timeline
from register.law.events import AboutPerson, Event, JmbReplaced
from register.law.persons import members, persons

Group = tuple[UUID, ...]


class Change(msgspec.Struct, gc=False):
    """What one event changed. ``closed`` and ``opened``: (person, stretch); ``joined``: (stream, person or None)."""

    closed: list[tuple[UUID, Stretch]]
    opened: list[tuple[UUID, Stretch]]
    audit: list[AuditEntry]
    joined: list[tuple[UUID, UUID | None]]


class _Alone(msgspec.Struct, gc=False):
    """A person of one number: the events so far and what they come to, the days entered among them."""

    dossier: Dossier
    days: Days


class Chronicle:
    """The streams of some persons up to a position, and what the register said of them there.

    ``streams``: the events so far of every stream that ``upcoming`` touches or that links may connect with one of
    them; ``upcoming``: the events that will be fed, in order; ``held``: by person, the days ever entered so far.
    """

    def __init__(
        self, streams: Mapping[UUID, Iterable[Event]], upcoming: Sequence[Event], held: Mapping[UUID, Days]
    ) -> None:
        self._events: dict[UUID, list[Event]] = {stream: list(events) for stream, events in streams.items()}
        for event in upcoming:
            self._events.setdefault(event.stream, [])
        self._groups = _groups(self._events, upcoming)
        self._alone: dict[UUID, _Alone] = {}
        self._stretches: dict[UUID, tuple[Stretch, ...]] = {}
        self._joined: dict[UUID, UUID] = {}
        self._stood: set[Group] = set()
        self.held: dict[UUID, Days] = dict(held)
        self.changed_held: set[UUID] = set()

    def knows(self, stream: UUID) -> bool:
        """Whether the stream is that of a personal number (an annulment may lie in it)."""
        return any(isinstance(e.data, AboutPerson) for e in self._events.get(stream, ()))

    def feed(self, event: Event) -> Change:
        """Take the next event (positions rising) and say what it changed."""
        group = self._groups.get(event.stream)
        if group is None:
            return self._feed_alone(event)
        before, joined_before = self._before(group)
        self._events[event.stream].append(event)
        after, joined_after = self._stand(group)
        audit = audit_entries(
            before, after, self.held, event, joined_before=joined_before.keys(), joined_after=joined_after.keys()
        )
        change = Change([], [], audit, [])
        for person in sorted(before.keys() | after.keys()):
            was, now = before.get(person, ()), after.get(person, ())
            change.closed.extend((person, s) for s in was if s not in now)
            change.opened.extend((person, s) for s in now if s not in was)
        for stream in sorted(joined_before.keys() | joined_after.keys()):
            if joined_before.get(stream) != joined_after.get(stream):
                change.joined.append((stream, joined_after.get(stream)))
        self._remember(group, after, joined_after)
        return change

    def _feed_alone(self, event: Event) -> Change:
        """The same for a person of one number, as nearly all are: what a group of one would come to, only sooner."""
        person = event.stream
        alone = self._alone.get(person)
        if alone is None:
            dossier = Dossier(self._events[person])
            self._events[person] = dossier.events
            alone = self._alone[person] = _Alone(dossier, entered_days(dossier.stretches))
        before, after = alone.dossier.stretches, alone.dossier.add(event)
        change = Change(
            [(person, s) for s in before if s not in after], [(person, s) for s in after if s not in before], [], []
        )
        if any(stretch.answer.entered for _, stretch in (*change.closed, *change.opened)):
            days = entered_days(after)
            if days != alone.days:  # on the same days as before nobody came or went
                change.audit = audit_entries({person: before}, {person: after}, self.held, event)
                self._hold(person, days)
                alone.days = days
        return change

    def _before(self, group: Group) -> tuple[dict[UUID, tuple[Stretch, ...]], dict[UUID, UUID]]:
        if group not in self._stood:
            standing, joined = self._stand(group)
            self._stretches.update(standing)
            self._joined.update(joined)
            self._stood.add(group)
        return (
            {s: self._stretches[s] for s in group if s in self._stretches},
            {s: self._joined[s] for s in group if s in self._joined},
        )

    def _stand(self, group: Group) -> tuple[dict[UUID, tuple[Stretch, ...]], dict[UUID, UUID]]:
        """The persons of a group with their stretches, and the streams that belong to a person of another id."""
        streams = {s: self._events[s] for s in group if self._events[s]}
        standing = {person: timeline(events) for person, events in persons(streams).items()}
        return standing, {s: p for s, p in members(streams).items() if s != p}

    def _remember(self, group: Group, after: dict[UUID, tuple[Stretch, ...]], joined: dict[UUID, UUID]) -> None:
        for stream in group:
            self._stretches.pop(stream, None)
            self._joined.pop(stream, None)
        self._stretches.update(after)
        self._joined.update(joined)
        for person, stretches in after.items():
            self._hold(person, entered_days(stretches))

    def _hold(self, person: UUID, days: Days) -> None:
        """Days on which the person is entered now belong to those ever entered."""
        held = self.held.get(person, ())
        more = union(held, days)
        if more != held:
            self.held[person] = more
            self.changed_held.add(person)


def _groups(streams: Mapping[UUID, Sequence[Event]], upcoming: Sequence[Event]) -> dict[UUID, Group]:
    """For each stream that has to do with any link, live or not: all that links may connect it with, and itself.

    A group larger than need be costs time only: who is one person is decided at each position from the events.
    """
    batches = (*streams.values(), upcoming)
    if not any(isinstance(event.data, JmbReplaced) for events in batches for event in events):
        return {}
    number_of: dict[str, UUID] = {}
    links: list[tuple[UUID, str]] = []
    for events in batches:
        for event in events:
            if isinstance(event.data, AboutPerson):
                number_of.setdefault(event.data.jmb, event.stream)
                if isinstance(event.data, JmbReplaced):
                    links.append((event.stream, event.data.new_jmb))
    neighbours: dict[UUID, set[UUID]] = {}
    for stream, number in links:
        # A number nobody has reported on yet still connects those it replaces.
        other = number_of.setdefault(number, stream)
        neighbours.setdefault(stream, set()).add(other)
        neighbours.setdefault(other, set()).add(stream)
    groups: dict[UUID, Group] = {}
    for start in neighbours:
        if start in groups:
            continue
        found, todo = set[UUID](), [start]
        while todo:
            here = todo.pop()
            if here not in found:
                found.add(here)
                todo.extend(neighbours[here])
        group = tuple(sorted(found))
        groups.update(dict.fromkeys(group, group))
    return groups
