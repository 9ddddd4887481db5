"""Histories with what the others seldom have: numbers joined and parted again, deaths taken back, polling stations."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import msgspec
from hypothesis import strategies as st

from register.law.events import (
    Annulment,
    AnyData,
    CatchmentEntry,
    Citizen,
    Death,
    Document,
    Event,
    JmbReplaced,
    PollingStation,
    PollingStationAbolished,
    Residence,
    VotingOption,
    subject_of,
)
from tests.properties.histories import BIRTHS, DAYS, FIRST, MUNICIPALITIES, NUMBERS, STREAMS, histories

_PAPER = Document(kind="decision", number="1/24", issued_by="Office", issued_on=date(2024, 1, 1))
_BEGIN = datetime(2024, 4, 1, tzinfo=UTC)
#: Where the addresses of the histories lie: in a whole municipality, or in one of its two settlements.
_CATCHMENTS = [(CatchmentEntry(),), (CatchmentEntry(settlement="Grad"),), (CatchmentEntry(settlement="Selo"),)]

_days = st.sampled_from(DAYS)
_places = st.sampled_from(MUNICIPALITIES)
_numbers = st.sampled_from(NUMBERS)

Told = tuple[str, AnyData]


def _station(municipality: str, code: str, day: date, catchment: int | None) -> Told:
    sender = f"municipal-commission:{municipality}"
    if catchment is None:
        return sender, PollingStationAbolished(code=code, municipality=municipality, effective_on=day)
    return sender, PollingStation(
        code=code,
        municipality=municipality,
        name="Škola",
        address="Centar",
        kind="regular",
        catchment=_CATCHMENTS[catchment],
        effective_on=day,
    )


_stations = st.builds(_station, _places, st.sampled_from(["001", "002"]), _days, st.sampled_from([0, 0, 1, 2, None]))
_links = st.builds(
    lambda place, old, new, day: (
        f"residence-authority:{place}",
        JmbReplaced(jmb=old, new_jmb=new, effective_on=day, document=_PAPER),
    ),
    _places,
    st.sampled_from(NUMBERS[:2]),
    _numbers,
    _days,
).filter(lambda told: told[1].jmb != told[1].new_jmb)
_deaths = st.builds(lambda jmb, day: ("registry-office:10049", Death(jmb=jmb, effective_on=day)), _numbers, _days)
_options = st.builds(
    lambda jmb, day, place: (
        "cec",
        VotingOption(jmb=jmb, effective_on=day, option="absentee-1991", municipality_1991=place),
    ),
    _numbers,
    _days,
    _places,
)


@st.composite
def mixed(draw: st.DrawFn, *, most: int = 10, more: int = 8, stations: bool = True) -> list[Event]:
    """A history with up to ``more`` such events among its own; about half of them are taken back some time later."""
    events = draw(histories(most=most)) if draw(st.booleans()) else _two_voters(draw(_places), draw(_places))
    kinds: list[st.SearchStrategy[Told]] = [
        _links,
        _links,
        _deaths,
        _options,
        *([_stations, _stations] if stations else []),
    ]
    for number in range(draw(st.integers(1, more))):
        authority, data = draw(st.one_of(kinds))
        at = draw(st.integers(min(len(events), 4), len(events)))
        added = _event(authority, data, f"m{number:02}")
        events.insert(at, added)
        if draw(st.booleans()):
            taken_back = _event(authority, Annulment(annuls=added.id, reason="error"), f"a{number:02}", added.stream)
            events.insert(draw(st.integers(at + 1, len(events))), taken_back)
    return _numbered(events)


def _two_voters(*homes: str) -> list[Event]:
    """Two numbers that may be one person's, both entered since long ago."""
    named = {"surname": "Begić", "given_name": "Amra", "parent_name": "Ivan", "sex": "F", "born_on": BIRTHS[0]}
    events = []
    for number, home in zip(NUMBERS, homes, strict=False):
        citizen = Citizen(jmb=number, effective_on=BIRTHS[0], **named)  # type: ignore[arg-type]
        lives = Residence(jmb=number, effective_on=FIRST, kind="permanent", municipality=home, settlement="Grad")
        events.append(_event("registry-office:10049", citizen, f"c{number}"))
        events.append(_event(f"residence-authority:{home}", lives, f"r{number}"))
    return events


def _event(authority: str, data: AnyData, id: str, stream: UUID | None = None) -> Event:
    source = f"urn:cvr:authority:{authority}"
    return Event(0, stream or _stream(data, source), 0, _BEGIN, source, id, _BEGIN - timedelta(days=20), data)


def _stream(data: AnyData, source: str) -> UUID:
    number = getattr(data, "jmb", None)
    if number is not None:
        return STREAMS[number]
    return UUID(int=int.from_bytes((subject_of(data, source) or "").encode()[-12:], "big"))


def _numbered(events: list[Event]) -> list[Event]:
    """Positions, versions and instants as the store gives them."""
    versions: dict[UUID, int] = {}
    found = []
    for position, event in enumerate(events, start=1):
        version = versions[event.stream] = versions.get(event.stream, 0) + 1
        recorded_at = _BEGIN + timedelta(minutes=position)
        found.append(msgspec.structs.replace(event, position=position, version=version, recorded_at=recorded_at))
    return found
