"""Municipalities, electoral units, and which polling station covers an address (Art. 1.1a, 2.13(3), 3.5(3)4)."""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from functools import lru_cache
from io import StringIO
from itertools import groupby
from typing import Final, Literal, get_args

import msgspec

from register.law.alphabet import fold
from register.law.events import CatchmentEntry, Entity, Event, PollingStation, PollingStationAbolished

# --- municipalities and units: Art. 1.1a ----------------------------------------------------------------------------

#: Units in which a whole entity votes: the Presidency's (FBiH elects two members), the compensatory lists, the
#: President of Republika Srpska.
_WHOLE_ENTITY: Final[dict[Entity, frozenset[str]]] = {
    "FBiH": frozenset({"701", "702", "501", "400"}),
    "RS": frozenset({"703", "502", "300", "5"}),
}
_HOR_BIH_PREFIX: Final[dict[Entity, str]] = {"FBiH": "51", "RS": "52"}


#: Levels of which each voter votes in one unit, or in none. ``municipality``: councils and mayors.
Level = Literal["hor-bih", "hor-fbih", "nsrs", "cantonal-assembly", "municipality"]
LEVELS: Final[tuple[Level, ...]] = get_args(Level)


class Municipality(msgspec.Struct, frozen=True):
    """A basic electoral unit, with the units of the higher levels it belongs to.

    ``entity`` is None for Brčko District, which belongs to two units at each level, chosen by the voter's entity
    option. ``municipality_1991`` is the municipality of the census of 1991 it lies in (Art. 20.8). ``provisional``
    marks a code that no published source confirms.
    """

    code: str
    name: str
    entity: Entity | None
    canton: str | None
    unit_hor_bih: tuple[str, ...]
    unit_hor_fbih: tuple[str, ...]
    unit_nsrs: tuple[str, ...]
    unit_cantonal_assembly: tuple[str, ...]
    municipality_1991: str
    population_2013: int | None
    cec_code: str | None
    provisional: bool


def read_municipalities(csv_text: str) -> dict[str, Municipality]:
    """Read the reference table of municipalities, a CSV with one header line, into code → municipality.

    Raises ``ValueError`` for a code that is not five digits, that stands twice, or whose entity is not the one the
    code says; ``KeyError`` for a missing column.
    """
    municipalities: dict[str, Municipality] = {}
    for row in csv.DictReader(StringIO(csv_text)):
        code = row["code"]
        if not re.fullmatch(r"[0-9]{5}", code) or code in municipalities:
            raise ValueError(f"municipality code {code!r} is not five digits or stands twice")
        if (row["entity"] if row["entity"] != "BD" else None) != entity_of(code):
            raise ValueError(f"municipality {code} does not lie in the entity of its code")
        municipalities[code] = Municipality(
            code=code,
            name=row["name"],
            entity=entity_of(code),
            canton=row["canton"] or None,
            unit_hor_bih=_units(row["unit_hor_bih"]),
            unit_hor_fbih=_units(row["unit_hor_fbih"]),
            unit_nsrs=_units(row["unit_nsrs"]),
            unit_cantonal_assembly=_units(row["unit_cantonal_assembly"]),
            municipality_1991=row["municipality_1991"],
            population_2013=int(row["population_2013"]) if row["population_2013"] else None,
            cec_code=row["cec_code"] or None,
            provisional=row["provisional"] == "yes",
        )
    return municipalities


def entity_of(code: str) -> Entity | None:
    """Return the entity of a municipality by the first digit of its statistical code; None for Brčko District."""
    return "FBiH" if code[:1] == "1" else "RS" if code[:1] == "2" else None


def electoral_units(municipality: Municipality, option: Entity | None) -> frozenset[str]:
    """Return the codes of every electoral unit a voter who counts there votes in (Art. 1.1a(2)).

    They are the municipality itself and the units of each higher level. ``option`` is the voter's entity option; it
    counts only where the municipality has no entity (Brčko, U4), where without one only the municipality remains.
    """
    entity = municipality.entity or option
    if entity is None:
        return frozenset({municipality.code})
    own = {unit for unit in municipality.unit_hor_bih if unit.startswith(_HOR_BIH_PREFIX[entity])}
    own.update(municipality.unit_hor_fbih if entity == "FBiH" else municipality.unit_nsrs)
    return frozenset({municipality.code}) | own | set(municipality.unit_cantonal_assembly) | _WHOLE_ENTITY[entity]


def unit_at(municipality: Municipality, option: Entity | None, level: Level) -> str | None:
    """Return the one unit of a level a voter who counts there votes in, or None for none (Art. 1.1a).

    ``option``: as for :func:`electoral_units`.
    """
    held = {
        "hor-bih": municipality.unit_hor_bih,
        "hor-fbih": municipality.unit_hor_fbih,
        "nsrs": municipality.unit_nsrs,
        "cantonal-assembly": municipality.unit_cantonal_assembly,
        "municipality": (municipality.code,),
    }
    votes_in = electoral_units(municipality, option)
    return next((unit for unit in held[level] if unit in votes_in), None)


def _units(cell: str) -> tuple[str, ...]:
    """Units of a cell, parted by ``|``; a ``?`` behind one says that its source is uncertain."""
    return tuple(unit.rstrip("?") for unit in cell.split("|") if unit)


# --- polling stations: Art. 2.13(3), 3.5(3)4 ------------------------------------------------------------------------


_LEADING_DIGITS: Final = re.compile(r"\s*([0-9]+)")

#: What was said about a station, with what decides between two on the same day (R-tie).
_Statement = tuple[PollingStation | PollingStationAbolished, tuple[datetime, str, str]]
#: Days [from, to) on which an entry holds, and the code of its station.
_Held = tuple[date, date | None, str]
#: The same of an entry about numbers of a street: first, last (None: open), remainder by 2 (None: both sides).
_HeldNumbers = tuple[int | None, int | None, int | None, _Held]
#: The same on one day, by the code of the station, for a whole street; with the station of all other numbers.
_NumbersOnDay = tuple[tuple[int | None, int | None, int | None, str], ...]
_StreetOnDay = tuple[str | None, _NumbersOnDay]


class Address(msgspec.Struct, frozen=True, gc=False):
    """An address of residence, in the municipality named by its code; settlement and the rest as reported."""

    municipality: str
    settlement: str | None = None
    street: str | None = None
    house_number: str | None = None


class Covering(msgspec.Struct, frozen=True):
    """Days ``[from_, to)`` (``to`` None: open) on which one polling station covers an address, or none does.

    ``ambiguous``: another station covers it just as specifically, and the lowest code decided (a deficiency).
    """

    from_: date
    to: date | None
    station: str | None
    ambiguous: bool = False


class Coverage:
    """Index over the polling stations of one municipality, made once and asked for many addresses.

    ``events`` are live events (nothing annulled) in any order; those that are not about polling stations of the
    municipality are passed over. Which version of a station is in force on a day follows R-tie; only stations of
    kind ``regular`` cover addresses.
    """

    def __init__(self, municipality: str, events: Iterable[Event]) -> None:
        self.municipality = municipality
        self._first: date | None = None
        self._whole: list[_Held] = []
        self._settlements: defaultdict[str, list[_Held]] = defaultdict(list)
        self._streets: defaultdict[tuple[str | None, str], list[_Held]] = defaultdict(list)
        self._numbers: defaultdict[tuple[str | None, str], list[_HeldNumbers]] = defaultdict(list)
        by_code: defaultdict[str, list[_Statement]] = defaultdict(list)
        for event in events:
            data = event.data
            if isinstance(data, PollingStation | PollingStationAbolished) and data.municipality == municipality:
                by_code[data.code].append((data, event.weight))
                if self._first is None or data.effective_on < self._first:
                    self._first = data.effective_on
        for code in sorted(by_code):
            for station, from_, to in _versions(by_code[code]):
                for entry in station.catchment:
                    self._add(entry, (from_, to, code))

    def resolve(self, address: Address) -> tuple[Covering, ...]:
        """Return who covers an address: stretches of days without gaps from the first event on, none before it.

        Empty when no polling station of the municipality was ever reported. An address of another municipality is
        covered by none.
        """
        first = self._first
        if first is None:
            return ()
        if address.municipality != self.municipality:
            return (Covering(first, None, None),)
        levels = self._candidates(address)
        if not levels:
            return (Covering(first, None, None),)
        best = levels[0]
        if all(held[0] == first and held[1] is None for held in best):
            # The most specific entries hold on all days: nothing below them can ever decide.
            code = best[0][2] if len(best) == 1 else min(held[2] for held in best)
            return (Covering(first, None, code, any(held[2] != code for held in best)),)
        return _over_days(first, levels)

    def _add(self, entry: CatchmentEntry, held: _Held) -> None:
        settlement = None if entry.settlement is None else fold(entry.settlement)
        if entry.street is None:
            (self._whole if settlement is None else self._settlements[settlement]).append(held)
            return
        key = (settlement, fold(entry.street))
        if entry.from_ is None and entry.to is None and entry.parity is None:
            self._streets[key].append(held)
        else:
            self._numbers[key].append((entry.from_, entry.to, _side(entry), held))

    def _candidates(self, address: Address) -> list[list[_Held]]:
        """Entries that match an address, by specificity, the most specific first; empty levels left out."""
        settlement = None if address.settlement is None else _folded(address.settlement)
        levels: list[list[_Held]] = []
        if address.street is not None:
            street = _folded(address.street)
            keys = ((None, street),) if settlement is None else ((settlement, street), (None, street))
            number = _number(address.house_number)
            if number is not None:
                levels.append(
                    [
                        held
                        for key in keys
                        for low, high, side, held in self._numbers.get(key, ())
                        if _among(number, low, high, side)
                    ]
                )
            levels.append([held for key in keys for held in self._streets.get(key, ())])
        if settlement is not None:
            levels.append(self._settlements.get(settlement, []))
        levels.append(self._whole)
        return [level for level in levels if level]


class DayCoverage:
    """Index over the polling stations of all municipalities on one day: what :class:`Coverage` says of that day.

    It holds the catchments in force then and nothing else, so that those of a whole country are small and soon asked.
    """

    def __init__(self, day: date, stations: Iterable[Iterable[Event]]) -> None:
        """``stations``: live events in any order, of whole polling stations; those of one station are together."""
        self._whole: dict[str, str] = {}
        self._settlements: dict[tuple[str, str], str] = {}
        # Streets by (municipality, settlement): the names of streets themselves come back in other places.
        self._streets: defaultdict[tuple[str, str | None], dict[str, _StreetOnDay]] = defaultdict(dict)
        for events in stations:
            for (municipality, code), station in stations_on(events, day).items():
                for entry in station.catchment:
                    self._add(municipality, entry, code)

    def station(self, address: Address) -> str | None:
        """Return the code of the regular polling station that covers an address, or None: the lowest, if several do."""
        municipality = address.municipality
        settlement = None if address.settlement is None else _folded(address.settlement)
        if address.street is not None:
            street = _folded(address.street)
            some: list[str] = []
            whole: list[str] = []
            for place in ((municipality, settlement), (municipality, None)):
                streets = self._streets.get(place)
                if streets is not None and street in streets:
                    of_all, numbers = streets[street]
                    if numbers:
                        some += _numbered(numbers, address.house_number)
                    if of_all is not None:
                        whole.append(of_all)
            if some or whole:
                return min(some or whole)
        if settlement is not None and (code := self._settlements.get((municipality, settlement))) is not None:
            return code
        return self._whole.get(municipality)

    def _add(self, municipality: str, entry: CatchmentEntry, code: str) -> None:
        settlement = None if entry.settlement is None else _folded(entry.settlement)
        if entry.street is None:
            if settlement is None:
                self._whole[municipality] = min(code, self._whole.get(municipality, code))
            else:
                place = (municipality, settlement)
                self._settlements[place] = min(code, self._settlements.get(place, code))
            return
        streets, street = self._streets[municipality, settlement], _folded(entry.street)
        whole, numbers = streets.get(street, (None, ()))
        if entry.from_ is None and entry.to is None and entry.parity is None:
            whole = code if whole is None else min(code, whole)
        else:
            numbers = (*numbers, (entry.from_, entry.to, _side(entry), code))
        streets[street] = (whole, numbers)


def covering(station_events: Sequence[Event], address: Address) -> tuple[Covering, ...]:
    """Return who covers one address by the live polling station events (Art. 3.5(3)4); see :meth:`Coverage.resolve`."""
    return Coverage(address.municipality, station_events).resolve(address)


def station_on(coverings: Sequence[Covering], day: date) -> Covering | None:
    """Return the stretch a day lies in; None before the first event about a polling station."""
    for stretch in coverings:
        if stretch.from_ <= day and (stretch.to is None or day < stretch.to):
            return stretch
    return None


def stations_on(events: Iterable[Event], day: date) -> dict[tuple[str, str], PollingStation]:
    """Return the regular polling stations in force on a day, by municipality and code (R-tie; Art. 3.5(3)4).

    ``events``: live events in any order; those that are not about polling stations are passed over.
    """
    by_station: defaultdict[tuple[str, str], list[_Statement]] = defaultdict(list)
    for event in events:
        data = event.data
        if isinstance(data, PollingStation | PollingStationAbolished) and data.effective_on <= day:
            by_station[data.municipality, data.code].append((data, event.weight))
    versions = {key: _versions(statements) for key, statements in by_station.items()}
    return {key: held[-1][0] for key, held in versions.items() if held and held[-1][2] is None}


def _versions(statements: list[_Statement]) -> list[tuple[PollingStation, date, date | None]]:
    """The regular station that one code stands for, with the days [from, to) of each version (R-tie)."""
    statements.sort(key=lambda statement: (statement[0].effective_on, statement[1]))
    deciding = [list(same_day)[-1][0] for _, same_day in groupby(statements, key=lambda each: each[0].effective_on)]
    ends: list[date | None] = [data.effective_on for data in deciding[1:]]
    return [
        (data, data.effective_on, to)
        for data, to in zip(deciding, [*ends, None], strict=True)
        if isinstance(data, PollingStation) and data.kind == "regular"
    ]


def _over_days(first: date, levels: list[list[_Held]]) -> tuple[Covering, ...]:
    """Decide on each stretch of days between two changes, and join neighbours with the same answer."""
    changes = {first}
    for level in levels:
        for from_, to, _ in level:
            changes.add(from_)
            if to is not None:
                changes.add(to)
    days = sorted(changes)
    ends: list[date | None] = [*days[1:], None]
    stretches: list[Covering] = []
    for from_, to in zip(days, ends, strict=True):
        station, ambiguous = _decide(levels, from_)
        goes_on = stretches and (stretches[-1].station, stretches[-1].ambiguous) == (station, ambiguous)
        stretches.append(Covering(stretches.pop().from_ if goes_on else from_, to, station, ambiguous))
    return tuple(stretches)


def _decide(levels: list[list[_Held]], day: date) -> tuple[str | None, bool]:
    """The station on a day: the most specific level that holds, then the lowest code."""
    for level in levels:
        codes = {code for from_, to, code in level if from_ <= day and (to is None or day < to)}
        if codes:
            return min(codes), len(codes) > 1
    return None, False


def _side(entry: CatchmentEntry) -> int | None:
    """The remainder by 2 of the numbers on an entry's side of the street; None: both sides."""
    return None if entry.parity is None else int(entry.parity == "odd")


def _among(number: int, low: int | None, high: int | None, side: int | None) -> bool:
    """Whether a number is one of those that an entry about numbers of a street names."""
    return (low is None or low <= number) and (high is None or number <= high) and (side is None or number % 2 == side)


def _numbered(numbers: _NumbersOnDay, house_number: str | None) -> list[str]:
    """The stations of the entries about numbers of a street that name this one."""
    number = _number(house_number)
    return [] if number is None else [code for *among, code in numbers if _among(number, *among)]


@lru_cache(1 << 12)  # there are many houses, and few numbers
def _number(house_number: str | None) -> int | None:
    """The number of a house is its leading digits; "bb" (without number) has none."""
    if house_number is None:
        return None
    digits = _LEADING_DIGITS.match(house_number)
    return None if digits is None else int(digits[1])


@lru_cache(maxsize=65_536)
def _folded(name: str) -> str:
    # Streets and settlements repeat; folding one costs more than all the rest of an answer.
    return fold(name)
