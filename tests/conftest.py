"""A database of its own for every test, on one real server for the whole run."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import hypothesis
import psycopg
import pytest
from psycopg import sql

from register.database import Database, migrate, open_database
from register.database.server import OWNER, SUPERUSER, EmbeddedServer
from register.projection.rebuild import bring_to_form
from register.settings import Settings
from register.store import Store

# No test is a timed one: on a busy machine an example may take long.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

TEMPLATE = "cvr_template"
#: A file system in memory, as Linux has it, and how much of it must be free.
MEMORY = Path("/dev/shm")
ROOM = 2 << 30


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[EmbeddedServer]:
    """The server of this run; processes of one run share it as any users do, and the last one stops it."""
    base = tmp_path_factory.getbasetemp()
    folder = _server_folder(base if worker_id == "master" else base.parent)
    folder.mkdir(parents=True, exist_ok=True)
    with EmbeddedServer(folder) as server:
        with (folder / "template.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            _make_template(server)
        yield server
    if worker_id == "master":
        _forget(folder)


def _server_folder(base: Path) -> Path:
    """In memory where there is room for it: hundreds of databases are made and dropped, each with its own syncs."""
    if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM:
        return MEMORY / f"cvr-tests-{os.getuid()}-{hashlib.sha256(str(base).encode()).hexdigest()[:16]}"
    return base / "server"


def _forget(folder: Path) -> None:
    if folder.is_relative_to(MEMORY):
        shutil.rmtree(folder, ignore_errors=True)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """What the workers of one run shared in memory goes with the run."""
    factory = getattr(session.config, "_tmp_path_factory", None)
    if factory is not None and not hasattr(session.config, "workerinput"):
        _forget(_server_folder(factory.getbasetemp()))


@pytest.fixture
def settings(server: EmbeddedServer, tmp_path: Path) -> Iterator[Settings]:
    """Settings of a run of its own: an empty data folder, and a fresh database with today's schema."""
    with _fresh(server, tmp_path / "data") as settings:
        yield settings


@pytest.fixture
def other_settings(server: EmbeddedServer, tmp_path: Path) -> Iterator[Settings]:
    """A second register beside the first, as empty as that one."""
    with _fresh(server, tmp_path / "other") as settings:
        yield settings


@contextmanager
def _fresh(server: EmbeddedServer, folder: Path) -> Iterator[Settings]:
    name = f"test_{uuid.uuid4().hex}"
    with _superuser(server) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {} STRATEGY FILE_COPY").format(
                *map(sql.Identifier, (name, OWNER, TEMPLATE))
            )
        )
        # Rights on the database itself are the one thing a template does not hand on.
        connection.execute(sql.SQL("GRANT CREATE ON DATABASE {} TO cvr_app").format(sql.Identifier(name)))
    yield Settings(data=folder, database_url=url(server, name))
    with _superuser(server) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    """A fresh database with today's schema, as the program opens it."""
    with open_database(settings) as database:
        yield database


@pytest.fixture
def empty_database_url(server: EmbeddedServer) -> Iterator[str]:
    """The address of a database nothing has been done to."""
    name = f"empty_{uuid.uuid4().hex}"
    with _superuser(server) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(*map(sql.Identifier, (name, OWNER))))
    yield url(server, name)
    with _superuser(server) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def url(server: EmbeddedServer, name: str) -> str:
    """A database of the embedded server as an operator would name one of his own."""
    host = psycopg.conninfo.conninfo_to_dict(server.conninfo())["host"]
    return f"postgresql://{OWNER}@/{name}?host={quote(str(host), safe='')}&port=5432"


def _make_template(server: EmbeddedServer) -> None:
    with _superuser(server) as connection:
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [TEMPLATE]).fetchone():
            return
        connection.execute(f"CREATE DATABASE {TEMPLATE}_new OWNER {OWNER}")
        settings = Settings(data=server.data, database_url=url(server, f"{TEMPLATE}_new"))
        with open_database(settings, migrating=True) as database:
            migrate(database)
            with Store(database.psycopg) as store:
                bring_to_form(database, store)  # a new form of the register's tables is no migration
        connection.execute(f"ALTER DATABASE {TEMPLATE}_new RENAME TO {TEMPLATE}")


def _superuser(server: EmbeddedServer) -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(server.conninfo(SUPERUSER, "postgres"), autocommit=True)
