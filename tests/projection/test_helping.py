"""A load whose steps are taken by whoever reaches the database: each is done once, whoever is killed on the way."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from register.database import Database
from register.projection import loading
from register.projection import rebuild as building
from register.projection.forms import look_into
from register.projection.helping import Helper, Turn, left, turns
from register.projection.loading import Alone
from register.projection.rebuild import HELP, NEXT, discard, rebuild
from register.settings import Settings
from register.store import Store
from tests.flows.conftest import until
from tests.projection.test_rebuild import Tables, country, held, people, project


@pytest.fixture
def store(database: Database) -> Iterator[Store]:
    with Store(database.psycopg) as store:
        yield store


@contextmanager
def another_host(settings: Settings, *command: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process that shares nothing with this one but the database's address."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("CVR_")}
    environment |= {"CVR_DATA": f"{settings.data}-elsewhere", "CVR_DATABASE_URL": settings.database_url or ""}
    words = [sys.executable, "-m", "register", *command]
    with subprocess.Popen(words, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


def begun(database: Database, store: Store) -> int:
    """A load whose steps are laid out, and nobody at them; how many there are."""
    with building._alone(database) as live, database.psycopg() as new:
        look_into(new, NEXT)
        building._begun(live, new, store)
        return left(new).total()


def still_to_do(database: Database) -> int:
    with database.psycopg() as connection:
        look_into(connection, NEXT)
        return left(connection).total()


def built(database: Database, store: Store) -> Tables:
    """The tables once the rebuild has gone on with what helpers left, and has switched."""
    assert rebuild(database, store).switched
    with database.psycopg() as connection:
        return held(connection)


def test_hosts_that_join_load_all_of_it_and_nothing_twice(
    settings: Settings, database: Database, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a load begun and left, when two other hosts join, then they do every step, and the tables are the same."""
    monkeypatch.setattr(loading, "_EVENTS_IN_RANGE", 100)
    country(database, store)
    before = project(database, store)
    assert begun(database, store) > 20
    with another_host(settings, "rebuild", "--join") as one, another_host(settings, "rebuild", "--join") as other:
        told = {process.communicate(timeout=60)[0] for process in (one, other)}
    assert b"The register is loaded.\n" in told
    assert still_to_do(database) == 0

    def folding(*_: object) -> None:
        raise AssertionError("there was nothing left to fold")

    monkeypatch.setattr(Alone, "_fold", folding)
    assert built(database, store) == before


def test_a_helper_that_is_killed_gives_its_step_back(
    settings: Settings, database: Database, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a helper killed in the middle of a step, then the database notices, and another helper takes that step."""
    monkeypatch.setattr(loading, "_EVENTS_IN_RANGE", 20)
    people(store, 40)
    before = project(database, store)
    steps = begun(database, store)
    with database.psycopg() as hindering:
        hindering.execute(f"LOCK TABLE {NEXT}.person IN SHARE MODE")
        with another_host(settings, "rebuild", "--join") as killed:
            until(lambda: waiting(database) > 0)
            killed.kill()
            killed.wait()
            until(lambda: waiting(database) == 0)
    free = still_to_do(database)
    assert free >= steps - 1, "only the step without a person could be done"
    with database.psycopg() as connection:
        done = [turn for turn in turns(Helper(connection, store, NEXT)) if turn is Turn.DONE]
    assert len(done) == free
    assert built(database, store) == before


def waiting(database: Database) -> int:
    """How many in this database wait for a lock."""
    query = (
        "SELECT count(*) FROM pg_locks JOIN pg_database d ON d.oid = database"
        " WHERE NOT granted AND datname = current_database()"
    )
    with database.psycopg() as connection:
        return int((connection.execute(query).fetchone() or (0,))[0])


def test_a_load_is_thrown_away_under_its_helpers(
    settings: Settings, database: Database, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a helper in a step, when the load is thrown away, then that waits for the step, and the helper is done."""
    people(store, 10)
    begun(database, store)
    with database.psycopg() as helping, database.psycopg() as hindering:
        helper = Helper(helping, store, NEXT)
        assert helper.turn() is Turn.DONE
        hindering.execute(f"LOCK TABLE {NEXT}.person IN SHARE MODE")
        results: list[object] = []
        at_step = threading.Thread(target=lambda: results.append(helper.turn()))
        at_step.start()
        until(lambda: waiting(database) == 1)
        throwing = threading.Thread(target=lambda: results.append(discard(database)))
        throwing.start()
        until(lambda: waiting(database) == 2)
        hindering.rollback()
        at_step.join(30)
        throwing.join(30)
        assert results == [Turn.DONE, True]
        assert helper.turn() is Turn.OVER
        begun(database, store)  # another one, of other events perhaps: he takes part in it with what is its own
        assert helper.turn() is Turn.DONE


def test_workers_that_are_invited_take_part(
    settings: Settings, database: Database, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a rebuild worth spreading, then workers of another host are asked to take part, and do."""
    monkeypatch.setattr(loading, "_EVENTS_IN_RANGE", 20)
    people(store, 40)
    before = project(database, store)
    begun(database, store)
    building.invite(database)
    building.invite(database)
    with database.psycopg() as connection:
        asked = "SELECT count(*) FROM jobs.procrastinate_jobs WHERE task_name = %s"
        assert connection.execute(asked, (HELP,)).fetchone() == (building.SEATS,)
    with another_host(settings, "work", "--processes", "2"):
        until(lambda: still_to_do(database) == 0)
    assert built(database, store) == before
