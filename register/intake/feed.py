"""The feed: what an authority is told, in one order over the event store and the intake journal, lost nor doubled.

An event of the register stands at its position; a refusal after the last event recorded when it was written down,
and then by its own id. Nothing is shown before the place it stands at is settled: refusals are written by several at
once, and one with a lower id, or of an earlier moment, may be committed later (``Journal.settled``). So whoever goes
on from the last id seen misses nothing, however both grow meanwhile.
"""

from __future__ import annotations

import re
import threading
import time
from typing import Final, NamedTuple

from register.intake.journal import Journal, Place
from register.intake.messages import CloudEvent, established_at, evidence_of, of_event, of_refusal, write_place
from register.store import Store

BEGINNING: Final = Place(0)
_PLACE: Final = re.compile(r"(0|[1-9][0-9]{0,17})(?:\.([1-9][0-9]{0,17}))?")


class Page(NamedTuple):
    """A part of the feed; ``place`` is what to go on from, ``more`` whether there is more already."""

    events: list[CloudEvent]
    place: Place
    more: bool


def read_place(text: str) -> Place:
    """Return the place a cursor names, which is the id of an outgoing event. Raises ``ValueError`` for another text."""
    found = _PLACE.fullmatch(text)
    if found is None:
        raise ValueError("this is not the id of an event of the feed")
    return Place(int(found[1]), int(found[2] or 0))


class Feed:
    """The feed of every authority. Safe for use by several threads."""

    def __init__(self, store: Store, journal: Journal) -> None:
        self._store = store
        self._journal = journal
        self._lock = threading.Lock()
        self._settled = BEGINNING
        self._asked = float("-inf")

    def settled(self, age: float = 0.0) -> Place:
        """Return the place up to which the order is settled, found at most ``age`` seconds ago.

        Those who may see a somewhat older one share the question.
        """
        begun = time.monotonic()
        with self._lock:
            if self._asked < begun - age:
                asked = time.monotonic()
                self._settled, self._asked = self._journal.settled(), asked
            return self._settled

    def page(self, authority: str, after: Place, limit: int, upto: Place | None = None) -> Page:
        """Return at most ``limit`` events for an authority after a place, in order; by default up to what is settled.

        An empty page still leads on: nothing for this authority stands before its ``place``.
        """
        upto = self.settled() if upto is None else upto
        events = self._store.addressed(authority, after=after.position, upto=upto.position, limit=limit + 1)
        refused = self._journal.between(authority, after, upto, limit + 1)
        places = sorted([*(Place(e.position) for e in events), *(Place(r.after_position, r.id) for r in refused)])
        more = len(places) > limit
        shown = set(places[:limit])
        told = [of_refusal(r) for r in refused if Place(r.after_position, r.id) in shown]
        wanted = [e for e in events if Place(e.position) in shown]
        known = self._store.at({at for e in wanted if (at := established_at(e)) is not None})
        known |= self._store.at({at for e in (*wanted, *known.values()) for at in evidence_of(e)})
        told += [of_event(e, authority, known) for e in wanted]
        told.sort(key=lambda event: read_place(event.id))
        return Page(told, places[limit - 1] if more else max(after, upto), more)


__all__ = ["BEGINNING", "Feed", "Page", "Place", "read_place", "write_place"]
