"""A slip in the name of a query parameter is told, never answered as another question; no value is repeated."""

from __future__ import annotations

import re
from typing import Any

import httpx

from register.app.http import openapi
from tests.api.conftest import World

ROUTES = [(method, path) for path, operations in openapi()["paths"].items() for method in operations]
SLIPS = {
    "muncipality": "/v1/register",
    "know_at": "/v1/register/summary",
    "dryrun": "/v1/notices",
    "form": "/v1/register/accounts",
    "recorded_form": "/v1/audit",
    "stations": "/v1/elections/{id}/roll",
}


def address(path: str) -> str:
    """A route's template with something in its places."""
    return re.sub(r"\{[a-z]+\}", "1", path)


async def test_no_route_takes_a_parameter_it_does_not_have(world: World, client: httpx.AsyncClient) -> None:
    """Given any route, when a parameter comes that it has not, then 422, and neither name nor value stands in it."""
    assert len(ROUTES) > 30
    for method, path in ROUTES:
        answer = await client.request(method, f"{address(path)}?Begovic=0101970100017&amra_begovic=1")
        told = answer.json()
        assert (answer.status_code, told["type"]) == (422, "urn:cvr:problem:schema"), (method, path)
        assert [fault["pointer"] for fault in told["errors"]] == ["/query"]
        assert not re.search("begovic|0101970100017", answer.text, re.IGNORECASE)


async def test_a_slip_is_named(world: World, client: httpx.AsyncClient) -> None:
    """Given a name close to one of the route's, then it is named beside the one that may be meant; its value is not."""
    for slip, path in SLIPS.items():
        method = "POST" if slip == "dryrun" else "GET"
        answer = await client.request(method, f"{address(path)}?{slip}=0101970100017", headers=world.headers("cec"))
        assert answer.status_code == 422, slip
        (fault,) = [fault for fault in answer.json()["errors"] if fault["pointer"] == f"/query/{slip}"]
        assert fault["detail"].endswith("may be meant")
        assert "0101970100017" not in answer.text


async def test_what_a_route_has_is_taken_and_pages_take_anything(world: World, client: httpx.AsyncClient) -> None:
    """Given the parameters a route declares, or a page with a stranger's, then they are answered."""
    cec: dict[str, Any] = {"headers": world.headers("cec")}
    every = "municipality=10049&polling_station=049A001&on=2026-03-01&known_at=9&at_least=1&limit=5"
    assert (await client.get(f"/v1/register?{every}", **cec)).status_code == 200
    assert (await client.get("/v1/elections?at_least=1")).status_code == 200
    assert (await client.get("/?fbclid=0101970100017")).status_code == 200
