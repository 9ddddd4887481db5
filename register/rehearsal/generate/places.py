"""Where generated people live: real municipalities, invented quarters, streets and villages, and polling stations.

The municipalities are those of ``contracts/reference/municipalities.csv``. Quarters and streets bear ordinary names
that are found in many places; they are not a map of any of them.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from functools import lru_cache
from itertools import accumulate, pairwise
from random import Random
from typing import Final, NamedTuple

#: Voters of an average polling station (2022: 3,368,666 over 5,903; Art. 5.1 asks for 300 to 1,000).
VOTERS_PER_STATION: Final = 576
#: Stations differ by so much from the average of their municipality, to either side …
_SPREAD: Final = 0.25
#: … and one in so many is far too small or far too large.
_ODD: Final = 150
_ODD_SIZES: Final = (0.4, 1.9)
#: Assumed for the one municipality founded after the census.
_POPULATION_UNKNOWN: Final = 6_000
_STREETS_PER_STATION: Final = 18
_STATIONS_PER_QUARTER: Final = 6
_LAST_NUMBER: Final = 140
#: Below so many voters one station serves a whole municipality.
_FEW_VOTERS: Final = 400
#: Below so many inhabitants a municipality has villages only.
_SMALL: Final = 5_000
#: Shares of inhabitants by naming tradition (the four of names.py), rounded from the census of 2013, by canton.
_MIX: Final[dict[str, tuple[float, float, float, float]]] = {
    "Unsko-sanski": (0.90, 0.02, 0.06, 0.02),
    "Posavski": (0.19, 0.77, 0.02, 0.02),
    "Tuzlanski": (0.88, 0.05, 0.04, 0.03),
    "Zeničko-dobojski": (0.83, 0.12, 0.03, 0.02),
    "Bosansko-podrinjski": (0.94, 0.00, 0.05, 0.01),
    "Srednjobosanski": (0.58, 0.38, 0.02, 0.02),
    "Hercegovačko-neretvanski": (0.42, 0.53, 0.03, 0.02),
    "Zapadnohercegovački": (0.01, 0.98, 0.005, 0.005),
    "Sarajevo": (0.84, 0.05, 0.06, 0.05),
    "Kanton 10": (0.10, 0.77, 0.12, 0.01),
    "RS": (0.14, 0.03, 0.81, 0.02),
    "BD": (0.42, 0.21, 0.35, 0.02),
}
#: In Srebrenica and its like the republic's shares are far off.
_MIX_OF_MUNICIPALITY: Final = {"20567": (0.54, 0.01, 0.44, 0.01), "20109": (0.50, 0.20, 0.28, 0.02)}
_CYRILLIC_SHARE: Final = {"FBiH": 0.06, "RS": 0.5, "BD": 0.25}


def _words(text: str) -> tuple[str, ...]:
    """Return the names between the bars of ``text``."""
    return tuple(name.strip() for name in text.split("|"))


_QUARTERS: Final = _words(
    """
    Centar|Stari Grad|Novo Naselje|Luke|Mejdan|Gornja Mahala|Donja Mahala|Brdo|Polje|Rijeka|Kolonija|Jezero|
    Grad|Pecara|Hrastovi|Varoš|Željeznička|Baščaršija|Vrbak|Otoka|Gaj|Mahala|Solana|Lipik|Ciglana|Ravne|
    Vinogradi|Dolac|Podgaj|Zelengaj|Šehovina|Ušće|Poljice|Kamenica|Vrelo|Novakovići|Orašje|Čaršija|Bare|Žitnić
    """
)
_STREETS: Final = _words(
    """
    Maršala Tita|Bosanska|Sarajevska|Nova|Školska|Gradska|Omladinska|Partizanska|Kralja Tvrtka|Bolnička|
    Zmaja od Bosne|Branilaca Bosne|Trg slobode|Kulina bana|Husrefbegova|Gazi Husrev-bega|
    Mehmedalije Maka Dizdara|Meše Selimovića|Ive Andrića|Alekse Šantića|Petra Kočića|Branka Ćopića|
    Vuka Karadžića|Nikole Tesle|Svetog Save|Kralja Petra I|Kralja Tomislava|Fra Grge Martića|
    Fra Ivana Franje Jukića|Stjepana Radića|Kneza Domagoja|Hrvatska|Ljudevita Gaja|Safvet-bega Bašagića|
    Hasana Kikića|Hamdije Kreševljakovića|Musala|Mula Mustafe Bašeskije|Džemala Bijedića|Đure Pucara Starog|
    Mladena Stojanovića|Veselina Masleše|Vase Pelagića|Jovana Dučića|Njegoševa|Cara Lazara|Obilićeva|Kozarska|
    Krajiška|Vrbaska|Unska|Drinska|Neretvanska|Posavska|Hercegovačka|Zenička|Tuzlanska|Mostarska|Banjalučka|
    Bihaćka|Travnička|Zagrebačka|Beogradska|Splitska|Jablanička|Lipa|Lipova|Hrastova|Brezova|Borova|Kestenova|
    Jasenova|Vrbova|Ružina|Cvjetna|Jorgovanska|Proljetna|Sunčana|Zelena|Ljiljanska|Livadska|Potok|Vodovodna|
    Industrijska|Rudarska|Željeznička|Radnička|Zanatska|Trgovačka|Mlinska|Kovačka|Sportska|Stadionska|
    Olimpijska|Vatrogasna|Poštanska|Sudska|Bolnički put|Kružna|Kratka|Duga|Uska|Strma|Gornja|Donja|Poljska|
    Brdska|Gajeva|Vidikovac|Izletnička|Planinska|Grmečka|Vlašićka|Igmanska|Trebevićka|Romanijska|Majevička|
    Ozrenska|Čvrsnička|Prenjska|Prve krajiške brigade|Petog korpusa|Patriotske lige|Šehidska|Mirna|Slobode|
    Bratstva i jedinstva|Oslobođenja|Prvi maj|Osmog marta|Dvadeset petog novembra|Zlatnih ljiljana|
    Ivana Gundulića|Matije Gupca|Augusta Šenoe|Antuna Branka Šimića|Silvija Strahimira Kranjčevića|
    Skendera Kulenovića|Derviša Sušića|Zije Dizdarevića|Isaka Samokovlije|Stevana Sinđelića|Hajduk Veljka|
    Filipa Višnjića|Sime Matavulja|Jovana Cvijića|Milana Rakića|Laze Kostića|Branislava Nušića
    """
)
_VILLAGES: Final = _words(
    """
    Kamenica|Vrelo|Lipa|Brezovac|Bukovica|Jasenica|Dubrava|Ravnice|Podgrad|Zagorje|Orahovica|Grabovica|Trnovac|
    Kruševo|Slatina|Rudice|Lukavica|Ljeskovac|Njivice|Džemat|Đurđevik|Čukovi|Ćorići|Šipovac|Žabljak|Hrgovi|
    Osječani|Brestovac|Javornik|Krčevine|Medakovo|Naseoci|Oštrelj|Podovi|Prisoje|Rastoka|Seoce|Topola|
    Ustikolina|Vrbica|Zalužje|Blagaj|Crkvina|Dolovi|Gradina|Klisa|Lokve|Mošćanica|Pribinić|Stijena
    """
)
_SIDES: Final = ("", "Gornja strana", "Donja strana", "Mala", "Velika", "Stara", "Nova", "Mahala", "Brdo", "Polje")
_PUBLIC_HOUSES: Final = (
    "Osnovna škola", "Dom kulture", "Mjesna zajednica", "Srednja škola", "Vatrogasni dom", "Područna škola",
    "Društveni dom", "Sportska dvorana",
)  # fmt: skip


class Municipality(NamedTuple):
    """What the generator needs of one row of the reference table; ``name`` is that of its chief town."""

    code: str
    name: str
    entity: str
    population: int
    station_prefix: str
    mix: tuple[float, ...]
    cyrillic_share: float


class Address(NamedTuple):
    """A permanent address; ``covered`` is False for the marked few that no polling station covers."""

    settlement: str
    street: str | None
    house_number: str
    covered: bool = True


class Entry(NamedTuple):
    """One line of a catchment: a settlement, a street of it, or the numbers of one side or stretch of the street."""

    settlement: str | None
    street: str | None = None
    first: int | None = None
    last: int | None = None
    parity: str | None = None


class Station(NamedTuple):
    """A polling station with what it covers."""

    code: str
    name: str
    address: str
    catchment: tuple[Entry, ...]


class Place(NamedTuple):
    """A municipality of the feed with its number of voters and of regular polling stations."""

    municipality: Municipality
    voters: int
    stations: int


def read_municipalities(rows: Iterable[str]) -> dict[str, Municipality]:
    """Read the lines of ``municipalities.csv`` into municipalities by code."""
    found = {}
    for row in csv.DictReader(rows):
        code, entity = row["code"], row["entity"]
        shares = _MIX_OF_MUNICIPALITY.get(code) or _MIX[row["canton"] or entity]
        mix = (shares[0], sum(shares[:2]), sum(shares[:3]), sum(shares))
        letter = {"FBiH": "A", "RS": "B", "BD": "C"}[entity]
        population = int(row["population_2013"] or _POPULATION_UNKNOWN)
        prefix = (row["cec_code"] or code) + letter
        town = row["name"].split(" (")[0].removeprefix("Grad ")
        found[code] = Municipality(code, town, entity, population, prefix, mix, _CYRILLIC_SHARE[entity])
    return found


def allocate(voters: int, municipalities: list[Municipality]) -> tuple[Place, ...]:
    """Spread ``voters`` over the municipalities by population, by largest remainder; the sum is exact."""
    population = sum(m.population for m in municipalities)
    shares = [divmod(voters * m.population, population) for m in municipalities]
    left = voters - sum(share for share, _ in shares)
    favoured = set(sorted(range(len(shares)), key=lambda n: (-shares[n][1], n))[:left])
    counts = [share + (n in favoured) for n, (share, _) in enumerate(shares)]
    return tuple(
        Place(m, count, max(1, round(count / VOTERS_PER_STATION)))
        for m, count in zip(municipalities, counts, strict=True)
    )


@lru_cache(maxsize=512)
def sizes(place: Place) -> tuple[int, ...]:
    """Return how many people live around each regular polling station of a place; the sum is exact."""
    rng = Random(f"sizes {place.municipality.code}")  # noqa: S311  nothing secret
    weights = []
    for _ in range(place.stations):
        weight = 1 - _SPREAD + rng.random() * 2 * _SPREAD
        chance = rng.random()
        weights.append(_ODD_SIZES[int(chance * _ODD * 2)] if chance * _ODD < 1 else weight)
    total, limits = sum(weights), [0]
    limits.extend(round(place.voters * upto / total) for upto in accumulate(weights))
    return tuple(after - before for before, after in pairwise(limits))


@lru_cache(maxsize=1 << 13)
def station_of(place: Place, number: int) -> Station:
    """Return the regular polling station ``number`` (0, 1, …) of a place. The stations together cover its addresses."""
    town, code = place.municipality.name, f"{place.municipality.station_prefix}{number + 1:03d}"
    house = _PUBLIC_HOUSES[number % len(_PUBLIC_HOUSES)]
    if _covers_all(place):
        return Station(code, f"{house} {town}", f"{town} bb", (Entry(None),))
    if _is_rural(place, number):
        villages = _villages(place, number)
        return Station(code, f"{house} {villages[0]}", f"{villages[0]} bb", tuple(Entry(v) for v in villages))
    quarter = _quarter(place, number)
    own, before, after = _streets(place, number)
    entries = [Entry(quarter, street) for street in own]
    entries += [_half(quarter, street, upper=True) for street in before]
    entries += [_half(quarter, street, upper=False) for street in after]
    return Station(code, f"{house} {quarter}", f"{quarter}, {own[0]} {number % 40 + 1}", tuple(entries))


def draw_address(rng: Random, place: Place, number: int) -> Address:
    """Draw an address in the catchment of a station, or, rarely, one that no station covers."""
    station = station_of(place, number)
    if _covers_all(place):
        street = _STREETS[int(rng.random() * 40)]
        return Address(place.municipality.name, street, _house_number(rng, 1, _LAST_NUMBER, 1))
    entry = station.catchment[int(rng.random() * len(station.catchment))]
    settlement = entry.settlement or place.municipality.name
    if entry.street is None:
        return Address(settlement, None, _house_number(rng, 1, 220, 1))
    if rng.random() < 0.003:
        return Address(settlement, "Novoprojektovana", _house_number(rng, 1, 30, 1), covered=False)
    if entry.first is None or entry.last is None:
        step, low = (2, 1 if entry.parity == "odd" else 2) if entry.parity else (1, 1)
        return Address(settlement, entry.street, _house_number(rng, low, _LAST_NUMBER, step, bb=not entry.parity))
    return Address(settlement, entry.street, _house_number(rng, entry.first, entry.last, 1, bb=False))


def _covers_all(place: Place) -> bool:
    """In a municipality of few voters one station covers everything."""
    return place.stations == 1 and place.voters < _FEW_VOTERS


def _house_number(rng: Random, low: int, high: int, step: int, *, bb: bool = True) -> str:
    chance = rng.random()
    if bb and chance < 0.03:
        return "bb"
    number = low + int(rng.random() * ((min(high, _LAST_NUMBER) - low) // step + 1)) * step
    return f"{number}{'abc'[int(rng.random() * 3)]}" if chance > 0.95 else str(number)


def _is_rural(place: Place, number: int) -> bool:
    """Every third station of a municipality covers villages, all of them in the smallest ones."""
    return number % 3 == 2 or place.municipality.population < _SMALL


def _villages(place: Place, number: int) -> tuple[str, ...]:
    """Return four settlements that are this station's alone."""
    names = []
    station = number if place.municipality.population < _SMALL else number // 3
    for place_in_list in range(station * 4, station * 4 + 4):
        side, village = divmod(place_in_list, len(_VILLAGES))
        suffix = _SIDES[side] if side < len(_SIDES) else str(side)
        names.append(f"{_VILLAGES[village]} {suffix}".rstrip())
    return tuple(names)


def _quarter(place: Place, number: int) -> str:
    group = number // _STATIONS_PER_QUARTER
    again, quarter = divmod(group, len(_QUARTERS))
    return f"{place.municipality.name} - {_QUARTERS[quarter]}" + (f" {again + 1}" if again else "")


def _streets(place: Place, number: int) -> tuple[list[str], list[str], list[str]]:
    """Return a station's own streets, those it shares with the station before it in the quarter, and with the next."""
    first = number // _STATIONS_PER_QUARTER * _STATIONS_PER_QUARTER
    urban = [n for n in range(first, min(first + _STATIONS_PER_QUARTER, place.stations)) if not _is_rural(place, n)]
    place_in_quarter = urban.index(number)
    start = place_in_quarter * (_STREETS_PER_STATION + 2)
    shift = int(place.municipality.code) * 7 + first
    names = [_STREETS[(shift + n) % len(_STREETS)] for n in range(start - 2, start + _STREETS_PER_STATION + 2)]
    before = names[:2] if place_in_quarter > 0 else []
    own, after = names[2:-2], names[-2:]
    if number == urban[-1]:
        own, after = own + after, []
    return own, before, after


def _half(quarter: str, street: str, *, upper: bool) -> Entry:
    """Split a shared street by sides where its name is short, and by numbers elsewhere."""
    if len(street) % 2:
        return Entry(quarter, street, parity="even" if upper else "odd")
    return Entry(quarter, street, 61, 999) if upper else Entry(quarter, street, 1, 60)
