"""The lists of a roll drawn again from an export, beside the digests that were put on record when they were drawn.

The digest on record is the SHA-256 of the list's CSV file, so that an equal digest is an equal file, byte for byte. A
municipality's voters are held at a time, and those at missions.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, Final
from uuid import UUID

import msgspec

from register.audit.verify.findings import Findings
from register.excerpts.from_roll import DrawnKind, mission_code, placed_in, row_of
from register.excerpts.render_csv import rows_sha256
from register.excerpts.rows import Script
from register.law.events import DrawnList, ExcerptDrawn
from register.law.rolls import RollEntry

_OVERLAYS: Final[tuple[DrawnKind, ...]] = ("mobile-team", "marked-deceased")
_SCRIPTS: Final[tuple[Script, ...]] = ("latin", "cyrillic")
#: A voter of the roll: (person, entry).
Voter = tuple[UUID, RollEntry]


class Redrawn:
    """Compares the lists on record of one election with its roll, of which voters come in the order of lists.

    ``drawn``: the drawings on record, each with its position.
    """

    def __init__(self, drawn: Iterable[tuple[int, ExcerptDrawn]]) -> None:
        self.findings = Findings()
        self.compared = 0
        #: By name, what is on record: a list may have been drawn more than once.
        self._wanted: defaultdict[str, list[tuple[int, DrawnList]]] = defaultdict(list)
        for position, event in drawn:
            for each in event.lists if event.kind != "statistics" else ():
                self._wanted[each.name].append((position, each))
        self._missions: defaultdict[str, list[Voter]] = defaultdict(list)

    def take_municipality(self, voters: Sequence[Voter]) -> None:
        """Compare the lists of one municipality; its voters at missions are kept for the lists of missions."""
        lists: defaultdict[tuple[str, ...], list[Voter]] = defaultdict(list)
        for person, entry in voters:
            kind: str = entry.list_kind
            if kind == "diplomatic-mission" and entry.mission is not None:
                self._missions[entry.mission].append((person, entry))
                lists[kind, entry.municipality, mission_code(entry.mission)].append((person, entry))
            elif entry.station is not None:
                lists[kind, entry.municipality, entry.station].append((person, entry))
            else:
                lists[kind, entry.municipality].append((person, entry))
            for overlay, laid in zip(_OVERLAYS, (entry.mobile_team, entry.marked_deceased), strict=True):
                if laid:
                    lists[overlay, entry.municipality].append((person, entry))
        for scope, rows in lists.items():
            self._compare(scope, rows)

    def finish(self) -> None:
        """Compare the lists of missions, and those on record which nobody stands on."""
        for mission, voters in self._missions.items():
            self._compare(("diplomatic-mission", mission_code(mission)), voters)
        for name, records in self._wanted.items():
            for position, each in records:
                self.compared += 1
                if each.rows:
                    self.findings.add(
                        f"list {name}: on record with {each.rows} voters, and the roll gives none", position
                    )

    def _compare(self, scope: tuple[str, ...], voters: Sequence[Voter]) -> None:
        for script in _SCRIPTS:
            name = "_".join((*scope, *(("cyrillic",) if script == "cyrillic" else ())))
            records = self._wanted.pop(name, ())
            if not records:
                continue
            kind: Any = scope[0]
            told = [{"person": person, **msgspec.structs.asdict(entry)} for person, entry in voters]
            told.sort(key=lambda row: placed_in(row, script))
            digest = rows_sha256(kind, script, (row_of(no, row, script) for no, row in enumerate(told, 1)))
            for position, each in records:
                self.compared += 1
                if (each.rows, each.sha256) != (len(told), digest):
                    self.findings.add(f"list {name}: another one was put on record than the events give", position)
