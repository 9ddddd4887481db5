"""What an operator may set, and the clock.

Settings come from the environment (prefix ``CVR_``) or from ``.env`` in the working directory; the environment wins. A
name this program does not know is an error, so that a misspelt setting is never silently without effect.
"""

from __future__ import annotations

import difflib
import ipaddress
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from register.law.calendar import SARAJEVO, civil_day

Clock = Callable[[], datetime]
"""Gives the instant it is: an aware datetime in UTC."""

CIVIL_ZONE = SARAJEVO

PREFIX = "CVR_"
NAMES = {
    "CVR_DATA": "folder of the register's files (default ./data)",
    "CVR_DATABASE_URL": "PostgreSQL to use: postgresql://owner@host/name (default: the embedded one inside CVR_DATA)",
    "CVR_STANDBY_URLS": "standbys of that database, with commas, from which what may lag a moment is read",
    "CVR_ISSUER": "who signs the tokens, as it stands in their `iss` (default: the local development issuer)",
    "CVR_JWKS_URL": "where that issuer publishes its keys; goes with CVR_ISSUER",
    "CVR_TRUSTED_PROXIES": "addresses or networks, with commas, of the proxies whose X-Forwarded-For is believed",
    "CVR_CLOCK": "rehearsals only: the instant at which the clock starts, e.g. 2026-08-01T08:00:00Z",
    "CVR_DOCUMENTS": "where documents are kept: a path or an fsspec URL such as s3://… (default: a folder in CVR_DATA)",
    "CVR_DOCUMENT_LIMIT": "bytes of a document, at most (default 20971520)",
    "CVR_RATE": "requests with notices that one authority may make in a second (default 2000)",
    "CVR_PROJECTORS": "processes of this server that keep the register up to date (default 1, at most 17)",
    "CVR_WITNESSES": "policy file (C2SP tlog-policy): the witnesses of the log and where they take checkpoints",
    "CVR_ORIGIN": "origin line of the transparency log (default cvr.localhost/register)",
}
"""Every setting there is, with its meaning; `cvr --help` prints it."""

DEFAULT_ORIGIN = "cvr.localhost/register"
DEFAULT_RATE = 2000
DEFAULT_PROJECTORS = 1
MOST_PROJECTORS = 17
DEFAULT_DOCUMENT_LIMIT = 20 << 20


class SettingsError(Exception):
    """A setting is unknown or makes no sense. The message names the setting, never a secret value."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one run. ``data`` is absolute. ``database_url`` may hold a password and is not shown,
    nor are ``standby_urls``.

    ``trusted_proxies``: addresses and networks (CIDR) of the proxies that say where a question comes from.
    ``documents``: a path or an fsspec URL, None for the folder below ``data``; ``document_limit`` in bytes.
    ``witnesses``: the policy file that names who cosigns the log, None for nobody. ``projectors``: how many processes
    of this server share the parts of the register.
    """

    data: Path
    database_url: str | None = field(default=None, repr=False)
    standby_urls: tuple[str, ...] = field(default=(), repr=False)
    issuer: str | None = None
    jwks_url: str | None = None
    clock_starts: datetime | None = None
    origin: str = DEFAULT_ORIGIN
    trusted_proxies: tuple[str, ...] = ()
    documents: str | None = field(default=None, repr=False)
    document_limit: int = DEFAULT_DOCUMENT_LIMIT
    rate: int = DEFAULT_RATE
    witnesses: Path | None = None
    projectors: int = DEFAULT_PROJECTORS

    @property
    def documents_place(self) -> str:
        """Where documents are kept: a path or an fsspec URL."""
        return self.documents or str(self.data / "documents")

    @property
    def log_key(self) -> Path:
        """The file of the key that signs the transparency log."""
        return self.data / "keys" / "log"

    @property
    def rehearsal(self) -> bool:
        """Whether the clock is not the real one; every page and answer then says so."""
        return self.clock_starts is not None


def read_settings(environ: Mapping[str, str] | None = None, folder: Path | None = None) -> Settings:
    """The settings out of ``environ`` (default: the process's) and ``folder``/.env (default: the working directory).

    Raises `SettingsError` for an unknown name beginning with CVR_ (naming the nearest known one) and for a value that
    cannot be meant.
    """
    folder = Path.cwd() if folder is None else folder
    values = read_env_file(folder / ".env") | {
        name: value for name, value in (os.environ if environ is None else environ).items() if name.startswith(PREFIX)
    }
    for name in sorted(values):
        if name not in NAMES:
            raise SettingsError(_unknown(name))
    given = {name: value for name, value in values.items() if value != ""}
    issuer, jwks_url = given.get("CVR_ISSUER"), given.get("CVR_JWKS_URL")
    if (issuer is None) != (jwks_url is None):
        raise SettingsError("CVR_ISSUER and CVR_JWKS_URL go together: set both, or neither for the development issuer")
    database_url = given.get("CVR_DATABASE_URL")
    if database_url is not None and not _is_database(database_url):
        raise SettingsError("CVR_DATABASE_URL must begin with postgresql://")
    standby_urls = tuple(part.strip() for part in given.get("CVR_STANDBY_URLS", "").split(",") if part.strip())
    if not all(_is_database(url) for url in standby_urls):
        raise SettingsError(
            "CVR_STANDBY_URLS must be addresses of one server each, with commas between them, each beginning with "
            "postgresql://"
        )
    if standby_urls and database_url is None:
        raise SettingsError("CVR_STANDBY_URLS goes with CVR_DATABASE_URL, which names the server they follow")
    origin = given.get("CVR_ORIGIN", DEFAULT_ORIGIN)
    if "+" in origin or any(character.isspace() for character in origin):
        raise SettingsError("CVR_ORIGIN may hold neither spaces nor a plus sign (C2SP signed-note key names)")
    return Settings(
        data=(folder / Path(given.get("CVR_DATA", "data")).expanduser()).absolute(),
        database_url=database_url,
        standby_urls=standby_urls,
        issuer=issuer,
        jwks_url=jwks_url,
        clock_starts=_instant("CVR_CLOCK", given["CVR_CLOCK"]) if "CVR_CLOCK" in given else None,
        origin=origin,
        trusted_proxies=_networks("CVR_TRUSTED_PROXIES", given.get("CVR_TRUSTED_PROXIES", "")),
        documents=_place(folder, given.get("CVR_DOCUMENTS")),
        witnesses=(folder / Path(given["CVR_WITNESSES"]).expanduser()).absolute() if "CVR_WITNESSES" in given else None,
        rate=_number("CVR_RATE", given.get("CVR_RATE", str(DEFAULT_RATE))),
        projectors=_number("CVR_PROJECTORS", given.get("CVR_PROJECTORS", str(DEFAULT_PROJECTORS)), MOST_PROJECTORS),
        document_limit=_number("CVR_DOCUMENT_LIMIT", given.get("CVR_DOCUMENT_LIMIT", str(DEFAULT_DOCUMENT_LIMIT))),
    )


def read_env_file(path: Path) -> dict[str, str]:
    """The CVR_ names of an env file: ``NAME=value`` a line, ``#`` for remarks, quotes around a value taken off.

    Other programs' names are passed over. No file, no names. Raises `SettingsError` for a line that is not one.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    values: dict[str, str] = {}
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip().removeprefix("export ").strip()
        if not line or line.startswith("#"):
            continue
        name, equals, value = line.partition("=")
        if not equals:
            raise SettingsError(f"{path}, line {number}: expected NAME=value")
        name, value = name.strip(), value.strip()
        if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"":
            value = value[1:-1]
        if name.startswith(PREFIX):
            values[name] = value
    return values


def make_clock(starts: datetime | None = None) -> Clock:
    """The clock of a run: the real one, or one that begins at ``starts`` now and runs on from there (rehearsals)."""
    if starts is None:
        return lambda: datetime.now(UTC)
    begun = time.monotonic()
    return lambda: starts + timedelta(seconds=time.monotonic() - begun)


def today(now: datetime) -> date:
    """The civil day in Bosnia and Herzegovina at the instant ``now`` (aware)."""
    return civil_day(now)


def _is_database(url: str) -> bool:
    return urlsplit(url).scheme in ("postgresql", "postgres")


def _unknown(name: str) -> str:
    nearest = difflib.get_close_matches(name, NAMES, n=1, cutoff=0.0)
    return f"{name} is not a setting of this program; the nearest one is {nearest[0]}"


def _place(folder: Path, text: str | None) -> str | None:
    """A URL as it is; a path as an absolute one."""
    return text if text is None or "://" in text else str((folder / Path(text).expanduser()).absolute())


def _number(name: str, text: str, most: int | None = None) -> int:
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise SettingsError(f"{name} must be a whole number greater than 0")
    if most is not None and int(text) > most:
        raise SettingsError(f"{name} must be at most {most}")
    return int(text)


def _networks(name: str, text: str) -> tuple[str, ...]:
    """Addresses and networks; not ``*``, with which anybody could say to be anybody."""
    found = tuple(part.strip() for part in text.split(",")) if text else ()
    try:
        for each in found:
            ipaddress.ip_network(each)
    except ValueError:
        raise SettingsError(f"{name} must be addresses or networks with commas, as in 10.0.0.5,10.1.0.0/16") from None
    return found


def _instant(name: str, text: str) -> datetime:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise SettingsError(f"{name} must be an instant such as 2026-08-01T08:00:00Z") from None
    if instant.tzinfo is None:
        raise SettingsError(f"{name} needs a zone, as in 2026-08-01T08:00:00Z")
    return instant.astimezone(UTC)
