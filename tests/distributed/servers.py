"""Several PostgreSQL servers of one register on this machine: one that is written to, and standbys that follow it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, urlencode

import psycopg
from psycopg.conninfo import conninfo_to_dict

from register.database import migrate, open_database
from register.database.programs import programs, server_account
from register.database.server import DATABASE, OWNER, SUPERUSER, EmbeddedServer
from register.projection.rebuild import bring_to_form
from register.settings import Settings
from register.store import Store
from tests.conftest import MEMORY, ROOM
from tests.flows.conftest import until


class Servers:
    """Servers by name: ``one`` is written to at first, ``two`` and ``three`` follow it."""

    def __init__(self, folder: Path, quorum: str) -> None:
        self.folder = folder
        self.running: dict[str, EmbeddedServer] = {}
        self.primary = "one"
        self.start("one")
        settings = Settings(data=folder / "nothing", database_url=self.url("one"))
        with open_database(settings, migrating=True) as database:
            migrate(database)
            with Store(database.psycopg) as store:
                bring_to_form(database, store)
        for name in ("two", "three"):
            self._copy(name)
            self.start(name)
        self.alter("one", synchronous_standby_names=quorum)
        until(lambda: self.replicas() == 2)

    def start(self, name: str) -> None:
        """Start a server, which is made if it is not there yet."""
        self.running[name] = EmbeddedServer(self.folder / name)
        # The servers, all of one user, reach each other's sockets.
        (self.folder / name).chmod(0o711)

    def kill(self, name: str) -> None:
        """``kill -9``: nothing is written any more, nobody is told."""
        server = self.running.pop(name)
        pid = server.pid()
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        until(lambda: server.pid() is None)
        server.close()

    def freeze(self, name: str, number: signal.Signals = signal.SIGSTOP) -> None:
        """Stop all of a server's processes, or let them go on: it is there, and does not answer."""
        pid = self.running[name].pid()
        assert pid is not None
        for each in [pid, *map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]:
            os.kill(each, number)

    def promote(self, name: str) -> None:
        """Let a standby take the place of a primary that is gone; the others follow it."""
        with self.connect(name) as connection:
            assert connection.execute("SELECT pg_promote()").fetchone() == (True,)
        self.primary = name
        for other in self.running:
            if other != name:
                self.alter(other, primary_conninfo=self._replication(name, other))

    def alter(self, name: str, **settings: str) -> None:
        """Change settings of a running server."""
        with self.connect(name) as connection:
            for setting, value in settings.items():
                connection.execute(f"ALTER SYSTEM SET {setting} = '{value.replace(chr(39), chr(39) * 2)}'")
            connection.execute("SELECT pg_reload_conf()")

    def received(self, name: str) -> int:
        """How much of the write-ahead log a standby has received."""
        with self.connect(name) as connection:
            row = connection.execute("SELECT pg_last_wal_receive_lsn() - '0/0'::pg_lsn").fetchone()
        assert row is not None
        return int(str(row[0]))

    def replicas(self) -> int:
        """How many standbys follow the primary."""
        with self.connect(self.primary) as connection:
            row = connection.execute("SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'").fetchone()
        return 0 if row is None else int(str(row[0]))

    def url(self, *names: str, **more: str) -> str:
        """The address of a server, or of whichever of several is written to, as an operator would give it."""
        hosts = ",".join(str(conninfo_to_dict(self._conninfo(name))["host"]) for name in names)
        one_of = {"target_session_attrs": "read-write"} if len(names) > 1 else {}
        return f"postgresql://{OWNER}@/{DATABASE}?{urlencode({'host': hosts, **one_of, **more}, quote_via=quote)}"

    def connect(self, name: str, database: str = "postgres") -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(self.running[name].conninfo(SUPERUSER, database), autocommit=True)

    def close(self) -> None:
        for server in self.running.values():
            server.close()

    def _conninfo(self, name: str) -> str:
        return f"host={self.folder / name / 'postgres'} port=5432 user={SUPERUSER}"

    def _replication(self, source: str, name: str) -> str:
        return f"{self._conninfo(source)} application_name={name}"

    def _copy(self, name: str) -> None:
        """A standby: a copy of the primary made while it runs, told whom to follow."""
        place = self.folder / name
        place.mkdir()
        account = server_account(self.folder / "one" / "postgres")
        if account.uid is not None:
            os.chown(place, account.uid, account.uid)
        words = ["--pgdata=postgres", "--checkpoint=fast", "--write-recovery-conf", "--no-sync"]
        subprocess.run(
            [programs(account) / "pg_basebackup", f"--dbname={self._replication('one', name)}", *words],
            cwd=place,
            check=True,
            **account.run_as(),
        )


@contextmanager
def servers(quorum: str = "ANY 1 (two, three)") -> Iterator[Servers]:
    """Three servers, in memory where there is room."""
    memory = MEMORY if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM else None
    folder = Path(tempfile.mkdtemp(prefix="cvr-hosts-", dir=memory))
    folder.chmod(0o711)
    try:
        made = Servers(folder, quorum)
        try:
            yield made
        finally:
            made.close()
    finally:
        shutil.rmtree(folder)


def environment(settings: Settings, **more: str) -> Mapping[str, str]:
    """The environment of a process of the program, as on a host of its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CVR_")}
    return kept | {"CVR_DATA": str(settings.data), "CVR_DATABASE_URL": settings.database_url or ""} | more
