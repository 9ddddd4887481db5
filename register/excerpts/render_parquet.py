"""Parquet of a list, for statistics offices: the columns of the CSV, ``no`` as a number, ``born_on`` as a day.

The writer (pyarrow) is large and only wanted by few, so it is an optional part of the installation.
"""

from __future__ import annotations

from datetime import date
from importlib import import_module
from io import BytesIO
from typing import Any, Final

from register.excerpts.manifest import Part
from register.excerpts.render_json import value_of
from register.excerpts.rows import ListHead, Row, columns_of

#: Rows of one group: what is held in memory.
_GROUP: Final = 5_000


class ParquetWriter:
    """Writes the file while the rows come. Raises ModuleNotFoundError where pyarrow is not installed."""

    def __init__(self, head: ListHead, part: Part) -> None:
        self._arrow: Any = import_module("pyarrow")
        parquet: Any = import_module("pyarrow.parquet")
        self._columns = columns_of(head.kind)
        types = {"no": self._arrow.int32(), "born_on": self._arrow.date32()}
        fields = [(name, types.get(name, self._arrow.string())) for name in self._columns]
        self._schema = self._arrow.schema(fields)
        self._part = part
        self._out = BytesIO()
        self._file = parquet.ParquetWriter(self._out, self._schema, compression="zstd", write_statistics=False)
        self._rows: list[list[Any]] = []

    def row(self, row: Row, texts: list[str], line: bytes) -> None:  # noqa: ARG002 - the texts are all it takes
        """Take one row."""
        self._rows.append([_value(name, text) for name, text in zip(self._columns, texts, strict=True)])
        if len(self._rows) == _GROUP:
            self._write()

    def end(self, rows_sha256: str) -> None:
        """Finish the file; the digest of the rows stands among its metadata."""
        self._write()
        self._file.add_key_value_metadata({"rows_sha256": rows_sha256})
        self._file.close()
        self._part.write(self._out.getvalue())

    def _write(self) -> None:
        by_column = zip(*self._rows, strict=True) if self._rows else [()] * len(self._columns)
        arrays = [
            self._arrow.array(list(values), field.type) for values, field in zip(by_column, self._schema, strict=True)
        ]
        self._file.write_table(self._arrow.Table.from_arrays(arrays, schema=self._schema))
        self._rows.clear()


def _value(column: str, text: str) -> Any:
    if column == "born_on":
        return date.fromisoformat(text)
    if column == "no":
        return value_of(column, text)
    return text
