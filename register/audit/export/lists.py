"""The lists of one municipality, of the missions, and the counts: drawn from shares of the roll (Art. 3.6 b, c)."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, Final, NamedTuple
from uuid import UUID

import msgspec

from register.audit.export.shares import Shares, Voter
from register.excerpts.draw import draw_list
from register.excerpts.fonts import LayoutError
from register.excerpts.formats import Format
from register.excerpts.from_roll import (
    OVERLAYS,
    Basis,
    DrawnKind,
    ListScope,
    head_of,
    placed_in,
    row_of,
)
from register.excerpts.manifest import ManifestEntry
from register.excerpts.rows import Row, Script
from register.excerpts.statistics import Counted, counted, counted_rows
from register.excerpts.together import Together
from register.law.rolls import RollEntry
from register.law.territory import Municipality
from register.projection.roll_accounts import Cell, guarded

#: Lists that are brought to disk together.
_TOGETHER: Final = 25
#: A voter of the roll: (person, entry).
Held = tuple[UUID, RollEntry]


class Asked(msgspec.Struct, frozen=True):
    """Which lists, in which formats and scripts; ``municipality`` None: the whole country."""

    kinds: tuple[DrawnKind, ...]
    formats: tuple[Format, ...]
    scripts: tuple[Script, ...]
    municipality: str | None = None


class Municipal(NamedTuple):
    """What came of a municipality: its files, what could not be printed, its counts, its voters at missions.

    ``counts``: voters and women of each cell.
    """

    entries: list[ManifestEntry]
    failures: list[str]
    counts: dict[Cell, tuple[int, int]]
    missions: list[Held]


class Tally:
    """What came of all municipalities so far."""

    def __init__(self) -> None:
        self.entries: list[ManifestEntry] = []
        self.failures: list[str] = []
        self.counts: dict[Cell, tuple[int, int]] = {}
        self.missions: list[Held] = []

    def add(self, drawn: Municipal) -> None:
        """Take over what came of one more."""
        self.entries += drawn.entries
        self.failures += drawn.failures
        self.counts |= drawn.counts
        self.missions += drawn.missions


class ListDrawer:
    """Draws lists in one process into a folder. ``place``: where the shares of the roll are."""

    def __init__(
        self, place: Path, out: Path, basis: Basis, asked: Asked, municipalities: Mapping[str, Municipality]
    ) -> None:
        self._place = place
        self._out = out
        self._basis = basis
        self._asked = asked
        self._municipalities = municipalities
        self._names = {code: each.name for code, each in municipalities.items()}
        self._shares: Shares | None = None

    def __call__(self, municipality: str) -> Municipal:
        """Draw the lists of one municipality. Raises what ``draw_list`` raises but LayoutError."""
        if self._shares is None:  # not there yet when the processes begin
            self._shares = Shares(self._place)
        voters = _Voters(self._shares.voters(municipality))
        files = _Files(self._out, self._asked.formats)
        for kind, scope, held in self._municipal(municipality, voters):
            if self._asked.municipality in (None, municipality):
                self._draw(files, kind, scope, held)
        files.settle()
        missions = [] if self._asked.municipality is not None else voters.overlaid["diplomatic-mission"]
        return Municipal(files.entries, files.failures, voters.counts(), missions)

    def country(self, tally: Tally) -> Municipal:
        """What rests on all municipalities together: the lists of missions (unless asked for one), and the counts."""
        files = _Files(self._out, self._asked.formats)
        for mission, held in _by_mission(tally.missions):
            self._draw(files, "diplomatic-mission", ListScope(mission=mission), held)
        if "statistics" in self._asked.kinds:
            self._count(files, tally.counts)
        files.settle()
        return Municipal(files.entries, files.failures, {}, [])

    def _municipal(self, code: str, voters: _Voters) -> Iterator[tuple[DrawnKind, ListScope, Sequence[Held]]]:
        """The lists of a municipality, with the voters as they come; then those that gather them."""
        empty = {station for municipality, station in self._basis.stations if municipality == code}
        for kind, station, held in voters.lists():
            empty.discard(station or "")
            yield kind, ListScope(code, station), held
        for station in sorted(empty):
            yield "polling-station", ListScope(code, station), ()
        for overlay in sorted(OVERLAYS):
            if voters.overlaid[overlay]:
                yield overlay, ListScope(code), voters.overlaid[overlay]
        if self._asked.municipality is not None:
            for mission, held in _by_mission(voters.overlaid["diplomatic-mission"]):
                yield "diplomatic-mission", ListScope(code, mission=mission), held

    def _draw(self, files: _Files, kind: DrawnKind, scope: ListScope, held: Sequence[Held]) -> None:
        for script in self._asked.scripts if kind in self._asked.kinds else ():
            head = head_of(self._basis, kind, scope, script, self._names)
            rows = [{"person": person, **msgspec.structs.asdict(entry)} for person, entry in held]
            if script != "latin" or kind in OVERLAYS or kind == "diplomatic-mission":
                rows.sort(key=lambda row: placed_in(row, script))
            files.draw(head, (row_of(no, row, script) for no, row in enumerate(rows, 1)))

    def _count(self, files: _Files, counts: Mapping[Cell, tuple[int, int]]) -> None:
        exact: defaultdict[Counted, tuple[int, int]] = defaultdict(lambda: (0, 0))
        for cell, (voters, women) in counts.items():
            before = exact[counted(cell)]
            exact[counted(cell)] = (before[0] + women, before[1] + voters - women)
        cells = {cell: voters for cell, (voters, _) in counts.items()}
        shown = guarded(cells)
        within = self._asked.municipality
        for script in self._asked.scripts:
            head = head_of(self._basis, "statistics", ListScope(within), script, self._names)
            files.draw(head, counted_rows(self._basis.called, self._municipalities, within, cells, shown, exact))


class _Voters:
    """The voters of a municipality on their way: list by list, counted, and those aside that other lists gather."""

    def __init__(self, voters: Iterator[Voter]) -> None:
        self._voters = voters
        self._all: Counter[Cell] = Counter()
        self._women: Counter[Cell] = Counter()
        self.overlaid: defaultdict[str, list[Held]] = defaultdict(list)

    def lists(self) -> Iterator[tuple[Any, str | None, list[Held]]]:
        """Kind, station and voters of each list."""
        for (kind, station), voters in groupby(self._voters, lambda each: (each.entry.list_kind, each.entry.station)):
            held = [(voter.person, voter.entry) for voter in voters]
            for each in held:
                self._take(each)
            if kind != "diplomatic-mission":
                yield kind, station, held

    def _take(self, held: Held) -> None:
        entry = held[1]
        cell = Cell(entry.municipality, entry.list_kind, entry.station, entry.voting_option, entry.entity)
        self._all[cell] += 1
        self._women[cell] += entry.sex == "F"
        if entry.mobile_team:
            self.overlaid["mobile-team"].append(held)
        if entry.marked_deceased:
            self.overlaid["marked-deceased"].append(held)
        if entry.list_kind == "diplomatic-mission":
            self.overlaid["diplomatic-mission"].append(held)

    def counts(self) -> dict[Cell, tuple[int, int]]:
        """Voters and women of each cell."""
        return {cell: (voters, self._women[cell]) for cell, voters in self._all.items()}


class _Files:
    """Files brought to disk so many lists at a time."""

    def __init__(self, out: Path, formats: tuple[Format, ...]) -> None:
        self._out = out
        self._formats = formats
        self._together = Together(out)
        self._waiting = 0
        self.entries: list[ManifestEntry] = []
        self.failures: list[str] = []

    def draw(self, head: Any, rows: Iterable[Row]) -> None:
        """Draw one list; one that cannot be printed is named, and the others go on."""
        try:
            self.entries += draw_list(head, rows, self._formats, self._out, self._together.whole)
        except LayoutError as error:
            self.failures.append(f"{head.name}: {error}")
        self._waiting += 1
        if self._waiting == _TOGETHER:
            self.settle()

    def settle(self) -> None:
        """Bring to disk what waits."""
        self._together.settle()
        self._waiting = 0


def _by_mission(voters: Iterable[Held]) -> list[tuple[str, list[Held]]]:
    found: defaultdict[str, list[Held]] = defaultdict(list)
    for person, entry in voters:
        if entry.mission is not None:
            found[entry.mission].append((person, entry))
    return sorted(found.items())
