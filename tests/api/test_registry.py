"""The register as its keepers read it: who may look, as of what, and that every look is written down."""

from __future__ import annotations

import asyncio
from datetime import date, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import msgspec
import pytest
import sqlalchemy as sa

from register.access.journal import JOURNAL
from register.api.rereading import entry_under, history_under
from register.law.events import CapacityRestored, CapacityWithdrawn, Death, JmbReplaced
from register.law.parameters import PARAMETERS, SINCE_EVER, Dated, law_of
from register.projection import queries
from tests.api.conftest import BIHAC, BORN, KLJUC, PAPER, ROLES, World, number

PERSON = "{person}"
READS = {
    "/v1/events": {"cec", "technical", "auditor"},
    f"/v1/voters/{PERSON}": {"cec", "technical", "auditor", "municipal-commission:10049"},
    f"/v1/voters/{PERSON}/history": {"cec", "technical", "auditor", "municipal-commission:10049"},
    "/v1/register": {"cec", "technical", "auditor", "municipal-commission:10049"},
    "/v1/audit": {"cec", "auditor"},
    "/v1/special-records": {"cec", "auditor"},
    "/v1/access-journal": {"auditor"},
}
MEMBERS = {
    *("person", "jmb", "entered", "grounds", "surname", "given_name", "parent_name", "sex", "born_on"),
    *("municipality", "settlement", "street", "house_number", "counts_in", "entity", "voting_option", "mobile_team"),
    *("polling_station", "marked_deceased", "from", "to", "position"),
}


def journal(world: World) -> list[Any]:
    with world.system.database.engine.connect() as connection:
        return [dict(row) for row in connection.execute(sa.select(JOURNAL).order_by(JOURNAL.c.id)).mappings()]


async def test_each_read_is_for_the_roles_the_law_names(world: World, client: httpx.AsyncClient) -> None:
    for route, allowed in READS.items():
        path = route.replace(PERSON, world.person(number(0)))
        assert (await client.get(path)).status_code == 401, route
        for role in ROLES:
            answer = await client.get(path, headers=world.headers(role))
            assert answer.status_code == (200 if role in allowed else 403), (route, role)
            if answer.status_code == 403:
                assert answer.json()["provision"].startswith("Art. "), route
            else:
                assert answer.headers["cache-control"] == "no-store"
                assert answer.headers["referrer-policy"] == "no-referrer"


async def test_a_number_leads_to_the_voters_whole_entry(world: World, client: httpx.AsyncClient) -> None:
    cec = world.headers("cec")
    found = (await client.post("/v1/voters/query", json={"jmb": number(0)}, headers=cec)).json()
    assert found["persons"] == [world.person(number(0))]
    entry = (await client.get(f"/v1/voters/{found['persons'][0]}", headers=cec)).json()
    assert set(entry) == MEMBERS
    shown = {name: entry[name] for name in ("jmb", "surname", "born_on", "municipality", "counts_in", "entity")}
    assert shown == {
        "jmb": number(0),
        "surname": "Čolić",
        "born_on": "1980-05-17",
        "municipality": BIHAC,
        "counts_in": BIHAC,
        "entity": "FBiH",
    }
    assert (entry["polling_station"], entry["entered"], entry["to"]) == ("049A001", True, None)
    assert entry["position"] == found["position"] == world.system.store.head()


async def test_names_are_found_whatever_script_and_case(world: World, client: httpx.AsyncClient) -> None:
    question = {"surname": "чолић", "given_name": "UZORAK", "born_on": BORN.isoformat()}
    found = (await client.post("/v1/voters/query", json=question, headers=world.headers("technical"))).json()
    assert found["persons"] == [world.person(number(0))]


async def test_a_voter_of_elsewhere_is_unknown_to_a_commission(world: World, client: httpx.AsyncClient) -> None:
    commission = world.headers("municipal-commission:10049")
    foreign = world.person(number(3))
    answers = []
    for person in (foreign, str(uuid4()), "no-such-id"):
        for path in ("", "/history"):
            answer = await client.get(f"/v1/voters/{person}{path}", headers=commission)
            assert answer.status_code == 404
            answers.append({k: v for k, v in answer.json().items() if k != "instance"})
    assert answers == [answers[0]] * len(answers)
    unknown = [
        (await client.post("/v1/voters/query", json={"jmb": jmb}, headers=commission)).json()["persons"]
        for jmb in (number(3), number(77), number(0))
    ]
    assert unknown == [[], [], [world.person(number(0))]]
    assert (await client.get(f"/v1/register?municipality={KLJUC}", headers=commission)).status_code == 403


async def test_who_has_left_is_unknown_whatever_day_and_position_are_asked_for(
    world: World, client: httpx.AsyncClient
) -> None:
    before = world.system.store.head()
    world.move(number(0), KLJUC, date(2010, 2, 1))
    gone, commission = world.person(number(0)), world.headers("municipal-commission:10049")
    for path in ("", "/history"):
        for asked in ("", "?on=2005-01-01", f"?known_at={before}", f"?on=2005-01-01&known_at={before}"):
            answer = await client.get(f"/v1/voters/{gone}{path}{asked}", headers=commission)
            assert (answer.status_code, "Čolić" in answer.text) == (404, False), path + asked
    for asked in ("", "?on=2005-01-01", f"?known_at={before}"):
        told = await client.post(f"/v1/voters/query{asked}", json={"jmb": number(0)}, headers=commission)
        assert told.json()["persons"] == [], asked
    assert world.person(number(0)) not in str([e for e in journal(world) if e["detail"]["found"]])


async def test_a_commission_sees_of_a_voter_who_moved_here_the_time_here_alone(
    world: World, client: httpx.AsyncClient
) -> None:
    before = world.system.store.head()
    barred = CapacityWithdrawn(jmb=number(3), effective_on=date(2008, 1, 1), extent="full", document=PAPER)
    world.send("court:basic-court-bihac", barred)
    world.send(
        "court:basic-court-bihac", CapacityRestored(jmb=number(3), effective_on=date(2009, 1, 1), document=PAPER)
    )
    world.move(number(3), BIHAC, date(2010, 2, 1))
    first = world.send("court:basic-court-bihac", msgspec.structs.replace(barred, effective_on=date(2012, 1, 1)))
    world.send(
        "court:basic-court-bihac", CapacityRestored(jmb=number(3), effective_on=date(2013, 1, 1), document=PAPER)
    )
    mine, commission = world.person(number(3)), world.headers("municipal-commission:10049")
    path = f"/v1/voters/{mine}"
    assert (await client.get(path, headers=commission)).status_code == 200
    assert (await client.get(f"{path}?on=2011-01-01", headers=commission)).status_code == 200
    for asked in ("on=2005-01-01", f"known_at={before}", f"on=2011-01-01&known_at={before}"):
        assert (await client.get(f"{path}?{asked}", headers=commission)).status_code == 404, asked
    assert (await client.get(f"{path}/history?known_at={before}", headers=commission)).status_code == 404
    told = await client.get(f"{path}/history?on=2005-01-01", headers=commission)
    history = told.json()
    assert [(s["from"], s["municipality"]) for s in history["timeline"]] == [
        ("2010-02-01", BIHAC),
        ("2012-01-01", BIHAC),
        ("2013-01-01", BIHAC),
    ]
    assert [(e["type"], e["data"].get("document")) for e in history["events"]] == [
        ("ba.cvr.residence.v1", None),
        ("ba.cvr.capacity-withdrawn.v1", None),
        ("ba.cvr.capacity-restored.v1", None),
    ]
    assert [(e["position"], e["document"]) for e in history["audit"]] == [(first, None), (first + 1, None)]
    assert KLJUC not in told.text
    assert PAPER.number not in told.text
    whole = (await client.get(f"{path}/history", headers=world.headers("cec"))).json()
    assert len(whole["events"]) == 7


async def test_as_of_a_day_and_a_position_or_an_instant(world: World, client: httpx.AsyncClient) -> None:
    auditor, person = world.headers("auditor"), world.person(number(1))
    before = world.system.store.head()
    world.clock.now += timedelta(minutes=30)
    dead = world.send("registry-office:10049", Death(jmb=number(1), effective_on=date(2026, 2, 10)))
    instant = (world.clock.now - timedelta(microseconds=1)).isoformat()

    async def ask(**parameters: Any) -> Any:
        answer = await client.get(f"/v1/voters/{person}", params=parameters, headers=auditor)
        assert answer.status_code == 200
        return answer.json()

    assert (await ask())["grounds"] == ["deceased"]
    assert (await ask(on="2026-02-09"))["entered"] is True
    assert (await ask(known_at=before))["entered"] is True
    told = await ask(known_at=instant, on="2026-03-01")
    assert (told["entered"], told["position"]) == (True, before)
    assert (await ask(known_at=world.clock.now.isoformat()))["position"] == dead
    assert (await ask(known_at=10**30))["position"] == dead
    assert (await ask(known_at="2099-01-01T00:00:00Z"))["position"] == dead
    for early in ("0", "2020-01-01T00:00:00Z"):
        answer = await client.get(f"/v1/voters/{person}?known_at={early}", headers=auditor)
        assert answer.status_code == 404


async def test_a_day_is_read_again_under_the_law_of_another(world: World, client: httpx.AsyncClient) -> None:
    """Given one law since ever, then every answer by the law from the events is the one of the tables."""
    old, new = number(0), number(5)
    world.citizen(new, "Čolić")
    world.send("residence-authority:10049", JmbReplaced(jmb=old, new_jmb=new, effective_on=date(2026, 2, 1)))
    world.send("registry-office:10049", Death(jmb=number(1), effective_on=date(2026, 2, 10)))
    head = world.system.store.head()
    cec = world.headers("cec")
    for jmb in (old, new, number(1), number(3)):
        path = f"/v1/voters/{world.person(jmb)}"
        for known_at in (head, head - 1, 3):
            for on in ("1990-01-01", "1998-05-17", "2025-01-01", "2026-02-15"):
                asked = {"on": on, "known_at": known_at}
                plain = await client.get(path, params=asked, headers=cec)
                again = await client.get(path, params={**asked, "under_law": "2001-09-01"}, headers=cec)
                assert again.status_code == plain.status_code
                assert plain.status_code == 404 or again.json() == plain.json(), asked
            plain = await client.get(f"{path}/history", params={"known_at": known_at}, headers=cec)
            asked = {"known_at": known_at, "under_law": "2001-09-01"}
            again = await client.get(f"{path}/history", params=asked, headers=cec)
            assert again.status_code == plain.status_code
            assert plain.status_code == 404 or again.json() == plain.json()
    noted = [row["detail"] for row in journal(world)]
    assert {row.get("under_law") for row in noted} == {None, "2001-09-01"}


async def test_under_a_law_with_another_voting_age_the_answer_is_another(world: World) -> None:
    """Given a law of a voting age of 46, then who was born in 1980 is not entered in 2025; the tables play no part."""
    law = law_of({**PARAMETERS, "voting_age": (Dated(SINCE_EVER, 46, "nowhere"),)})
    who, head = UUID(world.person(number(0))), world.system.store.head()
    with world.system.database.engine.connect() as connection:
        entry = entry_under(law, world.system, connection, who, date(2025, 1, 1), head)
        assert entry is not None
        assert (entry.entered, entry.grounds, entry.counts_in, entry.polling_station) == (
            False,
            ["under-age"],
            None,
            None,
        )
        assert (entry.from_, entry.to) == (date(1999, 1, 1), date(2026, 5, 17))
        timeline = history_under(law, world.system, connection, who, head).timeline
        assert [(s.from_, s.entered) for s in timeline][-1] == (date(2026, 5, 17), True)


async def test_everyone_may_read_the_figures_of_the_law_with_their_sources(client: httpx.AsyncClient) -> None:
    told = (await client.get("/v1/law", params={"on": "2026-03-01"})).json()
    assert told["on"] == "2026-03-01"
    assert {"name": "voting_age", "value": 18, "since": None, "source": "Art. 1.4"} in told["parameters"]
    assert len(told["parameters"]) == len(PARAMETERS)


async def test_a_sender_reads_its_own_writes(
    world: World, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    cec, person = world.headers("cec"), world.person(number(0))
    dead = Death(jmb=number(0), effective_on=date(2026, 2, 10))
    position = world.send("registry-office:10049", dead, follow=False)
    asking = asyncio.create_task(client.get(f"/v1/voters/{person}?at_least={position}", headers=cec))
    querying = asyncio.create_task(
        client.post(f"/v1/voters/query?at_least={position}", json={"jmb": number(0)}, headers=cec)
    )
    await asyncio.sleep(0.3)
    assert not asking.done()
    await asyncio.to_thread(world.follow)
    assert (await asking).json()["grounds"] == ["deceased"]
    assert (await querying).json()["position"] == position
    monkeypatch.setattr("register.api.knowledge.PATIENCE", 0.2)
    late = await client.get(f"/v1/voters/{person}?at_least={position + 1}", headers=cec)
    assert (late.status_code, late.headers["retry-after"]) == (503, "1")


async def test_every_look_is_journalled_also_one_that_finds_nobody(world: World, client: httpx.AsyncClient) -> None:
    amra, person, nobody = world.headers("cec", "Amra"), world.person(number(0)), uuid4()
    await client.post("/v1/voters/query", json={"jmb": number(0)}, headers=amra)
    await client.post("/v1/voters/query", json={"jmb": number(77)}, headers=amra)
    await client.get(f"/v1/voters/{person}", headers=amra)
    await client.get(f"/v1/voters/{nobody}/history", headers=amra)
    entries = journal(world)
    assert [(e["sub"], e["role"], e["what"], str(e["person"]), e["at"]) for e in entries] == [
        ("Amra", "cec", "voter-query", person, world.clock.now),
        ("Amra", "cec", "voter-query", "None", world.clock.now),
        ("Amra", "cec", "voter", person, world.clock.now),
        ("Amra", "cec", "voter-history", str(nobody), world.clock.now),
    ]
    assert [e["detail"]["found"] for e in entries] == [1, 0, True, False]
    told = (await client.get("/v1/access-journal?limit=3", headers=world.headers("auditor"))).json()
    assert [e["what"] for e in told["items"]] == ["voter-query", "voter-query", "voter"]


async def test_a_look_that_cannot_be_journalled_is_not_answered(world: World, client: httpx.AsyncClient) -> None:
    cec = world.headers("cec")
    with world.system.database.owner_engine() as owner, owner.begin() as connection:
        connection.execute(sa.text("REVOKE INSERT ON access.journal FROM cvr_app"))
    for path in (f"/v1/voters/{world.person(number(0))}", "/v1/register", "/v1/events", "/v1/audit"):
        answer = await client.get(path, headers=cec)
        assert (answer.status_code, "retry-after" in answer.headers) == (503, True), path
        assert "Čolić" not in answer.text


async def test_the_register_pages_completely_in_the_alphabets_order(world: World, client: httpx.AsyncClient) -> None:
    cec = world.headers("cec")
    url: str | None = f"/v1/register?municipality={BIHAC}&limit=1"
    surnames, positions = [], set()
    while url is not None:
        page = (await client.get(url, headers=cec)).json()
        (entry,) = page["items"]
        same = f"/v1/voters/{entry['person']}?known_at={page['position']}"
        assert (await client.get(same, headers=cec)).json() == entry
        surnames.append(entry["surname"])
        positions.add(page["position"])
        url = page["next"]
        if len(surnames) == 1:  # somebody dies between two pages: the list goes on as it began
            world.send("registry-office:10049", Death(jmb=number(1), effective_on=date(2026, 3, 1)))
    assert surnames == ["Babić", "Čolić", "Đurić"]
    assert len(positions) == 1
    now = (await client.get(f"/v1/register?municipality={BIHAC}&polling_station=049A001", headers=cec)).json()
    assert [entry["surname"] for entry in now["items"]] == ["Babić", "Čolić"]
    assert (await client.get("/v1/register?polling_station=049A001", headers=cec)).status_code == 422
    whole = (await client.get("/v1/register", headers=cec)).json()
    assert [entry["surname"] for entry in whole["items"]] == ["Babić", "Čolić", "Žutić"]


async def test_a_history_holds_what_it_rests_on(world: World, client: httpx.AsyncClient) -> None:
    jmb = number(2)
    world.clock.now += timedelta(minutes=10)
    gone = CapacityWithdrawn(jmb=jmb, effective_on=date(2026, 1, 10), extent="full", document=PAPER)
    first = world.send("court:basic-court-bihac", gone)
    back = CapacityRestored(jmb=jmb, effective_on=date(2026, 2, 10), document=PAPER)
    world.send("court:basic-court-bihac", back)
    told = (await client.get(f"/v1/voters/{world.person(jmb)}/history", headers=world.headers("auditor"))).json()
    assert [(s["from"], s["to"]) for s in told["timeline"] if s["entered"]] == [
        ("1999-01-01", "2026-01-10"),
        ("2026-02-10", None),
    ]
    assert [e["type"] for e in told["events"]] == [
        "ba.cvr.citizen.v1",
        "ba.cvr.residence.v1",
        "ba.cvr.capacity-withdrawn.v1",
        "ba.cvr.capacity-restored.v1",
    ]
    assert told["events"][2]["data"]["document"]["number"] == "7/26"
    assert told["events"][2]["days_late"] == 48
    assert [(e["action"], e["ground"], e["from"], e["position"]) for e in told["audit"]] == [
        ("entered", None, "1999-01-01", 7),
        ("deleted", "legal-capacity-withdrawn", "2026-01-10", first),
        ("reinstated", "legal-capacity-withdrawn", "2026-02-10", first + 1),
    ]


async def test_a_joined_number_leads_to_the_person_it_was_joined_to(world: World, client: httpx.AsyncClient) -> None:
    cec = world.headers("cec")
    link = JmbReplaced(jmb=number(0), new_jmb=number(1), effective_on=date(2026, 2, 1), document=PAPER)
    before = world.system.store.head()
    world.send("residence-authority:10049", link)
    first, second = world.person(number(0)), world.person(number(1))
    told = (await client.get(f"/v1/voters/{second}", headers=cec)).json()
    assert (told["person"], told["jmb"]) == (first, number(1))
    assert (await client.get(f"/v1/voters/{second}?known_at={before}", headers=cec)).json()["person"] == second
    for jmb in (number(0), number(1)):
        found = (await client.post("/v1/voters/query", json={"jmb": jmb}, headers=cec)).json()
        assert found["persons"] == [first]


IMPOSSIBLE = [
    ("/v1/register?on=2026-02-30", "/query/on"),
    ("/v1/register?on=20260201", "/query/on"),
    ("/v1/register?known_at=yesterday", "/query/known_at"),
    ("/v1/register?known_at=2026-13-01T00:00:00Z", "/query/known_at"),
    ("/v1/register?known_at=-1", "/query/known_at"),
    ("/v1/register?at_least=Banjaluka", "/query/at_least"),
    ("/v1/register?limit=1001", "/query/limit"),
    ("/v1/register?after=Pero", "/query/after"),
    (f"/v1/register?after={uuid4()}", "/query/after"),
    ("/v1/register?municipality=Bihac", "/query/municipality"),
    (f"/v1/register?municipality={BIHAC}&polling_station=0101970100017", "/query/polling_station"),
    ("/v1/register/summary?by=surname", "/query/by"),
    ("/v1/audit?action=erased", "/query/action"),
    ("/v1/audit?ground=whim", "/query/ground"),
    ("/v1/audit?after=1.2.3", "/query/after"),
    ("/v1/audit?recorded_from=then", "/query/recorded_from"),
    ("/v1/events?type=ba.cvr.nothing.v1", "/query/type"),
]
BODIES = [
    ('{"jmb":"0101970100010"}', 422),
    ('{"jmb":"Čolić"}', 422),
    ('{"jmb":7}', 422),
    ('{"surname":"Čolić","given_name":"Uzorak"}', 422),
    ('{"surname":"Čolić","given_name":"Uzorak","born_on":"Čolić"}', 422),
    ('{"Čolić":1,"surname":"Čolić","given_name":"Uzorak","born_on":"1980-05-17"}', 422),
    ('["Čolić"]', 422),
    ("Čolić", 400),
    ('{"jmb":"' + "9" * 70000 + '"}', 413),
]


async def test_a_parameter_that_cannot_be_meant_is_pointed_to(world: World, client: httpx.AsyncClient) -> None:
    for path, pointer in IMPOSSIBLE:
        answer = await client.get(path, headers=world.headers("cec"))
        assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json"), path
        told = answer.json()
        assert [error["pointer"] for error in told["errors"]] == [pointer], path
        del told["instance"]  # at random
        assert path.partition("=")[2] not in str(told)


async def test_no_personal_value_stands_in_a_problem(world: World, client: httpx.AsyncClient) -> None:
    for body, status in BODIES:
        answer = await client.post("/v1/voters/query", content=body.encode(), headers=world.headers("cec"))
        assert answer.status_code == status, body[:40]
        assert "Čolić" not in answer.text
        assert "0101970100010" not in answer.text


def test_no_plan_reads_a_whole_table_for_one_person(world: World) -> None:
    """Given a register of many, then the queries about one person go by indexes alone."""
    statements = []
    with world.system.database.psycopg() as connection:
        for table, columns in (("stretch", "person"), ("person", "person"), ("joined", "stream, person")):
            values = ", ".join(["gen_random_uuid()"] * (columns.count(",") + 1))
            extra = {
                "stretch": (
                    ", days, known, entered, grounds, jmb, voting_option, mobile_team, marked_deceased, address_key",
                    ", '[2000-01-01,)', '[1,)', false, '{}', n, 'regular', false, false, n",
                ),
                "person": (", first_position, held", ", 1, '{}'"),
                "joined": (", known", ", '[1,)'"),
            }[table]
            connection.execute(
                f"INSERT INTO projection.{table} ({columns}{extra[0]})"
                f" SELECT {values}{extra[1]} FROM generate_series(1, 5000) n"
            )
        connection.execute(
            "INSERT INTO projection.coverage SELECT '10049', n, '[2000-01-01,)', '[1,)', '1', false"
            " FROM generate_series(1, 5000) n"
        )
        for table in ("stretch", "person", "joined", "coverage"):
            connection.execute(f"ANALYZE projection.{table}")
        connection.commit()

    def note(_: Any, __: Any, statement: str, parameters: Any, ___: Any, ____: Any) -> None:
        if "projection." in statement and not statement.startswith("EXPLAIN"):
            statements.append((statement, parameters))

    engine = world.system.database.engine
    who = world.system.store.stream_of(f"jmb:{number(0)}")
    assert who is not None
    sa.event.listen(engine, "before_cursor_execute", note)
    with engine.connect() as reading:
        known = world.system.store.head()
        assert queries.person_of(reading, who, known) == who
        assert queries.voter(reading, who, BORN, known) is not None
        queries.municipalities_of(reading, [who], {BORN, date(2026, 1, 1)}, known)
        queries.streams_of(reading, who, known)
        queries.stretches(reading, who, known)
        queries.audit_page(reading, known, after=None, limit=None, who=[who])
        asked = list(statements)
        assert len(asked) == 6
        for statement, parameters in asked:
            plan = reading.exec_driver_sql("EXPLAIN " + statement, parameters).scalars().all()
            big = [line for line in plan if "Seq Scan on" in line and "audit_entry" not in line]
            assert not big, "\n".join(plan)
