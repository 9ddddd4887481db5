"""A replay from the event store: whole streams at a time, so that each is read and folded once.

Ranges of streams are shared among processes, which all read in one snapshot.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import date, datetime
from uuid import UUID

import msgspec

from register.audit.processes import Workers
from register.audit.reading import (
    Connection,
    Range,
    Source,
    decoded,
    head,
    held_still,
    linked_streams,
    one,
    passed_by_stream,
    ranges,
    rows_of,
    rows_of_streams,
    station_streams,
)
from register.audit.replay.lines import (
    Part,
    Progress,
    Replayed,
    Sink,
    Teller,
    Whole,
    check_instant,
    check_position,
    cut,
)
from register.law.dossier import Stretch, live, timeline
from register.law.events import AboutPerson, Event
from register.law.parameters import LAW, Law
from register.law.territory import DayCoverage


class _Task(msgspec.Struct):
    """A range of streams, and the persons with several numbers whose lines belong between its own."""

    streams: Range
    before: list[UUID]


def replay(
    dsn: str,
    *,
    known_at: int | datetime | None = None,
    on: date,
    out: Sink,
    processes: int = 1,
    progress: Progress = lambda _done, _all: None,
    law: Law = LAW,
) -> Replayed:
    """Write everybody known at ``known_at`` as the register had them for the day ``on``, by person, as CSV.

    ``dsn`` connects as ``cvr_app``. ``known_at``: a position, an instant (the last position recorded at or before it),
    or None for all that is recorded. ``law``: the rule sets by which days are judged, instead of those in force on
    them. The bytes do not depend on ``processes``. Raises ``PositionError`` for a position
    beyond the head, and what decoding raises for an event that cannot be read (``cvr verify`` names it).
    """
    with held_still(dsn) as (source, connection):
        position = _position(connection, known_at)
        linked = linked_streams(connection, position)
        coverage = DayCoverage(on, _stations(connection, position))
        whole = _linked(connection, position, linked, Teller(on, coverage), out, law)
        tasks = [_Task(streams, whole.within(streams)) for streams in ranges(connection, position)]
        maker = (_Folder, (source, position, on, linked, coverage, law))
        with Workers(processes, {"fold": maker}) as workers:
            for task, part in zip(tasks, workers.each("fold", tasks), strict=True):
                whole.take(part, task.before)
                progress(whole.events, position)
    return whole.done(position, on)


def _stations(connection: Connection, position: int) -> Iterator[list[Event]]:
    """The live events of each polling station."""
    for _, rows in rows_of_streams(connection, station_streams(connection, position), position):
        yield live(decoded(rows))


def _linked(
    connection: Connection, position: int, linked: Collection[UUID], teller: Teller, out: Sink, law: Law
) -> Whole:
    """What parts are put into, with the lines of persons with several numbers; their events are not kept."""
    events = decoded(rows_of(connection, linked, position))
    return Whole(out, teller.linked_lines(events, law), len(events))


class _Folder:
    """Folds ranges of streams in one process."""

    def __init__(
        self, source: Source, position: int, on: date, linked: Collection[UUID], coverage: DayCoverage, law: Law
    ) -> None:
        self._source = source
        self._position = position
        self._linked = linked
        self._law = law
        self._teller = Teller(on, coverage)

    def __call__(self, task: _Task) -> Part:
        """The lines of a range."""
        part = Part()
        with self._source.connect() as connection:
            return cut(self._teller.lines(self._timelines(connection, task.streams, part)), task.before, part)

    def _timelines(
        self, connection: Connection, streams: Range, part: Part
    ) -> Iterator[tuple[UUID, Sequence[Stretch]]]:
        for stream, rows in passed_by_stream(connection, self._position, streams):
            if stream in self._linked:
                continue
            part.events += len(rows)
            events = decoded(rows)
            if any(isinstance(event.data, AboutPerson) for event in events):
                yield stream, timeline(events, self._law)


def _position(connection: Connection, known_at: int | datetime | None) -> int:
    last = head(connection)
    if known_at is None:
        return last
    if isinstance(known_at, datetime):
        check_instant(known_at)
        return one(connection, "SELECT store.position_at(%s)", (known_at,))
    return check_position(known_at, last)
