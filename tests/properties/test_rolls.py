"""The roll of an election by both readings: on it or not, on which list, and where the entry counts."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from register.law.events import CatchmentEntry, ElectionCalled, Event, PollingStation, Residence
from register.law.persons import persons
from register.law.rolls import residence_of, roll_of, stand
from register.law.territory import Coverage
from tests import naive
from tests.properties.histories import (
    BANJA_LUKA,
    BIHAC,
    BRCKO,
    ELECTION,
    FIRST,
    LAST,
    MUNICIPALITIES,
    histories,
    streams_of,
    tried,
)

#: One station, which covers the settlement "Selo" of Bihać and nothing else.
STATION = PollingStation(
    code="003A001",
    municipality=BIHAC,
    name="Osnovna škola",
    address="Selo bb",
    kind="regular",
    catchment=(CatchmentEntry(settlement="Selo"),),
    effective_on=date(2020, 1, 1),
)
_AT = datetime(2020, 1, 1, tzinfo=UTC)
_SENDER = "urn:cvr:authority:municipal-commission:10049"
COVERAGE = {
    code: Coverage(code, [Event(1, UUID(int=1), 1, _AT, _SENDER, "1", _AT, STATION)]) for code in MUNICIPALITIES
}


@st.composite
def elections(draw: st.DrawFn) -> ElectionCalled:
    """An election whose last day for options, or whose conclusion, lies among the days of the history."""
    early = draw(st.booleans())
    if early:
        conclusion = draw(st.dates(FIRST - timedelta(days=1), LAST))
        day, options_until = conclusion + timedelta(days=20), draw(st.dates(FIRST - timedelta(days=1), conclusion))
    else:
        day, options_until = draw(st.dates(FIRST + timedelta(days=45), LAST + timedelta(days=75))), None
    return ElectionCalled(
        election=ELECTION,
        kind=draw(st.sampled_from(["general", "local"])),
        early=early,
        day=day,
        called_on=date(2023, 1, 1),
        options_until=options_until,
        municipalities=draw(st.sampled_from([(), (), (BIHAC,), (BANJA_LUKA, BRCKO)])),
    )


def naive_station(residence: Residence, day: date) -> str | None:
    return STATION.code if (residence.municipality, residence.settlement) == (BIHAC, "Selo") else None


@tried(300)
@given(histories(of_options=True), elections())
def test_both_readings_put_everybody_on_the_same_list(events: list[Event], called: ElectionCalled) -> None:
    roll = roll_of(called, MUNICIPALITIES)
    expected = naive.persons_by_stream(events)
    for person, of_person in persons(streams_of(events)).items():
        home = residence_of(of_person, roll)
        entry = stand(of_person, roll, None if home is None else COVERAGE[home])
        place = naive.place_on_roll(events, expected[person], called, naive_station)
        if entry is None or place is None:
            assert entry is None
            assert place is None
            continue
        where = {"in-person-1991": entry.municipality, "absentee-1991": entry.municipality}.get(
            entry.list_kind, entry.municipality if entry.list_kind == "unallocated" else entry.station or entry.mission
        )
        told = naive.Place(entry.list_kind, where, entry.municipality, entry.entity, entry.mobile_team)
        assert told == place
