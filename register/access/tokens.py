"""Bearer tokens: JWTs in the manner of RFC 9068, verified against the issuer's keys (RFC 7517, 7519, 8725)."""

from __future__ import annotations

import hashlib
import json
import math
import threading
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from register.access.issuer import AUDIENCE, LIFETIME, LOCAL_ISSUER, TOKEN_TYPE, local_key
from register.access.signatures import ALGORITHMS, REGISTRY
from register.law.competence import ROLES, Caller
from register.settings import Settings

_IMPORTS: Final[dict[str, type[OKPKey | ECKey | RSAKey]]] = {"OKP": OKPKey, "EC": ECKey, "RSA": RSAKey}

#: How far the clocks of issuer and register may differ, in seconds.
SKEW: Final = 60
#: How long fetched keys are used without asking again, and how long to wait between two questions.
KEYS_FOR: Final = timedelta(minutes=10)
PAUSE: Final = timedelta(seconds=30)
#: Keys that could not be renewed for so long are no longer trusted.
KEYS_AT_MOST: Final = timedelta(hours=24)
FETCH_SECONDS: Final = 5.0
#: Verified tokens remembered, so that a sender of many notices costs one signature check and not thousands.
REMEMBERED: Final = 4096

#: Length of a 2048-bit modulus in base64url; shorter keys are too weak (RFC 7518, 3.3).
_RSA_2048: Final = 342

PublicKey = OKPKey | ECKey | RSAKey


class Unauthenticated(Exception):  # noqa: N818 - the answer, not a fault
    """There is no valid token (401). The sentence never repeats anything of the token."""

    def __init__(self, detail: str, *, token_given: bool = True) -> None:
        super().__init__(detail)
        self.detail = detail
        self.token_given = token_given


class IssuerUnavailableError(Exception):
    """The issuer's keys cannot be had, so nobody can be let in or turned away (503)."""


class Verifier:
    """Tells the caller behind a token. Safe for use by several threads.

    The keys are the local development issuer's, or those published at ``settings.jwks_url`` (else below
    ``settings.issuer``) when an issuer is set. ``transport`` replaces the network in tests.
    """

    def __init__(self, settings: Settings, transport: httpx.BaseTransport | None = None) -> None:
        self._data = settings.data
        self._issuer = settings.issuer or LOCAL_ISSUER
        self._url: str | None = None
        if self._issuer != LOCAL_ISSUER:
            self._url = settings.jwks_url or self._issuer.rstrip("/") + "/.well-known/jwks.json"
        self._transport = transport
        self._lock = threading.Lock()
        self._keys: dict[str, PublicKey] = {}
        self._renewed: datetime | None = None
        self._asked: datetime | None = None
        self._remembered: dict[bytes, tuple[Caller, float, float]] = {}

    def remembered(self, token: str, now: datetime) -> Caller | None:
        """Return the caller of a token verified before with today's keys and still valid, without any waiting."""
        if self._renewed is None or now - self._renewed >= KEYS_FOR:
            return None
        known = self._remembered.get(_digest(token))
        if known is None:
            return None
        caller, begins, ends = known
        return caller if begins - SKEW <= now.timestamp() < ends + SKEW else None

    def caller(self, token: str, now: datetime) -> Caller:
        """Return the caller behind a token at the instant ``now``.

        Raises :class:`Unauthenticated` unless the token is signed by a current key of the issuer with an accepted
        algorithm and its ``typ``, ``iss``, ``aud``, ``exp``, ``iat``, ``nbf``, ``sub`` and ``role`` hold (a minute of
        difference between the clocks allowed); :class:`IssuerUnavailableError` when the issuer's keys cannot be had.
        """
        return self.visit(token, now)[0]

    def visit(self, token: str, now: datetime) -> tuple[Caller, datetime]:
        """Return the caller behind a token, and until when the token lets in. Raises as :meth:`caller` does."""
        known = self._remembered.get(_digest(token)) if self.remembered(token, now) is not None else None
        caller, ends = self._verified(token, now) if known is None else (known[0], known[2])
        return caller, datetime.fromtimestamp(ends + SKEW, UTC)

    def _verified(self, token: str, now: datetime) -> tuple[Caller, float]:
        try:
            signed = jws.extract_compact(token.encode(), registry=REGISTRY)
            header = signed.headers()
            if str(header.get("typ")).lower().removeprefix("application/") != TOKEN_TYPE:
                raise Unauthenticated("The token is not an access token")
            if str(header.get("alg")) not in ALGORITHMS:
                raise Unauthenticated("The token is not signed in an accepted way")
            if not jws.validate_compact(signed, self._key(header, now), registry=REGISTRY):
                raise Unauthenticated("The token's signature does not hold")
            claims = json.loads(signed.payload)
        except (JoseError, ValueError) as error:
            raise Unauthenticated("The token cannot be read") from error
        caller, begins, ends = _judge(claims, self._issuer, now.timestamp())
        with self._lock:
            if len(self._remembered) >= REMEMBERED:
                self._remembered.clear()
            self._remembered[_digest(token)] = (caller, begins, ends)
        return caller, ends

    def _key(self, header: dict[str, Any], now: datetime) -> PublicKey:
        kid = header.get("kid")
        with self._lock:
            if self._renewed is None or now - self._renewed >= KEYS_FOR:
                self._renew(now)
            if self._find(kid) is None and (self._asked is None or now - self._asked >= PAUSE):
                self._renew(now)  # the issuer may have changed its keys since
            key = self._find(kid)
        if key is None:
            raise Unauthenticated("The token is signed with a key its issuer does not publish")
        return key

    def _find(self, kid: object) -> PublicKey | None:
        if isinstance(kid, str):
            return self._keys.get(kid)
        return next(iter(self._keys.values())) if kid is None and len(self._keys) == 1 else None

    def _renew(self, now: datetime) -> None:
        """Fetch the keys again, at most once in ``PAUSE``; keeps those there are while the issuer is away."""
        if self._asked is not None and now - self._asked < PAUSE and self._renewed != self._asked:
            if self._usable(now):
                return
            raise IssuerUnavailableError("The issuer's keys could not be had a moment ago")
        self._asked = now
        try:
            keys = self._load()
        except (httpx.HTTPError, ValueError) as error:
            if self._usable(now):
                return
            raise IssuerUnavailableError("The issuer's keys cannot be had") from error
        self._keys = keys
        self._renewed = now
        self._remembered.clear()

    def _usable(self, now: datetime) -> bool:
        return self._renewed is not None and now - self._renewed < KEYS_AT_MOST

    def _load(self) -> dict[str, PublicKey]:
        if self._url is None:
            key = local_key(self._data)
            return {key.thumbprint(): key}
        with httpx.Client(transport=self._transport, timeout=FETCH_SECONDS) as client:
            answer = client.get(self._url).raise_for_status()
            published = answer.json()
        entries = published.get("keys") if isinstance(published, dict) else None
        if not isinstance(entries, list) or not entries:
            raise ValueError("the issuer does not publish a JWK set")
        return dict(found for entry in entries if (found := _imported(entry)) is not None)


def _imported(entry: object) -> tuple[str, PublicKey] | None:
    """A published key with its id, or None for one that cannot verify tokens (symmetric, weak, for encryption)."""
    if not isinstance(entry, dict) or entry.get("use", "sig") != "sig":
        return None
    kind = _IMPORTS.get(str(entry.get("kty")))
    if kind is None or (kind is RSAKey and len(str(entry.get("n"))) < _RSA_2048):
        return None
    try:
        key = kind.import_key(entry)
    except (JoseError, ValueError, KeyError):
        return None  # a curve or form this register does not know; the set's other keys still count
    kid = entry.get("kid")
    return (kid if isinstance(kid, str) else key.thumbprint()), key


def _judge(claims: object, issuer: str, now: float) -> tuple[Caller, float, float]:
    """The caller a token's claims describe, and from when to when it is valid (seconds since 1970)."""
    if not isinstance(claims, dict):
        raise Unauthenticated("The token holds no claims")
    if claims.get("iss") != issuer:
        raise Unauthenticated("The token is from another issuer")
    audience = claims.get("aud")
    if AUDIENCE not in (audience if isinstance(audience, list) else [audience]):
        raise Unauthenticated("The token is for another audience")
    ends = _instant(claims, "exp")
    if ends is None:
        raise Unauthenticated("The token does not say when it expires")
    issued = _instant(claims, "iat")
    begins = max(_instant(claims, "nbf") or 0.0, issued or 0.0)
    if now >= ends + SKEW:
        raise Unauthenticated("The token has expired")
    if now < begins - SKEW:
        raise Unauthenticated("The token is not valid yet")
    if ends - (now + SKEW if issued is None else issued) > LIFETIME or ends > now + LIFETIME + SKEW:
        raise Unauthenticated("The token is valid for more than an hour")
    return _described(claims), begins, ends


def _described(claims: dict[str, Any]) -> Caller:
    sub, role, authority = claims.get("sub"), claims.get("role"), claims.get("authority")
    if not isinstance(sub, str) or not sub:
        raise Unauthenticated("The token does not say who it is about")
    if not isinstance(role, str) or role not in ROLES:
        raise Unauthenticated("The token names no role of this register")
    if authority is not None and (not isinstance(authority, str) or not authority):
        raise Unauthenticated("The token's authority cannot be read")
    codes = claims.get("municipality", [])
    codes = [codes] if isinstance(codes, str) else codes
    if not isinstance(codes, list) or not all(isinstance(code, str) for code in codes):
        raise Unauthenticated("The token's municipality cannot be read")
    return Caller(sub, role, authority, tuple(codes))


def _instant(claims: dict[str, Any], name: str) -> float | None:
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise Unauthenticated("A time of the token cannot be read")
    return float(value)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
