"""Where an entry counts: U1 to U4, voting options, and what a commission's word is worth; as dated situations."""

from __future__ import annotations

import pytest

from tests.law.situations import (
    AMRA_IN_BIHAC,
    BANJA_LUKA,
    BIHAC,
    BRCKO,
    CEC,
    TUZLA,
    Case,
    check,
    citizen,
    citizen_of_bih_and,
    commission,
    death,
    entity_option,
    left,
    lives_in,
    option,
    refugee_of,
    reported_deceased,
    taken_back,
)

BIRTH, _ = AMRA_IN_BIHAC

COUNTS_IN = [
    Case(
        "in the municipality of permanent residence, wherever she moves",
        [*AMRA_IN_BIHAC, lives_in(TUZLA, "1.7.2010")],
        {"30.4.1998": None, "1.5.1998": BIHAC, "30.6.2010": BIHAC, "1.7.2010": TUZLA},
        "U1, Art. 1.5(1)",
    ),
    Case(
        "a displaced voter counts in the municipality of 1991 that the option names",
        [*AMRA_IN_BIHAC, option("absentee-1991", "1.3.2010", of_1991=BANJA_LUKA), option("regular", "1.3.2014")],
        {"28.2.2010": BIHAC, "1.3.2010": BANJA_LUKA, "1.3.2014": BIHAC},
        "U2, Art. 20.8, 3.6 b",
    ),
    Case(
        "in person in the municipality of 1991",
        [*AMRA_IN_BIHAC, option("in-person-1991", "1.3.2010", of_1991=BANJA_LUKA)],
        {"1.3.2010": BANJA_LUKA},
        "U2, Art. 20.8",
    ),
    Case(
        "a refugee without permanent residence counts where the status says, until there is a residence",
        [BIRTH, refugee_of(BANJA_LUKA, "1.1.2000"), lives_in(TUZLA, "1.1.2005"), left(TUZLA, "1.1.2008")],
        {"1.1.2000": BANJA_LUKA, "1.1.2005": TUZLA, "1.1.2008": BANJA_LUKA},
        "U3, Art. 20.8(6)",
    ),
    Case(
        "nobody who is not entered counts anywhere",
        [*AMRA_IN_BIHAC, death("1.1.2010")],
        {"31.12.2009": BIHAC, "1.1.2010": None},
        "U1",
    ),
]

ENTITIES = [
    Case(
        "the entity is that of the municipality",
        [*AMRA_IN_BIHAC, lives_in(BANJA_LUKA, "1.7.2010")],
        {"1.5.1998": "FBiH", "1.7.2010": "RS"},
        "U1",
    ),
    Case(
        "in Brčko it is the one she opted for, and none before she did",
        [BIRTH, lives_in(BRCKO, "1.5.1998"), entity_option("RS", "1.1.2010"), entity_option("FBiH", "1.1.2014")],
        {"31.12.2009": None, "1.1.2010": "RS", "1.1.2014": "FBiH"},
        "U4, practice",
    ),
    Case(
        "the second option for an entity is taken back: the first one stands",
        [
            BIRTH,
            lives_in(BRCKO, "1.5.1998"),
            entity_option("RS", "1.1.2010"),
            entity_option("FBiH", "1.1.2014").under("second"),
            taken_back("second", by=f"residence-authority:{BRCKO}"),
        ],
        {"1.1.2014": "RS"},
        "U4, later law 3.13",
    ),
    Case(
        "an entity option has no say outside Brčko",
        [*AMRA_IN_BIHAC, entity_option("RS", "1.1.2010")],
        {"1.1.2010": "FBiH"},
        "U4",
    ),
    Case(
        "one who lives elsewhere and counts in Brčko by a 1991 option needs the entity option as well",
        [
            *AMRA_IN_BIHAC,
            option("absentee-1991", "1.1.2010", of_1991=BRCKO),
            entity_option("FBiH", "1.1.2012"),
        ],
        {"31.12.2009": "FBiH", "1.1.2010": None, "1.1.2012": "FBiH"},
        "U2, U4",
    ),
]

OPTIONS = [
    Case(
        "without an option: regular; the last option with effect decides",
        [
            *AMRA_IN_BIHAC,
            option("mail", "1.3.2010"),
            option("diplomatic-mission", "1.3.2012"),
            option("regular", "1.3.2014"),
        ],
        {"28.2.2010": "regular", "1.3.2010": "mail", "1.3.2012": "diplomatic-mission", "1.3.2014": "regular"},
        "Art. 3.5(3)5",
    ),
    Case(
        "the last option is taken back: the one before it decides again",
        [*AMRA_IN_BIHAC, option("mail", "1.3.2010"), option("regular", "1.3.2014").under("r"), taken_back("r", by=CEC)],
        {"1.3.2014": "mail"},
        "Art. 3.5(3)5, later law 3.13",
    ),
    Case(
        "two options on one day: the one sent later",
        [*AMRA_IN_BIHAC, option("regular", "1.3.2010").sent_at("12:00"), option("mail", "1.3.2010").sent_at("08:00")],
        {"1.3.2010": "regular"},
        "R-tie",
    ),
    Case(
        "vote by mail needs a residence on the day of the application: without one it was not made, also later",
        [BIRTH, option("mail", "1.3.2010"), lives_in(BIHAC, "1.4.2010")],
        {"1.3.2010": "regular", "1.4.2010": "regular"},
        "Art. 1.5(2)",
    ),
    Case(
        "an option not made leaves the earlier one in force",
        [
            *AMRA_IN_BIHAC,
            option("diplomatic-mission", "1.3.2008"),
            left(BIHAC, "1.1.2010"),
            option("mail", "1.3.2010"),
        ],
        {"1.3.2010": "diplomatic-mission"},
        "Art. 1.5(2)",
    ),
    Case(
        "residence and application on one day: judged by the state at its end",
        [BIRTH, option("mail", "1.5.1998").sent_at("08:00"), lives_in(BIHAC, "1.5.1998").sent_at("12:00")],
        {"1.5.1998": "mail"},
        "Art. 1.5(2), rules: on day d",
    ),
    Case(
        "she cancels her residence afterwards: the application was valid and stays",
        [*AMRA_IN_BIHAC, option("mail", "1.3.2010"), left(BIHAC, "1.4.2010")],
        {"1.4.2010": "mail"},
        "Art. 1.5(2)",
    ),
    Case(
        "a refugee may apply to vote at a mission without a residence",
        [BIRTH, refugee_of(BANJA_LUKA, "1.1.2000"), option("diplomatic-mission", "1.3.2010")],
        {"1.3.2010": "diplomatic-mission"},
        "Art. 20.8(6)",
    ),
    Case(
        "a refugee with another citizenship holds the status all the same on the day of the application",
        [
            BIRTH,
            refugee_of(BANJA_LUKA, "1.1.2000"),
            citizen_of_bih_and("AT", on="1.1.2005"),
            option("mail", "1.3.2010"),
            citizen_of_bih_and(on="1.1.2012"),
        ],
        {"1.3.2010": "mail", "1.1.2012": "mail"},
        "Art. 20.8(6)",
    ),
    Case(
        "an option for one election is not looked at outside its roll",
        [*AMRA_IN_BIHAC, option("mail", "1.3.2010", election="general-2010")],
        {"1.3.2010": "regular"},
        "Art. 3.5(3)5",
    ),
]

MOBILE = [
    Case(
        "the mobile team is a switch of its own: the option beside it stays",
        [*AMRA_IN_BIHAC, option("mail", "1.3.2010"), option("mobile-team", "1.4.2010")],
        {"1.4.2010": "mail"},
        "Art. 3.5(3)5",
        asked="voting_option",
    ),
    Case(
        "regular ends it; another option does not",
        [
            *AMRA_IN_BIHAC,
            option("mobile-team", "1.3.2010"),
            option("mail", "1.4.2010"),
            option("regular", "1.5.2010"),
        ],
        {"28.2.2010": False, "1.3.2010": True, "1.4.2010": True, "1.5.2010": False},
        "Art. 3.5(3)5",
        asked="mobile_team",
    ),
    Case(
        "the switch is taken back",
        [*AMRA_IN_BIHAC, option("mobile-team", "1.3.2010").under("m"), taken_back("m", by=CEC)],
        {"1.3.2010": False},
        "later law 3.13",
        asked="mobile_team",
    ),
]

OTHERS_COMMISSION = [
    Case(
        "the commission of her municipality may name any municipality of 1991",
        [*AMRA_IN_BIHAC, option("absentee-1991", "1.3.2010", by=commission(BIHAC), of_1991=BANJA_LUKA)],
        {"1.3.2010": "absentee-1991"},
        "Art. 3.5(3)5",
    ),
    Case(
        "a commission where she neither resides nor counts: recorded, without effect, also when she moves there",
        [
            *AMRA_IN_BIHAC,
            option("absentee-1991", "1.3.2010", by=commission(BANJA_LUKA), of_1991=BANJA_LUKA),
            lives_in(BANJA_LUKA, "1.4.2010"),
        ],
        {"1.3.2010": "regular", "1.4.2010": "regular"},
        "Art. 3.5(3)5",
    ),
    Case(
        "the commission where she counts by an earlier option may end it",
        [
            *AMRA_IN_BIHAC,
            option("absentee-1991", "1.3.2010", of_1991=BANJA_LUKA),
            option("regular", "1.3.2014", by=commission(BANJA_LUKA)),
        ],
        {"1.3.2014": "regular"},
        "Art. 3.5(3)5",
    ),
    Case(
        "but not once that earlier option was taken back",
        [
            *AMRA_IN_BIHAC,
            option("mail", "1.1.2009"),
            option("absentee-1991", "1.3.2010", of_1991=BANJA_LUKA).under("a"),
            option("regular", "1.3.2014", by=commission(BANJA_LUKA)),
            taken_back("a", by=CEC),
        ],
        {"1.3.2010": "mail", "1.3.2014": "mail"},
        "Art. 3.5(3)5, later law 3.13",
    ),
    Case(
        "the commission of her residence has a say wherever she counts",
        [
            *AMRA_IN_BIHAC,
            option("absentee-1991", "1.3.2010", of_1991=BANJA_LUKA),
            option("regular", "1.3.2014", by=commission(BIHAC)),
        ],
        {"28.2.2014": "absentee-1991", "1.3.2014": "regular"},
        "Art. 3.5(3)5",
    ),
    Case(
        "a commission where she lives for a time is that of a residence too",
        [
            *AMRA_IN_BIHAC,
            lives_in(TUZLA, "1.1.2010", kind="temporary"),
            option("absentee-1991", "1.3.2010", by=commission(TUZLA), of_1991=BANJA_LUKA),
        ],
        {"1.3.2010": "absentee-1991"},
        "Art. 3.5(3)2, 3.5(3)5",
    ),
    Case(
        "until that temporary residence ends",
        [
            *AMRA_IN_BIHAC,
            lives_in(TUZLA, "1.1.2010", kind="temporary"),
            left(TUZLA, "1.2.2010", kind="temporary"),
            option("absentee-1991", "1.3.2010", by=commission(TUZLA), of_1991=BANJA_LUKA),
        ],
        {"1.3.2010": "regular"},
        "Art. 3.5(3)2, 3.5(3)5",
    ),
    Case(
        "a girl of 17 may choose before her birthday: the commission of her residence is concerned",
        [
            citizen(),
            lives_in(BIHAC, "1.1.1990"),
            option("absentee-1991", "1.3.1998", by=commission(BIHAC), of_1991=TUZLA),
        ],
        {"1.5.1998": "absentee-1991"},
        "Art. 3.5(3)5",
    ),
]

DECEASED = [
    Case(
        "a report is a mark, and the mark ends when its sender takes it back",
        [*AMRA_IN_BIHAC, reported_deceased("1.3.2010", by=commission(BIHAC))],
        {"28.2.2010": False, "1.3.2010": True},
        "practice",
    ),
    Case(
        "taken back",
        [
            *AMRA_IN_BIHAC,
            reported_deceased("1.3.2010", by=commission(BIHAC)).under("report"),
            taken_back("report", by=commission(BIHAC)),
        ],
        {"1.3.2010": False},
        "practice, later law 3.13",
    ),
    Case(
        "two reports, one taken back: the other one holds",
        [
            *AMRA_IN_BIHAC,
            reported_deceased("1.3.2010").under("report"),
            reported_deceased("1.4.2010"),
            taken_back("report", by=CEC),
        ],
        {"1.3.2010": False, "1.4.2010": True},
        "practice, later law 3.13",
    ),
    Case(
        "by a commission where she neither resides nor counts: no mark",
        [*AMRA_IN_BIHAC, reported_deceased("1.3.2010", by=commission(TUZLA))],
        {"1.3.2010": False},
        "Art. 3.5(3)5",
    ),
    Case(
        "by the commission where she counts by an option of the same day, sent later: judged at the end of the day",
        [
            *AMRA_IN_BIHAC,
            reported_deceased("1.3.2010", by=commission(BANJA_LUKA)).sent_at("08:00"),
            option("absentee-1991", "1.3.2010", of_1991=BANJA_LUKA).sent_at("12:00"),
        ],
        {"1.3.2010": True},
        "rules: on day d",
    ),
]


@pytest.mark.parametrize("case", COUNTS_IN, ids=str)
def test_where_the_entry_counts(case: Case) -> None:
    check(Case(case.situation, case.sent, case.expected, case.article, asked="counts_in"))


@pytest.mark.parametrize("case", ENTITIES, ids=str)
def test_which_entity_the_entry_counts_for(case: Case) -> None:
    check(Case(case.situation, case.sent, case.expected, case.article, asked="entity"))


@pytest.mark.parametrize("case", [*OPTIONS, *OTHERS_COMMISSION], ids=str)
def test_which_voting_option_decides(case: Case) -> None:
    check(Case(case.situation, case.sent, case.expected, case.article, asked="voting_option"))


@pytest.mark.parametrize("case", MOBILE, ids=str)
def test_the_mobile_team(case: Case) -> None:
    check(case)


@pytest.mark.parametrize("case", DECEASED, ids=str)
def test_a_report_of_a_death_marks_and_deletes_nobody(case: Case) -> None:
    check(Case(case.situation, case.sent, case.expected, case.article, asked="marked_deceased"))
    check(Case(case.situation, case.sent, dict.fromkeys(case.expected, ()), case.article))
