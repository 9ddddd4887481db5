"""The promise to senders in machine-readable form: a JSON Schema for each type of notice, made from the very types.

``contracts/notices/`` holds what :func:`notice_schemas` returns, one file a type; a test fails when they differ.
"""

from __future__ import annotations

import inspect
from typing import Any, Final

import msgspec

from register.intake.examples import EXAMPLES
from register.intake.parse import JSON_TYPE
from register.law.events import DOCUMENT_REQUIRED, NOTICE_TYPES, Notice

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
#: What an id and a source look like.
NOTICE_ID: Final = r"^[A-Za-z0-9._:-]{1,128}$"
SOURCE: Final = r"^urn:cvr:authority:[a-z-]+(:[a-z0-9-]+)?$"


def notice_schemas() -> dict[str, dict[str, Any]]:
    """Return file name → JSON Schema 2020-12 of the whole CloudEvent, with examples, for each type of notice."""
    return {f"{kind.TOPIC}.json": _schema(kind) for kind in NOTICE_TYPES}


def notice_reference() -> dict[str, Any]:
    """Return a schema of any notice for OpenAPI: the envelope, whose ``type`` says which contract holds."""
    return {
        "title": "Notice",
        "description": "A CloudEvents 1.0 JSON event; contracts/notices has a JSON Schema for each type",
        "type": "object",
        "properties": _envelope({"enum": [kind.TOPIC for kind in NOTICE_TYPES]}, {"type": "object"}),
        "required": ["specversion", "id", "source", "type", "time", "data"],
        "examples": [EXAMPLES["ba.cvr.death.v1"][0]],
    }


def _schema(kind: type[Notice]) -> dict[str, Any]:
    (data,), definitions = msgspec.json.schema_components([kind], ref_template="#/$defs/{name}")
    own = definitions.pop(data["$ref"].rpartition("/")[2])
    if kind in DOCUMENT_REQUIRED:
        own["required"] = [*own["required"], "document"]
        own["properties"]["document"] = {"$ref": "#/$defs/Document"}
    own.pop("description", None)
    schema: dict[str, Any] = {
        "$schema": _DIALECT,
        "$id": f"urn:cvr:contract:{kind.TOPIC}",
        "title": kind.TOPIC,
        "description": inspect.cleandoc(kind.__doc__ or ""),
        "type": "object",
        "properties": _envelope({"const": kind.TOPIC}, own),
        "required": ["specversion", "id", "source", "type", "time", "data"],
        "not": {"required": ["data_base64"]},
        "examples": EXAMPLES[kind.TOPIC],
    }
    if definitions:
        schema["$defs"] = definitions
    return schema


def _envelope(kind: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
    return {
        "specversion": {"const": "1.0"},
        "id": {"type": "string", "pattern": NOTICE_ID},
        "source": {"type": "string", "pattern": SOURCE},
        "type": kind,
        "time": {"type": "string", "format": "date-time"},
        "datacontenttype": {"type": "string", "pattern": f"^{JSON_TYPE}$"},
        "data": data,
    }
