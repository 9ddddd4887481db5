"""Deficiencies about a person, told as situations: how a situation is written, keys, days, and the table of kinds.

The situations themselves are in test_deficiencies_persons.py and test_deficiencies_notices.py. Unless one says
otherwise all was recorded on 1 April 2026 and it is asked on 1 June 2026.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import msgspec
import pytest

from register.law.deficiencies import addresses, between, gaps, identity, notices, persons
from register.law.deficiencies.kinds import KINDS, Finding
from register.law.deficiencies.persons import about_person
from register.law.events import AboutPerson, Citizen, ElectionCalled, Event, PersonalData
from register.law.index import INDEX, name_of
from register.law.personal_number import make
from tests.law.situations import (
    AMRA,
    AMRA_IN_BIHAC,
    BANJA_LUKA,
    BIHAC,
    BRCKO,
    NEW_NUMBER,
    THIRD_NUMBER,
    TUZLA,
    Sent,
    citizen,
    day,
    left,
    lives_in,
    option,
    recorded,
    replaced_by,
    taken_back,
)
from tests.law.test_index import cited

ABOUT = {AMRA: UUID(int=1), NEW_NUMBER: UUID(int=2), THIRD_NUMBER: UUID(int=3)}
OF_A_MAN = make(date(1980, 5, 1), 16, 0) or make(date(1980, 5, 1), 16, 1) or ""
OF_1981 = make(date(1981, 5, 1), 16, 750) or make(date(1981, 5, 1), 16, 751) or ""
OF_A_CHILD = make(date(2008, 5, 2), 16, 750) or make(date(2008, 5, 2), 16, 751) or ""
BORN_1915 = make(date(1915, 6, 1), 16, 750) or make(date(1915, 6, 1), 16, 751) or ""
ABOUT |= {OF_A_MAN: UUID(int=4), OF_1981: UUID(int=5), OF_A_CHILD: UUID(int=6), BORN_1915: UUID(int=7)}

#: The general elections of 2026 (options until 21 July, conclusion 20 August) and an early one in Bihać.
GENERAL = ElectionCalled(
    election="general-2026", kind="general", early=False, day=date(2026, 10, 4), called_on=date(2026, 5, 5)
)
EARLY = ElectionCalled(
    election="early-bihac",
    kind="local",
    early=True,
    day=date(2026, 3, 29),
    called_on=date(2026, 2, 1),
    options_until=date(2026, 2, 20),
    municipalities=(BIHAC,),
)


@dataclass(frozen=True)
class Case:
    """A situation; ``found`` names kind, authority and the notices (by id or place) that show it; empty: nothing."""

    situation: str
    sent: Sequence[Sent]
    found: Sequence[tuple[str, str, str]]
    article: str
    on: str = "1.6.2026"
    figures: tuple[tuple[str, int], ...] = ()

    def __str__(self) -> str:
        return f"{self.article}: {self.situation}"


def streams_of(events: Sequence[Event]) -> dict[UUID, list[Event]]:
    streams: dict[UUID, list[Event]] = {}
    for event in events:
        streams.setdefault(event.stream, []).append(event)
    return streams


def look(sent: Sequence[Sent], on: str = "1.6.2026") -> tuple[list[Finding], list[Event]]:
    events = recorded(sent, about=ABOUT)
    return about_person(streams_of(events), day(on), [GENERAL, EARLY]), events


def named(sent: Sent, **names: str) -> Sent:
    assert isinstance(sent.data, Citizen | PersonalData)
    return Sent(sent.sender, msgspec.structs.replace(sent.data, **names), sent.id, sent.at)


def about_number(sent: Sent, jmb: str) -> Sent:
    assert isinstance(sent.data, AboutPerson)
    return Sent(sent.sender, msgspec.structs.replace(sent.data, jmb=jmb), sent.id, sent.at)


BIRTH, HOME = AMRA_IN_BIHAC
OTHER_OFFICE = "registry-office:20010"
LEJLA = named(citizen(by=OTHER_OFFICE), surname="Kovač", given_name="Lejla").under("lejla")


def says(case: Case) -> None:
    """Exactly what the case expects is established, and it ends when the sender takes back what shows it."""
    found, events = look(case.sent, case.on)
    place = {event.position: event.id for event in events}
    expected = {(kind, authority, frozenset(shown.split())) for kind, authority, shown in case.found}
    assert {(f.kind, f.authority, frozenset(place[p] for p in f.evidence)) for f in found} == expected
    if case.figures:
        assert [tuple(f.figures.items()) for f in found] == [case.figures]
    for wrong in found:
        assert KINDS[wrong.kind].sentence.format(**wrong.figures)
        shown = [sent for sent, event in zip(case.sent, events, strict=True) if event.position in wrong.evidence]
        back = [taken_back(sent.id or "", by=sent.sender) for sent in shown]
        after, _ = look([*case.sent, *back], case.on)
        assert (wrong.kind, wrong.evidence) not in [(f.kind, f.evidence) for f in after]


@pytest.mark.parametrize(("ahead", "found"), [(timedelta(minutes=5), []), (timedelta(minutes=61), [61])], ids=str)
def test_a_notice_sent_after_it_was_received(ahead: timedelta, found: list[int]) -> None:
    """Clocks differ by minutes; one that is an hour ahead would win against what is really sent later (R-tie)."""
    birth, home = recorded(AMRA_IN_BIHAC)
    early = msgspec.structs.replace(home, time=home.recorded_at + ahead)
    said = about_person({UUID(int=1): [birth, early]}, day("1.6.2026"), [])
    assert [f.figures["minutes"] for f in said] == found
    assert [(f.kind, f.authority) for f in said] == [("ahead-of-time", f"residence-authority:{BIHAC}")] * len(found)


# --- keys -------------------------------------------------------------------------------------------------------------


def test_the_same_fault_keeps_its_key_whatever_comes_later() -> None:
    """More notices, a move, a replacement of the number: who was waited for is waited for under the same key."""
    history = [
        lives_in(BRCKO, "1.5.1998").under("home"),
        BIRTH,
        lives_in(BRCKO, "1.1.2020"),
        replaced_by(NEW_NUMBER, "1.1.2021"),
        lives_in(BRCKO, "1.1.2022", jmb=NEW_NUMBER),
        option("in-person-1991", "1.1.2023", of_1991=BRCKO),
    ]
    keys = [[f.key for f in look(history[:n])[0] if f.kind == "no-entity-option"] for n in range(2, len(history) + 1)]
    assert keys == [[str(UUID(int=1))]] * len(keys)


def test_two_faults_of_one_kind_have_two_keys() -> None:
    found, _ = look([*AMRA_IN_BIHAC, left(TUZLA, "1.6.2010").under("one"), left(BANJA_LUKA, "1.6.2010").under("two")])
    stream = UUID(int=1)
    assert [f.key for f in found] == [
        f"{stream}:urn:cvr:authority:residence-authority:{TUZLA} one",
        f"{stream}:urn:cvr:authority:residence-authority:{BANJA_LUKA} two",
    ]


def test_one_option_may_be_late_for_two_elections() -> None:
    local = msgspec.structs.replace(GENERAL, election="local-2026", kind="local")
    events = recorded([*AMRA_IN_BIHAC, option("mail", "22.7.2026")])
    found = about_person({UUID(int=1): events}, day("1.6.2026"), [GENERAL, local])
    assert [f.key.rsplit(" ", 1)[1] for f in found] == ["general-2026", "local-2026"]


def test_nothing_is_found_about_nobody() -> None:
    assert about_person({}, day("1.6.2026"), []) == []
    assert look([LEJLA, taken_back("lejla", by=OTHER_OFFICE)])[0] == []


def test_one_who_comes_back_to_brcko_is_waited_for_anew() -> None:
    """She lived there long ago; the notice of her return came on 20 May."""
    events = recorded([*AMRA_IN_BIHAC, lives_in(BRCKO, "1.1.1990"), lives_in(BRCKO, "20.5.2026")])
    back = msgspec.structs.replace(events[-1], recorded_at=datetime(2026, 5, 20, 12, tzinfo=UTC))
    streams = {UUID(int=1): [*events[:-1], back]}
    assert [[f.kind for f in about_person(streams, day(on), [])] for on in ("18.6.2026", "19.6.2026")] == [
        [],
        ["no-entity-option"],
    ]


def test_waiting_ends_at_the_end_of_a_day_of_sarajevo() -> None:
    """What was recorded on 31 March at 23:30 UTC was recorded on 1 April in Sarajevo."""
    (birth,) = recorded([BIRTH])
    birth = msgspec.structs.replace(birth, recorded_at=datetime(2026, 3, 31, 23, 30, tzinfo=UTC))
    streams = {UUID(int=1): [birth]}
    assert [len(about_person(streams, day(on), [])) for on in ("30.4.2026", "1.5.2026")] == [0, 1]


# --- the table --------------------------------------------------------------------------------------------------------


def test_the_rules_stand_in_the_laws_index() -> None:
    for module in (persons, identity, notices, gaps, between, addresses):
        for _, function in inspect.getmembers(module, inspect.isfunction):
            if function.__module__ == module.__name__ and not function.__name__.startswith("_"):
                indexed = {p.cite for p in INDEX if function in p.functions}
                assert cited(function.__doc__ or "") == indexed, name_of(function)
