"""The stretches of days of one person: without gaps, as few as there are answers, dated as the rules date each fact."""

from __future__ import annotations

from itertools import pairwise

from register.law.dossier import timeline
from register.law.franchise import ALWAYS, FOREVER
from tests.law.situations import (
    AMRA,
    AMRA_IN_BIHAC,
    BIHAC,
    REGISTRY,
    answer_on,
    citizen,
    day,
    death,
    left,
    lives_in,
    personal_data,
    recorded,
    taken_back,
)


def test_one_stretch_for_each_answer_and_no_day_left_out() -> None:
    stretches = timeline(recorded([*AMRA_IN_BIHAC, death("3.2.2024")]))
    assert [(s.from_, s.answer.grounds) for s in stretches] == [
        (ALWAYS, ("not-recorded", "no-residence")),
        (day("1.5.1980"), ("under-age", "no-residence")),
        (day("1.5.1998"), ()),
        (day("3.2.2024"), ("deceased",)),
    ]
    assert all(a.to == b.from_ for a, b in pairwise(stretches))
    assert stretches[-1].to == FOREVER


def test_a_birthday_alone_changes_the_answer() -> None:
    stretches = timeline(recorded([citizen(), lives_in(BIHAC, "1.1.1990")]))
    assert day("1.5.1998") in [s.from_ for s in stretches]


def test_days_on_which_nothing_changes_are_not_parted() -> None:
    again = [*AMRA_IN_BIHAC, lives_in(BIHAC, "1.6.2005"), left("20010", "1.6.2006")]
    assert timeline(recorded(again)) == timeline(recorded(AMRA_IN_BIHAC))


def test_names_are_dated_by_their_effect_and_what_is_not_said_stays() -> None:
    married = [*AMRA_IN_BIHAC, personal_data("1.6.2010", surname="Kovač")]
    assert (answer_on(married, "31.5.2010").surname, answer_on(married, "1.6.2010").surname) == ("Begić", "Kovač")
    assert answer_on(married, "1.6.2010").given_name == "Amra"


def test_a_change_of_name_that_is_taken_back_never_was() -> None:
    married = personal_data("1.6.2010", surname="Kovač").under("marriage")
    assert answer_on([*AMRA_IN_BIHAC, married, taken_back("marriage", by=REGISTRY)], "1.6.2010").surname == "Begić"


def test_a_date_of_birth_is_known_on_all_days_also_before_she_was_recorded() -> None:
    late = [citizen("1.1.2020"), lives_in(BIHAC, "1.5.1998")]
    assert answer_on(late, "1.1.1990").born_on == day("1.5.1980")
    assert answer_on(late, "1.1.1990").surname is None


def test_address_and_municipality_are_those_of_the_permanent_residence_entered_or_not() -> None:
    dead = answer_on([*AMRA_IN_BIHAC, death("3.2.2024")], "3.2.2024")
    assert (dead.municipality, dead.settlement, dead.counts_in) == (BIHAC, "Grad", None)
    assert answer_on([*AMRA_IN_BIHAC, left(BIHAC, "3.2.2024")], "3.2.2024").municipality is None


def test_of_a_person_whose_every_notice_was_taken_back_only_the_number_is_known() -> None:
    (stretch,) = timeline(recorded([citizen().under("birth"), taken_back("birth", by=REGISTRY)]))
    assert (stretch.from_, stretch.to) == (ALWAYS, FOREVER)
    assert (stretch.answer.jmb, stretch.answer.surname, stretch.answer.born_on) == (AMRA, None, None)
    assert stretch.answer.grounds == ("not-recorded", "no-residence")


def test_about_nobody_there_is_nothing_to_say() -> None:
    assert timeline([]) == ()


def test_the_municipality_is_never_read_out_of_the_number() -> None:
    here = answer_on([citizen(jmb="0105980167506")], "1.1.2020")
    there = answer_on([citizen(jmb="0105980107503")], "1.1.2020")
    assert here.municipality is there.municipality is None
    assert here.grounds == there.grounds == ("no-residence",)
