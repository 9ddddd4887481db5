"""What may lag a moment is read from standbys, as far as they have come; no standby costs anybody an answer."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from register.access import looks
from register.app.http import build, create_app
from register.database import DatabaseError, Standbys
from register.settings import Settings
from tests.api.conftest import Clock, World, number
from tests.distributed.servers import Servers, servers
from tests.flows.conftest import until


@pytest.fixture(scope="module")
def hosts() -> Iterator[Servers]:
    with servers() as hosts:
        yield hosts


@pytest.fixture
def world(hosts: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A register on three servers, whose tests share the servers and what is in them."""
    # On a machine that is busy with other tests a look may be late, which is not what these are about.
    monkeypatch.setattr("register.database.standbys.BELIEVED", 30.0)
    standbys = (hosts.url("two"), hosts.url("three"))
    settings = Settings(data=tmp_path / "data", database_url=hosts.url("one"), standby_urls=standbys)
    clock = Clock()
    with build(settings, clock=clock) as system:
        world = World(system, clock, sent=system.store.head())
        world.citizen(number(world.sent), "Čolić")
        until(lambda: all(standby.fit(system.store.head()) for standby in system.standbys))
        yield world


@pytest.fixture
async def client(world: World) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(create_app(world.system), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://register") as client:
        yield client


def served(world: World) -> dict[str, int]:
    """How many readings each server has answered."""
    lines = world.system.metrics.text().decode().splitlines()
    counted = [line.split('"') for line in lines if line.startswith("cvr_register_reads_total{")]
    return {server: int(float(number.removeprefix("} "))) for _, server, number in counted}


async def answer(client: httpx.AsyncClient, world: World, path: str, **asked: Any) -> Any:
    found = await client.get(path, params=asked, headers=world.headers("cec"))
    assert found.status_code == 200, found.text
    return found.json()


def test_an_address_that_cannot_be_read_is_named_by_its_place_alone(hosts: Servers, tmp_path: Path) -> None:
    wrong = "postgresql://owner:secret@/cvr?hots=one"
    settings = Settings(data=tmp_path / "data", database_url=hosts.url("one"), standby_urls=(hosts.url("two"), wrong))
    with pytest.raises(DatabaseError, match="address 2 in CVR_STANDBY_URLS") as refused, build(settings):
        pass
    assert "secret" not in str(refused.value)
    assert refused.value.__cause__ is None


QUESTIONS = (
    "/v1/voters/{person}",
    "/v1/voters/{person}/history",
    "/v1/register",
    "/v1/register/summary",
    "/v1/register/accounts?from=0&to={head}",
    "/v1/register/diff?from=0&to={head}",
    "/v1/audit",
    "/v1/special-records",
)


@pytest.mark.parametrize("path", QUESTIONS)
async def test_a_standby_answers_what_the_primary_would_and_the_look_is_in_the_primarys_journal(
    world: World, client: httpx.AsyncClient, hosts: Servers, path: str
) -> None:
    """Given standbys that have come as far, then both answer in turn, with the same bytes, and every look is kept."""
    head = world.system.store.head()
    asked = path.format(person=world.person(number(world.sent - 2)), head=head)
    before = entries(world)
    answers = [await client.get(asked, headers=world.headers("cec")) for _ in range(4)]
    assert served(world) == {"standby-1": 2, "standby-2": 2}
    if "summary" not in path and "accounts" not in path:  # of those who see counts no journal is kept
        assert entries(world) == before + 4
    transport = httpx.ASGITransport(create_app(replace(world.system, standbys=Standbys())))
    async with httpx.AsyncClient(transport=transport, base_url="http://register") as primary:
        answers.append(await primary.get(asked, headers=world.headers("cec")))
    assert {response.status_code for response in answers} == {200}
    assert len({response.content for response in answers}) == 1
    assert answers[0].json().get("position", head) == head


def entries(world: World) -> int:
    with world.system.database.engine.connect() as connection:
        return len(looks(connection, limit=10_000))


async def test_who_asks_for_a_position_gets_it_however_far_the_standbys_are(
    world: World, client: httpx.AsyncClient, hosts: Servers
) -> None:
    """Given standbys that stand still, then an answer rests on the position asked for, and soon none is theirs."""
    for name in ("two", "three"):
        with hosts.connect(name) as connection:
            connection.execute("SELECT pg_wal_replay_pause()")
    try:
        world.citizen(number(world.sent), "Đurić")
        head = world.system.store.head()
        assert (await answer(client, world, "/v1/register", at_least=head))["position"] == head
        until(lambda: not any(standby.fit(0) for standby in world.system.standbys))
        found = await answer(client, world, "/v1/register")
        assert found["position"] == head
        metrics = (await client.get("/metrics")).text
        assert 'cvr_standby_behind_events{standby="1"} 2.0' in metrics
        assert 'cvr_standby_fit{standby="2"} 0.0' in metrics
    finally:
        for name in ("two", "three"):
            with hosts.connect(name) as connection:
                connection.execute("SELECT pg_wal_replay_resume()")
    until(lambda: all(standby.fit(head) for standby in world.system.standbys))
    assert await answer(client, world, "/v1/register") == found


async def test_a_standby_that_is_killed_costs_nobody_an_answer_and_is_used_again_when_it_is_back(
    world: World, client: httpx.AsyncClient, hosts: Servers
) -> None:
    head = world.system.store.head()
    for turn in range(60):
        if turn == 20:
            hosts.kill("two")
        found = await answer(client, world, "/v1/voters/" + world.person(number(world.sent - 2)))
        assert found["position"] == head
    first = next(iter(world.system.standbys))
    until(lambda: not first.fit(0))
    before = served(world)
    await answer(client, world, "/v1/register")
    await answer(client, world, "/v1/register")
    assert served(world)["standby-2"] == before["standby-2"] + 2
    hosts.start("two")
    until(lambda: first.fit(head))
    await answer(client, world, "/v1/register")
    await answer(client, world, "/v1/register")
    assert served(world)["standby-1"] == before["standby-1"] + 1


async def test_a_standby_that_hangs_keeps_nobody_for_long(
    world: World, client: httpx.AsyncClient, hosts: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a standby that is silent in the middle of everything, then who waits for it is answered by another one."""
    monkeypatch.setattr("register.database.standbys.BELIEVED", 2.0)
    head = world.system.store.head()
    first = next(iter(world.system.standbys))
    for _ in range(2):
        await answer(client, world, "/v1/register")
    assert served(world) == {"standby-1": 1, "standby-2": 1}
    hosts.freeze("two")
    try:
        for _ in range(4):
            assert (await answer(client, world, "/v1/register"))["position"] == head
        until(lambda: not first.fit(0))
        before = served(world)
        await answer(client, world, "/v1/register")
        await answer(client, world, "/v1/register")
        assert served(world).get("standby-1") == before.get("standby-1")
    finally:
        hosts.freeze("two", signal.SIGCONT)
    until(lambda: first.fit(head))
