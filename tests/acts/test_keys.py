"""Keys with which authorities sign: the CEC registers and revokes them; a keyid is one key's for ever (Art. 3.5(4))."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from register.acts import keys
from register.api.system import System
from register.law.competence import Caller
from register.law.events import SenderKeyRegistered, SenderKeyRevoked, subject_of
from register.law.provisions import Refusal
from tests.intake.conftest import NOW, REGISTRY, bearer, client, system

__all__ = ["bearer", "client", "system"]

Bearer = Callable[[str], dict[str, str]]
CEC = Caller("somebody", "cec", "cec")
FIRST, SECOND = (base64.b64encode(bytes(range(n, n + 32))).decode() for n in (1, 2))
SALT = "c2FtcGxlIHNhbHQgMTYgYg=="


def wanted(**members: Any) -> dict[str, Any]:
    return {"authority": REGISTRY, "keyid": "2026-1", "public_key": FIRST, **members}


async def test_a_key_is_registered_listed_revoked_and_never_comes_back(
    client: httpx.AsyncClient, bearer: Bearer, system: System
) -> None:
    cec = bearer("cec")
    first = await client.post("/v1/sender-keys", json=wanted(), headers=cec)
    again = await client.post("/v1/sender-keys", json=wanted(), headers=cec)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert first.json() == wanted() | {
        "required": False,
        "registered_at": "2026-03-03T08:00:00Z",
        "revoked_at": None,
        "position": 1,
    }
    gone = f"/v1/sender-keys/{REGISTRY}/2026-1/revocation"
    revoked, twice = [await client.post(gone, json={"reason": "the key was lost"}, headers=cec) for _ in range(2)]
    assert (revoked.status_code, twice.status_code) == (201, 200)
    assert revoked.json() == twice.json() == first.json() | {"revoked_at": "2026-03-03T08:00:00Z", "position": 2}
    back = await client.post("/v1/sender-keys", json=wanted(), headers=cec)
    assert (back.status_code, back.json()["type"]) == (409, "urn:cvr:problem:id-conflict")

    second = await client.post("/v1/sender-keys", json=wanted(keyid="2026-2", required=True), headers=cec)
    assert second.status_code == 201
    listed = (await client.get("/v1/sender-keys", headers=cec)).json()
    assert listed == {"items": [revoked.json(), second.json()], "next": None}
    found = keys.load(system.store, REGISTRY)
    assert (set(found.public), found.required) == ({"2026-2"}, True)
    assert system.store.head() == 3


async def test_what_the_cec_may_not_register(client: httpx.AsyncClient, bearer: Bearer, system: System) -> None:
    await client.post("/v1/sender-keys", json=wanted(), headers=bearer("cec"))
    for members, status, pointer in (
        ({"public_key": SECOND}, 409, "/keyid"),
        ({"required": True}, 409, "/keyid"),
        ({"authority": "political-entity:1"}, 422, "/authority"),
        ({"authority": "nobody:1"}, 422, "/authority"),
        ({"public_key": base64.b64encode(bytes(32)).decode(), "keyid": "zero"}, 422, "/public_key"),
        ({"public_key": FIRST[:-4], "keyid": "short"}, 422, "/public_key"),
        ({"keyid": "with space"}, 422, "/keyid"),
    ):
        answer = await client.post("/v1/sender-keys", json=wanted(**members), headers=bearer("cec"))
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (status, pointer), members
    unknown = await client.post(
        f"/v1/sender-keys/{REGISTRY}/never/revocation", json={"reason": "lost"}, headers=bearer("cec")
    )
    assert unknown.status_code == 404
    assert system.store.head() == 1


async def test_only_the_cec_keeps_the_keys(client: httpx.AsyncClient, bearer: Bearer, system: System) -> None:
    for who in (REGISTRY, "technical"):
        for answer in (
            await client.post("/v1/sender-keys", json=wanted(), headers=bearer(who)),
            await client.post(f"/v1/sender-keys/{REGISTRY}/a/revocation", json={"reason": "r"}, headers=bearer(who)),
            await client.get("/v1/sender-keys", headers=bearer(who)),
        ):
            assert (answer.status_code, answer.json()["provision"]) == (403, "Art. 3.5(4)")
    assert system.store.head() == 0


def test_two_who_register_at_once_do_not_register_two_keys_under_one_name(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    def register(public_key: str) -> tuple[keys.SenderKey, bool]:
        return keys.register(system.store, REGISTRY, "2026-1", public_key, CEC, required=False, now=NOW, salt=SALT)

    before = keys.load(system.store, REGISTRY)
    register(FIRST)
    monkeypatch.setattr(keys, "load", lambda *_: before)  # the other one looked a moment earlier
    with pytest.raises(Refusal) as refusal:
        register(SECOND)
    assert refusal.value.kind == "id-conflict"


def test_keys_have_a_stream_of_their_own_which_no_notice_makes_longer() -> None:
    registered = SenderKeyRegistered(authority="cec", keyid="a", public_key=FIRST, registered_by="somebody")
    revoked = SenderKeyRevoked(authority="cec", keyid="a", reason="lost", revoked_by="somebody")
    assert {subject_of(data, "urn:cvr:register") for data in (registered, revoked)} == {"sender-keys:cec"}


def test_whether_an_authority_must_sign_is_remembered_for_two_seconds_and_no_longer(system: System) -> None:
    now = 0.0
    ring = keys.KeyRing(system.store, lambda: now)
    assert ring.remembered(REGISTRY) is None
    assert ring.required(REGISTRY) is False
    keys.register(system.store, REGISTRY, "2026-1", FIRST, CEC, required=True, now=NOW, salt=SALT)
    assert ring.required(REGISTRY) is False  # by another process, a moment ago
    now = keys.REMEMBERED
    assert ring.remembered(REGISTRY) is None
    assert ring.required(REGISTRY) is True
    keys.revoke(system.store, REGISTRY, "2026-1", "lost", CEC, now=NOW, salt=SALT)
    ring.forget(REGISTRY)
    assert ring.required(REGISTRY) is False
