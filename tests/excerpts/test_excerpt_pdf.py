"""The list on paper: what a committee signs, and what anybody can check it with."""

from __future__ import annotations

import ctypes
import hashlib
import io
import json
import re
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from multiprocessing import get_context
from pathlib import Path
from unicodedata import normalize

import pypdfium2 as pdfium  # type: ignore[import-untyped]
import pypdfium2.raw as pdfium_c  # type: ignore[import-untyped]
import pytest
import zxingcpp
from PIL import Image, ImageChops, ImageStat

from register.excerpts import typesetting
from register.excerpts.draw import draw_list
from register.excerpts.fonts import LayoutError, fit, printable
from register.excerpts.layout import LAYOUT
from register.excerpts.render_csv import rows_sha256
from register.excerpts.render_pdf import MAX_ROWS, prepare, proof_text, render_pdf
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


@pytest.mark.parametrize("kind", sorted(LAYOUT.keys() - {"statistics"}))
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


def test_a_typesetter_that_forgot_what_it_had_set_makes_the_same_bytes(
    head: Heads, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a typesetter that may remember ten rows, when lists are set, it forgets before each: no byte differs."""
    lists = [(head(municipality=code), rows(20)) for code in ("10049", "20010")]
    before = [_pdf(*each) for each in lists]
    forgotten: list[int] = []
    monkeypatch.setattr(typesetting, "REMEMBERED", 10)
    monkeypatch.setattr(typesetting, "_TRIM", forgotten.append)
    assert [_pdf(*each) for each in lists] == before
    assert len(forgotten) == len(lists)


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
        for page in document:
            text = page.get_textpage()
            found = text.search("1960")
            years = [text.get_charbox(at) for at, _ in iter(found.get_next, None)]
            if not years:
                continue
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


#: What intake lets through as a name and no typeface of lists has, fits or shows.
HARD = (
    "Štrumpfenbergerova" * 5, "W" * 100, "محمد", "٠" * 100, "Aẑra", "Aḥmed", "Ana\u2010Marija", "Ana\u2011Marija",
    "A\u2028B", "A\u0085B", "A\u202eB", "A\u200bB", "a" + "\u0301" * 99, "\U0010ffff", "\U000e0041" * 100, "a b-" * 25,
    "\u00ad" * 60, "北京市", "\u3000x\u2003y",
)  # fmt: skip


def _unbroken(text: str) -> str:
    """A text as it was before it was set: without spaces, and without the marks of broken words."""
    return re.sub(r"[¬\s\u200b]", "", text)


def _bare(name: str) -> str:
    """A name as it is expected on paper, without spaces."""
    return _unbroken(printable(normalize("NFC", name)))


@pytest.mark.parametrize("kind", ["polling-station", "mobile-team", "mail", "provisional"])
def test_whatever_a_name_holds_the_list_is_printed_and_everything_is_in_its_cell(kind: str, head: Heads) -> None:
    for name in HARD:
        rows = [
            ListRow(
                no=1, surname=name, given_name=name, parent_name=name, born_on=date(1960, 1, 1), street=name,
                house_number=name[:20], settlement=name, country="DE", foreign_address=name * 2, municipality="10049",
                polling_station="W" * 20,
            ),
            ListRow(no=2, surname="Čekić", given_name="Ana", parent_name="Đuro", born_on=date(1960, 2, 2)),
        ]  # fmt: skip
        with_head = head(kind=kind, station_name=name * 5, station_address=name * 5, recipient=name)
        pdf = _pdf(with_head, rows)
        (cells, _) = json.loads(prepare(with_head, rows, "0" * 64))["rows"]
        set_as = [_unbroken("".join([cell] if isinstance(cell, str) else cell[1:])) for cell in cells]
        assert set_as[1:4] == [_bare(name)] * 3
        assert _crossings(pdf, kind) == []
        said = "".join(map(_unbroken, _texts(pdf)))
        assert "ČekićAnaĐuro02.02.1960." in said


def test_a_sign_that_cannot_be_printed_is_shown_by_its_number_and_explained(head: Heads, row: Row) -> None:
    given = ("محمد", "A\u202eB", "Aẑra")
    rows = [row(no, given_name=name) for no, name in enumerate(given, 1)]
    rows.append(row(4, surname="W" * 50))
    (said,) = _texts(_pdf(head(station_name="北"), rows))
    assert "[U+0645 062D 0645 062F]" in said
    assert "A[U+202E]B" in said
    assert normalize("NFC", said).count("Aẑra") == 1, "letter and accent are put together"
    assert "003A049 [U+5317]" in said
    assert "[U+…] znak koji se ovdje ne može odštampati, po broju u Unicodeu" in said
    assert "¬ riječ se nastavlja u sljedećem redu" in said
    (plain,) = _texts(_pdf(head(), [row(1)]))
    assert "U+" not in plain
    assert "¬" not in plain


def test_a_row_that_no_page_holds_goes_on_over_the_next_ones(head: Heads, row: Row) -> None:
    address = "".join(chr(0xE0041 + n % 26) for n in range(500))
    pages = _texts(_pdf(head(kind="mail"), [row(1), row(2, foreign_address=address, country="DE"), row(3)]))
    assert len(pages) > 1
    assert all(f"Strana {no} od {len(pages)}" in page for no, page in enumerate(pages, 1))
    numbers = re.findall(r"\bE00[0-9A-F]{2}\b", " ".join(pages))
    assert numbers == [f"{ord(char):04X}" for char in address]


def test_every_sign_of_unicode_has_something_that_shows_it() -> None:
    for code in [*range(0x20, 0xD800), *range(0xE000, 0x30000, 7), 0xE0001, 0x10FFFF]:
        shown = printable(normalize("NFC", f"a{chr(code)}b"))
        assert len(shown) >= 2
        assert fit(shown, 40.0, "semibold", (10.5,), (6.2,)).lines
        assert not re.search(r"[\u0080-\u009f\u00ad\u200b-\u200f\u2028-\u202e\ufeff]", shown)


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
