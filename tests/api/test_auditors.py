"""What auditors read: every event, every deletion, the special records, who looked."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import httpx

from register.law.events import Annulment, CapacityRestored, CapacityWithdrawn, Death, VotingBarEnded, VotingBarred
from tests.api.conftest import BIHAC, PAPER, World, number

COURT = "court:basic-court-bihac"


async def pages(client: httpx.AsyncClient, url: str | None, headers: dict[str, str]) -> list[dict[str, Any]]:
    """Every item of a list, page by page."""
    items: list[dict[str, Any]] = []
    for _ in range(100):
        assert url is not None
        answer = await client.get(url, headers=headers)
        assert answer.status_code == 200, answer.text
        items += answer.json()["items"]
        url = answer.json()["next"]
        if url is None:
            return items
    raise AssertionError("a list without end")


async def test_the_whole_event_store_is_read_in_order(world: World, client: httpx.AsyncClient) -> None:
    auditor = world.headers("auditor")
    items = await pages(client, "/v1/events?limit=2", auditor)
    assert [item["position"] for item in items] == list(range(1, 10))
    assert set(items[1]) == {"position", "recorded_at", "source", "id", "type", "time", "data"}
    assert items[1]["data"]["surname"] == "Čolić"
    citizens = await pages(client, "/v1/events?type=ba.cvr.citizen.v1&limit=1", auditor)
    assert [item["position"] for item in citizens] == [2, 4, 6, 8]
    here = await pages(client, f"/v1/events?municipality={BIHAC}&type=ba.cvr.citizen.v1&limit=2", auditor)
    assert [item["position"] for item in here] == [2, 4, 6]
    assert len(await pages(client, f"/v1/events?municipality={BIHAC}", auditor)) == 7


async def test_a_filtered_page_ends_after_so_many_events(
    world: World, client: httpx.AsyncClient, monkeypatch: Any
) -> None:
    monkeypatch.setattr("register.api.auditors.SCANNED", 2)
    found = await pages(client, "/v1/events?type=ba.cvr.polling-station.v1", world.headers("auditor"))
    assert [item["position"] for item in found] == [1]


async def test_deletions_are_found_by_what_and_who_and_when(world: World, client: httpx.AsyncClient) -> None:
    world.clock.now += timedelta(days=1)
    cec = world.headers("cec")
    world.send("registry-office:10049", Death(jmb=number(0), effective_on=date(2026, 2, 1), document=PAPER))
    withdrawn = CapacityWithdrawn(jmb=number(1), effective_on=date(2026, 2, 1), extent="full", document=PAPER)
    world.send(COURT, withdrawn)
    world.send("registry-office:10049", Annulment(annuls="n-10", reason="another person"))
    every = await pages(client, "/v1/audit?limit=1", cec)
    assert [(e["action"], e["ground"]) for e in every[-3:]] == [
        ("deleted", "deceased"),
        ("deleted", "legal-capacity-withdrawn"),
        ("reinstated", "deceased"),
    ]
    assert [e["position"] for e in every] == sorted(e["position"] for e in every)
    assert len(every) == 7
    (death,) = await pages(client, "/v1/audit?ground=deceased&action=deleted", cec)
    assert death["from"] == "2026-02-01"
    assert (death["to"], death["article"], death["authority"]) == (None, "Art. 3.5(3)1 c", "registry-office:10049")
    assert (death["type"], death["document"]["number"]) == ("ba.cvr.death.v1", "7/26")
    assert (death["source"], death["id"], death["municipality"]) == (
        "urn:cvr:authority:registry-office:10049",
        "n-10",
        BIHAC,
    )
    for question, count in {
        f"person={world.person(number(0))}": 3,
        f"municipality={BIHAC}": 6,
        f"authority={COURT}": 1,
        "recorded_from=2026-03-02": 3,
        "recorded_to=2026-03-02": 4,
        "recorded_from=2026-03-02T09:00:00Z&recorded_to=2026-03-02T09:00:01Z": 3,
        "after=10": 2,
        "known_at=10": 5,
    }.items():
        assert len(await pages(client, f"/v1/audit?{question}", cec)) == count, question


async def test_special_records_tell_past_and_present(world: World, client: httpx.AsyncClient) -> None:
    for notice in (
        CapacityWithdrawn(jmb=number(0), effective_on=date(2025, 1, 1), extent="partial", document=PAPER),
        CapacityWithdrawn(jmb=number(0), effective_on=date(2025, 2, 1), extent="full", document=PAPER),
        CapacityRestored(jmb=number(0), effective_on=date(2025, 6, 1), document=PAPER),
        VotingBarred(jmb=number(1), effective_on=date(2025, 3, 1), ground="1.7", cause="sentence", document=PAPER),
        VotingBarred(jmb=number(2), effective_on=date(2025, 3, 1), ground="1.6", cause="sentence", document=PAPER),
        VotingBarEnded(jmb=number(2), effective_on=date(2025, 2, 1), ends="n-14", document=PAPER),
        CapacityWithdrawn(jmb=number(1), effective_on=date(2025, 5, 1), extent="full", document=PAPER),
        Annulment(annuls="n-16", reason="not final"),
    ):
        world.send(COURT, notice)
    told = await pages(client, "/v1/special-records?limit=2", world.headers("cec"))
    assert [(r["ground"], r["from"], r["to"], r["in_force"], r["cause"]) for r in told] == [
        ("legal-capacity-withdrawn", "2025-02-01", "2025-06-01", False, None),
        ("barred-1.7", "2025-03-01", None, True, "sentence"),
        ("barred-1.6", "2025-03-01", "2025-03-01", False, "sentence"),
    ]
    assert told[0]["person"] == world.person(number(0))
    assert (told[0]["document"]["number"], told[0]["ended_by"]["id"]) == ("7/26", "n-12")
    then = (await client.get("/v1/special-records?on=2025-05-31", headers=world.headers("auditor"))).json()
    assert [r["in_force"] for r in then["items"]] == [True, True, False]


async def test_reading_the_journal_page_by_page_comes_to_an_end(world: World, client: httpx.AsyncClient) -> None:
    cec, auditor = world.headers("cec", "Amra"), world.headers("auditor", "Ivo")
    for _ in range(3):
        await client.get(f"/v1/voters/{world.person(number(0))}", headers=cec)
    world.clock.now += timedelta(seconds=1)
    looks = await pages(client, "/v1/access-journal?limit=1", auditor)
    assert [look["sub"] for look in looks] == ["Amra"] * 3
    own = await pages(client, "/v1/access-journal?sub=Ivo&what=access-journal", auditor)
    assert len(own) == 4
