"""Questions drawn at random are answered by the register as the events themselves answer them, or the lie is found."""

from __future__ import annotations

import random
from base64 import b64encode
from datetime import UTC, date, datetime, timedelta

import pytest

from register.audit.verify.answers import check_answers
from register.audit.verify.findings import Check
from register.database import Database
from register.intake.parse import Message, parse
from register.projection.projector import follow
from register.rehearsal.generate import Feed
from register.store import Pending, Store
from tests.audit.conftest import TODAY, House


def asked(house: House, seed: int = 1, questions: int = 300) -> Check:
    return check_answers(house.database.engine, questions=questions, seed=seed, today=TODAY).check("answers")


def test_the_register_answers_what_the_events_give(house: House) -> None:
    """Given links made and taken back, stations that change, then answers of each kind agree, member by member."""
    check = asked(house)
    assert (check.verdict, check.count) == ("ok", 300), check.findings
    assert min(check.detail[0][kind] for kind in ("entered", "not entered", "not known yet", "station")) > 10


def test_the_same_seed_asks_the_same_and_another_seed_something_else(house: House) -> None:
    assert asked(house, 1, 60) == asked(house, 1, 60)
    assert asked(house, 1, 60).notes != asked(house, 2, 60).notes


@pytest.mark.parametrize(
    ("lie", "said"),
    [
        ("UPDATE projection.stretch SET parent_name = 'X' WHERE upper(known) IS NOT NULL", "parent_name"),
        ("UPDATE projection.stretch SET days = daterange(lower(days), upper(days) + 1)", "to"),
        ("UPDATE projection.coverage SET station = '002' WHERE station = '001'", "polling_station"),
        (
            "UPDATE projection.stretch SET known = int8range(lower(known) + 1, upper(known))",
            "the register knows nothing",
        ),
        (
            "WITH w AS (UPDATE projection.person SET first_position = 1) UPDATE projection.stretch SET known = '[1,)'",
            "nothing is known of the person",
        ),
        ("UPDATE projection.joined SET person = stream", "the register knows nothing"),
    ],
)
def test_a_register_that_says_otherwise_is_found(house: House, lie: str, said: str) -> None:
    """Given a table changed so that some answers of some position are others, then which member differs is said."""
    with house.tampering() as owner:
        owner.execute(lie)
    check = asked(house)
    assert check.found
    assert any(said in finding.what and finding.position is not None and finding.person for finding in check.findings)
    assert "Čolić" not in str(check)


def test_an_empty_register_has_nothing_to_be_asked(empty: House) -> None:
    check = asked(empty)
    assert (check.verdict, check.count) == ("ok", 0)


@pytest.fixture
def crowd(database: Database) -> Database:
    """A messy feed: late, repeated, annulled, contradicting notices of some hundred people."""
    now = datetime(2026, 6, 1, 8, tzinfo=UTC)
    pending: list[Pending] = []
    for line in Feed(200, seed=5, until=date(2026, 6, 1), messy=True):
        message = parse(line.body)
        if line.expect == "recorded" and isinstance(message, Message):
            salt = b64encode(random.Random(len(pending)).randbytes(16)).decode()
            pending.append(
                Pending(source=message.source, id=message.id, time=message.time, data=message.data, salt=salt)
            )
    with Store(database.psycopg) as store, database.psycopg() as connection:
        for at in range(0, len(pending), 300):
            store.append(pending[at : at + 300], now=now + timedelta(minutes=at // 300))
        while follow(connection, store):
            pass
    return database


def test_a_thousand_questions_about_a_messy_feed_are_answered_as_its_events_answer_them(crowd: Database) -> None:
    check = check_answers(crowd.engine, questions=1_000, seed=7, today=TODAY).check("answers")
    assert (check.verdict, check.count) == ("ok", 1_000), check.findings
    assert min(check.detail[0][kind] for kind in ("entered", "not entered", "not known yet", "station")) > 30
