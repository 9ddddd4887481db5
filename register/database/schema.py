"""Bringing the schema up to date, and asking whether it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Protocol

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from register.database.errors import DatabaseError

MIGRATIONS = Path(__file__).parents[2] / "migrations"

#: Where Alembic keeps which revisions have been applied.
VERSIONS_SCHEMA = "migrations"
VERSIONS_TABLE = "alembic_version"

#: Schemas that `cvr_app` owns; in `store` it may only look and add.
APP_SCHEMAS = ("log", "intake", "projection", "access", "jobs")
SCHEMAS = ("store", *APP_SCHEMAS)
APP_ROLE = "cvr_app"
READ_ROLE = "cvr_read"

#: Attribute of the configuration under which the rooms' declared tables are compared with the database's.
COMPARING = "comparing"

LOCK_TIMEOUT = "5s"

#: Key of the advisory lock that makes concurrent migrations of one database wait for each other.
MIGRATION_LOCK = 0x6376725F6D696772

#: Alembic keeps the run it is at in module variables: one thread at a time.
_ALEMBIC = Lock()


class Executor(Protocol):
    """What can run SQL in a migration: `alembic.op`."""

    def execute(self, sqltext: str) -> None:
        """Runs one statement."""


def alembic_config() -> Config:
    """Alembic's configuration, made in code: there is no alembic.ini that could say something else."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    return config


def upgrade(engine: sa.Engine) -> None:
    """Applies every migration not applied yet, all in one transaction, or none."""
    config = alembic_config()
    with _ALEMBIC, engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "heads")


def pending(engine: sa.Engine) -> list[str]:
    """The revisions this program has and the database has not, in the order of their application.

    Raises `DatabaseError` when the database has revisions this program does not know (it was migrated by a newer one).
    """
    script = ScriptDirectory.from_config(alembic_config())
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"version_table": VERSIONS_TABLE, "version_table_schema": VERSIONS_SCHEMA}
        )
        applied = set(context.get_current_heads())
    known = {revision.revision: revision for revision in script.walk_revisions()}
    unknown = sorted(applied - known.keys())
    if unknown:
        raise DatabaseError(f"the database has the schema of a newer version of this program ({', '.join(unknown)})")
    done = {revision.revision for head in applied for revision in script.iterate_revisions(head, "base")}
    return [revision for revision in reversed(known) if revision not in done]


@contextmanager
def owned_by_app(op: Executor) -> Iterator[None]:
    """In a migration: what is made inside belongs to `cvr_app`."""
    op.execute(f"SET LOCAL ROLE {APP_ROLE}")
    yield
    op.execute("RESET ROLE")
