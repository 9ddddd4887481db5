"""The keys with which authorities sign their requests: registered, revoked and listed by the CEC (Art. 3.5(4))."""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Path, Response

from register.acts import keys
from register.api import problems
from register.api.bodies import SmallBody, decode, schema_of
from register.api.elections import salt_of
from register.api.knowledge import answers
from register.api.registry import CurrentCaller
from register.api.system import CurrentSystem
from register.law.competence import may_look
from register.law.events import Name, Text
from register.law.events.receiving import KeyId

_KEYID: Final = r"^[A-Za-z0-9._:-]{1,128}$"

_DONE: Final[dict[int | str, dict[str, Any]]] = {
    status: {**answers(keys.SenderKey)[200], "description": what}
    for status, what in {200: "It was so before", 201: "Done"}.items()
}

router = APIRouter(tags=["senders' keys"])


class NewKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A key to register. ``public_key``: base64 of 32 bytes (Ed25519). ``required``: unsigned requests are refused."""

    authority: Name
    keyid: KeyId
    public_key: Name
    required: bool = False


class Revocation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why a key is revoked."""

    reason: Text


class KeyPage(msgspec.Struct, frozen=True):
    """Every key ever registered, by authority."""

    items: list[keys.SenderKey]
    next: None = None


@router.post(
    "/v1/sender-keys",
    status_code=201,
    openapi_extra=schema_of(NewKey),
    responses=problems.responses(400, 401, 403, 409, 413, 422) | _DONE,
)
def register_key(body: SmallBody, system: CurrentSystem, caller: CurrentCaller) -> Response:
    """Register a key of an authority; 201, or 200 when it is registered so already."""
    may_look(caller, "sender-keys")
    wanted = decode(body, NewKey)
    key, new = keys.register(
        system.store,
        wanted.authority,
        wanted.keyid,
        wanted.public_key,
        caller,
        required=wanted.required,
        now=system.clock(),
        salt=salt_of(system),
    )
    system.keys.forget(wanted.authority)
    return problems.json_answer(key, 201 if new else 200)


@router.post(
    "/v1/sender-keys/{authority}/{keyid}/revocation",
    status_code=201,
    openapi_extra=schema_of(Revocation),
    responses=problems.responses(400, 401, 403, 404, 409, 413, 422) | _DONE,
)
def revoke_key(
    authority: Annotated[str, Path(max_length=100)],
    keyid: Annotated[str, Path(pattern=_KEYID)],
    body: SmallBody,
    system: CurrentSystem,
    caller: CurrentCaller,
) -> Response:
    """Revoke a key: from here on it signs nothing, what it signed stays signed; 201, or 200 when it was before."""
    may_look(caller, "sender-keys")
    try:
        key, new = keys.revoke(
            system.store,
            authority,
            keyid,
            decode(body, Revocation).reason,
            caller,
            now=system.clock(),
            salt=salt_of(system),
        )
    except LookupError:
        raise problems.NotFoundError from None
    system.keys.forget(authority)
    return problems.json_answer(key, 201 if new else 200)


@router.get("/v1/sender-keys", responses=problems.responses(401, 403) | answers(KeyPage))
def list_keys(system: CurrentSystem, caller: CurrentCaller) -> Response:
    """Every key ever registered, revoked ones included, by authority."""
    may_look(caller, "sender-keys")
    with system.database.psycopg() as connection:
        return problems.json_answer(KeyPage(keys.load_all(connection, system.store)))
