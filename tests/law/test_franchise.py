"""Who is entered in the register on a day, and why not: R1 to R8 of the law, each way, as dated situations."""

from __future__ import annotations

import pytest

from tests.law.situations import (
    AMRA_IN_BIHAC,
    BANJA_LUKA,
    BIHAC,
    COURT,
    MINISTRY,
    OTHER_COURT,
    REGISTRY,
    TUZLA,
    Case,
    abroad,
    bar_ended,
    barred,
    capacity_restored,
    capacity_withdrawn,
    check,
    citizen,
    citizen_of_bih_and,
    citizenship_ended,
    death,
    left,
    lives_in,
    personal_data,
    refugee_no_more,
    refugee_of,
    taken_back,
)

ENTERED = ()
HOME = lives_in(BIHAC, "1.1.1990")
BIRTH, AT_HOME = AMRA_IN_BIHAC

R1_R2 = [
    Case(
        "the registry office records her with effect from a day; before it she is not recorded, whatever her age",
        [citizen("1.3.2020"), HOME],
        {"29.2.2020": ("not-recorded",), "1.3.2020": ENTERED},
        "R1, Art. 3.5(3)1",
    ),
    Case(
        "nobody recorded her as a citizen: her age is not judged, her residence is",
        [HOME],
        {"1.1.1989": ("not-recorded", "no-residence"), "1.1.2020": ("not-recorded",)},
        "R1, Art. 3.2",
    ),
    Case(
        "she is entered on her 18th birthday, not the day before",
        [citizen(), HOME],
        {"30.4.1998": ("under-age",), "1.5.1998": ENTERED},
        "R2, Art. 1.4",
    ),
    Case(
        "born on 29 February, 18 in a year without one: on 28 February",
        [citizen(born="29.2.2004"), HOME],
        {"27.2.2022": ("under-age",), "28.2.2022": ENTERED},
        "R2, Art. 1.4",
    ),
    Case(
        "born on 1 March: on 1 March, also in a leap year, and not on 29 February",
        [citizen(born="1.3.2006"), HOME],
        {"29.2.2024": ("under-age",), "1.3.2024": ENTERED},
        "R2, Art. 1.4",
    ),
    Case(
        "the date of birth is corrected years later: the correction holds for all days",
        [citizen(), HOME, personal_data("1.6.2010", born="1.5.1981")],
        {"1.5.1998": ("under-age",), "30.4.1999": ("under-age",), "1.5.1999": ENTERED},
        "R2, rules: date of birth is not dated",
    ),
    Case(
        "the correction of the date of birth is taken back: the first statement holds again",
        [citizen(), HOME, personal_data("1.6.2010", born="1.5.1981").under("slip"), taken_back("slip", by=REGISTRY)],
        {"30.4.1998": ("under-age",), "1.5.1998": ENTERED},
        "R2, later law 3.13",
    ),
]

R3_R4 = [
    Case(
        "she dies: no longer entered from that day on",
        [*AMRA_IN_BIHAC, death("3.2.2024")],
        {"2.2.2024": ENTERED, "3.2.2024": ("deceased",), "1.1.2050": ("deceased",)},
        "R3, Art. 3.5(3)1 c",
    ),
    Case(
        "the registry office takes the death back: as if never sent",
        [*AMRA_IN_BIHAC, death("3.2.2024").under("death"), taken_back("death", by=REGISTRY)],
        {"3.2.2024": ENTERED, "1.1.2026": ENTERED},
        "R3, later law 3.13",
    ),
    Case(
        "two deaths are reported, the earlier one taken back: the later one stands",
        [*AMRA_IN_BIHAC, death("3.2.2024").under("one"), death("5.2.2024"), taken_back("one", by=REGISTRY)],
        {"4.2.2024": ENTERED, "5.2.2024": ("deceased",)},
        "R3, Art. 3.5(3)1 c",
    ),
    Case(
        "her citizenship of BiH ends, and is granted again",
        [*AMRA_IN_BIHAC, citizenship_ended("1.6.2015"), citizen_of_bih_and(on="1.6.2020")],
        {"31.5.2015": ENTERED, "1.6.2015": ("citizenship-ended",), "1.6.2020": ENTERED},
        "R4, Art. 3.5(3)3",
    ),
    Case(
        "the end of her citizenship is taken back",
        [*AMRA_IN_BIHAC, citizenship_ended("1.6.2015").under("end"), taken_back("end", by=MINISTRY)],
        {"1.6.2015": ENTERED},
        "R4, later law 3.13",
    ),
    Case(
        "end and grant on one day: the one sent later decides",
        [
            *AMRA_IN_BIHAC,
            citizen_of_bih_and(on="1.6.2015").sent_at("10:00"),
            citizenship_ended("1.6.2015").sent_at("09:30"),
        ],
        {"1.6.2015": ENTERED},
        "R4, R-tie",
    ),
]

R5 = [
    Case(
        "full capacity is withdrawn, later restored",
        [*AMRA_IN_BIHAC, capacity_withdrawn("1.2.2010"), capacity_restored("1.2.2012")],
        {"31.1.2010": ENTERED, "1.2.2010": ("legal-capacity-withdrawn",), "1.2.2012": ENTERED},
        "R5, Art. 3.2",
    ),
    Case(
        "a partial withdrawal changes nothing",
        [*AMRA_IN_BIHAC, capacity_withdrawn("1.2.2010", "partial")],
        {"1.2.2010": ENTERED},
        "R5, Art. 3.2",
    ),
    Case(
        "a partial withdrawal after a full one changes nothing either: full capacity stays withdrawn",
        [*AMRA_IN_BIHAC, capacity_withdrawn("1.2.2010"), capacity_withdrawn("1.2.2011", "partial")],
        {"1.2.2011": ("legal-capacity-withdrawn",)},
        "R5, Art. 3.2",
    ),
    Case(
        "the withdrawal is taken back",
        [*AMRA_IN_BIHAC, capacity_withdrawn("1.2.2010").under("w"), taken_back("w", by=COURT)],
        {"1.2.2010": ENTERED},
        "R5, later law 3.13",
    ),
    Case(
        "the restoration is taken back: withdrawn again",
        [
            *AMRA_IN_BIHAC,
            capacity_withdrawn("1.2.2010"),
            capacity_restored("1.2.2012").under("r"),
            taken_back("r", by=COURT),
        ],
        {"1.2.2012": ("legal-capacity-withdrawn",)},
        "R5, later law 3.13",
    ),
    Case(
        "withdrawn and restored on one day, the restoration sent first: withdrawn",
        [
            *AMRA_IN_BIHAC,
            capacity_restored("1.2.2010").sent_at("08:00"),
            capacity_withdrawn("1.2.2010").sent_at("12:00"),
        ],
        {"1.2.2010": ("legal-capacity-withdrawn",)},
        "R5, R-tie",
    ),
    Case(
        "one day, one time: the greater source decides, whatever the ids",
        [
            *AMRA_IN_BIHAC,
            capacity_withdrawn("1.2.2010").under("b"),
            capacity_restored("1.2.2010", by=OTHER_COURT).under("a"),
        ],
        {"1.2.2010": ENTERED},
        "R5, R-tie",
    ),
    Case(
        "one day, one time, one source: the greater id decides",
        [*AMRA_IN_BIHAC, capacity_withdrawn("1.2.2010").under("a"), capacity_restored("1.2.2010").under("b")],
        {"1.2.2010": ENTERED},
        "R5, R-tie",
    ),
]

R6 = [
    *(
        Case(
            f"a bar under Art. {ground}, and its end",
            [*AMRA_IN_BIHAC, barred(ground, "1.3.2005").under("bar"), bar_ended("bar", "1.3.2015")],
            {
                "28.2.2005": ENTERED,
                "1.3.2005": (f"barred-{ground}",),
                "28.2.2015": (f"barred-{ground}",),
                "1.3.2015": ENTERED,
            },
            f"R6, Art. {ground}",
        )
        for ground in ("1.6", "1.7", "1.7a")
    ),
    Case(
        "bars on all three grounds are reported together, in the order of the table",
        [
            *AMRA_IN_BIHAC,
            barred("1.7a", "1.3.2005"),
            barred("1.6", "1.3.2005"),
            barred("1.7", "1.3.2005"),
            death("1.4.2005"),
        ],
        {
            "1.3.2005": ("barred-1.6", "barred-1.7", "barred-1.7a"),
            "1.4.2005": ("deceased", "barred-1.6", "barred-1.7", "barred-1.7a"),
        },
        "R6, Art. 1.6, 1.7, 1.7a",
    ),
    Case(
        "two bars on one ground, one of them ended: the ground holds while any is in force",
        [
            *AMRA_IN_BIHAC,
            barred("1.7", "1.3.2005").under("first"),
            barred("1.7", "1.3.2006").under("second"),
            bar_ended("first", "1.3.2010"),
            bar_ended("second", "1.3.2012"),
        ],
        {"1.3.2010": ("barred-1.7",), "1.3.2012": ENTERED},
        "R6, Art. 1.7",
    ),
    Case(
        "the end has effect before its bar: the bar never comes into force",
        [*AMRA_IN_BIHAC, barred("1.7", "1.3.2005").under("bar"), bar_ended("bar", "1.2.2005")],
        {"1.3.2005": ENTERED, "1.3.2006": ENTERED},
        "R6, Art. 1.7",
    ),
    Case(
        "bar and end on one day: not in force, though the bar was sent later",
        [
            *AMRA_IN_BIHAC,
            barred("1.7", "1.3.2005").under("bar").sent_at("12:00"),
            bar_ended("bar", "1.3.2005").sent_at("08:00"),
        ],
        {"1.3.2005": ENTERED},
        "R6, Art. 1.7",
    ),
    Case(
        "an end that names a notice nobody sent ends nothing",
        [*AMRA_IN_BIHAC, barred("1.7", "1.3.2005").under("bar"), bar_ended("another", "1.3.2010")],
        {"1.3.2010": ("barred-1.7",)},
        "R6, Art. 1.7",
    ),
    Case(
        "another court ends the bar and names the court that sent it",
        [
            *AMRA_IN_BIHAC,
            barred("1.7", "1.3.2005").under("bar"),
            bar_ended("bar", "1.3.2010", by=OTHER_COURT, of_court=COURT),
        ],
        {"28.2.2010": ("barred-1.7",), "1.3.2010": ENTERED},
        "R6, contract 2",
    ),
    Case(
        "another court names only the id: that would be a bar of its own, so nothing ends",
        [*AMRA_IN_BIHAC, barred("1.7", "1.3.2005").under("bar"), bar_ended("bar", "1.3.2010", by=OTHER_COURT)],
        {"1.3.2010": ("barred-1.7",)},
        "R6, contract 2",
    ),
    Case(
        "the bar is taken back, the end remains: as if never barred",
        [
            *AMRA_IN_BIHAC,
            barred("1.7", "1.3.2005").under("bar"),
            bar_ended("bar", "1.3.2010"),
            taken_back("bar", by=COURT),
        ],
        {"1.3.2005": ENTERED, "1.3.2010": ENTERED},
        "R6, later law 3.13",
    ),
    Case(
        "the end is taken back: barred again",
        [
            *AMRA_IN_BIHAC,
            barred("1.7", "1.3.2005").under("bar"),
            bar_ended("bar", "1.3.2010").under("end"),
            taken_back("end", by=COURT),
        ],
        {"1.3.2010": ("barred-1.7",)},
        "R6, later law 3.13",
    ),
]

R7 = [
    Case(
        "she cancels her residence and moves in elsewhere a month later",
        [*AMRA_IN_BIHAC, left(BIHAC, "1.6.2010"), lives_in(TUZLA, "1.7.2010")],
        {"31.5.2010": ENTERED, "1.6.2010": ("no-residence",), "30.6.2010": ("no-residence",), "1.7.2010": ENTERED},
        "R7, Art. 1.5(1)",
    ),
    Case(
        "moved in and out on one day: no residence at the end of the day",
        [BIRTH, lives_in(TUZLA, "1.7.2010").sent_at("12:00"), left(TUZLA, "1.7.2010").sent_at("08:00")],
        {"1.7.2010": ("no-residence",)},
        "R7, Art. 1.5(1)",
    ),
    Case(
        "the old municipality reports the end late, after she moved: it changes nothing",
        [*AMRA_IN_BIHAC, lives_in(TUZLA, "1.7.2010"), left(BIHAC, "5.7.2010")],
        {"5.7.2010": ENTERED, "1.1.2020": ENTERED},
        "R7, Art. 1.5(1)",
    ),
    Case(
        "the end is dated before she moved in there: it ends an earlier stay, not this one",
        [BIRTH, left(BIHAC, "30.4.1998"), AT_HOME],
        {"1.5.1998": ENTERED},
        "R7, Art. 1.5(1)",
    ),
    Case(
        "the end of a temporary residence in the same municipality is no end of the permanent one",
        [*AMRA_IN_BIHAC, left(BIHAC, "1.6.2010", kind="temporary")],
        {"1.6.2010": ENTERED},
        "R7, Art. 1.5(1)",
    ),
    Case(
        "a temporary residence, at home or abroad, is none of R7; the permanent one stays beside it",
        [BIRTH, lives_in(TUZLA, "1.5.1998", kind="temporary"), lives_in(BIHAC, "1.6.1998"), abroad("1.7.1998")],
        {"1.5.1998": ("no-residence",), "1.6.1998": ENTERED, "1.7.1998": ENTERED},
        "R7, Art. 1.5(1), 1.5(2)",
    ),
    Case(
        "the end of her residence is taken back",
        [*AMRA_IN_BIHAC, left(BIHAC, "1.6.2010").under("end"), taken_back("end", by=f"residence-authority:{BIHAC}")],
        {"1.6.2010": ENTERED},
        "R7, later law 3.13",
    ),
    Case(
        "her only residence is taken back: never had one",
        [*AMRA_IN_BIHAC, taken_back("home", by=f"residence-authority:{BIHAC}")],
        {"1.5.1998": ("no-residence",)},
        "R7, later law 3.13",
    ),
    Case(
        "a refugee under 20.8(6) needs no residence",
        [BIRTH, refugee_of(BANJA_LUKA, "1.1.2000"), refugee_no_more("1.1.2010")],
        {"31.12.1999": ("no-residence",), "1.1.2000": ENTERED, "1.1.2010": ("no-residence",)},
        "R7, Art. 3.2 d, 20.8(6)",
    ),
    Case(
        "the end of refugee status is taken back",
        [
            BIRTH,
            refugee_of(BANJA_LUKA, "1.1.2000"),
            refugee_no_more("1.1.2010").under("end"),
            taken_back("end", by=MINISTRY),
        ],
        {"1.1.2010": ENTERED},
        "R7, later law 3.13",
    ),
]

R8 = [
    Case(
        "a dual citizen who lives in BiH",
        [*AMRA_IN_BIHAC, citizen_of_bih_and("AT", on="1.1.2005")],
        {"1.1.2005": ENTERED},
        "R8, Art. 1.5(3)",
    ),
    Case(
        "a dual citizen with refugee status and no residence in BiH",
        [BIRTH, refugee_of(BANJA_LUKA, "1.1.2000"), citizen_of_bih_and("AT", on="1.1.2005")],
        {"31.12.2004": ENTERED, "1.1.2005": ("no-residence",)},
        "R8, Art. 1.5(3), 20.8(6)",
    ),
    Case(
        "the refugee gives the other citizenship up",
        [
            BIRTH,
            refugee_of(BANJA_LUKA, "1.1.2000"),
            citizen_of_bih_and("AT", on="1.1.2005"),
            citizen_of_bih_and(on="1.1.2008"),
        ],
        {"31.12.2007": ("no-residence",), "1.1.2008": ENTERED},
        "R8, Art. 1.5(3)",
    ),
    Case(
        "the end of the citizenship of BiH leaves no other citizenship on record: one ground, not two",
        [
            BIRTH,
            refugee_of(BANJA_LUKA, "1.1.2000"),
            citizen_of_bih_and("AT", on="1.1.2005"),
            citizenship_ended("1.1.2008"),
        ],
        {"1.1.2008": ("citizenship-ended",)},
        "R4, R8, Art. 1.5(3)",
    ),
    Case(
        "the citizenship that named another one is taken back",
        [
            BIRTH,
            refugee_of(BANJA_LUKA, "1.1.2000"),
            citizen_of_bih_and("AT", on="1.1.2005").under("dual"),
            taken_back("dual", by=MINISTRY),
        ],
        {"1.1.2005": ENTERED},
        "R8, later law 3.13",
    ),
]

TOGETHER = [
    Case(
        "every rule fails: all grounds together, in the order of the table",
        [
            citizen(born="1.5.2010"),
            death("1.1.2020"),
            citizenship_ended("1.1.2020"),
            capacity_withdrawn("1.1.2020"),
            barred("1.7a", "1.1.2020"),
            barred("1.6", "1.1.2020"),
        ],
        {
            "1.1.2020": (
                "under-age",
                "deceased",
                "citizenship-ended",
                "legal-capacity-withdrawn",
                "barred-1.6",
                "barred-1.7a",
                "no-residence",
            )
        },
        "Art. 3.2",
    ),
    Case(
        "the notice of a death of 1999 arrives in 2026: the answer changes from 1999 on",
        [*AMRA_IN_BIHAC, death("1.1.1999")],
        {"31.12.1998": ENTERED, "1.1.1999": ("deceased",)},
        "R3, rules: events may arrive years late",
    ),
    Case(
        "her citizen event is taken back: nobody recorded her, the rest is judged as before",
        [*AMRA_IN_BIHAC, death("1.1.1999"), taken_back("birth", by=REGISTRY)],
        {"1.5.1998": ("not-recorded",), "1.1.1999": ("not-recorded", "deceased")},
        "R1, later law 3.13",
    ),
    Case(
        "another sender's notice has the same id: the annulment takes back its own sender's only",
        [
            *AMRA_IN_BIHAC,
            death("1.1.1999").under("7"),
            barred("1.7", "1.1.1999").under("7"),
            taken_back("7", by=REGISTRY),
        ],
        {"1.1.1999": ("barred-1.7",)},
        "rules: only the authority that sent an event may annul it",
    ),
]


@pytest.mark.parametrize("case", [*R1_R2, *R3_R4, *R5, *R6, *R7, *R8, *TOGETHER], ids=str)
def test_who_is_entered_on_a_day_and_why_not(case: Case) -> None:
    check(case)
