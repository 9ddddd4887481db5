"""One list to its files. Whatever formats are asked for, they hold the same rows and share one digest of them."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Final, Literal

from register.excerpts.manifest import ManifestEntry, Part, whole_file
from register.excerpts.render_csv import header, line_maker
from register.excerpts.render_pdf import render_pdf
from register.excerpts.rows import ListHead, ListRow, columns_of, numbered

Format = Literal["csv", "internal-csv", "pdf"]
#: What the file names of each format end with.
ENDING: Final[dict[Format, str]] = {"csv": ".csv", "internal-csv": ".internal.csv", "pdf": ".pdf"}


def draw_list(
    head: ListHead, rows: Iterable[ListRow], formats: Collection[Format], out_dir: Path
) -> list[ManifestEntry]:
    """Write one list to ``out_dir`` in each of ``formats``; the entries for the manifest, sorted by file name.

    The rows are read once, in their order, and kept only for a PDF. Files appear whole or not at all, and none of
    them when drawing fails. Takes and gives plain values, so that a process pool can run it.

    Raises ValueError for rows not numbered 1, 2, 3 …, or an internal copy of a kind that has none; LayoutError (a
    ValueError) when a row cannot be printed.
    """
    with ExitStack() as files:
        parts: dict[Format, Part] = {
            format_: files.enter_context(whole_file(out_dir / (head.name + ENDING[format_])))
            for format_ in sorted(set(formats))
        }
        digest, count, kept = _write_lines(head, rows, parts.get("csv"), parts.get("internal-csv"), "pdf" in parts)
        if "pdf" in parts:
            parts["pdf"].write(render_pdf(head, kept, digest))
        entries = [
            ManifestEntry(
                file=head.name + ENDING[format_], list=head.name, rows=count, sha256=part.sha256, rows_sha256=digest
            )
            for format_, part in parts.items()
        ]
    return sorted(entries)


def _write_lines(
    head: ListHead, rows: Iterable[ListRow], public: Part | None, internal: Part | None, keep: bool
) -> tuple[str, int, list[ListRow]]:
    """Write the CSV files line by line; the digest of the rows, their number, and the rows if they are to be kept."""
    digest = hashlib.sha256()
    line = line_maker(columns_of(head.kind), head.script)
    first = header(columns_of(head.kind))
    digest.update(first)
    if public is not None:
        public.write(first)
    internal_line = None
    if internal is not None:
        inner = columns_of(head.kind, internal=True)
        internal_line = line_maker(inner, head.script)
        internal.write(header(inner))
    count, kept = 0, []
    for row in numbered(rows):
        piece = line(row)
        digest.update(piece)
        if public is not None:
            public.write(piece)
        if internal is not None and internal_line is not None:
            internal.write(internal_line(row))
        if keep:
            kept.append(row)
        count += 1
    return digest.hexdigest(), count, kept
