"""Alembic's entry: runs the migrations, or compares the database with the tables the rooms declare.

The connection comes from `register.database.schema`; there is no offline mode, since migrations ask what roles exist.
"""

from importlib import import_module
from importlib.util import find_spec
from typing import Any

import sqlalchemy as sa
from alembic import context

from register.database.schema import LOCK_TIMEOUT, MIGRATION_LOCK, VERSIONS_SCHEMA, VERSIONS_TABLE

#: Modules that declare tables, each as `metadata`.
DECLARING = ("register.intake.tables", "register.projection.tables", "register.log.tables", "register.access")


def declared_metadata() -> list[sa.MetaData]:
    """The tables the rooms declare, of those rooms that declare any."""
    declared = []
    for name in DECLARING:
        room = name.rpartition(".")[0]
        if find_spec(room) is None or find_spec(name) is None:
            continue
        metadata = getattr(import_module(name), "metadata", None)
        if metadata is not None:
            declared.append(metadata)
    return declared


METADATA = declared_metadata()
DECLARED = {(table.schema, table.name) for metadata in METADATA for table in metadata.tables.values()}
SCHEMAS = {schema for schema, _ in DECLARED}


def compared(name: str | None, kind: str, parents: Any) -> bool:
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
