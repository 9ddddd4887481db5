"""An election's lists drawn from an auditor's export, with no database: the same files, every byte the same (Art. 3.6).

The roll is folded from the events up to the conclusion, ranges of streams shared among processes; then each
municipality's lists are drawn by one of them, list by list, so that memory stays flat. The renderers are those of the
register itself, and the tree head in the footers is that of the export's own entries.
"""

from __future__ import annotations

import gzip
import tempfile
from collections.abc import Callable, Collection, Mapping
from functools import partial
from pathlib import Path
from typing import Final
from uuid import UUID

import msgspec

from register.audit.export.elections import Concluded, common
from register.audit.export.files import Index, Part, read_index
from register.audit.export.lists import Asked, ListDrawer, Tally
from register.audit.export.reading import rows_of_part
from register.audit.export.shares import ShareMaker, Shares
from register.audit.processes import Workers
from register.audit.reading import decoded
from register.audit.verify.findings import Findings
from register.excerpts.from_roll import Basis, stations_of
from register.excerpts.manifest import ManifestEntry, write_manifest
from register.excerpts.rows import FORMAT_VERSION
from register.law.calendar import civil_day
from register.law.dossier import live
from register.law.events import AboutPerson, DrawnList, Event
from register.law.territory import Municipality
from register.log.note import parse_checkpoint, parse_note
from register.log.tree import HASH_BYTES, Stack, leaf_hash

LINKED: Final = "linked"
_LEAVES: Final = 4_096

Progress = Callable[[str, int, int], None]


class NotThereError(Exception):
    """What is asked for cannot be drawn from this export; says why."""


class Drawn(msgspec.Struct, frozen=True):
    """What was drawn: the files, which lists could not be printed, and how they compare with what is on record."""

    entries: list[ManifestEntry]
    failures: list[str]
    voters: int
    compared: int
    findings: Findings
    notes: list[str]


class _Checkpoint(msgspec.Struct):
    size: int
    note: str


def draw(
    folder: Path,
    election: str,
    asked: Asked,
    out: Path,
    municipalities: Mapping[str, Municipality],
    *,
    reference: str,
    processes: int,
    progress: Progress,
) -> Drawn:
    """Draw the lists of an election into ``out``, with their manifest unless a list could not be printed.

    ``municipalities``: the reference table by code, ``reference`` its version. Raises :class:`NotThereError`,
    ``MissingMandateError`` when personal parts are not there; ValueError, OSError and msgspec errors for files that
    are not what was exported.
    """
    index = read_index(folder)
    stations, elections, _ = common(folder, index, processes=processes)
    of = elections.get(election)
    if of is None:
        raise NotThereError(f"in this export no election {election!r} is concluded")
    basis, signed = _basis(folder, index, of, stations)
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        sharer = (Sharer, (folder, of, stations, sorted(municipalities), place))
        with Workers(processes, {"share": sharer}) as workers:
            for number, _ in enumerate(workers.each("share", list(enumerate(index.parts))), 1):
                progress("roll, folded again", number, len(index.parts))
        shares, tally = Shares(place), Tally()
        # Other processes: a typesetter takes what memory there is, and the fold keeps what it has resolved.
        drawer = (ListDrawer, (place, out, basis, asked, municipalities))
        with Workers(processes, {"draw": drawer}) as workers:
            order = sorted(_held_in(shares, basis, asked), key=shares.bytes_of, reverse=True)
            for number, drawn in enumerate(workers.each("draw", order), 1):
                tally.add(drawn)
                progress("lists, by municipality", number, len(order))
        rest = ListDrawer(place, out, basis, asked, municipalities)
        tally.add(rest.country(tally))
        rows, digest = shares.digest()
    findings, compared = _compare(of, asked, tally.entries)
    if of.frozen is not None and (of.frozen[1].voters, of.frozen[1].sha256) != (rows, digest):
        findings.add("the roll on record is not the one the events give", of.frozen[0])
    if not tally.failures:
        write_manifest(out, tally.entries)
    return Drawn(tally.entries, tally.failures, rows, compared, findings, _notes(of, reference, signed=signed))


class Sharer:
    """Folds parts in one process, and writes down each one's share of the roll."""

    def __init__(
        self,
        folder: Path,
        election: Concluded,
        stations: list[Event],
        municipalities: Collection[str],
        place: Path,
    ) -> None:
        self._folder = folder
        self._upto = election.conclusion - 1
        self._place = place
        self._maker = ShareMaker(election, stations, municipalities)

    def __call__(self, task: tuple[int, Part]) -> None:
        """Fold one part. Raises what ``rows_of_part`` raises, and msgspec errors for an event that cannot be read."""
        number, part = task
        together: dict[UUID, list[Event]] = {}
        for stream, rows in rows_of_part(self._folder, part):
            events = decoded(row for row in rows if row[0] <= self._upto)
            if part.streams.file.endswith(f"/{LINKED}.jsonl.gz"):
                together[UUID(str(stream))] = events
            elif any(isinstance(event.data, AboutPerson) for event in events):
                self._maker.take(UUID(str(stream)), events)
        self._maker.take_linked(together)
        self._maker.write(self._place, number)


def head_at(folder: Path, index: Index, size: int) -> tuple[str, bytes, bool]:
    """The log's name, the root over the first ``size`` public entries, and whether a checkpoint here says the same.

    Who signed that checkpoint is for ``cvr verify --export`` to say. Raises :class:`NotThereError` where entries are
    missing, or another root was signed for this size; NoteError.
    """
    stack = Stack()
    with (folder / index.entries.file).open("rb") as file:
        while stack.size < size:
            piece = file.read(HASH_BYTES * min(_LEAVES, size - stack.size))
            if not piece or len(piece) % HASH_BYTES:
                raise NotThereError(f"the export has no public entry of position {stack.size + 1}")
            stack.extend([leaf_hash(piece[at : at + HASH_BYTES]) for at in range(0, len(piece), HASH_BYTES)])
    origin, root, signed_here = index.origin, stack.root(), False
    decode = msgspec.json.Decoder(_Checkpoint).decode
    with gzip.open(folder / index.checkpoints.file, "rb") as lines:
        for each in map(decode, lines):
            if each.size == size:
                signed = parse_checkpoint(parse_note(each.note.encode()).text)
                origin, signed_here = signed.origin, True
                if signed.root != root:
                    raise NotThereError(f"the public entries do not give the root signed for size {size}")
    return origin, root, signed_here


def _basis(folder: Path, index: Index, of: Concluded, stations: list[Event]) -> tuple[Basis, bool]:
    origin, root, signed = head_at(folder, index, of.conclusion)
    known = live(event for event in stations if event.position < of.conclusion)
    basis = Basis(
        called=of.called,
        conclusion=of.conclusion,
        concluded_on=civil_day(of.concluded_at),
        log_origin=origin,
        log_root=root,
        stations=stations_of(of.called, known),
    )
    return basis, signed


def _held_in(shares: Shares, basis: Basis, asked: Asked) -> set[str]:
    """Municipalities whose voters are to be read: those with voters, or with stations where nobody votes.

    For counts all of them: what is withheld of one depends on the others.
    """
    if asked.municipality is not None and "statistics" not in asked.kinds:
        return {asked.municipality}
    return {*shares.municipalities(), *(municipality for municipality, _ in basis.stations)}


def _compare(of: Concluded, asked: Asked, entries: Collection[ManifestEntry]) -> tuple[Findings, int]:
    """The lists beside those on record of the same names: what differs, and how many there are."""
    findings, compared = Findings(), 0
    drawn = {entry.list: entry for entry in entries}
    wanted = partial(_is_wanted, asked)
    for position, event in of.drawn:
        for each in event.lists if event.format_version == FORMAT_VERSION and event.kind in asked.kinds else ():
            here = drawn.get(each.name)
            if here is None:
                if wanted(event.kind, each):
                    findings.add(f"list {each.name}: on record, and not among those the events give", position)
                continue
            compared += 1
            if (here.rows, here.rows_sha256) != (each.rows, each.sha256):
                findings.add(f"list {each.name}: another one was put on record than the events give", position)
    return findings, compared


def _is_wanted(asked: Asked, kind: str, each: DrawnList) -> bool:
    """Whether a list on record must be among those drawn; those of missions and counts depend on who was asked."""
    scripts = "cyrillic" if each.name.endswith("_cyrillic") else "latin"
    if kind in ("diplomatic-mission", "statistics") or scripts not in asked.scripts:
        return False
    return asked.municipality is None or each.name.removesuffix("_cyrillic").split("_")[1] == asked.municipality


def _notes(of: Concluded, reference: str, *, signed: bool) -> list[str]:
    notes = []
    if of.reference != reference:
        notes.append("the conclusion names another version of the table of municipalities than the one here")
    if not signed:
        notes.append("no checkpoint of this export is of the conclusion: nobody here signed the root in the footers")
    if of.frozen is None:
        notes.append("the export ends before the digest of the roll was put on record: nothing says it is this one")
    return notes
