"""The one place where errors become answers: ``application/problem+json`` (RFC 9457).

No path parameter and no query value is ever repeated in a problem; what identifies it is a random ``instance``.
"""

from __future__ import annotations

from typing import Any, Final
from uuid import uuid4

import msgspec
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from register.access import IssuerUnavailableError, Unauthenticated, challenge
from register.intake.answers import PROBLEM_TYPE, Problem, problem_of
from register.law.provisions import Fault, Refusal
from register.projection.forms import OtherFormError

MEDIA_TYPE: Final = "application/problem+json"
#: What is said about a person is kept by nobody on the way, and does not leak by a link (contract: section 3).
NO_STORE: Final = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}

#: Problems that no provision of the law stands behind: status, kind, title.
_KINDS: Final[dict[int, tuple[str, str]]] = {
    400: ("malformed", "The request cannot be read"),
    401: ("unauthenticated", "A valid token is needed"),
    403: ("not-competent", "The sender is not competent for this"),
    404: ("not-found", "There is nothing here"),
    405: ("method-not-allowed", "This method is not allowed here"),
    406: ("not-acceptable", "This cannot be had in the form asked for"),
    409: ("conflict", "This does not go together with what there is"),
    413: ("too-large", "The message is larger than allowed"),
    415: ("media-type", "This media type is not accepted"),
    422: ("schema", "The request does not have the agreed form"),
    429: ("rate", "Too many requests"),
    500: ("internal", "Something went wrong here"),
    503: ("unavailable", "This cannot be answered right now"),
}


class NotFoundError(Exception):
    """There is no such thing, or none within the caller's mandate: the answer is the same (404)."""


class NotReadyError(Exception):
    """What is asked for cannot be answered yet (503); ``retry_after`` in seconds."""

    def __init__(self, detail: str, *, retry_after: int = 1) -> None:
        super().__init__(detail)
        self.detail = detail
        self.retry_after = retry_after


def answer_problem(problem: Problem, headers: dict[str, str] | None = None) -> Response:
    """Return the HTTP answer for a problem."""
    return Response(
        msgspec.json.encode(problem), problem.status, headers=NO_STORE | (headers or {}), media_type=MEDIA_TYPE
    )


def refused(refusal: Refusal) -> Response:
    """Return the HTTP answer for a refusal."""
    return answer_problem(problem_of(refusal, uuid4()))


def plain(
    status: int, detail: str | None = None, *, headers: dict[str, str] | None = None, errors: tuple[Fault, ...] = ()
) -> Response:
    """Return the HTTP answer for a problem without a provision; ``detail`` defaults to the title of its kind."""
    kind, title = _KINDS.get(status, ("http", "The request cannot be answered"))
    problem = Problem(
        type=PROBLEM_TYPE + kind,
        title=title,
        status=status,
        detail=detail or title,
        instance=uuid4().urn,
        errors=errors,
    )
    return answer_problem(problem, headers)


def json_answer(value: Any, status: int = 200) -> Response:
    """Return a JSON answer that no cache keeps, written by msgspec (structs too)."""
    return Response(msgspec.json.encode(value), status, headers=NO_STORE, media_type="application/json")


def install(app: FastAPI) -> None:
    """Give an application the handlers that turn every error into a problem; 500 is the edge's own."""

    @app.exception_handler(Refusal)
    async def refusal(_: Request, error: Refusal) -> Response:
        return refused(error)

    @app.exception_handler(Unauthenticated)
    async def unauthenticated(_: Request, error: Unauthenticated) -> Response:
        return plain(401, error.detail, headers=challenge(error))

    @app.exception_handler(IssuerUnavailableError)
    async def issuer_unavailable(_: Request, __: IssuerUnavailableError) -> Response:
        return plain(503, "The keys of the issuer of tokens cannot be had right now", headers={"Retry-After": "30"})

    @app.exception_handler(NotFoundError)
    async def not_found(_: Request, __: NotFoundError) -> Response:
        return plain(404)

    @app.exception_handler(NotReadyError)
    async def not_ready(_: Request, error: NotReadyError) -> Response:
        return plain(503, error.detail, headers={"Retry-After": str(error.retry_after)})

    @app.exception_handler(OtherFormError)
    async def other_form(_: Request, error: OtherFormError) -> Response:
        return plain(503, str(error).capitalize(), headers={"Retry-After": "10"})

    @app.exception_handler(HTTPException)
    async def http(_: Request, error: HTTPException) -> Response:
        return plain(error.status_code, headers=dict(error.headers or {}))

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        """FastAPI's own finding about parameters and bodies: where and what kind, never the value."""
        return plain(422, errors=tuple(_fault(found) for found in error.errors()))


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the ``responses`` of a route for OpenAPI: each status as a problem."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": _KINDS[status][1], "content": content} for status in statuses}


def _fault(found: dict[str, Any]) -> Fault:
    place, kind = found["loc"], str(found["type"])
    pointer = "".join(f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in place)
    if kind == "missing":
        return Fault(pointer, "This is missing")
    if kind == "extra_forbidden":
        return Fault(pointer, "There is no such member")
    return Fault(pointer, f"This is not what is expected here ({kind.replace('_', ' ')})")
