"""Which polling station covers an address on a day: the register's index of stations against the second reading."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from register.law.dossier import live
from register.law.events import Annulment, AnyData, CatchmentEntry, Event, PollingStation, PollingStationAbolished
from register.law.territory import Address, Coverage, DayCoverage, station_on, stations_on
from tests import naive
from tests.properties.histories import BANJA_LUKA, BIHAC, DAYS, LAST, WINDOW, Choices, drawn_choices, tried

_CODES = ["003A001", "003A002", "003A010"]
_SETTLEMENTS = ["Grad", "Selo"]
_STREETS = ["Bosanska", "Krupska"]
_AT = [datetime(2024, 3, 1, hour, tzinfo=UTC) for hour in (8, 8, 9)]
#: Addresses that stand where catchments meet; names also in another script and case.
ADDRESSES = [
    Address(BIHAC, settlement, street, house)
    for settlement in (None, "Grad", "ГРАД", "Selo", "Ripač")
    for street in (None, "Bosanska", "bosanska", "Krupska", "Titova")
    for house in (None, "1", "2a", "5", " 8/3", "bb")
]


def _entry(c: Choices) -> CatchmentEntry:
    settlement, street = c.of((None, *_SETTLEMENTS)), c.of((None, *_STREETS, *_STREETS))
    if street is None:
        return CatchmentEntry(settlement=settlement)
    low, high = c.of(((None, None), (None, 5), (2, None), (1, 5), (5, 9), (None, None)))
    parity: Any = c.of((None, "odd", "even"))
    return CatchmentEntry(settlement=settlement, street=street, from_=low, to=high, parity=parity)


def _statement(c: Choices) -> AnyData:
    code, on, municipality = c.of(_CODES), c.of(DAYS), c.of((BIHAC, BIHAC, BIHAC, BANJA_LUKA))
    if c.of((False, False, False, True)):
        return PollingStationAbolished(code=code, municipality=municipality, effective_on=on)
    kind: Any = c.of(("regular", "regular", "regular", "absentee", "mobile"))
    catchment = tuple(_entry(c) for _ in range(c.of((1, 1, 2, 0))))
    return PollingStation(
        code=code,
        municipality=municipality,
        name="Osnovna škola",
        address="Trg 1",
        kind=kind,
        catchment=catchment,
        effective_on=on,
    )


@st.composite
def plans(draw: st.DrawFn, most: int = 10) -> list[Event]:
    """What commissions said of a few stations, in any order, some of it taken back."""
    events: list[Event] = []
    for drawn in draw(drawn_choices(draw(st.integers(0, most)))):
        c, position = Choices(drawn), len(events) + 1
        time, number = c.of(_AT), f"n{(position * 37) % 101:03}"
        data: AnyData = _statement(c)
        taken_back = c.of((False, False, False, False, True)) if events else False
        if taken_back:
            data = Annulment(annuls=c.of(events).id, reason="error")
        recorded_at = _AT[2] + timedelta(minutes=position)
        events.append(Event(position, UUID(int=1), position, recorded_at, _SENDER, number, time, data))
    return events


_SENDER = "urn:cvr:authority:municipal-commission:10049"


@tried(200)
@given(plans(), st.lists(st.sampled_from(ADDRESSES), min_size=4, max_size=4))
def test_both_readings_name_the_same_station_on_every_day(events: list[Event], addresses: list[Address]) -> None:
    coverage = Coverage(BIHAC, live(events))
    for address in addresses:
        coverings = coverage.resolve(address)
        for day in WINDOW:
            told = station_on(coverings, day)
            want = naive.station_of(
                events,
                BIHAC,
                day,
                settlement=address.settlement,
                street=address.street,
                house_number=address.house_number,
            )
            said = (None, False) if told is None else (told.station, told.ambiguous)
            assert said == want, (address, day)


@tried(300)
@given(plans(), st.sampled_from((LAST, *WINDOW)))
def test_both_readings_name_the_same_station_where_one_day_is_asked(events: list[Event], day: date) -> None:
    coverage = DayCoverage(day, [live(events)])
    for municipality in (BIHAC, BANJA_LUKA):
        for a in ADDRESSES:
            want, _ = naive.station_of(
                events, municipality, day, settlement=a.settlement, street=a.street, house_number=a.house_number
            )
            assert coverage.station(msgspec.structs.replace(a, municipality=municipality)) == want, (a, municipality)


@tried(100)
@given(plans())
def test_both_readings_know_the_same_stations_on_every_day(events: list[Event]) -> None:
    for day in WINDOW:
        told = stations_on(live(events), day)
        for municipality in (BIHAC, BANJA_LUKA):
            want = naive.stations(naive.live(events), municipality, day)
            assert {code: station for (place, code), station in told.items() if place == municipality} == want
