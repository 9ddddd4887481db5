"""Writes the auditor's export, in one snapshot of the event store, streamed (issue of auditors: Art. 3.5(6), 3.6).

======================  ====================================================================================
``records/``            every event as the log's record, by position, in chunks: line n is position n
``entries.bin``         the 32-byte entries that the public log holds: SHA-256 of each record
``checkpoints.jsonl``   every checkpoint that was signed: ``{"size":…,"note":…}``
``checkpoint``, ``key`` the newest one as published, and the log's verifier key line
``streams/``            the same records again, by ranges of streams, so that a replay needs no shuffle
``personal/KIND/``      the personal parts of what one kind of sender sent, beside ``streams/``: one folder a mandate
``register/``           what the register's tables say: stretches of days and audit entries, by person
``verify.pyz``          the check: ``python3 verify.pyz .``; it needs nothing else
======================  ====================================================================================

A row the event store lost is an empty line, one that is not canonical any more ``{}``: the check then names its
position. Nothing here repairs or leaves out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack
from itertools import chain
from operator import itemgetter
from pathlib import Path
from typing import Any, Final, NamedTuple
from uuid import UUID

import msgspec
import psycopg

from register.audit.export.bundle import write_verifier
from register.audit.export.files import FORMAT, Described, Index, Lines, Part, write_index
from register.audit.reading import (
    Connection,
    Row,
    grouped,
    head,
    held_still,
    linked_streams,
    one,
    ranges,
    rows_between,
    rows_by_stream,
    rows_of,
    streamed,
    together,
)
from register.audit.verify.folding import BETWEEN, TABLES, audit_as_read
from register.law.competence import role_of
from register.law.events import SOURCE_PREFIX
from register.law.provisions import Refusal
from register.log.record import RecordError, personal_of, record_of
from register.log.tables import CHECKPOINT, COSIGNATURE
from register.log.tree import HASH_BYTES

#: Records in a chunk.
CHUNK: Final = 1_000_000
_PAGE: Final = 5_000
_PIECE: Final = 1 << 20
#: Each as it was published, with the cosignatures it has below the log's own signature.
_CHECKPOINTS: Final = (
    f"SELECT c.size, c.note || coalesce((SELECT string_agg(s.line, '' ORDER BY s.witness) FROM {COSIGNATURE} s"
    f" WHERE s.size = c.size), '') FROM {CHECKPOINT} c ORDER BY c.size"
)
_KNOWN_FROM, _KNOWN_TO = 4, 5
_AUDIT_POSITION: Final = 1
_encode: Final = msgspec.json.Encoder().encode

#: (what is being done, how much of it is done, how much there is)
Progress = Callable[[str, int, int], None]


class NothingSealedError(Exception):
    """No checkpoint was signed yet: there is nothing that an export could be checked against."""


class _Stored(NamedTuple):
    """A row as the log's record is made from it."""

    position: int
    stream: UUID
    version: int
    recorded_at: Any
    topic: str
    state: bytes


def export(
    dsn: str, log: Path, key: str, folder: Path, *, progress: Progress = lambda _what, _done, _all: None
) -> Index:
    """Write the export into ``folder``, which must be empty or not there; what stands in its ``export.json``.

    ``dsn`` connects as ``cvr_app``; ``log`` is the folder of the log's files; ``key`` its verifier key line. Covers all
    events under the newest checkpoint. Raises FileExistsError, :class:`NothingSealedError`, OSError, psycopg errors.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise FileExistsError(folder)
    with held_still(dsn) as (_, connection):
        checkpoints, size, note = _checkpoints(connection, folder)
        position = min(one(connection, "SELECT coalesce(min(position), 0) FROM projection.progress"), size)
        records = list(_records(connection, folder, size, progress))
        parts = list(_parts(connection, folder, size, position, progress))
    (folder / "checkpoint").write_text(note, encoding="utf-8")
    (folder / "key").write_text(f"{key}\n", encoding="utf-8")
    entries = _entries(log / "entries.bin", folder / "entries.bin", size)
    write_verifier(folder / "verify.pyz")
    index = Index(
        format=FORMAT,
        origin=key.partition("+")[0],
        key=key,
        size=size,
        position=position,
        records=records,
        entries=entries,
        checkpoints=checkpoints,
        parts=parts,
    )
    write_index(folder, index)
    return index


def _checkpoints(connection: Connection, folder: Path) -> tuple[Described, int, str]:
    """Every checkpoint; the size and the note of the newest."""
    size, note = 0, None
    with Lines(folder, "checkpoints.jsonl.gz") as out:
        for found, text in streamed(connection, _CHECKPOINTS):
            size, note = int(found), str(text)
            out.write(_encode({"size": size, "note": note}))
        described = out.done()
    if note is None:
        raise NothingSealedError
    return described, size, note


# --- by position ----------------------------------------------------------------------------------------------------


def _records(connection: Connection, folder: Path, size: int, progress: Progress) -> Iterator[Described]:
    for number, first in enumerate(range(1, size + 1, CHUNK), 1):
        last = min(first + CHUNK - 1, size)
        with Lines(folder, f"records/{number:05d}.jsonl.gz") as out:
            for line in _by_position(connection, first, last):
                out.write(line)
                if out.lines % _PAGE == 0:
                    progress("records, by position", first + out.lines, size)
            yield out.done()


def _by_position(connection: Connection, first: int, last: int) -> Iterator[bytes]:
    """The record of each position from first to last; empty where the event store has none."""
    for after in range(first - 1, last, _PAGE):
        upto = min(after + _PAGE, last)
        found = {row[0]: row for row in rows_between(connection, after, upto)}
        for position in range(after + 1, upto + 1):
            row = found.get(position)
            yield b"" if row is None else _record(row)


def _record(row: Row) -> bytes:
    try:
        return record_of(_Stored(*row))
    except RecordError:
        return b"{}"


def _entries(source: Path, target: Path, size: int) -> Described:
    """The first ``size`` entries of the log's file, as many as there are."""
    digest, left, copied = hashlib.sha256(), size * HASH_BYTES, 0
    with source.open("rb") as entries, target.open("xb") as out:
        while left and (piece := entries.read(min(left, _PIECE))):
            digest.update(piece)
            out.write(piece)
            left -= len(piece)
            copied += len(piece)
    return Described(file=target.name, bytes=copied, sha256=digest.hexdigest(), lines=copied // HASH_BYTES)


# --- by stream ------------------------------------------------------------------------------------------------------


def _parts(connection: Connection, folder: Path, size: int, position: int, progress: Progress) -> Iterator[Part]:
    """Ranges of streams, then in one part of their own the streams that links between numbers may connect."""
    linked = linked_streams(connection, size, [])
    done = 0
    for number, (first, last) in enumerate(ranges(connection, size), 1):
        rows = (rows for stream, rows in rows_by_stream(connection, size, (first, last)) if stream not in linked)
        names = {str(stream) for stream in linked}
        tables = (
            (person, found)
            for person, found in _tables(connection, position, BETWEEN, (first, last))
            if person not in names
        )
        part = _part(folder, f"{number:05d}", chain.from_iterable(rows), tables)
        done += part.streams.lines
        progress("records, by stream", done, size)
        yield part
    rows_linked = sorted(rows_of(connection, linked, size), key=itemgetter(1, 2)) if linked else []
    found = _tables(connection, position, "= ANY(%s)", (list(linked),))
    yield _part(folder, "linked", rows_linked, found)


def _part(folder: Path, name: str, rows: Iterable[Row], tables: Iterable[tuple[str, list[bytes]]]) -> Part:
    with ExitStack() as stack:
        streams = stack.enter_context(Lines(folder, f"streams/{name}.jsonl.gz"))
        personal: dict[str, Lines] = {}
        for row in rows:
            streams.write(b'{"position":%d,"record":%b}' % (row[0], _record(row)))
            held = _personal(row)
            if held is not None:
                kind, part = held
                if kind not in personal:
                    personal[kind] = stack.enter_context(Lines(folder, f"personal/{kind}/{name}.jsonl.gz"))
                personal[kind].write(b'{"position":%d,"personal":%b}' % (row[0], part))
        register = stack.enter_context(Lines(folder, f"register/{name}.jsonl.gz"))
        for _, lines in tables:
            for line in lines:
                register.write(line)
        return Part(
            streams=streams.done(),
            personal={kind: personal[kind].done() for kind in sorted(personal)},
            register=register.done(),
        )


def _personal(row: Row) -> tuple[str, bytes] | None:
    """The kind of sender whose mandate it is, and the personal part."""
    try:
        found = personal_of(_Stored(*row))
    except RecordError:
        return None
    return None if found is None else (kind_of(found[0]), found[1])


def kind_of(source: str) -> str:
    """Under which kind of sender a personal part is filed; ``register`` for what the register itself noted."""
    try:
        return role_of(source.removeprefix(SOURCE_PREFIX)) if source.startswith(SOURCE_PREFIX) else "register"
    except Refusal:
        return "register"


def _tables(
    connection: Connection, position: int, where: str, parameters: Sequence[object]
) -> Iterator[tuple[str, list[bytes]]]:
    """By person, what the register's tables said at ``position``: stretches, then audit entries, as lines."""
    sources = (
        grouped(streamed(connection, table.format(where=where), parameters), itemgetter(0)) for table in TABLES[:2]
    )
    for person, (stretches, audit) in together(*sources):
        lines = [_encode({"stretch": row}) for row in as_known(stretches, position)]
        lines += [_encode({"audit": audit_as_read(row)}) for row in audit if row[_AUDIT_POSITION] <= position]
        if lines:
            yield person, lines


def as_known(stretches: Collection[Sequence[Any]], position: int) -> Iterator[list[Any]]:
    """Rows of stretches as they stood when ``position`` was the last one."""
    for row in stretches:
        since, until = row[_KNOWN_FROM], row[_KNOWN_TO]
        if since is None or since <= position:
            told = list(row)
            told[_KNOWN_TO] = until if until is not None and until <= position else None
            yield told


def head_of(dsn: str) -> int:
    """The last position of the event store."""
    with psycopg.connect(dsn) as connection:
        return head(connection)
