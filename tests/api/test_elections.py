"""Elections as they are read: the roll by who may see it, the accounts by everyone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest

from register.access import issue
from register.app.http import create_app
from register.projection import roll_accounts
from register.projection.keeping import Keeper
from register.settings import Settings
from register.web.elections import roll_counts
from tests.web.conftest import ELECTION, Register, running

PATH = f"/v1/elections/{ELECTION}"


@pytest.fixture
def register(settings: Settings) -> Iterator[Register]:
    """A concluded election with its frozen roll of sixty voters."""
    with running(settings) as register:
        register.settle()
        register.call()
        register.conclude()
        yield register


@pytest.fixture
async def client(register: Register) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(create_app(register.system), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://register") as client:
        yield client


def auditor(register: Register) -> dict[str, str]:
    return {"Authorization": f"Bearer {issue(register.settings, role='auditor', now=register.now)}"}


async def test_a_parameter_that_could_be_a_personal_number_is_refused_not_journalled(
    register: Register, client: httpx.AsyncClient
) -> None:
    answer = await client.get(f"{PATH}/roll?station=0101970100017", headers=auditor(register))
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/query/station")
    unknown = await client.get("/v1/elections/0101970100017/roll", headers=auditor(register))
    assert unknown.status_code == 404
    with register.system.database.psycopg() as connection:
        assert connection.execute("SELECT count(*) FROM access.journal").fetchone() == (0,)


async def test_the_page_and_the_accounts_together_give_no_small_cell_away(
    register: Register, client: httpx.AsyncClient
) -> None:
    told = (await client.get(f"{PATH}/accounts")).json()
    hidden = {(c["municipality"], c["list"]) for c in told["items"] if not isinstance(c["voters"], int)}
    with register.system.database.engine.connect() as connection:
        page = roll_counts(connection, ELECTION)
    assert page is not None
    shown = {(place, kind): n for place, kinds in page.municipalities.items() for kind, n in kinds.items()}
    assert {key for key, count in shown.items() if not isinstance(count, int)} == hidden != set()


async def test_a_frozen_roll_is_counted_once_and_few_wait_for_it(
    register: Register, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = []

    def count(*asked: Any) -> Any:
        counted.append(asked)
        time.sleep(0.5)
        return cells(*asked)

    cells = roll_accounts._cells
    monkeypatch.setattr(roll_accounts, "KEEPER", Keeper(2))
    monkeypatch.setattr(roll_accounts, "_cells", count)
    paths = [f"{PATH}/accounts"] * 10 + [f"/elections/{ELECTION}"] * 2
    answers = await asyncio.gather(*(client.get(path) for path in paths))
    assert {answer.status_code for answer in answers} == {200, 503}
    assert all("retry-after" in answer.headers for answer in answers if answer.status_code == 503)
    assert {(await client.get(path)).status_code for path in paths} == {200}
    assert len(counted) == 1


async def test_the_roll_waits_for_the_position_asked_for(
    register: Register, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("register.api.knowledge.PATIENCE", 0.1)
    register.follow()
    head = register.system.store.head()
    for path in ("roll?limit=1", "accounts?"):
        there = await client.get(f"{PATH}/{path}&at_least={head}", headers=auditor(register))
        assert there.status_code == 200
        assert "at_least" not in (there.json().get("next") or "")
        late = await client.get(f"{PATH}/{path}&at_least={head + 1}", headers=auditor(register))
        assert (late.status_code, "retry-after" in late.headers) == (503, True)
