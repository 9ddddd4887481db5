"""A polling station generally has 300 to 1,000 voters; a larger one is divided by streets (Art. 5.1, later law)."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from register.law.deficiencies.stations import StationSize, StreetCount, gathered, outside, proposed_split
from register.law.parameters import in_force

RULES = in_force(date(2026, 10, 4))
TOWN = "10049"
#: Streets of one settlement, each with few enough voters that a cut is always near.
SMALL_STREETS = st.lists(st.integers(1, 60), min_size=1, max_size=200)


def streets(*voters: int) -> list[StreetCount]:
    return [StreetCount("Centar", f"Ulica {number:03d}", count) for number, count in enumerate(voters)]


@pytest.mark.parametrize(("voters", "found"), [(0, True), (299, True), (300, False), (1_000, False), (1_001, True)])
def test_a_station_outside_the_usual_is_a_deficiency_of_its_commission(voters: int, found: bool) -> None:
    findings = outside([StationSize(TOWN, "003A001", voters, 7)], RULES)
    assert bool(findings) == found
    for each in findings:
        assert (each.kind, each.key, each.authority) == ("station-size", "10049:003A001", "municipal-commission:10049")
        assert (each.evidence, each.figures) == ((7,), {"voters": voters, "least": 300, "most": 1_000})


def test_a_station_of_a_usual_size_is_not_divided() -> None:
    assert proposed_split(streets(400, 600), RULES) is None


def test_a_large_station_becomes_two_halves_whose_streets_stay_whole_and_in_order() -> None:
    split = proposed_split(streets(300, 250, 200, 150, 200), RULES)
    assert split is not None
    assert [part.voters for part in split] == [550, 550]
    assert [one.street for part in split for one in part.streets] == [f"Ulica {n:03d}" for n in range(5)]


def test_where_two_parts_cannot_do_three_are_proposed() -> None:
    """Three streets of 700: no cut gives two usual halves, and each street is a station of a usual size."""
    split = proposed_split(streets(700, 700, 700), RULES)
    assert split is not None
    assert [part.voters for part in split] == [700, 700, 700]


def test_a_street_that_alone_is_too_large_is_left_whole() -> None:
    """Nobody says here which side of a street votes where: that is the commission's, by house numbers."""
    split = proposed_split(streets(100, 1_500, 100), RULES)
    assert split is not None
    assert max(part.voters for part in split) >= 1_500
    assert sum(part.voters for part in split) == 1_700


def test_a_street_written_in_several_ways_is_one_street() -> None:
    ways = [("Centar", "ALIPAŠINA", 2), ("Centar", "Alipašina", 7), ("Центар", "Алипашина", 1), (None, "Alipašina", 3)]
    found = gathered(StreetCount(*way) for way in ways)
    assert found == [StreetCount(None, "Alipašina", 3), StreetCount("Centar", "Alipašina", 10)]


@given(SMALL_STREETS)
def test_of_small_streets_every_part_is_of_a_usual_size(counts: list[int]) -> None:
    """Whatever the streets, as long as each is small, all parts are usual, nobody is lost, and order plays no part."""
    split = proposed_split(streets(*counts), RULES)
    assert split == proposed_split(reversed(streets(*counts)), RULES)
    if sum(counts) <= RULES.station_voters_most:
        assert split is None
        return
    assert split is not None
    assert all(RULES.station_voters_least <= part.voters <= RULES.station_voters_most for part in split)
    assert sorted(one.voters for part in split for one in part.streets) == sorted(counts)
    assert all(part.voters == sum(one.voters for one in part.streets) for part in split)
