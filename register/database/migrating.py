"""Alembic at work. Loaded only when there is something to migrate: a process that finds its schema starts sooner."""

from __future__ import annotations

from threading import Lock

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from register.database.errors import DatabaseError
from register.database.schema import MIGRATIONS, VERSIONS_SCHEMA, VERSIONS_TABLE

#: Alembic keeps the run it is at in module variables: one thread at a time.
_ALEMBIC = Lock()


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


def missing(engine: sa.Engine) -> list[str]:
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
