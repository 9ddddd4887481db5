"""Elections as they are read: the roll by who may see it, the accounts by everyone."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from register.access import issue
from register.app.http import create_app
from register.settings import Settings
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
