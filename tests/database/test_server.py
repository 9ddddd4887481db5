"""The embedded server among several processes, some of which die.

Every user is a process of its own that holds the data folder open, answers `ask` and goes when told to.
"""

from __future__ import annotations

import os
import pwd
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from register.database import DatabaseError, open_database
from register.database.programs import server_account
from register.database.server import SOCKET, SOCKET_PATH_LIMIT, EmbeddedServer
from register.settings import Settings

USER = """
import os, sys, pkgutil, procrastinate  # what is loaded late must be loaded before the interpreter is out of reach
from pathlib import Path
from register.database import migrating, open_database
from register.settings import Settings

folder, uid = sys.argv[1:]
if uid != "-":
    os.setgroups([]); os.setgid(int(uid)); os.setuid(int(uid))
with open_database(Settings(data=Path(folder))) as database:
    print("in", database.server.pid(), flush=True)
    for line in sys.stdin:
        if line == "leave\\n":
            break
        with database.psycopg() as connection:
            told = connection.execute("SELECT current_setting('listen_addresses') || current_user").fetchone()
            print(told[0], flush=True)
print("out", flush=True)
"""

ORDINARY_UID = next(entry.pw_uid for entry in reversed(pwd.getpwall()) if entry.pw_uid != 0)


class User:
    """A process that uses the data folder."""

    def __init__(self, folder: Path, uid: int | None = None) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", USER, str(folder), "-" if uid is None else str(uid)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )

    def comes_in(self) -> int:
        """The server's process id, once the folder is open."""
        said, pid = self._hear().split()
        assert said == "in"
        return int(pid)

    def works(self) -> bool:
        self._say("ask")
        return self._hear() == "cvr_app"

    def leaves(self) -> None:
        self._say("leave")
        assert self._hear() == "out"
        assert self.process.wait(60) == 0
        self.close()

    def dies(self) -> None:
        self.process.kill()
        self.process.wait(60)
        self.close()

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(60)
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None and not pipe.closed:
                pipe.close()

    def _say(self, word: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(word + "\n")

    def _hear(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()


Enter = Callable[..., User]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "data"
    yield folder
    if (folder / "postgres").exists():
        EmbeddedServer(folder).close()  # of a test that failed half-way


@pytest.fixture
def user(folder: Path) -> Iterator[Enter]:
    users: list[User] = []

    def enter(where: Path = folder, uid: int | None = None) -> User:
        users.append(User(where, uid))
        return users[-1]

    yield enter
    for one in users:
        one.close()


def runs(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


def test_processes_that_come_at_once_share_one_server_and_the_last_one_out_stops_it(folder: Path, user: Enter) -> None:
    first, second, third = user(), user(), user()
    pid = first.comes_in()
    assert second.comes_in() == third.comes_in() == pid
    assert os.getsid(pid) not in {os.getsid(0), os.getsid(first.process.pid)}, "Ctrl-C would take it along"
    first.leaves()
    assert second.works()
    third.dies()
    assert second.works()
    assert runs(pid)
    second.leaves()
    assert not runs(pid)
    assert not (folder / "postgres/postmaster.pid").exists(), "it was not stopped in good order"


def test_a_server_whose_only_user_was_killed_serves_the_next_one_and_goes_with_him(user: Enter) -> None:
    first = user()
    pid = first.comes_in()
    first.dies()
    assert runs(pid)
    second = user()
    assert second.comes_in() == pid
    second.leaves()
    assert not runs(pid)


def test_a_server_that_was_killed_is_started_again_and_has_lost_nothing(folder: Path, user: Enter) -> None:
    with open_database(Settings(data=folder)) as database:
        assert database.server is not None
        with database.psycopg() as connection:
            connection.execute("CREATE TABLE projection.kept AS SELECT 1 AS n")
        killed = database.server.pid()
        assert killed is not None
        os.kill(killed, signal.SIGKILL)
        later = user()
        again = later.comes_in()
        assert again != killed
        with database.engine.connect() as connection:
            assert connection.exec_driver_sql("SELECT n FROM projection.kept").scalar() == 1
        os.kill(again, signal.SIGKILL)
        while runs(again):
            time.sleep(0.01)
        with database.psycopg() as direct:
            assert direct.execute("SELECT n FROM projection.kept").fetchone() == (1,), "nobody else came to start it"
        assert later.works()
        later.leaves()


def test_an_ordinary_user_runs_the_server_as_himself(tmp_path: Path, user: Enter) -> None:
    folder = tmp_path / "data"
    if os.geteuid() == 0:
        folder = Path("/tmp") / f"cvr-{os.getpid()}"  # pytest's own folders are closed to others
        folder.mkdir(mode=0o700)
        os.chown(folder, ORDINARY_UID, ORDINARY_UID)
    uid = ORDINARY_UID if os.geteuid() == 0 else os.geteuid()
    try:
        first = user(folder, uid if os.geteuid() == 0 else None)
        pid = first.comes_in()
        assert Path(f"/proc/{pid}").stat().st_uid == uid
        first.leaves()
        # His number went to another process of his, as when a container starts again.
        stranger = subprocess.Popen(["sleep", "60"], user=uid if os.geteuid() == 0 else None)
        pid_file = folder / "postgres/postmaster.pid"
        pid_file.write_text(f"{stranger.pid}\n{folder}/postgres\n1\n5432\n.\n\n0 0\nready\n")
        os.chown(pid_file, uid, -1)
        second = user(folder, uid if os.geteuid() == 0 else None)
        assert second.comes_in() not in {pid, stranger.pid}
        second.leaves()
        assert stranger.poll() is None
        stranger.kill()
        stranger.wait()
    finally:
        if os.geteuid() == 0:
            subprocess.run(["rm", "-rf", str(folder)], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server as somebody else")
def test_root_runs_the_server_as_nobody_in_particular_even_below_a_closed_folder(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    with EmbeddedServer(closed / "data") as server:
        account = server_account(server.folder)
        pid = server.pid()
        assert account.uid not in {0, None}
        assert Path(f"/proc/{pid}").stat().st_uid == account.uid
        assert server.folder.stat().st_uid == account.uid
        assert server.folder.stat().st_mode & 0o777 == 0o700
        assert closed.stat().st_mode & 0o777 == 0o700, "a parent folder was opened up"
        assert (closed / "data").stat().st_uid == 0


def test_a_data_folder_may_have_a_path_longer_than_a_socket_may(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 25) / "data"
    assert len(str(folder / SOCKET)) > SOCKET_PATH_LIMIT
    with EmbeddedServer(folder) as server:
        assert len(str(psycopg.conninfo.conninfo_to_dict(server.conninfo())["host"])) < SOCKET_PATH_LIMIT
        with psycopg.connect(server.conninfo()) as connection:
            assert connection.execute("SHOW fsync").fetchone() == ("on",)


def test_a_database_of_another_major_version_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres/PG_VERSION").write_text("17\n")
    with pytest.raises(DatabaseError, match="made by PostgreSQL 17"):
        EmbeddedServer(tmp_path)
