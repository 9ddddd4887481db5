"""Ready means that register and log follow, and that those who make them live."""

from __future__ import annotations

import asyncio
import dataclasses
import sys
import time
from datetime import date, timedelta

import httpx
import pytest

from register.api.system import System
from register.app.http import create_app
from register.cli import workers
from register.cli.workers import Workers
from register.law.events import Death
from tests.api.conftest import World, number


async def readiness(system: System) -> tuple[int, str]:
    transport = httpx.ASGITransport(create_app(system), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://register") as client:
        answer = await client.get("/readyz")
    return answer.status_code, answer.json().get("detail", "")


async def test_a_follower_that_does_not_follow_is_noticed_after_a_minute_however_few_events_came(world: World) -> None:
    system = dataclasses.replace(world.system, lags={"projection": world.system.lags["projection"]})
    world.clock.now += timedelta(days=30)
    assert (await readiness(system))[0] == 200
    world.send("registry-office:10049", Death(jmb=number(0), effective_on=date(2026, 2, 1)), follow=False)
    world.clock.now += timedelta(seconds=50)
    world.send("registry-office:10049", Death(jmb=number(1), effective_on=date(2026, 2, 1)), follow=False)
    assert (await readiness(system))[0] == 200
    world.clock.now += timedelta(seconds=11)
    assert await readiness(system) == (503, "Catching up: projection is 2 events behind")
    world.follow()
    assert (await readiness(system))[0] == 200


async def test_a_worker_that_ends_again_and_again_is_not_ready(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "FIRST_PAUSE", 0.05)
    lives = [sys.executable, "-c", "import sys; sys.stdin.read()", "sealer"]
    with Workers([[sys.executable, "-c", "raise SystemExit(1)", "projector"], lives]) as watched:
        system = dataclasses.replace(world.system, lags={}, unwell=watched.unwell)
        deadline = time.monotonic() + 20
        while not watched.unwell():
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)
        assert await readiness(system) == (503, "Ends again and again: projector")
