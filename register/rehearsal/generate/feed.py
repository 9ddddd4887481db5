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
from .numbers import Numbers
from .parts import PARTS, draw_part, live
from .people import BRCKO, REGISTER_DAYS, Life, World
from .places import Entry, Municipality, Place, Station, allocate, read_municipalities, station_of

REFERENCE: Final = Path(__file__).parents[3] / "contracts" / "reference" / "municipalities.csv"
#: Authorities send control totals for the last so many days of the feed.
CONTROL_DAYS: Final = 28
#: The municipalities of a small feed: one of each entity and Brčko, then by code.
_FIRST: Final = ("10049", BRCKO, "20486", "20567", "11606", "20583", "10545")
_VOTERS_PER_MUNICIPALITY: Final = 1_500
_ADULT_DAYS: Final = 20 * 365
_OLD_DAYS: Final = 80 * 365


def _dice(*words: object) -> Random:
    """Return random numbers that depend on the words alone; nothing secret is drawn from them."""
    return Random(" ".join(map(str, words)))  # noqa: S311


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
    ) -> None:
        """Lay out the feed.

        ``until`` is the day before which everything was sent. ``municipalities`` are codes of the reference table;
        without them there are as many as the voters fill. ``reference`` is the text of that table, by default the
        project's own. Raises ``ValueError`` for an unknown code or a number of voters that is not positive.
        """
        if voters < 1:
            raise ValueError("a feed needs at least one voter")
        known = read_municipalities((reference or REFERENCE.read_text(encoding="utf-8")).splitlines())
        unknown = sorted(set(municipalities or ()) - set(known))
        if unknown:
            raise ValueError(f"no such municipality: {', '.join(unknown)}")
        chosen = [known[code] for code in municipalities] if municipalities else _choose(voters, known)
        self.places = allocate(voters, chosen)
        self.seed, self.messy, self.until = seed, messy, until
        self.summary = Summary()
        self._codes = tuple(known)

    def __iter__(self) -> Iterator[Line]:
        """Yield the lines and, beside them, fill a new :attr:`summary`."""
        summary = self.summary = Summary()
        world = World(
            places=self.places,
            municipality_codes=self._codes,
            numbers=Numbers(self.until),
            numbering=Numbering(),
            until=self.until.toordinal(),
            since=self.until.toordinal() - REGISTER_DAYS,
        )
        lines = self._clean(world)
        if self.messy:
            codes = tuple(place.municipality.code for place in self.places) if len(self.places) > 1 else self._codes
            lines = Mess(_dice("mess", self.seed), world.numbering, world.until, codes).messed(lines)
        for line in self._with_totals(world, lines):
            summary.lines += 1
            summary.expected[line.expect] += 1
            if line.expect == "recorded":
                summary.types[line.kind] += 1
            if line.mark is not None:
                summary.marks[line.mark] += 1
            yield line

    def _clean(self, world: World) -> Iterator[Line]:
        """Yield the notices of every municipality, station after station, with nothing wrong in them."""
        parts = iter(PARTS)
        person = 0
        for place in self.places:
            yield from _old_station(world, _dice("old station", self.seed, place.municipality.code), place)
            for station in range(place.stations):
                rng = _dice("people", self.seed, place.municipality.code, station)
                yield _station_notice(world, rng, place, station_of(place, station), "regular", world.since)
                share = place.voters * (station + 1) // place.stations - place.voters * station // place.stations
                for _ in range(share):
                    life = Life(world, rng, place, station, person)
                    age = world.until - life.born
                    part = next(parts, None) if _ADULT_DAYS < age < _OLD_DAYS else None
                    if part is not None:
                        life.mark = f"showcase:{part}"
                        self.summary.showcase[part] = life.jmb
                    yield from live(life, part or draw_part(life))
                    person += 1

    def _with_totals(self, world: World, lines: Iterator[Line]) -> Iterator[Line]:
        """Yield the lines, and at the end every sender's control totals of the last days, save on silent days."""
        first = world.until - CONTROL_DAYS
        sent: defaultdict[str, defaultdict[int, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
        for line in lines:
            if line.counted:
                days = sent[line.source]
                if line.day >= first:
                    days[line.day][line.kind] += 1
            yield line
        for source in sorted(sent):
            rng = _dice("control", self.seed, source)
            for day in range(first, world.until - 1):
                if rng.random() < 0.015:
                    self.summary.silent_days.append((source, day_text(day)))
                    continue
                yield _control_total(world, rng, source, day, sent[source][day])
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


def _control_total(world: World, rng: Random, source: str, day: int, counts: Counter[str]) -> Line:
    """Write a sender's control total of a day, sent early on the next one."""
    kinds = {*TYPES_OF[source.partition(":")[0]], "annulment", "control-total", *counts}
    sent = ",".join(f'"ba.cvr.{kind}.v1":{counts[kind]}' for kind in sorted(kinds))
    data = f'"day":"{day_text(day)}","sent":{{{sent}}}'
    return write(world.numbering, source, "control-total", day + 1, int(rng.random() * 3_600), data)


def _station_notice(world: World, rng: Random, place: Place, station: Station, kind: str, effective: int) -> Line:
    code = place.municipality.code
    catchment = ",".join(_entry(entry) for entry in station.catchment)
    data = (
        f'"code":"{station.code}","municipality":"{code}","name":"{station.name}","address":"{station.address}",'
        f'"kind":"{kind}","catchment":[{catchment}],"effective_on":"{day_text(effective)}"'
    )
    sent = effective + 1 + int(rng.random() * 30)
    return write(world.numbering, f"municipal-commission:{code}", "polling-station", sent, 7_200, data)


def _entry(entry: Entry) -> str:
    members = (
        ("settlement", entry.settlement), ("street", entry.street), ("from", entry.first), ("to", entry.last),
        ("parity", entry.parity),
    )  # fmt: skip
    return "{" + ",".join(
        f'"{name}":{value}' if isinstance(value, int) else f'"{name}":"{value}"'
        for name, value in members
        if value is not None
    ) + "}"  # fmt: skip


def _old_station(world: World, rng: Random, place: Place) -> Iterator[Line]:
    """A mobile team, and a station that served a quarter nobody lives in any more and was abolished."""
    town, prefix = place.municipality.name, place.municipality.station_prefix
    team = Station(f"{prefix}801", f"Mobilni tim {town}", f"{town} bb", ())
    yield _station_notice(world, rng, place, team, "mobile", world.since)
    closed = Station(f"{prefix}901", "Stara bolnica", f"{town} bb", (Entry(f"{town} - Stara bolnica"),))
    yield _station_notice(world, rng, place, closed, "regular", world.since)
    day = world.since + 200 + int(rng.random() * 600)
    code = place.municipality.code
    data = f'"code":"{closed.code}","municipality":"{code}","effective_on":"{day_text(day)}"'
    source = f"municipal-commission:{code}"
    yield write(world.numbering, source, "polling-station-abolished", day + 1, 7_300, data)
