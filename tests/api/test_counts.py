"""Counts and accounts: exact for who keeps the register, guarded for everyone, with nothing left unexplained."""

from __future__ import annotations

from datetime import date, timedelta

import httpx
import pytest

from register.law.events import CapacityWithdrawn, Death
from register.projection.rebuild import rebuild
from tests.api.conftest import BIHAC, KLJUC, PAPER, World, number


async def test_keepers_count_at_any_position(world: World, client: httpx.AsyncClient) -> None:
    cec, before = world.headers("cec"), world.system.store.head()
    world.send("registry-office:10049", Death(jmb=number(0), effective_on=date(2026, 2, 1)))
    told = (await client.get("/v1/register/summary?by=municipality,sex", headers=cec)).json()
    assert told["items"] == [
        {"municipality": BIHAC, "sex": "F", "count": 2},
        {"municipality": KLJUC, "sex": "F", "count": 1},
    ]
    assert (told["total"], told["position"]) == (3, world.system.store.head())
    then = (await client.get(f"/v1/register/summary?by=age&known_at={before}", headers=cec)).json()
    assert then["items"] == [{"age": 45, "count": 4}]
    grounds = (await client.get("/v1/register/summary?by=ground", headers=cec)).json()
    assert grounds["items"] == [{"ground": None, "count": 3}, {"ground": "deceased", "count": 1}]


async def test_everyone_sees_day_ends_a_day_old_and_no_small_count(world: World, client: httpx.AsyncClient) -> None:
    for serial in range(4, 14):
        world.citizen(number(serial), "Mujić", BIHAC, follow=False)
    for serial in range(14, 26):
        world.citizen(number(serial), "Mujić", "10081", follow=False)
    world.follow()
    end = world.system.store.head()
    world.clock.now += timedelta(days=3)
    world.send("registry-office:10049", Death(jmb=number(0), effective_on=date(2026, 2, 1)))
    world.send("registry-office:10049", Death(jmb=number(1), effective_on=date(2026, 2, 1)))
    told = (await client.get("/v1/register/summary?by=municipality")).json()
    # One of Ključ is small, so the least of the larger ones is withheld beside it.
    assert told["items"] == [
        {"municipality": BIHAC, "count": 13},
        {"municipality": "10081", "count": None},
        {"municipality": KLJUC, "count": "<5"},
    ]
    assert (told["total"], told["position"], told["on"]) == (26, end, "2026-03-04")
    assert (await client.get(f"/v1/register/summary?by=sex&known_at={end}&on=2026-03-01")).status_code == 200
    commission = world.headers("municipal-commission:10049")
    assert (await client.get("/v1/register/summary?by=sex", headers=commission)).json()["position"] == end
    assert (await client.get("/v1/register/summary", headers={"Authorization": "Bearer x"})).status_code == 401
    for forbidden in (
        f"by=sex&known_at={end + 1}",  # in the middle of a day
        f"by=sex&known_at={end - 1}",
        f"by=sex&known_at={end + 2}",  # today
        "by=sex&on=2026-03-03",  # yesterday is less than a day old
        f"by=sex&known_at={end}&on=2025-01-01",
        "by=ground",
        "by=municipality,sex",
    ):
        answer = await client.get(f"/v1/register/summary?{forbidden}")
        assert (answer.status_code, answer.json()["provision"]) == (403, "Art. 3.1"), forbidden


@pytest.mark.parametrize("start", [0, 9])
async def test_the_accounts_leave_nothing_unexplained(world: World, client: httpx.AsyncClient, start: int) -> None:
    assert world.system.store.head() == 9
    world.send("registry-office:10049", Death(jmb=number(0), effective_on=date(2026, 2, 1)))
    withdrawn = CapacityWithdrawn(jmb=number(1), effective_on=date(2026, 2, 1), extent="full", document=PAPER)
    world.send("court:basic-court-bihac", withdrawn)
    world.move(number(2), KLJUC, date(2026, 2, 20))
    world.citizen(number(5), "Nova", KLJUC)
    end = world.system.store.head()
    cec = world.headers("cec")
    told = (await client.get(f"/v1/register/accounts?from={start}&to={end}", headers=cec)).json()
    assert (told["before"], told["after"], told["remainder"], told["position"]) == (4 if start else 0, 3, 0, end)
    lines = {(item["municipality"], item["ground"]): item for item in told["items"]}
    assert lines[BIHAC, "deceased"]["deleted"] == lines[BIHAC, "legal-capacity-withdrawn"]["deleted"] == 1
    assert (lines[BIHAC, None]["moved_out"], lines[KLJUC, None]["moved_in"]) == (1, 1)
    assert lines[KLJUC, None]["entered"] == (1 if start else 2)
    # On a day before all of it, the same positions say that only one came.
    early = (await client.get(f"/v1/register/accounts?from={start}&to={end}&on=2026-01-01", headers=cec)).json()
    assert (early["after"], early["remainder"]) == (5, 0)
    assert (await client.get(f"/v1/register/accounts?from={end}&to={start}", headers=cec)).status_code == 422
    assert (await client.get(f"/v1/register/accounts?from={start}&to={end}")).status_code == 403


NOTHING = {"entered": None, "reinstated": None, "deleted": None, "moved_in": None, "moved_out": None}
OTHERS = {"municipality": None, "ground": None, **NOTHING}


async def test_the_public_accounts_do_not_undo_what_the_public_summary_withholds(
    world: World, client: httpx.AsyncClient
) -> None:
    for serial in range(4, 13):
        world.citizen(number(serial), "Mujić", "10022", follow=False)
    for serial in range(13, 40):
        world.citizen(number(serial), "Mujić", "10081", follow=False)
    world.follow()
    end = world.system.store.head()
    world.clock.now += timedelta(days=3)
    summary = (await client.get("/v1/register/summary?by=municipality")).json()
    counts = {item["municipality"]: item["count"] for item in summary["items"]}
    assert counts == {BIHAC: "<5", "10022": None, "10081": 27, KLJUC: "<5"}
    told = (await client.get(f"/v1/register/accounts?from=0&to={end}")).json()
    exact = {**dict.fromkeys(NOTHING, 0), "entered": 27}
    assert told["items"] == [{"municipality": "10081", "ground": None, **exact}, OTHERS]
    # What is left is what the summary leaves too: the sum of all that it hides.
    assert (told["before"], told["after"], told["remainder"]) == (0, summary["total"], 0)


async def test_one_death_between_two_day_ends_is_not_read_out_of_the_totals(
    world: World, client: httpx.AsyncClient
) -> None:
    for serial in range(4, 34):
        world.citizen(number(serial), "Mujić", BIHAC, follow=False)
    world.follow()
    first = world.system.store.head()
    world.clock.now += timedelta(days=1)
    end = world.send("registry-office:10049", Death(jmb=number(4), effective_on=date(2026, 2, 1)))
    world.clock.now += timedelta(days=3)
    told = (await client.get(f"/v1/register/accounts?from={first}&to={end}")).json()
    assert told["items"] == [OTHERS]
    assert (told["before"], told["after"], told["remainder"]) == (None, None, 0)
    cec = world.headers("cec")
    assert (await client.get(f"/v1/register/accounts?from={first}&to={end}", headers=cec)).json()["after"] == 33


async def test_counts_of_tables_that_were_replaced_are_not_told_again(world: World, client: httpx.AsyncClient) -> None:
    """Given counts told from tables that were tampered with, when the register is built anew, then the right ones."""
    for serial in range(4, 24):
        world.citizen(number(serial), "Mujić", BIHAC, follow=False)
    world.follow()
    world.clock.now += timedelta(days=3)
    database = world.system.database
    with database.psycopg() as connection:
        some = "SELECT person FROM projection.person ORDER BY person LIMIT 7"
        connection.execute(f"UPDATE projection.stretch SET entered = false WHERE person IN ({some})".encode())
    wrong = (await client.get("/v1/register/summary")).json()["total"]
    assert rebuild(database, world.system.store, accept=True).switched
    assert (await client.get("/v1/register/summary")).json()["total"] == wrong + 7
