"""The CSV of a list, byte by byte, and the digest that stands on the paper (contract: section 4)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import date
from pathlib import Path
from unicodedata import normalize

import pytest

from register.excerpts.draw import draw_list
from register.excerpts.render_csv import render_csv, rows_sha256
from register.excerpts.rows import FORMS, ListHead, ListRow, columns_of

Heads = Callable[..., ListHead]
Row = Callable[..., ListRow]
Rows = Callable[..., list[ListRow]]

LIST = "no,surname,given_name,parent_name,born_on,remark"
PLACED = "no,surname,given_name,parent_name,born_on,municipality,polling_station"


def test_a_polling_station_list_byte_by_byte() -> None:
    born = date(1970, 2, 1)
    rows = [
        ListRow(no=1, surname="Čekić", given_name="Ana", parent_name="Đuro", born_on=born),
        ListRow(no=2, surname=normalize("NFD", "Žunić"), given_name="Š", parent_name="Ć", born_on=born, remark="*"),
        ListRow(no=3, surname='Begić, zvani "Beg"', given_name="Ive-Lj", parent_name="A", born_on=born, remark="*M"),
        ListRow(no=4, surname="Đokić Ć", given_name="Nj", parent_name="Dž", born_on=born, remark="M"),
    ]
    assert (
        b"".join(render_csv("polling-station", "latin", rows))
        == (
            "no,surname,given_name,parent_name,born_on,remark\n"
            "1,Čekić,Ana,Đuro,1970-02-01,\n"
            "2,Žunić,Š,Ć,1970-02-01,*\n"
            '3,"Begić, zvani ""Beg""",Ive-Lj,A,1970-02-01,*M\n'
            "4,Đokić Ć,Nj,Dž,1970-02-01,M\n"
        ).encode()
    )


@pytest.mark.parametrize(
    ("kind", "columns"),
    [
        ("polling-station", LIST),
        ("in-person-1991", LIST),
        ("absentee-1991", LIST),
        ("mail", LIST + ",country,foreign_address"),
        ("diplomatic-mission", LIST + ",mission"),
        ("mobile-team", LIST + ",settlement,street,house_number"),
        ("provisional", PLACED),
        ("political-entity", PLACED + ",code"),
        ("marked-deceased", PLACED + ",remark"),
        ("statistics", "no,level,unit,municipality,polling_station,list,women,men,voters"),
    ],
)
def test_each_kind_has_its_columns(kind: str, columns: str) -> None:
    assert ",".join(columns_of(kind)) == columns  # type: ignore[arg-type]
    assert len(FORMS) == 10


def test_the_internal_copy_adds_columns_and_none_twice() -> None:
    inner = ",jmb,sex,settlement,street,house_number,voting_option"
    assert ",".join(columns_of("polling-station", internal=True)) == LIST + inner
    assert ",".join(columns_of("mail", internal=True)) == LIST + ",country,foreign_address" + inner
    mobile = columns_of("mobile-team", internal=True)
    assert sorted(mobile) == sorted((LIST + inner).split(","))


@pytest.mark.parametrize("kind", ["provisional", "political-entity"])
def test_what_is_given_away_never_carries_a_personal_number_or_an_address(
    kind: str, head: Heads, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="no internal copy"):
        draw_list(head(kind=kind), [], ["internal-csv"], tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_all_formats_share_the_digest_of_the_csv_which_the_internal_columns_do_not_change(
    head: Heads, row: Row, tmp_path: Path
) -> None:
    rows = [row(1, jmb="0101970100017", sex="F"), row(2)]
    entries = draw_list(head(), iter(rows), ["pdf", "internal-csv", "csv"], tmp_path)
    digest = hashlib.sha256((tmp_path / "polling-station_10049_003A049.csv").read_bytes()).hexdigest()
    assert {entry.rows_sha256 for entry in entries} == {digest}
    assert digest == rows_sha256("polling-station", "latin", rows)
    assert b"0101970100017" in (tmp_path / "polling-station_10049_003A049.internal.csv").read_bytes()
    assert [entry.rows for entry in entries] == [2, 2, 2]


def test_a_cyrillic_list_prints_names_as_recorded_and_transliterates_none() -> None:
    recorded = ListRow(
        no=1, surname="Konjević", given_name="Đorđe", parent_name="A", born_on=date(1970, 2, 1),
        name_cyrillic=("Конјевић", "Ђорђе", "Адем"),
    )  # fmt: skip
    latin_only = ListRow(no=2, surname="Konjević", given_name="Đorđe", parent_name="A", born_on=date(1970, 2, 1))
    lines = list(render_csv("polling-station", "cyrillic", [recorded, latin_only]))
    assert lines[1].decode() == "1,Конјевић,Ђорђе,Адем,1970-02-01,\n"
    assert lines[2].decode() == "2,Konjević,Đorđe,A,1970-02-01,\n"


def test_a_gap_in_the_numbering_stops_the_list_and_leaves_no_file(head: Heads, row: Row, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="row 2 of the list is numbered 3"):
        draw_list(head(), [row(1), row(3)], ["csv", "pdf"], tmp_path)
    assert list(tmp_path.iterdir()) == []
