"""A replay from an auditor's export: its files alone, no database, no settings; here or on the machines of a cluster.

``streams/`` holds the records by ranges of streams, and those that links between numbers may connect in a file of their
own, so that each range folds alone: nothing is shuffled. Two things every range needs besides, the catchments of
polling stations and which numbers are linked; they are found in two small passes before. What comes out is, byte for
byte, what :mod:`register.audit.replay.stored` makes of the same events.

That the events are those that were signed is the business of ``cvr verify --export``. Here every file read must be the
one the index describes, on whatever machine it is read, and every personal part the one its record vouches for.
"""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime
from itertools import pairwise
from operator import itemgetter
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import msgspec

from register.audit.export.files import Described, Index, read_index
from register.audit.export.files import Part as Files
from register.audit.export.reading import MissingMandateError, rows_of_part
from register.audit.offline import form
from register.audit.processes import Maker, Workers
from register.audit.reading import FIRST, LAST, Range, Row, decoded
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
from register.law.events import AboutPerson, Event, JmbReplaced, PollingStation, PollingStationAbolished
from register.law.parameters import LAW, Law
from register.law.territory import DayCoverage

#: Does work on every task and gives the results in the order of the tasks: on processes here, or on a cluster.
Spread = Callable[[Maker, Sequence[Any]], Iterator[Any]]

_STATIONS: Final = frozenset({PollingStation.TOPIC, PollingStationAbolished.TOPIC})
_TOPICS: Final = tuple(b'"topic":"%b"' % topic.encode() for topic in sorted(_STATIONS))
_PIECE: Final = 1 << 20
_AT: Final = slice(7, 34)
#: What files that were meant to harm, or that a disk damaged, may raise.
_DAMAGED: Final = (OSError, EOFError, zlib.error, msgspec.MsgspecError, ValueError, RecursionError)


class ExportError(Exception):
    """The files cannot be folded. Names a file or a position, never what stands there."""


class _Task(msgspec.Struct):
    """A part by its number, the range of its streams, and the persons with several numbers who belong between them."""

    number: int
    streams: Range
    before: list[UUID]


class _Seen(msgspec.Struct):
    """What the first pass finds in a part: its first stream, if it has one, and the rows about polling stations."""

    first: UUID | None
    stations: list[Row]


class _Common(msgspec.Struct):
    """What every part needs: who covers which address on the day, the streams of stations, subjects that links name."""

    coverage: DayCoverage
    station_streams: frozenset[UUID]
    joined: frozenset[str]


def replay_export(
    folder: Path,
    *,
    known_at: int | datetime | None = None,
    on: date,
    out: Sink,
    spread: Spread,
    progress: Progress = lambda _done, _all: None,
    law: Law = LAW,
) -> Replayed:
    """Write everybody known at ``known_at`` as the register had them for the day ``on``, by person, as CSV.

    ``known_at``: a position, an instant (the last position recorded at or before it), or None for the whole export.
    The bytes do not depend on ``spread``. Raises ``NotAnExportError``; ``MissingMandateError`` naming all kinds of
    senders whose personal parts are not here; :class:`ExportError` for files that are not what was exported;
    ``PositionError`` for a position that it does not have; and what ``spread`` raises.
    """
    form.read_index(folder)  # judges every name and place in it
    index = read_index(folder)
    *parts, apart = index.parts
    if not parts:
        raise ExportError("the index names no ranges of streams")
    kinds = [(kind, held.file) for part in index.parts for kind, held in part.personal.items()]
    absent = {kind for kind, file in kinds if not (folder / file).exists()}
    if absent:
        raise MissingMandateError(", ".join(sorted(absent)))
    position = _position(folder, index, known_at)
    seen: list[_Seen] = list(spread((_Scanner, (folder, position)), parts))
    linked = _linked(folder, apart, position)
    common = _common(seen, linked, on)
    whole = Whole(out, Teller(on, common.coverage).linked_lines(linked, law), len(linked))
    bounds = _bounds([found.first for found in seen])
    tasks = [_Task(number, streams, whole.within(streams)) for number, streams in enumerate(bounds)]
    folded = spread((_Folder, (folder, parts, position, on, common, law)), tasks)
    for task, part in zip(tasks, folded, strict=True):
        whole.take(part, task.before)
        progress(whole.events, position)
    return whole.done(position, on)


def size_of(folder: Path) -> int:
    """How many events an export holds. Raises ``NotAnExportError``."""
    return int(form.read_index(folder)["size"])


def on_cores(processes: int) -> Spread:
    """Work on so many processes of this machine."""

    def spread(maker: Maker, tasks: Iterable[Any]) -> Iterator[Any]:
        with Workers(processes, {"replay": maker}) as workers:
            yield from workers.each("replay", tasks)

    return spread


# --- before: the position, the linked streams, the polling stations -------------------------------------------------


def _position(folder: Path, index: Index, known_at: int | datetime | None) -> int:
    if known_at is None:
        return index.size
    if isinstance(known_at, datetime):
        check_instant(known_at)
        return _position_at(folder, index, known_at)
    return check_position(known_at, index.size)


def _position_at(folder: Path, index: Index, instant: datetime) -> int:
    """The last position recorded at or before an instant. Times never go back: one chunk is read, of others a line."""
    wanted = instant.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds").encode() + b"Z"
    before = 0
    for number, chunk in enumerate(index.records):
        following = index.records[number + 1 : number + 2]
        if following and _recorded_at(next(_lines(folder, following[0]), b"")) <= wanted:
            before += chunk.lines
            continue
        _check_whole(folder, chunk)
        for line in _lines(folder, chunk):
            if _recorded_at(line) > wanted:
                return before
            before += 1
        return before
    return before


def _recorded_at(record: bytes) -> bytes:
    if not record.startswith(b'{"at":"'):
        raise ExportError("records/ holds a line that is no record")
    return record[_AT]


def _lines(folder: Path, described: Described) -> Iterator[bytes]:
    try:
        yield from form.lines_of(folder, {"file": described.file})
    except _DAMAGED:
        raise _unreadable(described) from None


def _linked(folder: Path, part: Files, position: int) -> list[Event]:
    """The events of the streams that links may connect, by position."""
    _check_part(folder, part)
    try:
        rows = [row for _, rows in rows_of_part(folder, part) for row in rows if row[0] <= position]
    except _DAMAGED:
        raise _unreadable(part.streams) from None
    return _events(sorted(rows, key=itemgetter(0)))


def _common(seen: Iterable[_Seen], linked: Iterable[Event], on: date) -> _Common:
    rows = sorted((row for found in seen for row in found.stations), key=itemgetter(0))
    joined = {f"jmb:{event.data.new_jmb}" for event in linked if isinstance(event.data, JmbReplaced)}
    return _Common(DayCoverage(on, (live(_events(rows)),)), frozenset(row[1] for row in rows), frozenset(joined))


def _bounds(firsts: Sequence[UUID | None]) -> list[Range]:
    """From which stream to which each part goes; together they are all there can be, whatever was filed."""
    begin = [number for number, first in enumerate(firsts) if first is not None] or [0]
    starts = [FIRST, *(first for number in begin[1:] if (first := firsts[number]) is not None)]
    if any(one >= other for one, other in pairwise(starts)):
        raise ExportError("the ranges of streams do not follow each other")
    ends = [UUID(int=start.int - 1) for start in starts[1:]] + [LAST]
    bounds: list[Range] = [(LAST, FIRST)] * len(firsts)  # a part without streams has no place for anybody
    for number, streams in zip(begin, zip(starts, ends, strict=True), strict=True):
        bounds[number] = streams
    return bounds


class _Scanner:
    """Finds what of a part the others need. Most parts hold no polling station: their bytes are only searched."""

    def __init__(self, folder: Path, position: int) -> None:
        self._folder = folder
        self._position = position

    def __call__(self, part: Files) -> _Seen:
        """Look through a part."""
        _check_part(self._folder, part)
        try:
            with gzip.open(self._folder / part.streams.file, "rb") as file:
                first = _first_stream(file.readline())
                file.seek(0)
                found = _holds(file, _TOPICS)
            return _Seen(first, self._stations(part) if found else [])
        except _DAMAGED:
            raise _unreadable(part.streams) from None

    def _stations(self, part: Files) -> list[Row]:
        return [
            row
            for _, rows in rows_of_part(self._folder, part)
            if any(row[4] in _STATIONS for row in rows)
            for row in rows
            if row[0] <= self._position
        ]


class _Placed(msgspec.Struct):
    record: _Identified


class _Identified(msgspec.Struct):
    id: UUID


def _first_stream(line: bytes) -> UUID | None:
    return msgspec.json.decode(line, type=_Placed).record.id if line else None


def _holds(file: gzip.GzipFile, sought: Collection[bytes]) -> bool:
    longest, end = max(map(len, sought)), b""
    while piece := file.read(_PIECE):
        if any(each in end + piece for each in sought):
            return True
        end = piece[-longest:]
    return False


# --- the fold -------------------------------------------------------------------------------------------------------


class _Folder:
    """Folds parts, in one process or one worker."""

    def __init__(
        self, folder: Path, parts: Sequence[Files], position: int, on: date, common: _Common, law: Law
    ) -> None:
        self._arguments = (folder, parts, position, on, common, law)
        self._folder = folder
        self._parts = parts
        self._position = position
        self._common = common
        self._law = law
        self._teller = Teller(on, common.coverage)

    def __reduce__(self) -> tuple[type[_Folder], tuple[Any, ...]]:
        return (_Folder, self._arguments)

    def __call__(self, task: _Task) -> Part:
        """The lines of a part."""
        files, part = self._parts[task.number], Part()
        _check_part(self._folder, files)
        try:
            return cut(self._teller.lines(self._timelines(files, task.streams, part)), task.before, part)
        except (ExportError, MissingMandateError):
            raise
        except _DAMAGED:
            raise _unreadable(files.streams) from None

    def _timelines(self, files: Files, streams: Range, part: Part) -> Iterator[tuple[UUID, Sequence[Stretch]]]:
        least, last = streams
        for stream, found in rows_of_part(self._folder, files):
            if not least <= stream <= last:
                raise ExportError(f"{files.streams.file}: a stream stands out of order, or twice")
            least = UUID(int=min(stream.int + 1, LAST.int))
            if [row[2] for row in found] != list(range(1, len(found) + 1)):
                raise ExportError(f"position {found[0][0]}: its stream does not number 1, 2, 3 …")
            rows = [row for row in found if row[0] <= self._position]
            events = _events(rows)
            part.events += len(events)
            if self._about_a_person(stream, events):
                yield stream, timeline(events, self._law)

    def _about_a_person(self, stream: UUID, events: Sequence[Event]) -> bool:
        """Whether the stream is about a person, who has no other number. Raises :class:`ExportError`."""
        about = False
        for event in events:
            data = event.data
            if isinstance(data, JmbReplaced) or (
                not about and isinstance(data, AboutPerson) and f"jmb:{data.jmb}" in self._common.joined
            ):
                raise ExportError(f"position {event.position}: its stream is not among those that are linked")
            about = about or isinstance(data, AboutPerson)
            if isinstance(data, _STATION) and stream not in self._common.station_streams:
                raise ExportError(f"position {event.position}: what it says of a polling station was not found before")
        return about


_STATION: Final = (PollingStation, PollingStationAbolished)


def _events(rows: Sequence[Row]) -> list[Event]:
    unreadable: list[int] = []
    events = decoded(rows, unreadable)
    if unreadable:
        raise ExportError(f"position {unreadable[0]}: the event cannot be read by this program")
    return events


def _check_part(folder: Path, part: Files) -> None:
    for described in (part.streams, *part.personal.values()):
        _check_whole(folder, described)


def _check_whole(folder: Path, described: Described) -> None:
    try:
        with (folder / described.file).open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        raise _unreadable(described) from None
    if digest != described.sha256:
        raise ExportError(f"{described.file} is not the file that was exported")


def _unreadable(described: Described) -> ExportError:
    return ExportError(f"{described.file}, or what is personal in it, is not there or cannot be read")
