r"""CSV of a list: UTF-8, comma, one header line, ``\n``, NFC, quotes only where a field needs them (RFC 4180 §2.6-7).

The quoting is written out here and not left to a library, because these bytes are what the digest on the paper is
taken over, and must be the same under any version of Python.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence

from register.excerpts.rows import Kind, Row, Script, columns_of, numbered, texts_maker


def render_csv(kind: Kind, script: Script, rows: Iterable[Row], *, internal: bool = False) -> Iterator[bytes]:
    """The file piece by piece: its header line, then one line a row. Memory does not grow with the rows."""
    columns = columns_of(kind, internal=internal)
    yield header(columns)
    texts = texts_maker(columns, script)
    for row in numbered(rows):
        yield line_of(texts(row))


def rows_sha256(kind: Kind, script: Script, rows: Iterable[Row]) -> str:
    """The digest of a list's rows, in lower-case hex: SHA-256 of its (not internal) CSV file, header line included.

    It is the one digest that all formats of the list share; it stands in the footer, in the QR code and in the
    ``excerpt-drawn`` event, and anybody who holds the CSV can recompute it with ``sha256sum``.
    """
    digest = hashlib.sha256()
    for piece in render_csv(kind, script, rows):
        digest.update(piece)
    return digest.hexdigest()


def header(columns: Sequence[str]) -> bytes:
    """The first line."""
    return (",".join(columns) + "\n").encode()


def line_of(texts: Sequence[str]) -> bytes:
    """The line of a row's texts (``rows.texts_maker``)."""
    text = ",".join(texts)
    if '"' in text or "\n" in text or "\r" in text or text.count(",") != len(texts) - 1:
        text = ",".join(map(_quoted, texts))
    return (text + "\n").encode()


def _quoted(field: str) -> str:
    if any(mark in field for mark in ',"\n\r'):
        return '"' + field.replace('"', '""') + '"'
    return field
