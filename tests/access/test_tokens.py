"""Who is let in: tokens of the local development issuer and of an issuer elsewhere, good ones and bad ones."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi import Depends, FastAPI, Request
from fastapi.responses import JSONResponse
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from register.access import (
    LOCAL_ISSUER,
    IssuerError,
    IssuerUnavailableError,
    Unauthenticated,
    Verifier,
    challenge,
    current_caller,
    install,
    issue,
    optional_caller,
)
from register.access.issuer import key_path, local_key
from register.law.competence import Caller
from register.settings import Settings

NOW = datetime(2026, 3, 2, 9, 15, tzinfo=UTC)
SECONDS = int(NOW.timestamp())
REMOTE = "https://identity.example"
AUTHORITY = "registry-office:10049"
CLERK = Caller("clerk", "registry-office", AUTHORITY, ("10049",))


@pytest.fixture
def here(tmp_path: Path) -> Settings:
    return Settings(data=tmp_path / "data")


def claims(**changed: Any) -> dict[str, Any]:
    """Claims of a good token; a claim changed to None is left out."""
    good = {
        "iss": LOCAL_ISSUER,
        "sub": "clerk",
        "aud": "cvr",
        "iat": SECONDS,
        "exp": SECONDS + 3600,
        "role": "registry-office",
        "authority": AUTHORITY,
        "municipality": "10049",
    }
    return {name: value for name, value in (good | changed).items() if value is not None}


def sign(key: Any, payload: dict[str, Any], alg: str = "Ed25519", **header: Any) -> str:
    full = {"alg": alg, "typ": "at+jwt", "kid": key.thumbprint()} | header
    full = {name: value for name, value in full.items() if value is not None}
    return jwt.encode(full, payload, key, algorithms=[alg], default_type=None)


def refusal(verifier: Verifier, token: str, now: datetime = NOW) -> str:
    with pytest.raises(Unauthenticated) as refused:
        verifier.caller(token, now)
    return refused.value.detail


# --- the local development issuer -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "caller"),
    [
        ({"role": "registry-office", "authority": AUTHORITY, "name": "clerk"}, CLERK),
        ({"role": "registry-office", "municipality": ["10049"], "name": "clerk"}, CLERK),
        ({"role": "cec"}, Caller("cec", "cec", "cec")),
        ({"role": "cec", "name": "Amra"}, Caller("Amra", "cec", "cec")),
        ({"role": "auditor", "name": "Ivo"}, Caller("Ivo", "auditor")),
        (
            {"role": "political-entity", "authority": "political-entity:007"},
            Caller("political-entity:007", "political-entity", "political-entity:007"),
        ),
        (
            {
                "role": "residence-authority",
                "authority": "residence-authority:usk",
                "municipality": ["10049", "10227"],
            },
            Caller("residence-authority:usk", "residence-authority", "residence-authority:usk", ("10049", "10227")),
        ),
    ],
)
def test_a_token_of_the_local_issuer_lets_in_whom_it_was_made_for(
    here: Settings, asked: dict[str, Any], caller: Caller
) -> None:
    assert Verifier(here).caller(issue(here, now=NOW, **asked), NOW) == caller


def test_the_local_issuers_tokens_have_the_agreed_form(here: Settings) -> None:
    header, payload = (
        json.loads(base64.urlsafe_b64decode(part + "=="))
        for part in issue(here, role="cec", name="Amra", now=NOW).split(".")[:2]
    )
    assert (header["alg"], header["typ"]) == ("EdDSA", "at+jwt")
    assert payload["exp"] - payload["iat"] == 3600
    assert (payload["aud"], payload["sub"], payload["role"]) == ("cvr", "Amra", "cec")


def test_the_local_key_is_made_once_and_only_its_owner_reads_it(here: Settings) -> None:
    with ThreadPoolExecutor(8) as pool:
        keys = {key.thumbprint() for key in pool.map(local_key, [here.data] * 16)}
    path = key_path(here.data)
    assert len(keys) == 1
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_no_token_is_made_here_when_another_issuer_is_set(here: Settings) -> None:
    elsewhere = Settings(data=here.data, issuer=REMOTE, jwks_url=REMOTE + "/keys")
    with pytest.raises(IssuerError):
        issue(elsewhere, role="cec", now=NOW)
    assert not here.data.exists()


def test_no_token_is_made_for_a_role_there_is_not(here: Settings) -> None:
    with pytest.raises(IssuerError):
        issue(here, role="king", now=NOW)  # type: ignore[arg-type]


def test_a_token_of_another_data_folder_is_not_ours(here: Settings, tmp_path: Path) -> None:
    token = issue(Settings(data=tmp_path / "other"), role="cec", now=NOW)
    assert "does not publish" in refusal(Verifier(here), token)


# --- bad tokens -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"exp": SECONDS - 60}, "expired"),
        ({"exp": None}, "expires"),
        ({"exp": "soon"}, "time"),
        ({"exp": True}, "time"),
        ({"exp": SECONDS + 3601}, "more than an hour"),
        ({"exp": SECONDS + 3661, "iat": SECONDS + 61}, "not valid yet"),
        ({"exp": SECONDS + 3661, "iat": None}, "more than an hour"),
        ({"iat": SECONDS + 61}, "not valid yet"),
        ({"nbf": SECONDS + 61}, "not valid yet"),
        ({"aud": "another"}, "audience"),
        ({"aud": None}, "audience"),
        ({"aud": ["another"]}, "audience"),
        ({"iss": REMOTE}, "issuer"),
        ({"iss": None}, "issuer"),
        ({"sub": None}, "who"),
        ({"sub": ""}, "who"),
        ({"role": None}, "role"),
        ({"role": "king"}, "role"),
        ({"role": ["cec"]}, "role"),
        ({"authority": 7}, "authority"),
        ({"municipality": 10049}, "municipality"),
        ({"municipality": [10049]}, "municipality"),
    ],
)
def test_a_token_with_wrong_claims_is_refused(here: Settings, changed: dict[str, Any], why: str) -> None:
    assert why in refusal(Verifier(here), sign(local_key(here.data), claims(**changed)))


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"exp": SECONDS - 59},
        {"iat": SECONDS + 60, "exp": SECONDS + 3660},
        {"iat": None},
        {"aud": ["other", "cvr"]},
        {"municipality": ["10049"]},
        {"exp": SECONDS + 0.5},
    ],
)
def test_a_minute_between_the_clocks_and_both_forms_of_a_list_are_allowed(
    here: Settings, changed: dict[str, Any]
) -> None:
    assert Verifier(here).caller(sign(local_key(here.data), claims(**changed)), NOW) == CLERK


@pytest.mark.parametrize("typ", ["JWT", "id+jwt", None])
def test_a_token_of_another_kind_is_refused(here: Settings, typ: str | None) -> None:
    assert "access token" in refusal(Verifier(here), sign(local_key(here.data), claims(), typ=typ))


def encoded(part: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


def test_an_unsigned_token_is_refused(here: Settings) -> None:
    kid = local_key(here.data).thumbprint()
    for alg in ("none", "None", "", None, 5, ["EdDSA"]):
        token = f"{encoded({'alg': alg, 'typ': 'at+jwt', 'kid': kid})}.{encoded(claims())}."
        assert refusal(Verifier(here), token)


def test_the_public_key_is_no_shared_secret(here: Settings) -> None:
    key = local_key(here.data)
    signed = f"{encoded({'alg': 'HS256', 'typ': 'at+jwt', 'kid': key.thumbprint()})}.{encoded(claims())}"
    for secret in (key.as_pem(private=False), key.as_der(private=False), str(key.as_dict(private=False)["x"]).encode()):
        mac = base64.urlsafe_b64encode(hmac.digest(secret, signed.encode(), hashlib.sha256)).rstrip(b"=").decode()
        assert "accepted way" in refusal(Verifier(here), f"{signed}.{mac}")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda token: token[:-8] + "AAAAAAAA",
        lambda token: token.rsplit(".", 1)[0] + ".",
        lambda token: token.replace(".", "..", 1),
        lambda token: f"{token.split('.')[0]}.{encoded(claims(role='cec', authority='cec'))}.{token.split('.')[2]}",
        lambda token: "x" * 200_000 + token,
        lambda token: "",
        lambda token: "..",
        lambda token: "ž" + token,
    ],
)
def test_a_spoilt_token_is_refused(here: Settings, spoil: Callable[[str], str]) -> None:
    assert refusal(Verifier(here), spoil(sign(local_key(here.data), claims())))


def test_a_token_stops_to_let_in_when_it_expires_though_it_was_seen_before(here: Settings) -> None:
    verifier, token = Verifier(here), sign(local_key(here.data), claims())
    assert verifier.caller(token, NOW) == verifier.remembered(token, NOW) == CLERK
    assert verifier.remembered(token[:-1], NOW) is None
    assert "expired" in refusal(verifier, token, NOW + timedelta(seconds=3660))


# --- an issuer elsewhere --------------------------------------------------------------------------------------------


class Publisher(httpx.BaseTransport):
    """An issuer's published keys, and how often they were asked for."""

    def __init__(self, *keys: Any) -> None:
        self.keys = list(keys)
        self.asked: list[str] = []
        self.away = False

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(str(request.url))
        if self.away:
            raise httpx.ConnectError("away", request=request)
        published = [{**key.as_dict(private=False), "kid": key.thumbprint()} for key in self.keys]
        return httpx.Response(200, json={"keys": published})


def remote(publisher: Publisher, tmp_path: Path, jwks_url: str | None = None) -> Verifier:
    return Verifier(Settings(data=tmp_path, issuer=REMOTE, jwks_url=jwks_url), publisher)


def new_key() -> OKPKey:
    return OKPKey.generate_key("Ed25519", private=True)


@pytest.mark.parametrize(
    ("key", "alg"),
    [
        (new_key(), "Ed25519"),
        (ECKey.generate_key("P-256", private=True), "ES256"),
        (RSAKey.generate_key(2048, private=True), "RS256"),
    ],
)
def test_the_three_kinds_of_signature_are_accepted(key: Any, alg: str, tmp_path: Path) -> None:
    publisher = Publisher(new_key(), key, ECKey.generate_key("P-256", private=True))
    assert remote(publisher, tmp_path).caller(sign(key, claims(iss=REMOTE), alg), NOW) == CLERK


def test_other_signatures_are_refused_though_their_keys_are_published(tmp_path: Path) -> None:
    rsa, p384, secret = RSAKey.generate_key(2048), ECKey.generate_key("P-384"), OctKey.generate_key(256)
    publisher = Publisher(rsa, p384, new_key())
    for key, alg in ((rsa, "PS256"), (rsa, "RS512"), (p384, "ES384"), (secret, "HS256")):
        assert "accepted way" in refusal(remote(publisher, tmp_path), sign(key, claims(iss=REMOTE), alg))


def test_a_signature_by_one_kind_of_key_is_not_checked_with_another(tmp_path: Path) -> None:
    mine, published = new_key(), ECKey.generate_key("P-256")
    token = sign(mine, claims(iss=REMOTE), kid=published.thumbprint())
    assert refusal(remote(Publisher(published), tmp_path), token)


def test_keys_are_asked_for_at_the_agreed_place_once(tmp_path: Path) -> None:
    publisher = Publisher(key := new_key())
    for jwks_url in (None, "https://keys.example/set"):
        verifier = remote(publisher, tmp_path, jwks_url)
        for _ in range(3):
            verifier.caller(sign(key, claims(iss=REMOTE, sub="clerk")), NOW)
    assert publisher.asked == [f"{REMOTE}/.well-known/jwks.json", "https://keys.example/set"]


def test_new_keys_of_the_issuer_are_found_and_unknown_ones_do_not_flood_it(tmp_path: Path) -> None:
    old, new = new_key(), new_key()
    publisher = Publisher(old)
    verifier = remote(publisher, tmp_path)
    assert verifier.caller(sign(old, claims(iss=REMOTE)), NOW) == CLERK
    publisher.keys = [new]
    later = NOW + timedelta(seconds=31)
    assert verifier.caller(sign(new, claims(iss=REMOTE)), later) == CLERK
    assert "does not publish" in refusal(verifier, sign(old, claims(iss=REMOTE)), later)
    for _ in range(5):
        refusal(verifier, sign(new_key(), claims(iss=REMOTE)), later)
    assert len(publisher.asked) == 2


def test_while_an_issuer_changes_its_keys_tokens_of_both_let_in(tmp_path: Path) -> None:
    old, new = new_key(), new_key()
    verifier = remote(Publisher(old, new), tmp_path)
    for key in (old, new, old):
        assert verifier.caller(sign(key, claims(iss=REMOTE)), NOW) == CLERK


def test_a_key_replaced_under_its_name_is_the_new_one(tmp_path: Path) -> None:
    old, new = new_key(), new_key()
    published = [{**old.as_dict(private=False), "kid": "main"}]
    transport = httpx.MockTransport(lambda request: httpx.Response(200, json={"keys": published}))
    verifier = Verifier(Settings(data=tmp_path, issuer=REMOTE), transport)
    token = sign(old, claims(iss=REMOTE), kid="main")
    assert verifier.caller(token, NOW) == CLERK
    published[0] = {**new.as_dict(private=False), "kid": "main"}
    later = NOW + timedelta(minutes=10)
    assert "signature" in refusal(verifier, token, later)
    assert verifier.caller(sign(new, claims(iss=REMOTE), kid="main"), later) == CLERK


@pytest.mark.parametrize("header", ["jwk", "jku", "x5u", "crit"])
def test_a_token_does_not_bring_its_own_key(header: str, tmp_path: Path) -> None:
    """RFC 8725, section 3.10: what a header says of keys is not believed, nor asked for."""
    mine, publisher = new_key(), Publisher(new_key())
    brought = {"jwk": mine.as_dict(private=False), "jku": f"{REMOTE}/mine", "x5u": f"{REMOTE}/mine", "crit": ["exp"]}
    private = Ed25519PrivateKey.from_private_bytes(base64.urlsafe_b64decode(f"{mine.as_dict(private=True)['d']}="))
    parts = [{"alg": "EdDSA", "typ": "at+jwt", header: brought[header]}, claims(iss=REMOTE)]
    signed = ".".join(encoded(part) for part in parts)
    signature = base64.urlsafe_b64encode(private.sign(signed.encode())).rstrip(b"=").decode()
    assert refusal(remote(publisher, tmp_path), f"{signed}.{signature}")
    assert set(publisher.asked) <= {f"{REMOTE}/.well-known/jwks.json"}


def test_a_visit_lasts_as_long_as_the_token_lets_in(here: Settings) -> None:
    verifier, token = Verifier(here), sign(local_key(here.data), claims(exp=SECONDS + 600))
    until = NOW + timedelta(seconds=660)
    for _ in range(2):  # judged, then remembered
        assert verifier.visit(token, NOW) == (CLERK, until)
    assert verifier.caller(token, until - timedelta(seconds=1)) == CLERK
    assert "expired" in refusal(verifier, token, until)


def test_a_withdrawn_key_lets_nobody_in_after_ten_minutes(tmp_path: Path) -> None:
    old = new_key()
    publisher = Publisher(old)
    verifier, token = remote(publisher, tmp_path), sign(old, claims(iss=REMOTE))
    verifier.caller(token, NOW)
    publisher.keys = [new_key()]
    assert verifier.caller(token, NOW + timedelta(minutes=9)) == CLERK
    assert "does not publish" in refusal(verifier, token, NOW + timedelta(minutes=10))


def test_while_the_issuer_is_away_known_keys_serve_for_a_day_and_without_them_nobody_is_judged(tmp_path: Path) -> None:
    publisher = Publisher(key := new_key())
    verifier = remote(publisher, tmp_path)

    def token(at: datetime) -> str:
        return sign(key, claims(iss=REMOTE, iat=int(at.timestamp()), exp=int(at.timestamp()) + 600))

    verifier.caller(token(NOW), NOW)
    publisher.away = True
    for hours in (1, 23):
        at = NOW + timedelta(hours=hours)
        assert verifier.caller(token(at), at) == CLERK
    a_day = NOW + timedelta(hours=24)
    asked = len(publisher.asked)
    for _ in range(3):
        with pytest.raises(IssuerUnavailableError):
            verifier.caller(token(a_day), a_day)
    assert len(publisher.asked) == asked + 1
    with pytest.raises(IssuerUnavailableError):
        remote(publisher, tmp_path).caller(token(NOW), NOW)


@pytest.mark.parametrize("published", [[], {}, {"keys": []}, {"keys": 1}])
def test_an_answer_that_is_no_key_set_is_no_key_set(published: Any, tmp_path: Path) -> None:
    transport = httpx.MockTransport(lambda request: httpx.Response(200, json=published))
    verifier = Verifier(Settings(data=tmp_path, issuer=REMOTE), transport)
    with pytest.raises(IssuerUnavailableError):
        verifier.caller(sign(new_key(), claims(iss=REMOTE)), NOW)


def test_keys_of_unknown_kinds_do_not_spoil_a_set(tmp_path: Path) -> None:
    key = new_key()
    published = [
        {"kty": "oct", "k": "c2VjcmV0", "kid": "a"},
        {"kty": "EC", "crv": "P-999", "x": "AA", "y": "AA"},
        {"kty": "RSA", "n": "AQAB", "e": "AQAB"},
        {**new_key().as_dict(private=False), "use": "enc"},
        "nonsense",
        {**key.as_dict(private=False), "kid": "mine"},
    ]
    transport = httpx.MockTransport(lambda request: httpx.Response(200, json={"keys": published}))
    verifier = Verifier(Settings(data=tmp_path, issuer=REMOTE), transport)
    assert verifier.caller(sign(key, claims(iss=REMOTE), kid="mine"), NOW) == CLERK
    assert verifier.caller(sign(key, claims(iss=REMOTE, sub="clerk", jti="2"), kid=None), NOW) == CLERK


# --- at the door ----------------------------------------------------------------------------------------------------


Get = Callable[..., httpx.Response]


@pytest.fixture
def get(here: Settings) -> Get:
    app = FastAPI()
    install(app, Verifier(here), lambda: NOW)

    @app.get("/closed")
    def closed(caller: Caller = Depends(current_caller)) -> str:  # noqa: B008
        return caller.sub

    @app.get("/open")
    def open_(caller: Caller | None = Depends(optional_caller)) -> str | None:  # noqa: B008
        return None if caller is None else caller.sub

    def unauthenticated(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, Unauthenticated)
        return JSONResponse({}, 401, challenge(error))

    app.add_exception_handler(Unauthenticated, unauthenticated)

    async def ask(path: str, **headers: str) -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://register") as client:
            return await client.get(path, headers=headers)

    return lambda path, **headers: asyncio.run(ask(path, **headers))


def test_a_closed_route_asks_for_a_token(get: Get) -> None:
    for headers in ({}, {"Authorization": "Basic Y2VjOmNlYw=="}, {"Authorization": "Bearer"}):
        answer = get("/closed", **headers)
        assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, 'Bearer realm="cvr"')


def test_a_bad_token_is_told_apart_also_where_none_is_needed(get: Get) -> None:
    for path in ("/closed", "/open"):
        answer = get(path, Authorization="Bearer bad")
        assert answer.status_code == 401
        assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]


def test_a_good_token_opens_and_everyone_enters_an_open_route(here: Settings, get: Get) -> None:
    good = "bearer " + issue(here, role="cec", name="Amra", now=NOW)
    for _ in range(2):
        assert get("/closed", Authorization=good).json() == "Amra"
    assert get("/open", Authorization=good).json() == "Amra"
    assert get("/open").json() is None
