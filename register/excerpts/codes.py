"""The short code behind every row of a numbered copy: whoever holds the copy's secret tells whose copy a row is from.

Nothing is planted: all copies of a unit have the same rows, and differ in codes alone. A code is the beginning of an
HMAC-SHA-256 (RFC 2104) over the row as its CSV line without the code. The key derives from the secret in the event
that granted the copy, so that the same copy has the same codes in any year, wherever the event store is.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from register.excerpts.render_csv import line_of
from register.excerpts.rows import FORMS, ListRow, Script, texts_maker
from register.law.events import CopyGranted

#: Digits and capital letters without 0, O, 1, I: 32 signs, five bits each.
ALPHABET: Final = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
#: Signs of a code: 30 bits.
LENGTH: Final = 6
_PAIRS: Final = tuple(first + second for first in ALPHABET for second in ALPHABET)
#: What a row is without its code.
COLUMNS: Final = tuple(column for column in FORMS["political-entity"].columns if column != "code")


def key_of(granted: CopyGranted) -> bytes:
    """The key of a copy, 32 bytes: of its secret, its election, unit, script, format version, position and number."""
    parts = ("cvr copy 1", granted.election, granted.unit, granted.script)
    numbers = (granted.format_version, granted.conclusion, granted.copy)
    return hmac.digest(bytes.fromhex(granted.secret), "\n".join([*parts, *map(str, numbers)]).encode(), hashlib.sha256)


def code_of(key: bytes, line: bytes) -> str:
    """The code of a row, given as its CSV line without the code, line break included."""
    bits = int.from_bytes(hmac.digest(key, line, hashlib.sha256)[:4]) >> 2
    return _PAIRS[bits >> 20] + _PAIRS[bits >> 10 & 1023] + _PAIRS[bits & 1023]


def coded(rows: Iterable[ListRow], key: bytes, script: Script) -> Iterator[ListRow]:
    """The same rows, each with its code."""
    texts = texts_maker(COLUMNS, script)
    for row in rows:
        yield msgspec.structs.replace(row, code=code_of(key, line_of(texts(row))))
