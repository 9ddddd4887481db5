"""The pages for people: whole in every language, closed to scripts and strangers, honest about what there is."""

from __future__ import annotations

import re
from dataclasses import replace

import httpx
import pytest
from jinja2.ext import extract_from_ast

from register.excerpts.words import LANGUAGES, translations
from register.settings import Settings
from register.web import elections, layout, own_entry, routes
from register.web.languages import OWN_NAMES, TAGS, choose
from tests.flows.town import CALLED, LATER
from tests.web.conftest import ELECTION, Register, running
from tests.web.reading import Page

PAGES = ("/", "/where-do-i-vote", f"/elections/{ELECTION}", "/log", "/nothing/here")


async def test_every_page_is_whole_in_every_language_and_shuts_nobody_out(register: Register) -> None:
    register.settle()
    register.call()
    register.conclude()
    async with register.browser() as browser:
        for language, tag in TAGS.items():
            for path in PAGES:
                answer = await browser.get(path, params={"lang": tag})
                page = Page(answer)
                assert answer.status_code == (404 if path == "/nothing/here" else 200)
                assert page.barriers() == [], f"{path} in {tag}"
                assert page.one("html").attributes["lang"] == answer.headers["content-language"] == tag
                own = {a.attributes["lang"]: a.text for a in page.all("a") if "hreflang" in a.attributes}
                assert own == {TAGS[each]: OWN_NAMES[each] for each in LANGUAGES}
                _in_its_script(page, cyrillic=language == "sr_Cyrl")


def _in_its_script(page: Page, *, cyrillic: bool) -> None:
    """Headings are in the script of the language and in no other."""
    for heading in page.all("title", "h1", "h2", "h3", "label", "button", "caption"):
        wrong = r"[A-Za-zČčĆćĐđŠšŽž]" if cyrillic else r"[\u0400-\u04ff]"
        assert not re.search(wrong, heading.text), heading.text


def test_no_message_of_any_template_or_table_is_missing_in_any_language() -> None:
    environment = layout._templates
    said: set[str] = set()
    assert environment.loader is not None
    for name in environment.list_templates():
        source, _, _ = environment.loader.get_source(environment, name)
        for _, _, message in extract_from_ast(environment.parse(source), gettext_functions=("_",)):
            said |= {each for each in (message if isinstance(message, tuple) else (message,)) if each}
    said |= {*elections.LISTS.values(), *elections.STATES.values(), *routes.ENTITIES.values()}
    said |= {*own_entry.OPTIONS.values(), own_entry.FORGED, own_entry._JMB, own_entry._SURNAME, own_entry._DATE}
    assert len(said) > 100
    for language in LANGUAGES:
        held = vars(translations(language))["_catalog"]
        assert [message for message in said if message not in held] == []


async def test_a_page_runs_nothing_loads_nothing_from_elsewhere_and_tells_no_site_where_it_leads(
    register: Register,
) -> None:
    async with register.browser() as browser:
        for path in PAGES:
            answer = await browser.get(path)
            policy = answer.headers["content-security-policy"]
            assert policy.startswith("default-src 'none'")
            assert "script-src" not in policy
            assert "unsafe" not in policy
            assert "frame-ancestors 'none'" in policy
            assert "form-action 'self'" in policy
            assert answer.headers["referrer-policy"] == "no-referrer"
            assert answer.headers["x-content-type-options"] == "nosniff"
            page = Page(answer)
            links = [e.attributes.get("href") or e.attributes.get("src") for e in page.all("a", "link", "img")]
            assert all(link and link.startswith(("/", "?", "#")) and not link.startswith("//") for link in links)


async def test_style_picture_and_typeface_are_kept_for_ever_under_the_address_of_their_content(
    browser: httpx.AsyncClient,
) -> None:
    page = Page(await browser.get("/"))
    style = next(e.attributes["href"] for e in page.all("link") if e.attributes["rel"] == "stylesheet")
    sheet = await browser.get(style)
    assert sheet.headers["content-type"].startswith("text/css")
    assert sheet.headers["content-encoding"] == "gzip"
    assert "immutable" in sheet.headers["cache-control"]
    fonts = re.findall(r"url\((/assets/[^)]+\.ttf)\)", sheet.text)
    assert len(fonts) == 2
    assert "http" not in sheet.text
    assert (await browser.get(fonts[0])).content[:4] == b"\x00\x01\x00\x00"
    assert (await browser.get(style.replace("/assets/", "/assets/0"))).status_code == 404


def test_the_language_asked_for_goes_before_the_browsers_and_a_region_is_no_hindrance() -> None:
    assert choose("sr-Cyrl", "en") == "sr_Cyrl"
    assert choose(None, "de, hr-BA;q=0.8, en;q=0.9") == "en"
    assert choose(None, "sr-Latn-BA") == "sr_Latn"
    assert choose(None, "sr") == "sr_Cyrl"
    assert choose("xx", "fr") == choose(None, None) == "bs"
    assert choose(None, "en;q=0, hr;q=0.1") == "hr"
    assert choose("<script>", ";;;q=,,") == "bs"


async def test_a_fresh_register_says_that_counts_come_later(register: Register, browser: httpx.AsyncClient) -> None:
    page = Page(await browser.get("/?lang=en"))
    text = page.one("main").text
    assert "Counts of voters appear here a day after" in text
    assert "No election has been called." in text
    assert "Nothing has been sealed yet." in text
    assert not page.all("table")


async def test_counts_are_those_of_a_day_at_least_a_day_ago_and_small_ones_are_not_told(
    register: Register, browser: httpx.AsyncClient
) -> None:
    register.settle()
    register.now = CALLED.replace(day=30)
    page = Page(await browser.get("/?lang=en"))
    assert page.lines()["Size"] == f"{register.system.store.head():,}"
    assert "at the end of 28 April 2026" in " ".join(page.one("main").text.split())
    names = [e.text for e in page.all("th") if e.attributes["scope"] == "row"]
    shown = dict(zip(names, [e.text for e in page.all("td")], strict=True))
    assert not {"1", "2", "3", "4"} & set(shown.values())
    # Then they are the very counts that programs get without a token.
    told = (await browser.get("/v1/register/summary?on=2026-04-28&by=municipality")).json()
    assert told["items"]
    for item in told["items"]:
        name = register.system.municipalities[item["municipality"]].name
        assert shown[name] == ("*" if item["count"] is None else str(item["count"]))


async def test_an_election_shows_its_calendar_with_articles_its_conclusion_and_its_roll_in_counts(
    register: Register, browser: httpx.AsyncClient
) -> None:
    register.settle()
    register.call()
    page = Page(await browser.get(f"/elections/{ELECTION}?lang=en"))
    calendar = [" ".join(e.text.split()) for e in page.all("li") if "ol" in e.inside]
    assert "20 August 2026 Day at whose end the roll is fixed Article 3.6 e of the Election Law" in calendar
    assert "21 July 2026 Last day for voting from abroad and for options of 1991 Practice of past elections" in calendar
    assert "4 October 2026 Election day Article 1.14 of the Election Law" in calendar
    assert "1 April 2026 The election is called Article 1.14 of the Election Law · today" in calendar
    assert not page.all("table")

    register.conclude()
    page = Page(await browser.get(f"/elections/{ELECTION}?lang=en"))
    assert page.said("h1") == "General election, 4 October 2026"
    lines = page.lines()
    assert lines["Concluded on"] == "21 August 2026, 08:00"
    assert lines["Held in"] == "All municipalities"
    assert "60 voters stand on the roll" in " ".join(page.one("main").text.split())
    cells = [e.text for e in page.all("td")]
    assert "<5" in cells
    assert not {"1", "2", "3", "4"} & set(cells)

    front = Page(await browser.get("/?lang=en"))
    assert "General election, 4 October 2026" in [e.text for e in front.all("h3")]
    assert "The roll has been concluded" in front.one("main").text


async def test_a_cyrillic_page_writes_places_and_articles_in_cyrillic(
    register: Register, browser: httpx.AsyncClient
) -> None:
    register.settle()
    register.call()
    register.conclude()
    page = Page(await browser.get(f"/elections/{ELECTION}?lang=sr-Cyrl"))
    assert {"Бихаћ", "Сребреница"} <= {e.text for e in page.all("th")}
    assert "Члан 3.6 е Изборног закона" in page.one("main").text


async def test_the_log_page_shows_the_signed_checkpoint_and_the_key_that_programs_get(
    register: Register, browser: httpx.AsyncClient
) -> None:
    register.settle()
    page = Page(await browser.get("/log?lang=en"))
    note, key = (e.text for e in page.all("pre"))
    assert note == (await browser.get("/log/checkpoint")).text
    assert key + "\n" == (await browser.get("/log/key")).text
    assert page.lines()["Root"] in note


async def test_a_rehearsal_and_the_development_issuer_are_told_on_every_page(settings: Settings) -> None:
    with running(replace(settings, clock_starts=LATER)) as register:
        register.now = LATER
        async with register.browser() as browser:
            for path in PAGES:
                notes = [e.text for e in Page(await browser.get(path + "?lang=en")).all("p") if "role" in e.attributes]
                assert len(notes) == 2
                assert "Here it is 23 August 2026, 08:00." in notes[0]
    real = replace(settings, issuer="https://issuer.example", jwks_url="https://issuer.example/keys")
    with running(real) as register:
        async with register.browser() as browser:
            assert not [e for e in Page(await browser.get("/")).all("p") if "role" in e.attributes]


async def test_an_error_is_a_page_for_people_and_a_problem_for_programs(
    register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with register.browser() as browser:
        missing = await browser.get("/elections/0101970100017?lang=hr")
        page = Page(missing)
        assert missing.status_code == 404
        assert page.said("h1") == "Ova stranica ne postoji"
        assert "0101970100017" not in missing.text
        assert missing.headers["cache-control"] == "no-store"
        assert (await browser.get("/v1/nothing")).headers["content-type"] == "application/problem+json"
        wrong = await browser.delete("/log")
        assert wrong.status_code == 405
        assert "GET" in wrong.headers["allow"]
        assert Page(wrong).barriers() == []

        def broken(_: object) -> None:
            raise RuntimeError("0101970100017")

        monkeypatch.setattr(elections, "all_elections", broken)
        failed = await browser.get("/?lang=en")
        assert failed.status_code == 500
        assert Page(failed).said("h1") == "Something went wrong here"
        assert "0101970100017" not in failed.text
    async with register.browser(Accept="application/json") as program:
        assert (await program.get("/nothing")).json()["type"] == "urn:cvr:problem:not-found"


async def test_the_description_for_programmers_is_where_the_pages_say(browser: httpx.AsyncClient) -> None:
    described = (await browser.get("/openapi.json")).json()
    assert "/v1/self-check" in described["paths"]
    assert "/where-do-i-vote" not in described["paths"]
