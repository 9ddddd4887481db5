"""The journal of looks: everyone who looked stands in it, and nobody is taken out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import psycopg
import pytest
import sqlalchemy as sa

from register.access import Look, journal_look, looks
from register.database import Database
from register.law.competence import Caller

NOW = datetime(2026, 3, 2, 9, 15, tzinfo=UTC)
PERSON = UUID("01890000-0000-7000-8000-000000000001")
AMRA = Caller("Amra", "cec", "cec")
IVO = Caller("Ivo", "auditor")


def test_a_look_stands_in_the_journal_as_it_was(database: Database) -> None:
    with database.engine.begin() as connection:
        first = journal_look(
            connection, AMRA, "voters", now=NOW, person=PERSON, municipality="10049", detail={"on": "2026-03-01"}
        )
        second = journal_look(connection, IVO, "roll", now=NOW + timedelta(hours=1), election="2026-general")
    with database.engine.connect() as connection:
        assert looks(connection) == [
            Look(first, NOW, "Amra", "cec", "cec", "voters", PERSON, None, "10049", {"on": "2026-03-01"}),
            Look(second, NOW + timedelta(hours=1), "Ivo", "auditor", None, "roll", None, "2026-general", None, {}),
        ]
        found = [
            looks(connection, person=PERSON),
            looks(connection, sub="Amra"),
            looks(connection, what="voters"),
            looks(connection, limit=1),
            looks(connection, at_to=NOW + timedelta(hours=1)),
        ]
        assert [[look.id for look in some] for some in found] == [[first]] * 5
        assert [look.id for look in looks(connection, after=first)] == [second]
        assert [look.id for look in looks(connection, at_from=NOW + timedelta(hours=1))] == [second]


def test_a_look_whose_transaction_fails_is_not_in_the_journal_and_not_answered(database: Database) -> None:
    with pytest.raises(sa.exc.IntegrityError), database.engine.begin() as connection:
        journal_look(connection, Caller(None, "cec"), "voters", now=NOW)  # type: ignore[arg-type]
    with database.engine.connect() as connection:
        assert looks(connection) == []


@pytest.mark.parametrize(
    "change", ["UPDATE access.journal SET sub = 'x'", "DELETE FROM access.journal", "TRUNCATE access.journal"]
)
def test_nobody_changes_the_journal_not_even_its_owner(database: Database, change: str) -> None:
    with database.engine.begin() as connection:
        journal_look(connection, AMRA, "voters", now=NOW)
    with database.psycopg() as application, pytest.raises(psycopg.errors.InsufficientPrivilege):
        application.execute(change.encode())
    with psycopg.connect(database.owner_dsn) as owner, pytest.raises(psycopg.errors.InsufficientPrivilege) as refused:
        owner.execute(change.encode())
    assert "append-only" in str(refused.value)


@pytest.mark.parametrize("change", ["DROP TABLE access.journal", "ALTER TABLE access.journal DISABLE TRIGGER ALL"])
def test_the_application_cannot_do_away_with_the_journal(database: Database, change: str) -> None:
    with database.psycopg() as application, pytest.raises(psycopg.errors.InsufficientPrivilege):
        application.execute(change.encode())


@pytest.mark.parametrize(
    "bad", [{"detail": {"query": "0101970100017"}}, {"election": "x 0101970100017"}, {"what": "Voters 1"}]
)
def test_no_personal_number_and_no_free_text_comes_into_the_journal(database: Database, bad: dict[str, object]) -> None:
    with database.engine.begin() as connection, pytest.raises(ValueError, match=r"journal|lower case"):
        journal_look(connection, AMRA, **{"what": "voters", "now": NOW, **bad})  # type: ignore[arg-type]
