"""All formats of a list hold the same rows under one digest, and are the same bytes each time."""

from __future__ import annotations

import base64
import csv
import hashlib
import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import openpyxl  # type: ignore[import-untyped]
import pytest

from register.excerpts.draw import draw_list
from register.excerpts.formats import FORMATS, Format, why_not
from register.excerpts.rows import CountRow, Kind, ListHead, ListRow, Row, columns_of
from register.excerpts.streamed import _said_again
from register.law.alphabet import to_latin

Heads = Callable[..., ListHead]
Rows = Callable[..., list[ListRow]]

SCHEMA = Path(__file__).parents[3] / "shared" / "vectors" / "nist-sp1500-102-vri-schema.json"
KINDS: tuple[Kind, ...] = ("polling-station", "mail", "mobile-team", "provisional", "political-entity", "statistics")


def counts() -> list[Row]:
    return [
        CountRow(no=1, level="country", women="12", men="13", voters="25"),
        CountRow(no=2, level="unit", unit="511", women="", men="<5", voters="20"),
        CountRow(no=3, level="list", municipality="10049", polling_station="003A001", list="mail", voters="<5"),
    ]


def lines(kind: Kind, rows: Rows, script: str) -> list[Row]:
    if kind == "statistics":
        return counts()
    found: list[Row] = []
    for row in rows(40, cyrillic=script == "cyrillic"):
        placed = {
            "municipality": "10049",
            "polling_station": "003A049",
            "street": 'Ulica "A", 2',
            "settlement": "Bihać",
        }
        found.append(ListRow(**{**{name: getattr(row, name) for name in row.__struct_fields__}, **placed}))
    return found


def drawn(head: ListHead, rows: list[Row], folder: Path) -> dict[str, Path]:
    folder.mkdir(exist_ok=True)
    formats: list[Format] = [each for each in FORMATS if each != "pdf" and why_not(each, head.kind) is None]
    entries = draw_list(head, rows, formats, folder)
    assert len({entry.rows_sha256 for entry in entries}) == 1
    for entry in entries:
        assert hashlib.sha256((folder / entry.file).read_bytes()).hexdigest() == entry.sha256
    return {entry.file.partition(".")[2]: folder / entry.file for entry in entries}


@pytest.mark.parametrize("script", ["latin", "cyrillic"])
@pytest.mark.parametrize("kind", KINDS)
def test_each_format_gives_back_the_rows_of_the_csv(
    kind: Kind, script: str, head: Heads, rows: Rows, tmp_path: Path
) -> None:
    the_head, the_rows = head(kind=kind, script=script), lines(kind, rows, script)
    files = drawn(the_head, the_rows, tmp_path / "first")
    with files["csv"].open(encoding="utf-8", newline="") as source:
        columns, *expected = list(csv.reader(source))
    assert len(expected) == len(the_rows)
    digest = hashlib.sha256(files["csv"].read_bytes()).hexdigest()

    told = json.loads(files["json"].read_bytes())
    assert told["rows_sha256"] == digest
    assert told["head"]["kind"] == kind
    assert told["columns"] == columns
    assert [["" if row[name] is None else str(row[name]) for name in columns] for row in told["rows"]] == expected
    canonical = json.dumps(told, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
    assert files["json"].read_bytes() == canonical, "RFC 8785, whose text rules are Python's where no control signs are"

    book = openpyxl.load_workbook(files["xlsx"])
    sheet = book["excerpt"]
    assert [["" if cell is None else str(cell) for cell in row] for row in sheet.iter_rows(values_only=True)] == [
        columns,
        *expected,
    ]
    assert sheet.print_title_rows == "$1:$1"
    assert book.custom_doc_props["rows_sha256"].value == digest
    if "born_on" in columns:
        assert isinstance(sheet.cell(2, 1 + columns.index("born_on")).value, str)

    if "parquet" in files:
        arrow = pytest.importorskip("pyarrow.parquet")
        table = arrow.read_table(files["parquet"])
        assert [[str(value) for value in row.values()] for row in table.to_pylist()] == expected
        assert arrow.read_metadata(files["parquet"]).metadata[b"rows_sha256"].decode() == digest

    if "vri.json" in files:
        results = json.loads(files["vri.json"].read_bytes())
        sidecar = json.loads(files["vri.sidecar.json"].read_bytes())
        assert sidecar["vri_sha256"] == hashlib.sha256(files["vri.json"].read_bytes()).hexdigest()
        assert (sidecar["rows_sha256"], sidecar["head"]["election"]) == (digest, the_head.election)
        assert [
            vri_row(*pair, columns) for pair in zip(results["VoterRecord"], sidecar["rows"], strict=True)
        ] == expected

    again = drawn(the_head, the_rows, tmp_path / "second")
    assert {name: path.read_bytes() for name, path in files.items()} == {
        name: path.read_bytes() for name, path in again.items()
    }
    assert not [path for path in (tmp_path / "first").iterdir() if path.name.startswith(".")]


def vri_row(record: dict[str, Any], beside: dict[str, Any], columns: list[str]) -> list[str]:
    """One row of the list out of its two halves."""
    voter = record["Voter"]
    name = voter["Name"]
    said = {
        "surname": name["LastName"],
        "given_name": name["FirstName"],
        "parent_name": name["MiddleName"][0],
        "born_on": voter["DateOfBirth"],
    }
    return [str(said.get(column, beside.get(column, ""))) for column in columns]


@pytest.mark.skipif(not SCHEMA.is_file(), reason="the schema of NIST SP 1500-102 is not on this machine")
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "statistics"])
def test_vri_files_are_what_nist_sp_1500_102_describes(kind: Kind, head: Heads, rows: Rows, tmp_path: Path) -> None:
    validator = pytest.importorskip("jsonschema").Draft4Validator
    files = drawn(head(kind=kind), lines(kind, rows, "latin"), tmp_path)
    errors = validator(json.loads(SCHEMA.read_text())).iter_errors(json.loads(files["vri.json"].read_bytes()))
    assert [error.message[:200] for error in errors] == []
    example = json.loads((Path(__file__).parents[2] / "contracts" / "vri" / "polling-station.vri.json").read_text())
    validator(json.loads(SCHEMA.read_text())).validate(example)


def test_parquet_is_refused_where_its_writer_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("register.excerpts.formats.find_spec", lambda _: None)
    assert "pyarrow" in (why_not("parquet", "mail") or "")
    assert why_not("xlsx", "mail") is None


@pytest.mark.parametrize("name", ["Ђурђевић", "ǅafić", "Šljivić", "C\u030cekić", "Müller", "Łoś", "Њ"])
def test_a_streamed_line_is_said_as_rows_are(name: str) -> None:
    """Below U+0180 letters stay as they are; a line that holds others is taken apart."""
    for rest in ("1970-02-01,", '1970-02-01,*,"a, b"', "1970-02-01,,C\u030c"):
        fields = next(csv.reader([f"7,{name},Ana,Đuro,{rest}"]))
        fields[1] = to_latin(fields[1])
        plain = ",".join(f'"{field}"' if "," in field else field for field in fields).replace("C\u030c", "Č")
        assert _said_again(f"7,{name},Ana,Đuro,{rest}\n".encode()).decode() == plain + "\n"


def test_letters_below_the_bound_are_their_own_nfc_and_their_own_latin() -> None:
    for letter in map(chr, range(0x20, 0x180)):
        assert to_latin(letter) == letter


def test_the_example_beside_the_contract_is_what_is_drawn(head: Heads, tmp_path: Path) -> None:
    row = ListRow(
        no=1, surname="Čekić", given_name="Ana", parent_name="Đuro", born_on=date(1970, 2, 1), remark="*M"
    )  # fmt: skip
    root = base64.b64encode(hashlib.sha256(b"root").digest()).decode()
    files = drawn(head(election="sample-2026", log_root=root), [row], tmp_path)
    examples = Path(__file__).parents[2] / "contracts" / "vri"
    for ending, name in (
        ("vri.json", "polling-station.vri.json"),
        ("vri.sidecar.json", "polling-station.sidecar.json"),
    ):
        assert json.loads(files[ending].read_bytes()) == json.loads((examples / name).read_text(encoding="utf-8"))


def test_statistics_have_no_column_for_a_voter() -> None:
    assert not {"surname", "jmb", "born_on"} & set(columns_of("statistics"))
