"""What everyone may ask without a token: the transparency log, and the own entry."""

from __future__ import annotations

import hashlib
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from register.access.self_check import key_path
from register.app.http import create_app
from register.app.parts import make_cosigning, make_sealer
from register.cli.serve import configured
from register.law.events import Death
from register.log.files import tiles_of
from register.log.keys import Cosigner, check_signature
from register.log.note import parse_key, parse_note, verify_checkpoint
from register.log.receipts import parse_consistency, verify_receipt
from register.log.record import entry_of, record_of
from tests.api.conftest import BORN, World, number


def seal(world: World) -> None:
    system = world.system
    make_sealer(system.settings, system.database, system.store, system.clock, system.entropy).seal()


async def test_the_log_is_there_for_everyone_in_agreed_formats(world: World, client: httpx.AsyncClient) -> None:
    assert (await client.get("/log/checkpoint")).status_code == 404
    seal(world)
    key = parse_key((await client.get("/log/key")).text.strip())
    answer = await client.get("/log/checkpoint")
    checkpoint = verify_checkpoint(answer.content, [key], check_signature)
    assert (checkpoint.size, answer.headers["content-type"]) == (9, "text/plain; charset=utf-8")
    for tile in tiles_of(9):
        answer = await client.get(f"/log/tile/{tile}")
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/octet-stream"), tile
    entries = (await client.get("/log/tile/entries/000.p/9")).content
    leaves = (await client.get("/log/tile/0/000.p/9")).content
    for index, stored in enumerate(world.system.store.records(0)):
        entry = entry_of(record_of(stored))
        assert entries[34 * index + 2 : 34 * index + 34] == entry
        assert leaves[32 * index : 32 * index + 32] == hashlib.sha256(b"\0" + entry).digest()
        proof = await client.get(f"/log/receipt/{index + 1}")
        assert verify_receipt(proof.content, entry, [key], check_signature)[0] == index + 1
    for nothing in (
        "tile/0/000",
        "tile/0/000.p/10",
        "tile/0/0",
        "tile/9/000",
        "tile/entries/../0/000.p/9%2f",
        "receipt/0",
        "receipt/10",
    ):
        answer = await client.get(f"/log/{nothing}")
        assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json"), nothing


async def test_a_full_tile_may_be_kept_for_ever(world: World, client: httpx.AsyncClient) -> None:
    dead = [Death(jmb=number(serial), effective_on=BORN) for serial in range(248)]
    world.send("registry-office:10049", *dead, follow=False)
    seal(world)
    assert world.system.store.head() == 257
    full = await client.get("/log/tile/0/000")
    assert (len(full.content), full.headers["cache-control"]) == (8192, "public, max-age=31536000, immutable")
    assert "immutable" not in (await client.get("/log/tile/0/001.p/1")).headers["cache-control"]
    assert (await client.get("/log/checkpoint")).headers["cache-control"] == "no-cache"


def question(serial: int, surname: str = "Čolić", **other: Any) -> dict[str, Any]:
    return {"jmb": number(serial), "surname": surname, "born_on": BORN.isoformat(), **other}


async def test_citizens_read_their_own_entry(world: World, client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/self-check", json=question(0, surname="ЧОЛИЋ"))
    told = answer.json()
    assert (told["matched"], told["entered"], told["municipality"]) == (True, True, "Bihać")
    assert told["polling_station"] == {"code": "049A001", "name": "Osnovna škola", "address": "Trg slobode 1"}
    assert "Osnovna škola" in told["entry"]
    for hidden in (number(0), "Glavna", world.person(number(0))):
        assert hidden not in answer.text
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("beat", [0.3, 0.6])
async def test_every_mismatch_is_answered_alike_and_not_before_the_beat(
    world: World, client: httpx.AsyncClient, monkeypatch: Any, beat: float
) -> None:
    monkeypatch.setattr("register.api.self_check.BEAT", beat)
    answers, times = set(), []
    for asked in (
        question(0, surname="Đurić"),  # another's
        question(77),  # nobody's
        question(0, born_on="1980-05-18"),
        question(0, jmb="no number"),
    ):
        begun = time.monotonic()
        answer = await client.post("/v1/self-check", json=asked)
        times.append(time.monotonic() - begun)
        answers.add((answer.status_code, answer.content))
    assert len(answers) == 1
    assert min(times) >= beat  # what is looked up takes a tenth of it: the beat decides, not the look


async def test_five_failures_a_day_and_no_more_from_anywhere(
    world: World, client: httpx.AsyncClient, monkeypatch: Any
) -> None:
    monkeypatch.setattr("register.api.self_check.BEAT", 0.05)
    for serial in range(70, 75):
        assert (await client.post("/v1/self-check", json=question(serial))).json()["matched"] is False
    refused = await client.post("/v1/self-check", json=question(0))
    assert (refused.status_code, refused.json()["type"]) == (429, "urn:cvr:problem:rate")
    assert (await client.post("/v1/self-check", json=question(2, surname="Babić"))).json()["matched"] is True
    world.clock.now += timedelta(days=1)
    for _ in range(6):  # who is right has no failures
        assert (await client.post("/v1/self-check", json=question(0))).json()["matched"] is True
    with world.system.database.engine.connect() as connection:
        kept = connection.execute(sa.text("SELECT * FROM access.self_check")).all()
    assert {len(row.hash) for row in kept} == {32}
    assert key_path(world.system.settings.data).stat().st_mode & 0o777 == 0o600


async def test_one_address_fails_only_so_often(world: World, client: httpx.AsyncClient, monkeypatch: Any) -> None:
    monkeypatch.setattr("register.api.self_check.QUESTIONS", 1)
    monkeypatch.setattr("register.api.self_check.BEAT", 0.05)
    for _ in range(3):  # who is right takes nothing from the others behind the same address
        assert (await client.post("/v1/self-check", json=question(0))).json()["matched"] is True
    assert (await client.post("/v1/self-check", json=question(70))).json()["matched"] is False
    assert (await client.post("/v1/self-check", json=question(1, surname="Đurić"))).status_code == 429


async def test_behind_a_named_proxy_each_address_has_its_own_failures(world: World, monkeypatch: Any) -> None:
    monkeypatch.setattr("register.api.self_check.QUESTIONS", 1)
    monkeypatch.setattr("register.api.self_check.BEAT", 0.05)
    for trusted, expected in (((), [200, 429, 429]), (("10.0.0.0/24",), [200, 200, 429])):
        world.clock.now += timedelta(days=1)
        settings = replace(world.system.settings, trusted_proxies=trusted)
        config = configured(create_app(world.system), settings, host="127.0.0.1", port=0)
        config.load()
        transport = httpx.ASGITransport(config.loaded_app, client=("10.0.0.5", 40000))
        async with httpx.AsyncClient(transport=transport, base_url="http://register") as proxy:
            answers = [
                # What a client claims stands before what the proxy adds, and counts for nothing.
                await proxy.post("/v1/self-check", json=question(serial), headers={"X-Forwarded-For": f"{claim}, {of}"})
                for serial, claim, of in (
                    (70, "198.51.100.1", "192.0.2.1"),
                    (71, "198.51.100.1", "192.0.2.2"),
                    (72, "198.51.100.2", "192.0.2.2"),
                )
            ]
        assert [answer.status_code for answer in answers] == expected, trusted


async def test_a_question_of_another_form_is_refused_without_its_values(
    world: World, client: httpx.AsyncClient
) -> None:
    answer = await client.post("/v1/self-check", json={"surname": "Čolić", "born_on": "Čolić"})
    assert answer.status_code == 422
    assert "Čolić" not in answer.text


async def test_cosignatures_that_travelled_are_taken_and_stand_in_receipts(
    world: World, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    """Witnesses pulled the log elsewhere; their lines come by e-mail and are posted by whoever has them."""
    seal(world)
    cosigner = Cosigner("witness.example/w1", bytes(32))
    policy = tmp_path / "policy"
    policy.write_text(f"witness w1 {cosigner.key}\nquorum w1\n")
    settings = replace(world.system.settings, witnesses=policy)
    part = make_cosigning(settings, world.system.database, world.system.clock)
    app = create_app(replace(world.system, settings=settings, cosigning=part))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://register") as witnessed:
        assert (await witnessed.get("/log/policy")).text == policy.read_text()
        note = (await witnessed.get("/log/checkpoint")).content
        now = int(world.system.clock().timestamp())
        line = str(cosigner.cosign(parse_note(note).text, now)).encode()
        for wrong in (note, b"", note + line[:-8] + b"AAAAAA=\n", note.replace(b"\n9\n", b"\n8\n") + line):
            assert (await witnessed.post("/log/cosignatures", content=wrong)).status_code == 422
        assert (await witnessed.get("/log/checkpoint/cosigned")).status_code == 404
        for new, known in ((["w1"], []), ([], ["w1"])):
            answer = await witnessed.post("/log/cosignatures", content=note + line)
            assert (answer.status_code, answer.json()) == (200, {"size": 9, "new": new, "known": known})
        for path in ("/log/checkpoint", "/log/checkpoint/cosigned"):
            assert (await witnessed.get(path)).content == note + line
        assert (await witnessed.get("/log/receipt/3")).content.endswith(note + line)
        proof = (await witnessed.get("/log/consistency/4")).content
        assert parse_consistency(proof).old == 4
        assert (await witnessed.get("/log/consistency/10")).status_code == 404
    assert (await client.post("/log/cosignatures", content=note + line)).status_code == 404  # no policy, no witnesses
