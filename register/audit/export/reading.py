"""Reading an export back: the events of its streams, put together again from records and personal parts."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, Final, Literal
from uuid import UUID

import msgspec

from register.audit.export.files import Described, Part
from register.audit.export.writing import kind_of
from register.audit.reading import Row
from register.audit.verify.folding import NAMES
from register.log.record import personal_digest


class MissingMandateError(Exception):
    """The personal parts of a kind of sender are not in this export: the law cannot be folded without them."""


class TablesError(Exception):
    """A file of ``register/`` holds what no table of the register does. Names the file."""

    def __init__(self, file: str) -> None:
        super().__init__(f"{file} holds a line that is no row of the register")


class _State(msgspec.Struct, gc=False):
    data: msgspec.Raw
    id: msgspec.Raw
    source: msgspec.Raw
    time: msgspec.Raw
    personal: str | None = None


class _Record(msgspec.Struct, gc=False):
    at: datetime
    id: UUID
    state: _State
    topic: str
    v: int


class _Placed(msgspec.Struct, gc=False):
    position: int
    record: _Record


class _Held(msgspec.Struct, gc=False):
    position: int
    personal: msgspec.Raw


_placed: Final = msgspec.json.Decoder(_Placed).decode
_held: Final = msgspec.json.Decoder(_Held).decode
#: A value of a row; audit entries have one more, their document (base64 of JSON).
_Value = str | int | bool | None
_table_line: Final[Callable[[bytes], dict[Any, list[Any]]]] = msgspec.json.Decoder(
    dict[Literal["stretch", "audit"], list[_Value]]
).decode
#: Values in a row: of stretches (``folding.NAMES``), of audit entries (``folding.TABLES``).
_VALUES: Final = {"stretch": len(NAMES), "audit": 16}
_text: Final = msgspec.json.Decoder(str).decode


def rows_of_part(folder: Path, part: Part) -> Iterator[tuple[UUID, list[Row]]]:
    """Each stream of a part with its rows as the event store holds them, by version.

    Raises :class:`MissingMandateError`; ValueError, OSError, msgspec errors for files that are not what was exported.
    """
    with ExitStack() as stack:
        sources = {kind: _held_lines(folder, described, stack) for kind, described in part.personal.items()}
        rows = (_row(_placed(line), sources) for line in _lines(folder, part.streams, stack))
        for stream, group in groupby(rows, itemgetter(1)):
            yield stream, list(group)


def tables_of_part(folder: Path, part: Part) -> Iterator[tuple[str, list[Any]]]:
    """By person, what the register's tables said: stretches, audit entries; each row as JSON holds it.

    Raises :class:`TablesError` where a line is none.
    """
    with ExitStack() as stack:
        lines = (_told(line, part.register.file) for line in _lines(folder, part.register, stack))
        named = ((_person(line), line) for line in lines)
        for person, group in groupby(named, itemgetter(0)):
            rows: dict[str, list[Any]] = {"stretch": [], "audit": []}
            for _, line in group:
                for kind, row in line.items():
                    rows[kind].append(tuple(row))
            yield person, list(rows.values())


def _told(line: bytes, file: str) -> dict[Any, list[Any]]:
    """A row of one of the two tables, with as many values as it must have, the first a person."""
    try:
        told = _table_line(line)
    except (msgspec.MsgspecError, RecursionError):
        raise TablesError(file) from None
    for kind, row in told.items():
        if len(told) == 1 and len(row) == _VALUES[kind] and isinstance(row[0], str):
            return told
    raise TablesError(file)


def _person(line: dict[Any, list[Any]]) -> str:
    (row,) = line.values()
    return str(row[0])


def _row(placed: _Placed, sources: dict[str, Iterator[_Held]]) -> Row:
    record, state = placed.record, placed.record.state
    before = b'{"data":%b,"id":%b,' % (state.data, state.id)
    after = b'"source":%b,"time":%b}' % (state.source, state.time)
    if state.personal is None:
        written = before + after
    else:
        kind = kind_of(_text(state.source))
        if kind not in sources:
            raise MissingMandateError(kind)
        held = next(sources[kind], None)
        if held is None or held.position != placed.position or personal_digest(held.personal) != state.personal:
            raise ValueError(f"the personal part of position {placed.position} is not the one its record vouches for")
        written = b'%b"personal":%b,%b' % (before, held.personal, after)
    return (placed.position, record.id, record.v, record.at, record.topic, written)


def _held_lines(folder: Path, described: Described, stack: ExitStack) -> Iterator[_Held]:
    if not (folder / described.file).exists():
        raise MissingMandateError(described.file.split("/")[1])
    return map(_held, _lines(folder, described, stack))


def _lines(folder: Path, described: Described, stack: ExitStack) -> Iterator[bytes]:
    return iter(stack.enter_context(gzip.open(folder / described.file, "rb")))
