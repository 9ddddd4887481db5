"""The caller of an HTTP request, as FastAPI dependencies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, NamedTuple

from fastapi import FastAPI, Request, Security
from fastapi.concurrency import run_in_threadpool
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from register.access.tokens import Unauthenticated, Verifier
from register.law.competence import Caller


@dataclass(frozen=True, slots=True)
class _Door:
    verifier: Verifier
    clock: Callable[[], datetime]


_BEARER = HTTPBearer(auto_error=False, bearerFormat="JWT", scheme_name="bearer", description="RFC 9068 access token")
_Credentials = Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)]


def install(app: FastAPI, verifier: Verifier, clock: Callable[[], datetime]) -> None:
    """Give an application the verifier its dependencies ask; ``clock`` is the one tokens are issued by."""
    app.state.access_door = _Door(verifier, clock)


async def current_caller(request: Request, credentials: _Credentials) -> Caller:
    """Dependency: the caller. Raises ``Unauthenticated`` (401) without a valid token; see ``Verifier.caller``."""
    if credentials is None:
        raise Unauthenticated("A bearer token is needed", token_given=False)
    door: _Door = request.app.state.access_door
    now = door.clock()
    caller = door.verifier.remembered(credentials.credentials, now)
    if caller is not None:
        return caller
    # A token not seen before costs a signature check, and perhaps a question to the issuer: not in the event loop.
    return await run_in_threadpool(door.verifier.caller, credentials.credentials, now)


class Visit(NamedTuple):
    """The caller of a request that may last, and the instant from which on the token lets nobody in."""

    caller: Caller
    until: datetime


async def current_visit(request: Request, credentials: _Credentials) -> Visit:
    """Dependency: as :func:`current_caller`, with the end of the token."""
    if credentials is None:
        raise Unauthenticated("A bearer token is needed", token_given=False)
    door: _Door = request.app.state.access_door
    return Visit(*await run_in_threadpool(door.verifier.visit, credentials.credentials, door.clock()))


async def optional_caller(request: Request, credentials: _Credentials) -> Caller | None:
    """Dependency of routes open to everyone: the caller, or None without a token. A bad token is still refused."""
    return None if credentials is None else await current_caller(request, credentials)


def challenge(error: Unauthenticated) -> dict[str, str]:
    """Return the headers of a 401 answer (RFC 6750, section 3)."""
    if not error.token_given:
        return {"WWW-Authenticate": 'Bearer realm="cvr"'}
    return {"WWW-Authenticate": f'Bearer realm="cvr", error="invalid_token", error_description="{error.detail}"'}
