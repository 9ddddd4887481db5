"""The pages about proofs: lists with their roots for everyone, and a page that checks by itself, offline too."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from register.access import issue
from register.audit.offline.lists import check_file
from register.excerpts.printers import Printers
from register.excerpts.runs import Wanted
from register.excerpts.words import LANGUAGES, translations
from register.log.keys import open_key
from register.web import offline
from register.web.elections import LIST_KINDS
from register.web.languages import TAGS
from tests.web.conftest import ELECTION, Register
from tests.web.reading import Page
from tests.web.test_browser import TOO_WIDE, Tab, address, tab

__all__ = ["address", "tab"]


def drawn(register: Register, folder: Path, *kinds: str) -> None:
    """The election concluded, lists of these kinds drawn, the log sealed."""
    runs = register.system.runs
    with Printers() as printers:
        for kind in kinds:
            run = runs.begin(Wanted(election=ELECTION, kind=kind, formats=("csv",)), folder)
            for first in run.batches:
                runs.draw(run, first, printers)
            assert runs.finish(run)
    register.follow()


async def handed_out(register: Register, client: httpx.AsyncClient, voter: int) -> tuple[dict[str, Any], Any]:
    """What a voter takes home: the proof of the own line, and the receipts of the own events."""
    token = issue(register.settings, role="cec", now=register.now, authority=None, name="Ana")
    ana = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
    asked = await client.post("/v1/voters/query", json={"jmb": register.voters[voter]}, headers=ana)
    person = f"/v1/voters/{asked.json()['persons'][0]}"
    line = await client.post(f"{person}/list-proof", json={"election": ELECTION}, headers=ana)
    receipts = await client.get(f"{person}/receipts", headers=ana)
    assert (line.status_code, receipts.status_code) == (200, 200)
    return line.json(), receipts.json()


def key_of(register: Register) -> str:
    return str(open_key(register.settings.log_key, register.settings.origin, register.system.entropy).key)


async def test_everyone_sees_the_lists_with_their_roots_in_every_language_and_no_name(
    register: Register, browser: httpx.AsyncClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    register.settle()
    register.call()
    path = f"/elections/{ELECTION}/lists"
    assert "No list has been drawn yet." in (await browser.get(f"{path}?lang=en")).text
    register.conclude()
    drawn(register, tmp_path, "polling-station", "mail", "mobile-team", "diplomatic-mission")
    items = (await browser.get(f"/v1{path}", headers={"Accept": "application/json"})).json()["items"]
    answer = await browser.get(path)
    for tag in TAGS.values():
        answer = await browser.get(path, params={"lang": tag})
        page = Page(answer)
        assert page.barriers() == []
        shown = {e.text for e in page.all("code")}
        assert {each["root"] for each in items} | {each["name"] for each in items} == shown
    lines = {line for file in files(tmp_path) for line in file.splitlines()[1:]}
    assert lines
    for name in {name for line in lines for name in line.split(",")[1:4]}:
        assert not re.search(rf"\b{re.escape(name)}\b", answer.text)
    # Many lists are shown by municipality.
    monkeypatch.setattr("register.web.elections.MANY_LISTS", 2)
    page = Page(await browser.get(f"{path}?lang=en"))
    assert not page.all("code")
    assert "Bihać" in page.one("main").text
    found = await browser.get(f"{path}/10049?lang=en")
    assert all("10049" in e.text or len(e.text) == 64 for e in Page(found).all("code"))
    assert (await browser.get(f"{path}/country?lang=en")).status_code == 200
    assert (await browser.get(f"{path}/10014?lang=en")).status_code == 404
    assert (await browser.get("/elections/no-such/lists")).status_code == 404


def files(folder: Path) -> list[str]:
    return [path.read_text() for path in folder.glob("*.csv")]


async def test_the_page_that_checks_allows_its_own_script_and_nothing_else(
    register: Register, browser: httpx.AsyncClient
) -> None:
    answer = await browser.get("/offline/check.html?lang=sr-Cyrl")
    page = Page(answer)
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy
    assert "connect-src" not in policy
    held = next(e.attributes["content"] for e in page.all("meta") if "http-equiv" in e.attributes)
    assert policy == f"{held}; frame-ancestors 'none'"
    assert not re.search(r"(?:src|href)=\"(?!data:,)", answer.text)
    assert key_of(register) in answer.text


def test_every_word_of_the_page_that_checks_is_there_in_every_language() -> None:
    script = offline._asset("check.js")
    for word in offline.WORDS:
        assert word in script or word in (Path(offline.__file__).parent / "templates/check.html").read_text(), word
    for language in LANGUAGES:
        held = vars(translations(language))["_catalog"]
        assert [word for word in (*offline.WORDS, *LIST_KINDS.values()) if word not in held] == []
        for word in offline.WORDS:
            assert set(re.findall(r"{\w+}", held[word])) == set(re.findall(r"{\w+}", word))


async def test_in_a_browser_what_was_handed_out_is_proven_from_the_saved_page_and_what_was_changed_is_not(
    register: Register, tab: Tab, address: str, tmp_path: Path
) -> None:
    drawn(register, tmp_path, "polling-station")
    async with httpx.AsyncClient(base_url=address) as client:
        line, receipts = await handed_out(register, client, 4)
        served = await client.get("/offline/check.html?lang=en")
    assert check_file(json.dumps(line).encode(), key_of(register)).line == line["line"]
    saved = tmp_path / "check.html"
    saved.write_bytes(served.content)
    tab.call("Page.enable")
    tab.call("Network.enable")
    for page in (f"{address}/offline/check.html?lang=en", saved.as_uri()):
        tab.open(page)
        assert tab.ask(TOO_WIDE) == 0
        said = checked(tab, json.dumps(line))
        assert said.startswith("Proven")
        assert line["line"] in said
        assert f"position {line['position']} of the log" in said
        assert checked(tab, json.dumps(receipts)).startswith("Proven")
        one = receipts["items"][0]
        assert checked(tab, f"{one['record']}\n{one['receipt']}").startswith("Proven")
        for changed in changes(line):
            assert checked(tab, json.dumps(changed)).startswith("Not proven"), changed
        personal = one | {"personal": one["personal"].replace("19", "18", 1)}
        assert checked(tab, json.dumps(personal)).startswith("Not proven")
        assert checked(tab, "anything").startswith("Not proven")
        tab.ask("document.querySelector('[data-tag=\"sr-Cyrl\"]').click()")
        assert tab.ask("document.querySelector('h1').textContent") == "Провјера доказа"
        assert tab.ask("document.querySelector('#outcome h2').textContent") == "Није доказано"
        other = key_of(register).split("+")[0] + "+00000000+" + key_of(register).split("+", 2)[2]
        tab.ask("document.querySelector('[data-tag=\"en\"]').click()")
        tab.ask(f"document.getElementById('key').value = {json.dumps(other)}")
        assert checked(tab, json.dumps(line)).startswith("Not proven")


def changes(line: dict[str, Any]) -> list[dict[str, Any]]:
    """The same proof with something changed."""
    other = line["hashes"][0]
    signature = line["receipt"].rstrip("\n")
    return [
        line | {"line": line["line"].replace(",", ", ", 1)},
        line | {"index": line["index"] + 1},
        line | {"size": line["size"] + 1},
        line | {"hashes": [*line["hashes"], other]},
        line | {"hashes": line["hashes"][1:]},
        line | {"salt": "AAAAAAAAAAAAAAAAAAAAAA=="},
        line | {"list": "polling-station_20567_034B001"},
        line | {"record": line["record"].replace('"v":1', '"v":2')},
        line | {"receipt": signature[:-6] + ("B" if signature[-6] == "A" else "A") + signature[-5:] + "\n"},
    ]


def checked(tab: Tab, proof: str) -> str:
    """What the page says of a proof."""
    tab.ask("document.getElementById('outcome').replaceChildren()")
    tab.ask(f"document.getElementById('proof').value = {json.dumps(proof)}")
    tab.ask("document.getElementById('check').click()")
    tab.wait("document.getElementById('outcome').children.length > 0")
    return str(tab.ask("document.getElementById('outcome').textContent"))
