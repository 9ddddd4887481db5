"""How quickly authorities report, as everyone and as the CEC sees it; what late notices did to a concluded roll."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import msgspec

from register.acts import elections
from register.app.parts import make_freezer
from register.audit.counterfactual import Changed, Place
from register.law.competence import Caller
from register.law.dossier import live
from register.law.events import (
    AboutPerson,
    Annulment,
    CapacityWithdrawn,
    CatchmentEntry,
    ControlTotal,
    Death,
    ElectionCalled,
    Event,
    JmbReplaced,
    PollingStation,
    Residence,
)
from register.law.persons import persons
from register.law.rolls import residence_of, roll_of, stand
from register.law.territory import Coverage
from tests.api.conftest import KLJUC, PAPER, World, number

COURT, OFFICE = "court:basic-court-bihac", "registry-office:10049"
HOME, AWAY = "residence-authority:10049", "residence-authority:10294"
DEATHS, WITHDRAWN = Death.TOPIC, CapacityWithdrawn.TOPIC
CALL = ElectionCalled(
    election="local-2026", kind="local", early=False, day=date(2026, 10, 4), called_on=date(2026, 3, 1)
)
CONCLUDED = datetime(2026, 8, 22, 8, tzinfo=UTC)


def at(world: World, month: int, day: int) -> None:
    """Noon of a day of 2026."""
    world.clock.now = datetime(2026, month, day, 12, tzinfo=UTC)


def died(serial: int, month: int, day: int) -> Death:
    return Death(jmb=number(serial), effective_on=date(2026, month, day))


def withdrawn(serial: int, day: int) -> CapacityWithdrawn:
    return CapacityWithdrawn(jmb=number(serial), effective_on=date(2026, 3, day), extent="full", document=PAPER)


async def told(client: httpx.AsyncClient, query: str = "", headers: dict[str, str] | None = None) -> dict[Any, Any]:
    """The lines of an answer by authority and type."""
    answer = await client.get(f"/v1/timeliness?{query}", headers=headers)
    assert answer.status_code == 200, answer.text
    return {(line["authority"], line["type"]): line for line in answer.json()["items"]}


async def test_each_authority_is_told_by_its_types_lags_and_days(world: World, client: httpx.AsyncClient) -> None:
    """Given deaths reported after 1, 2, 3 and 40 days, then half were late, the median is 2 and the worst 40."""
    at(world, 3, 10)
    for serial, day in enumerate((9, 8, 7)):
        world.send(OFFICE, died(serial, 3, day))
    world.send(OFFICE, died(3, 1, 29))
    at(world, 3, 11)
    world.send(OFFICE, ControlTotal(day=date(2026, 3, 10), sent={DEATHS: 5}))
    at(world, 3, 20)
    lines = await told(client, "from=2026-03-10&to=2026-03-20")
    deaths = lines[OFFICE, DEATHS]
    assert (deaths["notices"], deaths["late_electronic"], deaths["median_lag"], deaths["p95_lag"]) == (4, 2, 2, 40)
    assert (deaths["late_or_missing_written"], deaths["missing_written"]) == (4, 4)
    of_all = lines[OFFICE, None]
    assert (of_all["unmatched_control_totals"], deaths["unmatched_control_totals"]) == (1, 1)
    assert of_all["silent_days"] == 8  # 11 March (a total for the day before came) to 18 March; 19 is not judged yet
    assert (await told(client, "from=2026-03-11&to=2026-03-20")).keys() == {(OFFICE, None)}


async def test_a_paper_in_time_is_neither_late_nor_missing(world: World, client: httpx.AsyncClient) -> None:
    at(world, 3, 2)
    source = f"urn:cvr:authority:{OFFICE}"
    ids = []
    for serial in range(3):
        world.send(OFFICE, died(serial, 3, 1))
        ids.append(f"n-{world.sent}")
    at(world, 3, 12)
    technician = world.headers("technical")
    body = {"source": source, "id": ids[0], "received_on": "2026-03-08"}
    first = await client.post("/v1/written-notices", json=body, headers=technician)
    again = await client.post("/v1/written-notices", json=body, headers=technician)
    assert (first.status_code, again.status_code) == (201, 200)
    assert (first.json()["position"], again.json()["status"]) == (again.json()["position"], "repeated")
    conflict = await client.post("/v1/written-notices", json=body | {"received_on": "2026-03-09"}, headers=technician)
    assert (conflict.status_code, conflict.json()["provision"]) == (409, "Art. 3.5(5)")
    unknown = await client.post("/v1/written-notices", json=body | {"id": "n-0"}, headers=technician)
    assert (unknown.status_code, unknown.json()["errors"][0]["pointer"]) == (422, "/id")
    assert (await client.post("/v1/written-notices", json=body, headers=world.headers(OFFICE))).status_code == 403
    lines = [msgspec.json.encode(body | {"id": ids[1], "received_on": "2026-03-10"}), b"{", msgspec.json.encode(body)]
    many = await client.post(
        "/v1/written-notices", content=b"\n".join(lines), headers=technician | {"Content-Type": "application/x-ndjson"}
    )
    answers = [msgspec.json.decode(line) for line in many.text.splitlines()]
    assert [each.get("status") for each in answers] == ["recorded", "refused", "repeated", None]
    assert answers[-1] == {"recorded": 1, "repeated": 1, "refused": 1, "end": True}
    world.follow()
    deaths = (await told(client))[OFFICE, DEATHS]
    assert (deaths["notices"], deaths["late_or_missing_written"], deaths["missing_written"]) == (3, 2, 1)


async def test_a_first_load_is_counted_apart_and_not_measured(world: World, client: httpx.AsyncClient) -> None:
    at(world, 3, 2)
    world.send(OFFICE, died(0, 1, 1))
    at(world, 3, 5)
    world.send(OFFICE, died(1, 3, 4))
    cec, load = world.headers("cec"), {"authority": OFFICE, "until": "2026-03-03"}
    answers = [await client.post("/v1/first-loads", json=load, headers=cec) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 200]
    world.follow()
    deaths = (await told(client))[OFFICE, DEATHS]
    assert (deaths["notices"], deaths["first_load"], deaths["late_electronic"], deaths["p95_lag"]) == (1, 1, 0, 1)
    listed = (await client.get("/v1/first-loads", headers=cec)).json()
    assert [(each["authority"], each["until"]) for each in listed["items"]] == [(OFFICE, "2026-03-03")]
    for who in ("auditor", OFFICE):
        assert (await client.post("/v1/first-loads", json=load, headers=world.headers(who))).status_code == 403


async def test_nobody_reads_a_single_decision_of_a_court_out_of_the_days(
    world: World, client: httpx.AsyncClient
) -> None:
    """Given 3 decisions on one day and 4 on another, then everyone sees no number until the month has ended."""
    at(world, 3, 10)
    world.send(COURT, *(withdrawn(serial, 9) for serial in range(3)))
    day = "from=2026-03-10&to=2026-03-10"
    assert (await told(client, day))[COURT, WITHDRAWN]["notices"] == "<5"
    assert (await told(client, day))[COURT, WITHDRAWN]["median_lag"] is None
    assert (await told(client, day))[COURT, None]["notices"] is None
    for who in ("cec", "auditor", "technical"):
        assert (await told(client, day, world.headers(who)))[COURT, WITHDRAWN]["notices"] == 3
    assert (await told(client, day, world.headers(OFFICE)))[COURT, WITHDRAWN]["notices"] == "<5"
    at(world, 3, 11)
    world.send(COURT, *(withdrawn(serial, 9) for serial in range(4, 8)))
    assert (await told(client, day))[COURT, WITHDRAWN]["notices"] is None
    at(world, 4, 1)
    line = (await told(client, day))[COURT, WITHDRAWN]  # all of March, whichever of its days is asked for
    assert (line["notices"], line["median_lag"], line["late_electronic"]) == (7, 2, 0)
    at(world, 4, 2)
    world.send(COURT, withdrawn(8, 30))
    both = (await told(client, "from=2026-03-01&to=2026-04-02"))[COURT, WITHDRAWN]
    assert both["notices"] is None  # 8 less the 7 of March would tell


async def test_days_that_cannot_be_meant_are_refused(client: httpx.AsyncClient) -> None:
    for query in ("from=2026-03-02&to=2026-03-01", "from=2020-01-01&to=2026-01-01", "from=1.3.2026"):
        assert (await client.get(f"/v1/timeliness?{query}")).status_code == 422


# --- counterfactual -------------------------------------------------------------------------------------------------


def conclude(world: World) -> None:
    """The election is called on 1 March and concluded on 22 August."""
    system, cec = world.system, Caller("a member", "cec", "cec")
    elections.call(system.store, CALL, cec, system.municipalities, now=world.clock(), salt="cw==")
    world.clock.now = CONCLUDED
    elections.conclude(system.store, CALL.election, cec, reference="digest", now=CONCLUDED, salt="cw==")
    world.follow()
    make_freezer(system.database, system.store, world.clock, system.entropy).freeze_waiting()
    at(world, 9, 1)


def moved(serial: int, municipality: str, month: int, day: int) -> Residence:
    return Residence(
        jmb=number(serial), effective_on=date(2026, month, day), kind="permanent", municipality=municipality,
        settlement="Centar", street="Glavna", house_number="5",
    )  # fmt: skip


def place(world: World, events: list[Event]) -> dict[UUID, Place]:
    """Who stands where on the roll by these events: everybody folded again, nothing kept from before."""
    roll = roll_of(CALL, world.system.municipalities)
    stations = live(e for e in events if isinstance(e.data, PollingStation) or not isinstance(e.data, AboutPerson))
    streams: dict[UUID, list[Event]] = {}
    about = {e.stream for e in events if isinstance(e.data, AboutPerson)}
    for event in events:
        if event.stream in about:
            streams.setdefault(event.stream, []).append(event)
    found = {}
    for person, own in persons(streams).items():
        home = residence_of(own, roll)
        entry = stand(own, roll, None if home is None else Coverage(home, stations))
        if entry is not None:
            found[person] = Place(entry.list_kind, entry.municipality, entry.station, entry.mission)
    return found


async def read(world: World, client: httpx.AsyncClient, **asked: Any) -> Any:
    answer = await client.get(
        f"/v1/elections/{CALL.election}/counterfactual", params=asked, headers=world.headers("auditor")
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_death_reported_late_kept_a_dead_voter_on_the_roll(world: World, client: httpx.AsyncClient) -> None:
    """Given a death of 10 August told on 1 September, a move of 1 August told too, and one voter of whom both."""
    conclude(world)
    world.send(OFFICE, died(0, 8, 10))
    world.send(AWAY, moved(1, KLJUC, 8, 1))
    world.send(OFFICE, died(2, 8, 10))
    world.send(AWAY, moved(2, KLJUC, 8, 5))
    world.send("registry-office:10294", died(3, 8, 21))  # its two days were not over at the conclusion
    answer = await read(world, client)
    found = {each["person"]: each for each in answer["items"]}
    assert {person: (each["change"], each["authorities"]) for person, each in found.items()} == {
        world.person(number(0)): ("off", [OFFICE]),
        world.person(number(1)): ("municipality", [AWAY]),
        world.person(number(2)): ("off", [OFFICE]),
    }
    one = found[world.person(number(1))]
    assert (one["as_concluded"]["station"], one["in_time"]["list"]) == ("049A001", "unallocated")
    assert [(each["authorities"], each["persons"], each["off"]) for each in answer["by_authority"]] == [
        ([OFFICE], 2, 2), ([AWAY], 1, 0)
    ]  # fmt: skip
    first = await read(world, client, limit=2)
    rest = await client.get(first["next"], headers=world.headers("cec"))
    assert [*first["items"], *rest.json()["items"]] == answer["items"]
    for who, status in ((OFFICE, 403), ("technical", 403), ("municipal-commission:10049", 403)):
        path = f"/v1/elections/{CALL.election}/counterfactual"
        assert (await client.get(path, headers=world.headers(who))).status_code == status
    with world.system.database.psycopg() as connection:
        journalled = connection.execute("SELECT count(*) FROM access.journal WHERE what = 'counterfactual'").fetchone()
    assert journalled == (3,)


async def test_what_only_several_late_notices_bring_about_is_told_of_all_of_them(
    world: World, client: httpx.AsyncClient
) -> None:
    conclude(world)
    world.citizen(number(10), "Kovač")
    answer = await read(world, client)
    assert [(each["change"], each["authorities"]) for each in answer["items"]] == [("on", [OFFICE, HOME])]


async def test_all_late_notices_together_give_the_roll_as_if_they_had_come_in_time(
    world: World, client: httpx.AsyncClient
) -> None:
    """Given deaths, moves, a replaced number, a new station, an annulment and a first load, then a naive reading of
    everything gives what the concluded roll and the changes give."""
    for serial in range(11, 16):
        world.citizen(number(serial), "Sever")
    conclude(world)
    world.send(OFFICE, died(0, 8, 10), died(11, 8, 19))
    world.send(OFFICE, died(12, 8, 10))
    world.send(OFFICE, Annulment(annuls=f"n-{world.sent}", reason="another person"))
    world.send(AWAY, moved(1, KLJUC, 8, 20), moved(12, KLJUC, 8, 21))
    world.send(HOME, JmbReplaced(jmb=number(13), new_jmb=number(14), effective_on=date(2026, 8, 1), document=PAPER))
    station = PollingStation(
        code="037A002", municipality=KLJUC, name="Dom", address="Trg 2", kind="regular",
        catchment=(CatchmentEntry(street="Glavna"),), effective_on=date(2026, 8, 1),
    )  # fmt: skip
    world.send("municipal-commission:10294", station)
    world.send("registry-office:10294", died(15, 8, 1))
    load = {"authority": "registry-office:10294", "until": "2026-09-01"}
    assert (await client.post("/v1/first-loads", json=load, headers=world.headers("cec"))).status_code == 201
    world.follow()
    at(world, 9, 20)
    world.send("court:x", withdrawn(15, 1))

    answer = await read(world, client)
    every = list(world.system.store.events())
    known = [event for event in every if event.position < answer["conclusion"]]
    taken_back = {event.data.annuls for event in every if isinstance(event.data, Annulment)}
    late = [
        event
        for event in every
        if event.position > answer["conclusion"]
        and (effective_on := getattr(event.data, "effective_on", None)) is not None
        and effective_on + timedelta(days=2) <= CONCLUDED.date()
        and event.id not in taken_back
        and not event.source.endswith("registry-office:10294")
    ]
    changed = msgspec.convert(answer["items"], list[Changed])
    concluded, in_time = place(world, known), place(world, [*known, *late])
    applied = concluded | {each.person: each.in_time for each in changed if each.in_time is not None}
    for each in changed:
        assert concluded.get(each.person) == each.as_concluded != each.in_time
        if each.in_time is None:
            del applied[each.person]
    assert applied == in_time
    assert Counter(each.change for each in changed) == {"off": 4, "municipality": 1, "list": 1}


async def test_there_is_no_counterfactual_before_the_conclusion(world: World, client: httpx.AsyncClient) -> None:
    path = f"/v1/elections/{CALL.election}/counterfactual"
    assert (await client.get(path, headers=world.headers("cec"))).status_code == 404
    system, cec = world.system, Caller("a member", "cec", "cec")
    elections.call(system.store, CALL, cec, system.municipalities, now=world.clock(), salt="cw==")
    assert (await client.get(path, headers=world.headers("cec"))).status_code == 409
