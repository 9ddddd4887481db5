"""The local development issuer: a key in the data folder that signs tokens where no real issuer is set."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from joserfc import jwt
from joserfc.jwk import OKPKey

from register.access.signatures import REGISTRY
from register.law.competence import MUNICIPAL, ROLES, Role, municipality_of
from register.settings import Settings

LOCAL_ISSUER: Final = "urn:cvr:issuer:development"
AUDIENCE: Final = "cvr"
TOKEN_TYPE: Final = "at+jwt"  # noqa: S105 - a media type
#: The longest life of a token, in seconds (contract: section 3).
LIFETIME: Final = 3600


class IssuerError(Exception):
    """Tokens are signed elsewhere (CVR_ISSUER), or no token can be made of what was asked for."""


def issue(
    settings: Settings,
    *,
    role: Role,
    now: datetime,
    authority: str | None = None,
    municipality: Sequence[str] = (),
    name: str | None = None,
) -> str:
    """Return a token (RFC 9068 style, EdDSA) of the local development issuer, valid for one hour from ``now``.

    ``authority`` and ``municipality`` complete each other where one names the other (``registry-office:10049``);
    ``name`` becomes ``sub``, so that two people are two names; without one, everybody of an authority is one. Makes the
    key on first use; opens no database. Raises :class:`IssuerError` when CVR_ISSUER points elsewhere or the role is
    unknown.
    """
    if settings.issuer not in (None, LOCAL_ISSUER):
        raise IssuerError("CVR_ISSUER names another issuer: tokens are to be had from there")
    if role not in ROLES:
        raise IssuerError(f"There is no such role; the roles are {', '.join(sorted(ROLES))}")
    codes = tuple(municipality)
    if authority is None:
        if role in ("cec", "technical"):
            authority = role
        elif role in MUNICIPAL and len(codes) == 1:
            authority = f"{role}:{codes[0]}"
    elif not codes and (named := municipality_of(authority)) is not None:
        codes = (named,)
    issued = int(now.timestamp())
    claims: dict[str, object] = {
        "iss": LOCAL_ISSUER,
        "sub": name or authority or role,
        "aud": AUDIENCE,
        "iat": issued,
        "exp": issued + LIFETIME,
        "role": role,
    }
    if authority is not None:
        claims["authority"] = authority
    if codes:
        claims["municipality"] = codes[0] if len(codes) == 1 else list(codes)
    key = local_key(settings.data)
    header = {"alg": "EdDSA", "typ": TOKEN_TYPE, "kid": key.thumbprint()}
    return jwt.encode(header, claims, key, registry=REGISTRY)


def key_path(data: Path) -> Path:
    """Return where the local issuer keeps its private key: a JWK (RFC 7517), readable by its owner alone."""
    return data / "issuer" / "key.json"


def local_key(data: Path) -> OKPKey:
    """Return the local issuer's private key (Ed25519), made on first use; two processes at once get the same."""
    path = key_path(data)
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        text = json.dumps(OKPKey.generate_key("Ed25519", private=True).as_dict(private=True))
        handle, fresh = tempfile.mkstemp(dir=path.parent)  # 0600 from the start
        try:
            with os.fdopen(handle, "w") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            with contextlib.suppress(FileExistsError):  # another process was first: its key is the key
                os.link(fresh, path)
        finally:
            Path(fresh).unlink()
    return OKPKey.import_key(json.loads(path.read_text()))
