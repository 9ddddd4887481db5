"""The list on paper: what a committee signs, and what anybody can check it with."""

from __future__ import annotations

import ctypes
import hashlib
import io
import re
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from multiprocessing import get_context
from pathlib import Path

import pypdfium2 as pdfium  # type: ignore[import-untyped]
import pypdfium2.raw as pdfium_c  # type: ignore[import-untyped]
import pytest
import zxingcpp
from PIL import Image, ImageChops, ImageStat

from register.excerpts.draw import draw_list
from register.excerpts.fonts import LayoutError
from register.excerpts.render_csv import rows_sha256
from register.excerpts.render_pdf import LAYOUT, MAX_ROWS, prepare, proof_text, render_pdf
from register.excerpts.rows import FORMS, ListHead, ListRow

Heads = Callable[..., ListHead]
Row = Callable[..., ListRow]
Rows = Callable[..., list[ListRow]]

GOLDEN = Path(__file__).with_name("polling_station_page_1.png")
MILLIMETRE = 72 / 25.4
#: Left margin of the page, in millimetres.
MARGIN = 14


def _pdf(head: ListHead, rows: list[ListRow]) -> bytes:
    return render_pdf(head, rows, rows_sha256(head.kind, head.script, rows))


def _texts(pdf: bytes) -> list[str]:
    """The text of each page, white space evened out, double names on two lines put together."""
    with pdfium.PdfDocument(pdf) as document:
        texts = [" ".join(page.get_textpage().get_text_range().split()) for page in document]
    return [text.replace("-\u200b ", "-").replace("\u200b", "") for text in texts]


def _picture(pdf: bytes, page: int, dpi: int) -> Image.Image:
    with pdfium.PdfDocument(pdf) as document:
        picture: Image.Image = document[page].render(scale=dpi / 72).to_pil()
    return picture.convert("L")


def _expected(head: ListHead, row: ListRow) -> str:
    return " ".join((str(row.no), *row.names(head.script), f"{row.born_on:%d.%m.%Y}.", row.remark)).strip()


@pytest.mark.parametrize("script", ["latin", "cyrillic"])
def test_a_list_of_a_thousand_gives_every_row_back_in_order_and_counts_its_pages(
    script: str, head: Heads, rows: Rows
) -> None:
    the_head, the_rows = head(script=script), rows(1000, cyrillic=script == "cyrillic")
    pages = _texts(_pdf(the_head, the_rows))
    whole = " ".join(pages)
    at = 0
    for row in the_rows:
        found = whole.find(_expected(the_head, row), at)
        assert found >= at, f"row {row.no} is not on the page after the one before it"
        at = found
    word = "Страна {} од {}" if script == "cyrillic" else "Strana {} od {}"
    for number, page in enumerate(pages, 1):
        assert word.format(number, len(pages)) in page
        assert "003A049" in page
    labels = ("Презиме", "Потпис") if script == "cyrillic" else ("Prezime", "Potpis")
    assert all(label in page for label in labels for page in pages)


@pytest.mark.parametrize("count", [0, 1])
def test_a_list_of_nobody_and_of_one_has_its_head_and_its_closing(count: int, head: Heads, rows: Rows) -> None:
    (page,) = _texts(_pdf(head(), rows(count)))
    assert f"Broj birača {count} " in page
    assert ("Na ovoj listi nema birača." in page) == (count == 0)
    assert "Strana 1 od 1" in page
    for said in ("Centralna izborna komisija Bosne i Hercegovine", "IZVOD IZ CENTRALNOG BIRAČKOG SPISKA",
                 "003A049 Osnovna škola", "Ulica Ćehajića 15, Bihać", "04.10.2026.", "Prebrojano potpisa",
                 "Predsjednik", "M. P."):  # fmt: skip
        assert said in page


@pytest.mark.parametrize("kind", sorted(LAYOUT))
def test_only_lists_that_voters_sign_have_a_signature_column_and_a_committee(
    kind: str, head: Heads, rows: Rows
) -> None:
    (page,) = _texts(_pdf(head(kind=kind), rows(6)))
    signed = FORMS[kind].signed  # type: ignore[index]
    assert ("Potpis" in page) == ("Popunjava birački odbor" in page) == signed
    assert ("ne potpisuje" in page) == signed


def test_every_page_says_what_the_rows_rest_on_in_the_footer_and_in_the_qr_code(head: Heads, rows: Rows) -> None:
    the_head, the_rows = head(copy=12, recipient="Stranka", kind="political-entity"), rows(60)
    digest = rows_sha256(the_head.kind, the_head.script, the_rows)
    pdf = render_pdf(the_head, the_rows, digest)
    pages = _texts(pdf)
    for number, text in enumerate(pages):
        for said in ("Pozicija 1234567", "Veličina dnevnika 1234567", the_head.log_root, digest, "Primjerak broj 12"):
            assert said in text
        (code,) = zxingcpp.read_barcodes(_picture(pdf, number, 150))
        assert code.text == proof_text(the_head, digest)
    assert proof_text(the_head, digest).split("\n") == [
        "cvr.example/log", "1234567", the_head.log_root,
        "position 1234567", f"rows {digest}", "format 1", "copy 12", "",
    ]  # fmt: skip


def test_the_digest_on_the_paper_is_that_of_the_csv_beside_it(head: Heads, rows: Rows, tmp_path: Path) -> None:
    draw_list(head(), rows(3), ["csv", "pdf"], tmp_path)
    stem = tmp_path / "polling-station_10049_003A049"
    digest = hashlib.sha256(stem.with_suffix(".csv").read_bytes()).hexdigest()
    (code,) = zxingcpp.read_barcodes(_picture(stem.with_suffix(".pdf").read_bytes(), 0, 150))
    assert f"rows {digest}" in code.text


def test_two_processes_make_the_same_bytes(head: Heads, rows: Rows, tmp_path: Path) -> None:
    heads = [head(), head(script="cyrillic")]
    the_rows = rows(40, cyrillic=True)
    drawn = []
    for place in (tmp_path / "one", tmp_path / "two"):
        place.mkdir()
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            runs = [pool.submit(draw_list, each, the_rows, ["csv", "pdf"], place) for each in heads]
            entries = [run.result() for run in runs]
        drawn.append((entries, {path.name: path.read_bytes() for path in place.iterdir()}))
        heads.reverse()
    assert drawn[0][1] == drawn[1][1]
    assert sorted(drawn[0][0]) == sorted(drawn[1][0])
    assert len(drawn[0][1]) == 4


def test_a_voter_reported_deceased_has_a_star_and_a_closed_signature_cell(head: Heads, row: Row) -> None:
    remarks = ("", "*", "M", "*M", "")
    pdf = _pdf(head(), [row(no, remark=remark) for no, remark in enumerate(remarks, 1)])
    picture = _picture(pdf, 0, 144)
    columns = LAYOUT["polling-station"]
    at = next(i for i, column in enumerate(columns) if column.key == "signature")
    left = MARGIN + sum(column.width for column in columns[:at])
    inked = []
    with pdfium.PdfDocument(pdf) as document:
        page = document[0]
        text = page.get_textpage()
        for no in range(1, 6):
            day = f"{row(no).born_on:%d.%m.%Y}."
            found = text.search(day).get_next()
            assert found is not None
            _, bottom, _, top = text.get_charbox(found[0])
            middle = (page.get_height() - (bottom + top) / 2) * 2
            box = (left * MILLIMETRE * 2 + 6, middle - 12, (left + columns[at].width) * MILLIMETRE * 2 - 6, middle + 12)
            inked.append(ImageStat.Stat(picture.crop(box)).extrema[0][0] < 200)
    assert inked == [False, True, False, True, False]
    (said,) = _texts(pdf)
    assert "od toga označenih zvjezdicom 2" in said
    assert "Broj birača 5 " in said


def _crossings(pdf: bytes, kind: str) -> list[str]:
    """Letters of the table that touch the boundary between two columns."""
    bounds, at = [], float(MARGIN)
    for column in LAYOUT[kind]:  # type: ignore[index]
        at += column.width
        bounds.append(at * MILLIMETRE)
    crossing = []
    with pdfium.PdfDocument(pdf) as document:
        page = document[0]
        text = page.get_textpage()
        found = text.search("1960")
        years = [text.get_charbox(at) for at, _ in iter(found.get_next, None)]
        floor, ceiling = min(box[1] for box in years) - 10, max(box[3] for box in years) + 10
        for index in range(text.count_chars()):
            left, bottom, right, top = text.get_charbox(index)
            if floor < bottom and top < ceiling and any(left < bound < right for bound in bounds):
                crossing.append(text.get_text_range(index, 1))
    return crossing


@pytest.mark.parametrize("kind", ["polling-station", "mobile-team", "mail", "provisional"])
def test_long_names_become_smaller_or_two_lines_and_never_leave_their_cell(kind: str, head: Heads) -> None:
    names = ("WM" * 4, "Hadžimuhamedović-Hadžihafizbegović", "Wassermann von und zu Mühlhausen", "ШЉИВОВИЋ-ЉУБИЧИЋ")
    rows = [
        ListRow(
            no=no, surname=name, given_name=name[:10].strip(), parent_name=name[:9].strip(), born_on=date(1960, 1, no),
            street=name[:20], house_number="112/3", settlement="Bosansko Grahovo", country="DE",
            foreign_address="Konrad-Adenauer-Straße 112/3/15, 12345 Mühlhausen", municipality="10049",
            polling_station="003A049",
        )
        for no, name in enumerate(names, 1)
    ]  # fmt: skip
    the_head = head(kind=kind)
    pdf = _pdf(the_head, rows)
    assert _crossings(pdf, kind) == []
    said = _texts(pdf)[0].replace(" ", "")
    for name in names:
        assert name.replace(" ", "") in said


def test_what_fits_nowhere_stops_the_list_names_the_place_and_not_the_voter(
    head: Heads, row: Row, tmp_path: Path
) -> None:
    with pytest.raises(LayoutError) as refused:
        draw_list(head(), [row(1), row(2, surname="Štrumpfenbergerova" * 5)], ["csv", "pdf"], tmp_path)
    assert str(refused.value) == (
        "polling-station_10049_003A049: row 2, surname: too long for its cell, also in small letters on two lines"
    )
    assert list(tmp_path.iterdir()) == []


def test_a_letter_the_typeface_lacks_stops_the_list(head: Heads, row: Row) -> None:
    with pytest.raises(LayoutError, match=r"row 1, given_name: Fira Sans has no letter U\+0639"):
        _pdf(head(), [row(1, given_name="\u0639")])
    with pytest.raises(LayoutError, match=r"its head: Fira Sans has no letter U\+5317"):
        _pdf(head(station_name="\u5317"), [])


def test_a_very_long_station_name_wraps_on_the_first_page_and_is_visibly_cut_on_the_others(
    head: Heads, rows: Rows
) -> None:
    name = "Osnovna škola „Đure Pucara Starog“ i društveni dom " * 8
    pages = _texts(_pdf(head(station_name=name.strip()), rows(40)))
    assert name.strip() in pages[0]
    assert all("…" in page for page in pages[1:])


def test_another_format_version_or_a_list_too_long_for_paper_is_not_drawn(head: Heads, row: Row) -> None:
    with pytest.raises(LayoutError, match="format version 2"):
        prepare(head(format_version=2), [], "0" * 64)
    with pytest.raises(LayoutError, match="more than the 20000"):
        prepare(head(), [row(1)] * (MAX_ROWS + 1), "0" * 64)


def test_the_file_claims_its_standards_embeds_its_fonts_and_bears_the_day_of_the_conclusion(
    head: Heads, rows: Rows
) -> None:
    pdf = _pdf(head(), rows(3))
    for claim in (rb"<pdfaid:part>2<", rb"<pdfaid:conformance>A<", rb"<pdfuaid:part>1<"):
        assert claim in pdf
    assert re.search(rb"/Lang\s*\(bs", pdf)
    with pdfium.PdfDocument(pdf) as document:
        assert document.get_metadata_value("CreationDate").startswith("D:20260820000000")
        fonts = {
            (name, bool(pdfium_c.FPDFFont_GetIsEmbedded(font)))
            for found in document[0].get_objects([pdfium_c.FPDF_PAGEOBJ_TEXT])
            for font in [pdfium_c.FPDFTextObj_GetFont(found)]
            for name in [_base_name(font)]
        }
    assert {name.split("+")[1] for name, _ in fonts} == {"FiraSans-Regular", "FiraSans-SemiBold"}
    assert all(embedded for _, embedded in fonts)


def _base_name(font: object) -> str:
    buffer = ctypes.create_string_buffer(100)
    pdfium_c.FPDFFont_GetBaseFontName(font, buffer, 100)
    return buffer.value.decode()


def golden_page(head: Heads, rows: Rows) -> Image.Image:
    """The first page of a list of a dozen, small: what a committee sees."""
    return _picture(_pdf(head(), rows(18)), 0, 72)


def test_the_page_looks_as_it_was_when_people_last_looked_at_it(head: Heads, rows: Rows) -> None:
    """To keep another picture on purpose: look at the pages, delete the kept one, run this once."""
    drawn = golden_page(head, rows)
    if not GOLDEN.exists():
        drawn.save(GOLDEN, optimize=True)
        pytest.fail(f"kept a new {GOLDEN.name}: look at it")
    kept = Image.open(io.BytesIO(GOLDEN.read_bytes())).convert("L")
    assert GOLDEN.stat().st_size <= 60 * 1024
    assert drawn.size == kept.size
    difference = ImageChops.difference(drawn, kept)
    assert ImageStat.Stat(difference).mean[0] < 0.5
    coarse = difference.resize((60, 84), Image.Resampling.BOX)
    assert ImageStat.Stat(coarse).extrema[0][1] < 40
