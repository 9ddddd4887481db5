"""What changed in the register between two positions, as auditors and the CEC are told it: the entry, and the event."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import httpx
import sqlalchemy as sa

from register.api.entries import Entry
from register.law.events import (
    CatchmentEntry,
    Death,
    JmbReplaced,
    PersonalData,
    PollingStation,
)
from register.projection.differences import SHOWN, Span, differences
from tests.api.conftest import BIHAC, KLJUC, PAPER, ROLES, World, number

ON = date(2026, 3, 1)
SCHOOL = PollingStation(
    code="049A002",
    municipality=BIHAC,
    name="Nova škola",
    address="Glavna 9",
    kind="regular",
    catchment=(CatchmentEntry(settlement="Centar", street="Glavna", from_=1, to=9, parity="odd"),),
    effective_on=date(2026, 2, 1),
)


async def ask(client: httpx.AsyncClient, world: World, query: str) -> dict[str, Any]:
    answer = await client.get(f"/v1/register/diff?{query}", headers=world.headers("auditor"))
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    found: dict[str, Any] = answer.json()
    return found


async def test_each_change_is_told_with_the_events_that_did_it(world: World, client: httpx.AsyncClient) -> None:
    """Given a death, a move, a name put right and a first entry, then each is told with its members and its event."""
    start = world.system.store.head()
    died = Death(jmb=number(0), effective_on=date(2026, 2, 1), document=PAPER)
    death = world.send("registry-office:10049", died)
    move = world.move(number(1), KLJUC, date(2026, 2, 20))
    name = PersonalData(jmb=number(2), effective_on=date(2026, 2, 1), surname="Babović")
    renamed = world.send("registry-office:10049", name)
    world.citizen(number(5), "Nova", KLJUC)
    end = world.system.store.head()
    world.send("registry-office:10049", Death(jmb=number(3), effective_on=date(2026, 2, 1)))  # later than asked
    told = await ask(client, world, f"from={start}&to={end}")
    assert (told["from"], told["to"], told["position"], told["on"], told["next"]) == (start, end, end, str(ON), None)
    items = told["items"]
    assert [item["change"] for item in items] == ["removed", "changed", "changed", "added"]
    assert [[e["position"] for e in i["events"]] for i in items] == [[death], [move], [renamed], [end - 1, end]]
    removed, moved, put_right, added = items
    assert removed["after"] is None
    assert removed["before"].keys() == set(Entry.__struct_encode_fields__) - {"person", "position"}
    assert removed["before"]["polling_station"] == "049A001"
    assert removed["events"][0]["type"] == "ba.cvr.death.v1"
    assert removed["events"][0]["document"]["number"] == PAPER.number
    assert (moved["before"]["counts_in"], moved["after"]["counts_in"]) == (BIHAC, KLJUC)
    assert (moved["before"]["polling_station"], moved["after"]["polling_station"]) == ("049A001", None)
    assert "surname" not in moved["before"]
    assert (put_right["before"]["surname"], put_right["after"]["surname"]) == ("Babić", "Babović")
    assert (added["before"], added["after"]["surname"]) == (None, "Nova")
    only = await ask(client, world, f"from={start}&to={end}&municipality={KLJUC}")
    assert [item["person"] for item in only["items"]] == [moved["person"], added["person"]]
    # On a day before all of it the death, the move and the name change the days on which the register says so.
    early = await ask(client, world, f"from={start}&to={end}&on=2026-01-01")
    assert early["items"][0]["before"] == {"to": None}
    assert early["items"][0]["after"] == {"to": "2026-02-01"}


async def test_a_station_that_takes_an_address_over_is_the_event_that_moved_its_voters(
    world: World, client: httpx.AsyncClient
) -> None:
    """Given a new station for a street, then the voters of that street changed, and no event about them did it."""
    start = world.system.store.head()
    end = world.send("municipal-commission:10049", SCHOOL)
    told = await ask(client, world, f"from={start}&to={end}")
    assert len(told["items"]) == 3
    for item in told["items"]:
        assert (item["change"], item["before"], item["after"]) == (
            "changed",
            {"polling_station": "049A001"},
            {"polling_station": "049A002"},
        )
        (event,) = item["events"]
        assert (event["position"], event["type"]) == (end, "ba.cvr.polling-station.v1")
    assert (await ask(client, world, f"from={start}&to={end}&on=2026-01-31"))["items"] == []


async def test_two_numbers_joined_are_one_entry_removed_and_say_under_whom_it_goes_on(
    world: World, client: httpx.AsyncClient
) -> None:
    """Given a replaced number, then the greater person is removed, both tell of the link, and the link did it."""
    start = world.system.store.head()
    link = JmbReplaced(jmb=number(0), new_jmb=number(1), effective_on=date(2026, 2, 1), document=PAPER)
    end = world.send("residence-authority:10049", link)
    least, greatest = sorted((world.person(number(0)), world.person(number(1))))
    items = {item["person"]: item for item in (await ask(client, world, f"from={start}&to={end}"))["items"]}
    assert items[greatest]["change"] == "removed"
    assert items[greatest]["links"] == [{"action": "joined", "with": least, "position": end}]
    assert items[least]["links"] == [{"action": "joined", "with": greatest, "position": end}]
    assert {event["position"] for item in items.values() for event in item["events"]} == {end}


async def test_pages_go_through_all_in_one_order_and_each_is_a_look(world: World, client: httpx.AsyncClient) -> None:
    """Given pages of one, then together they are the whole; positions may be instants; each page is journalled."""
    world.send("municipal-commission:10049", SCHOOL)
    end = world.system.store.head()
    whole = (await ask(client, world, f"from=0&to={end}"))["items"]
    assert len(whole) == 4
    assert [len(item["events"]) for item in whole] == [3, 3, 3, 2]
    paged: list[Any] = []
    query: str | None = f"from=0&to={(world.clock.now + timedelta(minutes=1)).strftime('%Y-%m-%dT%H:%M:%SZ')}&limit=1"
    while query is not None:
        page = await ask(client, world, query)
        world.move(number(3), BIHAC, date(2026, 2, 1) + timedelta(days=len(paged)))  # meanwhile
        paged += page["items"]
        query = None if page["next"] is None else page["next"].partition("?")[2]
    assert paged == whole
    headers = world.headers("auditor")
    looks = (await client.get("/v1/access-journal?what=diff", headers=headers)).json()["items"]
    assert len(looks) == 1 + len(whole)
    assert (looks[1]["detail"]["from"], looks[1]["detail"]["to"], looks[1]["detail"]["entries"]) == (0, end, 1)


async def test_who_may_ask_and_what_cannot_be_meant(world: World, client: httpx.AsyncClient) -> None:
    """Given any role, then the CEC and auditors are told and nobody else; and questions without sense are refused."""
    for role in ROLES:
        answer = await client.get("/v1/register/diff?from=0&to=9", headers=world.headers(role))
        assert answer.status_code == (200 if role in ("cec", "auditor") else 403), role
    assert (await client.get("/v1/register/diff?from=0&to=9")).status_code == 401
    for query in ("from=9&to=1", "from=0", "from=0&to=9&after=1.2", "from=x&to=9", "from=0&to=9&known_at=3"):
        answer = await client.get(f"/v1/register/diff?{query}", headers=world.headers("cec"))
        assert answer.status_code == 422, query


def test_a_small_difference_of_a_large_register_is_found_by_indexes(world: World) -> None:
    """Given 60,000 other stretches, when two events lie between, then neither they nor addresses are gone through."""
    start = world.system.store.head()
    world.send("registry-office:10049", Death(jmb=number(0), effective_on=date(2026, 2, 1)))
    end = world.send("municipal-commission:10049", SCHOOL)
    engine = world.system.database.engine
    asked: list[tuple[str, Any]] = []

    def note(_: Any, __: Any, statement: str, parameters: Any, ___: Any, ____: bool) -> None:
        asked.append((statement, parameters))

    with engine.begin() as connection:
        for statement in OTHERS:
            connection.execute(sa.text(statement))
        sa.event.listen(connection, "before_cursor_execute", note)
        found, _ = differences(connection, Span(start, end, ON), municipality=None, after=None, limit=100)
        sa.event.remove(connection, "before_cursor_execute", note)
        assert len(found) == 3
        plans = [
            "\n".join(row[0] for row in connection.exec_driver_sql(f"EXPLAIN {statement}", parameters))
            for statement, parameters in asked
        ]
    read = [table for plan in plans for table in ("stretch", "coverage") if f" on {table}" in plan]
    assert {"stretch", "coverage"} <= set(read)
    for plan in plans:
        assert "Seq Scan on stretch" not in plan, plan
        assert "Seq Scan on coverage" not in plan, plan


#: A nation beside the voters of the test: other municipalities, other addresses.
OTHERS = (
    """
    INSERT INTO projection.stretch (person, days, known, entered, grounds, jmb, municipality, counts_in, voting_option,
                                    mobile_team, marked_deceased, address_key, name_key, sort_key)
    SELECT gen_random_uuid(), daterange(NULL, NULL), int8range(1 + n % 9, NULL), true, '{}', n::text,
           place, place, 'regular', false, false, 'x' || n, n::text, int4send(n)
    FROM (SELECT n, (20000 + n % 100)::text AS place FROM generate_series(1, 60000) n) AS nation
    """,
    """
    INSERT INTO projection.coverage
    SELECT (20000 + n % 100)::text, 'x' || n, daterange(NULL, NULL), int8range(1, NULL), '001', false
    FROM generate_series(1, 60000) n
    """,
    "ANALYZE projection.stretch",
    "ANALYZE projection.coverage",
)


def test_what_is_compared_is_what_the_register_shows() -> None:
    shown = {*SHOWN, "polling_station", "from", "to"}
    assert shown == set(Entry.__struct_encode_fields__) - {"person", "position"}
