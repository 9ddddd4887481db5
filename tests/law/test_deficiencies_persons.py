"""Deficiencies about a person, one situation each: what was sent, the day, what is established, and what must not be.

Unless a line says otherwise all was recorded on 1 April 2026 and it is asked on 1 June 2026.
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
from register.law.deficiencies.persons import PERSONAL_KINDS, about_person
from register.law.events import AboutPerson, Citizen, ElectionCalled, Event, PersonalData, ResidenceEnded
from register.law.index import INDEX, name_of
from register.law.personal_number import make
from tests.law.situations import (
    AMRA,
    AMRA_IN_BIHAC,
    BANJA_LUKA,
    BIHAC,
    BRCKO,
    CEC,
    NEW_NUMBER,
    REGISTRY,
    THIRD_NUMBER,
    TUZLA,
    Sent,
    abroad,
    bar_ended,
    barred,
    capacity_restored,
    capacity_withdrawn,
    citizen,
    citizen_of_bih_and,
    citizenship_ended,
    commission,
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
from tests.law.test_index import cited

ABOUT = {AMRA: UUID(int=1), NEW_NUMBER: UUID(int=2), THIRD_NUMBER: UUID(int=3)}
OF_A_MAN = make(date(1980, 5, 1), 16, 0) or make(date(1980, 5, 1), 16, 1) or ""
OF_1981 = make(date(1981, 5, 1), 16, 750) or make(date(1981, 5, 1), 16, 751) or ""
OF_A_CHILD = make(date(2008, 5, 2), 16, 750) or make(date(2008, 5, 2), 16, 751) or ""
ABOUT |= {OF_A_MAN: UUID(int=4), OF_1981: UUID(int=5), OF_A_CHILD: UUID(int=6)}

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

TWO_UNDER_ONE = [
    Case(
        "another woman, born on the same day, is recorded under her number by another office",
        [BIRTH, HOME, LEJLA],
        [("two-under-one-number", OTHER_OFFICE, "birth lejla")],
        "Art. 3.5(6)",
    ),
    Case(
        "the order in which the two came plays no part: R-tie says whose notice is the last",
        [LEJLA, BIRTH, HOME],
        [("two-under-one-number", OTHER_OFFICE, "birth lejla")],
        "Art. 3.5(6)",
    ),
    Case(
        "the same names, and another day of birth",
        [BIRTH, HOME, citizen(born="11.5.1980").under("second")],
        [
            ("two-under-one-number", REGISTRY, "birth second"),
            ("number-disagrees", REGISTRY, "second"),
            ("before-birth", REGISTRY, "birth"),
            ("before-birth", REGISTRY, "second"),
        ],
        "Art. 3.5(6)",
    ),
    Case("one of the two is annulled", [BIRTH, HOME, LEJLA, taken_back("lejla", by=OTHER_OFFICE)], [], "3.13"),
    Case("near: recorded twice, alike", [BIRTH, HOME, citizen(by=OTHER_OFFICE)], [], "Art. 3.5(6)"),
    Case(
        "near: recorded again after a marriage: the surname alone is another",
        [BIRTH, HOME, named(citizen(), surname="Hadžić")],
        [],
        "Art. 3.5(6)",
    ),
    Case(
        "near: the same name in Cyrillic, without diacritics, surname and given name in each other's place",
        [BIRTH, HOME, named(citizen(), surname="АМРА", given_name="BEGIC")],
        [],
        "Art. 3.5(6)",
    ),
    Case(
        "near: a double surname and a second given name",
        [BIRTH, HOME, named(citizen(), surname="Kovač-Begić", given_name="Amra Lejla")],
        [],
        "Art. 3.5(6)",
    ),
    Case(
        "near: both names were changed by a notice of personal data, and the office recorded her again under them",
        [BIRTH, HOME, named(personal_data("1.2.2010", surname="Kovač"), given_name="Lejla"), LEJLA],
        [],
        "Art. 3.5(3)1",
    ),
    Case(
        "near: the day of birth was corrected, and the citizen sent again as corrected",
        [citizen("1.5.1981", born="1.5.1981"), HOME, personal_data("1.2.2010", born="1.5.1980"), citizen("1.5.1981")],
        [],
        "Art. 3.5(3)1",
    ),
    Case(
        "near: another person's name under another number of the same person is no fault of either number",
        [BIRTH, HOME, about_number(LEJLA, NEW_NUMBER), replaced_by(NEW_NUMBER, "1.1.2020")],
        [],
        "Art. 3.5(3)2",
    ),
]

NUMBERS = [
    Case(
        "her number is that of a man",
        [about_number(BIRTH, OF_A_MAN), about_number(HOME, OF_A_MAN)],
        [("number-disagrees", REGISTRY, "birth")],
        "Art. 3.5(6)",
    ),
    Case(
        "her number says she was born a year later; a correction of the day of birth is the last word",
        [about_number(BIRTH, OF_1981), about_number(HOME, OF_1981),
         about_number(personal_data("1.2.2010", born="1.5.1982"), OF_1981).under("word")],
        [("number-disagrees", REGISTRY, "word"), ("before-birth", REGISTRY, "birth")],
        "Art. 3.5(6)",
    ),
    Case(
        "a replacement by a number of another day of birth: it is the replacement that must be looked at",
        [BIRTH, HOME, replaced_by(OF_1981, "1.1.2020").under("link")],
        [("number-disagrees", REGISTRY, "birth link")],
        "Art. 3.5(6)",
    ),
    Case(
        "near: that replacement has not taken effect yet",
        [BIRTH, HOME, replaced_by(OF_1981, "1.7.2026")],
        [],
        "Art. 3.5(6)",
    ),
    Case(
        "near: the wrong number was replaced by the right one",
        [about_number(BIRTH, OF_1981), about_number(HOME, OF_1981), replaced_by(AMRA, "1.1.2020", jmb=OF_1981)],
        [],
        "Art. 3.5(3)2",
    ),
    Case(
        "a replacement joins her to a woman born a year later",
        [BIRTH, HOME, replaced_by(OF_1981, "1.1.2020").under("link"),
         citizen("1.5.1981", born="1.5.1981", jmb=OF_1981).under("other"), lives_in(TUZLA, "1.6.2000", jmb=OF_1981)],
        [("numbers-disagree", f"residence-authority:{BIHAC}", "birth link other")],
        "Art. 3.5(3)2",
    ),
    Case(
        "near: until they agree",
        [BIRTH, HOME, replaced_by(NEW_NUMBER, "1.1.2020"), citizen(jmb=NEW_NUMBER)],
        [],
        "Art. 3.5(3)2",
    ),
]  # fmt: skip

BORN_1915 = make(date(1915, 6, 1), 16, 750) or make(date(1915, 6, 1), 16, 751) or ""
ABOUT |= {BORN_1915: UUID(int=7)}
OLD = (
    citizen("1.6.1915", born="1.6.1915", jmb=BORN_1915).under("birth"),
    lives_in(BIHAC, "1.6.1950", jmb=BORN_1915),
)

AGES = [
    Case("on the 111th birthday", OLD, [("over-110", REGISTRY, "birth")], "Art. 3.5(6)", figures=(("age", 111),)),
    Case("near: on the day before she is 110 years old", OLD, [], "Art. 3.5(6)", on="31.5.2026"),
    Case(
        "near: she died, late as the notice came",
        [*OLD, about_number(death("1.6.1990"), BORN_1915)],
        [],
        "Art. 3.5(3)1 c",
    ),
    Case(
        "a residence before she was born",
        [BIRTH, lives_in(BIHAC, "30.4.1980").under("early")],
        [("before-birth", f"residence-authority:{BIHAC}", "early")],
        "Art. 3.5(6)",
    ),
    Case("near: from the day of birth on", [BIRTH, lives_in(BIHAC, "1.5.1980")], [], "Art. 3.5(6)"),
]

DIED = death("1.3.2020").under("death")
AFTER_DEATH = [
    Case(
        f"after her death she {what}",
        [BIRTH, HOME, DIED, sent.under("after")],
        [("after-death", sent.sender, "after death")],
        "Art. 3.5(3)1 c",
    )
    for what, sent in {
        "moves": lives_in(TUZLA, "2.3.2020"),
        "applies to vote by mail": option("mail", "2.3.2020"),
        "chooses an entity": entity_option("RS", "2.3.2020"),
        "loses her legal capacity": capacity_withdrawn("2.3.2020"),
        "gets it back": capacity_restored("2.3.2020"),
        "is barred": barred("1.7", "2.3.2020"),
        "takes another citizenship": citizen_of_bih_and("AT", on="2.3.2020"),
        "becomes a refugee": refugee_of(TUZLA, "2.3.2020"),
        "becomes a citizen": citizen("2.3.2020"),
    }.items()
] + [
    Case(f"near: {what}", [BIRTH, HOME, DIED, *sent], [], "Art. 3.5(3)1 c")
    for what, sent in {
        "a move on the day of the death": [lives_in(TUZLA, "1.3.2020")],
        "her residence is ended after it": [left(BIHAC, "20.3.2020")],
        "a commission reports the death": [reported_deceased("2.3.2020", by=commission(BIHAC))],
        "another office reports it too, with a later day": [death("3.3.2020")],
        "her citizenship is ended": [citizenship_ended("2.3.2020")],
        "a bar of her lifetime ends": [barred("1.7", "1.1.2020").under("bar"), bar_ended("bar", "1.1.2021")],
        "her name is corrected": [personal_data("2.4.2020", surname="Begović")],
    }.items()
]  # fmt: skip

CAME_BACK = Sent(f"residence-authority:{BIHAC}", ResidenceEnded(jmb=AMRA, effective_on=day("1.1.2010"), kind="abroad"))
MISSING = [
    Case(
        "a residence, and after thirty days no citizen",
        [lives_in(BIHAC, "1.5.1998").under("home")],
        [("residence-without-citizen", f"registry-office:{BIHAC}", "home")],
        "Art. 3.5(3)1",
        on="1.5.2026",
    ),
    Case("near: on the thirtieth day", [lives_in(BIHAC, "1.5.1998")], [], "Art. 3.5(3)1", on="30.4.2026"),
    Case(
        "she moves: it is for the office of the new municipality",
        [lives_in(BIHAC, "1.5.1998"), lives_in(TUZLA, "1.5.2020").under("now")],
        [("residence-without-citizen", f"registry-office:{TUZLA}", "now")],
        "Art. 3.5(3)1",
    ),
    Case(
        "near: a child by her number; offices report citizens of 18 years",
        [lives_in(BIHAC, "1.5.2010", jmb=OF_A_CHILD)],
        [],
        "Art. 3.5(3)1 b",
        on="31.5.2026",
    ),
    Case(
        "thirty days after the 18th birthday",
        [lives_in(BIHAC, "1.5.2010", jmb=OF_A_CHILD).under("home")],
        [("residence-without-citizen", f"registry-office:{BIHAC}", "home")],
        "Art. 3.5(3)1 b",
        on="1.6.2026",
    ),
    Case("near: the residence was ended", [lives_in(BIHAC, "1.5.1998"), left(BIHAC, "1.5.2020")], [], "Art. 3.5(3)1"),
    Case("near: a temporary residence alone", [lives_in(BIHAC, "1.5.1998", kind="temporary")], [], "Art. 3.5(3)1"),
    Case("near: she died unrecorded", [lives_in(BIHAC, "1.5.1998"), death("1.1.2020")], [], "Art. 3.5(3)1 c"),
    Case(
        "near: she is a citizen no more",
        [lives_in(BIHAC, "1.5.1998"), citizenship_ended("1.1.2020")],
        [],
        "Art. 3.5(3)3",
    ),
    Case(
        "a citizen, and after thirty days no residence",
        [BIRTH],
        [("citizen-without-residence", f"residence-authority:{BIHAC}", "birth")],
        "Art. 3.5(3)2",
        on="1.5.2026",
    ),
    Case("near: on the thirtieth day", [BIRTH], [], "Art. 3.5(3)2", on="30.4.2026"),
    Case(
        "a student's temporary residence is not enough",
        [BIRTH, lives_in(TUZLA, "1.10.1999", kind="temporary")],
        [("citizen-without-residence", f"residence-authority:{BIHAC}", "birth")],
        "Art. 3.3",
    ),
    Case("near: she stays abroad", [BIRTH, abroad("1.1.2000")], [], "Art. 3.3"),
    Case(
        "she came back from abroad",
        [BIRTH, abroad("1.1.2000"), CAME_BACK],
        [("citizen-without-residence", f"residence-authority:{BIHAC}", "birth")],
        "Art. 3.3",
    ),
    Case("near: a refugee", [BIRTH, refugee_of(TUZLA, "1.1.2000")], [], "Art. 3.2 d"),
    Case(
        "a refugee no more",
        [BIRTH, refugee_of(TUZLA, "1.1.2000"), refugee_no_more("1.1.2010")],
        [("citizen-without-residence", f"residence-authority:{BIHAC}", "birth")],
        "Art. 3.2 d",
    ),
    Case("near: a residence was once reported, and ended", [*AMRA_IN_BIHAC, left(BIHAC, "1.1.2020")], [], "Art. 3.3"),
    Case(
        "near: a child",
        [citizen("2.5.2008", born="2.5.2008", jmb=OF_A_CHILD)],
        [],
        "Art. 1.4",
        on="31.5.2026",
    ),
]

RESIDENCES = [
    Case(
        "Tuzla ends a residence of hers; she lives in Bihać",
        [*AMRA_IN_BIHAC, left(TUZLA, "1.6.2010").under("end")],
        [("end-of-another-residence", f"residence-authority:{TUZLA}", "home end")],
        "R7",
    ),
    Case(
        "Bihać ends the residence two days after she moved to Tuzla",
        [*AMRA_IN_BIHAC, lives_in(TUZLA, "1.6.2010").under("moved"), left(BIHAC, "3.6.2010").under("end")],
        [("end-of-another-residence", f"residence-authority:{BIHAC}", "moved end")],
        "R7",
    ),
    Case(
        "near: an ordinary move: the end on the day of the arrival",
        [*AMRA_IN_BIHAC, lives_in(TUZLA, "1.6.2010"), left(BIHAC, "1.6.2010")],
        [],
        "R7",
    ),
    Case(
        "near: an ordinary move: the end before the arrival, whichever came first",
        [BIRTH, left(BIHAC, "31.5.2010"), lives_in(TUZLA, "1.6.2010"), HOME],
        [],
        "R7",
    ),
    Case("near: ended twice", [*AMRA_IN_BIHAC, left(BIHAC, "1.6.2010"), left(BIHAC, "3.6.2010")], [], "R7"),
    Case(
        "near: the end of a temporary residence elsewhere",
        [*AMRA_IN_BIHAC, left(TUZLA, "1.6.2010", kind="temporary")],
        [],
        "R7",
    ),
]

OPTIONS = [
    Case(
        "an application by mail after her residence ended",
        [*AMRA_IN_BIHAC, left(BIHAC, "1.6.2010"), option("mail", "2.6.2010").under("mail")],
        [("option-without-residence", CEC, "mail")],
        "Art. 1.5(2)",
    ),
    Case(
        "near: on the day before it ended",
        [*AMRA_IN_BIHAC, left(BIHAC, "1.6.2010"), option("mail", "31.5.2010")],
        [],
        "Art. 1.5(2)",
    ),
    Case("near: a refugee", [BIRTH, refugee_of(TUZLA, "1.1.2000"), option("mail", "2.6.2010")], [], "Art. 20.8(6)"),
    Case(
        "near: in person in a municipality of 1991: needs none",
        [*AMRA_IN_BIHAC, left(BIHAC, "1.6.2010"), option("in-person-1991", "2.6.2010", of_1991=TUZLA)],
        [],
        "Art. 20.8",
    ),
    Case(
        "the commission of Tuzla reports an option of a voter of Bihać",
        [*AMRA_IN_BIHAC, option("mail", "2.6.2010", by=commission(TUZLA)).under("mail")],
        [("foreign-commission", commission(TUZLA), "mail")],
        "Art. 3.5(3)5",
    ),
    Case(
        "the commission of Tuzla reports the death of a voter of Bihać",
        [*AMRA_IN_BIHAC, reported_deceased("2.6.2010", by=commission(TUZLA)).under("report")],
        [("foreign-commission", commission(TUZLA), "report")],
        "Art. 3.5(3)5",
    ),
    Case(
        "near: she stays in Tuzla for a time",
        [*AMRA_IN_BIHAC, lives_in(TUZLA, "1.1.2010", kind="temporary"),
         option("mail", "2.6.2010", by=commission(TUZLA))],
        [],
        "Art. 3.5(3)5",
    ),
    Case(
        "near: she counts in Tuzla by her option of before",
        [*AMRA_IN_BIHAC, option("in-person-1991", "1.1.2010", of_1991=TUZLA),
         option("regular", "2.6.2010", by=commission(TUZLA))],
        [],
        "Art. 3.5(3)5",
    ),
    Case(
        "near: the commission of Bihać, with an option for any municipality of 1991",
        [*AMRA_IN_BIHAC, option("absentee-1991", "2.6.2010", of_1991=BANJA_LUKA, by=commission(BIHAC))],
        [],
        "Art. 3.5(3)5",
    ),
    Case("near: the CEC", [*AMRA_IN_BIHAC, reported_deceased("2.6.2010")], [], "Art. 3.5(3)5"),
]  # fmt: skip

LATE = [
    Case(
        "an application by mail a day after E-75",
        [*AMRA_IN_BIHAC, option("mail", "22.7.2026").under("late")],
        [("late-option", CEC, "late")],
        "Art. 3.6",
    ),
    Case("near: on E-75", [*AMRA_IN_BIHAC, option("mail", "21.7.2026")], [], "Art. 3.6"),
    Case(
        "for this election, on election day",
        [*AMRA_IN_BIHAC, option("mail", "4.10.2026", election="general-2026").under("late")],
        [("late-option", CEC, "late")],
        "Art. 3.6",
    ),
    Case("near: on the day after it", [*AMRA_IN_BIHAC, option("mail", "5.10.2026")], [], "Art. 3.6"),
    Case(
        "near: for another election",
        [*AMRA_IN_BIHAC, option("mail", "22.7.2026", election="local-2028")],
        [],
        "Art. 3.6",
    ),
    Case(
        "near: she votes by mail already, at that address",
        [*AMRA_IN_BIHAC, option("mail", "1.1.2020"), option("mail", "22.7.2026")],
        [],
        "Art. 3.6",
    ),
    Case(
        "she ends it too late",
        [*AMRA_IN_BIHAC, option("mail", "1.1.2020"), option("regular", "22.7.2026").under("late")],
        [("late-option", CEC, "late")],
        "Art. 3.6",
    ),
    Case("near: regular, which it is anyhow", [*AMRA_IN_BIHAC, option("regular", "22.7.2026")], [], "Art. 3.6"),
    Case("near: the mobile team", [*AMRA_IN_BIHAC, option("mobile-team", "22.7.2026")], [], "Art. 3.6"),
    Case(
        "near: a standing one, where one for this election decides",
        [*AMRA_IN_BIHAC, option("regular", "1.7.2026", election="general-2026"), option("mail", "22.7.2026")],
        [],
        "Art. 3.6",
    ),
    Case(
        "near: not on the roll: barred",
        [*AMRA_IN_BIHAC, barred("1.7", "1.1.2026"), option("mail", "22.7.2026")],
        [],
        "Art. 1.7",
    ),
    Case(
        "near: not made at all, by a commission that it does not concern",
        [*AMRA_IN_BIHAC, option("mail", "22.7.2026", by=commission(TUZLA)).under("foreign")],
        [("foreign-commission", commission(TUZLA), "foreign")],
        "Art. 3.5(3)5",
    ),
    Case(
        "an early election: after the last day its call sets",
        [*AMRA_IN_BIHAC, option("mail", "21.2.2026").under("late")],
        [("late-option", CEC, "late")],
        "Art. 3.6",
    ),
    Case(
        "near: a voter of Tuzla, where it is not held",
        [BIRTH, lives_in(TUZLA, "1.5.1998"), option("mail", "21.2.2026")],
        [],
        "Art. 3.6",
    ),
]

IN_BRCKO = (BIRTH, lives_in(BRCKO, "1.5.1998").under("home"))
BRCKO_AUTHORITY = f"residence-authority:{BRCKO}"
ENTITIES = [
    Case(
        "a voter of Brčko, and after thirty days no entity option",
        IN_BRCKO,
        [("no-entity-option", BRCKO_AUTHORITY, "home")],
        "U4",
        on="1.5.2026",
    ),
    Case("near: on the thirtieth day", IN_BRCKO, [], "U4", on="30.4.2026"),
    Case("near: she chose", [*IN_BRCKO, entity_option("FBiH", "1.1.2020")], [], "U4"),
    Case("near: she counts elsewhere", [*IN_BRCKO, option("absentee-1991", "1.1.2020", of_1991=TUZLA)], [], "U4"),
    Case(
        "she counts in Brčko by her option",
        [*AMRA_IN_BIHAC, option("absentee-1991", "1.1.2020", of_1991=BRCKO).under("option")],
        [("no-entity-option", BRCKO_AUTHORITY, "option")],
        "U4",
    ),
    Case("near: not entered", [*IN_BRCKO, capacity_withdrawn("1.1.2020")], [], "U4"),
    Case(
        "she moves within Brčko: the same fault, no second wait",
        [*IN_BRCKO, lives_in(BRCKO, "1.1.2020").under("moved")],
        [("no-entity-option", BRCKO_AUTHORITY, "moved")],
        "U4",
    ),
]

ALL = [*TWO_UNDER_ONE, *NUMBERS, *AGES, *AFTER_DEATH, *MISSING, *RESIDENCES, *OPTIONS, *LATE, *ENTITIES]


@pytest.mark.parametrize("case", ALL, ids=str)
def test_a_situation(case: Case) -> None:
    found, events = look(case.sent, case.on)
    place = {event.position: event.id for event in events}
    expected = {(kind, authority, frozenset(shown.split())) for kind, authority, shown in case.found}
    assert {(f.kind, f.authority, frozenset(place[p] for p in f.evidence)) for f in found} == expected
    if case.figures:
        assert [tuple(f.figures.items()) for f in found] == [case.figures]


@pytest.mark.parametrize("case", [case for case in ALL if case.found], ids=str)
def test_annulling_the_faulty_notice_ends_it(case: Case) -> None:
    """The sender takes back what shows the fault (later law 3.13); nothing of that kind is left of it."""
    found, events = look(case.sent, case.on)
    for wrong in found:
        shown = [sent for sent, event in zip(case.sent, events, strict=True) if event.position in wrong.evidence]
        back = [taken_back(sent.id or "", by=sent.sender) for sent in shown]
        after, _ = look([*case.sent, *back], case.on)
        assert (wrong.kind, wrong.evidence) not in [(f.kind, f.evidence) for f in after]


def test_every_kind_about_persons_has_its_situations() -> None:
    assert {kind for case in ALL for kind, *_ in case.found} | {"ahead-of-time"} == PERSONAL_KINDS


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


def test_waiting_ends_at_the_end_of_a_day_of_sarajevo() -> None:
    """What was recorded on 31 March at 23:30 UTC was recorded on 1 April in Sarajevo."""
    (birth,) = recorded([BIRTH])
    birth = msgspec.structs.replace(birth, recorded_at=datetime(2026, 3, 31, 23, 30, tzinfo=UTC))
    streams = {UUID(int=1): [birth]}
    assert [len(about_person(streams, day(on), [])) for on in ("30.4.2026", "1.5.2026")] == [0, 1]


# --- the table --------------------------------------------------------------------------------------------------------


def test_a_sentence_is_made_of_figures_alone() -> None:
    """No kind's sentence has room for a name, a number or an address."""
    found = [f for case in ALL for f in look(case.sent, case.on)[0]]
    assert all(KINDS[f.kind].sentence.format(**f.figures) for f in found)
    assert all(f.authority and f.persons and f.evidence for f in found)


def test_the_rules_stand_in_the_laws_index() -> None:
    for module in (persons, identity, notices, gaps, between, addresses):
        for _, function in inspect.getmembers(module, inspect.isfunction):
            if function.__module__ == module.__name__ and not function.__name__.startswith("_"):
                indexed = {p.cite for p in INDEX if function in p.functions}
                assert cited(function.__doc__ or "") == indexed, name_of(function)
