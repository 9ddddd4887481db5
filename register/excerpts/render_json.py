"""JSON of a list: one object of columns, head, rows and the digest of the rows, in canonical form (RFC 8785).

Each row has one member a column: ``no`` and counts are numbers, everything else is the text that stands in the CSV.
A count that is withheld is null. The file is the canonical bytes and nothing else, so that it can be signed as it is.
"""

from __future__ import annotations

from typing import Final

import msgspec

from register.excerpts.manifest import Part
from register.excerpts.rows import ListHead, Row, columns_of

_COUNTS: Final = frozenset({"women", "men", "voters"})
#: Members are sorted by name; names are ASCII and numbers whole, so that code points are the order of RFC 8785.
_ENCODER: Final = msgspec.json.Encoder(order="sorted")


class JsonWriter:
    """Writes the file while the rows come."""

    def __init__(self, head: ListHead, part: Part) -> None:
        self._columns = columns_of(head.kind)
        self._part = part
        self._comma = b""
        part.write(b'{"columns":%b,"head":%b,"rows":[' % (_ENCODER.encode(self._columns), _ENCODER.encode(head)))

    def row(self, row: Row, texts: list[str], line: bytes) -> None:  # noqa: ARG002 - the texts are all it takes
        """Take one row."""
        values = {name: value_of(name, text) for name, text in zip(self._columns, texts, strict=True)}
        self._part.write(self._comma + _ENCODER.encode(values))
        self._comma = b","

    def end(self, rows_sha256: str) -> None:
        """Finish the file."""
        self._part.write(b'],"rows_sha256":"%b"}' % rows_sha256.encode())


def value_of(column: str, text: str) -> int | str | None:
    """The value of a column whose text this is."""
    if column == "no":
        return int(text)
    if column in _COUNTS:
        return int(text) if text.isdigit() else text or None
    return text
