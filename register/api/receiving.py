"""For the CEC and its technicians: papers of notices that came, first loads that are not measured (Art. 3.5(5))."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Annotated, Final, Literal
from uuid import uuid4

import msgspec
import sqlalchemy as sa
from fastapi import APIRouter, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from register.acts import receiving
from register.acts.receiving import Paper
from register.api import problems
from register.api.bodies import LIMIT, SmallBody, decode, schema_of
from register.api.elections import CurrentCaller, salt_of
from register.api.knowledge import Asked, AtLeast, Page, answers, resting_on
from register.api.streaming import MEDIA_TYPE as NDJSON
from register.api.system import CurrentSystem, System
from register.intake.answers import Answer, problem_of
from register.intake.batch import Tally, answer_lines
from register.law.competence import Caller, may_look
from register.law.events import Name
from register.law.provisions import Refusal
from register.projection.tables import first_load
from register.store import Receipt

#: Papers told of in one request, at most, and bytes of it.
MOST: Final = 10_000
BYTES: Final = 4 << 20

router = APIRouter(tags=["receiving"])


class PaperReceived(msgspec.Struct, frozen=True):
    """That the paper of a notice came is on record at ``position``."""

    source: str
    id: str
    received_on: date
    status: Literal["recorded", "repeated"]
    position: int


class FirstLoad(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an authority sends to the end of ``until`` is a first load, and not measured."""

    authority: Name
    until: date


class Declared(msgspec.Struct, frozen=True):
    """A first load in force, declared at ``position``."""

    authority: str
    until: date
    position: int


_PAPERS: Final = {
    "requestBody": {
        "required": True,
        "content": schema_of(Paper)["requestBody"]["content"]
        | {NDJSON: {"schema": {"type": "string", "description": f"Up to {MOST:,} of them, one a line"}}},
    }
}


@router.post(
    "/v1/written-notices",
    status_code=201,
    openapi_extra=_PAPERS,
    responses=problems.responses(400, 401, 403, 409, 413, 422),
)
async def receive_papers(request: Request, system: CurrentSystem, caller: CurrentCaller) -> Response:
    """Note that the paper of a notice arrived: 201, or 200 when it was told so before.

    As ``application/x-ndjson`` many: 200 with an answer for each line, as notices have.
    """
    may_look(caller, "written-notices")
    many = request.headers.get("content-type", "").partition(";")[0].strip().lower() == NDJSON
    body = await _whole(request, BYTES if many else LIMIT)
    return await run_in_threadpool(_answer_many if many else _answer_one, system, caller, body)


@router.post(
    "/v1/first-loads",
    status_code=201,
    openapi_extra=schema_of(FirstLoad),
    responses=problems.responses(400, 401, 403, 409, 413, 422),
)
def declare_first_load(body: SmallBody, system: CurrentSystem, caller: CurrentCaller) -> Response:
    """The CEC declares a first load: 201, or 200 when that very one is in force; a later one takes its place."""
    may_look(caller, "first-loads")
    load = decode(body, FirstLoad)
    receipt = receiving.declare_first_load(
        system.store, load.authority, load.until, caller, now=system.clock(), salt=lambda: salt_of(system)
    )
    return problems.json_answer(Declared(load.authority, load.until, receipt.position or 0), _status(receipt))


@router.get("/v1/first-loads", responses=problems.responses(401, 403, 422, 503) | answers(Page[Declared]))
async def list_first_loads(
    system: CurrentSystem,
    caller: CurrentCaller,
    authority: Annotated[str | None, Query(max_length=100)] = None,
    at_least: AtLeast = 0,
) -> Response:
    """The first loads in force, by authority."""
    may_look(caller, "first-loads")
    last = sa.select(sa.func.max(first_load.c.position)).group_by(first_load.c.authority)
    query = sa.select(first_load.c.authority, first_load.c.until, first_load.c.position)
    query = query.where(first_load.c.position.in_(last)).order_by(first_load.c.authority)
    if authority is not None:
        query = query.where(first_load.c.authority == authority)

    def work(connection: sa.Connection, position: int) -> Page[Declared]:
        return Page([Declared(*row) for row in connection.execute(query)], None, position)

    return problems.json_answer(await resting_on(system, Asked(None, None, at_least), work))


async def _whole(request: Request, limit: int) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise Refusal("too-large", f"This body has at most {limit} bytes", provision=receiving.PROVISION)
    return bytes(body)


def _answer_one(system: System, caller: Caller, body: bytes) -> Response:
    paper = decode(body, Paper)
    (receipt,) = receiving.receive_papers(system.store, [paper], caller, now=system.clock(), salt=_salts(system))
    if receipt.refusal is not None or receipt.position is None or receipt.status == "refused":
        raise receipt.refusal or problems.NotReadyError("This paper could not be recorded")
    told = PaperReceived(paper.source, paper.id, paper.received_on, receipt.status, receipt.position)
    return problems.json_answer(told, _status(receipt))


def _answer_many(system: System, caller: Caller, body: bytes) -> Response:
    lines = [line for line in body.split(b"\n") if line.strip()]
    if len(lines) > MOST:
        raise Refusal("too-large", f"One request tells of at most {MOST:,} papers", provision=receiving.PROVISION)
    read = [_read(line) for line in lines]
    papers = [paper for paper in read if isinstance(paper, Paper)]
    receipts = iter(receiving.receive_papers(system.store, papers, caller, now=system.clock(), salt=_salts(system)))
    told = [
        _told(n, paper.id, next(receipts)) if isinstance(paper, Paper) else _refused(n, None, paper)
        for n, paper in enumerate(read, start=1)
    ]
    tally = Tally()
    tally.add(told)
    return Response(answer_lines([*told, tally.end()]), headers=problems.NO_STORE, media_type=NDJSON)


def _read(line: bytes) -> Paper | Refusal:
    try:
        return decode(line, Paper)
    except Refusal as refusal:
        return refusal


def _told(line: int, notice: str, receipt: Receipt) -> Answer:
    if receipt.refusal is not None:
        return _refused(line, notice, receipt.refusal)
    return Answer(line, notice, receipt.status, receipt.position)


def _refused(line: int, notice: str | None, refusal: Refusal) -> Answer:
    return Answer(line, notice, "refused", problem=problem_of(refusal, uuid4()))


def _salts(system: System) -> Callable[[], str]:
    return lambda: salt_of(system)


def _status(receipt: Receipt) -> int:
    return 201 if receipt.status == "recorded" else 200
