"""The description of the feed is what the feed does: its form, its examples, and messages really received."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest
import yaml
from jsonschema import Draft202012Validator

from register.api.asyncapi import EXAMPLES, asyncapi, message_schema, yaml_text
from register.app.parts import CONTRACTS
from register.intake.messages import MESSAGES
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
from tests.api.conftest import World, client, world  # noqa: F401 - the register of the tests of the API, and its client
from tests.api.test_feed import DAY, OTHER, REGISTRY, refuse, told

DOCUMENT = asyncapi()
REGENERATE = "contracts differ from the program: .venv/bin/python -m register contracts"
VALIDATOR = {kind.TYPE: Draft202012Validator(message_schema(kind)) for kind in MESSAGES}

#: AsyncAPI 3.0.0, the objects this document uses: required members, and all members there may be.
OBJECTS: dict[str, tuple[set[str], set[str]]] = {
    "root": (
        {"asyncapi", "info"},
        {"asyncapi", "id", "info", "servers", "defaultContentType", "channels", "operations", "components"},
    ),
    "info": (
        {"title", "version"},
        {"title", "version", "description", "termsOfService", "contact", "license", "tags", "externalDocs"},
    ),
    "channel": (
        set(),
        {"address", "messages", "title", "summary", "description", "servers", "parameters", "tags", "externalDocs"}
        | {"bindings"},
    ),
    "operation": (
        {"action", "channel"},
        {"action", "channel", "title", "summary", "description", "security", "tags", "externalDocs", "bindings"}
        | {"traits", "messages", "reply"},
    ),
    "message": (
        set(),
        {"headers", "payload", "correlationId", "contentType", "name", "title", "summary", "description", "tags"}
        | {"externalDocs", "bindings", "examples", "traits"},
    ),
    "payload": ({"schemaFormat", "schema"}, {"schemaFormat", "schema"}),
    "example": (set(), {"headers", "payload", "name", "summary"}),
    "http": (set(), {"method", "query", "bindingVersion"}),
    "security": ({"type", "scheme"}, {"type", "scheme", "bearerFormat", "description"}),
}
KEY = re.compile(r"[A-Za-z0-9._-]+")


def check(kind: str, found: dict[str, Any]) -> None:
    required, allowed = OBJECTS[kind]
    assert required <= found.keys() <= allowed, (kind, found.keys())


def resolved(reference: dict[str, str]) -> Any:
    assert list(reference) == ["$ref"]
    found: Any = DOCUMENT
    for step in reference["$ref"].removeprefix("#/").split("/"):
        found = found[step]
    return found


def test_the_published_description_is_the_programs_and_is_yaml() -> None:
    published = (CONTRACTS / "asyncapi.yaml").read_text(encoding="utf-8")
    assert published == yaml_text(DOCUMENT), REGENERATE
    assert yaml.safe_load(published) == DOCUMENT


def test_it_has_the_form_of_asyncapi_3() -> None:
    check("root", DOCUMENT)
    check("info", DOCUMENT["info"])
    assert DOCUMENT["asyncapi"] == "3.0.0"
    assert DOCUMENT["components"].keys() <= {"schemas", "messages", "securitySchemes"}
    for channel in DOCUMENT["channels"].values():
        check("channel", channel)
        assert channel["address"].startswith("/")
        for name, message in channel["messages"].items():
            assert KEY.fullmatch(name)
            assert resolved(message) is DOCUMENT["components"]["messages"][name]
    for operation in DOCUMENT["operations"].values():
        check("operation", operation)
        assert operation["action"] in {"send", "receive"}
        channel = resolved(operation["channel"])
        # An operation names messages of its own channel, not of the components.
        assert all(resolved(message) in channel["messages"].values() for message in operation["messages"])
        check("http", operation["bindings"]["http"])
        assert operation["bindings"]["http"]["query"]["type"] == "object"
        for scheme in operation["security"]:
            check("security", resolved(scheme))
    for message in DOCUMENT["components"]["messages"].values():
        check("message", message)
        check("payload", message["payload"])
        for example in message["examples"]:
            check("example", example)


def test_every_message_has_an_example_that_its_schema_takes_and_no_other_does() -> None:
    assert {type(example) for example in EXAMPLES} == set(MESSAGES)
    for message in DOCUMENT["components"]["messages"].values():
        Draft202012Validator.check_schema(message["payload"]["schema"])
        for example in message["examples"]:
            taken = {name for name, validator in VALIDATOR.items() if validator.is_valid(example["payload"])}
            assert taken == {message["name"]}
            assert not VALIDATOR[message["name"]].is_valid(example["payload"] | {"data": {}})


@pytest.mark.usefixtures("world", "client")
async def test_messages_really_received_are_as_described(
    world: World,  # noqa: F811 - a fixture
    client: httpx.AsyncClient,  # noqa: F811 - a fixture
) -> None:
    await refuse(client, world, REGISTRY, "2026-1")
    deficiency = DeficiencyEstablished(
        kind="over-110", key="k", authority=REGISTRY, evidence=(2,), persons=(), figures={"age": 117}
    )
    at = world.send("cec", deficiency, follow=False)
    about: dict[str, Any] = {"kind": "over-110", "key": "k", "authority": REGISTRY, "established": at}
    key: dict[str, Any] = {"authority": REGISTRY, "keyid": "2026"}
    world.send(
        "cec",
        DeficiencyNotified(**about, notified_by="Amra"),
        DeficiencyDismissed(**about, reason="none", dismissed_by="Amra"),
        DeficiencyRemedied(**about, position=at),
        ElectionCalled(election="2026", kind="general", early=False, day=DAY, called_on=DAY),
        ElectionConcluded(election="2026", concluded_by="Amra", rules="1", reference="1"),
        FirstLoadDeclared(authority=REGISTRY, until=DAY, declared_by="Amra"),
        SenderKeyRegistered(**key, public_key="A" * 43 + "=", registered_by="Amra"),
        SenderKeyRevoked(**key, reason="lost", revoked_by="Amra"),
        follow=False,
    )
    received = await told(client, world, REGISTRY)
    assert {event["type"] for event in received} == set(VALIDATOR)
    for event in received:
        VALIDATOR[event["type"]].validate(event)
    assert {event["type"].split(".")[3] for event in await told(client, world, OTHER)} == {
        "election-called",
        "election-concluded",
    }
