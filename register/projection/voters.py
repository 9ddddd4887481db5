"""The voters of a roll by the events: whole streams folded range by range, in one process or in several.

A roll is a function of the event store up to the position before the conclusion and of nothing else (rules: the
calendar of an election); the register's own tables play no part in it but for finding streams.
"""

from __future__ import annotations

import gc
import os
import threading
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from typing import Any, Final
from uuid import UUID

import psycopg

from register.law.alphabet import sort_key
from register.law.dossier import live
from register.law.events import AboutPerson, Event
from register.law.persons import persons
from register.law.rolls import Roll, RollEntry, on_both_days, stand_on
from register.law.territory import Coverage
from register.projection.copying import bool_field, date_field, field, row_head, text_field
from register.projection.helping import end_with_parent
from register.projection.loading import Range, linked_streams, ranges
from register.store import Store
from register.store.subjects import streams_of_kind

Connection = psycopg.Connection[Any]

#: Columns of a roll behind election and number, with their types; the digest leaves out the first.
ROLL_COLUMNS: Final[tuple[tuple[str, str], ...]] = (
    ("person", "uuid"),
    ("list_kind", "text"),
    ("municipality", "text"),
    ("entity", "text"),
    ("station", "text"),
    ("mission", "text"),
    ("jmb", "text"),
    ("surname", "text"),
    ("given_name", "text"),
    ("parent_name", "text"),
    ("sex", "text"),
    ("born_on", "date"),
    ("script", "text"),
    ("residence", "text"),
    ("settlement", "text"),
    ("street", "text"),
    ("house_number", "text"),
    ("country", "text"),
    ("foreign_address", "text"),
    ("voting_option", "text"),
    ("mobile_team", "bool"),
    ("marked_deceased", "bool"),
)
#: The same, and what the rows are put in order by.
UNORDERED_COLUMNS: Final = (*ROLL_COLUMNS, ("sort_key", "bytea"))
_HEAD: Final = row_head(len(UNORDERED_COLUMNS))
#: From so many events on, starting more processes pays.
_WORTH_SPREADING: Final = 300_000
_FIRST: Final = UUID(int=0)
_LAST: Final = UUID(int=2**128 - 1)


class Voters:
    """Puts on the roll who stands on it, by the events up to ``upto``; one in each process.

    ``linked``: the streams that links, live or not, may connect; ``stations``: the live events about polling stations.
    """

    def __init__(
        self, store: Store, roll: Roll, upto: int, linked: Collection[UUID], stations: Sequence[Event]
    ) -> None:
        self.arguments = (roll, upto, linked, stations)
        self._store = store
        self._roll, self._upto, self._linked, self._stations = self.arguments
        self._coverage: dict[str, Coverage] = {}

    def of_range(self, streams: Range) -> Iterator[tuple[UUID, RollEntry]]:
        """(person, entry) of a range of streams, but for those of persons of several numbers; streamed."""
        first, last = streams
        found = self._store.by_stream(self._upto, first=first, last=last)
        return self._standing(
            (stream, events)
            for stream, events in found
            if stream not in self._linked and any(isinstance(e.data, AboutPerson) for e in events)
        )

    def of_several_numbers(self) -> Iterator[tuple[UUID, RollEntry]]:
        """The same of the streams that links may connect."""
        found: Mapping[UUID, list[Event]] = self._store.streams(self._linked, self._upto)
        return self._standing(persons({stream: events for stream, events in found.items() if events}).items())

    def _standing(self, people: Iterable[tuple[UUID, Sequence[Event]]]) -> Iterator[tuple[UUID, RollEntry]]:
        for person, events in people:
            facts = on_both_days(events, self._roll)
            if facts is not None:
                entry = stand_on(facts, self._roll, self._covering(facts.municipality))
                if entry is not None:
                    yield person, entry

    def _covering(self, municipality: str | None) -> Coverage | None:
        if municipality is None:
            return None
        coverage = self._coverage.get(municipality)
        if coverage is None:
            coverage = self._coverage[municipality] = Coverage(municipality, self._stations)
        return coverage


def roll_entries(connection: Connection, store: Store, roll: Roll, upto: int) -> Iterator[tuple[UUID, RollEntry]]:
    """The roll by the events up to a position: (person, entry), each voter once, in no order that matters."""
    voters = _voters(connection, store, roll, upto)
    yield from voters.of_range((_FIRST, _LAST))
    yield from voters.of_several_numbers()


def rendered(
    connection: Connection, store: Store, roll: Roll, upto: int, dsn: str | None = None, processes: int = 1
) -> Iterator[bytes]:
    """The same as rows for COPY, :data:`UNORDERED_COLUMNS`; several of them in a piece.

    With ``dsn``, and where it pays, so many ``processes`` fold; few pieces wait at a time, so that memory stays flat.
    """
    voters = _voters(connection, store, roll, upto)
    yield from rows_of(voters.of_several_numbers())
    if dsn is None or processes == 1 or upto < _WORTH_SPREADING:
        yield from rows_of(voters.of_range((_FIRST, _LAST)))
        return
    # Not by fork: this process may have threads, which a fork would lose together with their locks.
    pool = ProcessPoolExecutor(processes, get_context("spawn"), _open, (dsn, voters.arguments))
    waiting: deque[Future[bytes]] = deque()
    try:
        for part in ranges(connection, upto):
            waiting.append(pool.submit(_piece, part))
            if len(waiting) > 2 * processes:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _voters(connection: Connection, store: Store, roll: Roll, upto: int) -> Voters:
    streams = store.streams(streams_of_kind(connection, "station"), upto=upto)
    stations = [event for events in streams.values() for event in live(events)]
    return Voters(store, roll, upto, linked_streams(connection, store, upto), stations)


def rows_of(entries: Iterable[tuple[UUID, RollEntry]]) -> Iterator[bytes]:
    """Entries as rows for COPY, :data:`UNORDERED_COLUMNS`."""
    return (_row(person, entry) for person, entry in entries)


def _row(person: UUID, e: RollEntry) -> bytes:
    """A voter as a row for COPY. What comes back again and again is rendered once."""
    address = (e.residence, e.settlement, e.street, e.house_number, e.country, e.foreign_address, e.voting_option)
    return b"".join(
        (
            _HEAD,
            field(person.bytes),
            *map(text_field, (e.list_kind, e.municipality, e.entity, e.station, e.mission)),
            field(e.jmb.encode()),
            *map(text_field, (e.surname, e.given_name, e.parent_name, e.sex)),
            date_field(e.born_on),
            *map(text_field, (e.script, *address)),
            bool_field(e.mobile_team),
            bool_field(e.marked_deceased),
            field(sort_key(e.surname, e.given_name, e.parent_name, e.born_on)),
        )
    )


# --- in a process of its own ----------------------------------------------------------------------------------------

_opened: Final[list[Voters]] = []


def _open(dsn: str, arguments: tuple[Roll, int, Collection[UUID], Sequence[Event]]) -> None:
    """Once in each process. Folding makes no cycles: looking for them takes a third of the time."""
    threading.Thread(target=end_with_parent, daemon=True).start()
    gc.freeze()
    gc.set_threshold(100_000, 50, 50)
    store = Store(partial(psycopg.connect, dsn), random_bytes=os.urandom, pool_size=1)
    _opened.append(Voters(store, *arguments))


def _piece(part: Range) -> bytes:
    return b"".join(rows_of(_opened[0].of_range(part)))
