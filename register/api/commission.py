"""For commissions: excerpts from the concluded roll, drawn, verified, certified, taken (Art. 3.6 b, c, e)."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

import msgspec
import sqlalchemy as sa
from fastapi import APIRouter, Depends, Query, Request, Response
from procrastinate.exceptions import ConnectorException
from starlette.responses import FileResponse

from register.access import current_caller
from register.acts import excerpts
from register.api import problems
from register.api.bodies import SmallBody, decode, schema_of
from register.api.elections import journal, salt_of
from register.api.knowledge import following
from register.api.system import CurrentSystem, System
from register.excerpts import worker
from register.excerpts.from_roll import NotReadyError
from register.excerpts.manifest import ManifestEntry, differing
from register.excerpts.runs import Run, Wanted
from register.law.competence import Caller, Scope, may_look
from register.law.provisions import Refusal
from register.log.tables import CHECKPOINT
from register.store import Receipt

router = APIRouter(tags=["excerpts"])
CurrentCaller = Annotated[Caller, Depends(current_caller)]
_MEDIA_TYPES: Final = {
    ".csv": "text/csv; charset=utf-8",
    ".json": "application/json",
    ".note": "text/plain; charset=utf-8",
    ".parquet": "application/vnd.apache.parquet",
    ".pdf": "application/pdf",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


class ExcerptItem(msgspec.Struct, frozen=True, kw_only=True):
    """An excerpt and how far it is: lists ``done`` of ``total``.

    ``position`` is the conclusion's; of a provisional excerpt, the position it shows the register at. ``drawn``,
    ``verified`` and ``certified`` are the positions of these events, None before. ``reissue_of`` names the excerpt
    whose lists are issued again.
    """

    id: UUID
    election: str | None
    as_of: date | None
    kind: str
    municipality: str | None
    polling_station: str | None
    formats: tuple[str, ...]
    scripts: tuple[str, ...]
    format_version: int
    requested_at: datetime
    state: Literal["queued", "drawing", "drawn", "verified", "certified", "failed", "cancelled", "reissued"]
    failure: str | None
    done: int
    total: int
    position: int
    drawn: int | None
    verified: int | None
    certified: int | None
    reissue_of: UUID | None


class ExcerptAnswer(ExcerptItem, frozen=True, kw_only=True):
    """An excerpt, and once it is drawn its files with their SHA-256.

    ``checkpoint`` is the signed tree head of exactly the size ``position``; of a provisional excerpt, the first signed
    tree head that covers it. ``sidecar_key`` is the verifier key of the signed notes beside VRI files.
    """

    checkpoint: str
    sidecar_key: str | None
    files: list[ManifestEntry]


@router.post(
    "/v1/excerpts",
    status_code=202,
    openapi_extra=schema_of(Wanted),
    responses=problems.responses(401, 403, 404, 409, 422, 503),
)
def request_excerpt(body: SmallBody, system: CurrentSystem, caller: CurrentCaller) -> Response:
    """Ask for lists to be drawn from the concluded roll, or of the register on a day; 202 with where they will be."""
    scope = may_look(caller, "excerpts")
    wanted = _within(decode(body, Wanted), scope)
    try:
        run = system.runs.begin(wanted)
    except LookupError:
        raise problems.NotFoundError from None
    except NotReadyError as error:
        raise problems.NotReadyError(f"Not yet: {error}", retry_after=2) from None
    return _queued(system, run)


@router.get("/v1/excerpts", responses=problems.responses(401, 403, 404, 422))
def list_excerpts(
    request: Request,
    system: CurrentSystem,
    caller: CurrentCaller,
    election: Annotated[str, Query(max_length=60, description="Left out: those drawn without an election")] = "",
    after: Annotated[UUID | None, Query(description="The excerpt before the page")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> Response:
    """The excerpts asked for of an election, the newest first, so that who verifies or certifies finds them."""
    scope = may_look(caller, "excerpts")
    runs = [run for run in system.runs.of(election) if scope.covers(run.municipality)]
    if after is not None:
        place = next((n for n, run in enumerate(runs, 1) if run.id == after), None)
        if place is None:
            raise problems.NotFoundError
        runs = runs[place:]
    page = runs[:limit]
    more = following(request, after=page[-1].id, limit=limit) if len(runs) > limit else None
    items = [msgspec.convert(_told(system, run), ExcerptItem) for run in page]
    return problems.json_answer({"items": items, "next": more})


@router.get("/v1/excerpts/{id}", responses=problems.responses(401, 403, 404))
def read_excerpt(id: str, system: CurrentSystem, caller: CurrentCaller) -> Response:
    """How far an excerpt is, and its files."""
    return problems.json_answer(_answer(system, _found(system, caller, id).id))


@router.get(
    "/v1/excerpts/{id}/files/{name}",
    response_class=FileResponse,
    responses={**problems.responses(401, 403, 404, 503), 200: {"description": "The file"}},
)
def read_file(id: str, name: str, system: CurrentSystem, caller: CurrentCaller) -> Response:
    """One file of an excerpt; journalled before the first byte leaves. A file that was changed is not given."""
    run = _found(system, caller, id)
    entry = system.runs.file(run.id, name)
    if entry is None:
        raise problems.NotFoundError
    if differing(run.folder, [entry]):
        raise problems.NotReadyError("This file is not on disk as it was drawn", retry_after=60)
    with system.database.engine.begin() as connection:
        detail = {"excerpt": str(run.id), "file": entry.file}
        journal(
            connection,
            system,
            caller,
            "excerpt-file",
            election=run.election,
            municipality=run.municipality,
            detail=detail,
        )
    path = run.folder / entry.file
    return FileResponse(path, filename=name, media_type=_MEDIA_TYPES[path.suffix], headers=problems.NO_STORE)


@router.post("/v1/excerpts/{id}/verification", responses=problems.responses(401, 403, 404, 409))
def verify_excerpt(id: str, system: CurrentSystem, caller: CurrentCaller) -> Response:
    """Somebody of the CEC verifies a drawn excerpt; its files must be those drawn (Art. 3.6 e)."""
    may_look(caller, "excerpt-certification")
    run = _unchanged(system, caller, id)
    return _step(
        system, run, excerpts.verify(system.store, str(run.id), caller, now=system.clock(), salt=salt_of(system))
    )


@router.post("/v1/excerpts/{id}/certification", responses=problems.responses(401, 403, 404, 409))
def certify_excerpt(id: str, system: CurrentSystem, caller: CurrentCaller) -> Response:
    """Another person of the CEC certifies a verified excerpt (Art. 3.6 e)."""
    may_look(caller, "excerpt-certification")
    run = _unchanged(system, caller, id)
    return _step(
        system, run, excerpts.certify(system.store, str(run.id), caller, now=system.clock(), salt=salt_of(system))
    )


@router.post("/v1/excerpts/{id}/cancellation", responses=problems.responses(401, 403, 404, 409))
def cancel_excerpt(id: str, system: CurrentSystem, caller: CurrentCaller) -> Response:
    """End a run that is under way: no further list is drawn. One that is cancelled already stays so (200)."""
    run = _found(system, caller, id)
    if not system.runs.cancel(run):
        now = system.runs.find(run.id)
        if now is None or now.state != "cancelled":
            raise Refusal("calendar", "Only an excerpt that is being drawn can be cancelled", provision="Art. 3.6")
    return problems.json_answer(_answer(system, run.id))


@router.post("/v1/excerpts/{id}/reissue", status_code=202, responses=problems.responses(401, 403, 404, 409, 503))
def reissue_excerpt(id: str, system: CurrentSystem, caller: CurrentCaller) -> Response:
    """Issue a certified excerpt again (Art. 3.6 e): its lists are drawn into a new folder and compared, byte for byte.

    202 with where that is followed; it ends ``reissued``, or ``failed`` naming the list that differs, and why.
    """
    may_look(caller, "excerpt-certification")
    run = _found(system, caller, id)
    steps = excerpts.load(system.store, str(run.id))
    if steps is None or steps.certified is None:
        raise Refusal("calendar", "Only a certified excerpt is issued again", provision="Art. 3.6 e")
    return _queued(system, system.runs.reissue(run, caller.sub))


def _queued(system: System, run: Run) -> Response:
    """202 for a run, its jobs queued; one without lists is done at once."""
    if run.total:
        try:
            worker.enqueue(system.queue, run)
        except ConnectorException:
            raise problems.NotReadyError("The queue does not answer right now", retry_after=5) from None
    else:
        system.runs.finish(run)
    answer = problems.json_answer(_answer(system, run.id), 202)
    answer.headers["Location"] = f"/v1/excerpts/{run.id}"
    return answer


def _within(wanted: Wanted, scope: Scope) -> Wanted:
    """What is asked for, within the mandate: a commission draws for its own municipality, named or not."""
    if scope.everything:
        return wanted
    if wanted.municipality is None and len(scope.municipalities) == 1:
        return msgspec.structs.replace(wanted, municipality=next(iter(scope.municipalities)))
    if not scope.covers(wanted.municipality):
        raise Refusal("not-competent", "A commission draws excerpts of its own municipality", provision="Art. 3.6")
    return wanted


def _found(system: System, caller: Caller, which: str) -> Run:
    """The run of this id. Raises ``NotFoundError``, also for one outside the caller's mandate."""
    scope = may_look(caller, "excerpts")
    try:
        run = system.runs.find(UUID(which))
    except ValueError:
        raise problems.NotFoundError from None
    if run is None or not scope.covers(run.municipality):
        raise problems.NotFoundError
    return run


def _unchanged(system: System, caller: Caller, which: str) -> Run:
    run = _found(system, caller, which)
    if system.runs.changed(run):
        raise Refusal(
            "calendar", "The files of this excerpt are no longer those that were drawn", provision="Art. 3.6 e"
        )
    return run


def _step(system: System, run: Run, receipt: Receipt) -> Response:
    return problems.json_answer(_answer(system, run.id), 200 if receipt.status == "repeated" else 201)


def _answer(system: System, which: UUID) -> ExcerptAnswer:
    run = system.runs.find(which)
    if run is None:
        raise problems.NotFoundError
    with system.database.engine.connect() as connection:
        covering = sa.select(CHECKPOINT.c.note).where(CHECKPOINT.c.size >= run.conclusion)
        checkpoint = connection.scalar(covering.order_by(CHECKPOINT.c.size).limit(1))
    files = {
        "sidecar_key": system.runs.sidecar_key if "vri" in run.formats else None,
        "checkpoint": checkpoint,
        "files": system.runs.files(which) if run.state in ("drawn", "reissued") else [],
    }
    return msgspec.convert(_told(system, run) | files, ExcerptAnswer)


def _told(system: System, run: Run) -> dict[str, Any]:
    """What is told of an excerpt without its files."""
    steps = excerpts.load(system.store, str(run.id))
    state = run.state
    if steps is not None and run.state == "drawn":
        state = "certified" if steps.certified else "verified" if steps.verified else "drawn"
    return {
        **{name: getattr(run, name) for name in Run.__struct_fields__ if name not in ("folder", "asked_by")},
        "election": run.election or None,
        "state": state,
        "position": run.conclusion,
        "drawn": None if steps is None or run.state != "drawn" else steps.drawn,
        "verified": None if steps is None else steps.verified,
        "certified": None if steps is None else steps.certified,
    }
