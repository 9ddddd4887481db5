"""Copies for political entities, from the certification to the leak: asked for, drawn, taken, withdrawn, traced."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import threading
import time
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from register.access.journal import JOURNAL
from register.app.parts import make_copies
from register.excerpts import worker
from register.excerpts.codes import ALPHABET
from register.excerpts.copies import Copies, take
from register.excerpts.printers import Printers
from register.law.competence import Role
from register.law.events import CopyDrawn, CopyGranted
from tests.flows import conftest as flows
from tests.flows.conftest import Hands
from tests.flows.test_election import ELECTION, concluded
from tests.flows.town import BIHAC

#: The fixtures of the flows: a register whose election can be concluded.
hands, client = flows.hands, flows.client
ENTITIES = f"/v1/elections/{ELECTION}/political-entities"
REQUESTS = f"/v1/elections/{ELECTION}/excerpt-requests"


def party(hands: Hands, which: str, name: str = "observer") -> dict[str, str]:
    return hands.bearer("political-entity", name, f"political-entity:{which}")


def copies_of(hands: Hands) -> Copies:
    system = hands.system
    return make_copies(hands.settings, system.database, system.store, hands.clock, system.entropy)


def draw(hands: Hands, request: dict[str, Any]) -> None:
    """What the worker does with the job of a copy."""
    with Printers() as printers:
        take(copies_of(hands), ELECTION, request["copy"], printers)


async def certified(hands: Hands, client: httpx.AsyncClient, *units: str, which: str = "7") -> None:
    body = {"id": which, "name": f"Stranka {which}", "units": units}
    answer = await client.post(ENTITIES, json=body, headers=hands.bearer("cec", "Ana"))
    assert answer.status_code == 201, answer.text


async def asked(hands: Hands, client: httpx.AsyncClient, which: str, **wish: Any) -> dict[str, Any]:
    answer = await client.post(REQUESTS, json={"unit": "511", "formats": ["csv"], **wish}, headers=party(hands, which))
    assert answer.status_code == 202, answer.text
    assert answer.headers["Location"] == f"/v1/excerpt-requests/{answer.json()['id']}"
    return answer.json()  # type: ignore[no-any-return] # as it comes


async def taken(
    hands: Hands, client: httpx.AsyncClient, which: str, request: dict[str, Any], ending: str = ".csv"
) -> bytes:
    place = f"/v1/excerpt-requests/{request['id']}"
    state = (await client.get(place, headers=party(hands, which))).json()
    (entry,) = (each for each in state["files"] if each["file"].endswith(ending))
    answer = await client.get(f"{place}/files/{entry['file']}", headers=party(hands, which))
    assert answer.status_code == 200, answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    return answer.content


def rows(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode())))


async def test_an_entity_is_given_the_excerpt_of_its_own_unit_and_of_no_other(
    hands: Hands, client: httpx.AsyncClient
) -> None:
    """Given a party certified for 511, when it asks for 512, then 403 with Art. 3.1."""
    concluded(hands)
    await certified(hands, client, "511", BIHAC)
    other = await client.post(REQUESTS, json={"unit": "512", "formats": ["csv"]}, headers=party(hands, "7"))
    assert (other.status_code, other.json()["provision"]) == (403, "Art. 3.1")
    assert other.json()["type"] == "urn:cvr:problem:not-competent"
    request = await asked(hands, client, "7")
    assert (request["state"], request["recipient"], request["provision"]) == ("queued", "Stranka 7", "Art. 3.1")
    draw(hands, request)
    copy = rows(await taken(hands, client, "7", request))

    # Every voter of the unit who stands on a list, and nobody else: 40 of Bihać, less the one whom no station covers
    # and the one who votes elsewhere, and the one from elsewhere who votes here.
    assert {row["municipality"] for row in copy} == {BIHAC}
    assert len(copy) == 39
    assert [int(row["no"]) for row in copy] == list(range(1, 40))
    assert list(copy[0]) == [
        "no", "surname", "given_name", "parent_name", "born_on", "municipality", "polling_station", "code",
    ]  # fmt: skip
    assert all(len(row["code"]) == 6 and set(row["code"]) <= set(ALPHABET) for row in copy)
    text = json.dumps(copy)
    assert not any(jmb in text for jmb in hands.town.voters)
    assert "Duga" not in text

    # The decision and the drawing are on record with the number and the recipient.
    events = hands.system.store.stream(hands.system.store.stream_of(f"copy:{ELECTION}:{request['copy']}"))  # type: ignore[arg-type]
    granted, drawn = (event.data for event in events)
    assert isinstance(granted, CopyGranted)
    assert isinstance(drawn, CopyDrawn)
    assert (granted.recipient, granted.unit, granted.provision) == ("Stranka 7", "511", "Art. 3.1")
    assert (drawn.rows, drawn.granted) == (39, request["granted"])


async def test_two_copies_of_a_unit_differ_in_their_codes_alone_and_a_copy_is_always_the_same(
    hands: Hands, client: httpx.AsyncClient
) -> None:
    concluded(hands)
    files = {}
    for which in ("7", "8"):
        await certified(hands, client, "511", which=which)
        request = await asked(hands, client, which, formats=["csv", "json", "pdf"])
        draw(hands, request)
        files[which] = {end: await taken(hands, client, which, request, end) for end in (".csv", ".json", ".pdf")}
        head = json.loads(files[which][".json"])["head"]
        assert (head["copy"], head["recipient"]) == (request["copy"], f"Stranka {which}")
        # Lost files are drawn again, byte for byte, and what was drawn before is not put on record twice.
        folder = hands.settings.data / "copies" / ELECTION / str(request["copy"])
        for path in folder.iterdir():
            path.unlink()
        head_before = hands.system.store.head()
        draw(hands, request)
        for end, content in files[which].items():
            assert await taken(hands, client, which, request, end) == content
        assert hands.system.store.head() == head_before
    one, two = (rows(files[which][".csv"]) for which in ("7", "8"))
    codes = [(row.pop("code"), other.pop("code")) for row, other in zip(one, two, strict=True)]
    assert one == two
    assert all(mine != theirs for mine, theirs in codes)


async def test_no_entity_sees_that_another_has_asked(hands: Hands, client: httpx.AsyncClient) -> None:
    concluded(hands)
    await certified(hands, client, "511", which="7")
    await certified(hands, client, "511", which="8")
    request = await asked(hands, client, "7")
    draw(hands, request)
    name = f"political-entity_511_copy{request['copy']}.csv"
    unknown = f"{ELECTION}.{request['copy'] % 900_000 + 100_000}"
    for path in (request["id"], unknown, "nothing"):
        for place in (f"/v1/excerpt-requests/{path}", f"/v1/excerpt-requests/{path}/files/{name}"):
            answer = await client.get(place, headers=party(hands, "8"))
            told = {k: v for k, v in answer.json().items() if k != "instance"}
            assert told == {
                "type": "urn:cvr:problem:not-found", "title": "There is nothing here", "status": 404,
                "detail": "There is nothing here",
            }  # fmt: skip
    listed = {which: (await client.get(REQUESTS, headers=party(hands, which))).json()["items"] for which in ("7", "8")}
    assert ([each["id"] for each in listed["7"]], listed["8"]) == ([request["id"]], [])
    # Nor does the public part of the event store tell, and a number counts nothing.
    assert (await client.get(ENTITIES, headers=party(hands, "8"))).status_code == 403
    assert (await client.get("/v1/events", headers=party(hands, "8"))).status_code == 403
    roles: tuple[Role, ...] = ("cec", "technical")
    for role in roles:
        answer = await client.get(f"/v1/excerpt-requests/{request['id']}", headers=hands.bearer(role, "x", role))
        assert (answer.status_code, answer.json()["provision"]) == (403, "Art. 3.1")
    # The CEC, which decided, sees what it gave to whom; nobody else does.
    decided = (await client.get(REQUESTS, headers=hands.bearer("cec", "Ana"))).json()["items"]
    assert [(each["copy"], each["recipient"], each["unit"]) for each in decided] == [
        (request["copy"], "Stranka 7", "511")
    ]
    assert (await client.get(REQUESTS, headers=hands.bearer("technical", "x", "technical"))).status_code == 403


async def test_each_download_is_journalled_and_counted_and_a_withdrawn_copy_is_refused(
    hands: Hands, client: httpx.AsyncClient
) -> None:
    concluded(hands)
    await certified(hands, client, "511")
    request = await asked(hands, client, "7")
    draw(hands, request)
    place = f"/v1/excerpt-requests/{request['id']}"
    for _ in range(2):
        await taken(hands, client, "7", request)
    assert (await client.get(place, headers=party(hands, "7"))).json()["downloads"] == 2
    with hands.system.database.engine.connect() as connection:
        looks = connection.execute(sa.select(JOURNAL).where(JOURNAL.c.what == "excerpt-copy")).all()
    assert [(look.sub, look.authority, look.detail["copy"]) for look in looks] == [
        ("observer", "political-entity:7", request["copy"])
    ] * 2

    ana = hands.bearer("cec", "Ana")
    away = await client.post(f"{place}/withdrawal", json={"reason": "found on the internet"}, headers=ana)
    assert (away.status_code, away.json()["state"]) == (201, "withdrawn")
    again = await client.post(f"{place}/withdrawal", json={"reason": "found on the internet"}, headers=ana)
    assert again.status_code == 200
    refused = await client.get(
        f"{place}/files/political-entity_511_copy{request['copy']}.csv", headers=party(hands, "7")
    )
    assert (refused.status_code, refused.json()["provision"]) == (403, "Art. 3.1")
    assert (await client.get(place, headers=party(hands, "7"))).json()["downloads"] == 2


async def test_a_file_that_was_changed_on_disk_is_not_given_out_but_drawn_again(
    hands: Hands, client: httpx.AsyncClient
) -> None:
    concluded(hands)
    await certified(hands, client, "511")
    request = await asked(hands, client, "7")
    draw(hands, request)
    before = await taken(hands, client, "7", request)
    (path,) = (hands.settings.data / "copies" / ELECTION / str(request["copy"])).iterdir()
    path.write_bytes(before + b"41,Ubacena,Osoba\n")
    place = f"/v1/excerpt-requests/{request['id']}"
    answer = await client.get(f"{place}/files/{path.name}", headers=party(hands, "7"))
    assert answer.status_code == 503
    draw(hands, request)
    assert await taken(hands, client, "7", request) == before


async def test_a_worker_draws_what_was_asked_for_also_when_its_job_was_lost(
    hands: Hands, client: httpx.AsyncClient
) -> None:
    concluded(hands)
    await certified(hands, client, "511", BIHAC)
    first = await asked(hands, client, "7")
    second = await asked(hands, client, "7", unit=BIHAC)
    with hands.system.database.engine.begin() as connection:
        lock = {"lock": f"{ELECTION}:{second['copy']}"}
        connection.execute(sa.text("DELETE FROM jobs.procrastinate_jobs WHERE lock = :lock"), lock)
    stop = threading.Event()
    arguments = (hands.system.database, hands.system.runs, stop, copies_of(hands))
    thread = threading.Thread(target=worker.work, args=arguments)
    thread.start()
    try:
        deadline = time.monotonic() + 60
        states: set[str] = set()
        while states != {"drawn"} and time.monotonic() < deadline:
            places = [f"/v1/excerpt-requests/{each['id']}" for each in (first, second)]
            states = {(await client.get(place, headers=party(hands, "7"))).json()["state"] for place in places}
            await asyncio.sleep(0.1)
        assert states == {"drawn"}
    finally:
        stop.set()
        thread.join(30)


@pytest.mark.parametrize(
    ("body", "pointer"),
    [({"unit": "511", "formats": ["vri"]}, "/formats"), ({"unit": "511", "formats": []}, "/formats"), ({}, "/unit")],
)
async def test_what_cannot_be_given_is_refused_by_place(
    hands: Hands, client: httpx.AsyncClient, body: dict[str, Any], pointer: str
) -> None:
    answer = await client.post(REQUESTS, json=body, headers=party(hands, "7"))
    assert answer.status_code == 422
    assert [each["pointer"] for each in answer.json()["errors"]] == [pointer]
