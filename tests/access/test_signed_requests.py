"""Signed requests (RFC 9421, RFC 9530): accepted, checked before anything counts, and on record so as to be proved."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

import httpx
import msgspec
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from register.access.signed import _WEAK, AHEAD, OLDEST, Head, proves, read_public_key, signatures, verifies
from register.api.system import System
from register.audit.offline import ed25519
from register.audit.reading import held_still
from register.audit.verify.documents import check_signed
from register.intake.documents import Arrival, Shelf
from register.law.events import Event, RequestSigned, SenderKeyRegistered
from register.law.provisions import Refusal
from register.store import Pending
from tests.intake.conftest import NOW, REGISTRY, Notice, bearer, client, enveloped, example, system

__all__ = ["bearer", "client", "system"]

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
ONE = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
NDJSON = "application/x-ndjson"
COVERED = ("@method", "@path", "content-digest")
CREATED = int(NOW.timestamp())
Bearer = Callable[[str], dict[str, str]]


def public(key: Ed25519PrivateKey) -> str:
    return base64.b64encode(key.public_key().public_bytes_raw()).decode()


def digest_of(body: bytes) -> str:
    return f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"


def sign(
    body: bytes,
    *,
    key: Ed25519PrivateKey = KEY,
    covered: Iterable[str] = COVERED,
    parameters: str = f';created={CREATED};keyid="2026-1"',
    values: dict[str, str] | None = None,
    path: str = "/v1/notices",
) -> dict[str, str]:
    """The headers a sender adds, made from the text of the RFCs alone; ``values`` of what else is covered."""
    digest = digest_of(body)
    known = {"@method": "POST", "@path": path, "content-digest": digest, **(values or {})}
    names = " ".join(f'"{name}"' for name in covered)
    lines = [f'"{name}": {known[name]}' for name in covered]
    base = "\n".join([*lines, f'"@signature-params": ({names}){parameters}'])
    signature = base64.b64encode(key.sign(base.encode())).decode()
    return {
        "Content-Digest": digest,
        "Signature-Input": f"sig=({names}){parameters}",
        "Signature": f"sig=:{signature}:",
    }


def bodies(count: int = 2) -> list[Notice]:
    return [enveloped(example("citizen", parent_name=f"Otac {n}"), id=f"n-{n}") for n in range(count)]


def packed(notices: list[Notice], kind: str) -> bytes:
    if kind == NDJSON:
        return b"".join(json.dumps(notice).encode() + b"\n" for notice in notices)
    return json.dumps(notices if kind == BATCH else notices[0]).encode()


def last(answer: httpx.Response) -> dict[str, Any]:
    """The receipt, or the last answer of several."""
    found = [json.loads(line) for line in answer.text.splitlines()]
    told = found[-1] if len(found) > 1 or isinstance(found[0], dict) else found[0][-1]
    assert isinstance(told, dict)
    return told


def noted(system: System) -> list[Event]:
    return list(system.store.events(topics=[RequestSigned.TOPIC]))


def kept(system: System) -> list[bytes]:
    """The bodies of signed requests that are kept, and whatever was left half written."""
    found = (system.settings.data / "documents" / "requests").rglob("*")
    return [path.read_bytes() for path in sorted(found) if path.is_file()]


@pytest.fixture
async def register_key(client: httpx.AsyncClient, bearer: Bearer) -> Callable[..., Any]:
    async def register(keyid: str = "2026-1", key: Ed25519PrivateKey = KEY, *, required: bool = False) -> None:
        wanted = {"authority": REGISTRY, "keyid": keyid, "public_key": public(key), "required": required}
        answer = await client.post("/v1/sender-keys", json=wanted, headers=bearer("cec"))
        assert answer.status_code == 201

    return register


@pytest.fixture
async def send(client: httpx.AsyncClient, bearer: Bearer) -> Callable[..., Any]:
    async def sending(body: Any, kind: str = ONE, query: str = "", **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        everything = bearer(REGISTRY) | {"Content-Type": kind} | named
        return await client.post(f"/v1/notices{query}", content=body, headers=everything)

    return sending


RFC_COVERED = '("date" "@method" "@path" "@authority" "content-type" "content-length")'


def rfc_head() -> Head:
    """The request of RFC 9421, appendix B.2, with the signature of B.2.6."""
    return Head(
        method="POST",
        scheme="https",
        host="example.com",
        path="/foo",
        query="param=Value&Pet=dog",
        headers=[
            ("host", "example.com"),
            ("date", "Tue, 20 Apr 2021 02:07:55 GMT"),
            ("content-type", "application/json"),
            ("content-length", "18"),
            ("signature-input", f'sig-b26={RFC_COVERED};created=1618884473;keyid="test-key-ed25519"'),
            (
                "signature",
                "sig-b26=:wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==:",
            ),
        ],
    )


def test_the_test_vector_of_the_rfc_holds() -> None:
    (signed,) = signatures(rfc_head())
    assert signed.base == "\n".join(
        [
            '"date": Tue, 20 Apr 2021 02:07:55 GMT',
            '"@method": POST',
            '"@path": /foo',
            '"@authority": example.com',
            '"content-type": application/json',
            '"content-length": 18',
            f'"@signature-params": {RFC_COVERED};created=1618884473;keyid="test-key-ed25519"',
        ]
    )
    key = base64.urlsafe_b64decode("JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs=")
    assert verifies(key, signed.base, signed.signature)
    assert not verifies(key, signed.base.replace("18", "19"), signed.signature)


@pytest.mark.parametrize(
    ("component", "value"),
    [
        ("@target-uri", "https://Example.com:443/foo?param=Value&Pet=dog"),
        ("@authority", "example.com"),
        ("@scheme", "https"),
        ("@request-target", "/foo?param=Value&Pet=dog"),
        ("@query", "?param=Value&Pet=dog"),
        ("x-two", "one, two"),
    ],
)
def test_each_component_has_the_value_the_rfc_gives_it(component: str, value: str) -> None:
    fields = [("signature-input", f'a=("{component}")'), ("signature", "a=:AA==:")]
    head = Head(
        method="POST",
        scheme="https",
        host="Example.com:443",
        path="/foo",
        query="param=Value&Pet=dog",
        headers=[("x-two", " one "), ("x-two", "two"), *fields],
    )
    (signed,) = signatures(head)
    assert signed.base.splitlines()[0] == f'"{component}": {value}'


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"signature-input": 'a=("@method"'}, "malformed"),
        ({"signature-input": 'a=("@method")', "signature": "b=:AA==:"}, "malformed"),
        ({"signature-input": 'a=("@method")', "signature": "a=1"}, "malformed"),
        ({"signature-input": 'a="@method"', "signature": "a=:AA==:"}, "malformed"),
        ({"signature-input": 'a=("@method" "@method")', "signature": "a=:AA==:"}, "malformed"),
        ({"signature": "a=:AA==:"}, "malformed"),
        ({"signature-input": 'a=("@method";req)', "signature": "a=:AA==:"}, "not-competent"),
        ({"signature-input": 'a=("@query-param";name="x")', "signature": "a=:AA==:"}, "not-competent"),
        ({"signature-input": 'a=("@status")', "signature": "a=:AA==:"}, "not-competent"),
        ({"signature-input": 'a=("x-absent")', "signature": "a=:AA==:"}, "not-competent"),
        ({"signature-input": 'a=("x")', "x": "\u00e4", "signature": "a=:AA==:"}, "not-competent"),
    ],
)
def test_what_cannot_be_read_or_is_not_supported_is_refused(fields: dict[str, str], kind: str) -> None:
    head = Head(method="POST", scheme="http", host="h", path="/", query="", headers=list(fields.items()))
    with pytest.raises(Refusal) as refusal:
        signatures(head)
    assert (refusal.value.kind, refusal.value.provision) == (kind, "Art. 3.5(4)")


def test_a_key_under_which_a_signature_fits_any_message_is_no_key() -> None:
    """Given the points whose eightfold is zero, then no encoding of theirs is accepted, and every other is."""
    for y in _WEAK:
        for sign_bit in (0, 1 << 255):
            encoded = (y | sign_bit).to_bytes(32, "little")
            point = ed25519._decode(encoded)
            if point is not None:
                for _ in range(3):
                    point = ed25519._add(point, point)
                assert ed25519._encode(point) == (1).to_bytes(32, "little")
            with pytest.raises(ValueError, match="any message"):
                read_public_key(base64.b64encode(encoded).decode())
    assert len({y % ed25519._P for y in _WEAK}) == 5
    assert read_public_key(public(KEY)) == KEY.public_key().public_bytes_raw()
    for text in (public(KEY)[:-4], "!" * 44, ""):
        with pytest.raises(ValueError, match=r".*"):
            read_public_key(text)


@pytest.mark.parametrize("kind", [ONE, BATCH, NDJSON])
async def test_a_signed_request_is_recorded_and_its_signature_with_it(
    system: System, register_key: Any, send: Any, kind: str
) -> None:
    await register_key()
    body = packed(bodies(), kind)
    answer = await send(body, kind, **sign(body))
    assert answer.status_code == (201 if kind == ONE else 200)
    assert last(answer)["signed"] is True
    (event,) = noted(system)
    count = 1 if kind == ONE else 2
    assert isinstance(event.data, RequestSigned)
    assert (event.data.authority, event.data.keyid) == (REGISTRY, "2026-1")
    assert (event.data.notices, event.data.first, event.data.last) == (count, 2, 1 + count)
    assert event.position == 2 + count
    assert kept(system) == [body]


async def test_a_third_party_proves_with_events_and_body_alone_who_sent_them(
    system: System, register_key: Any, send: Any
) -> None:
    """Given the two events and the body as it was kept, then cryptography alone shows that the authority sent it."""
    await register_key()
    body = gzip.compress(packed(bodies(), NDJSON))
    headers = sign(body, covered=(*COVERED, "content-encoding"), values={"content-encoding": "gzip"})
    assert last(await send(body, NDJSON, Content_Encoding="gzip", **headers))["signed"] is True

    (registered,) = (event.data for event in system.store.events(topics=[SenderKeyRegistered.TOPIC]))
    (signed,) = (event.data for event in noted(system))
    assert isinstance(registered, SenderKeyRegistered)
    assert isinstance(signed, RequestSigned)
    (held,) = kept(system)

    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(registered.public_key))
    key.verify(base64.b64decode(signed.signature), signed.signature_base.encode())
    (digest,) = re.findall(r'^"content-digest": sha-256=:(.*):$', signed.signature_base, re.MULTILINE)
    assert base64.b64decode(digest) == hashlib.sha256(held).digest()
    assert [json.loads(line)["id"] for line in gzip.decompress(held).splitlines()] == ["n-0", "n-1"]
    with pytest.raises(InvalidSignature):
        key.verify(base64.b64decode(signed.signature), signed.signature_base.encode() + b" ")

    assert proves(registered.public_key, signed.signature_base, signed.signature, held)
    assert not proves(registered.public_key, signed.signature_base, signed.signature, held + b" ")
    assert not proves(public(OTHER_KEY), signed.signature_base, signed.signature, held)
    forged = signed.signature_base.replace(digest, base64.b64encode(hashlib.sha256(b"").digest()).decode())
    assert not proves(registered.public_key, forged, signed.signature, b"")


BODY = packed(bodies(1), ONE)
_PARAMETERS = f';created={CREATED};keyid="2026-1"'


#: Headers, the kind of problem, and what its sentence says.
WRONG = [
    (sign(BODY, key=OTHER_KEY), "not-competent", "does not hold"),
    (sign(BODY, path="/v1/other"), "not-competent", "does not hold"),
    (sign(BODY, parameters=f';created={CREATED};keyid="unknown"'), "not-competent", "No key"),
    (sign(BODY, parameters=f";created={CREATED}"), "not-competent", "No key"),
    (sign(BODY, covered=("@method", "@path")), "not-competent", "covers"),
    (sign(BODY, covered=("@path", "content-digest")), "not-competent", "covers"),
    (sign(BODY, covered=("@method", "content-digest")), "not-competent", "covers"),
    (sign(BODY, parameters=';keyid="2026-1"'), "not-competent", "when it was created"),
    (sign(BODY, parameters=f';created={CREATED - OLDEST - 1};keyid="2026-1"'), "not-competent", "within the last"),
    (sign(BODY, parameters=f';created={CREATED + AHEAD + 1};keyid="2026-1"'), "not-competent", "within the last"),
    (sign(BODY, parameters=f"{_PARAMETERS};expires={CREATED - 1}"), "not-competent", "expired"),
    (sign(BODY, parameters=f'{_PARAMETERS};alg="hmac-sha256"'), "not-competent", "ed25519"),
    (sign(BODY) | {"Content-Digest": digest_of(BODY + b" ")}, "not-competent", "does not hold"),
    (sign(BODY) | {"Signature": "sig=:"}, "malformed", "Signature"),
]


@pytest.mark.parametrize("media", [ONE, NDJSON])
async def test_under_a_signature_that_does_not_hold_nothing_of_the_body_counts(
    system: System, register_key: Any, send: Any, media: str
) -> None:
    await register_key()
    for number, (headers, kind, says) in enumerate(WRONG, start=1):
        answer = await send(BODY, media, **headers)
        assert (answer.status_code, says) == (403 if kind == "not-competent" else 400, says)
        problem = answer.json()
        assert (problem["type"], problem["provision"]) == (f"urn:cvr:problem:{kind}", "Art. 3.5(4)")
        assert says in problem["detail"]
        assert '"content-digest"' in answer.headers["accept-signature"]
        assert [entry.line for entry in system.journal.page(authority=REGISTRY)] == [BODY] * number
    assert system.store.head() == 1
    assert kept(system) == []


async def test_another_body_than_the_one_signed_is_refused_and_of_a_stream_stands_as_unsigned(
    system: System, register_key: Any, send: Any
) -> None:
    """Of a stream the digest is known at its end only: what came before it was recorded under a valid token."""
    await register_key()
    for kind in (ONE, BATCH):
        refused = await send(packed(bodies(), kind), kind, **sign(b"another"))
        assert (refused.status_code, refused.json()["provision"]) == (403, "Art. 3.5(4)")
        assert "not the one that was signed" in refused.json()["detail"]
    assert system.store.head() == 1
    stream = last(await send(packed(bodies(), NDJSON), NDJSON, **sign(b"another")))
    assert stream == {"recorded": 2, "repeated": 0, "refused": 0, "end": True, "signed": False}
    assert noted(system) == []
    assert kept(system) == []


async def test_a_longer_lived_signature_is_accepted_within_the_skew_of_clocks(register_key: Any, send: Any) -> None:
    await register_key()
    for created in (CREATED - OLDEST, CREATED + AHEAD):
        headers = sign(BODY, parameters=f';created={created};keyid="2026-1";alg="ed25519";expires={CREATED}')
        assert last(await send(BODY, **headers))["signed"] is True


async def test_a_signature_may_cover_the_address_as_a_whole_and_stand_beside_a_proxys(
    register_key: Any, send: Any
) -> None:
    await register_key()
    covered = ("@method", "@target-uri", "content-digest", "content-type")
    values = {"@target-uri": "http://register/v1/notices", "content-type": ONE}
    headers = sign(BODY, covered=covered, values=values)
    headers["Signature-Input"] = f'proxy=("@method");keyid="proxy", {headers["Signature-Input"]}'
    headers["Signature"] = f"proxy=:AAAA:, {headers['Signature']}"
    assert last(await send(BODY, **headers))["signed"] is True


async def test_a_revoked_key_signs_nothing_and_what_it_signed_stays_provable(
    client: httpx.AsyncClient, bearer: Bearer, system: System, register_key: Any, send: Any
) -> None:
    await register_key()
    assert last(await send(BODY, **sign(BODY)))["signed"] is True
    gone = f"/v1/sender-keys/{REGISTRY}/2026-1/revocation"
    assert (await client.post(gone, json={"reason": "it was lost"}, headers=bearer("cec"))).status_code == 201
    assert (await send(BODY, **sign(BODY))).status_code == 403
    (event,) = noted(system)
    assert isinstance(event.data, RequestSigned)
    assert proves(public(KEY), event.data.signature_base, event.data.signature, kept(system)[0])


async def test_the_key_of_another_authority_signs_nothing_here(
    client: httpx.AsyncClient, bearer: Bearer, register_key: Any
) -> None:
    await register_key()
    body = json.dumps(enveloped(example("death"), source="urn:cvr:authority:registry-office:20486")).encode()
    headers = bearer("registry-office:20486") | {"Content-Type": ONE} | sign(body)
    assert (await client.post("/v1/notices", content=body, headers=headers)).status_code == 403


@pytest.mark.parametrize("kind", [ONE, BATCH, NDJSON])
async def test_sent_again_as_it_was_a_signed_request_changes_nothing(
    system: System, register_key: Any, send: Any, kind: str
) -> None:
    await register_key()
    body = packed(bodies(), kind)
    first, again = [await send(body, kind, **sign(body)) for _ in range(2)]
    assert last(first)["signed"] is last(again)["signed"] is True
    assert "repeated" in again.text
    assert len(noted(system)) == 1
    assert kept(system) == [body]


@pytest.mark.parametrize("kind", [ONE, BATCH, NDJSON])
async def test_a_dry_run_checks_the_signature_and_keeps_nothing(
    system: System, register_key: Any, send: Any, kind: str
) -> None:
    await register_key()
    body = packed(bodies(), kind)
    assert (await send(body, kind, "?dry_run=true", **sign(body))).status_code == 200
    assert (await send(body, kind, "?dry_run=true", **sign(body, key=OTHER_KEY))).status_code == 403
    assert system.store.head() == 1
    assert kept(system) == []


async def test_of_a_signed_request_from_which_nothing_is_recorded_nothing_is_kept(
    system: System, register_key: Any, send: Any
) -> None:
    await register_key()
    body = json.dumps(example("death", jmb="1")).encode()
    assert (await send(body, **sign(body))).status_code == 422
    large = b" " * 100_000
    assert (await send(large, **sign(large))).status_code == 413
    assert (noted(system), kept(system)) == ([], [])


async def test_unsigned_requests_are_accepted_until_a_key_is_registered_as_required(
    client: httpx.AsyncClient, bearer: Bearer, register_key: Any, send: Any
) -> None:
    assert (await send(BODY)).json().get("signed") is None
    await register_key()
    assert (await send(BODY)).status_code == 200
    await register_key("2026-2", OTHER_KEY, required=True)
    refused = await send(BODY)
    assert (refused.status_code, refused.json()["detail"]) == (
        403, "The requests of this sender must be signed (RFC 9421)",
    )  # fmt: skip
    assert (await send(BODY, **sign(BODY))).status_code == 200  # any of its keys will do
    gone = f"/v1/sender-keys/{REGISTRY}/2026-2/revocation"
    await client.post(gone, json={"reason": "replaced"}, headers=bearer("cec"))
    assert (await send(BODY)).status_code == 200


async def dribble(body: bytes) -> AsyncIterator[bytes]:
    for at in range(0, len(body), 997):
        yield body[at : at + 997]


@pytest.mark.parametrize("right", [True, False], ids=["the body signed", "another body"])
async def test_of_a_sender_who_must_sign_no_line_of_a_stream_counts_before_its_digest_fits(
    system: System, register_key: Any, send: Any, right: bool
) -> None:
    await register_key(required=True)
    body = packed(bodies(20), NDJSON)
    headers = sign(body if right else body + b"\n")
    answer = await send(dribble(body), NDJSON, **headers)
    if right:
        assert last(answer) == {"recorded": 20, "repeated": 0, "refused": 0, "end": True, "signed": True}
        assert kept(system) == [body]
    else:
        assert answer.status_code == 403
        assert system.store.head() == 1
        assert [entry.line for entry in system.journal.page(authority=REGISTRY)] == [body[: 64 << 10]]
        assert kept(system) == []


async def test_a_stream_that_breaks_off_has_no_end_and_leaves_no_signature(
    system: System, register_key: Any, send: Any
) -> None:
    await register_key()
    whole = gzip.compress(packed(bodies(), NDJSON))
    answer = await send(whole[:-9], NDJSON, Content_Encoding="gzip", **sign(whole))
    assert "end" not in last(answer)
    assert (noted(system), kept(system)) == ([], [])


async def test_when_the_body_cannot_be_kept_the_sender_is_told_to_send_again(
    system: System, register_key: Any, send: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await register_key()
    headers = sign(BODY)
    take = type(system.documents.requests).take

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(type(system.documents.requests), "take", full)
    assert (await send(BODY, **headers)).status_code == 503
    assert (noted(system), kept(system)) == ([], [])
    monkeypatch.setattr(type(system.documents.requests), "take", take)
    again = await send(BODY, **headers)
    assert (again.status_code, again.json()["status"], again.json()["signed"]) == (200, "repeated", True)
    assert len(noted(system)) == 1


async def test_the_log_line_of_an_event_gives_away_neither_signature_nor_digest(
    system: System, register_key: Any, send: Any
) -> None:
    """Either would let everyone try guesses at the body of a short request, since the key is public."""
    await register_key()
    await send(BODY, **sign(BODY))
    (event,) = noted(system)
    (record,) = (record for record in system.store.records(0) if record.position == event.position)
    public_part = json.dumps(json.loads(record.state)["data"]) + json.loads(record.state)["id"]
    signature = re.findall(r"=:(.*):", sign(BODY)["Signature"])[0]
    for told in (signature, digest_of(BODY), digest_of(BODY)[9:-1], hashlib.sha256(BODY).hexdigest()):
        assert told not in public_part


def test_what_is_kept_of_a_request_is_what_came(tmp_path: Any) -> None:
    shelf = Shelf(str(tmp_path), tmp_path)
    with shelf.arrival() as arrival:
        assert isinstance(arrival, Arrival)
        for piece in (b"a" * 300_000, b"", b"b"):
            arrival.write(piece)
        assert b"".join(arrival.pieces()) == b"a" * 300_000 + b"b"
        arrival.keep()
    shelf.check(hashlib.sha256(b"a" * 300_000 + b"b").hexdigest())


async def test_verification_finds_a_signature_or_a_body_that_is_not_the_one_on_record(
    system: System, register_key: Any, send: Any
) -> None:
    def found() -> list[tuple[str, int | None]]:
        with held_still(system.database.dsn) as (_, connection):
            check = check_signed(connection, system.store.head(), system.documents)
        assert check.count == len(noted(system))
        return [(finding.what, finding.position) for finding in check.findings]

    await register_key()
    await send(BODY, **sign(BODY))
    assert found() == []
    (event,) = noted(system)
    assert isinstance(event.data, RequestSigned)
    (path,) = (p for p in (system.settings.data / "documents" / "requests").rglob("*") if p.is_file())
    path.write_bytes(BODY + b" ")
    assert found() == [("body of a signed request: the file is not the one that was kept", event.position)]
    path.write_bytes(BODY)

    other = base64.b64encode(OTHER_KEY.sign(event.data.signature_base.encode())).decode()
    for number, changed in enumerate(({"signature": other}, {"keyid": "never"}), start=1):
        data = msgspec.structs.replace(event.data, **changed)
        forged = Pending(source=event.source, id=f"forged-{number}", time=NOW, data=data, salt="c2FsdA==")
        system.store.append([forged], now=NOW)
    assert found() == [
        ("the signature does not hold under the sender's key", event.position + 1),
        ("no key of this name was registered for the sender before", event.position + 2),
    ]
