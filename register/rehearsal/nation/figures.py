"""What was measured of each step, a line of JSON each, and the plan of a run."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Final

import msgspec

from register.settings import CIVIL_ZONE

#: Days from the end of the feed to election day, at the least: the roll can be concluded by then (Art. 3.6 e).
_BEFORE_ELECTION: Final = 30


class Plan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a run is about. ``until`` is the day before which all notices were sent, and the day of the rehearsal."""

    voters: int
    seed: int
    until: date

    @property
    def now(self) -> datetime:
        """The instant at which everything in the rehearsal happens."""
        return datetime.combine(self.until, time(10), CIVIL_ZONE)

    @property
    def day(self) -> date:
        """Election day, a Sunday (Art. 1.14)."""
        day = self.until + timedelta(days=_BEFORE_ELECTION)
        return day + timedelta(days=6 - day.weekday())

    @property
    def election(self) -> str:
        """The id of the election."""
        return f"general-{self.day.isoformat()}"


class Figures(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one step took: ``count`` of what ``unit`` names.

    ``cpu_seconds`` is the processor time of this program's processes, ``database_cpu_seconds`` that of the database's,
    None where they cannot be seen. ``peak_rss_mib``: the most memory that one of this program's processes held.
    ``attempts``: with more than one the step was interrupted, and the times are those of the last alone. Sizes are in
    bytes, after the step: of each table with what belongs to it and of its indexes, and of files by what they are.
    """

    step: str
    voters: int
    events: int
    unit: str
    count: int
    seconds: float
    cpu_seconds: float
    database_cpu_seconds: float | None
    peak_rss_mib: float
    attempts: int
    processes: int
    beside: dict[str, int] = {}
    tables: dict[str, tuple[int, int]] = {}
    files: dict[str, int] = {}

    @property
    def cost(self) -> float:
        """Microseconds of processor time for each of what was counted, the database's included."""
        return self.program_cost + self.database_cost

    @property
    def program_cost(self) -> float:
        """The part of it that this program's processes took."""
        return self.cpu_seconds / max(self.count, 1) * 1e6

    @property
    def database_cost(self) -> float:
        """The part of it that the database's took, as far as they can be seen."""
        return (self.database_cpu_seconds or 0.0) / max(self.count, 1) * 1e6


def read_figures(path: Path) -> list[Figures]:
    """Read figures: lines as a run writes them (``.jsonl``), or a list as :func:`gathered` gives it.

    Raises ``OSError`` and ``msgspec.DecodeError`` (``ValidationError`` is one).
    """
    content = path.read_bytes()
    if path.suffix == ".jsonl":
        return msgspec.json.Decoder(Figures).decode_lines(content)
    return msgspec.json.decode(content, type=list[Figures])


def gathered(figures: Iterable[Figures]) -> bytes:
    """Return figures of several runs as one list in JSON, by size and in their order, a line each."""
    lines = [msgspec.json.encode(each) for each in sorted(figures, key=lambda each: each.voters)]
    return b"[\n" + b",\n".join(lines) + b"\n]\n"
