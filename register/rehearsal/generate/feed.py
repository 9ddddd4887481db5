"""The feed: every notice of a generated country, or of a few of its municipalities, one after another.

A feed is a function of its arguments alone, and never holds more than a window of its lines. Stations are sent before
the people they serve; a person's notices follow one another, as in a first load; the last days' control totals come
at the end.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from random import Random
from typing import Final

import msgspec

from .mess import Mess
from .notices import TYPES_OF, Line, Numbering, day_text, write
from .people import BRCKO
from .places import Municipality, allocate, read_municipalities
from .units import Layout, dice, made

REFERENCE: Final = Path(__file__).parents[3] / "contracts" / "reference" / "municipalities.csv"
#: Authorities send control totals for the last so many days of the feed.
CONTROL_DAYS: Final = 28
#: The municipalities of a small feed: one of each entity and Brčko, then by code.
_FIRST: Final = ("10049", BRCKO, "20486", "20567", "11606", "20583", "10545")
_VOTERS_PER_MUNICIPALITY: Final = 1_500
#: Desks of those who send notices that no unit of the feed holds: what goes wrong, and control totals.
_MESS: Final = "M"
_TOTALS: Final = "K"


class Summary(msgspec.Struct):
    """What a feed held, known once it was read to its end.

    ``expected`` counts lines by what must become of them, ``types`` recorded ones by type, ``marks`` noteworthy ones.
    ``showcase`` gives the personal numbers of the first people of the feed by the parts they play.
    """

    lines: int = 0
    expected: Counter[str] = msgspec.field(default_factory=Counter)
    types: Counter[str] = msgspec.field(default_factory=Counter)
    marks: Counter[str] = msgspec.field(default_factory=Counter)
    showcase: dict[str, str] = msgspec.field(default_factory=dict)
    silent_days: list[tuple[str, str]] = msgspec.field(default_factory=list)


class Feed:
    """A synthetic feed of ``voters`` people. Iterating yields the same lines every time; ``summary`` follows."""

    def __init__(
        self,
        voters: int,
        *,
        seed: int = 1,
        municipalities: Sequence[str] | None = None,
        messy: bool = False,
        until: date,
        reference: str | None = None,
        processes: int = 1,
    ) -> None:
        """Lay out the feed.

        ``until`` is the day before which everything was sent. ``municipalities`` are codes of the reference table;
        without them there are as many as the voters fill. ``reference`` is the text of that table, by default the
        project's own. So many ``processes`` make the lines, which are the same whatever their number. Raises
        ``ValueError`` for an unknown code or a number of voters that is not positive.
        """
        if voters < 1:
            raise ValueError("a feed needs at least one voter")
        known = read_municipalities((reference or REFERENCE.read_text(encoding="utf-8")).splitlines())
        unknown = sorted(set(municipalities or ()) - set(known))
        if unknown:
            raise ValueError(f"no such municipality: {', '.join(unknown)}")
        chosen = [known[code] for code in municipalities] if municipalities else _choose(voters, known)
        self.places = allocate(voters, chosen)
        self.seed, self.messy, self.until, self.processes = seed, messy, until, processes
        self.summary = Summary()
        self._codes = tuple(known)

    def __iter__(self) -> Iterator[Line]:
        """Yield the lines and, beside them, fill a new :attr:`summary`."""
        summary = self.summary = Summary()
        lines = self._clean(summary)
        if self.messy:
            codes = tuple(place.municipality.code for place in self.places) if len(self.places) > 1 else self._codes
            mess = Mess(dice("mess", self.seed), Numbering(_MESS), self.until.toordinal(), codes)
            lines = mess.messed(lines)
        for line in self._with_totals(lines):
            summary.lines += 1
            summary.expected[line.expect] += 1
            if line.expect == "recorded":
                summary.types[line.kind] += 1
            if line.mark is not None:
                summary.marks[line.mark] += 1
            yield line

    def _clean(self, summary: Summary) -> Iterator[Line]:
        """Yield the notices of every municipality, station after station, with nothing wrong in them."""
        layout = Layout(self.seed, self.until.toordinal(), self.places, self._codes)
        for unit in made(layout, self.processes):
            summary.showcase |= unit.showcase
            yield from unit.lines

    def _with_totals(self, lines: Iterator[Line]) -> Iterator[Line]:
        """Yield the lines, and at the end every sender's control totals of the last days, save on silent days."""
        until, numbering = self.until.toordinal(), Numbering(_TOTALS)
        first = until - CONTROL_DAYS
        sent: defaultdict[str, defaultdict[int, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
        for line in lines:
            if line.counted:
                days = sent[line.source]
                if line.day >= first:
                    days[line.day][line.kind] += 1
            yield line
        for source in sorted(sent):
            rng = dice("control", self.seed, source)
            for day in range(first, until - 1):
                if rng.random() < 0.015:
                    self.summary.silent_days.append((source, day_text(day)))
                    continue
                yield _control_total(numbering, rng, source, day, sent[source][day])
                sent[source][day + 1]["control-total"] += 1


def generate(
    voters: int,
    *,
    seed: int = 1,
    municipalities: Sequence[str] | None = None,
    messy: bool = False,
    until: date,
) -> Iterator[bytes]:
    """Yield the lines of a :class:`Feed` as NDJSON, each with its line end."""
    for line in Feed(voters, seed=seed, municipalities=municipalities, messy=messy, until=until):
        yield line.written


def _choose(voters: int, known: dict[str, Municipality]) -> list[Municipality]:
    """Choose as many municipalities as the voters fill: three for a small feed, all for a country."""
    order = [*_FIRST, *(code for code in sorted(known) if code not in _FIRST)]
    count = max(1, min(3, voters // 300), min(voters // _VOTERS_PER_MUNICIPALITY, len(order)))
    return [known[code] for code in order[:count]]


def _control_total(numbering: Numbering, rng: Random, source: str, day: int, counts: Counter[str]) -> Line:
    """Write a sender's control total of a day, sent early on the next one."""
    kinds = {*TYPES_OF[source.partition(":")[0]], "annulment", "control-total", *counts}
    sent = ",".join(f'"ba.cvr.{kind}.v1":{counts[kind]}' for kind in sorted(kinds))
    data = f'"day":"{day_text(day)}","sent":{{{sent}}}'
    return write(numbering, source, "control-total", day + 1, int(rng.random() * 3_600), data)
