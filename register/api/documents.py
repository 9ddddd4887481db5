"""The documents behind events (Art. 3.5(7)): filed by senders, read by the CEC, its technicians, and who filed them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from typing import IO, Annotated, Any, Final, Literal

import msgspec
import sqlalchemy as sa
from fastapi import APIRouter, Path, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

from register.api import problems
from register.api.knowledge import answers, journal
from register.api.registry import CurrentCaller
from register.api.system import CurrentSystem, System
from register.intake.documents import ENDINGS, HEAD, PIECE, Arrival, DamagedError, Filing, KeepingError, sniff
from register.law.competence import Caller, may_look
from register.law.provisions import Fault, Refusal

_log: Final = logging.getLogger("register.api")
PROVISION: Final = "Art. 3.5(7)"
#: Seconds that may pass without a byte, and until the last one; who is slower holds a connection for nothing.
IDLE: Final = 30.0
PATIENCE: Final = 900.0
#: What comes from outside is shown by no browser: it is saved, as the type its bytes show, and kept by nobody between.
GUARDED: Final = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "default-src 'none'; sandbox"}

Sha256 = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$", description="SHA-256 of the file, in lower-case hexadecimal")]

router = APIRouter(tags=["documents"])


class Filed(msgspec.Struct, frozen=True, kw_only=True):
    """That a document is kept: ``recorded`` the first time its sender files it, ``repeated`` after that."""

    sha256: str
    size: int
    type: str
    filed_at: datetime
    status: Literal["recorded", "repeated"]


_FILED: Final[dict[int | str, dict[str, Any]]] = {
    status: {**answers(Filed)[200], "description": what}
    for status, what in {200: "Filed before by the same authority", 201: "Kept"}.items()
}


_TOO_SLOW: Final[dict[int | str, dict[str, Any]]] = {
    408: {**problems.responses(503)[503], "description": "The document did not come in time"}
}


class SlowError(Exception):
    """The sender is too slow."""


@router.put(
    "/v1/documents/{sha256}",
    status_code=201,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {name: {"schema": {"type": "string", "format": "binary"}} for name in ENDINGS},
        }
    },
    responses=problems.responses(400, 401, 403, 413, 415, 422, 503) | _TOO_SLOW | _FILED,
)
async def file_document(sha256: Sha256, request: Request, system: CurrentSystem, caller: CurrentCaller) -> Response:
    """Keep a document under its digest: 201 the first time its sender files it, 200 after that.

    It may come before or after the notices that name it, or without any.
    """
    may_look(caller, "document-filing")
    _check_head(request, system.settings.document_limit)
    try:
        with await run_in_threadpool(system.documents.shelf.arrival) as arrival:
            async for chunk in _in_time(request.stream()):
                if arrival.size + len(chunk) > system.settings.document_limit:
                    raise _too_large(system.settings.document_limit)
                await run_in_threadpool(arrival.write, chunk)
                if len(arrival.head) == HEAD:
                    _type_of(arrival)
            media_type = _type_of(arrival)
            if arrival.sha256 != sha256:
                raise _refusal("malformed", "This is not the file its address names: its SHA-256 is another")
            return await run_in_threadpool(_keep, system, caller, arrival, media_type)
    except KeepingError as error:
        _log.error("a document could not be kept: %s", error)
        raise problems.NotReadyError("The document cannot be kept right now", retry_after=60) from None
    except SlowError:
        return problems.plain(408, "The document did not come in time", headers={"Connection": "close"})


@router.get(
    "/v1/documents/{sha256}",
    responses={
        **problems.responses(401, 403, 404, 422, 500, 503),
        200: {
            "description": "The file",
            "content": {name: {"schema": {"type": "string", "format": "binary"}} for name in ENDINGS},
        },
    },
)
def read_document(sha256: Sha256, system: CurrentSystem, caller: CurrentCaller) -> Response:
    """The file, to be saved. Every look is journalled; what the caller's mandate does not reach is as unknown."""
    scope = may_look(caller, "documents")
    filing = system.documents.find(sha256, None if scope.everything else scope.authority)
    if filing is None:
        raise problems.NotFoundError
    try:
        file = system.documents.shelf.checked(sha256)
    except DamagedError as error:
        # By the number of its filing: who knows a short document's digest can guess the document.
        _log.error("document of filing %d is not given out: %s", filing.id, error)
        return problems.plain(500, "The file is not the one that was filed, and is not given out")
    except KeepingError as error:
        _log.error("document of filing %d cannot be fetched: %s", filing.id, error)
        raise problems.NotReadyError("The document cannot be fetched right now", retry_after=60) from None
    try:
        with system.database.engine.begin() as connection:
            journal(connection, system, caller, "document", filing=filing.id)
    except BaseException:
        file.close()
        raise
    headers = {
        **problems.NO_STORE,
        **GUARDED,
        "Content-Length": str(filing.size),
        "Content-Disposition": f'attachment; filename="document{ENDINGS[filing.type]}"',
    }
    return StreamingResponse(_pieces(file), media_type=filing.type, headers=headers)


def _keep(system: System, caller: Caller, arrival: Arrival, media_type: str) -> Response:
    """Keep a file that came whole; the filing is on record, and in the journal, before it is answered."""
    try:
        with system.database.engine.begin() as connection:
            filing, new = system.documents.file(connection, arrival, media_type, caller, system.clock())
            journal(connection, system, caller, "document-filing", filing=filing.id, new=new)
    except sa.exc.OperationalError as error:
        raise problems.NotReadyError("The filing cannot be written down right now") from error
    return problems.json_answer(_filed(filing, new), 201 if new else 200)


def _filed(filing: Filing, new: bool) -> Filed:
    return Filed(
        sha256=filing.sha256,
        size=filing.size,
        type=filing.type,
        filed_at=filing.filed_at,
        status="recorded" if new else "repeated",
    )


def _check_head(request: Request, limit: int) -> None:
    """Refuse by what a request says of its body, before it is read."""
    if request.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise _refusal("media-type", "A document is sent as it is, not packed")
    length = request.headers.get("content-length", "")
    if length.isascii() and length.isdigit() and int(length) > limit:
        raise _too_large(limit)


def _type_of(arrival: Arrival) -> str:
    found = sniff(arrival.head)
    if found is None:
        kinds = "PDF, JPEG, PNG, TIFF or a signed ASiC container"
        raise _refusal("media-type", f"A document is {kinds}; this file begins like none of them")
    return found


async def _in_time(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The chunks of a body as they come. Raises :class:`SlowError` when they come too slowly."""
    loop = asyncio.get_running_loop()
    end = loop.time() + PATIENCE
    while True:
        try:
            async with asyncio.timeout_at(min(loop.time() + IDLE, end)):
                chunk = await anext(chunks, None)
        except TimeoutError:
            raise SlowError from None
        if chunk is None:
            return
        yield chunk


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while piece := file.read(PIECE):
            yield piece


def _too_large(limit: int) -> Refusal:
    return _refusal("too-large", f"A document has at most {limit} bytes")


def _refusal(kind: Any, sentence: str) -> Refusal:
    return Refusal(kind, sentence, provision=PROVISION, faults=(Fault("", sentence),))
