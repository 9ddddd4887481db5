"""A replay as Parquet: the rows and columns of the CSV, with types; streamed, so that memory stays flat.

The lines of the CSV are read by Arrow's own reader, so that both hold the same; their SHA-256 stands among the file's
metadata (``csv_sha256``). Groups of rows are cut by number alone, wherever the work was done: the same replay has the
same bytes with the same version of pyarrow, which writes its name and version into the file, and may pack otherwise in
another. The writer is large and wanted by few, so it is an optional part of the installation.
"""

from __future__ import annotations

import hashlib
import io
from importlib import import_module
from importlib.util import find_spec
from types import TracebackType
from typing import Any, Final, Self

from register.audit.replay.lines import COLUMNS, Replayed, Sink

#: Rows of one group: what is held in memory, some ten megabytes.
GROUP: Final = 50_000
#: Bytes of CSV read at a time.
_PIECE: Final = 1 << 22
_TYPES: Final = {"entered": "bool_", "mobile_team": "bool_", "marked_deceased": "bool_"} | dict.fromkeys(
    ("born_on", "from", "to"), "date32"
)


def why_not() -> str | None:
    """Why no Parquet can be written here; None where it can."""
    if find_spec("pyarrow") is None:
        return "Parquet needs the package pyarrow, which is not installed here (install register[parquet])"
    return None


class ParquetSink:
    """Takes a replay's CSV and writes Parquet. A context manager: what did not come to its end is given up.

    Raises ModuleNotFoundError where pyarrow is not installed.
    """

    def __init__(self, out: Sink) -> None:
        self._arrow: Any = import_module("pyarrow")
        self._csv: Any = import_module("pyarrow.csv")
        parquet: Any = import_module("pyarrow.parquet")
        fields = [(name, getattr(self._arrow, _TYPES.get(name, "string"))()) for name in COLUMNS]
        self._schema = self._arrow.schema(fields)
        self._out = _Out(out)
        self._file = parquet.ParquetWriter(self._out, self._schema, compression="zstd", write_statistics=False)
        self._digest = hashlib.sha256()
        self._header = True
        self._pieces: list[bytes] = []
        self._waiting = 0
        self._rows = self._schema.empty_table()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file.is_open:
            self._out.given_up = True
            self._file.close()

    def write(self, piece: bytes) -> None:
        """Take whole lines; the first piece is the header."""
        self._digest.update(piece)
        if self._header:
            self._header = False
            return
        self._pieces.append(piece)
        self._waiting += len(piece)
        if self._waiting >= _PIECE:
            self._read()

    def end(self, done: Replayed) -> None:
        """Write what is left, and what the replay rests on."""
        self._read()
        if self._rows.num_rows:
            self._file.write_table(self._rows)
        told = {"position": str(done.position), "on": done.on.isoformat(), "csv_sha256": self._digest.hexdigest()}
        self._file.add_key_value_metadata(told)
        self._file.close()

    def _read(self) -> None:
        """Turn the lines that wait into rows, and write as many groups as are full."""
        if self._pieces:
            read = self._csv.read_csv(
                io.BytesIO(b"".join(self._pieces)),
                read_options=self._csv.ReadOptions(column_names=list(COLUMNS), use_threads=False, block_size=_PIECE),
                parse_options=self._csv.ParseOptions(newlines_in_values=True),
                convert_options=self._csv.ConvertOptions(
                    column_types=self._schema, null_values=[""], strings_can_be_null=True,
                    true_values=["true"], false_values=["false"],
                ),
            )  # fmt: skip
            self._pieces.clear()
            self._waiting = 0
            self._rows = self._arrow.concat_tables([self._rows, read])
        while self._rows.num_rows >= GROUP:
            self._file.write_table(self._rows.slice(0, GROUP).combine_chunks(), row_group_size=GROUP)
            self._rows = self._rows.slice(GROUP).combine_chunks()


class _Out:
    """What pyarrow takes for a file; closing is for who opened it."""

    closed = False

    def __init__(self, out: Sink) -> None:
        self._out = out
        self.given_up = False

    def write(self, piece: bytes) -> int:
        if not self.given_up:
            self._out.write(bytes(piece))
        return len(piece)

    def flush(self) -> None:
        """Nothing waits here."""

    def close(self) -> None:
        self.closed = True
