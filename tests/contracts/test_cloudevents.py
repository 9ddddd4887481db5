"""What the official CloudEvents library writes in structured mode is taken in; what the feed tells, it reads."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from cloudevents.core.bindings.http import HTTPMessage, from_structured_event, to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent
from jsonschema import Draft202012Validator

from register.intake.contracts import notice_schemas
from register.intake.examples import EXAMPLES
from tests.api.conftest import World, client, world  # noqa: F401 - the register of the tests of the API
from tests.api.test_feed import REGISTRY, established, refuse, told

pytestmark = pytest.mark.usefixtures("world", "client")
NOTICES = [example for examples in EXAMPLES.values() for example in examples]
DEATH = EXAMPLES["ba.cvr.death.v1"][0]


def made(notice: dict[str, Any], **attributes: Any) -> CloudEvent:
    """A notice as a sender's program would make it with the library; attributes replaced, or left out with None."""
    own = {name: value for name, value in notice.items() if name not in ("data", "time")}
    own |= {"time": datetime(2026, 3, 2, 9, 15, tzinfo=UTC)} | attributes
    return CloudEvent({name: value for name, value in own.items() if value is not None}, notice["data"])


async def send(client: httpx.AsyncClient, world: World, message: HTTPMessage) -> httpx.Response:  # noqa: F811
    sender = str(message.headers.get("ce-source") or json.loads(message.body)["source"])
    headers = world.headers(sender.removeprefix("urn:cvr:authority:")) | message.headers
    return await client.post("/v1/notices?dry_run=true", content=message.body, headers=headers)


async def test_every_example_is_taken_as_the_library_writes_it(client: httpx.AsyncClient, world: World) -> None:  # noqa: F811
    became = {}
    for notice in NOTICES:
        message = to_structured_event(made(notice))
        Draft202012Validator(notice_schemas()[f"{notice['type']}.json"]).validate(json.loads(message.body))
        answer = await send(client, world, message)
        became[notice["type"], notice["id"]] = answer.json().get("status")
    # There is nothing in this register to annul.
    assert {key for key, status in became.items() if status != "recorded"} == {("ba.cvr.annulment.v1", "2026-000124")}


async def test_optional_attributes_and_extensions_are_taken(client: httpx.AsyncClient, world: World) -> None:  # noqa: F811
    variants: list[dict[str, Any]] = [
        {"datacontenttype": None},
        {"datacontenttype": "application/json; charset=utf-8"},
        {"datacontenttype": "application/json;charset=UTF-8"},
        {"datacontenttype": 'application/json; charset="utf-8"'},
        {"subject": "17/26", "dataschema": "urn:cvr:contract:ba.cvr.death.v1"},
        {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "sequence": "7", "sampledrate": 3},
        {"time": datetime.fromisoformat("2026-03-02T10:15:00.123456+01:00")},
    ]
    for attributes in variants:
        answer = await send(client, world, to_structured_event(made(DEATH, **attributes)))
        assert (answer.status_code, answer.json()["status"]) == (200, "recorded"), attributes


async def test_what_the_library_allows_and_a_notice_cannot_be_is_refused_by_its_place(
    client: httpx.AsyncClient,  # noqa: F811
    world: World,  # noqa: F811
) -> None:
    whole = made(DEATH).get_attributes()
    cases: list[tuple[CloudEvent, int, list[str]]] = [
        (CloudEvent(whole), 422, ["/data"]),
        (CloudEvent(whole, b"{}"), 422, ["/data", "/data_base64"]),
        (CloudEvent({**whole, "datacontenttype": "text/plain"}, "text"), 415, ["/data", "/datacontenttype"]),
        (CloudEvent({**whole, "datacontenttype": "application/json; charset=latin2"}, DEATH["data"]), 415,
         ["/datacontenttype"]),
        (CloudEvent({**whole, "datacontenttype": "application/cbor"}, b"x"), 415,
         ["/data", "/data_base64", "/datacontenttype"]),
    ]  # fmt: skip
    for event, status, pointers in cases:
        answer = await send(client, world, to_structured_event(event))
        found = sorted(fault["pointer"] for fault in answer.json().get("errors", ()))
        assert (answer.status_code, found) == (status, pointers), answer.text


async def test_binary_mode_is_refused(client: httpx.AsyncClient, world: World) -> None:  # noqa: F811
    answer = await send(client, world, to_binary_event(made(DEATH)))
    assert (answer.status_code, answer.json()["type"]) == (415, "urn:cvr:problem:media-type")


async def test_what_the_feed_tells_is_read_and_written_again_alike(
    client: httpx.AsyncClient,  # noqa: F811
    world: World,  # noqa: F811
) -> None:
    await refuse(client, world, REGISTRY, "2026-1")
    world.send("cec", established(REGISTRY), follow=False)
    events = await told(client, world, REGISTRY)
    assert len(events) == 2
    for event in events:
        body = json.dumps(event).encode()
        read = from_structured_event(HTTPMessage({"content-type": "application/cloudevents+json"}, body))
        assert (read.get_source(), read.get_id(), read.get_type()) == (event["source"], event["id"], event["type"])
        assert read.get_data() == event["data"]
        assert json.loads(to_structured_event(read).body) == event
