"""Numbers that replacements link, and what is said of whom: chains, slips, numbers that disagree; as situations."""

from __future__ import annotations

from uuid import UUID

import pytest

from register.law.dossier import on_day, timeline
from register.law.events import CapacityWithdrawn, Event
from register.law.persons import members, persons
from tests.law.situations import (
    AMRA,
    AMRA_IN_BIHAC,
    BIHAC,
    COURT,
    NEW_NUMBER,
    THIRD_NUMBER,
    Sent,
    citizen,
    day,
    lives_in,
    recorded,
    replaced_by,
    taken_back,
)

OLD, NEW, THIRD = UUID(int=10), UUID(int=20), UUID(int=5)
STREAMS = {AMRA: OLD, NEW_NUMBER: NEW, THIRD_NUMBER: THIRD}


def of_persons(sent: list[Sent]) -> dict[UUID, list[Event]]:
    streams: dict[UUID, list[Event]] = {}
    for event in recorded(sent, about=STREAMS):
        streams.setdefault(event.stream, []).append(event)
    return persons(streams)


#: (situation, sent, person -> {day: (number shown, entered)})
LINKS = [
    (
        "of a number nothing is known but a replacement that links nothing: the number is known, and not linked",
        [
            *AMRA_IN_BIHAC,
            citizen("2.5.1980", sex="M"),
            replaced_by(AMRA, "1.6.2010", jmb=THIRD_NUMBER),
        ],
        {
            OLD: {"1.6.2015": (AMRA, True)},
            THIRD: {"1.5.1998": (THIRD_NUMBER, False), "1.6.2015": (THIRD_NUMBER, False)},
        },
    ),
    (
        "a chain of three, its middle link taken back: the ends are strangers again",
        [
            *AMRA_IN_BIHAC,
            citizen(jmb=THIRD_NUMBER),
            replaced_by(NEW_NUMBER, "1.6.2010"),
            replaced_by(THIRD_NUMBER, "1.6.2015", jmb=NEW_NUMBER).under("link"),
            taken_back("link", by=f"residence-authority:{BIHAC}"),
        ],
        {OLD: {"1.5.1998": (AMRA, True), "1.6.2015": (NEW_NUMBER, True)}, THIRD: {"1.6.2015": (THIRD_NUMBER, False)}},
    ),
    (
        "a link dated before the one it follows: the number of the later day is shown",
        [
            *AMRA_IN_BIHAC,
            replaced_by(NEW_NUMBER, "1.6.2015"),
            replaced_by(THIRD_NUMBER, "1.6.2010", jmb=NEW_NUMBER),
            lives_in(BIHAC, "1.1.2020", jmb=NEW_NUMBER),
        ],
        {OLD: {"1.1.2005": (NEW_NUMBER, True), "1.6.2010": (THIRD_NUMBER, True), "1.6.2015": (NEW_NUMBER, True)}},
    ),
    (
        "a capacity withdrawn under one number is withdrawn under the other",
        [
            *AMRA_IN_BIHAC,
            replaced_by(NEW_NUMBER, "1.6.2010"),
            Sent(COURT, CapacityWithdrawn(jmb=NEW_NUMBER, effective_on=day("1.2.2012"), extent="full")),
        ],
        {OLD: {"31.1.2012": (NEW_NUMBER, True), "1.2.2012": (NEW_NUMBER, False)}},
    ),
    (
        "numbers that disagree, until a corrected record replaces the wrong one",
        [
            *AMRA_IN_BIHAC,
            replaced_by(NEW_NUMBER, "1.6.2010"),
            citizen(jmb=NEW_NUMBER, born="2.5.1980").under("wrong"),
        ],
        {OLD: {"1.6.2010": (AMRA, True)}, NEW: {"1.6.2010": (NEW_NUMBER, False)}},
    ),
]


@pytest.mark.parametrize(("situation", "sent", "expected"), LINKS, ids=lambda value: str(value)[:50])
def test_linked_numbers(situation: str, sent: list[Sent], expected: dict[UUID, dict[str, tuple[str, bool]]]) -> None:
    found = of_persons(sent)
    assert found.keys() == expected.keys()
    for person, days in expected.items():
        told = timeline(found[person])
        answers = {on: on_day(told, day(on)) for on in days}
        assert {on: (a.jmb, a.entered) for on, a in answers.items() if a is not None} == days


def test_a_slip_about_one_number_does_not_undo_the_replacement_by_another() -> None:
    """Given a stranger's number replaced by hers by mistake, then what replaced her number afterwards still holds."""
    stranger, fourth = "0707960100001", "0105980167530"
    streams = {**STREAMS, stranger: UUID(int=40), fourth: UUID(int=50)}
    sent = [
        *AMRA_IN_BIHAC,
        citizen(jmb=stranger, born="7.7.1960", sex="M"),
        replaced_by(NEW_NUMBER, "1.6.2010"),
        replaced_by(NEW_NUMBER, "1.6.2010", jmb=stranger),
        replaced_by(fourth, "1.6.2015"),
        lives_in(BIHAC, "1.1.2020", jmb=fourth),
    ]
    known: dict[UUID, list[Event]] = {}
    for event in recorded(sent, about=streams):
        known.setdefault(event.stream, []).append(event)
    assert members(known) == {OLD: OLD, UUID(int=40): UUID(int=40), UUID(int=50): OLD}


def test_streams_of_which_nothing_is_known_are_nobody_elses() -> None:
    known: dict[UUID, list[Event]] = {UUID(int=1): [], UUID(int=2): []}
    for event in recorded([*AMRA_IN_BIHAC, replaced_by(NEW_NUMBER, "1.6.2010")], about=STREAMS):
        known.setdefault(event.stream, []).append(event)
    assert members(known) == {stream: stream for stream in known}


def test_numbers_nobody_spoke_of_say_what_all_around_them_say() -> None:
    """Given two strangers at the ends of a chain of numbers without a record, then nothing in it links."""
    stranger, fourth = "0707960100001", "0105980167530"
    streams = {**STREAMS, stranger: UUID(int=40), fourth: UUID(int=50)}
    sent = [
        *AMRA_IN_BIHAC,
        citizen(jmb=stranger, born="7.7.1960", sex="M"),
        replaced_by(NEW_NUMBER, "1.6.2010"),
        replaced_by(fourth, "1.6.2011", jmb=NEW_NUMBER),
        replaced_by(fourth, "1.6.2012", jmb=stranger),
        lives_in(BIHAC, "1.1.2020", jmb=fourth),
    ]
    known: dict[UUID, list[Event]] = {}
    for event in recorded(sent, about=streams):
        known.setdefault(event.stream, []).append(event)
    assert members(known) == {stream: stream for stream in known}
    assert len(known) == 4
