"""Senders that ask too often or speak too slowly are told so, and hold up nobody."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Callable

import httpx
import pytest
from starlette.types import Message

from register.api import rates
from register.api.rates import Rates, steady
from register.api.system import System
from register.app.http import create_app
from register.intake.lines import SlowFeedError

from .conftest import REGISTRY, example
from .test_http import BATCH, NDJSON, ONE, read

Bearer = Callable[[str], dict[str, str]]


def test_each_authority_has_its_own_measure_and_is_told_how_long_to_wait() -> None:
    now = 100.0
    kept = Rates(5, lambda: now)
    assert [kept.take("a") for _ in range(6)] == [None] * 5 + [1]
    assert kept.take("b") is None
    now += 0.2
    assert [kept.take("a"), kept.take("a")] == [None, 1]


async def test_who_asks_too_often_gets_429_with_the_time_to_wait_and_may_then_go_on(
    system: System, bearer: Bearer
) -> None:
    strict = dataclasses.replace(system, settings=dataclasses.replace(system.settings, rate=1))
    transport = httpx.ASGITransport(create_app(strict))
    async with httpx.AsyncClient(transport=transport, base_url="http://register") as client:
        first = await client.post("/v1/notices", json=example("citizen"), headers=bearer(REGISTRY) | ONE)
        second = await client.post("/v1/notices", json=example("citizen"), headers=bearer(REGISTRY) | ONE)
    assert (first.status_code, second.status_code) == (201, 429)
    assert (second.json()["type"], second.headers["Retry-After"]) == ("urn:cvr:problem:rate", "1")


@pytest.mark.parametrize("kind", [ONE, BATCH, NDJSON], ids=["one", "batch", "stream"])
async def test_who_all_but_stops_sending_is_cut_off_and_what_was_whole_is_recorded(
    client: httpx.AsyncClient, bearer: Bearer, monkeypatch: pytest.MonkeyPatch, kind: dict[str, str]
) -> None:
    monkeypatch.setattr(rates, "WINDOW", 0.3)
    line = httpx.Request("POST", "http://register", json=example("citizen")).content + b"\n"

    async def trickle() -> AsyncIterator[bytes]:
        yield (line if kind is NDJSON else b"") + line[:-20]
        while True:
            await asyncio.sleep(0.05)
            yield b" "

    answer = await asyncio.wait_for(client.post("/v1/notices", content=trickle(), headers=bearer(REGISTRY) | kind), 10)
    if kind is NDJSON:
        recorded, cut = read(answer)
        assert (recorded["status"], cut["status"]) == ("recorded", "refused")
        problem = cut["problem"]
    else:
        assert answer.headers["Connection"] == "close"
        problem = answer.json()
    assert (problem["type"], problem["status"]) == ("urn:cvr:problem:rate", 429)


async def test_only_waiting_for_the_sender_counts_against_it() -> None:
    now = 0.0

    async def receive() -> Message:
        nonlocal now
        now += 40.0 if slow else 0.0
        return {"type": "http.request", "body": b"x" * 100, "more_body": True}

    slow = False
    receiving = steady(receive, lambda: now)
    for _ in range(20):
        await receiving()
        now += 1_000.0  # the register is busy recording
    slow = True
    receiving = steady(receive, lambda: now)
    await receiving()
    with pytest.raises(SlowFeedError):
        await receiving()
