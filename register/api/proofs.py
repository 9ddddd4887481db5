"""Proofs that travel: of lists, of a voter's line, of a voter's own events (Art. 3.3, 3.6).

Everyone sees which lists were drawn, and their roots. A voter gets the proof of the own line at the counter of the
commission, and the records and receipts of the own events; who holds a list gets what it takes to check all of it.
All of it is checked offline: ``/offline/check.html``, ``cvr verify --proof``, ``verify.pyz list``.
"""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal
from uuid import UUID

import msgspec
import sqlalchemy as sa
from fastapi import APIRouter, Depends, Query, Request, Response

from register.access import current_caller
from register.acts import elections
from register.api import problems
from register.api.bodies import SmallBody, decode, schema_of
from register.api.entries import history_of
from register.api.knowledge import (
    Asked,
    AskedFor,
    Limit,
    Page,
    answers,
    following,
    journal,
    private,
    resting_on,
)
from register.api.registry import journal_person, look_up, within
from register.api.system import CurrentSystem, System
from register.excerpts import from_roll
from register.excerpts.roots import best_of, drawings, drawn_lists, parts_of
from register.excerpts.rows import Script
from register.excerpts.standing import ChangedListError, NotDrawnError, place_of, prove_line
from register.law.competence import Caller, may_look, role_of
from register.law.events import SOURCE_PREFIX, RequestSigned
from register.law.provisions import Refusal
from register.log.cosigning import cosigned_note, shown_note
from register.log.files import FilesError, LogFiles
from register.log.note import encode64, parse_checkpoint, parse_note
from register.log.receipts import receipt
from register.log.record import personal_of, record_of
from register.projection import queries
from register.projection.keeping import BusyError

PROVISION: Final = "Art. 3.6"
A_MINUTE: Final = {"Cache-Control": "public, max-age=60"}
_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,200}")
router = APIRouter(tags=["proofs"])
CurrentCaller = Annotated[Caller, Depends(current_caller)]


class PublicList(msgspec.Struct, frozen=True, kw_only=True):
    """A drawn list as everyone sees it: ``rows`` null where the number of voters is not told, ``receipt`` a URL."""

    name: str
    kind: str
    municipality: str | None
    station: str | None
    rows: int | None
    root: str
    position: int
    receipt: str


class LineQuestion(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """For which election, and from the list in which script."""

    election: str
    script: Literal["latin", "cyrillic"] = "latin"


class LineFile(msgspec.Struct, frozen=True, kw_only=True):
    """A voter's proof of standing on a list; ``salt`` and ``hashes`` in base64, ``index`` counts from 0."""

    format: str
    election: str
    list: str
    line: str
    salt: str
    index: int
    size: int
    hashes: tuple[str, ...]
    position: int
    record: str
    receipt: str


class ListFile(msgspec.Struct, frozen=True, kw_only=True):
    """What goes with a copy of a list: its ``secret`` (32 bytes in hex), the record of its drawing, the receipt."""

    format: str
    election: str
    list: str
    secret: str
    position: int
    record: str
    receipt: str


class ReceivedEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One event: its record, the personal part the record vouches for (null: not shown to the caller), its receipt."""

    position: int
    type: str
    record: str
    personal: str | None
    receipt: str


class SignedRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One signed request, such as a file of notices: what it held, and the record and receipt of its signature.

    ``notices`` of it were recorded or known already, at positions from ``first`` to ``last``; ``personal`` holds the
    signature and what was signed, the digest of the body within it.
    """

    position: int
    keyid: str
    notices: int
    first: int
    last: int
    record: str
    personal: str | None
    receipt: str


class Receipts(msgspec.Struct, frozen=True):
    """The records and receipts of a person's events, in order; ``position``: what the answer rests on."""

    person: UUID
    items: list[ReceivedEvent]
    position: int


# --- everyone -------------------------------------------------------------------------------------------------------


@router.get("/v1/elections/{id}/lists", responses=problems.responses(404, 422) | answers(Page[PublicList]))
def read_lists(
    id: str,
    request: Request,
    system: CurrentSystem,
    after: Annotated[str | None, Query(max_length=200, description="The list the page begins behind")] = None,
    limit: Limit = 100,
) -> Response:
    """The lists drawn for an election by name, each with the root over its lines: the proof, and no names."""
    if elections.load(system.store, id) is None:
        raise problems.NotFoundError
    try:
        with system.database.engine.connect() as connection:
            lists = drawn_lists(connection, system.store, id)
    except BusyError:
        raise problems.NotReadyError("Others are waiting for these lists", retry_after=5) from None
    found = [each for each in lists if after is None or each.name > after]
    items = [PublicList(**each._asdict(), receipt=f"/log/receipt/{each.position}") for each in found[:limit]]
    more = None if len(found) <= limit else following(request, after=items[-1].name, limit=limit)
    position = max((each.position for each in lists), default=0)
    body = msgspec.json.encode(Page(items, more, position))
    return Response(body, headers=A_MINUTE, media_type="application/json")


# --- who holds a list -----------------------------------------------------------------------------------------------


@router.get(
    "/v1/elections/{id}/lists/{name}/proof",
    responses=problems.responses(401, 403, 404, 503) | answers(ListFile),
)
async def read_list_proof(id: str, name: str, system: CurrentSystem, caller: CurrentCaller) -> Response:
    """What goes with a copy of a list, so that whoever holds both can check every line offline; journalled."""
    scope = may_look(caller, "excerpts")
    place = parts_of(name)
    if not _NAME.fullmatch(name) or not scope.covers(place.municipality):
        raise problems.NotFoundError

    def work(connection: sa.Connection, _: int) -> ListFile | None:
        best = best_of(drawings(connection, system.store, id), name)
        journal(
            connection, system, caller, "list-proof", municipality=place.municipality, list=name, found=best is not None
        )
        if best is None:
            return None
        drawing, each = best
        record, proof = _proved(system, drawing.position)
        return ListFile(
            format="cvr-list/1",
            election=id,
            list=name,
            secret=each.secret or "",
            position=drawing.position,
            record=record,
            receipt=proof,
        )

    found = await resting_on(system, Asked(None, None, 0), work)
    if found is None:
        raise problems.NotFoundError
    return private(found)


# --- a voter at the counter -----------------------------------------------------------------------------------------


@router.post(
    "/v1/voters/{person}/list-proof",
    openapi_extra=schema_of(LineQuestion),
    responses=problems.responses(401, 403, 404, 409, 422, 503) | answers(LineFile),
)
async def make_line_proof(person: str, body: SmallBody, system: CurrentSystem, caller: CurrentCaller) -> Response:
    """The proof that a voter stands on a drawn list, to be handed to that voter at the counter; journalled.

    A commission gives it to those whose vote counts in its municipality at that election.
    """
    scope = may_look(caller, "excerpts")
    question = decode(body, LineQuestion)

    def work(connection: sa.Connection, position: int) -> LineFile | Refusal | None:
        who, place, basis = None, None, None
        election = elections.load(system.store, question.election)
        if election is not None and election.conclusion is not None:
            basis = _basis(connection, system, question.election)
            who = _person_then(connection, person, election.conclusion)
            place = None if who is None else place_of(connection, question.election, who)
        known = place is not None and scope.covers(place.municipality)
        journal_person(
            connection,
            system,
            caller,
            "line-proof",
            person,
            who if known else None,
            election=question.election,
            script=question.script,
            position=position,
        )
        if basis is None or place is None or not known:
            return None
        made = drawings(connection, system.store, question.election)
        script: Script = question.script
        names = {code: each.name for code, each in system.municipalities.items()}
        try:
            proved = prove_line(connection, basis, made, place, script, names)
        except NotDrawnError:
            return Refusal("calendar", "No list on which this voter stands is drawn", provision=PROVISION)
        except ChangedListError:
            raise problems.NotReadyError("This list is no longer as it was drawn", retry_after=60) from None
        record, proof = _proved(system, proved.drawing.position)
        line = proved.line
        return LineFile(
            format="cvr-line/1",
            election=question.election,
            list=proved.name,
            line=line.line.decode(),
            salt=encode64(line.salt),
            index=line.index,
            size=line.size,
            hashes=tuple(map(encode64, line.hashes)),
            position=proved.drawing.position,
            record=record,
            receipt=proof,
        )

    found = await resting_on(system, Asked(None, None, 0), work)
    if isinstance(found, Refusal):
        raise found
    if found is None:
        raise problems.NotFoundError
    return private(found)


@router.get("/v1/voters/{person}/receipts", responses=problems.responses(401, 403, 404, 422, 503) | answers(Receipts))
async def read_receipts(person: str, system: CurrentSystem, caller: CurrentCaller, asked: AskedFor) -> Response:
    """The record and the receipt of each event about a person, to be handed to that person; journalled.

    A commission gives those that lie in its own municipality, as in a history, and no court's papers.
    """
    scope = may_look(caller, "voters")

    def work(connection: sa.Connection, position: int) -> Receipts | None:
        who = look_up(system, connection, scope, person, None, position)
        history = None if who is None else history_of(system, connection, who, position)
        if history is not None and not scope.everything:
            history = within(history, scope)
        seen = None if history is None else who
        journal_person(connection, system, caller, "voter-receipts", person, seen, position=position)
        if history is None:
            return None
        whole = scope.everything
        items = [
            _received(system, event.position, event.type, shown=whole or not _of_a_court(event.source))
            for event in history.events
        ]
        return Receipts(history.person, items, position)

    found = await resting_on(system, asked, work)
    if found is None:
        return problems.plain(404, headers=problems.NO_STORE)
    return private(found)


# --- a sender -------------------------------------------------------------------------------------------------------


@router.get("/v1/signed-requests", responses=problems.responses(401, 403, 404, 422, 503) | answers(Page[SignedRequest]))
def read_signed_requests(
    request: Request,
    system: CurrentSystem,
    caller: CurrentCaller,
    authority: Annotated[str | None, Query(max_length=100, description="For the CEC: whose requests")] = None,
    after: Annotated[int, Query(ge=0, le=2**53, description="The position the page begins behind")] = 0,
    limit: Annotated[int, Query(ge=1, le=100, description="Items of a page, at most")] = 20,
) -> Response:
    """The receipts of delivered files: each request the authority signed, with the proof that it stands in the log."""
    scope = may_look(caller, "refused-notices")
    whose = authority or caller.authority
    if whose is None or not scope.owns(whose):
        raise problems.NotFoundError
    stream = system.store.stream_of(f"authority:{whose}")
    events = [] if stream is None else system.store.stream(stream)
    found = [(e.position, e.data) for e in events if isinstance(e.data, RequestSigned) and e.position > after]
    items = []
    for position, signed in found[:limit]:
        kept = _received(system, position, signed.TOPIC, shown=True)
        items.append(
            SignedRequest(
                position=position,
                keyid=signed.keyid,
                notices=signed.notices,
                first=signed.first,
                last=signed.last,
                record=kept.record,
                personal=kept.personal,
                receipt=kept.receipt,
            )
        )
    more = None if len(found) <= limit else following(request, after=items[-1].position, limit=limit)
    return private(Page(items, more, events[-1].position if events else 0))


# --- records and receipts -------------------------------------------------------------------------------------------


def _basis(connection: sa.Connection, system: System, election: str) -> from_roll.Basis:
    try:
        return from_roll.basis_of(connection, system.store, election)
    except from_roll.NotReadyError as error:
        raise problems.NotReadyError(f"Not yet: {error}", retry_after=2) from None


def _person_then(connection: sa.Connection, person: str, conclusion: int) -> UUID | None:
    """The person an opaque id meant when the roll was concluded."""
    try:
        stream = UUID(person)
    except ValueError:
        return None
    return queries.person_of(connection, stream, conclusion - 1)


def _of_a_court(source: str) -> bool:
    return role_of(source.removeprefix(SOURCE_PREFIX)) == "court"


def _received(system: System, position: int, type_: str, *, shown: bool) -> ReceivedEvent:
    (stored,) = system.store.records(position - 1, position)
    personal = personal_of(stored) if shown else None
    return ReceivedEvent(
        position=position,
        type=type_,
        record=record_of(stored).decode(),
        personal=None if personal is None else personal[1].decode(),
        receipt=_receipt(system, position),
    )


def _proved(system: System, position: int) -> tuple[str, str]:
    """The record at a position, and its receipt."""
    (stored,) = system.store.records(position - 1, position)
    return record_of(stored).decode(), _receipt(system, position)


def _receipt(system: System, position: int) -> str:
    """The tlog-proof of a position. Raises ``NotReadyError`` while the log is not there yet."""
    folder = system.settings.data / "log"
    note = cosigned_note(folder)
    if note is None or parse_checkpoint(parse_note(note).text).size < position:
        note = shown_note(folder)  # no quorum covers the position yet
    if note is None or parse_checkpoint(parse_note(note).text).size < position:
        raise problems.NotReadyError("The log is not sealed at this position yet", retry_after=2)
    try:
        with LogFiles(folder) as files:
            return receipt(position, note, files.node).decode()
    except (FilesError, FileNotFoundError):
        raise problems.NotReadyError("The files of the log are being made again", retry_after=5) from None
