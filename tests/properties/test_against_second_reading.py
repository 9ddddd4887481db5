"""The register's law against a second, naive reading of its rules (tests/naive.py), on any history."""

from __future__ import annotations

from datetime import date
from random import Random
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from register.law.dossier import Dossier, Stretch, on_day, timeline
from register.law.events import Event
from register.law.franchise import GROUNDS
from register.law.parameters import LAW, PARAMETERS, Dated, Law, law_of
from register.law.persons import members, persons
from tests import naive
from tests.properties.histories import MUNICIPALITIES, NUMBERS, STREAMS, WINDOW, histories, run_until, streams_of, tried

#: The voting age is 18, 16 from within the days of the histories on, 20 from some days later on.
REFORMS = law_of(
    {
        **PARAMETERS,
        "voting_age": (
            *PARAMETERS["voting_age"],
            Dated(date(2024, 2, 28), 16, "a later law"),
            Dated(date(2024, 3, 3), 20, "a later law"),
        ),
    }
)


def product(events: list[Event], law: Law = LAW) -> dict[UUID, tuple[Stretch, ...]]:
    return {person: timeline(of_person, law) for person, of_person in persons(streams_of(events)).items()}


def assert_same(events: list[Event], law: Law = LAW) -> None:
    """Both readings part the numbers into the same persons, and say the same of each on every day."""
    answers = product(events, law)
    expected = {
        min(STREAMS[n] for n in p if any(e.stream == STREAMS[n] for e in events)): p for p in naive.people(events)
    }
    assert answers.keys() == expected.keys()
    for person, numbers in expected.items():
        for day in WINDOW:
            told = on_day(answers[person], day)
            want = naive.answer(events, numbers, day, law.in_force(day).voting_age)
            got = naive.Answer(**{name: getattr(told, name) for name in naive.Answer.__dataclass_fields__})
            assert got == want, f"{person} on {day}"


@tried(300)
@given(histories())
def test_both_readings_agree_on_every_day(events: list[Event]) -> None:
    assert_same(events)


def test_the_histories_hold_all_there_is_to_say() -> None:
    """Given some hundred histories such as both readings are asked about, every value of every member occurs."""
    seen: dict[str, set[object]] = {name: set() for name in SEEN}
    persons_of_several, long = 0, 0

    def look(events: list[Event]) -> None:
        nonlocal persons_of_several, long
        answers = product(events)
        persons_of_several += len(answers) < len(streams_of(events))
        long += len(events) >= 40
        for stretches in answers.values():
            for stretch in stretches:
                seen["grounds"].update(stretch.answer.grounds)
                for name in SEEN.keys() - {"grounds"}:
                    seen[name].add(getattr(stretch.answer, name))

    run_until(lambda: seen == SEEN, look, 200, histories())
    assert seen == SEEN
    assert persons_of_several > 10
    assert long > 10


#: What some stretch of some history says.
SEEN: dict[str, set[object]] = {
    "grounds": set(GROUNDS),
    "entered": {True, False},
    "municipality": {*MUNICIPALITIES, None},
    "counts_in": {*MUNICIPALITIES, None},
    "entity": {"FBiH", "RS", None},
    "voting_option": {"regular", "mail", "in-person-1991", "absentee-1991", "diplomatic-mission"},
    "mobile_team": {True, False},
    "marked_deceased": {True, False},
    "jmb": set(NUMBERS),
    "sex": {"F", "M", None},
    "script": {"Latn", "Cyrl", None},
}


@tried(100)
@given(histories(most=15))
def test_both_readings_agree_on_every_day_of_a_law_that_changes(events: list[Event]) -> None:
    assert_same(events, REFORMS)


@tried(40)
@given(histories(most=20))
def test_both_readings_agree_at_every_position(events: list[Event]) -> None:
    for position in range(len(events) + 1):
        assert_same(events[:position])


@tried(150)
@given(histories(), st.randoms(use_true_random=False))
def test_order_of_arrival_plays_no_part(events: list[Event], random: Random) -> None:
    shuffled = list(events)
    random.shuffle(shuffled)
    assert product(shuffled) == product(events)


@tried(300)
@given(histories(), st.randoms(use_true_random=False), st.sampled_from((LAW, REFORMS)))
def test_a_dossier_says_after_every_event_what_all_come_to(events: list[Event], random: Random, law: Law) -> None:
    """In the order recorded and in any other; begun empty or with some events already."""
    for _ in range(2):
        for stream in streams_of(events).values():
            begun = random.randrange(len(stream))
            growing, joining = Dossier(law=law), Dossier(stream[:begun], law)
            for number, event in enumerate(stream, 1):
                expected = timeline(stream[:number], law)
                assert growing.add(event) == expected
                if number > begun:
                    assert joining.add(event) == expected
        random.shuffle(events)


@tried(150)
@given(histories())
def test_every_number_belongs_to_exactly_one_person(events: list[Event]) -> None:
    streams = streams_of(events)
    belongs = members(streams)
    assert belongs.keys() == streams.keys()
    assert all(belongs[person] == person <= stream for stream, person in belongs.items())
    assert set(persons(streams)) == set(belongs.values())
