"""Small JSON bodies: read whole, decoded into a struct, refused by pointer and never by value."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, TypeVar

import msgspec
from fastapi import Depends, Request

from register.intake.plain import control_characters, read_json
from register.law.provisions import Fault, Refusal

#: Bytes of such a body, at most.
LIMIT: Final = 1 << 16
T = TypeVar("T")
_PLACE: Final = re.compile(r" - at `\$(.*)`$")
_MEMBER: Final = re.compile(r"Object (missing required|contains unknown) field `([^`]{1,64})`")


async def small_body(request: Request) -> bytes:
    """Dependency: the body of a request. Raises ``Refusal("too-large")`` beyond :data:`LIMIT` bytes."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LIMIT:
            raise Refusal("too-large", f"This body has at most {LIMIT} bytes")
    return bytes(body)


SmallBody = Annotated[bytes, Depends(small_body)]


def decode(body: bytes, kind: type[T]) -> T:
    """The body as a struct, its texts in NFC.

    Raises ``Refusal``: ``malformed`` for what is not JSON, is nested too deeply or names a member twice; ``schema`` for
    another form, control characters included. It is read as a notice is, so that both mean the same text.
    """
    document = read_json(body)
    for fault_kind, fault in control_characters(document, ""):
        raise Refusal(fault_kind, fault.detail, faults=(fault,))
    try:
        return msgspec.json.decode(msgspec.json.encode(document), type=kind)
    except msgspec.ValidationError as error:
        fault = _fault(str(error))
        raise Refusal("schema", fault.detail, faults=(fault,)) from None


def schema_of(kind: type) -> dict[str, Any]:
    """OpenAPI's ``requestBody`` for a struct without structs in it."""
    _, components = msgspec.json.schema_components((kind,))
    schema = components[kind.__name__]
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def _fault(said: str) -> Fault:
    place, member = _PLACE.search(said), _MEMBER.match(said)
    pointer = "" if place is None else re.sub(r"[.\[]", "/", place[1].replace("]", ""))
    if member is None:
        return Fault(pointer, "This is not what is expected here")
    if member[1] == "missing required":
        return Fault(f"{pointer}/{member[2]}", "This member is missing")
    return Fault(pointer, "There is a member that is not known here")
