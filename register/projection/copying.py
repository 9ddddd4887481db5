"""Writing many rows: binary COPY, and values as the bytes in which PostgreSQL receives them.

psycopg renders ranges and arrays in Python, value by value. Most of the values are the same few (days, grounds), so
rendering each once, here, is much quicker; the rest (texts, dates, numbers) psycopg writes in C.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
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
# Ranges with their own length before them, then flags, then each bound there is with its length.
_RANGE_OPEN: Final = struct.Struct(">iB")
_DAYS: Final = struct.Struct(">iBiiii")
_DAYS_HALF: Final = struct.Struct(">iBii")
_POSITIONS: Final = struct.Struct(">iBiqiq")
_POSITIONS_HALF: Final = struct.Struct(">iBiq")
#: The byte before the text of a jsonb value in binary.
_JSONB_VERSION: Final = b"\x01"
_INT: Final = struct.Struct(">i")
_NULL: Final = _INT.pack(-1)
_TRUE: Final = _INT.pack(1) + b"\x01"
_FALSE: Final = _INT.pack(1) + b"\x00"
# What stands around the rows of a binary COPY (PostgreSQL: COPY, "Binary Format").
_HEADER: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TRAILER: Final = b"\xff\xff"
#: Rendered rows are sent in pieces of about so many bytes.
_PIECE: Final = 1 << 16
_CACHED: Final = 1 << 16


def for_copy(columns: Sequence[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Columns with the types under which psycopg passes the rows for COPY on: what is rendered already, as it is."""
    return tuple((name, "bytea" if kind in _RENDERED else kind) for name, kind in columns)


def rendered_days(lower: date, upper: date) -> bytes:
    """Days ``[lower, upper)`` as PostgreSQL receives them; open ends are unbounded."""
    return days_field(lower, upper)[4:]


def written_days(lower: date, upper: date) -> str:
    """Days ``[lower, upper)`` as they are written in SQL; open ends are unbounded."""
    return f"[{'' if lower == ALWAYS else lower},{'' if upper == FOREVER else upper})"


def array(items: Iterable[object]) -> str:
    """Numbers, UUIDs, codes, or what is in double quotes already, as one SQL array: psycopg writes arrays slowly."""
    return f"{{{','.join(map(str, items))}}}"


def rendered_positions(lower: int, upper: int | None) -> bytes:
    """Positions ``[lower, upper)``, ``upper`` None: open, as PostgreSQL receives them."""
    return positions_field(lower, upper)[4:]


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
    return _INT.pack(len(days)) + b"".join([days_field(lower, upper) for lower, upper in days])


def rendered_json(value: msgspec.Struct) -> bytes:
    """A struct as jsonb."""
    return _JSONB_VERSION + msgspec.json.encode(value)


def field(value: bytes | None) -> bytes:
    """A value as it stands in a rendered row: its length before it; None is NULL."""
    return _NULL if value is None else _INT.pack(len(value)) + value


@lru_cache(_CACHED)
def text_field(value: str | None) -> bytes:
    """A text of those that come back again and again, as :func:`field`."""
    return _NULL if value is None else field(value.encode())


def bool_field(value: bool) -> bytes:
    """A truth value, as :func:`field`."""
    return _TRUE if value else _FALSE


@lru_cache(_CACHED)
def date_field(day: date | None) -> bytes:
    """A day, as :func:`field`."""
    return _NULL if day is None else _INT.pack(4) + _INT.pack(day.toordinal() - _POSTGRES_EPOCH)


def days_field(lower: date, upper: date) -> bytes:
    """Days ``[lower, upper)``, as :func:`field`; open ends are unbounded."""
    if lower == ALWAYS:
        if upper == FOREVER:
            return _RANGE_OPEN.pack(1, _LOWER_INFINITE | _UPPER_INFINITE)
        return _DAYS_HALF.pack(9, _LOWER_INFINITE, 4, upper.toordinal() - _POSTGRES_EPOCH)
    since = lower.toordinal() - _POSTGRES_EPOCH
    if upper == FOREVER:
        return _DAYS_HALF.pack(9, _LOWER_INCLUSIVE | _UPPER_INFINITE, 4, since)
    return _DAYS.pack(17, _LOWER_INCLUSIVE, 4, since, 4, upper.toordinal() - _POSTGRES_EPOCH)


def positions_field(lower: int, upper: int | None) -> bytes:
    """Positions ``[lower, upper)``, as :func:`field`; ``upper`` None: open."""
    if upper is None:
        return _POSITIONS_HALF.pack(13, _LOWER_INCLUSIVE | _UPPER_INFINITE, 8, lower)
    return _POSITIONS.pack(25, _LOWER_INCLUSIVE, 8, lower, 8, upper)


def row_head(fields: int) -> bytes:
    """What stands before the fields of a rendered row."""
    return struct.pack(">h", fields)


def copy_rendered(
    connection: Connection,
    table: LiteralString,
    columns: Sequence[tuple[str, str]],
    rows: Iterable[bytes],
    *,
    schema: LiteralString = "projection",
) -> None:
    """The same as :func:`copy` of rows that are rendered already (the head of a row, then its fields), one or more in
    each of ``rows``.
    """
    pieces = _together(rows)
    first = next(pieces, None)
    if first is None:
        return
    with connection.cursor().copy(_copy_statement(schema, table, columns)) as out:
        out.write(_HEADER + first)
        for piece in pieces:
            out.write(piece)
        out.write(_TRAILER)


def _together(rows: Iterable[bytes]) -> Iterator[bytes]:
    """Rows joined to pieces of some size: the database takes one in while the next is made."""
    gathered, size = [], 0
    for row in rows:
        gathered.append(row)
        size += len(row)
        if size > _PIECE:
            yield b"".join(gathered)
            gathered, size = [], 0
    if size:
        yield b"".join(gathered)


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
    cursor = connection.cursor()
    # For bytea, psycopg otherwise takes the dumper of its DB-API wrapper, which is Python.
    cursor.adapters.register_dumper(bytes, BytesBinaryDumper)
    with cursor.copy(_copy_statement(schema, table, columns)) as out:
        out.set_types([kind for _, kind in columns])
        out.write_row(first)
        for row in rows:
            out.write_row(row)


def _copy_statement(schema: LiteralString, table: LiteralString, columns: Sequence[tuple[str, str]]) -> sql.Composed:
    return sql.SQL("COPY {}.{} ({}) FROM STDIN (FORMAT BINARY)").format(
        sql.Identifier(schema),
        sql.Identifier(table),
        sql.SQL(", ").join(sql.Identifier(name) for name, _ in columns),
    )
