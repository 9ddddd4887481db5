"""How often a citizen's own question may be asked: limits that tell nobody who asked about whom (contract: section 3).

Addresses and (surname, date of birth) are counted under a keyed hash that changes every day; the key is a file that
only its owner reads, so that the table alone tells nothing.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import ipaddress
import os
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Final, Literal

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from register.law.alphabet import fold

METADATA: Final = sa.MetaData(schema="access")

COUNTS: Final = sa.Table(
    "self_check",
    METADATA,
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("hash", sa.LargeBinary, primary_key=True),
    sa.Column("count", sa.Integer, nullable=False),
)

#: Failures a day for one surname and date of birth, from everywhere together.
FAILURES: Final = 5
#: Failures a day from one address: a household, a café, a mobile operator's gateway.
QUESTIONS: Final = 100
_KEY_BYTES: Final = 32

Kind = Literal["address", "identity"]


class LimitReachedError(Exception):
    """No more of these questions today."""


def key_path(data: Path) -> Path:
    """Where the key of the hashes is kept, readable by its owner alone."""
    return data / "keys" / "self-check"


def limits_key(data: Path, entropy: Callable[[int], bytes]) -> bytes:
    """The key of the hashes, made on first use; two processes at once get the same."""
    path = key_path(data)
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        beside = path.with_name(f".{path.name}.{os.getpid()}.{entropy(4).hex()}")
        file = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(file, "wb") as out:
            out.write(entropy(_KEY_BYTES))
            out.flush()
            os.fsync(out.fileno())
        with contextlib.suppress(FileExistsError):  # another process was first: its key is the key
            os.link(beside, path)
        beside.unlink()
    return path.read_bytes()


def hash_of(key: bytes, day: date, *parts: str) -> bytes:
    """What something is counted under on a day: HMAC-SHA256 (RFC 2104), 32 bytes."""
    return hmac.digest(key, "\x1f".join((day.isoformat(), *parts)).encode(), hashlib.sha256)


def address_hash(key: bytes, day: date, address: str) -> bytes:
    """What an address is counted under; of IPv6 the network (/64) that one household has."""
    with contextlib.suppress(ValueError):
        found = ipaddress.ip_address(address)
        mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
        if mapped is not None:
            found = mapped
        bits = 64 if found.version == 6 else 32
        address = str(ipaddress.ip_network((found, bits), strict=False))
    return hash_of(key, day, "address", address)


def identity_hash(key: bytes, day: date, surname: str, born_on: date) -> bytes:
    """What a surname and a date of birth are counted under, whatever the script and case."""
    return hash_of(key, day, "identity", fold(surname.strip()), born_on.isoformat())


def take(connection: sa.Connection, day: date, kind: Kind, hash: bytes, most: int) -> None:
    """Count one more, before the question is answered, so that asking many at once gains nothing.

    Raises :class:`LimitReachedError` when ``most`` are counted already. Clears what is older than a day.
    """
    connection.execute(sa.delete(COUNTS).where(COUNTS.c.day < day - timedelta(days=1)))
    first = insert(COUNTS).values(day=day, kind=kind, hash=hash, count=1)
    more = first.on_conflict_do_update(
        index_elements=["day", "kind", "hash"], set_={"count": COUNTS.c.count + 1}, where=COUNTS.c.count < most
    )
    if connection.scalar(more.returning(COUNTS.c.count)) is None:
        raise LimitReachedError


def give_back(connection: sa.Connection, day: date, kind: Kind, hash: bytes) -> None:
    """Count one less: what was taken to be a failure was none."""
    same = sa.and_(COUNTS.c.day == day, COUNTS.c.kind == kind, COUNTS.c.hash == hash)
    connection.execute(sa.update(COUNTS).where(same, COUNTS.c.count > 0).values(count=COUNTS.c.count - 1))
