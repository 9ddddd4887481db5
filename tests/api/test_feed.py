"""What an authority is told: all that is addressed to it, in one order, not lost nor doubled, page by page or live."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
import sqlalchemy as sa

from register.api import feed as stream
from register.api.readers import EACH
from register.app.http import create_app
from register.intake.feed import Feed
from register.intake.journal import Journal, Refused
from register.law.competence import caller_for
from register.law.deficiencies import KINDS
from register.law.events import (
    DeficiencyDismissed,
    DeficiencyEstablished,
    DeficiencyNotified,
    DeficiencyRemedied,
    ElectionCalled,
    ElectionConcluded,
    FirstLoadDeclared,
    SenderKeyRegistered,
    SenderKeyRevoked,
)
from register.law.provisions import Fault, Refusal
from tests.api.conftest import BIHAC, World, number

REGISTRY = "registry-office:10049"
OTHER = "registry-office:10294"
DAY = date(2026, 10, 4)
COMMISSION = "municipal-commission:10049"
#: A name that a refused notice holds, and nothing that is told may.
SECRET = "Tajnić"

pytestmark = pytest.mark.asyncio


async def refuse(client: httpx.AsyncClient, world: World, who: str, notice_id: str) -> dict[str, Any]:
    """Send something that must be refused; its problem."""
    notice = {
        "specversion": "1.0",
        "id": notice_id,
        "source": f"urn:cvr:authority:{who}",
        "type": "ba.cvr.death.v1",
        "time": "2026-03-01T08:00:00Z",
        "data": {"jmb": number(0)[:-1] + "x", "effective_on": "2026-02-28", "surname": SECRET},
    }
    headers = world.headers(who) | {"Content-Type": "application/cloudevents+json"}
    answer = await client.post("/v1/notices", json=notice, headers=headers)
    assert answer.status_code == 422
    return dict(answer.json())


def established(authority: str, *evidence: int, key: str = "k") -> DeficiencyEstablished:
    return DeficiencyEstablished(
        kind="over-110",
        key=key,
        authority=authority,
        municipality=BIHAC,
        evidence=evidence,
        persons=(str(UUID(int=1)),),
        figures={"age": 117},
    )


async def told(client: httpx.AsyncClient, world: World, who: str, limit: int = 100) -> list[dict[str, Any]]:
    """All pages of the feed."""
    path, items = f"/v1/feed?limit={limit}", []
    while path:
        answer = await client.get(path, headers=world.headers(who))
        assert answer.status_code == 200, answer.text
        items += answer.json()["items"]
        path = answer.json()["next"]
    return items


async def test_an_authority_is_told_of_its_refusals_by_their_reasons_and_never_by_what_it_sent(
    world: World, client: httpx.AsyncClient
) -> None:
    problem = await refuse(client, world, REGISTRY, "2026-1")
    await refuse(client, world, OTHER, "2026-2")
    (event,) = await told(client, world, REGISTRY)
    assert event["type"] == "ba.cvr.feed.notice-refused.v1"
    assert event["data"] == {
        "notice_id": "2026-1",
        "received_at": world.clock().isoformat().replace("+00:00", "Z"),
        "problem": problem,
    }
    assert problem["provision"] == "Art. 3.5(6)"
    assert SECRET not in json.dumps(event, ensure_ascii=False)
    assert number(0)[:-1] not in json.dumps(event)


async def test_a_deficiency_is_told_with_its_sentence_and_the_authoritys_own_notices(
    world: World, client: httpx.AsyncClient
) -> None:
    """The evidence is the first citizen's notice, of the registry office, and the residence, of another authority."""
    begun = world.send("cec", established(REGISTRY, 2, 3), follow=False)
    about: dict[str, Any] = {"kind": "over-110", "key": "k", "authority": REGISTRY, "established": begun}
    world.send("cec", DeficiencyNotified(**about, notified_by="Amra"), follow=False)
    world.send("cec", DeficiencyDismissed(**about, reason="A new building", dismissed_by="Amra"), follow=False)
    world.send("cec", DeficiencyRemedied(**about, position=begun), follow=False)
    events = await told(client, world, REGISTRY)
    assert [event["type"].split(".")[3] for event in events] == [
        "deficiency-established",
        "deficiency-notified",
        "deficiency-dismissed",
        "deficiency-remedied",
    ]
    for event in events:
        data = event["data"]
        assert data["explanation"] == KINDS["over-110"].sentence.format(age=117)
        assert data["provision"] == "Art. 3.5(6)"
        assert data["evidence"] == [{"source": f"urn:cvr:authority:{REGISTRY}", "id": "n-2", "position": 2}]
        assert UUID(data["deficiency"]) == world.system.store.stream_of("deficiency:over-110:k")
        assert "Amra" not in json.dumps(event)
    assert events[2]["data"]["reason"] == "A new building"
    assert await told(client, world, OTHER) == []


async def test_elections_are_told_to_every_authority_and_keys_and_first_loads_to_whom_they_concern(
    world: World, client: httpx.AsyncClient
) -> None:
    called = ElectionCalled(
        election="2026-general", kind="general", early=False, day=date(2026, 10, 4), called_on=date(2026, 3, 1)
    )
    world.send("cec", called, follow=False)
    concluded = ElectionConcluded(election="2026-general", concluded_by="Amra", rules="1", reference="1")
    position = world.send("cec", concluded, follow=False)
    key: dict[str, Any] = {"authority": REGISTRY, "keyid": "2026"}
    world.send("cec", SenderKeyRegistered(**key, public_key="A" * 43 + "=", registered_by="Amra"), follow=False)
    world.send("cec", SenderKeyRevoked(**key, reason="lost", revoked_by="Amra"), follow=False)
    world.send("cec", FirstLoadDeclared(authority=REGISTRY, until=date(2026, 4, 1), declared_by="Amra"), follow=False)
    for who in (OTHER, COMMISSION, "court:basic-court-bihac", "ministry:civil-affairs", "cec"):
        both = await told(client, world, who)
        assert [event["data"]["election"] for event in both] == ["2026-general"] * 2
        assert both[1]["data"]["position"] == position
    own = (await told(client, world, REGISTRY))[2:]
    assert [event["data"] for event in own] == [
        {"keyid": "2026", "public_key": "A" * 43 + "="},
        {"keyid": "2026", "reason": "lost"},
        {"until": "2026-04-01"},
    ]


async def test_pages_of_any_size_hold_the_same_and_an_end_can_be_gone_on_from(
    world: World, client: httpx.AsyncClient
) -> None:
    for n in range(3):
        await refuse(client, world, REGISTRY, f"a-{n}")
        world.send("cec", established(REGISTRY, key=str(n)), follow=False)
        await refuse(client, world, REGISTRY, f"b-{n}")
    whole = await told(client, world, REGISTRY)
    kinds = ["refused" if "problem" in event["data"] else "deficiency" for event in whole]
    assert kinds == ["refused", "deficiency", "refused"] * 3
    for size in (1, 2, 4):
        assert await told(client, world, REGISTRY, size) == whole
    after = ""
    for n, event in enumerate(whole):
        answer = await client.get("/v1/feed", params={"after": event["id"]}, headers=world.headers(REGISTRY))
        assert answer.json()["items"] == whole[n + 1 :]
        after = answer.json()["after"]
    await refuse(client, world, REGISTRY, "later")
    answer = await client.get("/v1/feed", params={"after": after}, headers=world.headers(REGISTRY))
    assert [event["data"]["notice_id"] for event in answer.json()["items"]] == ["later"]


@pytest.mark.parametrize("who", ["auditor", "technical", "political-entity:7"])
async def test_the_feed_is_for_authorities_that_send(world: World, client: httpx.AsyncClient, who: str) -> None:
    answer = await client.get("/v1/feed", headers=world.headers(who))
    assert (answer.status_code, answer.json()["provision"]) == (403, "Art. 3.6 a")


@pytest.mark.parametrize("after", ["x", "-1", "1.", "1.0", "01", "9" * 19, "1 "])
async def test_a_cursor_that_names_no_place_is_refused(world: World, client: httpx.AsyncClient, after: str) -> None:
    headers = world.headers(REGISTRY)
    answer = await client.get("/v1/feed", params={"after": after}, headers=headers)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/query/after")
    both = headers | {"Accept": "text/event-stream", "Last-Event-ID": after.strip() + "x"}
    answer = await client.get("/v1/feed", headers=both)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/header/last-event-id")


# --- both grow at once ----------------------------------------------------------------------------------------------


def refused(world: World, n: int) -> Refused:
    return Refused(
        received_at=world.clock(),
        authority=REGISTRY,
        sub="clerk",
        notice_id=f"r-{n}",
        instance=UUID(int=n),
        refusal=Refusal("schema", "No", provision="Art. 3.5(6)", faults=(Fault("", "No"),)),
        line=b"{}",
    )


async def test_a_refusal_with_a_lower_id_that_is_committed_later_is_not_passed_over(world: World) -> None:
    """Given a refusal under way with id 1, when another with id 2 is committed, then a reader waits for the first."""
    feed, journal = world.system.feed, world.system.journal
    row = {
        "received_at": world.clock(),
        "authority": REGISTRY,
        "sub": "clerk",
        "notice_id": "slow",
        "instance": UUID(int=7),
        "problem": "schema",
        "detail": "No",
        "provision": None,
        "faults": [],
        "line": b"{}",
    }
    from register.intake.tables import REFUSED

    with world.system.database.engine.begin() as slow:
        after = slow.scalar(sa.select(sa.func.intake.begin_refusal()))
        slow.execute(sa.insert(REFUSED), [row | {"after_position": after}])
        journal.file([refused(world, 2)])
        reader = asyncio.create_task(asyncio.to_thread(feed.page, REGISTRY, feed_beginning(), 10))
        await asyncio.sleep(0.2)
        assert not reader.done()
    page = await reader
    assert [event.data.notice_id for event in page.events] == ["slow", "r-2"]


def feed_beginning() -> Any:
    from register.intake.feed import BEGINNING

    return BEGINNING


async def test_nothing_is_lost_nor_doubled_while_events_and_refusals_come_from_several_at_once(world: World) -> None:
    """Three write refusals, one writes events, two readers go on from what they saw; both see all of it, alike."""
    begun, done = 40, threading.Event()

    def write_refusals(writer: int) -> None:
        journal = Journal(world.system.database.engine)
        for n in range(begun):
            journal.file([refused(world, writer * 1_000 + n * 2), refused(world, writer * 1_000 + n * 2 + 1)])

    def write_events() -> None:
        for n in range(begun):
            world.send("cec", established(REGISTRY, key=f"e-{n}"), follow=False)

    def read(limit: int) -> list[str]:
        own, seen = Feed(world.system.store, Journal(world.system.database.engine)), []
        place, last = feed_beginning(), False
        while not last:
            last = done.is_set()
            while True:
                page = own.page(REGISTRY, place, limit)
                seen += [event.id for event in page.events]
                place = page.place
                if not page.more:
                    break
        return seen

    readers = [asyncio.create_task(asyncio.to_thread(read, limit)) for limit in (3, 100)]
    await asyncio.gather(asyncio.to_thread(write_events), *(asyncio.to_thread(write_refusals, n) for n in (1, 2, 3)))
    done.set()
    one, other = await asyncio.gather(*readers)
    assert one == other
    assert len(one) == len(set(one)) == begun + 3 * begun * 2


# --- server-sent events ---------------------------------------------------------------------------------------------


class Stream:
    """One open stream, as its reader sees it; ``reading`` False: the reader takes nothing."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.text = ""
        self.ended = False
        self.gone = asyncio.Event()
        self.reading = asyncio.Event()
        self.reading.set()
        self.news = asyncio.Condition()
        self.begun = asyncio.Event()

    async def receive(self) -> dict[str, Any]:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        await self.reading.wait()
        self.begun.set()
        async with self.news:
            if message["type"] == "http.response.start":
                self.status = message["status"]
                self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
            else:
                self.text += message["body"].decode()
                self.ended = not message.get("more_body", False)
            self.news.notify_all()

    async def until(self, count: int) -> list[dict[str, Any]]:
        """Wait for so many events; all there are."""
        async with asyncio.timeout(10), self.news:
            await self.news.wait_for(lambda: len(self.events()) >= count)
        return self.events()

    def events(self) -> list[dict[str, Any]]:
        blocks = [dict(line.split(": ", 1) for line in b.split("\n") if ": " in line) for b in self.text.split("\n\n")]
        found = [(block["id"], json.loads(block["data"])) for block in blocks if "data" in block]
        assert all(each == event["id"] for each, event in found)
        return [event for _, event in found]


@asynccontextmanager
async def opened(app: Any, headers: dict[str, str], query: str = "") -> AsyncIterator[Stream]:
    one = Stream()
    raw = [(n.lower().encode(), v.encode()) for n, v in {**headers, "Accept": "text/event-stream"}.items()]
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": "/v1/feed",
        "raw_path": b"/v1/feed",
        "root_path": "",
        "query_string": query.encode(),
        "headers": raw,
        "client": ("192.0.2.7", 40000),
        "server": ("register", 80),
    }
    task = asyncio.create_task(app(scope, one.receive, one.send))
    try:
        yield one
    finally:
        one.gone.set()
        one.reading.set()
        await asyncio.wait_for(task, 10)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "PAUSE", 0.02)


async def test_a_stream_tells_what_was_and_what_comes_and_is_taken_up_again(
    world: World, client: httpx.AsyncClient
) -> None:
    app = create_app(world.system)
    await refuse(client, world, REGISTRY, "before")
    async with opened(app, world.headers(REGISTRY)) as live:
        (first,) = await live.until(1)
        assert live.headers["content-type"].startswith("text/event-stream")
        assert live.headers["cache-control"] == "no-store"
        world.send("cec", established(REGISTRY), follow=False)
        await refuse(client, world, REGISTRY, "after")
        events = await live.until(3)
    assert events == await told(client, world, REGISTRY)
    async with opened(app, world.headers(REGISTRY) | {"Last-Event-ID": first["id"]}, "after=0") as again:
        assert await again.until(2) == events[1:]
    assert again.text.startswith("retry: ")


async def test_a_silent_stream_shows_that_it_lives_and_ends_with_its_token(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "HEARTBEAT", 0.05)
    async with opened(create_app(world.system), world.headers(REGISTRY)) as live, asyncio.timeout(10), live.news:
        await live.news.wait_for(lambda: live.text.count(":\n\n") >= 2)
        assert not live.ended
        world.clock.now += timedelta(hours=1, seconds=61)
        await live.news.wait_for(lambda: live.ended)
    assert "token" in live.text.splitlines()[-2]


async def test_nothing_is_looked_for_while_the_reader_takes_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "PIECE", 2)
    world.system.journal.file([refused(world, n) for n in range(20)])
    looked = 0
    page = Feed.page

    def counted(self: Feed, *arguments: Any) -> Any:
        nonlocal looked
        looked += 1
        return page(self, *arguments)

    monkeypatch.setattr(Feed, "page", counted)
    async with opened(create_app(world.system), world.headers(REGISTRY)) as slow:
        await slow.until(2)
        slow.reading.clear()
        await asyncio.sleep(0.3)
        before = looked
        await asyncio.sleep(0.3)
        assert looked == before <= 11
        slow.reading.set()
        assert len(await slow.until(20)) == 20


async def test_an_authority_has_so_many_streams_and_no_more_and_others_have_theirs(
    world: World, client: httpx.AsyncClient
) -> None:
    app = create_app(world.system)
    async with asyncio.timeout(10):
        contexts = [opened(app, world.headers(REGISTRY)) for _ in range(EACH)]
        streams = [await context.__aenter__() for context in contexts]
        for each in streams:
            await each.begun.wait()
        async with opened(app, world.headers(REGISTRY)) as refused_one, refused_one.news:
            await refused_one.news.wait_for(lambda: refused_one.ended)
            assert (refused_one.status, refused_one.headers["retry-after"]) == (429, "30")
        async with opened(app, world.headers(OTHER)) as other, other.news:
            await other.news.wait_for(lambda: other.status == 200)
        for context in contexts:
            await context.__aexit__(None, None, None)
    async with opened(app, world.headers(REGISTRY)) as again, again.news:
        await again.news.wait_for(lambda: again.status == 200)


async def test_a_quiet_authority_costs_a_look_into_an_index_and_no_scan(world: World) -> None:
    from register.store.addressed import addressed_query

    asked = {"authority": "court:quiet", "after": 0, "upto": 2**62, "limit": 100}
    with world.system.database.psycopg() as connection:
        connection.execute("SET LOCAL enable_seqscan = off")
        plan = connection.execute(f"EXPLAIN {addressed_query('notification_id')}", asked).fetchall()
    text = "\n".join(line for (line,) in plan)
    assert text.count("Index") >= 2
    assert text.count("event_addressed") == 2
    assert caller_for("court:quiet", "x").role == "court"
