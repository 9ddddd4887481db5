"""Deficiencies that show only side by side: one person under two numbers, and addresses."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from datetime import date, timedelta
from random import Random
from uuid import UUID

import msgspec
import pytest

from register.law.calendar import calendar_of
from register.law.deficiencies.addresses import (
    Application,
    Arrival,
    Inhabited,
    ambiguous,
    arrivals_from,
    crowded,
    foreign_key,
    many_arrivals,
    uncovered,
)
from register.law.deficiencies.between import Candidate, identity_key, one_under_two_numbers
from register.law.deficiencies.kinds import KINDS, Finding
from register.law.events import ElectionCalled

# --- one person under two numbers -----------------------------------------------------------------------------------

AMRA = Candidate(
    person=UUID(int=1),
    jmb="0105980167506",
    surname="Begić",
    given_name="Amra",
    parent_name="Đorđe",
    born_on=date(1980, 5, 1),
    sex="F",
    municipality="10049",
    authority="registry-office:10049",
    evidence=(7,),
)


def other(number: int = 2, **members: object) -> Candidate:
    """Somebody of the same identity under another number, but for ``members``."""
    told = {"person": UUID(int=number), "jmb": "0105980167514", "municipality": "11762", "evidence": (number + 7,)}
    return msgspec.structs.replace(AMRA, authority="registry-office:11762", **{**told, **members})


@pytest.mark.parametrize(
    ("situation", "second", "found"),
    [
        ("recorded by two offices under two numbers", other(), True),
        ("in Cyrillic", other(surname="Бегић", given_name="Амра", parent_name="Ђорђе"), True),
        ("in capitals, without diacritics", other(surname="BEGIC", given_name="AMRA", parent_name="DJORDJE"), True),
        ("in letters with marks apart (NFD)", other(surname=unicodedata.normalize("NFD", "Begić")), True),
        ("the sex is a slip: the names are hers", other(sex="M"), True),
        ("near: another parent's name: two people of one name", other(parent_name="Ivan"), False),
        ("near: born a day later", other(born_on=date(1980, 5, 2)), False),
        ("near: the given name and the surname are another's", other(surname="Amra", given_name="Begić"), False),
        ("near: linked: the same person", other(person=UUID(int=1)), False),
        ("near: one of the two died", other(deceased=True), False),
        ("near: a double surname is another name", other(surname="Begić-Kovač"), False),
    ],
    ids=str,
)
def test_two_numbers_of_one_person(situation: str, second: Candidate, found: bool) -> None:
    """Art. 3.5(6). It is for the office of the number that a replacement would join to the other."""
    for pair in ([AMRA, second], [second, AMRA]):
        (*findings,) = one_under_two_numbers(pair)
        assert len(findings) == found, situation
        for one in findings:
            assert (one.authority, one.municipality) == ("registry-office:11762", "11762")
            assert (one.persons, one.evidence) == ((UUID(int=1), UUID(int=2)), (7, 9))


def test_three_numbers_are_three_pairs_each_with_a_key_that_stays() -> None:
    """That two were found to be two people says nothing about a third."""
    pair = {f.key for f in one_under_two_numbers([AMRA, other(2)])}
    assert pair < {f.key for f in one_under_two_numbers([other(3), AMRA, other(2)])}
    assert len(one_under_two_numbers([other(3), AMRA, other(2)])) == 3


def test_the_parts_of_an_identity_do_not_run_together() -> None:
    day = date(1980, 5, 1)
    assert identity_key("Ana Mari", "Ja", "Ivo", day) != identity_key("Ana", "Mari Ja", "Ivo", day)


# --- foreign addresses ----------------------------------------------------------------------------------------------


def applications(
    people: int, *, address: str = "Ring 1, Wien", country: str = "AT", by: str = "cec"
) -> list[Application]:
    return [Application(UUID(int=n), country, address, 100 + n, by) for n in range(1, people + 1)]


@pytest.mark.parametrize(
    ("situation", "sent", "found"),
    [
        ("seven people at one address, where six are usual", applications(7), [7]),
        ("near: six", applications(6), []),
        ("near: one of six applied twice", [*applications(6), *applications(1)], []),
        (
            "written in two ways",
            [
                *applications(4),
                *[msgspec.structs.replace(a, foreign_address="RING 1  WIEN") for a in applications(7)[4:]],
            ],
            [7],
        ),
        ("near: the same street in two countries", [*applications(4), *applications(7, country="DE")[4:]], []),
        ("near: the house beside", [*applications(4), *applications(7, address="Ring 2, Wien")[4:]], []),
    ],
    ids=str,
)
def test_crowded_addresses(situation: str, sent: list[Application], found: list[int]) -> None:
    """Practice of 2020: more than six applications from one foreign address."""
    assert [f.figures["applications"] for f in crowded(sent, 6)] == found, situation
    assert {f.key for f in crowded(sent, 6)} <= {foreign_key("AT", "Ring 1, Wien")}


def test_who_is_concerned_by_a_crowded_address() -> None:
    """The commission that sent all of it; the CEC when several did."""
    own = applications(7, by="municipal-commission:10049")
    (one,) = crowded(own, 6)
    assert (one.authority, one.municipality) == ("municipal-commission:10049", "10049")
    (both,) = crowded([*own, *applications(8)[7:]], 6)
    assert (both.authority, both.municipality, both.key) == ("cec", None, one.key)
    assert (len(both.persons), len(both.evidence), both.figures) == (8, 8, {"applications": 8, "limit": 6})


# --- arrivals before a conclusion -----------------------------------------------------------------------------------

#: The general election of 4 October 2026: its roll is concluded at the end of 20 August.
CALENDAR = calendar_of(
    ElectionCalled(
        election="general-2026", kind="general", early=False, day=date(2026, 10, 4), called_on=date(2026, 5, 5)
    )
)
HOUSE = "grad\x1fkolodvorska\x1f5"


def arrivals(people: int, *, on: date = date(2026, 7, 1), residents: int = 4, at: str = HOUSE) -> list[Arrival]:
    return [Arrival(UUID(int=n), "10049", at, on, residents, 100 + n) for n in range(1, people + 1)]


@pytest.mark.parametrize(
    ("situation", "came", "found"),
    [
        ("eleven move into a house of four", arrivals(11), [11]),
        ("near: ten: two families", arrivals(10), []),
        ("near: eleven move into a block of eleven", arrivals(11, residents=11), []),
        ("twelve move into a block of eleven", arrivals(12, residents=11), [12]),
        ("on the first of the sixty days", arrivals(11, on=date(2026, 6, 21)), [11]),
        ("near: on the day before", arrivals(11, on=date(2026, 6, 20)), []),
        ("on the day of the conclusion", arrivals(11, on=date(2026, 8, 20)), [11]),
        ("near: on the day after: it changes no roll", arrivals(11, on=date(2026, 8, 21)), []),
        ("near: one of ten came twice", [*arrivals(10), *arrivals(1, on=date(2026, 7, 5))], []),
        ("near: at two addresses", [*arrivals(6), *arrivals(12, at="grad\x1fkolodvorska\x1f7")[6:]], []),
    ],
    ids=str,
)
def test_arrivals_before_a_conclusion(situation: str, came: list[Arrival], found: list[int]) -> None:
    """As at the local elections of 2020: hundreds of new residents before the vote, who left after it."""
    findings = many_arrivals(came, CALENDAR)
    assert [f.figures["arrivals"] for f in findings] == found, situation
    assert {(f.authority, f.key) for f in findings} <= {("residence-authority:10049", f"general-2026:10049:{HOUSE}")}


def test_from_which_day_arrivals_are_counted() -> None:
    assert arrivals_from(CALENDAR) == CALENDAR.conclusion_day - timedelta(days=60) == date(2026, 6, 21)


# --- polling stations -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("situation", "found_by", "address", "found"),
    [
        ("voters whom no station covers", uncovered, Inhabited("10049", HOUSE, 3), "address-uncovered"),
        ("near: nobody resides there", uncovered, Inhabited("10049", HOUSE, 0), None),
        ("near: a station covers it", uncovered, Inhabited("10049", HOUSE, 3, "049A001"), None),
        ("two stations claim it", ambiguous, Inhabited("10049", HOUSE, 3, "049A001", True), "address-ambiguous"),
        ("near: one station alone", ambiguous, Inhabited("10049", HOUSE, 3, "049A001"), None),
        ("near: two claim an empty house", ambiguous, Inhabited("10049", HOUSE, 0, "049A001", True), None),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_addresses_and_stations(
    situation: str, found_by: Callable[..., list[Finding]], address: Inhabited, found: str | None
) -> None:
    """Art. 3.5(3)4: the commission names the stations; nobody is left without one, and nobody has two."""
    told = [(f.kind, f.key, f.authority, f.municipality, f.figures) for f in found_by([address])]
    one = (found, f"10049:{HOUSE}", "municipal-commission:10049", "10049", {"voters": 3})
    assert told == ([] if found is None else [one]), situation


def test_a_municipality_without_stations_is_one_fault() -> None:
    places = [Inhabited("10049", f"selo\x1f\x1f{n}", 2) for n in range(5)]
    (whole,) = uncovered([*places, Inhabited("11762", HOUSE, 1, "762A001")], without_stations={"10049"})
    assert (whole.key, whole.figures) == ("10049", {"voters": 10})
    assert len(uncovered(places)) == 5


def test_order_plays_no_part() -> None:
    sent, came = applications(9), arrivals(14)
    places = [Inhabited("10049", f"selo\x1f\x1f{n}", n + 1, None, True) for n in range(4)]
    candidates = [AMRA, other(2), other(3)]
    told = crowded(sent, 6), many_arrivals(came, CALENDAR), uncovered(places), ambiguous(places)
    alike = one_under_two_numbers(candidates)
    for each in (sent, came, places, candidates):
        Random(1).shuffle(each)
    assert (crowded(sent, 6), many_arrivals(came, CALENDAR), uncovered(places), ambiguous(places)) == told
    assert one_under_two_numbers(candidates) == alike
    for found in (*alike, *(finding for each in told for finding in each)):
        assert KINDS[found.kind].sentence.format(**found.figures)
