"""Migrations: built from nothing, by several at once, without making others wait."""

from __future__ import annotations

import subprocess
import sys

import psycopg
import pytest
import sqlalchemy as sa
from alembic import command
from alembic.script import ScriptDirectory

from register.database import Database, DatabaseError, migrate, migrating, open_database, schema
from register.settings import Settings

MIGRATE = """
import sys
from pathlib import Path
from register.database import migrate, open_database
from register.settings import Settings

with open_database(Settings(data=Path("."), database_url=sys.argv[1]), migrating=True) as database:
    migrate(database)
"""


def test_the_schema_built_from_nothing_is_the_one_the_rooms_declare(database: Database) -> None:
    config = migrating.alembic_config()
    with database.owner_engine() as engine, engine.connect() as connection:
        config.attributes |= {"connection": connection, schema.COMPARING: True}
        command.check(config)


def test_revisions_form_one_line_that_ends_with_the_highest_number() -> None:
    script = ScriptDirectory.from_config(migrating.alembic_config())
    assert script.get_heads() == [schema.newest()]
    assert [r.revision for r in script.walk_revisions()] == sorted(
        (p.stem for p in schema.MIGRATIONS.glob("versions/[0-9]*.py")), reverse=True
    )


def test_two_who_migrate_at_once_do_it_once(settings: Settings, empty_database_url: str) -> None:
    both = [subprocess.Popen([sys.executable, "-c", MIGRATE, empty_database_url]) for _ in range(2)]
    assert [one.wait(60) for one in both] == [0, 0]
    with open_database(Settings(data=settings.data, database_url=empty_database_url)) as database:
        assert migrate(database) == []
        with database.psycopg() as connection:
            assert connection.execute("SELECT count(*) FROM store.event").fetchone() == (0,)


def test_a_migration_that_cannot_have_its_lock_gives_up_and_leaves_nothing(
    settings: Settings, empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema, "LOCK_TIMEOUT", "50ms")
    empty = Settings(data=settings.data, database_url=empty_database_url)
    with open_database(empty, migrating=True) as database:
        with psycopg.connect(empty_database_url) as other:
            other.execute("CREATE SCHEMA access")
            with pytest.raises(sa.exc.OperationalError, match="lock timeout"):
                migrate(database)
            other.rollback()
        with psycopg.connect(empty_database_url) as other:
            assert other.execute("SELECT count(*) FROM pg_namespace WHERE nspname = 'store'").fetchone() == (0,)
        assert schema.LOCK_TIMEOUT == "50ms"
        assert migrate(database)


def test_a_database_of_a_newer_version_is_left_alone(database: Database, settings: Settings) -> None:
    with database.owner_engine() as engine, engine.begin() as owner:
        owner.exec_driver_sql("INSERT INTO migrations.alembic_version VALUES ('9999_tomorrow')")
    with pytest.raises(DatabaseError, match="newer version"), open_database(settings):
        pass
