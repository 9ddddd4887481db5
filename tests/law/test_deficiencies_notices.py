"""Residences ended and voting options: situations with what is established, and near misses in which nothing must be.

See test_deficiencies.py.
"""

from __future__ import annotations

import pytest

from register.law.deficiencies.persons import PERSONAL_KINDS
from tests.law import test_deficiencies_persons
from tests.law.situations import (
    AMRA_IN_BIHAC,
    BANJA_LUKA,
    BIHAC,
    CEC,
    TUZLA,
    barred,
    commission,
    left,
    lives_in,
    option,
    refugee_of,
    reported_deceased,
)
from tests.law.test_deficiencies import BIRTH, HOME, Case, says

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
    Case(
        "Bihać registers her at another address and ends the former one on the same day: she is left without residence",
        [
            *AMRA_IN_BIHAC,
            lives_in(BIHAC, "1.6.2010").under("moved"),
            left(BIHAC, "1.6.2010").under("end"),
        ],
        [("residence-ended-at-once", f"residence-authority:{BIHAC}", "moved end")],
        "R7",
    ),
    Case(
        "near: the former one ended the day before",
        [*AMRA_IN_BIHAC, left(BIHAC, "31.5.2010"), lives_in(BIHAC, "1.6.2010")],
        [],
        "R7",
    ),
    Case(
        "near: registered anew since, or moved away",
        [*AMRA_IN_BIHAC, lives_in(BIHAC, "1.6.2010"), left(BIHAC, "1.6.2010"), lives_in(TUZLA, "2.6.2010")],
        [],
        "R7",
    ),
    Case(
        "near: she left later as well",
        [*AMRA_IN_BIHAC, lives_in(BIHAC, "1.6.2010"), left(BIHAC, "1.6.2010"), left(BIHAC, "1.9.2010")],
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

ALL = [*RESIDENCES, *OPTIONS, *LATE]


@pytest.mark.parametrize("case", ALL, ids=str)
def test_a_situation(case: Case) -> None:
    says(case)


def test_every_kind_about_persons_has_its_situations() -> None:
    told = {kind for case in (*ALL, *test_deficiencies_persons.ALL) for kind, *_ in case.found}
    assert told | {"ahead-of-time"} == PERSONAL_KINDS
