"""Writing many rows: binary COPY, and values as the bytes in which PostgreSQL receives them.

psycopg renders ranges and arrays in Python, value by value. Most of the values are the same few (days, grounds), so
rendering each once, here, is much quicker; the rest (texts, dates, numbers) psycopg writes in C.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from datetime import date
from functools import lru_cache
from typing import Any, Final, LiteralString

import msgspec
import psycopg
from psycopg import sql
from psycopg.types.string import BytesBinaryDumper

from register.law.deletions import Days
from register.law.franchise import ALWAYS, FOREVER

Connection = psycopg.Connection[Any]

#: The types that the rows for COPY hold as the bytes PostgreSQL receives.
_RENDERED: Final = frozenset({"uuid", "daterange", "int8range", "datemultirange", "text[]", "jsonb"})
# What stands in the binary form of a range (PostgreSQL: rangetypes.h): the lower bound belongs to it; a bound is open.
_LOWER_INCLUSIVE, _LOWER_INFINITE, _UPPER_INFINITE = 0x02, 0x08, 0x10
_POSTGRES_EPOCH: Final = date(2000, 1, 1).toordinal()
_TEXT_OID: Final = 25
_POSITIONS: Final = struct.Struct(">BiqIq")
_POSITIONS_OPEN: Final = struct.Struct(">Biq")
#: The byte before the text of a jsonb value in binary.
_JSONB_VERSION: Final = b"\x01"
_CACHED: Final = 1 << 16


def for_copy(columns: Sequence[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Columns with the types under which psycopg passes the rows for COPY on: what is rendered already, as it is."""
    return tuple((name, "bytea" if kind in _RENDERED else kind) for name, kind in columns)


@lru_cache(_CACHED)
def rendered_days(lower: date, upper: date) -> bytes:
    """Days ``[lower, upper)`` as PostgreSQL receives them; open ends are unbounded."""
    flags, bounds = 0, b""
    if lower == ALWAYS:
        flags |= _LOWER_INFINITE
    else:
        flags |= _LOWER_INCLUSIVE
        bounds += struct.pack(">ii", 4, lower.toordinal() - _POSTGRES_EPOCH)
    if upper == FOREVER:
        flags |= _UPPER_INFINITE
    else:
        bounds += struct.pack(">ii", 4, upper.toordinal() - _POSTGRES_EPOCH)
    return bytes([flags]) + bounds


def written_days(lower: date, upper: date) -> str:
    """Days ``[lower, upper)`` as they are written in SQL; open ends are unbounded."""
    return f"[{'' if lower == ALWAYS else lower},{'' if upper == FOREVER else upper})"


def array(items: Iterable[object]) -> str:
    """Numbers, UUIDs, codes, or what is in double quotes already, as one SQL array: psycopg writes arrays slowly."""
    return f"{{{','.join(map(str, items))}}}"


def rendered_positions(lower: int, upper: int | None) -> bytes:
    """Positions ``[lower, upper)``, ``upper`` None: open, as PostgreSQL receives them."""
    if upper is None:
        return _POSITIONS_OPEN.pack(_LOWER_INCLUSIVE | _UPPER_INFINITE, 8, lower)
    return _POSITIONS.pack(_LOWER_INCLUSIVE, 8, lower, 8, upper)


@lru_cache(1 << 10)
def rendered_texts(texts: tuple[str, ...]) -> bytes:
    """An array of texts as PostgreSQL receives it."""
    if not texts:
        return struct.pack(">iii", 0, 0, _TEXT_OID)
    items = [text.encode() for text in texts]
    head = struct.pack(">iiiii", 1, 0, _TEXT_OID, len(items), 1)
    return head + b"".join(struct.pack(">i", len(item)) + item for item in items)


def rendered_days_held(days: Days) -> bytes:
    """Several intervals of days, as a multirange."""
    intervals = [rendered_days(lower, upper) for lower, upper in days]
    return struct.pack(">i", len(intervals)) + b"".join(struct.pack(">i", len(i)) + i for i in intervals)


def rendered_json(value: msgspec.Struct) -> bytes:
    """A struct as jsonb."""
    return _JSONB_VERSION + msgspec.json.encode(value)


def copy(
    connection: Connection,
    table: LiteralString,
    columns: Sequence[tuple[str, str]],
    rows: Iterable[Sequence[Any]],
    *,
    schema: LiteralString = "projection",
) -> None:
    """Write rows into a table by binary COPY; nothing is sent when there is none."""
    rows = iter(rows)
    first = next(rows, None)
    if first is None:
        return
    statement = sql.SQL("COPY {}.{} ({}) FROM STDIN (FORMAT BINARY)").format(
        sql.Identifier(schema),
        sql.Identifier(table),
        sql.SQL(", ").join(sql.Identifier(name) for name, _ in columns),
    )
    cursor = connection.cursor()
    # For bytea, psycopg otherwise takes the dumper of its DB-API wrapper, which is Python.
    cursor.adapters.register_dumper(bytes, BytesBinaryDumper)
    with cursor.copy(statement) as out:
        out.set_types([kind for _, kind in columns])
        out.write_row(first)
        for row in rows:
            out.write_row(row)
