"""Who somebody is, how old, dead or alive, and what was not reported: situations with what is established, and near
misses in which nothing must be. See test_deficiencies.py.
"""

from __future__ import annotations

import pytest

from register.law.events import ResidenceEnded
from tests.law.situations import (
    AMRA,
    AMRA_IN_BIHAC,
    BIHAC,
    BRCKO,
    NEW_NUMBER,
    REGISTRY,
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
    refugee_no_more,
    refugee_of,
    replaced_by,
    reported_deceased,
    taken_back,
)
from tests.law.test_deficiencies import (
    BIRTH,
    BORN_1915,
    HOME,
    LEJLA,
    OF_1981,
    OF_A_CHILD,
    OF_A_MAN,
    OTHER_OFFICE,
    Case,
    about_number,
    named,
    says,
)

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

ALL = [*TWO_UNDER_ONE, *NUMBERS, *AGES, *AFTER_DEATH, *MISSING, *ENTITIES]


@pytest.mark.parametrize("case", ALL, ids=str)
def test_a_situation(case: Case) -> None:
    says(case)
