"""One list to its files. Whatever formats are asked for, they hold the same rows and share one digest of them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, Final, Protocol

from register.excerpts.formats import ENDING, SIDECAR_ENDING, Format
from register.excerpts.manifest import ManifestEntry, Part, whole_file
from register.excerpts.render_csv import header, line_of
from register.excerpts.render_json import JsonWriter
from register.excerpts.render_parquet import ParquetWriter
from register.excerpts.render_pdf import render_pdf
from register.excerpts.render_vri import SidecarWriter, VriWriter
from register.excerpts.render_xlsx import XlsxWriter
from register.excerpts.rows import ListHead, Row, columns_of, numbered, texts_maker

__all__ = ["ENDING", "Format", "Writer", "draw_list"]


class Writer(Protocol):
    """Writes one format: each row once, in order, then the end. ``texts`` are the row's (``rows.texts_maker``)."""

    def row(self, row: Any, texts: list[str], line: bytes) -> None:
        """Take one row; ``line`` is that of the CSV."""

    def end(self, rows_sha256: str) -> None:
        """Finish the file."""


def draw_list(
    head: ListHead,
    rows: Iterable[Row],
    formats: Collection[Format],
    out_dir: Path,
    whole: Callable[[Path], Any] = whole_file,
) -> list[ManifestEntry]:
    """Write one list to ``out_dir`` in each of ``formats``; the entries for the manifest, sorted by file name.

    The rows are read once, in their order, and kept only for a PDF. Files appear whole or not at all, and none of
    them when drawing fails. ``whole`` opens a file so (``manifest.whole_file`` and what does the same for many).
    Takes and gives plain values, so that a process pool can run it.

    Raises ValueError for rows not numbered 1, 2, 3 …, or an internal copy of a kind that has none; LayoutError (a
    ValueError) when a row cannot be printed.
    """
    with ExitStack() as files:
        parts: dict[str, Part] = {}

        def opened(ending: str) -> Part:
            part: Part = files.enter_context(whole(out_dir / (head.name + ending)))
            parts[ending] = part
            return part

        writers = [_writer(head, format_, opened, files, out_dir) for format_ in sorted(set(formats))]
        if "vri" in formats:  # it names the VRI file's digest, so it ends after it
            writers.append(SidecarWriter(head, opened(SIDECAR_ENDING), lambda: parts[ENDING["vri"]].sha256))
        texts_of = texts_maker(columns_of(head.kind), head.script)
        first = header(columns_of(head.kind))
        digest, count = hashlib.sha256(first), 0
        for row in numbered(rows):
            texts = texts_of(row)
            line = line_of(texts)
            digest.update(line)
            for writer in writers:
                writer.row(row, texts, line)
            count += 1
        for writer in writers:
            writer.end(digest.hexdigest())
        entries = [
            ManifestEntry(
                file=head.name + ending,
                list=head.name,
                rows=count,
                sha256=part.sha256,
                rows_sha256=digest.hexdigest(),
            )
            for ending, part in parts.items()
        ]
    return sorted(entries)


def _writer(head: ListHead, format_: Format, opened: Callable[[str], Part], files: ExitStack, out_dir: Path) -> Writer:
    inner = columns_of(head.kind, internal=True) if format_ == "internal-csv" else ()
    part = opened(ENDING[format_])
    if format_ == "internal-csv":
        return _InternalCsv(head, part, inner)
    if format_ == "xlsx":
        return files.enter_context(XlsxWriter(head, part, out_dir))
    return _PLAIN[format_](head, part)


class _Csv:
    def __init__(self, head: ListHead, part: Part) -> None:
        self._part = part
        part.write(header(columns_of(head.kind)))

    def row(self, row: Row, texts: list[str], line: bytes) -> None:  # noqa: ARG002 - the line is all it takes
        self._part.write(line)

    def end(self, rows_sha256: str) -> None:
        """Nothing follows the rows."""


class _InternalCsv:
    def __init__(self, head: ListHead, part: Part, columns: tuple[str, ...]) -> None:
        self._part = part
        self._texts = texts_maker(columns, head.script)
        part.write(header(columns))

    def row(self, row: Row, texts: list[str], line: bytes) -> None:  # noqa: ARG002 - it has columns of its own
        self._part.write(line_of(self._texts(row)))

    def end(self, rows_sha256: str) -> None:
        """Nothing follows the rows."""


class _Pdf:
    def __init__(self, head: ListHead, part: Part) -> None:
        self._set = partial(render_pdf, head)
        self._part = part
        self._rows: list[Any] = []

    def row(self, row: Row, texts: list[str], line: bytes) -> None:  # noqa: ARG002 - a page is set from whole rows
        self._rows.append(row)

    def end(self, rows_sha256: str) -> None:
        self._part.write(self._set(self._rows, rows_sha256))


_PLAIN: Final[Mapping[Format, Callable[[ListHead, Part], Writer]]] = {
    "csv": _Csv,
    "json": JsonWriter,
    "parquet": ParquetWriter,
    "pdf": _Pdf,
    "vri": VriWriter,
}
