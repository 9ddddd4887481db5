"""A roll folded by several processes is the roll folded by one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from register.app.parts import read_reference
from register.database import Database
from register.projection import loading, voters
from register.projection.rolls import freeze
from register.store import Store
from tests.projection.test_rebuild import country


@pytest.fixture
def store(database: Database) -> Iterator[Store]:
    with Store(database.psycopg) as store:
        yield store


def test_how_many_processes_fold_plays_no_part_in_a_roll(
    database: Database, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a roll with persons of several numbers, when several processes freeze it anew, then it is the same."""
    monkeypatch.setattr(loading, "_EVENTS_IN_RANGE", 100)
    monkeypatch.setattr(voters, "_WORTH_SPREADING", 0)
    country(database, store)
    with database.psycopg() as connection:
        assert loading.linked_streams(connection, store, store.head())
        by_one = freeze(connection, store, "o-26", read_reference())
        rows = connection.execute("SELECT * FROM projection.roll ORDER BY no").fetchall()
        assert len(rows) == by_one.voters > 100
        connection.execute("DELETE FROM projection.roll")
        connection.execute("DELETE FROM projection.frozen_roll")
        by_two = freeze(connection, store, "o-26", read_reference(), dsn=database.dsn, processes=2)
        assert by_two == by_one
        assert connection.execute("SELECT * FROM projection.roll ORDER BY no").fetchall() == rows
