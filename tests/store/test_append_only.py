"""Append-only by the database: nobody changes, deletes or truncates, whatever the role."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import psycopg
import pytest
import sqlalchemy as sa

from register.database import Database
from register.database.server import SUPERUSER, EmbeddedServer
from register.store import Pending, Store

CHANGES = [
    f"{verb} store.{table} {rest}"
    for table, column in (("event", "topic"), ("event_key", "id"), ("subject", "subject"), ("source", "source"))
    for verb, rest in (("UPDATE", f"SET {column} = 'x'"), ("DELETE FROM", ""), ("TRUNCATE", ""))
]


@pytest.fixture(autouse=True)
def _one_event(store: Store, notice: Callable[..., Pending], now: datetime) -> None:
    store.append([notice("a")], now=now)


def test_the_program_may_not(database: Database) -> None:
    with database.psycopg(autocommit=True) as connection:
        for change in CHANGES:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(change)


def test_nor_may_the_owner(database: Database) -> None:
    with database.owner_engine() as engine:
        for change in CHANGES:
            with engine.connect() as connection, pytest.raises(sa.exc.IntegrityError, match="append-only"):
                connection.exec_driver_sql(change)


def test_nor_may_whoever_switches_ordinary_triggers_off(database: Database, server: EmbeddedServer) -> None:
    name = psycopg.conninfo.conninfo_to_dict(database.dsn)["dbname"]
    with psycopg.connect(server.conninfo(SUPERUSER, str(name)), autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        for change in CHANGES:
            with pytest.raises(psycopg.errors.RestrictViolation, match="append-only"):
                connection.execute(change)


def test_an_upsert_is_a_change_too(database: Database) -> None:
    with database.psycopg() as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(
            "INSERT INTO store.event SELECT * FROM store.event ON CONFLICT (notification_id) DO UPDATE SET topic = 'x'"
        )


def test_an_event_without_a_position_is_refused(database: Database) -> None:
    with database.psycopg() as connection, pytest.raises(psycopg.errors.NotNullViolation, match="notification_id"):
        connection.execute(
            "INSERT INTO store.event (originator_id, originator_version, topic, state, recorded_at)"
            " VALUES (gen_random_uuid(), 1, 'x', '', now())"
        )


def test_a_position_is_given_once(database: Database) -> None:
    with database.psycopg() as connection, pytest.raises(psycopg.errors.UniqueViolation):
        connection.execute("INSERT INTO store.event VALUES (gen_random_uuid(), 1, 'x', '', 1, now())")
