"""Where several events meet: same-day ties of each question, late and early events, 29 February, shared numbers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from register.law.dossier import on_day, timeline
from tests.law.situations import (
    AMRA,
    AMRA_IN_BIHAC,
    BANJA_LUKA,
    BIHAC,
    BRCKO,
    CEC,
    NEW_NUMBER,
    THIRD_NUMBER,
    TUZLA,
    Case,
    Sent,
    abroad,
    bar_ended,
    barred,
    capacity_restored,
    capacity_withdrawn,
    check,
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
)

BIRTH, HOME = AMRA_IN_BIHAC
REFUGEE = refugee_of(BANJA_LUKA, "1.1.2000")


def both(first: Sent, second: Sent) -> tuple[Sent, Sent]:
    """Two notices of one day, the first one sent an hour before the second."""
    return first.sent_at("08:00"), second.sent_at("09:00")


#: Of several events of one day that decide the same question, the one sent later decides.
TIES = [
    Case(
        "two names",
        [*AMRA_IN_BIHAC, *both(personal_data("1.6.2010", surname="Kovač"), personal_data("1.6.2010", surname="Šarić"))],
        {"1.6.2010": "Šarić"},
        "R-tie",
        asked="surname",
    ),
    Case(
        "a record of a citizen sent after a change of name says the name anew",
        [HOME, *both(personal_data("1.5.1980", surname="Kovač"), BIRTH)],
        {"1.5.1980": "Begić"},
        "R-tie",
        asked="surname",
    ),
    Case(
        "two dates of birth",
        [*AMRA_IN_BIHAC, *both(personal_data("1.6.2010", born="1.5.1981"), personal_data("1.6.2010", born="1.5.1982"))],
        {"1.5.1999": ("under-age",), "1.5.2000": ()},
        "R2, R-tie",
    ),
    Case(
        "a date of birth with an earlier effect says less, though it was sent later",
        [
            HOME,
            BIRTH,
            personal_data("1.6.2010", born="1.5.1981").sent_at("08:00"),
            personal_data("1.6.2009", born="1.5.1982").sent_at("12:00"),
        ],
        {"1.5.1999": ()},
        "R2, R-tie",
    ),
    Case(
        "two homes",
        [BIRTH, *both(lives_in(TUZLA, "1.5.1998"), lives_in(BIHAC, "1.5.1998"))],
        {"1.5.1998": BIHAC},
        "R7, U1, R-tie",
        asked="municipality",
    ),
    Case(
        "two statuses of a refugee",
        [BIRTH, *both(refugee_of(TUZLA, "1.1.2000"), REFUGEE)],
        {"1.1.2000": BANJA_LUKA},
        "R7, U3, R-tie",
        asked="counts_in",
    ),
    Case("a status and its end", [BIRTH, *both(refugee_no_more("1.1.2000"), REFUGEE)], {"1.1.2000": ()}, "R7, R-tie"),
    Case(
        "an end and the status before it",
        [BIRTH, *both(REFUGEE, refugee_no_more("1.1.2000"))],
        {"1.1.2000": ("no-residence",)},
        "R7, R-tie",
    ),
    Case(
        "another citizenship given up and taken on, of a refugee",
        [BIRTH, REFUGEE, *both(citizen_of_bih_and(on="1.1.2005"), citizen_of_bih_and("AT", on="1.1.2005"))],
        {"31.12.2004": (), "1.1.2005": ("no-residence",)},
        "R8, R-tie",
    ),
    Case(
        "two options for an entity",
        [BIRTH, lives_in(BRCKO, "1.5.1998"), *both(entity_option("RS", "1.1.2010"), entity_option("FBiH", "1.1.2010"))],
        {"1.1.2010": "FBiH"},
        "U4, R-tie",
        asked="entity",
    ),
    Case(
        "a mobile team called off and asked for",
        [*AMRA_IN_BIHAC, *both(option("regular", "1.3.2010"), option("mobile-team", "1.3.2010"))],
        {"1.3.2010": True},
        "Art. 3.5(3)5, R-tie",
        asked="mobile_team",
    ),
    Case(
        "two replacements of one number",
        [*AMRA_IN_BIHAC, *both(replaced_by(THIRD_NUMBER, "1.6.2010"), replaced_by(NEW_NUMBER, "1.6.2010"))],
        {"31.5.2010": AMRA, "1.6.2010": NEW_NUMBER},
        "R-tie",
        asked="jmb",
    ),
    Case(
        "a stay elsewhere and its end, the end sent first: over at the end of the day",
        [
            *AMRA_IN_BIHAC,
            *both(left(TUZLA, "1.1.2010", kind="temporary"), lives_in(TUZLA, "1.1.2010", kind="temporary")),
            option("absentee-1991", "1.3.2010", by=commission(TUZLA), of_1991=BANJA_LUKA),
        ],
        {"1.3.2010": "regular"},
        "rules: on day d",
        asked="voting_option",
    ),
]

#: Events in no order: years late, before the person is known, before what they rest on.
LATE_AND_EARLY = [
    Case(
        "all of a life before the record of the citizen: nothing is lost",
        [
            lives_in(BIHAC, "1.5.1998"),
            option("mail", "1.3.2010"),
            barred("1.7", "1.3.2005").under("bar"),
            bar_ended("bar", "1.3.2006"),
            citizen(),
        ],
        {"28.2.2005": (), "1.3.2005": ("barred-1.7",), "1.3.2006": (), "1.3.2010": ()},
        "rules: before the person is known",
    ),
    Case(
        "a death before the record of the citizen",
        [death("3.2.2024"), *AMRA_IN_BIHAC],
        {"2.2.2024": (), "3.2.2024": ("deceased",)},
        "R3",
    ),
    Case(
        "dead before recorded: both grounds, her age is not judged",
        [citizen("1.3.2024"), HOME, death("3.2.2024")],
        {"2.2.2024": ("not-recorded",), "3.2.2024": ("not-recorded", "deceased"), "1.3.2024": ("deceased",)},
        "R1, R3",
    ),
    Case(
        "a move of 2010 that is reported after one of 2015 fills the years between",
        [*AMRA_IN_BIHAC, lives_in(TUZLA, "1.7.2015"), lives_in(BANJA_LUKA, "1.7.2010")],
        {"30.6.2010": BIHAC, "1.7.2010": BANJA_LUKA, "1.7.2015": TUZLA},
        "U1",
        asked="counts_in",
    ),
    Case(
        "a residence of years ago makes an option valid that was not",
        [BIRTH, option("mail", "1.3.2010"), lives_in(BIHAC, "1.1.2009")],
        {"28.2.2010": "regular", "1.3.2010": "mail"},
        "Art. 1.5(2)",
        asked="voting_option",
    ),
    Case(
        "an end of residence of years ago undoes the option that rested on it",
        [*AMRA_IN_BIHAC, option("mail", "1.3.2010"), left(BIHAC, "1.1.2010"), lives_in(BIHAC, "1.1.2012")],
        {"1.3.2010": "regular", "1.1.2012": "regular"},
        "Art. 1.5(2)",
        asked="voting_option",
    ),
    Case(
        "a move of years ago makes the commission's mark one of another's voter",
        [*AMRA_IN_BIHAC, reported_deceased("1.3.2010", by=commission(BIHAC)), lives_in(TUZLA, "1.1.2010")],
        {"1.3.2010": False},
        "Art. 3.5",
        asked="marked_deceased",
    ),
    Case(
        "a restoration that came before its withdrawal and is dated after it",
        [*AMRA_IN_BIHAC, capacity_restored("1.2.2012"), capacity_withdrawn("1.2.2010")],
        {"1.2.2010": ("legal-capacity-withdrawn",), "1.2.2012": ()},
        "R5",
    ),
    Case(
        "an effect ahead of time holds from its day on",
        [*AMRA_IN_BIHAC, lives_in(TUZLA, "1.2.2027")],
        {"31.1.2027": BIHAC, "1.2.2027": TUZLA},
        "U1",
        asked="counts_in",
    ),
]

#: The end of a residence ends that of its own municipality and kind, and no other.
ENDS = [
    Case(
        "another municipality's end changes nothing",
        [*AMRA_IN_BIHAC, left(TUZLA, "1.6.2010")],
        {"1.6.2010": ()},
        "R7, Art. 1.5(1)",
    ),
    Case(
        "nor on the day of the move",
        [BIRTH, lives_in(TUZLA, "1.5.1998"), left(BIHAC, "1.5.1998")],
        {"1.5.1998": ()},
        "R7, Art. 1.5(1)",
    ),
    Case(
        "gone and back in one municipality: the old end does not end the new residence",
        [*AMRA_IN_BIHAC, left(BIHAC, "1.6.2010"), lives_in(BIHAC, "1.6.2012")],
        {"31.5.2012": ("no-residence",), "1.6.2012": ()},
        "R7, Art. 1.5(1)",
    ),
    Case(
        "away and back: an end dated while she lived elsewhere ends nothing",
        [*AMRA_IN_BIHAC, lives_in(TUZLA, "1.6.2010"), left(BIHAC, "1.1.2011"), lives_in(BIHAC, "1.6.2012")],
        {"1.1.2011": TUZLA, "1.6.2012": BIHAC},
        "R7, U1",
        asked="counts_in",
    ),
    Case(
        "the end of a stay abroad ends no residence",
        [
            *AMRA_IN_BIHAC,
            abroad("1.6.2010"),
            Sent(f"residence-authority:{BIHAC}", left(BIHAC, "1.6.2011", kind="abroad").data),
        ],
        {"1.6.2011": ()},
        "R7, Art. 1.5(2)",
    ),
    Case(
        "a stay abroad takes the place of a temporary one at home: that commission is no longer concerned",
        [
            *AMRA_IN_BIHAC,
            lives_in(TUZLA, "1.1.2010", kind="temporary"),
            abroad("1.2.2010"),
            reported_deceased("1.3.2010", by=commission(TUZLA)),
        ],
        {"1.3.2010": False},
        "Art. 3.5(3)2, 3.5(3)5",
        asked="marked_deceased",
    ),
    Case(
        "another municipality's end of a temporary residence changes nothing",
        [
            *AMRA_IN_BIHAC,
            lives_in(TUZLA, "1.1.2010", kind="temporary"),
            left(BANJA_LUKA, "1.2.2010", kind="temporary"),
            reported_deceased("1.3.2010", by=commission(TUZLA)),
        ],
        {"1.3.2010": True},
        "Art. 3.5(3)2, 3.5(3)5",
        asked="marked_deceased",
    ),
    Case(
        "the end of the permanent residence in the municipality of a temporary one leaves the temporary one",
        [
            *AMRA_IN_BIHAC,
            lives_in(TUZLA, "1.1.2010", kind="temporary"),
            left(TUZLA, "1.2.2010"),
            reported_deceased("1.3.2010", by=commission(TUZLA)),
        ],
        {"1.3.2010": True},
        "Art. 3.5(3)2, 3.5(3)5",
        asked="marked_deceased",
    ),
]

FEBRUARY = [
    Case(
        "born and entered on 29 February years",
        [citizen("29.2.2004", born="29.2.2004"), lives_in(BIHAC, "29.2.2020"), lives_in(TUZLA, "29.2.2024")],
        {"27.2.2022": ("under-age",), "28.2.2022": (), "28.2.2024": (), "29.2.2024": ()},
        "R2, Art. 1.4",
    ),
    Case(
        "a move of 29 February",
        [citizen("29.2.2004", born="29.2.2004"), lives_in(BIHAC, "29.2.2020"), lives_in(TUZLA, "29.2.2024")],
        {"28.2.2022": BIHAC, "28.2.2024": BIHAC, "29.2.2024": TUZLA, "1.3.2024": TUZLA},
        "U1",
        asked="counts_in",
    ),
    Case(
        "born on 28 February: on 28 February, also in a leap year",
        [citizen(born="28.2.2006"), lives_in(BIHAC, "1.1.2010")],
        {"27.2.2024": ("under-age",), "28.2.2024": ()},
        "R2, Art. 1.4",
    ),
]

#: Two people under one number, until the slip is found: one answer, by R-tie, and a deficiency beside it.
ONE_NUMBER = [
    Case(
        "the last record of a citizen says who it is, for all days",
        [*AMRA_IN_BIHAC, citizen("1.1.2005", born="7.7.1987")],
        {"1.5.1998": ("under-age",), "6.7.2005": ("under-age",), "7.7.2005": ()},
        "R2, R-tie",
    ),
    Case(
        "one of the two dies: the number is deleted, whoever it was",
        [*AMRA_IN_BIHAC, citizen("1.1.2005", born="7.7.1987"), death("3.2.2024")],
        {"2.2.2024": (), "3.2.2024": ("deceased",)},
        "R3",
    ),
]


@pytest.mark.parametrize("case", [*TIES, *LATE_AND_EARLY, *ENDS, *FEBRUARY, *ONE_NUMBER], ids=str)
def test_what_the_register_says_where_events_meet(case: Case) -> None:
    check(case)


@pytest.mark.parametrize("case", TIES, ids=str)
def test_at_one_time_the_greater_source_and_then_the_greater_id_decides(case: Case) -> None:
    """Given the same ties, sent at one time under ids in the same order, then the answer is the same."""
    sent = [
        replace(notice, id=f"{number:02}" if notice.id is None else notice.id, at="09:00")
        for number, notice in enumerate(case.sent)
    ]
    if len({notice.sender for notice in sent[-2:]}) == 1:
        check(replace(case, sent=sent))


def test_an_option_for_an_election_changes_nothing_in_the_register_whatever_it_is() -> None:
    for name, of_1991 in (("mail", None), ("absentee-1991", TUZLA), ("mobile-team", None), ("regular", None)):
        named = option(name, "1.3.2010", by=CEC, of_1991=of_1991, election="general-2010")
        standing = [*AMRA_IN_BIHAC, option("mail", "1.1.2009"), option("mobile-team", "1.1.2009")]
        assert timeline(recorded([*standing, named])) == timeline(recorded(standing))


def test_every_ground_can_stand_beside_every_other() -> None:
    """Given a citizenship that ended, then the other grounds of the table are found beside it, each as ever."""
    sent = [*AMRA_IN_BIHAC, citizenship_ended("1.1.2020"), left(BIHAC, "1.1.2020"), barred("1.6", "1.1.2020")]
    told = on_day(timeline(recorded(sent)), day("1.1.2020"))
    assert told is not None
    assert told.grounds == ("citizenship-ended", "barred-1.6", "no-residence")
