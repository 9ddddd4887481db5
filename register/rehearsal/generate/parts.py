"""What is out of the ordinary in a life: a part, played by the first people of a feed in turn, by others by chance.

The shares of voting options are those of the roll of 2022 (3,368,666 voters: mail 63,264, in person 15,086, missions
6,702, absentee 6,124; mobile teams 14,222 as an overlay). Reported deceased: 5,332 found in 2018. The other shares are
assumptions.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from itertools import accumulate
from typing import Final

from .notices import Line, day_text
from .people import BRCKO, REGISTER_DAYS, Life
from .places import draw_address

_COURTS: Final = ("bihac", "prijedor", "sarajevo", "tuzla", "zenica", "mostar", "banja-luka", "bijeljina", "brcko")
#: 21 in 15 states, as in 2022; which ones is assumed.
_MISSIONS: Final = (
    "Ambasada BiH Beč", "Ambasada BiH Ljubljana", "Ambasada BiH Oslo", "Ambasada BiH Stokholm", "Ambasada BiH Rim",
    "Ambasada BiH Bern", "Ambasada BiH Berlin", "Generalni konzulat BiH Minhen", "Generalni konzulat BiH Frankfurt",
    "Generalni konzulat BiH Štutgart", "Ambasada BiH Zagreb", "Ambasada BiH Beograd", "Konzularni ured BiH Novi Sad",
    "Ambasada BiH Podgorica", "Ambasada BiH Skoplje", "Ambasada BiH Hag", "Ambasada BiH Pariz", "Ambasada BiH Ankara",
    "Generalni konzulat BiH Istanbul", "Ambasada BiH Vašington", "Generalni konzulat BiH Čikago",
)  # fmt: skip
_ABROAD: Final = (
    ("DE", "Lindenstraße {}, 80331 München"), ("AT", "Hauptstraße {}, 4020 Linz"),
    ("SI", "Slovenska cesta {}, Ljubljana"), ("HR", "Ilica {}, Zagreb"),
    ("RS", "Bulevar kralja Aleksandra {}, Beograd"), ("SE", "Storgatan {}, Malmö"),
    ("CH", "Bahnhofstrasse {}, Zürich"), ("US", "{} Gravois Avenue, St. Louis MO"), ("NO", "Storgata {}, Oslo"),
)  # fmt: skip
#: So many people of the feed have one crowded address abroad among them, with about 56 voters by mail.
_PEOPLE_PER_CROWD: Final = 50_000
#: Sends with 1.6 a sentence of this country's or a foreign court, with 1.7 failure to appear before one.
_BARS: Final = (("1.6", "sentence"), ("1.6", "failure-to-appear"), ("1.7", "sentence"), ("1.7a", "failure-to-appear"))


def _court(life: Life) -> str:
    return f"court:basic-court-{_COURTS[int(life.rng.random() * len(_COURTS))]}"


def _decide(life: Life, court: str, kind: str, day: int, data: str = "") -> Line:
    """Write a court's notice, with its decision."""
    paper = life.paper("final decision", "Osnovni sud", day)
    life.put(court, kind, life.sent(day), f"{life.about(day)}{data}{paper}")
    return life.lines[-1]


def _capacity(extent: str) -> Callable[[Life], None]:
    def play(life: Life) -> None:
        _decide(life, _court(life), "capacity-withdrawn", life.recent(), f',"extent":"{extent}"')

    return play


def _capacity_restored(life: Life) -> None:
    court, end = _court(life), life.recent(most=300)
    start = min(max(end - 90 - int(life.rng.random() * 400), life.born + 6_590), end - 1)
    _decide(life, court, "capacity-withdrawn", start, ',"extent":"full"')
    _decide(life, court, "capacity-restored", end)


def _barred(life: Life) -> None:
    ground, cause = _BARS[int(life.rng.random() * len(_BARS))]
    _decide(life, _court(life), "voting-barred", life.recent(), f',"ground":"{ground}","cause":"{cause}"')


def _bar_ended(life: Life) -> None:
    start = life.recent(least=400)
    bar = _decide(life, _court(life), "voting-barred", start, ',"ground":"1.6","cause":"sentence"')
    end = life.clip(start + 60 + int(life.rng.random() * 300))
    court = bar.source if life.rng.random() < 0.7 else _court(life)
    other = f',"ends_source":"urn:cvr:authority:{bar.source}"' if court != bar.source else ""
    _decide(life, court, "voting-bar-ended", end, f',"ends":"{bar.id}"{other}')


def _of_ministry(life: Life, kind: str, day: int, data: str = "", paper: str | None = None) -> None:
    line = life.paper(paper, "Ministarstvo civilnih poslova BiH", day) if paper else ""
    life.put("ministry:civil-affairs", kind, life.sent(day), f"{life.about(day)}{data}{line}")


def _other_1991(life: Life) -> str:
    codes = life.world.municipality_codes
    return codes[int(life.rng.random() * len(codes))]


def _refugee(life: Life) -> None:
    day = max(life.world.since - int(life.rng.random() * 6_000), life.born + 30)
    _of_ministry(life, "refugee-status", day, f',"municipality_1991":"{_other_1991(life)}"', "refugee certificate")
    _abroad(life)


def _refugee_ended(life: Life) -> None:
    _refugee(life)
    _of_ministry(life, "refugee-status-ended", life.recent(most=500))


def _citizenship_ended(life: Life) -> None:
    _of_ministry(life, "citizenship-ended", life.recent(), paper="decision on release from citizenship")


def _dual(life: Life) -> None:
    chance = life.rng.random()
    others = '"HR"' if chance < 0.6 else '"RS"' if chance < 0.85 else '"AT"' if chance < 0.92 else '"HR","DE"'
    if chance > 0.99:
        others = ""
    _of_ministry(life, "citizenship", life.recent(most=REGISTER_DAYS + 3_000), f',"other_citizenships":[{others}]')


def _jmb_replaced(life: Life) -> None:
    _, old = life.world.numbers.of(life.number, life.sex, second=True)
    _replace(life, old, life.recent(most=700))


def _joined(life: Life) -> None:
    """Known twice, as two people with one name, until the two numbers are found to be one person's."""
    _, other = life.world.numbers.of(life.number, life.sex, second=True)
    life.citizen(other)
    life.home(other)
    _replace(life, other, life.recent(most=300))


def _replace(life: Life, old: str, day: int) -> None:
    paper = life.paper("decision on annulment of a personal number", "Ministarstvo unutrašnjih poslova", day)
    source = f"residence-authority:{life.place.municipality.code}"
    life.put(source, "jmb-replaced", life.sent(day), f'{life.about(day, old)},"new_jmb":"{life.jmb}"{paper}')


def _death(late: bool) -> Callable[[Life], None]:
    """A death, reported within days, or years late as deaths abroad often are."""

    def play(life: Life) -> None:
        day = life.recent(least=800, most=REGISTER_DAYS - 1) if late else life.recent()
        lag = 400 + int(life.rng.random() * 380) if late else None
        paper = life.paper("death certificate", "Matični ured", day)
        source = f"registry-office:{life.place.municipality.code}"
        mark = "late" if late else None
        life.put(source, "death", life.sent(day, lag), f"{life.about(day)}{paper}", mark)

    return play


def _reported_deceased(life: Life) -> None:
    day = life.recent(most=400)
    remark = ',"remark":"prijava člana porodice"' if life.rng.random() < 0.6 else ""
    _of_commission(life, "reported-deceased", day, remark)
    if life.mark is None and life.rng.random() < 0.3:
        paper = life.paper("death certificate", "Matični ured", day)
        source = f"registry-office:{life.place.municipality.code}"
        life.put(source, "death", life.sent(day, 5 + int(life.rng.random() * 200)), f"{life.about(day)}{paper}")


def _of_commission(life: Life, kind: str, day: int, data: str, *, cec: bool = False) -> None:
    source = "cec" if cec else f"municipal-commission:{life.place.municipality.code}"
    life.put(source, kind, life.sent(day), f"{life.about(day)}{data}")


def _option_day(life: Life) -> int:
    """Applications come before the last day for options of an election that follows the feed."""
    return life.recent(least=40, most=700)


def _house(life: Life) -> str:
    """Return a house abroad and a door in it, so that hardly two people share one."""
    return f"{int(life.rng.random() * 180) + 1}/{int(life.rng.random() * 90) + 1}"


def _mail(life: Life) -> None:
    country, address = _ABROAD[int(life.rng.random() * len(_ABROAD))]
    house = _house(life)
    if life.rng.random() < 0.06:  # the crowded addresses of 2020: more than six voters at one
        doors = max(life.world.people // _PEOPLE_PER_CROWD, 1)
        country, address, house = "RS", "Zmaj Jovina {}, Loznica", str(int(life.rng.random() * doors) * 2 + 4)
    abroad = f',"country":"{country}","foreign_address":"{address.format(house)}"'
    _of_commission(life, "voting-option", _option_day(life), f',"option":"mail"{abroad}', cec=True)


def _displaced(option: str) -> Callable[[Life], None]:
    def play(life: Life) -> None:
        data = f',"option":"{option}","municipality_1991":"{_other_1991(life)}"'
        _of_commission(life, "voting-option", _option_day(life), data)

    return play


def _mission(life: Life) -> None:
    mission = _MISSIONS[int(life.rng.random() * len(_MISSIONS))]
    data = f',"option":"diplomatic-mission","mission":"{mission}"'
    _of_commission(life, "voting-option", _option_day(life), data, cec=True)


def _mobile_team(life: Life) -> None:
    _of_commission(life, "voting-option", _option_day(life), ',"option":"mobile-team"')


def _option_ended(life: Life) -> None:
    start = life.recent(least=200, most=700)
    data = f',"option":"in-person-1991","municipality_1991":"{_other_1991(life)}"'
    _of_commission(life, "voting-option", start, data)
    end = life.clip(start + 30 + int(life.rng.random() * 100))
    _of_commission(life, "voting-option", end, ',"option":"regular"')


def _moved_out(life: Life) -> None:
    places, rng = life.world.places, life.rng
    target = places[int(rng.random() * len(places))]
    day = life.recent(most=600)
    if target is not life.place:
        life.ended(day, life.place)
    life.residence(day, target, draw_address(rng, target, int(rng.random() * target.stations)))


def _fictitious(life: Life) -> None:
    """In shortly before a vote, and out within weeks."""
    places, rng = life.world.places, life.rng
    target, back = places[int(rng.random() * len(places))], draw_address(rng, life.place, life.station)
    day = life.recent(least=120, most=240)
    life.residence(day, target, draw_address(rng, target, int(rng.random() * target.stations)))
    life.residence(life.clip(day + 20 + int(rng.random() * 40)), life.place, back)


def _abroad(life: Life) -> None:
    country, address = _ABROAD[int(life.rng.random() * len(_ABROAD))]
    day = life.recent(most=REGISTER_DAYS + 2_000)
    house = _house(life)
    data = f',"kind":"abroad","country":"{country}","foreign_address":"{address.format(house)}"'
    life.put(
        f"residence-authority:{life.place.municipality.code}", "residence", life.sent(day), f"{life.about(day)}{data}"
    )


def _temporary(life: Life) -> None:
    places, rng = life.world.places, life.rng
    target = places[int(rng.random() * len(places))]
    address = draw_address(rng, target, int(rng.random() * target.stations))
    day = life.recent(most=800)
    data = f'{life.about(day)},"kind":"temporary",{life.address(target.municipality, address)}'
    life.put(f"residence-authority:{target.municipality.code}", "residence", life.sent(day), data)
    if rng.random() < 0.4:
        life.ended(life.clip(day + 100), target, "temporary")


def _renamed(life: Life) -> None:
    day = life.recent(most=900)
    source = f"registry-office:{life.place.municipality.code}"
    data = f',"surname":"{life.another_surname()}"'
    if life.rng.random() < 0.1:
        data = f',"born_on":"{day_text(life.born)}"'
    life.put(source, "personal-data", life.sent(day), f"{life.about(day)}{data}")


def _gone(life: Life) -> None:
    """Signed off from the permanent residence, and nowhere signed on."""
    life.ended(life.recent(most=600), life.place)


#: Each part with its chance in a million.
_PARTS: Final[dict[str, tuple[int, Callable[[Life], None]]]] = {
    "capacity-withdrawn-and-restored": (300, _capacity_restored),
    "capacity-withdrawn": (900, _capacity("full")),
    "capacity-partial": (300, _capacity("partial")),
    "barred": (120, _barred),
    "bar-ended": (120, _bar_ended),
    "refugee": (1_500, _refugee),
    "refugee-ended": (200, _refugee_ended),
    "citizenship-ended": (1_500, _citizenship_ended),
    "dual-citizen": (60_000, _dual),
    "jmb-replaced": (500, _jmb_replaced),
    "joined-number": (60, _joined),
    "death": (0, _death(late=False)),
    "death-late": (700, _death(late=True)),
    "reported-deceased": (1_600, _reported_deceased),
    "mail": (18_780, _mail),
    "in-person-1991": (4_480, _displaced("in-person-1991")),
    "absentee-1991": (1_820, _displaced("absentee-1991")),
    "diplomatic-mission": (1_990, _mission),
    "mobile-team": (4_220, _mobile_team),
    "option-ended": (400, _option_ended),
    "moved-out": (24_000, _moved_out),
    "fictitious-move": (600, _fictitious),
    "abroad": (15_000, _abroad),
    "temporary": (12_000, _temporary),
    "renamed": (12_000, _renamed),
    "gone": (800, _gone),
}
#: The parts in the order in which the first adults of a feed play them.
PARTS: Final = tuple(_PARTS)
_LIMITS: Final = tuple(accumulate(chance / 1_000_000 for chance, _ in _PARTS.values()))


def draw_part(life: Life) -> str | None:
    """Draw the part a person plays; most play none. Death comes by age."""
    chance = life.rng.random()
    if chance < _LIMITS[-1]:
        return PARTS[bisect_right(_LIMITS, chance)]
    age = (life.world.until - life.born) / 365.25
    yearly = 0.0006 + 0.00003 * 1.095 ** (age - 18)
    return "death" if life.rng.random() < yearly * REGISTER_DAYS / 365 else None


def live(life: Life, part: str | None) -> list[Line]:
    """Return the notices of a whole life, in which the person plays ``part``."""
    jmb = life.world.numbers.of(life.number, life.sex, second=True)[1] if part == "jmb-replaced" else None
    life.citizen(jmb)
    if part not in ("refugee", "refugee-ended"):
        life.home(jmb)
    if life.place.municipality.code == BRCKO:
        life.entity_option()
    if part is not None:
        _PARTS[part][1](life)
    return life.lines
