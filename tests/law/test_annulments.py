"""Every type of notice taken back: as if it had never been sent, for every day (later law 3.13)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from uuid import UUID

import pytest

from register.law.dossier import live, on_day, timeline
from register.law.events import (
    NOTICE_TYPES,
    Annulment,
    AnyData,
    CatchmentEntry,
    ControlTotal,
    PollingStation,
    PollingStationAbolished,
)
from register.law.persons import persons
from register.law.territory import Address, covering, station_on
from tests.law.situations import (
    AMRA,
    AMRA_IN_BIHAC,
    BANJA_LUKA,
    BIHAC,
    BRCKO,
    CEC,
    COURT,
    NEW_NUMBER,
    Sent,
    bar_ended,
    barred,
    capacity_restored,
    capacity_withdrawn,
    citizen,
    citizen_of_bih_and,
    citizenship_ended,
    day,
    death,
    entity_option,
    left,
    lives_in,
    option,
    personal_data,
    recorded,
    refugee_no_more,
    refugee_of,
    replaced_by,
    reported_deceased,
    taken_back,
)

BIRTH, HOME = AMRA_IN_BIHAC


@dataclass(frozen=True)
class Taken:
    """What was sent before, the notice that is taken back, and what the answer on a day says with it and without."""

    before: tuple[Sent, ...]
    notice: Sent
    on: str
    asked: str
    with_it: object
    without: object

    def __str__(self) -> str:
        return type(self.notice.data).TOPIC


#: Every type about a person: an answer of one day, with the notice and after it was taken back.
TAKEN_BACK = [
    Taken((HOME,), BIRTH, "1.5.1998", "grounds", (), ("not-recorded",)),
    Taken(AMRA_IN_BIHAC, personal_data("1.6.2010", surname="Kovač"), "1.6.2010", "surname", "Kovač", "Begić"),
    Taken(
        AMRA_IN_BIHAC, personal_data("1.6.2010", born="1.5.1981"), "1.1.1990", "born_on", date(1981, 5, 1),
        date(1980, 5, 1),
    ),
    Taken(AMRA_IN_BIHAC, death("3.2.2024"), "3.2.2024", "grounds", ("deceased",), ()),
    Taken(AMRA_IN_BIHAC, lives_in(BANJA_LUKA, "1.7.2010"), "1.7.2010", "municipality", BANJA_LUKA, BIHAC),
    Taken(AMRA_IN_BIHAC, left(BIHAC, "1.6.2010"), "1.6.2010", "grounds", ("no-residence",), ()),
    Taken(AMRA_IN_BIHAC, replaced_by(NEW_NUMBER, "1.6.2010"), "1.6.2010", "jmb", NEW_NUMBER, AMRA),
    Taken((BIRTH, lives_in(BRCKO, "1.5.1998")), entity_option("RS", "1.1.2010"), "1.1.2010", "entity", "RS", None),
    Taken(
        (BIRTH, refugee_of(BANJA_LUKA, "1.1.2000")), citizen_of_bih_and("AT", on="1.1.2005"), "1.1.2005", "grounds",
        ("no-residence",), (),
    ),
    Taken(AMRA_IN_BIHAC, citizenship_ended("1.6.2015"), "1.6.2015", "grounds", ("citizenship-ended",), ()),
    Taken((BIRTH,), refugee_of(BANJA_LUKA, "1.1.2000"), "1.1.2000", "counts_in", BANJA_LUKA, None),
    Taken(
        (BIRTH, refugee_of(BANJA_LUKA, "1.1.2000")), refugee_no_more("1.1.2010"), "1.1.2010", "grounds",
        ("no-residence",), (),
    ),
    Taken(AMRA_IN_BIHAC, capacity_withdrawn("1.2.2010"), "1.2.2010", "grounds", ("legal-capacity-withdrawn",), ()),
    Taken(
        (*AMRA_IN_BIHAC, capacity_withdrawn("1.2.2010")), capacity_restored("1.2.2012"), "1.2.2012", "grounds",
        (), ("legal-capacity-withdrawn",),
    ),
    Taken(AMRA_IN_BIHAC, barred("1.7a", "1.3.2005"), "1.3.2005", "grounds", ("barred-1.7a",), ()),
    Taken(
        (*AMRA_IN_BIHAC, barred("1.6", "1.3.2005").under("bar")), bar_ended("bar", "1.3.2010"), "1.3.2010", "grounds",
        (), ("barred-1.6",),
    ),
    Taken(AMRA_IN_BIHAC, option("mail", "1.3.2010"), "1.3.2010", "voting_option", "mail", "regular"),
    Taken(AMRA_IN_BIHAC, option("mobile-team", "1.3.2010"), "1.3.2010", "mobile_team", True, False),
    Taken(AMRA_IN_BIHAC, reported_deceased("1.3.2010"), "1.3.2010", "marked_deceased", True, False),
]  # fmt: skip


@pytest.mark.parametrize("case", TAKEN_BACK, ids=str)
def test_what_is_taken_back_was_never_sent(case: Taken) -> None:
    sent = [*case.before, case.notice.under("slip")]
    annulled = [*sent, taken_back("slip", by=case.notice.sender)]
    for situation, expected in ((sent, case.with_it), (annulled, case.without)):
        for events in (recorded(situation), recorded(situation)[::-1]):
            told = on_day(timeline(events), day(case.on))
            assert told is not None
            assert getattr(told, case.asked) == expected
    # As if never sent, for every day: the stretches are those of a history without it.
    if case.before:
        assert timeline(recorded(annulled)) == timeline(recorded(case.before))


def test_another_senders_annulment_of_the_same_id_takes_nothing_back() -> None:
    for case in TAKEN_BACK:
        if case.notice.sender != CEC:
            own = recorded([*case.before, case.notice.under("slip")])
            other = recorded([reported_deceased("1.1.1900").under("slip"), taken_back("slip", by=CEC)])
            assert live([*own, *other]) == own, case


def test_a_replacement_taken_back_parts_the_numbers_for_all_days() -> None:
    old, new = UUID(int=10), UUID(int=20)
    link = replaced_by(NEW_NUMBER, "1.6.2010").under("slip")
    sent = [*AMRA_IN_BIHAC, citizen(jmb=NEW_NUMBER), link, taken_back("slip", by=link.sender)]
    streams: dict[UUID, list[object]] = {old: [], new: []}
    for event in recorded(sent, about={AMRA: old, NEW_NUMBER: new}):
        streams[event.stream].append(event)
    assert set(persons(streams)) == {old, new}  # type: ignore[arg-type]


def station(code: str, on: str, **catchment: str) -> Sent:
    told = PollingStation(
        code=code,
        municipality=BIHAC,
        name="Osnovna škola",
        address="Trg 1",
        kind="regular",
        catchment=(CatchmentEntry(**catchment),),  # type: ignore[arg-type]
        effective_on=day(on),
    )
    return Sent(f"municipal-commission:{BIHAC}", told)


def abolished(code: str, on: str) -> Sent:
    told = PollingStationAbolished(code=code, municipality=BIHAC, effective_on=day(on))
    return Sent(f"municipal-commission:{BIHAC}", told)


STATIONS: list[tuple[list[Sent], Sent, str | None, str | None]] = [
    ([station("001", "1.1.2020")], station("002", "1.6.2020", settlement="Grad"), "002", "001"),
    ([station("001", "1.1.2020")], station("001", "1.6.2020", settlement="Selo"), None, "001"),
    ([station("001", "1.1.2020")], abolished("001", "1.6.2020"), None, "001"),
]


@pytest.mark.parametrize(("before", "notice", "with_it", "without"), STATIONS, ids=["new", "changed", "abolished"])
def test_a_station_taken_back_covers_nothing(
    before: list[Sent], notice: Sent, with_it: str | None, without: str | None
) -> None:
    sent = [*before, notice.under("slip")]
    annulled = [*sent, taken_back("slip", by=notice.sender)]
    for situation, expected in ((sent, with_it), (annulled, without)):
        there = station_on(covering(live(recorded(situation)), Address(BIHAC, "Grad")), day("1.7.2020"))
        assert there is not None
        assert there.station == expected


def test_a_control_total_taken_back_counts_nothing() -> None:
    total = Sent(COURT, ControlTotal(day=day("1.3.2026"), sent={"ba.cvr.voting-barred.v1": 1}), id="total")
    assert live(recorded([total, taken_back("total", by=COURT)])) == []


def test_the_table_has_every_type_that_can_be_taken_back() -> None:
    of_persons: set[type[AnyData]] = {type(case.notice.data) for case in TAKEN_BACK}
    assert of_persons | {PollingStation, PollingStationAbolished, ControlTotal, Annulment} == set(NOTICE_TYPES)
