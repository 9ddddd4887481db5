"""For political entities: certified by the CEC (Art. 2.9(1)5), given numbered copies of their own units (Art. 3.1).

What another entity asked for, or has, is answered as what there is not.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, Literal, cast

import msgspec
from fastapi import APIRouter, Depends, Response
from procrastinate.exceptions import ConnectorException
from starlette.responses import FileResponse

from register.access import current_caller
from register.acts import parties
from register.acts.parties import Wish
from register.api import problems
from register.api.bodies import SmallBody, decode, schema_of
from register.api.elections import journal, salt_of
from register.api.system import CurrentSystem, System
from register.excerpts import copies as drawing
from register.excerpts.copies import Copies
from register.excerpts.formats import Format, format_of, why_not
from register.excerpts.from_roll import NotReadyError
from register.excerpts.manifest import ManifestEntry
from register.excerpts.rows import FORMAT_VERSION
from register.law.competence import Caller, may_look
from register.law.events import CertificationWithdrawn, PoliticalEntityCertified, Text
from register.law.events.parties import EntityId, UnitCode
from register.law.parties import Certification, Copy, units_of
from register.law.provisions import Fault, Refusal

router = APIRouter(tags=["political entities"])
CurrentCaller = Annotated[Caller, Depends(current_caller)]
_MEDIA_TYPES: Final = {
    "csv": "text/csv; charset=utf-8",
    "json": "application/json",
    "parquet": "application/vnd.apache.parquet",
    "pdf": "application/pdf",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


class Certifying(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An entity and the levels and units it takes part in (contract: section 3)."""

    id: EntityId
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    units: tuple[str, ...]


class Withdrawing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why a certification is withdrawn, and for which units; none named: for all."""

    reason: Text
    units: tuple[UnitCode, ...] = ()


class WithdrawingCopy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why a copy is withdrawn."""

    reason: Text


class CertificationAnswer(msgspec.Struct, frozen=True):
    """Where an entity is certified; ``position`` is that of the last event about it."""

    id: str
    name: str
    units: list[str]
    position: int


class CopyAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A granted request: the number of the copy, whose it is, under which provision, how far it is, its files.

    ``position`` is the conclusion's, ``granted`` the position of the decision, ``drawn`` and ``withdrawn`` those of
    later events, None before; ``downloads`` counts every file taken.
    """

    id: str
    election: str
    unit: str
    formats: tuple[str, ...]
    script: str
    copy: int
    recipient: str
    provision: str
    requested_at: datetime
    state: Literal["queued", "drawn", "failed", "withdrawn"]
    failure: str | None
    position: int
    granted: int
    drawn: int | None
    withdrawn: int | None
    downloads: int
    files: list[ManifestEntry]


@router.post(
    "/v1/elections/{id}/political-entities",
    status_code=201,
    openapi_extra=schema_of(Certifying),
    responses=problems.responses(401, 403, 404, 409, 422),
)
def certify_entity(id: str, body: SmallBody, system: CurrentSystem, caller: CurrentCaller) -> Response:
    """The CEC certifies an entity for units; 201, or 200 when it was certified for them before. Units add up."""
    may_look(caller, "political-entities")
    asked = decode(body, Certifying)
    wanted = PoliticalEntityCertified(
        election=id, entity=asked.id, name=asked.name, units=asked.units, certified_by=caller.sub
    )
    try:
        with system.database.psycopg() as connection:
            known = units_of(system.municipalities)
            state, new = parties.certify(
                connection, system.store, wanted, caller, known, now=system.clock(), salt=salt_of(system)
            )
    except LookupError:
        raise problems.NotFoundError from None
    return problems.json_answer(_certified(state), 201 if new else 200)


@router.get("/v1/elections/{id}/political-entities", responses=problems.responses(401, 403))
def list_entities(id: str, system: CurrentSystem, caller: CurrentCaller) -> Response:
    """The entities certified for an election, by id, with their units; none left where all were withdrawn."""
    may_look(caller, "political-entities")
    with system.database.psycopg() as connection:
        found = parties.certifications(connection, system.store, id)
    return problems.json_answer({"items": [_certified(each) for each in found], "next": None})


@router.post(
    "/v1/elections/{id}/political-entities/{entity}/withdrawal",
    status_code=201,
    openapi_extra=schema_of(Withdrawing),
    responses=problems.responses(401, 403, 404, 422),
)
def withdraw_certification(
    id: str, entity: str, body: SmallBody, system: CurrentSystem, caller: CurrentCaller
) -> Response:
    """The CEC withdraws a certification; copies are not given out for these units any more."""
    may_look(caller, "political-entities")
    asked = decode(body, Withdrawing)
    wanted = CertificationWithdrawn(
        election=id, entity=entity, units=asked.units, reason=asked.reason, withdrawn_by=caller.sub
    )
    try:
        with system.database.psycopg() as connection:
            state, new = parties.withdraw_certification(
                connection, system.store, wanted, caller, now=system.clock(), salt=salt_of(system)
            )
    except LookupError:
        raise problems.NotFoundError from None
    return problems.json_answer(_certified(state), 201 if new else 200)


@router.post(
    "/v1/elections/{id}/excerpt-requests",
    status_code=202,
    openapi_extra=schema_of(Wish),
    responses=problems.responses(401, 403, 404, 409, 422, 503),
)
def request_copy(id: str, body: SmallBody, system: CurrentSystem, caller: CurrentCaller) -> Response:
    """A certified entity asks for the excerpt of its unit; 202 with where its numbered copy will be (Art. 3.1).

    The same asked again gives the same copy, as long as it is not withdrawn.
    """
    may_look(caller, "excerpt-requests")
    wish = decode(body, Wish)
    for each in wish.formats:
        hindered = why_not(cast("Format", each), "political-entity") if each in _MEDIA_TYPES else None
        if hindered is not None:
            raise Refusal("schema", hindered, provision="Art. 3.1", faults=(Fault("/formats", hindered),))
    try:
        with system.database.psycopg() as connection:
            granted, _ = parties.grant(
                connection,
                system.store,
                id,
                wish,
                caller,
                format_version=FORMAT_VERSION,
                now=system.clock(),
                entropy=system.entropy,
                salt=salt_of(system),
            )
    except LookupError:
        raise problems.NotFoundError from None
    copies = _copies(system)
    progress = copies.begin(granted)
    if progress.files is None and progress.failure is None:
        _queue(system, granted)
    answer = problems.json_answer(_answer(copies, granted), 202)
    answer.headers["Location"] = f"/v1/excerpt-requests/{_id(granted)}"
    return answer


@router.get("/v1/elections/{id}/excerpt-requests", responses=problems.responses(401, 403))
def list_requests(id: str, system: CurrentSystem, caller: CurrentCaller) -> Response:
    """The copies given of an election, in the order of their grants: all of them to the CEC, an entity its own."""
    own = caller.role == "political-entity"
    may_look(caller, "excerpt-requests" if own else "political-entities")
    with system.database.psycopg() as connection:
        found = parties.copies(connection, system.store, id)
    copies = _copies(system)
    shown = [each for each in found if not own or each.granted.entity == parties.entity_of(caller)]
    return problems.json_answer({"items": [_answer(copies, each) for each in shown], "next": None})


@router.get("/v1/excerpt-requests/{id}", responses=problems.responses(401, 403, 404))
def read_request(id: str, system: CurrentSystem, caller: CurrentCaller) -> Response:
    """How far a copy is, and its files."""
    return problems.json_answer(_answer(_copies(system), _own(system, caller, id)))


@router.get(
    "/v1/excerpt-requests/{id}/files/{name}",
    response_class=FileResponse,
    responses={**problems.responses(401, 403, 404, 503), 200: {"description": "The file"}},
)
def read_file(id: str, name: str, system: CurrentSystem, caller: CurrentCaller) -> Response:
    """One file of a copy; journalled and counted before the first byte leaves. Refused once it is withdrawn."""
    own, copies = _own(system, caller, id), _copies(system)
    parties.check_taking(system.store, own)
    entry = next((each for each in copies.begin(own).files or () if each.file == name), None)
    if entry is None:
        raise problems.NotFoundError
    if not copies.is_there(own, entry):
        _queue(system, own)
        raise problems.NotReadyError("This file is not on disk as it was drawn; it is drawn again", retry_after=10)
    granted = own.granted
    with system.database.engine.begin() as connection:
        detail = {"copy": granted.copy, "unit": granted.unit, "file": entry.file}
        journal(connection, system, caller, "excerpt-copy", election=granted.election, detail=detail)
        copies.count(connection, own)
    media = _MEDIA_TYPES[format_of(entry.file) or ""]
    return FileResponse(copies.folder(own) / entry.file, filename=name, media_type=media, headers=problems.NO_STORE)


@router.post(
    "/v1/excerpt-requests/{id}/withdrawal",
    status_code=201,
    openapi_extra=schema_of(WithdrawingCopy),
    responses=problems.responses(401, 403, 404, 409, 422),
)
def withdraw_copy(id: str, body: SmallBody, system: CurrentSystem, caller: CurrentCaller) -> Response:
    """The CEC withdraws a copy: it is not given out any more."""
    may_look(caller, "political-entities")
    asked = decode(body, WithdrawingCopy)
    election, number = _parts(id)
    try:
        state, new = parties.withdraw_copy(
            system.store, election, number, asked.reason, caller, now=system.clock(), salt=salt_of(system)
        )
    except LookupError:
        raise problems.NotFoundError from None
    return problems.json_answer(_answer(_copies(system), state), 201 if new else 200)


def _copies(system: System) -> Copies:
    return Copies(
        system.database.engine,
        system.store,
        system.settings.data,
        system.municipalities,
        clock=system.clock,
        entropy=system.entropy,
    )


def _queue(system: System, granted: Copy) -> None:
    try:
        _copies(system).check_ready(granted.granted.election)
        drawing.enqueue(system.queue, granted.granted.election, granted.granted.copy)
    except NotReadyError as error:
        raise problems.NotReadyError(f"Granted, and not drawn yet: {error}", retry_after=2) from None
    except ConnectorException:
        raise problems.NotReadyError("The queue does not answer right now", retry_after=5) from None


def _own(system: System, caller: Caller, which: str) -> Copy:
    """The caller's copy of this id. Raises ``NotFoundError``, also for another's."""
    may_look(caller, "excerpt-requests")
    try:
        return parties.own_copy(system.store, *_parts(which), caller)
    except LookupError:
        raise problems.NotFoundError from None


def _parts(which: str) -> tuple[str, int]:
    """Election and number of a request's id. Raises ``NotFoundError`` for what is none."""
    election, _, number = which.rpartition(".")
    if not election or not (number.isascii() and number.isdigit()) or len(number) > len("999999999"):
        raise problems.NotFoundError
    return election, int(number)


def _id(of: Copy) -> str:
    return f"{of.granted.election}.{of.granted.copy}"


def _certified(state: Certification) -> CertificationAnswer:
    return CertificationAnswer(state.entity, state.name, sorted(state.units), state.position)


def _answer(copies: Copies, of: Copy) -> CopyAnswer:
    granted, progress = of.granted, copies.begin(of)
    state: Literal["queued", "drawn", "failed", "withdrawn"] = "queued"
    if of.withdrawn is not None:
        state = "withdrawn"
    elif progress.files is not None:
        state = "drawn"
    elif progress.failure is not None:
        state = "failed"
    return CopyAnswer(
        id=_id(of),
        election=granted.election,
        unit=granted.unit,
        formats=granted.formats,
        script=granted.script,
        copy=granted.copy,
        recipient=granted.recipient,
        provision=granted.provision,
        requested_at=of.granted_at,
        state=state,
        failure=progress.failure,
        position=granted.conclusion,
        granted=of.position,
        drawn=of.drawn_position,
        withdrawn=of.withdrawn_position,
        downloads=progress.downloads,
        files=[] if state != "drawn" else list(progress.files or ()),
    )
