"""Schemas, roles, and whether the schema is up to date."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import sqlalchemy as sa

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


class Executor(Protocol):
    """What can run SQL in a migration: `alembic.op`."""

    def execute(self, sqltext: str) -> None:
        """Runs one statement."""


def newest() -> str:
    """The revision this program brings a database to. Revisions are numbered, and form one line (a test says so)."""
    return max(path.stem for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))


def is_up_to_date(engine: sa.Engine) -> bool:
    """Whether the database has exactly the schema of this program; asked without Alembic, which takes long to load."""
    versions = f"{VERSIONS_SCHEMA}.{VERSIONS_TABLE}"
    with engine.connect() as connection:
        if connection.scalar(sa.select(sa.func.to_regclass(versions))) is None:
            return False
        return connection.scalars(sa.text(f"SELECT version_num FROM {versions}")).all() == [newest()]


@contextmanager
def owned_by_app(op: Executor) -> Iterator[None]:
    """In a migration: what is made inside belongs to `cvr_app`."""
    op.execute(f"SET LOCAL ROLE {APP_ROLE}")
    yield
    op.execute("RESET ROLE")
