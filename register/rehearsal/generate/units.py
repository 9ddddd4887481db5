"""The notices of a feed with nothing wrong in them, in units that can be made one without another, and so at once.

A unit is a regular polling station and the people around it. Its lines depend on the layout of the feed and on its
own number alone, so that it does not matter how many processes make them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from random import Random
from typing import Final, NamedTuple

import msgspec

from register.audit.processes import Workers

from .notices import Line, Numbering
from .numbers import Numbers
from .parts import PARTS, draw_part, live
from .people import REGISTER_DAYS, Life, World
from .places import Place, sizes, station_of
from .stations import old_station, station_notice

_ADULT_DAYS: Final = 20 * 365
_OLD_DAYS: Final = 80 * 365
#: A feed of fewer units is made sooner than a second process has started.
_FEW: Final = 24


class Unit(NamedTuple):
    """A polling station of a place, and its people: ``voters`` of them, counted in the whole feed from ``first``."""

    place: Place
    station: int
    first: int
    voters: int


class Made(msgspec.Struct, frozen=True, array_like=True):
    """The lines of a unit, and the personal numbers of those in it who play a part for show."""

    lines: list[Line]
    showcase: dict[str, str]


class Layout(NamedTuple):
    """What a feed is made from; ``until`` is the day (proleptic ordinal) before which everything was sent."""

    seed: int
    until: int
    places: tuple[Place, ...]
    municipality_codes: tuple[str, ...]


class Units:
    """All units of a feed, each made when it is asked for."""

    def __init__(self, layout: Layout, numbers: Numbers) -> None:
        self._layout = layout
        self._numbers = numbers
        self._units: list[Unit] = []
        first = 0
        for place in layout.places:
            for station, voters in enumerate(sizes(place)):
                self._units.append(Unit(place, station, first, voters))
                first += voters
        self._people = first
        self._parts = self._first_adults()

    def __len__(self) -> int:
        return len(self._units)

    def _first_adults(self) -> dict[int, str]:
        """Give the parts to the first people of an age at which one votes and lives."""
        ages = ((person, self._layout.until - self._numbers.born(person)) for person in range(self._people))
        adults = (person for person, age in ages if _ADULT_DAYS < age < _OLD_DAYS)
        return {person: part for part, person in zip(PARTS, adults, strict=False)}

    def make(self, number: int) -> Made:
        """Make one unit."""
        layout, unit = self._layout, self._units[number]
        place, code = unit.place, unit.place.municipality.code
        world = World(
            places=layout.places,
            municipality_codes=layout.municipality_codes,
            numbers=self._numbers,
            numbering=Numbering(str(number + 1)),
            until=layout.until,
            since=layout.until - REGISTER_DAYS,
            people=self._people,
        )
        lines: list[Line] = []
        if unit.station == 0:
            lines += old_station(world, dice("old station", layout.seed, code), place)
        rng = dice("people", layout.seed, code, unit.station)
        lines.append(station_notice(world, rng, place, station_of(place, unit.station), "regular", world.since))
        showcase = {}
        for person in range(unit.first, unit.first + unit.voters):
            life = Life(world, rng, place, unit.station, person)
            part = self._parts.get(person)
            if part is not None:
                life.mark = f"showcase:{part}"
                showcase[part] = life.jmb
            lines += live(life, part or draw_part(life))
        return Made(lines, showcase)


def made(layout: Layout, processes: int) -> Iterator[Made]:
    """Yield the units of a feed in their order, made by so many processes; only a few wait at a time."""
    units = Units(layout, Numbers(layout.until))
    if processes == 1 or len(units) < _FEW:
        yield from map(units.make, range(len(units)))
        return
    read = msgspec.msgpack.Decoder(Made).decode
    with Workers(processes, {"units": (_packing, (layout,))}) as workers:
        yield from map(read, workers.each("units", range(len(units))))


def _packing(layout: Layout) -> Callable[[int], bytes]:
    """Make units as bytes, which go from process to process sooner than objects do."""
    return partial(_packed, Units(layout, Numbers(layout.until)), msgspec.msgpack.Encoder())


def _packed(units: Units, encoder: msgspec.msgpack.Encoder, number: int) -> bytes:
    return encoder.encode(units.make(number))


def dice(*words: object) -> Random:
    """Return random numbers that depend on the words alone; nothing secret is drawn from them."""
    return Random(" ".join(map(str, words)))  # noqa: S311
