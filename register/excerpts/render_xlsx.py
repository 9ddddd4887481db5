"""XLSX of a list, for commissions' own office programs: the columns of the CSV, everything but ``no`` as text.

Rows go to the file as they come (constant memory). The first line is repeated on every printed page. The dates in the
file are the list's own and not the clock's: the pinned writer gives the same bytes again.
"""

from __future__ import annotations

import shutil
from datetime import datetime, time
from io import BytesIO
from pathlib import Path
from typing import Final, Self

import xlsxwriter  # type: ignore[import-untyped]

from register.excerpts.manifest import Part, part_of
from register.excerpts.render_json import value_of
from register.excerpts.rows import ListHead, Row, columns_of

#: Widths of columns in characters; of those not named, the usual one.
_WIDTHS: Final = {
    "no": 6, "surname": 26, "given_name": 18, "parent_name": 18, "born_on": 11, "remark": 7, "municipality": 12,
    "polling_station": 14, "foreign_address": 40, "mission": 34, "level": 12, "list": 18,
}  # fmt: skip
_WIDTH: Final = 16
#: Name of the sheet, and of the paper by Excel's number.
SHEET: Final = "excerpt"
_A4: Final = 9


class XlsxWriter:
    """Writes the file while the rows come; to be used as a context manager, which leaves no temporary files."""

    def __init__(self, head: ListHead, part: Part, folder: Path) -> None:
        self._part = part
        self._columns = columns_of(head.kind)
        self._folder = part_of(folder / f"{head.name}.xlsx").with_suffix(".part.d")
        self._folder.mkdir(mode=0o700, exist_ok=True)
        self._out = BytesIO()
        self._book = xlsxwriter.Workbook(
            self._out,
            {
                "constant_memory": True,
                "tmpdir": str(self._folder),
                "strings_to_numbers": False,
                "strings_to_formulas": False,
                "strings_to_urls": False,
            },
        )
        dated = datetime.combine(head.concluded_on or head.day, time())
        self._book.set_properties({"title": head.name, "created": dated})
        self._text = self._book.add_format({"num_format": "@"})
        self._sheet = self._book.add_worksheet(SHEET)
        self._set_up(head)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)

    def _set_up(self, head: ListHead) -> None:
        bold = self._book.add_format({"bold": True, "bottom": 1, "num_format": "@"})
        for at, name in enumerate(self._columns):
            self._sheet.set_column(at, at, _WIDTHS.get(name, _WIDTH))
        for at, name in enumerate(self._columns):
            self._sheet.write_string(0, at, name, bold)
        self._sheet.freeze_panes(1, 0)
        self._sheet.repeat_rows(0)
        self._sheet.set_paper(_A4)
        self._sheet.set_portrait() if len(self._columns) <= 7 else self._sheet.set_landscape()
        self._sheet.fit_to_pages(1, 0)
        self._sheet.set_footer(f"&L{head.name.replace('&', '&&')}&R&P / &N")

    def row(self, row: Row, texts: list[str], line: bytes) -> None:  # noqa: ARG002 - the texts are all it takes
        """Take one row."""
        no = int(texts[0])
        for at, (name, text) in enumerate(zip(self._columns, texts, strict=True)):
            value = value_of(name, text)
            if isinstance(value, int):
                self._sheet.write_number(no, at, value)
            elif value:
                self._sheet.write_string(no, at, value, self._text)

    def end(self, rows_sha256: str) -> None:
        """Finish the file; the digest of the rows stands among its properties."""
        self._book.set_custom_property("rows_sha256", rows_sha256, "text")
        self._book.close()
        self._part.write(self._out.getvalue())
