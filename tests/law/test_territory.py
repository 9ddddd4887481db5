"""Municipalities and units, and which polling station covers an address on which days."""

from __future__ import annotations

import csv
from datetime import UTC, date, datetime, timedelta
from io import StringIO
from itertools import permutations
from uuid import UUID

import pytest

from register.law.events import CatchmentEntry, Entity, Event, PollingStation, PollingStationAbolished
from register.law.territory import (
    Address,
    Coverage,
    Covering,
    DayCoverage,
    covering,
    electoral_units,
    entity_of,
    read_municipalities,
    station_on,
    stations_on,
)

BIHAC = "10049"
D1, D2, D3, D4 = date(2020, 1, 1), date(2021, 6, 1), date(2022, 6, 1), date(2023, 6, 1)
SENT = datetime(2020, 1, 1, tzinfo=UTC)

TABLE = """\
code,name,entity,canton,unit_hor_bih,unit_hor_fbih,unit_nsrs,unit_cantonal_assembly,municipality_1991,population_2013,cec_code,provisional
10049,Bihać,FBiH,Unsko-sanski,511,401,,201,Bihać,56261,003,
11207,Žepče,FBiH,Zeničko-dobojski,514,405?,,204,Žepče,30219,,
20010,Banja Luka,RS,,521,,303,,Banja Luka,185042,034,
29990,Stanari,RS,,522,,305,,Doboj,,,yes
30163,Brčko,BD,,515|522,402,306,,Brčko,83516,200,
"""


def entry(
    settlement: str | None = None,
    street: str | None = None,
    low: int | None = None,
    high: int | None = None,
    parity: str | None = None,
) -> CatchmentEntry:
    assert parity in (None, "odd", "even")
    return CatchmentEntry(settlement=settlement, street=street, from_=low, to=high, parity=parity)  # type: ignore[arg-type]


def event(data: PollingStation | PollingStationAbolished, hours: int = 0, id: str = "1") -> Event:
    sent = SENT + timedelta(hours=hours)
    return Event(1, UUID(int=0), 1, sent, "urn:cvr:authority:municipal-commission:10049", id, sent, data)


def station(
    code: str,
    *catchment: CatchmentEntry,
    on: date = D1,
    kind: str = "regular",
    municipality: str = BIHAC,
    hours: int = 0,
    id: str = "1",
) -> Event:
    data = PollingStation(
        code=code,
        municipality=municipality,
        name="Osnovna škola",
        address="Trg 1",
        kind=kind,  # type: ignore[arg-type]
        catchment=catchment,
        effective_on=on,
    )
    return event(data, hours, id)


def abolished(code: str, on: date) -> Event:
    return event(PollingStationAbolished(code=code, municipality=BIHAC, effective_on=on))


def at(settlement: str | None = "Bihać", street: str | None = None, house_number: str | None = None) -> Address:
    return Address(BIHAC, settlement, street, house_number)


# --- municipalities and units ---------------------------------------------------------------------------------------


def test_the_reference_table_is_read() -> None:
    municipalities = read_municipalities(TABLE)
    bihac = municipalities["10049"]
    assert (bihac.name, bihac.entity, bihac.canton, bihac.cec_code) == ("Bihać", "FBiH", "Unsko-sanski", "003")
    assert municipalities["11207"].unit_hor_fbih == ("405",)
    table = {row["code"]: row for row in csv.DictReader(StringIO(TABLE))}
    for code, read in municipalities.items():
        assert read.municipality_1991 == table[code]["municipality_1991"]
        assert str(read.population_2013 or "") == table[code]["population_2013"]
    assert (municipalities["29990"].provisional, municipalities["29990"].population_2013) == (True, None)
    assert municipalities["30163"].entity is None


@pytest.mark.parametrize(
    ("broken", "by"), [("\n20010,", "\n10049,"), ("\n20010,", "\n2001,"), ("Banja Luka,RS", "Banja Luka,FBiH")]
)
def test_a_reference_table_that_contradicts_itself_is_not_read(broken: str, by: str) -> None:
    with pytest.raises(ValueError, match="municipality"):
        read_municipalities(TABLE.replace(broken, by))


@pytest.mark.parametrize(("code", "entity"), [("10049", "FBiH"), ("20010", "RS"), ("30163", None)])
def test_the_first_digit_of_the_code_is_the_entity(code: str, entity: str | None) -> None:
    assert entity_of(code) == entity


@pytest.mark.parametrize(
    ("code", "option", "units"),
    [
        ("10049", None, {"10049", "511", "401", "201", "701", "702", "501", "400"}),
        ("10049", "RS", {"10049", "511", "401", "201", "701", "702", "501", "400"}),
        ("20010", None, {"20010", "521", "303", "703", "502", "300", "5"}),
        ("30163", "FBiH", {"30163", "515", "402", "701", "702", "501", "400"}),
        ("30163", "RS", {"30163", "522", "306", "703", "502", "300", "5"}),
        ("30163", None, {"30163"}),
    ],
)
def test_a_voter_votes_in_the_units_of_the_municipality_and_in_brcko_of_the_option(
    code: str, option: Entity | None, units: set[str]
) -> None:
    assert electoral_units(read_municipalities(TABLE)[code], option) == units


# --- which station covers an address --------------------------------------------------------------------------------

PLAN = [
    station("001", entry()),
    station("002", entry("Bihać")),
    station("003", entry("Bihać", "Bosanska")),
    station("004", entry("Bihać", "Bosanska", 1, 9, "odd")),
    station("005", entry("Bihać", "Bosanska", 2, 10, "even"), entry("Kamenica", "Sokak", low=20)),
    station("006", entry(None, "Titova", high=12), entry("Kamenica", "Sokak", parity="odd")),
    station("900", entry("Bihać", "Bosanska", 1, 9), kind="absentee"),
    station("901", entry(), kind="mobile"),
]


@pytest.mark.parametrize(
    ("address", "code"),
    [
        (at("Ripač"), "001"),
        (at(None), "001"),
        (at("Bihać"), "002"),
        (at("Bihać", "Krupska", "4"), "002"),
        (at("Bihać", "Bosanska"), "003"),
        (at("Bihać", "Bosanska", "bb"), "003"),
        (at("Bihać", "Bosanska", "11"), "003"),
        (at("Bihać", "Bosanska", "9"), "004"),
        (at("Bihać", "Bosanska", "1"), "004"),
        (at("Bihać", "Bosanska", " 7a"), "004"),
        (at("Bihać", "Bosanska", "7/12"), "004"),
        (at("Bihać", "Bosanska", "10 b"), "005"),
        (at("Bihać", "Bosanska", "a7"), "003"),
        (at("БИХАЋ", "босанска", "9"), "004"),
        (at("Bihac\u0301", "BOSANSKA", "9"), "004"),
        (at("Ripač", "Bosanska", "9"), "001"),
        (at(None, "Bosanska", "9"), "001"),
        (at("Ripač", "Titova", "12"), "006"),
        (at(None, "Titova", "1"), "006"),
        (at("Ripač", "Titova", "13"), "001"),
        (at("Kamenica", "Sokak", "22"), "005"),
        (at("Kamenica", "Sokak", "19"), "006"),
        (at("Kamenica", "Sokak", "bb"), "001"),
    ],
)
def test_the_most_specific_entry_decides(address: Address, code: str) -> None:
    assert covering(PLAN, address) == (Covering(D1, None, code),)
    assert DayCoverage(D1, [PLAN]).station(address) == code


def test_on_one_day_too_the_lowest_code_of_the_most_specific_entries_decides_in_whatever_order_they_came() -> None:
    catchments = {
        "001": [entry()],
        "002": [entry()],
        "003": [entry("Bihać"), entry("Bihać", "Krupska")],
        "004": [entry("Bihać"), entry(street="Krupska"), entry("Bihać", "Bosanska")],
        "005": [entry(street="Bosanska", low=1, high=9), entry("Bihać", "Bosanska")],
        "006": [entry("Bihać", "Bosanska", low=5), entry(street="Bosanska")],
    }
    wanted = {
        at("Ripač"): "001",
        at(): "003",
        at("Bihać", "Krupska"): "003",
        at("Ripač", "Krupska"): "004",
        at("Bihać", "Bosanska"): "004",
        at("Ripač", "Bosanska"): "006",
        at("Bihać", "Bosanska", "7"): "005",
        at("Bihać", "Bosanska", "10"): "006",
        Address("20010", "Bihać"): None,
    }
    for codes in permutations(catchments):
        coverage = DayCoverage(D2, [[station(code, *catchments[code])] for code in codes])
        assert {address: coverage.station(address) for address in wanted} == wanted
    assert DayCoverage(D1 - timedelta(days=1), [PLAN]).station(at()) is None


def test_between_equally_specific_entries_the_lowest_code_decides_and_it_is_a_deficiency() -> None:
    plan = [station("012", entry("Bihać")), station("011", entry("Bihać")), station("010", entry())]
    assert covering(plan, at()) == (Covering(D1, None, "011", ambiguous=True),)


def test_two_stations_may_compete_for_an_address_for_a_time_only() -> None:
    plan = [station("011", entry("Bihać")), station("012", entry("Bihać"), on=D2), abolished("012", D3)]
    assert covering(plan, at()) == (
        Covering(D1, D2, "011"),
        Covering(D2, D3, "011", ambiguous=True),
        Covering(D3, None, "011"),
    )


def test_two_entries_of_one_station_are_no_deficiency() -> None:
    plan = [station("011", entry("Bihać", "Bosanska", 1, 20), entry("Bihać", "Bosanska", 10, 30))]
    assert covering(plan, at("Bihać", "Bosanska", "15")) == (Covering(D1, None, "011"),)


def test_an_address_no_entry_covers_is_unallocated() -> None:
    assert covering([station("001", entry("Ripač")), station("002")], at()) == (Covering(D1, None, None),)
    assert covering([], at()) == ()
    assert Coverage(BIHAC, PLAN).resolve(Address("20010", "Bihać")) == (Covering(D1, None, None),)
    assert covering([station("001", entry(), municipality="20010")], at()) == ()


def test_each_change_of_the_stations_begins_a_stretch_of_days() -> None:
    plan = [
        station("001", entry()),
        station("002", entry("Bihać"), on=D2),
        abolished("002", D3),
        station("001", entry("Ripač"), on=D4),
        station("003", entry("Kulen Vakuf"), on=D4 + timedelta(days=9)),
    ]
    stretches = (
        Covering(D1, D2, "001"),
        Covering(D2, D3, "002"),
        Covering(D3, D4, "001"),
        Covering(D4, None, None),
    )
    assert covering(plan, at()) == covering(plan[::-1], at()) == stretches
    assert station_on(stretches, D1 - timedelta(days=1)) is None
    assert [station_on(stretches, d) for d in (D1, D2, D3, D4, date.max)] == [*stretches, stretches[-1]]


def test_an_unchanged_answer_stays_one_stretch() -> None:
    plan = [station("001", entry("Bihać")), station("001", entry("Bihać"), entry("Ripač"), on=D2)]
    assert covering(plan, at()) == (Covering(D1, None, "001"),)


@pytest.mark.parametrize(("first", "second"), [((0, "2"), (1, "1")), ((0, "1"), (0, "2"))])
def test_on_one_day_the_notice_sent_later_then_the_greater_id_decides(
    first: tuple[int, str], second: tuple[int, str]
) -> None:
    plan = [
        station("001", entry("Bihać"), hours=second[0], id=second[1]),
        station("001", entry("Ripač"), hours=first[0], id=first[1]),
    ]
    for events in (plan, plan[::-1]):
        assert covering(events, at()) == (Covering(D1, None, "001"),)
        assert covering(events, at("Ripač")) == (Covering(D1, None, None),)


def test_a_station_that_becomes_a_mobile_one_covers_no_address_any_more() -> None:
    plan = [station("001", entry()), station("001", entry(), on=D2, kind="mobile")]
    assert covering(plan, at()) == (Covering(D1, D2, "001"), Covering(D2, None, None))


def test_the_stations_in_force_on_a_day_are_the_regular_ones_by_their_last_notice_until_then() -> None:
    plan = [
        station("001", on=D1),
        station("001", entry("Ripač"), on=D3),
        station("002", on=D1),
        abolished("002", D2),
        station("002", on=D4),
        station("003", on=D1),
        station("003", on=D2, kind="mobile"),
        station("001", on=D2, municipality="20010"),
    ]
    for events in (plan, plan[::-1]):
        first, second, third, fourth = (stations_on(events, day) for day in (D1, D2, D3, D4))
        assert set(first) == {(BIHAC, "001"), (BIHAC, "002"), (BIHAC, "003")}
        assert set(second) == set(third) == {(BIHAC, "001"), ("20010", "001")}
        assert (second[BIHAC, "001"].catchment, third[BIHAC, "001"].catchment) == ((), (entry("Ripač"),))
        assert set(fourth) == {*third, (BIHAC, "002")}
    assert stations_on(plan, D1 - timedelta(days=1)) == {}
