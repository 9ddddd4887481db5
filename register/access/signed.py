"""Requests signed by their sender: HTTP message signatures (RFC 9421), Ed25519, over the body's digest (RFC 9530).

Only what a sender of notices needs: components of the request without parameters, one algorithm, keys by ``keyid``.
Nothing here knows which keys there are, or reads a body.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import http_sf
import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from register.law.provisions import ProblemKind, Refusal

#: Who sent what must be beyond doubt: the authority answers for what it reports.
PROVISION: Final = "Art. 3.5(4)"
#: How long before its arrival a request may have been signed, and how far the sender's clock may be ahead (seconds).
OLDEST: Final = 300
AHEAD: Final = 60
#: What an answer to a request that is not signed as it must be asks for (RFC 9421, section 5; RFC 9530, section 4).
ACCEPTED: Final = {
    "Accept-Signature": 'sig=("@method" "@path" "content-digest");created;keyid;alg="ed25519"',
    "Want-Content-Digest": "sha-256=10",
}
#: Signatures of one request that are looked at: proxies may add theirs.
MOST: Final = 4
#: ``y`` of the points of small order, and its other encodings (RFC 8032, section 5.1.3; the sign bit left out): under
#: such a key a signature fits any message, so that it would prove nothing.
_WEAK: Final = frozenset(
    int(y, 16)
    for y in (
        "0",
        "1",
        "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffec",
        "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffed",
        "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffee",
        "5fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826",
        "7a03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd84d3d706a17c7",
    )
)


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """What of a request can be signed: ``path`` as it was sent, ``headers`` in order, their names in lower case."""

    method: str
    scheme: str
    host: str
    path: str
    query: str
    headers: Sequence[tuple[str, str]]

    def header(self, name: str) -> str | None:
        """The value of a header; several lines of one name as one (RFC 9110, section 5.3)."""
        values = [value.strip(" \t") for each, value in self.headers if each == name]
        return ", ".join(values) if values else None

    @property
    def target(self) -> str:
        """Path and query."""
        return (self.path or "/") + (f"?{self.query}" if self.query else "")

    @property
    def authority(self) -> str:
        """The host, without the port that its scheme has anyway."""
        default = {"http": ":80", "https": ":443"}.get(self.scheme)
        return self.host.lower().removesuffix(default) if default else self.host.lower()


class Signed(msgspec.Struct, frozen=True, kw_only=True):
    """A signature as a request carries it, not judged yet: what it covers, and the base that was signed."""

    components: tuple[str, ...]
    parameters: Mapping[str, Any]
    base: str
    signature: bytes

    @property
    def keyid(self) -> str | None:
        """The name of the key, None where it is not a text."""
        keyid = self.parameters.get("keyid")
        return keyid if isinstance(keyid, str) else None


def signatures(head: Head) -> list[Signed]:
    """The signatures of a request, at most :data:`MOST`, in their order.

    Raises ``Refusal``: ``malformed`` for fields that cannot be read, ``not-competent`` for components that are not
    supported here or not in the request.
    """
    inputs, values = _dictionary(head, "signature-input"), _dictionary(head, "signature")
    found = []
    for label, described in list(inputs.items())[:MOST]:
        value = values.get(label)
        if not isinstance(described, tuple) or not isinstance(described[0], list) or not isinstance(value, tuple):
            raise _refusal("malformed", "Signature-Input and Signature do not go together")
        if not isinstance(value[0], bytes):
            raise _refusal("malformed", "A signature is a byte sequence")
        components = _components(described[0])
        base = _base(head, components, described)
        found.append(Signed(components=components, parameters=described[1], base=base, signature=value[0]))
    if not found:
        raise _refusal("malformed", "Signature-Input names no signature")
    return found


def authenticate(head: Head, keys: Mapping[str, bytes], now: datetime) -> tuple[Signed, bytes]:
    """The signature of a request by one of the sender's ``keys`` (keyid to public key), and the digest it vouches for.

    The digest is the SHA-256 that the body must turn out to have. Raises ``Refusal``: ``malformed``, or
    ``not-competent`` with the reason: the key, what is not covered, the time, or the signature itself.
    """
    signed = next((each for each in signatures(head) if each.keyid in keys), None)
    if signed is None:
        raise _refusal("not-competent", "No key that is registered for this sender, and not revoked, has this keyid")
    _check_terms(signed, now)
    digest = _dictionary(head, "content-digest").get("sha-256")
    if not isinstance(digest, tuple) or not isinstance(digest[0], bytes) or len(digest[0]) != 32:
        raise _refusal("not-competent", "Content-Digest must hold the SHA-256 of the body (RFC 9530)")
    if not verifies(keys[signed.keyid or ""], signed.base, signed.signature):
        raise _refusal("not-competent", "The signature does not hold")
    return signed, digest[0]


def verifies(public_key: bytes, base: str, signature: bytes) -> bool:
    """Whether an Ed25519 signature over a signature base holds; raises ``ValueError`` for what is no public key."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, base.encode("ascii"))
    except (InvalidSignature, UnicodeEncodeError):
        return False
    return True


def proves(public_key: str, signature_base: str, signature: str, body: bytes) -> bool:
    """Whether the holder of a key sent a body: an auditor's check, of what the events hold and nothing else.

    ``public_key`` and ``signature`` in base64, from `SenderKeyRegistered` and `RequestSigned`; ``body`` as it was sent,
    packed if it was. Raises ``ValueError`` for what is neither key nor base64.
    """
    key, value = base64.b64decode(public_key, validate=True), base64.b64decode(signature, validate=True)
    return digest_of(signature_base) == hashlib.sha256(body).digest() and verifies(key, signature_base, value)


def digest_of(signature_base: str) -> bytes | None:
    """The SHA-256 of the body that a signature base names, None when it names none."""
    named = re.findall(r'^"content-digest": (.*)$', signature_base, re.MULTILINE)
    members = [member.strip() for member in named[0].split(",")] if len(named) == 1 else []
    found = [member[9:-1] for member in members if member.startswith("sha-256=:") and member.endswith(":")]
    return base64.b64decode(found[0]) if len(found) == 1 else None


def read_public_key(text: str) -> bytes:
    """The 32 bytes of an Ed25519 public key in base64. Raises ``ValueError`` for anything else, and for weak keys."""
    key = base64.b64decode(text, validate=True)
    if len(key) != 32:
        raise ValueError("an Ed25519 public key has 32 bytes")
    if int.from_bytes(key, "little") % (1 << 255) in _WEAK:
        raise ValueError("this key would fit any message")
    return key


# --- what is signed -------------------------------------------------------------------------------------------------


def _check_terms(signed: Signed, now: datetime) -> None:
    """What a signature must cover, and when it was made. Raises ``Refusal("not-competent")``."""
    covered = set(signed.components)
    if not {"@method", "content-digest"} <= covered or not covered & {"@path", "@target-uri"}:
        raise _refusal("not-competent", "A signature covers @method, @path or @target-uri, and content-digest")
    if signed.parameters.get("alg", "ed25519") != "ed25519":
        raise _refusal("not-competent", "Requests are signed with ed25519")
    created, expires = signed.parameters.get("created"), signed.parameters.get("expires")
    if type(created) is not int:  # a bool is an int too
        raise _refusal("not-competent", "A signature says when it was created")
    instant = now.timestamp()
    if not instant - OLDEST <= created <= instant + AHEAD:
        raise _refusal("not-competent", f"The signature was not created within the last {OLDEST} seconds")
    if expires is not None and (type(expires) is not int or expires < instant):
        raise _refusal("not-competent", "The signature has expired")


def _components(items: Sequence[Any]) -> tuple[str, ...]:
    names = []
    for item in items:
        name, parameters = item if isinstance(item, tuple) else (item, {})
        if not isinstance(name, str) or parameters:
            raise _refusal("not-competent", "Components are covered here without parameters")
        names.append(name)
    if len(set(names)) != len(names):
        raise _refusal("malformed", "A component is covered once")
    return tuple(names)


def _base(head: Head, components: Sequence[str], described: Any) -> str:
    """The signature base (RFC 9421, section 2.5)."""
    lines = [f'"{name}": {_value(head, name)}' for name in components]
    parameters = http_sf.ser({"s": described}).removeprefix("s=")
    return "\n".join([*lines, f'"@signature-params": {parameters}'])


#: Derived components (RFC 9421, section 2.2).
_DERIVED: Final[dict[str, Callable[[Head], str]]] = {
    "@method": lambda head: head.method,
    "@target-uri": lambda head: f"{head.scheme}://{head.host}{head.target}",
    "@authority": lambda head: head.authority,
    "@scheme": lambda head: head.scheme,
    "@request-target": lambda head: head.target,
    "@path": lambda head: head.path or "/",
    "@query": lambda head: f"?{head.query}",
}


def _value(head: Head, name: str) -> str:
    if name.startswith("@"):
        if name not in _DERIVED:
            raise _refusal("not-competent", "A component that is covered is not known here")
        value: str | None = _DERIVED[name](head)
    else:
        value = head.header(name)
    if value is None:
        raise _refusal("not-competent", "A header that is covered is not in the request")
    if not value.isascii() or not value.isprintable():
        raise _refusal("not-competent", "What is covered must be printable ASCII")
    return value


def _dictionary(head: Head, name: str) -> dict[str, Any]:
    """A dictionary (RFC 9651, section 3.2) in a header; empty without it. Raises ``Refusal("malformed")``."""
    value = head.header(name)
    try:
        parsed: Any = http_sf.parse((value or "").encode("ascii"), tltype="dictionary")
    except (http_sf.StructuredFieldError, ValueError):
        raise _refusal("malformed", f"The header {name.title()} is not a dictionary of structured fields") from None
    return dict(parsed)


def _refusal(kind: ProblemKind, sentence: str) -> Refusal:
    return Refusal(kind, sentence, provision=PROVISION)
