"""For the authorities that send notices: one at a time, in batches, streamed; and what became of them (Art. 3.5)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack
from datetime import datetime
from typing import Annotated, Final, Literal, cast
from uuid import uuid4

import msgspec
from fastapi import APIRouter, Depends, Path, Query, Request, Response
from starlette.concurrency import iterate_in_threadpool, run_in_threadpool
from starlette.requests import ClientDisconnect

from register.access import current_caller, journal_look
from register.access.signed import ACCEPTED, PROVISION
from register.api import problems
from register.api.description import NOTICES
from register.api.rates import steady
from register.api.signing import Vouched, vouched_for
from register.api.streaming import MEDIA_TYPE as NDJSON
from register.api.streaming import StreamedIntake
from register.api.system import CurrentSystem, System
from register.intake.answers import Answer, End, Problem, problem_of, receipt_for, receipt_of
from register.intake.batch import Tally, batches
from register.intake.contracts import NOTICE_ID, SOURCE
from register.intake.journal import Refused
from register.intake.lines import DECODERS, BrokenFeedError, Feed, Line
from register.intake.parse import MAX_BYTES
from register.intake.plain import VERIFIED
from register.law.competence import Caller, Scope, may_look
from register.law.events import NOTICE_TYPES, SOURCE_PREFIX, Document, Notice
from register.law.provisions import Fault, ProblemKind, Refusal
from register.store import Prepared

ONE: Final = "application/cloudevents+json"
BATCH: Final = "application/cloudevents-batch+json"
#: Most notices of a batch (contract: section 3), and bytes of its body.
BATCH_LIMIT: Final = 10_000
BATCH_BYTES: Final = 64 << 20
PAGE: Final = 1_000
#: Headers of the answer to a sender who all but stopped sending.
SLOW: Final = {"Retry-After": "1", "Connection": "close"}
_ARRAY: Final = msgspec.json.Decoder(list[msgspec.Raw])

router = APIRouter(tags=["senders"])


class RefusedNotice(msgspec.Struct, frozen=True, kw_only=True):
    """A refused notice as its sender and the CEC see it; ``notice`` is what was sent, as text."""

    status: Literal["refused"] = "refused"
    id: str | None
    authority: str
    received_at: datetime
    problem: Problem
    notice: str


@router.post(
    "/v1/notices", openapi_extra=NOTICES, responses=problems.responses(400, 401, 403, 409, 413, 415, 422, 503, 429)
)
async def send_notices(
    request: Request,
    system: CurrentSystem,
    caller: Annotated[Caller, Depends(current_caller)],
    dry_run: Annotated[bool, Query(description="Judge, and record nothing")] = False,
) -> Response:
    """Take in notices: one, a batch, or a stream of any length (Art. 3.5)."""
    may_look(caller, "notices")
    if (wait := system.rates.take(caller.authority or caller.sub)) is not None:
        # Not in the journal: nothing was read, and who sends too much should not make us write as much.
        refusal = _refusal("rate", "More requests have come from this authority than one may make in a second")
        return problems.answer_problem(problem_of(refusal, uuid4()), {"Retry-After": str(wait)})
    feed = Feed("identity")
    body: AsyncIterator[bytes] = Request(request.scope, steady(request.receive)).stream()
    with ExitStack() as ending:
        try:
            kind = _media_type(request)
            feed = Feed(_encoding(request))
            vouched = await vouched_for(request, system, caller)
            if vouched is not None:
                ending.callback(vouched.close)
            if kind == NDJSON:
                if vouched is not None and await run_in_threadpool(system.keys.required, caller.authority or ""):
                    await vouched.hold(body, feed)
                ending.pop_all()  # the answer closes it, when it has taken in the body
                return StreamedIntake(system, caller, feed, dry_run=dry_run, vouched=vouched)
            body = body if vouched is None else vouched.watch(body)
            whole = await _whole(body, feed, MAX_BYTES if kind == ONE else BATCH_BYTES, cut=kind == ONE)
            if vouched is not None:
                vouched.check()
            notices = [Line(1, whole)] if kind == ONE else await run_in_threadpool(_array, whole)
        except Refusal as refusal:
            await _beginning(body, feed)
            problem = await run_in_threadpool(system.intake.refuse, refusal, feed.beginning, caller, dry_run=dry_run)
            headers = ACCEPTED if refusal.provision == PROVISION else None
            return problems.answer_problem(problem, SLOW if refusal.kind == "rate" else headers)
        if kind == ONE:
            return await _answer_one(system, caller, notices[0], dry_run, vouched)
        return await run_in_threadpool(_answer_batch, system, caller, notices, dry_run, vouched)


@router.get(
    "/v1/notices/{id}",
    responses={
        **problems.responses(401, 403, 404, 422),
        200: {"description": "The receipt, or the entry of the journal"},
    },
)
def read_notice(
    id: Annotated[str, Path(pattern=NOTICE_ID)],
    system: CurrentSystem,
    caller: Annotated[Caller, Depends(current_caller)],
    source: Annotated[
        str | None, Query(pattern=SOURCE, max_length=200, description="The sender; by default the caller's authority")
    ] = None,
) -> Response:
    """The receipt of a recorded notice, or what the intake journal has of a refused one."""
    scope = may_look(caller, "refused-notices")
    authority = (source or "").removeprefix(SOURCE_PREFIX) or caller.authority or ""
    if not scope.owns(authority):
        raise problems.NotFoundError
    event = system.store.find(SOURCE_PREFIX + authority, id)
    if event is not None and isinstance(event.data, NOTICE_TYPES):
        document = _document(system, scope, event.data)
        return problems.json_answer(msgspec.structs.replace(receipt_of(event), document=document))
    refused = system.journal.find(authority, id)
    if refused is None:
        raise problems.NotFoundError
    _journal(system, caller, [refused])
    return problems.json_answer(_shown(refused))


@router.get(
    "/v1/notices",
    responses={**problems.responses(401, 403, 422), 200: {"description": "The intake journal, a page"}},
)
def list_notices(
    request: Request,
    system: CurrentSystem,
    caller: Annotated[Caller, Depends(current_caller)],
    status: Annotated[Literal["refused"], Query(description="Only refused notices are listed")],
    after: Annotated[int, Query(ge=0, le=2**63 - 1)] = 0,
    limit: Annotated[int, Query(ge=1, le=PAGE)] = 100,
) -> Response:
    """The intake journal: the caller's own refused notices, for the CEC everyone's, in the order they came."""
    scope = may_look(caller, "refused-notices")
    found = system.journal.page(authority=None if scope.everything else scope.authority, after=after, limit=limit)
    _journal(system, caller, found)
    following = None
    if len(found) == limit:
        following = f"{request.url.path}?status={status}&after={found[-1].id}&limit={limit}"
    return problems.json_answer({"items": [_shown(entry) for entry in found], "next": following})


# --- one, and a batch -----------------------------------------------------------------------------------------------


async def _answer_one(system: System, caller: Caller, line: Line, dry_run: bool, vouched: Vouched | None) -> Response:
    """201 with the receipt, 200 where it is a repeat (or a dry run), else the problem; written with others."""
    judged = system.intake.judge([line], caller)
    if dry_run:
        answer = (await run_in_threadpool(system.intake.rehearse, judged, system.intake.trial(), caller))[0]
        return problems.answer_problem(answer.problem) if answer.problem else problems.json_answer(answer)
    verdict = judged[0].verdict
    receipts = [await system.together.append_async(verdict)] if isinstance(verdict, Prepared) else []
    if receipts and receipts[0].refusal is None:
        answer = system.intake.settle(judged, receipts, caller)[0]  # nothing to keep in the journal: no waiting
    else:
        answer = (await run_in_threadpool(system.intake.settle, judged, receipts, caller))[0]
    system.metrics.notices([answer])
    if answer.problem is not None:
        return problems.answer_problem(answer.problem)
    prepared = cast("Prepared", verdict)  # what has no problem was prepared
    receipt = receipt_for(prepared, judged[0].effective_on, receipts[0])
    if vouched is not None:
        vouched.count([answer])
        receipt = msgspec.structs.replace(receipt, signed=await run_in_threadpool(vouched.conclude))
    return problems.json_answer(receipt, 200 if receipt.status == "repeated" else 201)


def _answer_batch(
    system: System, caller: Caller, notices: list[Line], dry_run: bool, vouched: Vouched | None
) -> Response:
    intake, tally = system.intake, Tally()
    trial = intake.trial() if dry_run else None
    answers: list[Answer | End] = []
    for batch in batches(notices):
        judged = intake.judge(batch, caller)
        answered = intake.record(judged, caller) if trial is None else intake.rehearse(judged, trial, caller)
        tally.add(answered)
        answers.extend(answered)
        if not dry_run:
            system.metrics.notices(answered)
        if vouched is not None and not dry_run:
            vouched.count(answered)
    end = tally.end()
    if vouched is not None:
        end = msgspec.structs.replace(end, signed=vouched.conclude())
    return problems.json_answer([*answers, end])


def _array(body: bytes) -> list[Line]:
    try:
        notices = _ARRAY.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise _refusal("malformed", "A batch is a JSON array of notices") from None
    if len(notices) > BATCH_LIMIT:
        raise _refusal("too-large", f"A batch has at most {BATCH_LIMIT} notices")
    return [Line(number, bytes(notice)) for number, notice in enumerate(notices, start=1)]


# --- requests -------------------------------------------------------------------------------------------------------


def _media_type(request: Request) -> str:
    """The media type of a request's body, one of the three. Raises ``Refusal("media-type")`` (also binary mode)."""
    kind, _, parameters = request.headers.get("content-type", "").partition(";")
    kind = kind.strip().lower()
    charset = parameters.replace(" ", "").replace('"', "").lower()
    if kind not in (ONE, BATCH, NDJSON) or charset not in ("", "charset=utf-8"):
        raise _refusal("media-type", f"Notices come as {ONE}, {BATCH} or {NDJSON}, in UTF-8")
    return kind


def _encoding(request: Request) -> str:
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in DECODERS:
        raise _refusal("media-type", "A body may be compressed with gzip or zstd, and with nothing else")
    return encoding


async def _whole(stream: AsyncIterator[bytes], feed: Feed, limit: int, *, cut: bool = False) -> bytes:
    """The body of a request, unpacked. Raises ``Refusal("malformed")`` when it is damaged.

    Of a body that is too large no more is read than shows it: ``cut`` returns that, else ``Refusal("too-large")``.
    """
    body = bytearray()
    try:
        async for chunk in stream:
            async for piece in _unpacked(feed, chunk):
                body += piece
                if len(body) > limit and cut:
                    return bytes(body[: limit + 1])
                if len(body) > limit:
                    raise _refusal("too-large", f"This body has at most {limit} bytes")
        feed.finish()
    except BrokenFeedError as error:
        raise _refusal(error.kind, str(error)) from None
    return bytes(body)


async def _beginning(stream: AsyncIterator[bytes], feed: Feed) -> None:
    """Read on until the beginning of a body that is refused whole is there, for the journal."""
    try:
        while feed.keep(b"") and (chunk := await anext(stream, None)) is not None:
            feed.keep(chunk)
    except ClientDisconnect:
        pass  # what came is kept all the same


def _unpacked(feed: Feed, chunk: bytes) -> AsyncIterator[bytes]:
    """What a chunk of a body unpacks to, each step in a thread where there is something to do."""
    return _at_once(feed, chunk) if feed.plain else iterate_in_threadpool(feed.unpack(chunk))


async def _at_once(feed: Feed, chunk: bytes) -> AsyncIterator[bytes]:
    feed.keep(chunk)
    yield chunk


def _refusal(kind: ProblemKind, sentence: str) -> Refusal:
    return Refusal(kind, sentence, provision=VERIFIED, faults=(Fault("", sentence),))


def _document(system: System, scope: Scope, data: Notice) -> Literal["kept", "missing", "none"]:
    """Whether the file of a notice's document is here for the caller, to whom another's is as unknown."""
    document: Document | None = getattr(data, "document", None)
    if document is None or document.sha256 is None:
        return "none"
    found = system.documents.find(document.sha256, None if scope.everything else scope.authority)
    return "missing" if found is None else "kept"


def _journal(system: System, caller: Caller, shown: Sequence[Refused]) -> None:
    """Write down who is shown refused notices as they came, before they are shown: they name people."""
    if shown:
        detail = {"first": shown[0].id, "last": shown[-1].id}
        with system.database.engine.begin() as connection:
            journal_look(connection, caller, "refused-notices", now=system.clock(), detail=detail)


def _shown(refused: Refused) -> RefusedNotice:
    return RefusedNotice(
        id=refused.notice_id,
        authority=refused.authority,
        received_at=refused.received_at,
        problem=problem_of(refused.refusal, refused.instance),
        notice=refused.line.decode("utf-8", "replace"),
    )
