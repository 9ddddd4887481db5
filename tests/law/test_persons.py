"""Which numbers are one person, and which number is shown on a day (rules: linked numbers)."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from register.law.dossier import Answer, on_day, timeline
from register.law.events import Event
from register.law.persons import members, persons
from tests.law.situations import (
    AMRA,
    BIHAC,
    NEW_NUMBER,
    REGISTRY,
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
AUTHORITY = f"residence-authority:{BIHAC}"


def known(sent: Sequence[Sent]) -> dict[UUID, list[Event]]:
    """What the event store holds, by stream."""
    streams: dict[UUID, list[Event]] = {}
    for event in recorded(sent, about=STREAMS):
        streams.setdefault(event.stream, []).append(event)
    return streams


def shown(sent: Sequence[Sent], person: UUID, on: str) -> str:
    return answer(sent, person, on).jmb


def answer(sent: Sequence[Sent], person: UUID, on: str) -> Answer:
    found = on_day(timeline(persons(known(sent))[person]), day(on))
    assert found is not None
    return found


OLD_NUMBER = [citizen(), lives_in(BIHAC, "1.5.1998")]


def test_two_numbers_without_a_link_are_two_persons() -> None:
    assert members(known([citizen(), citizen(jmb=NEW_NUMBER)])) == {OLD: OLD, NEW: NEW}


def test_a_replacement_makes_them_one_known_by_the_least_stream_for_all_days() -> None:
    sent = [*OLD_NUMBER, citizen(jmb=NEW_NUMBER), replaced_by(NEW_NUMBER, "1.6.2010")]
    assert members(known(sent)) == {OLD: OLD, NEW: OLD}
    assert answer(sent, OLD, "1.1.2000").entered
    assert answer(sent, OLD, "1.1.2020").entered


def test_what_arrives_under_either_number_is_about_the_same_person() -> None:
    sent = [citizen(), replaced_by(NEW_NUMBER, "1.6.2010"), lives_in(BIHAC, "1.7.2010", jmb=NEW_NUMBER)]
    assert answer(sent, OLD, "30.6.2010").grounds == ("no-residence",)
    assert answer(sent, OLD, "1.7.2010").grounds == ()


def test_the_number_shown_is_that_of_the_last_link_with_effect() -> None:
    chain = [
        *OLD_NUMBER,
        replaced_by(NEW_NUMBER, "1.6.2010"),
        replaced_by(THIRD_NUMBER, "1.6.2015", jmb=NEW_NUMBER),
    ]
    assert shown(chain, OLD, "31.5.2010") == AMRA
    assert shown(chain, OLD, "1.6.2010") == NEW_NUMBER
    assert shown(chain, OLD, "1.6.2015") == THIRD_NUMBER


def test_a_chain_is_one_person_though_nothing_is_reported_of_its_last_number() -> None:
    chain = [citizen(), replaced_by(NEW_NUMBER, "1.6.2010"), replaced_by(THIRD_NUMBER, "1.6.2015", jmb=NEW_NUMBER)]
    assert members(known(chain)) == {OLD: OLD, NEW: OLD}
    with_third = [*chain, lives_in(BIHAC, "1.7.2015", jmb=THIRD_NUMBER)]
    assert members(known(with_third)) == {OLD: THIRD, NEW: THIRD, THIRD: THIRD}


def test_two_numbers_replaced_by_one_are_one_person_before_anything_is_known_of_that_one() -> None:
    sent = [
        citizen(),
        lives_in(BIHAC, "1.5.1998", jmb=NEW_NUMBER),
        replaced_by(THIRD_NUMBER, "1.6.2010"),
        replaced_by(THIRD_NUMBER, "1.6.2010", jmb=NEW_NUMBER),
    ]
    assert members(known(sent)) == {OLD: OLD, NEW: OLD}


def test_two_strangers_are_not_made_one_by_a_slip_in_a_number_nobody_reported_on() -> None:
    stranger = citizen(jmb=NEW_NUMBER, born="7.7.1960", sex="M")
    sent = [citizen(), stranger, replaced_by(THIRD_NUMBER, "1.6.2010")]
    slip = replaced_by(THIRD_NUMBER, "1.6.2010", jmb=NEW_NUMBER).under("slip")
    assert members(known([*sent, slip])) == {OLD: OLD, NEW: NEW}
    third = lives_in(BIHAC, "1.7.2015", jmb=THIRD_NUMBER)
    assert members(known([*sent, slip, third])) == {OLD: OLD, NEW: NEW, THIRD: THIRD}
    # The slip is taken back: the other replacement holds, for all days.
    right = [*sent, slip, third, taken_back("slip", by=AUTHORITY)]
    assert members(known(right)) == {OLD: THIRD, NEW: NEW, THIRD: THIRD}


def test_a_link_between_numbers_that_disagree_links_nothing_and_shows_nothing() -> None:
    for other in (citizen(jmb=NEW_NUMBER, sex="M"), citizen(jmb=NEW_NUMBER, born="2.5.1980")):
        sent = [*OLD_NUMBER, other, replaced_by(NEW_NUMBER, "1.6.2010")]
        assert members(known(sent)) == {OLD: OLD, NEW: NEW}
        assert shown(sent, OLD, "1.6.2010") == AMRA


def test_once_they_agree_it_links_for_all_days() -> None:
    sent = [
        *OLD_NUMBER,
        citizen(jmb=NEW_NUMBER, sex="M").under("wrong"),
        replaced_by(NEW_NUMBER, "1.6.2010"),
        taken_back("wrong", by=REGISTRY),
        citizen(jmb=NEW_NUMBER),
    ]
    assert members(known(sent[:3])) == {OLD: OLD, NEW: NEW}
    assert members(known(sent)) == {OLD: OLD, NEW: OLD}
    assert shown(sent, OLD, "1.6.2010") == NEW_NUMBER


def test_two_people_under_one_number_are_not_parted_by_a_replacement() -> None:
    sent = [citizen(), citizen(born="7.7.1977"), replaced_by(NEW_NUMBER, "1.6.2010"), citizen(jmb=NEW_NUMBER)]
    assert members(known(sent)) == {OLD: OLD, NEW: NEW}


def test_a_replacement_that_is_taken_back_never_joined_them() -> None:
    sent = [
        *OLD_NUMBER,
        citizen(jmb=NEW_NUMBER),
        replaced_by(NEW_NUMBER, "1.6.2010").under("link"),
        taken_back("link", by=AUTHORITY),
    ]
    assert members(known(sent[:4])) == {OLD: OLD, NEW: OLD}
    assert members(known(sent)) == {OLD: OLD, NEW: NEW}
    assert shown(sent, OLD, "1.6.2010") == AMRA


def test_a_number_whose_every_notice_was_taken_back_is_still_somebody() -> None:
    sent = [citizen().under("birth"), taken_back("birth", by=REGISTRY), citizen(jmb=NEW_NUMBER)]
    assert members(known(sent)) == {OLD: OLD, NEW: NEW}
