"""A citizen asks for the own entry on a page, and nobody else learns anything by it (Art. 3.3)."""

from __future__ import annotations

import logging

import httpx
import pytest

from register.api import self_check
from register.law import personal_number
from register.law.alphabet import to_cyrillic
from register.projection import queries
from tests.flows.town import CONCLUDED
from tests.web.conftest import Register
from tests.web.reading import Page

WHERE = "/where-do-i-vote"
Form = dict[str, str]


@pytest.fixture
def settled(register: Register, monkeypatch: pytest.MonkeyPatch) -> Register:
    monkeypatch.setattr(self_check, "BEAT", 0.01)  # how evenly answers leave is tested where it is done
    register.settle()
    register.now = CONCLUDED
    return register


def about(register: Register, voter: int) -> Form:
    """What a voter knows of himself or herself, as it is typed."""
    jmb = register.voters[voter]
    stream = register.system.store.stream_of(f"jmb:{jmb}")
    assert stream is not None
    with register.system.database.engine.connect() as connection:
        row = queries.voter(connection, stream, CONCLUDED.date(), queries.position(connection))
    assert row is not None
    born = row["born_on"]
    return {
        "jmb": jmb,
        "surname": row["surname"],
        "day": str(born.day),
        "month": str(born.month),
        "year": str(born.year),
    }


async def send(browser: httpx.AsyncClient, form: Form, **headers: str) -> httpx.Response:
    """Open the form and send it in as a browser does, with its cookie and naming no origin."""
    page = Page(await browser.get(WHERE, params={"lang": "en"}))
    token = next(e.attributes["value"] for e in page.all("input") if e.attributes["name"] == "token")
    assert page.one("form").attributes["method"] == "post"
    sent = {"Origin": "null", "Sec-Fetch-Site": "same-origin", **headers}
    return await browser.post(
        f"{WHERE}{page.one('form').attributes['action']}", data={**form, "token": token}, headers=sent
    )


async def test_a_voter_is_told_the_polling_station_in_words(settled: Register, browser: httpx.AsyncClient) -> None:
    answer = await send(browser, about(settled, 4))
    page = Page(answer)
    assert answer.status_code == 200
    assert page.said("h1") == "You are entered in the register"
    text = " ".join(page.one("main").text.split())
    assert "Škola Predgrađe" in text
    assert "Predgrađe bb" in text
    assert "Number 003A002" in text
    assert page.lines()["Your vote counts in"] == "Bihać"
    assert page.barriers() == []


async def test_scripts_and_case_and_spaces_of_what_is_typed_play_no_part(
    settled: Register, browser: httpx.AsyncClient
) -> None:
    form = about(settled, 4)
    jmb, surname = f"{form['jmb'][:7]} {form['jmb'][7:]}", f" {to_cyrillic(form['surname']).upper()} "
    typed = {**form, "surname": surname, "jmb": jmb, "day": form["day"].zfill(2) + "."}
    assert Page(await send(browser, typed)).said("h1") == "You are entered in the register"


async def test_other_ways_of_voting_and_an_address_without_station_are_told_too(
    settled: Register, browser: httpx.AsyncClient
) -> None:
    mail = Page(await send(browser, about(settled, 0)))
    assert mail.lines()["How you vote"] == "By mail from abroad"
    assert not mail.all("h2")
    there = Page(await send(browser, about(settled, 2))).lines()
    assert there["Your vote counts in"] == "Srebrenica"
    assert there["How you vote"] == "In person in the municipality of 1991"
    assert (
        "No polling station covers your address yet." in Page(await send(browser, about(settled, 39))).one("main").text
    )


async def test_every_mismatch_gets_one_and_the_same_page_with_nothing_of_what_was_typed(
    settled: Register, browser: httpx.AsyncClient
) -> None:
    form = about(settled, 4)
    unknown = personal_number.make(settled.now.date().replace(year=1975), 11, 77)
    assert unknown is not None
    mismatches = [
        {**form, "surname": "Nepostojić"},
        {**form, "year": str(int(form["year"]) + 1)},
        {**form, "jmb": settled.voters[6]},
        {**form, "jmb": unknown},
        {**form, "jmb": "9999999999999"},
        {**form, "surname": "' OR 1=1 --<script>"},
    ]
    answers = [await send(browser, mismatch) for mismatch in mismatches]
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.text for answer in answers}) == 1
    headers = [{k: v for k, v in answer.headers.items() if k != "date"} for answer in answers]
    assert all(each == headers[0] for each in headers)
    page = Page(answers[0])
    assert page.said("h1") == "Nothing was found"
    assert page.barriers() == []
    for value in {value for each in mismatches for name, value in each.items() if name in ("jmb", "surname")}:
        assert value not in answers[0].text


async def test_what_was_typed_stands_in_no_address_no_log_and_no_cache(
    settled: Register, browser: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    form = about(settled, 4)
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("httpx").setLevel(logging.WARNING)
        answers = [await send(browser, form), await send(browser, {**form, "surname": "Nepostojić"})]
        answers.append(await send(browser, {**form, "year": "19x0"}))
    for answer in answers:
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["referrer-policy"] == "no-referrer"
        for name in ("jmb", "surname"):
            assert form[name] not in str(answer.url)
            assert form[name] not in caplog.text
            assert form[name] not in answer.text
        fields = [e for e in Page(answer).all("input") if e.attributes["type"] != "hidden"]
        assert not [field for field in fields if "value" in field.attributes]


async def test_a_form_from_elsewhere_or_without_its_cookie_is_not_answered(
    settled: Register, browser: httpx.AsyncClient
) -> None:
    form = about(settled, 4)
    elsewhere = [
        await send(browser, form, Origin="https://elsewhere.example"),
        await send(browser, form, **{"Sec-Fetch-Site": "cross-site"}),
    ]
    async with settled.browser() as other:
        elsewhere.append(await other.post(WHERE, data={**form, "token": "0" * 48}))
        elsewhere.append(await other.post(WHERE, data=form))
    for answer in elsewhere:
        assert answer.status_code == 403
        assert "Škola" not in answer.text
        assert Page(answer).barriers() == []
    cookie = (await browser.get(WHERE)).headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert f"Path={WHERE}" in cookie


async def test_what_cannot_be_meant_is_told_beside_its_field(settled: Register, browser: httpx.AsyncClient) -> None:
    answer = await send(browser, {"jmb": "123", "surname": " ", "day": "31", "month": "2", "year": "1970"})
    page = Page(answer)
    assert answer.status_code == 422
    assert page.barriers() == []
    faults = {name: page.named(f"{name}-fault").text for name in ("jmb", "surname", "born_on")}
    assert faults == {
        "jmb": "The personal number has 13 digits.",
        "surname": "The surname is missing.",
        "born_on": "The date of birth is not a possible date.",
    }
    assert page.named("jmb").attributes["aria-invalid"] == "true"
    assert (await browser.post(WHERE, content=b"x" * 10_000)).status_code == 403


async def test_beyond_the_limit_nothing_more_is_told_today(settled: Register, browser: httpx.AsyncClient) -> None:
    form = about(settled, 4)
    for _ in range(5):
        assert (await send(browser, {**form, "jmb": settled.voters[6]})).status_code == 200
    answer = await send(browser, form)
    assert answer.status_code == 429
    assert Page(answer).said("h1") == "Too many questions"
    assert "Škola" not in answer.text
