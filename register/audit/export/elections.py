"""What each part of an export needs of the others: polling stations, concluded elections, which streams are linked."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from register.audit.export.files import Index, Part
from register.audit.export.reading import rows_of_part
from register.audit.processes import Workers
from register.audit.reading import Row, decoded
from register.law.events import (
    ElectionCalled,
    ElectionConcluded,
    Event,
    ExcerptDrawn,
    JmbReplaced,
    PollingStation,
    PollingStationAbolished,
    RollFrozen,
)

_STATIONS: Final = (PollingStation, PollingStationAbolished)
_ACTS: Final = (ElectionCalled, ElectionConcluded, RollFrozen, ExcerptDrawn)
_TOPICS: Final = frozenset({JmbReplaced.TOPIC} | {kind.TOPIC for kind in (*_STATIONS, *_ACTS)})


class Concluded(msgspec.Struct):
    """An election whose roll is made again: its call, its conclusion, what was put on record of roll and lists."""

    called: ElectionCalled
    conclusion: int
    concluded_at: datetime
    #: Versions of the reference data, and of the law's functions.
    reference: str
    rules: str
    frozen: tuple[int, RollFrozen] | None = None
    drawn: list[tuple[int, ExcerptDrawn]] = []
    #: Of a run-off: its first round.
    first: Concluded | None = None


class Common(NamedTuple):
    """The events about polling stations, the concluded elections by id, and the subjects that links name."""

    stations: list[Event]
    elections: dict[str, Concluded]
    joined: frozenset[str]


class Finder:
    """Reads parts in one process, and gives the rows of those streams that the others need to know of."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(self, part: Part) -> list[list[Row]]:
        """The rows of these streams of one part, stream by stream. Raises what ``rows_of_part`` raises."""
        streams = rows_of_part(self._folder, part)
        return [rows for _, rows in streams if any(row[4] in _TOPICS for row in rows)]


def common(folder: Path, index: Index, *, processes: int) -> Common:
    """Read all parts for what each of them needs. What cannot be decoded is passed over: its part names it.

    Raises what ``reading.rows_of_part`` raises.
    """
    stations: list[Event] = []
    elections: dict[str, Concluded] = {}
    drawn: list[tuple[int, ExcerptDrawn]] = []
    joined: set[str] = set()
    with Workers(processes, {"find": (Finder, (folder,))}) as workers:
        for rows in (rows for found in workers.each("find", index.parts) for rows in found):
            events = decoded(rows, [])
            joined |= {f"jmb:{event.data.new_jmb}" for event in events if isinstance(event.data, JmbReplaced)}
            if any(isinstance(event.data, _STATIONS) for event in events):
                stations += events
            else:
                _take_election(elections, events)
                drawn += [(event.position, event.data) for event in events if isinstance(event.data, ExcerptDrawn)]
    for each in elections.values():
        if each.called.runoff_of in elections:
            each.first = elections[each.called.runoff_of]
    for position, excerpt in drawn:
        if excerpt.election in elections:
            elections[excerpt.election].drawn.append((position, excerpt))
    return Common(stations, elections, frozenset(joined))


def _take_election(elections: dict[str, Concluded], events: Iterable[Event]) -> None:
    called: ElectionCalled | None = None
    for event in events:
        match event.data:
            case ElectionCalled():
                called = event.data
            case ElectionConcluded(reference=reference, rules=rules) if called is not None:
                found = Concluded(called, event.position, event.recorded_at, reference, rules)
                elections[called.election] = found
            case RollFrozen() if event.data.election in elections:
                elections[event.data.election].frozen = (event.position, event.data)
            case _:
                pass
