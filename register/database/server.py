"""The embedded PostgreSQL server of a data folder: started by the first who needs it, stopped by the last who leaves.

The server listens on a Unix socket inside its own folder, which nobody but its user can enter, and on no port. It runs
in a session of its own, so that Ctrl-C in the terminal of the process that happened to start it does not take it from
the others.

Users hold a shared `flock` on a file beside the database: the kernel lets go of it however a process ends, where a
count would go wrong with the first `kill -9`. Starting and stopping happen under a second, exclusive lock, the gate.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg
from psycopg.conninfo import make_conninfo

from register.database.errors import DatabaseError
from register.database.programs import MAJOR, Account, initdb_uid, programs, run_as, server_account

SUPERUSER = "postgres"
OWNER = "cvr_owner"
DATABASE = "cvr"

#: `sun_path` holds 108 bytes, the last of them zero (unix(7)).
SOCKET_PATH_LIMIT = 107
SOCKET = ".s.PGSQL.5432"

#: How the server sees its own folder when root started it. The server's user cannot necessarily reach the folder by
#: its path (a parent may be closed to him, as /root is), but root can put him into it before giving up root.
OWN_FOLDER = "/proc/self/cwd"

#: No process has this number (Linux ends at 2^22).
NO_PROCESS = 2**31 - 2

START_SECONDS = 60.0
RECOVERY_SECONDS = 1800.0
STOP_SECONDS = 60.0
REMAINS_SECONDS = 20.0
#: How long after its start a server may be without a pid file.
PID_FILE_SECONDS = 0.5

SETTINGS = {
    "listen_addresses": "",
    "unix_socket_directories": ".",
    "unix_socket_permissions": "0700",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "max_connections": "60",
    "shared_buffers": "256MB",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "max_wal_size": "2GB",
    "wal_compression": "on",
    "checkpoint_timeout": "15min",
    "random_page_cost": "1.1",
    "jit": "off",
    "timezone": "UTC",
    # What a statement was about may be personal: the server's own log keeps neither statements nor details.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_timezone": "UTC",
}


class EmbeddedServer:
    """One user's hold on the server of ``data``/postgres. Made by opening; given back by `close`."""

    def __init__(self, data: Path) -> None:
        """Makes the database folder if need be, and sees to it that the server runs. Raises `DatabaseError`."""
        self.data = data
        self.folder = data / "postgres"
        self._short: tempfile.TemporaryDirectory[str] | None = None
        _make_folder(data)
        self._users = _open_lock(data / "postgres.users")
        try:
            with self._gate():
                # Only with the gate in hand does anybody hold this lock exclusively, so this does not wait.
                fcntl.flock(self._users, fcntl.LOCK_SH)
                self._start_if_dead()
        except BaseException:
            os.close(self._users)
            self._remove_short()
            raise

    def conninfo(self, user: str = OWNER, database: str = DATABASE) -> str:
        """How to reach the server, as a libpq connection string."""
        return make_conninfo(host=self._host(), port=5432, user=user, dbname=database)

    def ensure_running(self) -> None:
        """Starts the server again if it was found dead."""
        with self._gate():
            self._start_if_dead()

    def pid(self) -> int | None:
        """The process id of the server as its pid file has it, or None if it does not run."""
        return _running(self.folder)

    def close(self) -> None:
        """Lets go of the server; the last to leave stops it."""
        if self._users < 0:
            return
        try:
            with self._gate():
                try:
                    # Turning shared into exclusive is not atomic, but nobody comes in while we hold the gate.
                    fcntl.flock(self._users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    return
                _stop(self.folder)
        finally:
            os.close(self._users)
            self._users = -1
            self._remove_short()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextlib.contextmanager
    def _gate(self) -> Iterator[None]:
        gate = _open_lock(self.data / "postgres.gate")
        try:
            fcntl.flock(gate, fcntl.LOCK_EX)
            yield
        finally:
            os.close(gate)

    def _host(self) -> str:
        """The socket's folder, by way of a symbolic link in a private folder when its own path is too long."""
        if len(os.fsencode(self.folder / SOCKET)) <= SOCKET_PATH_LIMIT:
            return str(self.folder)
        if self._short is None:
            self._short = tempfile.TemporaryDirectory(prefix="cvr-")
            Path(self._short.name, "pg").symlink_to(self.folder)
        return str(Path(self._short.name, "pg"))

    def _remove_short(self) -> None:
        if self._short is not None:
            self._short.cleanup()
            self._short = None

    def _start_if_dead(self) -> None:
        if _accepts(self.conninfo(SUPERUSER, "postgres")) is None:
            return
        account = server_account(self.folder)
        where = programs(account)
        if not (self.folder / "PG_VERSION").exists():
            _make_cluster(self.folder, account, where)
        made_by = (self.folder / "PG_VERSION").read_text().strip()
        if made_by != MAJOR:
            raise DatabaseError(
                f"{self.folder} was made by PostgreSQL {made_by} and this program brings {MAJOR}: "
                "move the data with pg_dump, or set CVR_DATABASE_URL"
            )
        begun = time.monotonic()
        while not self._start_once(account, where):
            # The remains of a server that was killed let go of its shared memory when they notice, not at once.
            if time.monotonic() - begun > REMAINS_SECONDS:
                raise DatabaseError(f"PostgreSQL did not start; its last words:\n{_last_words(self.folder)}")
        self._make_database()

    def _start_once(self, account: Account, where: Path) -> bool:
        """Starts the server unless its process is there, and waits; False when the process went away again."""
        if _running(self.folder) is None:
            _disown_pid_files(self.folder)
            _start(self.folder, account, where)
        begun = last_seen = time.monotonic()
        while (obstacle := _accepts(self.conninfo(SUPERUSER, "postgres"))) is not None:
            now = time.monotonic()
            if _running(self.folder) is not None:
                last_seen = now
            elif now - last_seen > PID_FILE_SECONDS:
                return False
            if now - begun > (RECOVERY_SECONDS if obstacle == "starting" else START_SECONDS):
                raise DatabaseError(f"PostgreSQL does not answer; its last words:\n{_last_words(self.folder)}")
            time.sleep(0.02)
        return True

    def _make_database(self) -> None:
        """The owner and the database, unless they are there. The owner is no superuser: triggers hold for him too."""
        with psycopg.connect(self.conninfo(SUPERUSER, "postgres"), autocommit=True) as connection:
            if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [OWNER]).fetchone() is None:
                connection.execute(f"CREATE ROLE {OWNER} LOGIN CREATEROLE")
            if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone() is None:
                connection.execute(f"CREATE DATABASE {DATABASE} OWNER {OWNER}")


def _make_folder(data: Path) -> None:
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise DatabaseError(f"cannot make the data folder {data} ({error.strerror}): set CVR_DATA") from error


def _open_lock(path: Path) -> int:
    try:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        if os.geteuid() == 0:
            # Root at work in somebody's data folder leaves nothing behind that keeps its owner out.
            owner = path.parent.stat()
            os.fchown(lock, owner.st_uid, owner.st_gid)
        return lock
    except PermissionError as error:
        raise DatabaseError(
            f"{path} belongs to another user: run as that user, or set CVR_DATA to a folder of your own"
        ) from error


def _accepts(conninfo: str) -> str | None:
    """None when the server takes connections, else why not: "dead" or "starting" (recovering, or shutting down)."""
    try:
        psycopg.connect(conninfo, connect_timeout=10).close()
    except psycopg.OperationalError as error:
        return "starting" if error.sqlstate == "57P03" or "the database system is" in str(error) else "dead"
    return None


def _make_cluster(folder: Path, account: Account, where: Path) -> None:
    """Runs initdb into a folder beside, then a rename: a database folder is whole or not there."""
    fresh = folder.with_name("postgres.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(mode=0o700)
    maker = initdb_uid(account)
    try:
        if maker is not None:
            os.chown(fresh, maker, maker)
        done = subprocess.run(
            [
                str(where / "initdb"),
                f"--pgdata={_as_server_sees(fresh, account)}",
                f"--username={SUPERUSER}",
                "--encoding=UTF8",
                "--locale=C",
                "--auth=trust",
            ],
            cwd=fresh,
            env=_environment(),
            capture_output=True,
            text=True,
            check=False,
            **run_as(maker),
        )
        if done.returncode != 0 and _nameless():
            raise DatabaseError(
                f"user {os.geteuid()} has no name on this machine (no line in /etc/passwd), which PostgreSQL's initdb "
                "insists on: run as a user with a name, or set CVR_DATABASE_URL"
            )
        if done.returncode != 0:
            raise DatabaseError(f"initdb failed in {fresh}:\n{done.stderr.strip()}")
        if account.uid is not None and account.uid != maker:
            _give(fresh, account.uid)
        # A folder without PG_VERSION was never a database; what else is in the way is not ours to remove.
        if folder.exists():
            folder.rmdir()
        fresh.rename(folder)
    except OSError as error:
        raise DatabaseError(
            f"cannot make the database folder {folder} ({error.strerror}): set CVR_DATA to a folder on another file "
            "system, run as an ordinary user, or set CVR_DATABASE_URL"
        ) from error


def _nameless() -> bool:
    try:
        pwd.getpwuid(os.geteuid())
    except KeyError:
        return True
    return False


def _give(folder: Path, uid: int) -> None:
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            os.lchown(Path(parent, name), uid, uid)
    os.chown(folder, uid, uid)


def _start(folder: Path, account: Account, where: Path) -> None:
    options = " ".join(f"-c {name}='{value}'" for name, value in SETTINGS.items())
    done = subprocess.run(
        [
            str(where / "pg_ctl"),
            "start",
            "--no-wait",
            "--silent",
            f"--pgdata={_as_server_sees(folder, account)}",
            "--log=server.log",
            f"--options={options}",
        ],
        cwd=folder,
        env=_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        check=False,
        **account.run_as(),
    )
    if done.returncode != 0:
        raise DatabaseError(f"PostgreSQL could not be started in {folder}:\n{_last_words(folder)}")


def _stop(folder: Path) -> None:
    """Fast shutdown: open transactions are rolled back, everything committed is on disk."""
    pid = _running(folder)
    if pid is None:
        return
    os.kill(pid, signal.SIGINT)
    deadline = time.monotonic() + STOP_SECONDS
    while _running(folder) is not None:
        if time.monotonic() > deadline:
            raise DatabaseError(f"PostgreSQL (process {pid}) did not stop within {STOP_SECONDS:.0f} s")
        time.sleep(0.01)


def _running(folder: Path) -> int | None:
    """The server of ``folder``, if it runs: the number in its pid file, if that process works in this folder."""
    pid = _pid_in(folder / "postmaster.pid")
    if pid is None:
        return None
    process = Path("/proc") / str(pid)
    if Path("/proc/self/cwd").exists():
        # A dead one nobody has reaped yet has no folder any more; a stranger with the same number has another.
        try:
            return pid if (process / "cwd").samefile(folder) else None
        except OSError:
            return None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    return pid


def _pid_in(path: Path) -> int | None:
    try:
        first = path.read_text(encoding="utf-8", errors="replace").partition("\n")[0].strip()
    except FileNotFoundError:
        return None
    return abs(int(first)) if first.lstrip("-").isdigit() and int(first) != 0 else None


def _disown_pid_files(folder: Path) -> None:
    """Lets PostgreSQL take over pid files whose number has since gone to another process.

    PostgreSQL would take that process for a running server, which is what happens when a container starts again. The
    file stays, since it also says which shared memory to look at: remains of the dead server may still be writing.
    """
    for path in (folder / "postmaster.pid", folder / f"{SOCKET}.lock"):
        if _pid_in(path) is None:
            continue
        # The folder is the server's user's; root follows no link he may have put there.
        with os.fdopen(os.open(path, os.O_RDWR | os.O_NOFOLLOW), "r+", encoding="utf-8") as file:
            _, newline, others = file.read().partition("\n")
            file.seek(0)
            file.truncate()
            file.write(f"{NO_PROCESS}{newline}{others}")


def _as_server_sees(folder: Path, account: Account) -> str:
    return str(folder) if account.uid is None else OWN_FOLDER


def _environment() -> dict[str, str]:
    """What the server's programs get of our environment: nothing that sets PostgreSQL up in another way."""
    return {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C", "TZ": "UTC"}


def _last_words(folder: Path) -> str:
    try:
        lines = (folder / "server.log").read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return f"(no {folder / 'server.log'})"
    return "\n".join(lines[-15:])
