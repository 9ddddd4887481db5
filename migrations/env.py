"""Alembic's entry: runs the migrations, or compares the database with the tables the rooms declare.

The connection comes from `register.database.schema`; there is no offline mode, since migrations ask what roles exist.
"""

from importlib import import_module
from importlib.util import find_spec
from pkgutil import iter_modules
from typing import Any

import sqlalchemy as sa
from alembic import context

import register
from register.database.schema import COMPARING, LOCK_TIMEOUT, MIGRATION_LOCK, VERSIONS_SCHEMA, VERSIONS_TABLE


def declared_metadata() -> list[sa.MetaData]:
    """The tables the rooms declare: `metadata` of each room's module `tables`, where there is one."""
    declared = []
    for room in iter_modules(register.__path__, "register."):
        if room.ispkg and find_spec(f"{room.name}.tables") is not None:
            metadata = getattr(import_module(f"{room.name}.tables"), "metadata", None)
            if metadata is not None:
                declared.append(metadata)
    return declared


# Migrating needs no tables declared, and need not wait for the rooms to be loaded.
METADATA = declared_metadata() if context.config.attributes.get(COMPARING) else []
SCHEMAS = {table.schema for metadata in METADATA for table in metadata.tables.values()}


def compared(name: str | None, kind: str, _parents: Any) -> bool:
    """Only schemas whose tables are declared are compared; the event store's are made by hand."""
    return name in SCHEMAS if kind == "schema" else True


def run() -> None:
    """Runs what was asked of Alembic on the connection it was given, in one transaction."""
    connection = context.config.attributes["connection"]
    context.configure(
        connection=connection,
        target_metadata=METADATA,
        version_table=VERSIONS_TABLE,
        version_table_schema=VERSIONS_SCHEMA,
        include_schemas=True,
        include_name=compared,
        compare_type=True,
        compare_server_default=True,
    )
    with context.begin_transaction():
        connection.execute(sa.text(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})"))
        # A migration that cannot have its lock soon gives up, rather than making everybody queue behind it.
        connection.execute(sa.text(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'"))
        connection.execute(sa.text(f"CREATE SCHEMA IF NOT EXISTS {VERSIONS_SCHEMA}"))
        context.run_migrations()


run()
