"""The AsyncAPI 3.0 description of the feed: channel, server-sent events, and every message with schema and examples.

Schemas come from the very types the feed encodes with, examples are encoded by them. AsyncAPI has no binding of its
own for server-sent events: the HTTP binding says how a stream is asked for, the rest is said in words.
"""

from __future__ import annotations

import inspect
import json
import re
from datetime import UTC, date, datetime
from typing import Any, Final
from uuid import UUID

import msgspec

from register.api import feed
from register.intake import messages as m
from register.intake.answers import problem_of
from register.law.deficiencies import KINDS
from register.law.events import REGISTER
from register.law.provisions import Fault, Refusal

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_FORMAT: Final = "application/schema+json;version=draft-2020-12"
_CLOUDEVENT: Final = "application/cloudevents+json"

_REFUSAL: Final = Refusal(
    "jmb",
    "The personal number is not a possible one",
    provision="Art. 3.5(6)",
    faults=(Fault("/data/jmb", "The personal number must have 13 digits"),),
)
_NOTICE: Final = m.Evidence("urn:cvr:authority:registry-office:10049", "2026-000123", 41)
_DEFICIENCY: Final[dict[str, Any]] = {
    "deficiency": UUID("019cb2f0-0000-7000-8000-000000000001"),
    "kind": "over-110",
    "explanation": KINDS["over-110"].sentence.format(age=117),
    "provision": KINDS["over-110"].provision,
    "established": 57,
    "municipality": "10049",
    "evidence": (_NOTICE,),
}
#: One example of each message; the people behind them are made up.
EXAMPLES: Final[tuple[m.Message, ...]] = (
    m.NoticeRefused(
        notice_id="2026-000124",
        received_at=datetime(2026, 3, 2, 9, 15, 1, tzinfo=UTC),
        problem=problem_of(_REFUSAL, UUID("4f5b8f5c-9a2e-4d6b-8f0e-2f6a5d1c7b90")),
    ),
    m.DeficiencyEstablished(**_DEFICIENCY),
    m.DeficiencyNotified(**_DEFICIENCY),
    m.DeficiencyDismissed(**_DEFICIENCY, reason="The date of birth was checked against the register of births"),
    m.DeficiencyRemedied(**_DEFICIENCY, position=63),
    m.ElectionCalled(
        election="2026-general", kind="general", early=False, day=date(2026, 10, 4), called_on=date(2026, 5, 6)
    ),
    m.ElectionConcluded(election="2026-general", position=812),
    m.FirstLoadDeclared(until=date(2026, 6, 30)),
    m.SenderKeyRegistered(keyid="2026-1", public_key="11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="),
    m.SenderKeyRevoked(keyid="2026-1", reason="The key was replaced"),
)


def asyncapi() -> dict[str, Any]:
    """Return the description; ``contracts/asyncapi.yaml`` holds it."""
    names = {kind: _name(kind) for kind in m.MESSAGES}
    description = {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Central Voters Register of Bosnia and Herzegovina: the feed",
            "version": "1",
            "description": "What an authority is told, as CloudEvents 1.0 in structured mode. Each event is told at "
            "least once, in one order, under the same id whenever it is told again; (source, id) identifies it.",
            "license": {"name": "EUPL-1.2"},
        },
        "defaultContentType": _CLOUDEVENT,
        "channels": {"feed": _channel(names)},
        "operations": {
            "tellAuthority": {
                "action": "send",
                "channel": {"$ref": "#/channels/feed"},
                "summary": "The register tells an authority what is addressed to it",
                "security": [{"$ref": "#/components/securitySchemes/bearer"}],
                "messages": [{"$ref": f"#/channels/feed/messages/{name}"} for name in names.values()],
                "bindings": {"http": {"method": "GET", "query": _query(), "bindingVersion": "0.3.0"}},
            }
        },
        "components": {
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "RFC 9068 access token of an authority; a stream ends when its token does",
                }
            },
            "messages": {names[type(data)]: _message(n, data) for n, data in enumerate(EXAMPLES)},
        },
    }
    plain: dict[str, Any] = json.loads(json.dumps(description))  # no tuples, as whoever reads the file has it
    return plain


def _channel(names: dict[type[m.Message], str]) -> dict[str, Any]:
    return {
        "address": "/v1/feed",
        "title": "The feed of the caller's authority",
        "description": inspect.cleandoc(
            f"""
            With `Accept: {feed.STREAM}` the answer is a stream of server-sent events (WHATWG HTML, section 9.2):
            `id` is the id of the CloudEvent in `data`, and no `event` is given. A stream is taken up again with
            `Last-Event-ID`; a comment comes after {feed.HEARTBEAT:.0f} seconds of silence; the stream ends when the
            token does. Without that header the answer is a page of JSON: `items`, `next` (null at the end) and
            `after`, which is what to go on from.
            """
        ),
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names.values()},
    }


def _query() -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {
            "after": {"type": "string", "description": "The id of the last event seen; none: the beginning"},
            "limit": {"type": "integer", "minimum": 1, "maximum": 1000, "description": "Items of a page, at most"},
        },
        "additionalProperties": False,
    }


def _message(number: int, data: m.Message) -> dict[str, Any]:
    kind = type(data)
    place = f"{57 + number}.3" if isinstance(data, m.NoticeRefused) else str(57 + number)
    example = m.CloudEvent(id=place, type=kind.TYPE, time=datetime(2026, 3, 2, 9, 15, 1, tzinfo=UTC), data=data)
    return {
        "name": kind.TYPE,
        "title": _name(kind),
        "summary": inspect.cleandoc(kind.__doc__ or "").partition("\n")[0],
        "contentType": _CLOUDEVENT,
        "payload": {"schemaFormat": _FORMAT, "schema": message_schema(kind)},
        "examples": [{"name": _name(kind), "payload": json.loads(msgspec.json.encode(example))}],
    }


def message_schema(kind: type[m.Message]) -> dict[str, Any]:
    """Return the JSON Schema 2020-12 of the whole outgoing CloudEvent of a type."""
    (data,), definitions = msgspec.json.schema_components([kind], ref_template="#/$defs/{name}")
    own = definitions.pop(data["$ref"].rpartition("/")[2])
    schema: dict[str, Any] = {
        "$schema": _DIALECT,
        "$id": f"urn:cvr:contract:{kind.TYPE}",
        "type": "object",
        "properties": {
            "specversion": {"const": "1.0"},
            "id": {"type": "string", "pattern": r"^(0|[1-9][0-9]*)(\.[1-9][0-9]*)?$"},
            "source": {"const": REGISTER},
            "type": {"const": kind.TYPE},
            "time": {"type": "string", "format": "date-time"},
            "datacontenttype": {"const": "application/json"},
            "data": own,
        },
        "required": ["specversion", "id", "source", "type", "time", "datacontenttype", "data"],
    }
    if definitions:  # references within a schema with an `$id` are resolved from that schema's own root
        schema["$defs"] = definitions
    return schema


def _name(kind: type[m.Message]) -> str:
    return kind.__name__[0].lower() + kind.__name__[1:]


# --- YAML -----------------------------------------------------------------------------------------------------------

_PLAIN: Final = re.compile(r"[A-Za-z$][A-Za-z0-9$_-]*")
#: Words that YAML takes for something else than text.
_OTHER: Final = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})


def yaml_text(document: dict[str, Any]) -> str:
    """Return JSON values as YAML 1.2 in block style; texts that need it are quoted as JSON quotes them."""
    return "\n".join(_lines(document)) + "\n"


def _lines(value: dict[str, Any] | list[Any]) -> list[str]:
    written: list[str] = []
    if isinstance(value, dict):
        for name, member in value.items():
            if isinstance(member, dict | list) and member:
                written += [f"{_scalar(name)}:", *(f"  {line}" for line in _lines(member))]
            else:
                written.append(f"{_scalar(name)}: {_scalar(member)}")
        return written
    for item in value:
        first, *rest = _lines(item) if isinstance(item, dict | list) and item else [_scalar(item)]
        written += [f"- {first}", *(f"  {line}" for line in rest)]
    return written


def _scalar(value: Any) -> str:
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _OTHER:
        return value
    return json.dumps(value, ensure_ascii=False)
