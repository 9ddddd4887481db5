"""Connections to the register's database."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import psycopg
import sqlalchemy as sa
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from register.database.errors import DatabaseError
from register.database.schema import APP_ROLE, is_up_to_date
from register.database.server import EmbeddedServer
from register.settings import Settings

if TYPE_CHECKING:
    from psycopg.rows import TupleRow

OLDEST_SERVER = 15
POOL_SIZE = 10


@dataclass(slots=True)
class Database:
    """An open database. Every connection but the owner's acts as `cvr_app`, which may not change the event store."""

    owner_dsn: str = field(repr=False)
    """libpq connection string of the owner; for migrations only."""

    dsn: str = field(repr=False)
    """libpq connection string under which a connection, also a child process's, acts as `cvr_app`."""

    engine: sa.Engine = field(repr=False)
    """SQLAlchemy engine with a pool of the size asked for at opening."""

    server: EmbeddedServer | None = None
    """The embedded server, or None when CVR_DATABASE_URL names one."""

    readings: sa.Engine = field(init=False, repr=False)
    """The same pool, for transactions that see one state of the database."""

    def __post_init__(self) -> None:
        self.readings = self.engine.execution_options(isolation_level="REPEATABLE READ")

    def psycopg(self, *, autocommit: bool = False) -> psycopg.Connection[TupleRow]:
        """A connection of its own, as `cvr_app`; to be used as a context manager."""
        return _connect(self.dsn, self.server, autocommit=autocommit)

    @contextmanager
    def owner_engine(self) -> Iterator[sa.Engine]:
        """An engine with the owner's rights; for migrations only."""
        engine = _engine(self.owner_dsn, self.server, pool_size=1)
        try:
            yield engine
        finally:
            engine.dispose()


@contextmanager
def open_database(settings: Settings, *, pool_size: int = POOL_SIZE, migrating: bool = False) -> Iterator[Database]:
    """The database the settings name, for as long as the block lasts.

    The embedded server is started if nobody has, and its schema brought up to date. A database named by URL must be up
    to date already (`cvr migrate`, which opens it with ``migrating``). Raises `DatabaseError`.
    """
    _check_process()
    if settings.database_url is not None:
        with _opened(settings.database_url, None, pool_size) as database:
            if not migrating:
                _check_schema(database)
            yield database
        return
    with EmbeddedServer(settings.data) as server, _opened(server.conninfo(), server, pool_size) as database:
        migrate(database)
        yield database


def migrate(database: Database) -> list[str]:
    """Brings the schema up to date; the revisions it applied, oldest first. Waits for others who are at it."""
    with database.owner_engine() as engine:
        if is_up_to_date(engine):
            return []
        from register.database import migrating  # noqa: PLC0415 - Alembic takes long to load and is rarely needed

        missing = migrating.missing(engine)
        if missing:
            migrating.upgrade(engine)
    return missing


@contextmanager
def _opened(owner_dsn: str, server: EmbeddedServer | None, pool_size: int) -> Iterator[Database]:
    dsn = acting_as(owner_dsn, APP_ROLE)
    engine = _engine(dsn, server, pool_size)
    try:
        with _connect(owner_dsn, server) as connection:
            _check_server(connection)
        yield Database(owner_dsn=owner_dsn, dsn=dsn, engine=engine, server=server)
    finally:
        engine.dispose()


def acting_as(dsn: str, role: str) -> str:
    """The connection string whose connections have done SET ROLE before their first statement."""
    options = conninfo_to_dict(dsn).get("options") or ""
    return make_conninfo(dsn, options=f"{options} -c role={role}".strip())


def _engine(dsn: str, server: EmbeddedServer | None, pool_size: int) -> sa.Engine:
    def connect() -> Any:
        return _connect(dsn, server)

    return sa.create_engine(
        "postgresql+psycopg://", creator=connect, pool_size=pool_size, max_overflow=0, pool_pre_ping=True
    )


def _connect(dsn: str, server: EmbeddedServer | None, *, autocommit: bool = False) -> psycopg.Connection[TupleRow]:
    try:
        return psycopg.connect(dsn, autocommit=autocommit)
    except psycopg.OperationalError:
        if server is None:
            raise
    server.ensure_running()
    return psycopg.connect(dsn, autocommit=autocommit)


def _check_process() -> None:
    if psycopg.pq.__impl__ == "python":
        raise DatabaseError("psycopg runs without its C implementation: install psycopg[binary]")
    if "POSTGRES_ENABLE_DB_FUNCTIONS" in os.environ:
        raise DatabaseError(
            "POSTGRES_ENABLE_DB_FUNCTIONS is set: with it, positions are given out of order and readers miss events; "
            "unset it"
        )


def _check_server(connection: psycopg.Connection[TupleRow]) -> None:
    major = connection.info.server_version // 10000
    if major < OLDEST_SERVER:
        raise DatabaseError(f"the database is PostgreSQL {major}; {OLDEST_SERVER} or newer is needed")
    row = connection.execute(
        "SELECT current_setting('fsync'), current_setting('synchronous_commit'), current_setting('server_encoding'),"
        " current_setting('synchronous_standby_names')"
    ).fetchone()
    if row is None:
        raise DatabaseError("the database does not tell its settings")
    fsync, synchronous_commit, encoding, standbys = row
    if fsync != "on":
        raise DatabaseError("the database runs with fsync = off: what it acknowledges may be lost; turn fsync on")
    if synchronous_commit == "off":
        raise DatabaseError("the database runs with synchronous_commit = off: what it acknowledges may be lost")
    if standbys.strip() and synchronous_commit not in ("on", "remote_apply"):
        raise DatabaseError(
            f"the database names synchronous standbys, and with synchronous_commit = {synchronous_commit} does not "
            "wait for their disks: what it acknowledges may be lost with it; set it to on"
        )
    if encoding != "UTF8":
        raise DatabaseError(f"the database's encoding is {encoding}; it must be UTF8")


def _check_schema(database: Database) -> None:
    with database.owner_engine() as engine:
        if is_up_to_date(engine):
            return
        from register.database import migrating  # noqa: PLC0415 - Alembic takes long to load and is rarely needed

        missing = migrating.missing(engine)
    if missing:
        raise DatabaseError(f"the database schema is behind (missing: {', '.join(missing)}): run `cvr migrate`")
