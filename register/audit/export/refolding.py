"""The law folded again from an export alone: register, audit log and frozen rolls, beside what was exported.

No database takes part. Ranges of streams are shared among processes; an election's roll is brought into its order by
sorting each range's share to a file and merging them, so that memory stays flat.
"""

from __future__ import annotations

import hashlib
import heapq
import tempfile
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any, BinaryIO, Final
from uuid import UUID

import msgspec

from register.audit.export.files import Index, Part, read_index
from register.audit.export.reading import TablesError, rows_of_part, tables_of_part
from register.audit.export.redrawing import Redrawn
from register.audit.processes import Workers
from register.audit.reading import Row, decoded, together
from register.audit.verify.findings import Check, Findings, Report, concluded
from register.audit.verify.folding import Folded, fold
from register.audit.verify.streams import Compared, compare
from register.law.alphabet import sort_key
from register.law.dossier import live
from register.law.events import (
    AboutPerson,
    ElectionCalled,
    ElectionConcluded,
    Event,
    ExcerptDrawn,
    JmbReplaced,
    PollingStation,
    PollingStationAbolished,
    RollFrozen,
    subject_of,
)
from register.law.persons import persons
from register.law.rolls import Roll, RollEntry, residence_of, roll_of, stand
from register.law.territory import Coverage
from register.projection.rolls import LIST_ORDER, ROLL_COLUMNS

LINKED: Final = "linked"
_STATIONS: Final = (PollingStation, PollingStationAbolished)
_ACTS: Final = (ElectionCalled, ElectionConcluded, RollFrozen, ExcerptDrawn)
_encode: Final = msgspec.json.Encoder().encode
_roll_encoder: Final = msgspec.msgpack.Encoder()

Progress = Callable[[str, int, int], None]


class _Concluded(msgspec.Struct):
    """An election whose roll is made again: its call, its conclusion, what was put on record of roll and lists."""

    called: ElectionCalled
    conclusion: int
    frozen: tuple[int, RollFrozen] | None = None
    drawn: list[tuple[int, ExcerptDrawn]] = []


class _Line(msgspec.Struct, array_like=True, gc=False):
    """A row of a roll with the key of its place; what is written is CSV as PostgreSQL writes it, without the number."""

    key: tuple[str, int, bool, str, bool, str, bytes, bytes]
    csv: bytes
    entry: RollEntry


def refold(folder: Path, municipalities: Collection[str], *, processes: int, progress: Progress) -> Report:
    """Fold everything again and compare (Art. 3.2, 3.6). ``municipalities``: the codes of all municipalities.

    What cannot be read by this program (events, rows of the register), and what stands in the wrong part, is found and
    named. Raises ``MissingMandateError`` when personal parts are not there; ValueError, OSError and msgspec errors for
    files that are not what was signed, which the check without ``--replay`` names.
    """
    index = read_index(folder)
    stations, elections, joined = _common(folder, index)
    compared = Compared()
    if index.position < index.size:
        compared.register.add("from here on the register of this export knows no event", index.position + 1)
    with tempfile.TemporaryDirectory() as scratch:
        maker = (Refolder, (folder, index.position, stations, elections, sorted(municipalities), Path(scratch), joined))
        with Workers(processes, {"refold": maker}) as workers:
            for number, part in enumerate(workers.each("refold", list(enumerate(index.parts))), 1):
                compared.add(part)
                progress("law, folded again", number, len(index.parts))
        rolls, lists = _check_rolls(Path(scratch), elections, progress)
    what = "the register of the export is what its events give, on all days, at every position"
    readable = "every event can be read, and stands where it is folded with those it is linked to"
    audit = "deletions and reinstatements are those the events give"
    return Report(
        head=index.size,
        position=index.position,
        sealed=index.size,
        checks=[
            concluded("events", readable, index.size, "events", compared.filed),
            concluded("register", what, compared.stretches, "stretches", compared.register),
            concluded("audit-log", audit, compared.entries, "entries", compared.audit),
            rolls,
            lists,
        ],
    )


def _common(folder: Path, index: Index) -> tuple[list[Event], dict[str, _Concluded], frozenset[str]]:
    """What every part needs: the events about polling stations, the elections that were concluded, linked subjects."""
    stations: list[Event] = []
    elections: dict[str, _Concluded] = {}
    drawn: list[tuple[int, ExcerptDrawn]] = []
    joined: set[str] = set()
    topics = {JmbReplaced.TOPIC} | {kind.TOPIC for kind in (*_STATIONS, *_ACTS)}
    for part in index.parts:
        for _, rows in rows_of_part(folder, part):
            if not any(row[4] in topics for row in rows):
                continue
            events = decoded(rows, [])  # what cannot be read is named where its part is folded
            joined |= {f"jmb:{event.data.new_jmb}" for event in events if isinstance(event.data, JmbReplaced)}
            if any(isinstance(event.data, _STATIONS) for event in events):
                stations += events
            else:
                _take_election(elections, events)
                drawn += [(event.position, event.data) for event in events if isinstance(event.data, ExcerptDrawn)]
    for position, excerpt in drawn:
        if excerpt.election in elections:
            elections[excerpt.election].drawn.append((position, excerpt))
    return stations, elections, frozenset(joined)


def _take_election(elections: dict[str, _Concluded], events: Iterable[Event]) -> None:
    called: ElectionCalled | None = None
    for event in events:
        match event.data:
            case ElectionCalled():
                called = event.data
            case ElectionConcluded() if called is not None:
                elections[called.election] = _Concluded(called, event.position)
            case RollFrozen() if event.data.election in elections:
                elections[event.data.election].frozen = (event.position, event.data)
            case _:
                pass


class Refolder:
    """Folds parts in one process: compares the register, and writes down the shares of the rolls."""

    def __init__(
        self,
        folder: Path,
        position: int,
        stations: Sequence[Event],
        elections: dict[str, _Concluded],
        municipalities: Collection[str],
        scratch: Path,
        joined: Collection[str] = (),
    ) -> None:
        self._folder = folder
        self._joined = joined
        self._position = position
        self._scratch = scratch
        self._rolls = [
            _RollMaker(number, each, stations, municipalities)
            for number, (_, each) in enumerate(sorted(elections.items()), 1)
        ]

    def __call__(self, task: tuple[int, Part]) -> Compared:
        """Fold one part."""
        number, part = task
        compared = Compared()
        linked = part.streams.file.endswith(f"/{LINKED}.jsonl.gz")
        try:
            if linked:
                found = {str(stream): self._read(rows, compared) for stream, rows in rows_of_part(self._folder, part)}
                self._linked(found, part, compared)
            else:
                self._apart(part, compared)
        except TablesError as error:
            compared.register.add(str(error))
        for roll in self._rolls:
            roll.write(self._scratch, number)
        return compared

    def _apart(self, part: Part, compared: Compared) -> None:
        """The streams of a range: each is a person's, or about none."""
        streams = rows_of_part(self._folder, part)
        named = ((str(stream), [self._read(rows, compared)]) for stream, rows in streams)
        for stream, (found, tables) in together(named, tables_of_part(self._folder, part)):
            events = found[0] if found else []
            first = next((event for event in events if self._is_linked(event)), None)
            if first is not None:
                compared.filed.add("a link names its stream, and it is not among those that are linked", first.position)
            self._compare(stream, fold(self._known(events)), tables, compared)
            if any(isinstance(event.data, AboutPerson) for event in events):
                for roll in self._rolls:
                    roll.take(UUID(stream), events)

    def _is_linked(self, event: Event) -> bool:
        return isinstance(event.data, JmbReplaced) or subject_of(event.data, event.source) in self._joined

    @staticmethod
    def _read(rows: Sequence[Row], compared: Compared) -> list[Event]:
        """The events of a stream that this program can read; the others are named."""
        unreadable: list[int] = []
        events = decoded(rows, unreadable)
        for position in unreadable:
            compared.filed.add("the event cannot be read by this program", position)
        return events

    def _linked(self, streams: dict[str, list[Event]], part: Part, compared: Compared) -> None:
        """The streams that links may connect: folded together, as one may belong to the person of another."""
        events = sorted((e for found in streams.values() for e in found), key=attrgetter("position"))
        folded = fold(self._known(events))
        tables = dict(tables_of_part(self._folder, part))
        for person in sorted(tables.keys() | folded.stretches.keys() | folded.audit.keys()):
            self._compare(person, folded, tables.get(person, []), compared)
        for roll in self._rolls:
            roll.take_linked({UUID(stream): found for stream, found in streams.items()})

    def _known(self, events: Iterable[Event]) -> list[Event]:
        return sorted((e for e in events if e.position <= self._position), key=attrgetter("position"))

    @staticmethod
    def _compare(person: str, folded: Folded, tables: Sequence[list[Any]], out: Compared) -> None:
        stretches = [_as_read(row) for row in folded.stretches.get(person, ())]
        audit = [_as_read(row) for row in folded.audit.get(person, ())]
        mine = Folded(defaultdict(list, {person: stretches}), defaultdict(list, {person: audit}), {}, [])
        compare(person, mine, [*(tables or [[], []]), []], out)


def _as_read(row: Sequence[Any]) -> tuple[Any, ...]:
    """A row as it comes back from JSON."""
    return tuple(msgspec.json.decode(_encode(row)))


# --- rolls ----------------------------------------------------------------------------------------------------------


class _RollMaker:
    """The share of one part in the roll of one election."""

    def __init__(
        self, number: int, election: _Concluded, stations: Sequence[Event], municipalities: Collection[str]
    ) -> None:
        self._number = number
        self._upto = election.conclusion - 1
        self._roll: Roll = roll_of(election.called, municipalities)
        self._stations = live(event for event in stations if event.position <= self._upto)
        self._coverage: dict[str, Coverage] = {}
        self._lines: list[_Line] = []

    def take(self, person: UUID, events: Iterable[Event]) -> None:
        """Put a person on the roll, who stands on it."""
        known = [event for event in events if event.position <= self._upto]
        municipality = residence_of(known, self._roll)
        if municipality is not None and municipality not in self._coverage:
            self._coverage[municipality] = Coverage(municipality, self._stations)
        entry = stand(known, self._roll, None if municipality is None else self._coverage[municipality])
        if entry is not None:
            self._lines.append(_Line(_place(person, entry), _csv(entry), entry))

    def take_linked(self, streams: dict[UUID, list[Event]]) -> None:
        """Put those on the roll who have several numbers."""
        known = {
            stream: found
            for stream, events in streams.items()
            if (found := [event for event in events if event.position <= self._upto])
        }
        for person, events in persons(known).items():
            self.take(person, events)

    def write(self, scratch: Path, part: int) -> None:
        """Write the share, in order, to a file of its own."""
        self._lines.sort(key=attrgetter("key"))
        with (scratch / f"{part:05d}.{self._number}").open("wb") as out:
            for line in self._lines:
                piece = _roll_encoder.encode(line)
                out.write(len(piece).to_bytes(4, "big") + piece)
        self._lines.clear()


def _check_rolls(scratch: Path, elections: dict[str, _Concluded], progress: Progress) -> tuple[Check, Check]:
    findings, voters, notes = Findings(), 0, []
    lists, compared = Findings(), 0
    for number, (name, election) in enumerate(sorted(elections.items()), 1):
        redrawn = Redrawn(election.drawn)
        rows, digest = _redraw(scratch, number, redrawn)
        progress("rolls, and their lists", number, len(elections))
        voters += rows
        lists.extend(redrawn.findings)
        compared += redrawn.compared
        if election.frozen is None:
            notes.append(f"election {name}: {rows:,} voters; its roll was not on record yet")
            continue
        position, data = election.frozen
        if (data.conclusion, data.voters, data.sha256) != (election.conclusion, rows, digest):
            findings.add(f"election {name}: the event records another roll than the events give", position)
    what = "each roll on record is the one the events give, row by row"
    drawn = "each list on record, drawn again, has the digest of the one that was printed"
    return (
        concluded("rolls", what, voters, "voters", findings, notes=notes),
        concluded("lists", drawn, compared, "lists", lists),
    )


def _redraw(scratch: Path, election: int, redrawn: Redrawn) -> tuple[int, str]:
    """Rows and SHA-256 of a roll, its shares merged; its lists are compared on the way."""
    digest, rows = hashlib.sha256(), 0
    with ExitStack() as stack:
        shares = [stack.enter_context(path.open("rb")) for path in sorted(scratch.glob(f"?????.{election}"))]
        merged = heapq.merge(*map(_share, shares), key=attrgetter("key"))
        for _, lines in groupby(merged, lambda line: line.key[0]):
            voters = []
            for line in lines:
                rows += 1
                digest.update(b"%d," % rows + line.csv)
                voters.append((UUID(bytes=line.key[-1]), line.entry))
            redrawn.take_municipality(voters)
    redrawn.finish()
    return rows, digest.hexdigest()


def _share(file: BinaryIO) -> Iterator[_Line]:
    decode = msgspec.msgpack.Decoder(_Line).decode
    while length := file.read(4):
        yield decode(file.read(int.from_bytes(length, "big")))


def _place(person: UUID, entry: RollEntry) -> tuple[str, int, bool, str, bool, str, bytes, bytes]:
    """Where an entry stands: the order of ``projection.rolls.list_order``, in which nothing comes last."""
    return (
        entry.municipality,
        LIST_ORDER.index(entry.list_kind),
        entry.station is None,
        entry.station or "",
        entry.mission is None,
        entry.mission or "",
        sort_key(entry.surname, entry.given_name, entry.parent_name, entry.born_on),
        person.bytes,
    )


def _csv(entry: RollEntry) -> bytes:
    """An entry as ``COPY … (FORMAT csv)`` writes it: the digest on record is over these very bytes."""
    return ",".join(_value(getattr(entry, name)) for name, _ in ROLL_COLUMNS[1:]).encode() + b"\n"


def _value(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "t" if value else "f"
    text = str(value)
    if not text or any(sign in text for sign in ',"\n\r'):
        return '"' + text.replace('"', '""') + '"'
    return text
