"""Parts of the OpenAPI description that FastAPI cannot see: bodies that are read as they come, and problems."""

from __future__ import annotations

import json
from typing import Any, Final

import msgspec
from fastapi import FastAPI

from register.api.errors import complete, notice_bodies, several
from register.intake.answers import Answer, End, Problem, Receipt
from register.intake.contracts import notice_reference

_REF: Final = "#/components/schemas/{name}"


def _content(schema: dict[str, Any]) -> dict[str, Any]:
    return {"schema": schema}


_ANSWERS: Final = {"anyOf": [{"$ref": "#/components/schemas/Answer"}, {"$ref": "#/components/schemas/End"}]}
_RECEIPT: Final = {"application/json": _content({"$ref": "#/components/schemas/Receipt"})}

#: POST /v1/notices: what is sent, and what is answered.
NOTICES: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/cloudevents+json": _content(notice_reference()) | {"examples": notice_bodies()},
            "application/cloudevents-batch+json": _content(
                {"type": "array", "maxItems": 10_000, "items": notice_reference()}
            )
            | {"example": several()},
            "application/x-ndjson": _content(
                {"type": "string", "description": "One notice a line, any number; gzip or zstd by Content-Encoding"}
            )
            | {"example": "".join(f"{json.dumps(notice, ensure_ascii=False)}\n" for notice in several())},
        },
    },
    "responses": {
        "200": {
            "description": "A repeat's receipt; or an answer for each notice of a batch or stream, and the end",
            "content": {
                "application/json": _content(
                    {"anyOf": [{"$ref": "#/components/schemas/Receipt"}, {"type": "array", "items": _ANSWERS}]}
                ),
                "application/x-ndjson": _content(
                    {"type": "string", "description": "Answers (see Answer), one a line, and the end (see End)"}
                ),
            },
        },
        "201": {"description": "Recorded: the receipt", "content": _RECEIPT},
    },
}


def describe(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI 3.1 description of an application, with the schemas its routes refer to."""
    description = app.openapi()
    _, schemas = msgspec.json.schema_components((Problem, Answer, End, Receipt), ref_template=_REF)
    components = description.setdefault("components", {}).setdefault("schemas", {})
    components.pop("HTTPValidationError", None)
    components.pop("ValidationError", None)
    components.update(schemas)
    for path in description["paths"].values():
        for operation in path.values():
            found = operation.get("responses", {}).get("422", {})
            if "application/json" in found.get("content", {}):
                found["description"] = "The request does not have the agreed form"
                found["content"] = {"application/problem+json": _content({"$ref": _REF.format(name="Problem")})}
    complete(app, description)
    return description
