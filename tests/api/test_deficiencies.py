"""Deficiencies as the CEC and the authorities concerned see them, and what they do about them (Art. 3.6 a)."""

from __future__ import annotations

from datetime import date
from typing import Any

import httpx
import pytest

from register.acts.inspection import inspect_all
from register.app.parts import make_inspector
from register.law.events import ReportedDeceased, ResidenceEnded
from tests.api.conftest import BIHAC, KLJUC, World, number

ENDED = ResidenceEnded(jmb=number(0), effective_on=date(2026, 2, 1), kind="permanent", municipality=KLJUC)
RESIDENCE, COMMISSION = f"residence-authority:{KLJUC}", f"municipal-commission:{KLJUC}"


@pytest.fixture
def wrong(world: World) -> World:
    """Two notices that cannot stand, of two authorities; a municipality without stations; women with men's numbers."""
    world.send(RESIDENCE, ENDED)
    world.send(COMMISSION, ReportedDeceased(jmb=number(1), effective_on=date(2026, 2, 1)))
    system = world.system
    with system.database.psycopg() as connection:
        inspect_all(
            make_inspector(system.database, system.store, world.clock, system.entropy), connection, world.follow
        )
    return world


async def items(client: httpx.AsyncClient, world: World, who: str, **asked: Any) -> list[dict[str, Any]]:
    answer = await client.get("/v1/deficiencies", params=asked, headers=world.headers(who))
    assert answer.status_code == 200, answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


async def test_the_cec_sees_all_and_each_look_at_a_person_is_journalled(
    client: httpx.AsyncClient, wrong: World
) -> None:
    found = await items(client, wrong, "cec")
    kinds = {"end-of-another-residence", "foreign-commission", "address-uncovered", "number-disagrees"}
    assert {item["kind"] for item in found} == kinds
    ended = next(item for item in found if item["kind"] == "end-of-another-residence")
    assert ended["authority"] == RESIDENCE
    assert ended["provision"] == "Art. 3.5(3)2"
    assert ended["persons"] == [wrong.person(number(0))]
    assert {"source": f"urn:cvr:authority:{RESIDENCE}", "id": "n-10"} in [
        {name: each[name] for name in ("source", "id")} for each in ended["evidence"]
    ]
    assert [step["step"] for step in ended["history"]] == ["established"]
    uncovered = next(item for item in found if item["kind"] == "address-uncovered")
    assert uncovered["explanation"] == "No polling station covers an address at which 1 voters reside"
    looks = await client.get("/v1/access-journal?what=deficiencies", headers=wrong.headers("auditor"))
    seen = {look["person"] for look in looks.json()["items"]}
    assert seen == {wrong.person(number(serial)) for serial in range(4)}


async def test_filters_and_pages(client: httpx.AsyncClient, wrong: World) -> None:
    assert len(await items(client, wrong, "cec", authority=COMMISSION)) == 2
    assert len(await items(client, wrong, "cec", kind="address-uncovered", municipality=KLJUC)) == 1
    assert {item["municipality"] for item in await items(client, wrong, "cec", municipality=BIHAC)} == {BIHAC}
    assert await items(client, wrong, "cec", state="remedied") == []
    pages, url = [], f"/v1/deficiencies?limit=1&state=established&municipality={KLJUC}"
    while url:
        answer = (await client.get(url, headers=wrong.headers("cec"))).json()
        pages.append([item["id"] for item in answer["items"]])
        url = answer["next"]
    assert [len(page) for page in pages] == [1, 1, 1, 1]
    assert [page[0] for page in pages] == [item["id"] for item in await items(client, wrong, "cec", municipality=KLJUC)]
    for bad in ("kind=none", "state=none", "limit=0", "municipality=1"):
        answer = await client.get(f"/v1/deficiencies?{bad}", headers=wrong.headers("cec"))
        assert answer.status_code == 422


async def test_an_authority_sees_its_own_and_no_person(client: httpx.AsyncClient, wrong: World) -> None:
    (own,) = await items(client, wrong, RESIDENCE)
    assert own["persons"] is None
    assert await items(client, wrong, RESIDENCE, authority=COMMISSION) == []
    others = await items(client, wrong, "registry-office:10049")
    assert {item["authority"] for item in others} == {"registry-office:10049"}
    foreign = f"/v1/deficiencies/{own['id']}"
    for url, status in ((foreign, 404), ("/v1/deficiencies/none", 404)):
        answer = await client.get(url, headers=wrong.headers("registry-office:10049"))
        assert answer.status_code == status
    assert (await client.get(foreign, headers=wrong.headers(RESIDENCE))).json()["id"] == own["id"]
    for who in ("auditor", "technical", "political-entity:7"):
        answer = await client.get("/v1/deficiencies", headers=wrong.headers(who))
        assert (answer.status_code, answer.json()["provision"]) == (403, "Art. 3.6 a")


async def test_from_notification_to_dismissal(client: httpx.AsyncClient, wrong: World) -> None:
    (own,) = await items(client, wrong, RESIDENCE)

    async def post(step: str, who: str, name: str, **body: Any) -> tuple[int, dict[str, Any]]:
        url = f"/v1/deficiencies/{own['id']}/{step}"
        headers = wrong.headers(who, name) | {"Content-Type": "application/json"}
        answer = await client.post(url, json=body or None, headers=headers)
        return answer.status_code, answer.json()

    assert (await post("notification", RESIDENCE, "a clerk"))[0] == 403
    assert (await post("notification", "cec", "a member"))[0] == 201
    assert (await post("notification", "cec", "a member"))[0] == 200
    status, problem = await post("notification", "cec", "another")
    assert (status, problem["type"], problem["provision"]) == (409, "urn:cvr:problem:conflict", "Art. 3.6 a")
    assert (await post("acknowledgement", "registry-office:10049", "a clerk"))[0] == 404
    status, answer = await post("acknowledgement", RESIDENCE, "a clerk")
    assert (status, answer["state"], answer["persons"]) == (201, "acknowledged", None)
    assert [step["by"] for step in answer["history"]] == [None] * 3
    assert (await post("dismissal", "cec", "a member"))[0] in (400, 422)
    status, answer = await post("dismissal", "cec", "a member", reason="the person lived there")
    assert (status, answer["state"], answer["reason"]) == (201, "dismissed", "the person lived there")
    wrong.follow()
    found = await client.get(
        f"/v1/deficiencies/{own['id']}?at_least={answer['position']}", headers=wrong.headers("cec")
    )
    assert found.json()["state"] == "dismissed"
    assert [step["step"] for step in found.json()["history"]] == [
        "established",
        "notified",
        "acknowledged",
        "dismissed",
    ]
    assert all(step["by"] for step in found.json()["history"][1:])
    assert await items(client, wrong, RESIDENCE, state="established") == []


async def test_the_inspector_s_lag_is_a_metric_and_hinders_nobody(client: httpx.AsyncClient, world: World) -> None:
    assert 'cvr_lag_events{of="inspection"} 9.0' in (await client.get("/metrics")).text
