"""PDF of a list, for people who sign it: A4, one row height, the proof of its rows at the foot of every page.

What stands where is decided here (columns, words, sizes that fit); ``list.typ`` only sets it. The file is PDF/A-2a and
PDF/UA-1, its fonts are embedded, its date is the list's own: the same list gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import lru_cache
from gettext import GNUTranslations
from importlib.metadata import version
from io import BytesIO
from typing import Any, Final
from unicodedata import normalize

import msgspec
import segno

from register.excerpts import fonts
from register.excerpts.fonts import LayoutError
from register.excerpts.layout import LAYOUT, Column
from register.excerpts.rows import FORMAT_VERSION, FORMS, CountRow, Kind, ListHead, ListRow, Row, Script
from register.excerpts.typesetting import typesetter
from register.excerpts.words import Language, translations

#: More rows than this are not one list to be printed, and would not fit a worker's memory.
MAX_ROWS: Final = 20_000

#: What format version 1 is set with.
_PINNED: Final = {
    "typst": "0.15.2",
    "fonts": "5fde8cbf45eac91d46ebe9c4b9c9027bb753bd597ff0e71e66182f238c7d0b3d",
}

#: A list's language follows from its script, so that it takes no part in what a list is.
LANGUAGE: Final[dict[Script, Language]] = {"latin": "bs", "cyrillic": "sr_Cyrl"}
_LANG_TAG: Final[dict[Script, str]] = {"latin": "bs", "cyrillic": "sr"}

_POINTS: Final = 72 / 25.4
#: Space left and right of a text in its cell, both together, in millimetres; the same as ``inset`` in list.typ.
_INSET: Final = 3.2
_REMARK_SIZE: Final = 13.0
_SIZES: Final = (10.5, 9.5, 8.5, 8.0)
_SMALL: Final = (9.0, 8.0, 7.0, 6.2)
#: Columns whose longest possible content was seen to fit; tabular figures are wider than the font's own widths say.
_MEASURED_BY_EYE: Final = frozenset({"no", "born_on", "signature", "remark"})
#: Millimetres of the running head's lines, beside the page number.
_RUNNING: Final = 150.0
#: Millimetres and points of what a list is, as it stands on the first page.
_FACT: Final = 144.0
_FACT_SIZE: Final = 10.5
#: Lines of a cell for which its row grows: of more than two; and of more than so many also over a page's end.
_TWO: Final = 2
_UNBROKEN: Final = 40


#: What the list is for, under its title (English messages).
_PURPOSE: Final[dict[Kind, str]] = {
    "provisional": "Provisional excerpt, on display",
    "polling-station": "Excerpt for voting at the polling station",
    "in-person-1991": "Excerpt for voting in person in the municipality of 1991",
    "absentee-1991": "Excerpt for absentee voting for the municipality of 1991",
    "mail": "Excerpt for voting by mail",
    "diplomatic-mission": "Excerpt for voting at a diplomatic mission",
    "mobile-team": "Excerpt for voting with a mobile team",
    "political-entity": "Excerpt for a political entity",
    "marked-deceased": "Voters reported deceased",
    "statistics": "Statistics of voters by sex",
}
#: What statistics are counted by, and the lists of a roll (English messages).
_LEVELS: Final = {"country": "Country", "unit": "Electoral unit", "municipality": "Municipality", "list": "List"}
_LISTS: Final = {
    "": "",
    "polling-station": "Polling station",
    "in-person-1991": "In person, 1991",
    "absentee-1991": "Absentee, 1991",
    "mail": "By mail",
    "diplomatic-mission": "Diplomatic mission",
    "unallocated": "No polling station",
    "no-entity-option": "No entity option",
}
#: How a count that is withheld is printed.
_WITHHELD: Final = "–"
_PLACE: Final[dict[Kind, str]] = {
    "diplomatic-mission": "Diplomatic mission",
    "mobile-team": "Mobile team",
    "political-entity": "Electoral unit",
}


def proof_text(head: ListHead, rows_sha256: str) -> str:
    """What the QR code says: the footer, one member a line.

    The first three lines are the body of the tree head (C2SP tlog-checkpoint): log's name, size, root.
    """
    lines = [head.log_origin, str(head.log_size), head.log_root]
    lines += [f"position {head.position}", f"rows {rows_sha256}", f"format {head.format_version}"]
    if head.copy is not None:
        lines.append(f"copy {head.copy}")
    return "\n".join(lines) + "\n"


def qr_svg(text: str) -> bytes:
    """The QR code of ``text`` (error correction M, quiet zone of 4 modules) as SVG."""
    out = BytesIO()
    segno.make_qr(text, error="m", boost_error=False).save(out, kind="svg", border=4, xmldecl=False, svgns=True)
    return out.getvalue()


def render_pdf(head: ListHead, rows: Sequence[Row], rows_sha256: str) -> bytes:
    """The list as a PDF file. ``rows_sha256`` is the digest of its rows as CSV (see ``render_csv.rows_sha256``).

    Raises LayoutError for more than ``MAX_ROWS``, another format version, or another typesetter; for no text.
    """
    return typeset(prepare(head, rows, rows_sha256), head.concluded_on or head.day, len(rows))


def prepare(head: ListHead, rows: Sequence[Row], rows_sha256: str) -> str:
    """Everything the template needs, as JSON: words, and each cell with the size at which it fits."""
    if head.format_version != FORMAT_VERSION:
        raise LayoutError(f"format version {head.format_version} is not the one drawn here")
    if len(rows) > MAX_ROWS:
        raise LayoutError(f"{len(rows)} rows are more than the {MAX_ROWS} that one PDF may have")
    words = translations(LANGUAGE[head.script])
    columns = LAYOUT[head.kind]
    cells = [_cells(head, columns, row, words) for row in rows]
    tall = {row.no: lines for row, line in zip(rows, cells, strict=True) if (lines := _height(line)) > _TWO}
    facts = _facts(head, len(rows), words)
    page = {
        "lang": _LANG_TAG[head.script],
        "words": {name: words.gettext(message) for name, message in _WORDS.items()},
        "purpose": words.gettext(_PURPOSE[head.kind]),
        "facts": facts,
        "running": _running(head, words),
        "columns": [
            {
                "label": words.gettext(c.label),
                "width": c.width,
                "align": c.align,
                "weight": c.weight,
                "size": _REMARK_SIZE if c.key == "remark" else _SIZES[0],
            }
            for c in columns
        ],
        "signature": next((i for i, c in enumerate(columns) if c.key == "signature"), None),
        "rows": cells,
        "tall": {str(no): lines <= _UNBROKEN for no, lines in tall.items()},
        "marked": [row.no for row in rows if isinstance(row, ListRow) and "*" in row.remark],
        "legend": [words.gettext(message) for message in _legend(head, rows)] + _substitutes(cells, facts, words),
        "committee": FORMS[head.kind].signed,
        "proof": _proof(head, rows_sha256, words),
        "qr": qr_svg(proof_text(head, rows_sha256)).decode(),
    }
    return msgspec.json.encode(page).decode()


def typeset(prepared: str, dated: date, rows: int) -> bytes:
    """PDF bytes of what ``prepare`` gave; ``dated`` is written into the file as the day it was made.

    ``rows``: how many the list has. Raises LayoutError for another typesetter than the format version's.
    """
    _check_pinned()
    return typesetter().set(prepared, dated, rows)


@lru_cache(maxsize=1)
def _check_pinned() -> None:
    """Raises LayoutError when typesetter or typeface are not those of the format version: the bytes would differ."""
    found = {"typst": version("typst"), "fonts": fonts.digest()}
    for name, pinned in _PINNED.items():
        if found[name] != pinned:
            raise LayoutError(f"format version {FORMAT_VERSION} is set with {name} {pinned}, not {found[name]}")


#: Words of the template, by the name it knows them by.
_WORDS: Final = {
    "authority": "Central Election Commission of Bosnia and Herzegovina",
    "title": "Excerpt from the Central Voters Register",
    "page": "Page {n} of {m}",
    "empty": "There are no voters on this list.",
    "committee": "To be filled in by the polling station committee",
    "entered": "Voters on this list",
    "marked": "of these marked with a star",
    "counted": "Signatures counted",
    "office": "Office",
    "name": "Given name and surname",
    "signature": "Signature",
    "president": "President",
    "member": "Member",
    "place_date": "Place and date",
    "stamp": "L.S.",
}


def _legend(head: ListHead, rows: Sequence[Row]) -> list[str]:
    """What the remarks that occur mean (English messages); nothing where the list prints none."""
    if head.kind == "statistics":
        return ["<5: one to four voters", "– withheld, as others could be computed from it"]
    if "remark" not in FORMS[head.kind].columns:
        return []
    remarks = {row.remark for row in rows if isinstance(row, ListRow)}
    star = "* reported deceased; does not sign" if FORMS[head.kind].signed else "* reported deceased"
    legend = [star] if any("*" in remark for remark in remarks) else []
    if any("M" in remark for remark in remarks):
        legend.append("M votes with the mobile team")
    return legend


def _substitutes(cells: list[list[Any]], facts: list[tuple[str, list[str]]], words: GNUTranslations) -> list[str]:
    """What stands for something else on this list, if anything does, and what it means."""
    texts = [line for _, lines in facts for line in lines]
    texts += [line for row in cells for cell in row for line in ((cell,) if isinstance(cell, str) else cell[1:])]
    explained = []
    if any(fonts.NUMBERED in text for text in texts):
        number = words.gettext("a sign that cannot be printed here, by its number in Unicode")
        explained.append(f"{fonts.NUMBERED}…] {number}")
    if any(text.endswith(fonts.BROKEN) for text in texts):
        explained.append(f"{fonts.BROKEN} {words.gettext('the word goes on in the next line')}")
    return explained


def _height(cells: list[Any]) -> int:
    """How many lines the highest cell of a row has."""
    return max(1 if isinstance(cell, str) else len(cell) - 1 for cell in cells)


def _cells(head: ListHead, columns: tuple[Column, ...], row: Row, words: GNUTranslations) -> list[Any]:
    """One cell a column: a text at the usual size, or [size, line, line …] where it must be smaller."""
    if isinstance(row, CountRow):
        return [_fitted(column, _counted(row, column.key, words)) for column in columns]
    surname, given_name, parent_name = row.names(head.script)
    texts = {
        "no": str(row.no),
        "surname": surname,
        "given_name": given_name,
        "parent_name": parent_name,
        "born_on": _day(row.born_on),
        "signature": "",
        "remark": row.remark,
        "municipality": row.municipality,
        "polling_station": row.polling_station,
        "address": _address(row),
        "country": row.country,
        "foreign_address": row.foreign_address,
        "code": row.code,
    }
    return [_fitted(column, texts[column.key]) for column in columns]


def _counted(row: CountRow, column: str, words: GNUTranslations) -> str:
    """What a line of statistics says in a column."""
    value = str(getattr(row, column))
    match column:
        case "level":
            return words.gettext(_LEVELS[value])
        case "list":
            return words.gettext(_LISTS[value]) if value else ""
        case "women" | "men" | "voters":
            return value or _WITHHELD
        case _:
            return value


def _fitted(column: Column, text: str) -> str | list[Any]:
    if column.key in _MEASURED_BY_EYE:
        return text
    shown = _printable(text)
    fitted = fonts.fit(shown, (column.width - _INSET) * _POINTS, column.weight, _SIZES, _SMALL)
    if fitted.size == _SIZES[0] and len(fitted.lines) == 1:
        return shown
    return [fitted.size, *fitted.lines]


def _address(row: ListRow) -> str:
    street = " ".join(part for part in (row.street, row.house_number) if part)
    return ", ".join(part for part in (street, row.settlement) if part)


def _day(day: date) -> str:
    """01.02.1970. as dates are written in Bosnia and Herzegovina, in both scripts."""
    return f"{day:%d.%m.%Y}."


def _place_label(head: ListHead) -> str:
    return _PLACE.get(head.kind, "Polling station")


def _place_name(head: ListHead) -> str:
    """Code and name; of a mission the name alone, since its code is only the name made fit for a file's."""
    code = None if head.kind == "diplomatic-mission" and head.station_name else head.station_code
    return " ".join(part for part in (code, head.station_name) if part)


def _facts(head: ListHead, count: int, words: GNUTranslations) -> list[tuple[str, list[str]]]:
    """What the list is, as label and the lines of its value; those it has."""
    station = _place_name(head)
    municipality = " ".join(part for part in (head.municipality, head.municipality_name) if part)
    provisional = head.kind == "provisional"
    facts = [
        ("Election", head.title),
        ("Register as of" if provisional else "Election day", _day(head.day)),
        ("Municipality", municipality),
        (_place_label(head), station),
        ("Address", head.station_address),
        ("Concluded on", _day(head.concluded_on) if head.concluded_on else None),
        ("Issued to", head.recipient),
        ("Copy number", str(head.copy) if head.copy is not None else None),
        (None if head.kind == "statistics" else "Number of voters", str(count)),
    ]
    return [
        (words.gettext(label), list(fonts.wrapped(_printable(value), _FACT * _POINTS, "semibold", _FACT_SIZE)))
        for label, value in facts
        if label and value
    ]


def _running(head: ListHead, words: GNUTranslations) -> tuple[str, str]:
    """Two lines that say on every page which list it is of; the whole identity stands on the first."""
    station = _place_name(head)
    first = station or head.recipient or head.municipality_name or words.gettext(_PURPOSE[head.kind])
    parts = [words.gettext(_WORDS["title"]), head.title, head.municipality_name]
    second = " · ".join(part for part in parts if part)
    width = _RUNNING * _POINTS
    return (
        fonts.shorten(_printable(first), width, "semibold", 10.5),
        fonts.shorten(_printable(second), width, "regular", 8.5),
    )


def _printable(text: str) -> str:
    return fonts.printable(normalize("NFC", text))


def _proof(head: ListHead, rows_sha256: str, words: GNUTranslations) -> list[list[tuple[str, str]]]:
    """The footer's lines, each of label and value."""
    basis = [("Position", str(head.position)), ("Log size", str(head.log_size)), ("Format", str(head.format_version))]
    if head.copy is not None:
        basis.append(("Copy number", str(head.copy)))
    lines = [basis, [("Log", head.log_origin), ("Root", head.log_root)], [("SHA-256 of the rows", rows_sha256)]]
    return [[(words.gettext(label), _printable(value)) for label, value in line] for line in lines]
