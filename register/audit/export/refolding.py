"""The law folded again from an export alone: register, audit log and frozen rolls, beside what was exported.

No database takes part. Ranges of streams are shared among processes; an election's roll is brought into its order by
sorting each range's share to a file and merging them, so that memory stays flat.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from operator import attrgetter
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import msgspec

from register.audit.export.elections import Concluded, common
from register.audit.export.files import Part, read_index
from register.audit.export.reading import TablesError, rows_of_part, tables_of_part
from register.audit.export.redrawing import Redrawn
from register.audit.export.shares import ShareMaker, Shares
from register.audit.processes import Workers
from register.audit.reading import Row, decoded, together
from register.audit.verify.findings import Check, Findings, Report, concluded
from register.audit.verify.folding import Folded, fold
from register.audit.verify.streams import Compared, compare
from register.law.events import AboutPerson, Event, JmbReplaced, subject_of

LINKED: Final = "linked"
_encode: Final = msgspec.json.Encoder().encode

Progress = Callable[[str, int, int], None]


def refold(folder: Path, municipalities: Collection[str], *, processes: int, progress: Progress) -> Report:
    """Fold everything again and compare (Art. 3.2, 3.6). ``municipalities``: the codes of all municipalities.

    What cannot be read by this program (events, rows of the register), and what stands in the wrong part, is found and
    named. Raises ``MissingMandateError`` when personal parts are not there; ValueError, OSError and msgspec errors for
    files that are not what was signed, which the check without ``--replay`` names.
    """
    index = read_index(folder)
    stations, elections, joined = common(folder, index, processes=processes)
    compared = Compared()
    if index.position < index.size:
        compared.register.add("from here on the register of this export knows no event", index.position + 1)
    with tempfile.TemporaryDirectory() as scratch:
        rolls_in = {name: Path(scratch, str(number)) for number, name in enumerate(sorted(elections), 1)}
        for each in rolls_in.values():
            each.mkdir()
        maker = (Refolder, (folder, index.position, stations, elections, sorted(municipalities), rolls_in, joined))
        with Workers(processes, {"refold": maker}) as workers:
            for number, part in enumerate(workers.each("refold", list(enumerate(index.parts))), 1):
                compared.add(part)
                progress("law, folded again", number, len(index.parts))
        rolls, lists = _check_rolls(rolls_in, elections, progress)
    what = "the register of the export is what its events give, on all days, at every position"
    readable = "every event can be read, and stands where it is folded with those it is linked to"
    audit = "deletions and reinstatements are those the events give"
    return Report(
        head=index.size,
        position=index.position,
        sealed=index.size,
        checks=[
            concluded("events", readable, index.size, "events", compared.filed),
            concluded("register", what, compared.stretches, "stretches", compared.register,
                      notes=compared.tallies.said("stretches"), detail=compared.tallies.plain()),
            concluded("audit-log", audit, compared.entries, "entries", compared.audit,
                      notes=compared.audit_tallies.said("entries"), detail=compared.audit_tallies.plain()),
            rolls,
            lists,
        ],
    )  # fmt: skip


class Refolder:
    """Folds parts in one process: compares the register, and writes down the shares of the rolls."""

    def __init__(
        self,
        folder: Path,
        position: int,
        stations: Sequence[Event],
        elections: dict[str, Concluded],
        municipalities: Collection[str],
        rolls_in: Mapping[str, Path],
        joined: Collection[str] = (),
    ) -> None:
        self._folder = folder
        self._joined = joined
        self._position = position
        self._rolls = [
            (ShareMaker(elections[name], stations, municipalities), place) for name, place in rolls_in.items()
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
        for roll, place in self._rolls:
            roll.write(place, number)
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
                for roll, _ in self._rolls:
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
        for roll, _ in self._rolls:
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


def _check_rolls(
    rolls_in: Mapping[str, Path], elections: dict[str, Concluded], progress: Progress
) -> tuple[Check, Check]:
    findings, voters, notes = Findings(), 0, []
    lists, compared = Findings(), 0
    for number, (name, election) in enumerate(sorted(elections.items()), 1):
        redrawn = Redrawn(election.drawn)
        rows, digest = _redraw(Shares(rolls_in[name]), redrawn)
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


def _redraw(shares: Shares, redrawn: Redrawn) -> tuple[int, str]:
    """Rows and SHA-256 of a roll, its shares merged; its lists are compared on the way."""
    digest, rows = hashlib.sha256(), 0
    for municipality in shares.municipalities():
        voters = []
        for voter in shares.voters(municipality):
            rows += 1
            digest.update(b"%d," % rows + voter.csv)
            voters.append((voter.person, voter.entry))
        redrawn.take_municipality(voters)
    redrawn.finish()
    return rows, digest.hexdigest()
