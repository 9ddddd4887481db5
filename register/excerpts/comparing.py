"""Two excerpts line by line: what only one has, what both have differently; whatever format each is in (Art. 3.6).

A voter is told by name and date of birth, or by personal number where both files have it; files that are given away
have nothing better. What is left over on both sides with the same date of birth and two of three names is one voter
whose name changed. Numbers of lines and codes of copies are no content and are not compared; nor is the script a
name is written in, so that a Latin list and a Cyrillic one of the same voters are the same.
"""

from __future__ import annotations

import csv
import io
import re
import xml.etree.ElementTree as ET
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from hashlib import sha256
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final
from unicodedata import normalize
from zipfile import BadZipFile, ZipFile

import msgspec

from register.excerpts.formats import format_of
from register.law import alphabet

#: What is no content of a row: they differ between lists and copies that hold the same voters.
PASSED_OVER: Final = frozenset({"no", "code"})
_NAMES: Final = ("surname", "given_name", "parent_name")
#: What a voter is told by, the best first.
_KEYS: Final = (("jmb",), (*_NAMES, "born_on"))
_ALIKE: Final = 2
_SHEET: Final = "xl/worksheets/sheet1.xml"
_STRINGS: Final = "xl/sharedStrings.xml"
_VRI: Final = ".vri.json"
_SIDECAR: Final = ".vri.sidecar.json"
_SPACE: Final = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"

Row = Mapping[str, str]
Key = tuple[str, ...]


class UnreadableError(Exception):
    """A file cannot be read as an excerpt. Says why, and nothing of what is in it."""


class Sheet(msgspec.Struct, frozen=True):
    """An excerpt as read: its columns and rows, all texts; ``position`` its rows rest on where the file says so.

    ``rows_sha256``: the digest that all formats of the list share, as the file or its bytes have it.
    """

    columns: tuple[str, ...]
    rows: Sequence[Row]
    position: int | None = None
    rows_sha256: str | None = None


class Changed(msgspec.Struct, frozen=True):
    """A voter who is in both, with what is not the same: column -> what A has, what B has."""

    a: Row
    b: Row
    columns: dict[str, tuple[str, str]]


class Comparison(msgspec.Struct, frozen=True):
    """What is not the same in two excerpts; ``same`` counts voters who are, ``codes`` rows whose codes alone differ.

    ``columns`` are those compared: those that both have.
    """

    only_a: tuple[Row, ...]
    only_b: tuple[Row, ...]
    changed: tuple[Changed, ...]
    same: int
    codes: int
    columns: tuple[str, ...]

    @property
    def equal(self) -> bool:
        """Whether both hold the same voters, with the same content."""
        return not (self.only_a or self.only_b or self.changed)


def compare(a: Sheet, b: Sheet) -> Comparison:
    """Compare two excerpts. Raises :class:`UnreadableError` for lists without anything to tell a voter by in both."""
    both = tuple(column for column in a.columns if column in b.columns)
    key = next((key for key in _KEYS if set(key) <= set(both)), None)
    if key is None:
        raise UnreadableError("the two files have no columns in common that a voter is told by")
    compared = tuple(column for column in both if column not in PASSED_OVER)
    left, right = _by_key(a.rows, key), _by_key(b.rows, key)
    pairs: list[tuple[Row, Row]] = []
    only_a: list[Row] = []
    for value, rows in left.items():
        others = right.get(value, [])
        mine = _matched(rows, others, compared, pairs)
        only_a += mine
    only_b = [row for rows in right.values() for row in rows]
    if key != ("jmb",):
        only_a, only_b = _renamed(only_a, only_b, pairs)
    changed = [Changed(x, y, found) for x, y in pairs if (found := _differing(x, y, compared))]
    codes = sum("code" in both and x["code"] != y["code"] and not _differing(x, y, compared) for x, y in pairs)
    return Comparison(tuple(only_a), tuple(only_b), tuple(changed), len(pairs) - len(changed), codes, compared)


def _by_key(rows: Iterable[Row], key: Key) -> dict[Key, list[Row]]:
    found: defaultdict[Key, list[Row]] = defaultdict(list)
    for row in rows:
        found[tuple(_said(row, column) for column in key)].append(row)
    return found


def _matched(rows: list[Row], others: list[Row], compared: Key, pairs: list[tuple[Row, Row]]) -> list[Row]:
    """Pair rows of one key, those that are the same first; what is paired is taken from ``others``, the rest given."""
    left = []
    for row in rows:
        same = next((other for other in others if not _differing(row, other, compared)), None)
        if same is None:
            left.append(row)
        else:
            others.remove(same)
            pairs.append((row, same))
    while left and others:
        pairs.append((left.pop(0), others.pop(0)))
    return left


def _renamed(only_a: list[Row], only_b: list[Row], pairs: list[tuple[Row, Row]]) -> tuple[list[Row], list[Row]]:
    """Pair what is left where there is but one on each side of the same birth with two names in common."""
    born: defaultdict[str, list[Row]] = defaultdict(list)
    for row in only_b:
        born[row["born_on"]].append(row)
    candidates = {id(x): [y for y in born[x["born_on"]] if _alike(x, y)] for x in only_a}
    wanted: defaultdict[int, int] = defaultdict(int)
    for found in candidates.values():
        for y in found:
            wanted[id(y)] += 1
    taken: set[int] = set()
    left = []
    for x in only_a:
        found = candidates[id(x)]
        if len(found) == 1 and wanted[id(found[0])] == 1:
            pairs.append((x, found[0]))
            taken.add(id(found[0]))
        else:
            left.append(x)
    return left, [y for y in only_b if id(y) not in taken]


def _alike(a: Row, b: Row) -> bool:
    return sum(_said(a, name) == _said(b, name) for name in _NAMES) >= _ALIKE


def _differing(a: Row, b: Row, compared: Key) -> dict[str, tuple[str, str]]:
    return {column: (a[column], b[column]) for column in compared if _said(a, column) != _said(b, column)}


def _said(row: Row, column: str) -> str:
    """What stands in a column, whatever script it is written in: a name in Latin letters, which loses nothing."""
    return alphabet.to_latin(normalize("NFC", row[column])) if column in _NAMES else row[column]


# --- reading --------------------------------------------------------------------------------------------------------


def read_sheet(path: Path) -> Sheet:
    """Read an excerpt in CSV, JSON, XLSX, Parquet or VRI (with its sidecar beside it), by the ending of its name.

    Raises :class:`UnreadableError` for what is none. A PDF is not read: a page tells lines, not columns, and has a CSV
    of the same rows.
    """
    try:
        content = path.read_bytes()
        match format_of(path.name):
            case "csv" | "internal-csv":
                lines = csv.DictReader(io.StringIO(content.decode("utf-8"), newline=""), strict=True)
                sheet = _sheet(list(lines), lines.fieldnames, rows_sha256=sha256(content).hexdigest())
            case "json":
                sheet = _json(content)
            case "xlsx":
                sheet = _sheet(list(_xlsx(content)))
            case "parquet":
                sheet = _parquet(content)
            case "vri" if path.name.endswith(_VRI):
                sheet = _vri(content, path.with_name(path.name.removesuffix(_VRI) + _SIDECAR).read_bytes())
            case _:
                raise UnreadableError(
                    "only CSV, JSON, XLSX, Parquet and VRI are read; take one of these of the same list"
                )
    except (OSError, csv.Error, BadZipFile, ET.ParseError, ValueError, LookupError, TypeError) as error:
        raise UnreadableError(f"{path.name} cannot be read as an excerpt ({type(error).__name__})") from error
    return sheet


def lines_of_file(path: Path) -> list[str]:
    """The lines of a fragment: rows of an excerpt, each as one line, or the lines of any other text.

    Raises :class:`UnreadableError` for what is neither.
    """
    if format_of(path.name) in ("json", "xlsx", "parquet"):
        return [" ".join(row.values()) for row in read_sheet(path).rows]
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UnreadableError("a fragment is text, or an excerpt in CSV, JSON, XLSX or Parquet") from error


def _sheet(
    rows: list[dict[str, str]],
    named: Sequence[str] | None = None,
    position: int | None = None,
    rows_sha256: str | None = None,
) -> Sheet:
    columns = tuple(named or (rows[0] if rows else ()))
    if any(set(row) != set(columns) or None in row.values() for row in rows):
        raise UnreadableError("the rows of this file do not have the same columns")
    return Sheet(columns, rows, position, rows_sha256)


def _json(content: bytes) -> Sheet:
    document = msgspec.json.decode(content, type=dict[str, Any])
    rows = [{name: "" if value is None else str(value) for name, value in row.items()} for row in document["rows"]]
    return _sheet(rows, document["columns"], document["head"]["position"], document["rows_sha256"])


def _vri(content: bytes, beside: bytes) -> Sheet:
    """The rows of a VRI file, with what VRI has no place for from the sidecar that names its digest."""
    sidecar = msgspec.json.decode(beside, type=dict[str, Any])
    if sidecar["vri_sha256"] != sha256(content).hexdigest():
        raise UnreadableError("the sidecar is another VRI file's")
    records = msgspec.json.decode(content, type=dict[str, Any])["VoterRecord"]
    rows = []
    for record, others in zip(records, sidecar["rows"], strict=True):
        voter = record["Voter"]
        name = voter["Name"]
        said = {
            "surname": name["LastName"],
            "given_name": name["FirstName"],
            "parent_name": name["MiddleName"][0],
            "born_on": voter["DateOfBirth"],
        }
        values = {column: said.get(column, others.get(column)) for column in sidecar["columns"]}
        rows.append({column: "" if value is None else str(value) for column, value in values.items()})
    return _sheet(rows, sidecar["columns"], sidecar["head"]["position"], sidecar["rows_sha256"])


def _parquet(content: bytes) -> Sheet:
    if find_spec("pyarrow") is None:
        raise UnreadableError("Parquet needs the package pyarrow, which is not installed here")
    table = import_module("pyarrow.parquet").read_table(io.BytesIO(content))
    rows = [{name: _text(value) for name, value in row.items()} for row in table.to_pylist()]
    metadata = table.schema.metadata or {}
    return _sheet(rows, rows_sha256=(metadata.get(b"rows_sha256") or b"").decode() or None)


def _text(value: object) -> str:
    return "" if value is None else value.isoformat() if isinstance(value, date) else str(value)


def _xlsx(content: bytes) -> Iterator[dict[str, str]]:
    """The rows of the first sheet below its first line. Office programs write shared texts, the register none."""
    with ZipFile(io.BytesIO(content)) as book:
        shared = []
        if _STRINGS in book.namelist():
            shared = ["".join(t.text or "" for t in one.iter(f"{_SPACE}t")) for one in _xml(book.read(_STRINGS))]
        sheet = _xml(book.read(_SHEET))
    lines = [
        {re.sub(r"[0-9]+", "", cell.get("r", "")): _cell(cell, shared) for cell in row.iter(f"{_SPACE}c")}
        for row in sheet.iter(f"{_SPACE}row")
    ]
    columns = lines[0] if lines else {}
    for line in lines[1:]:
        yield {name: line.get(at, "") for at, name in columns.items()}


def _xml(content: bytes) -> ET.Element:
    if b"<!DOCTYPE" in content:  # no workbook has one; entities in it could fill the memory
        raise UnreadableError("this is no workbook")
    return ET.fromstring(content)  # noqa: S314 - without a document type there are no entities


def _cell(cell: ET.Element, shared: Sequence[str]) -> str:
    if cell.get("t") == "inlineStr":
        return "".join(text.text or "" for text in cell.iter(f"{_SPACE}t"))
    value = cell.findtext(f"{_SPACE}v", "")
    return shared[int(value)] if cell.get("t") == "s" else value
