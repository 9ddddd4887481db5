"""For everyone, without a token: the law's figures, the transparency log (C2SP tlog-tiles), the own entry."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Final

import msgspec
from fastapi import APIRouter, Request, Response

from register.api import problems
from register.api.bodies import SmallBody, decode, schema_of
from register.api.knowledge import On, answers, private
from register.api.self_check import OwnEntry, Question, own_entry
from register.api.system import CurrentSystem, System
from register.law.parameters import SINCE_EVER, stated
from register.law.provisions import Refusal
from register.log.cosigning import CosignatureError, cosigned_note, shown_note
from register.log.files import TILE, FilesError, LogFiles, parse_tile
from register.log.keys import open_key
from register.log.note import NoteError, parse_checkpoint, parse_note
from register.log.receipts import consistency, receipt
from register.settings import today

TEXT: Final = "text/plain; charset=utf-8"
BYTES: Final = "application/octet-stream"
#: What never changes may be kept for ever (RFC 8246); what grows is to be asked for again.
FOR_EVER: Final = {"Cache-Control": "public, max-age=31536000, immutable"}
A_WHILE: Final = {"Cache-Control": "public, max-age=3600"}
ANEW: Final = {"Cache-Control": "no-cache"}

router = APIRouter(tags=["public"])


class Parameter(msgspec.Struct, frozen=True):
    """A figure of the law: since when it holds (None: ever since), and the article or practice it rests on."""

    name: str
    value: int
    since: date | None
    source: str


class Cosigned(msgspec.Struct, frozen=True):
    """Cosignatures of the checkpoint of ``size``: the witnesses, as the policy names them, that are new or known."""

    size: int
    new: list[str]
    known: list[str]


class LawInForce(msgspec.Struct, frozen=True):
    """The rule set in force on a day."""

    on: date
    parameters: list[Parameter]


@router.get("/v1/law", responses=problems.responses(422) | answers(LawInForce))
def read_law(system: CurrentSystem, on: On = None) -> Response:
    """The figures of the law in force on a day, each with its source."""
    day = on or today(system.clock())
    figures = [
        Parameter(name, dated.value, None if dated.from_ == SINCE_EVER else dated.from_, dated.source)
        for name, dated in stated(day).items()
    ]
    body = msgspec.json.encode(LawInForce(day, figures))
    return Response(body, headers=ANEW, media_type="application/json")


@router.get("/log/key", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
def read_key(system: CurrentSystem) -> Response:
    """The verifier key of the log, one line (C2SP signed-note)."""
    signer = open_key(system.settings.log_key, system.settings.origin, system.entropy)
    return Response(f"{signer.key}\n", headers=ANEW, media_type=TEXT)


@router.get("/log/checkpoint", response_class=Response, responses=problems.responses(404))
def read_checkpoint(system: CurrentSystem) -> Response:
    """The newest published checkpoint, a signed note (C2SP tlog-checkpoint); below it the cosignatures it has."""
    return Response(_published(system), headers=ANEW, media_type=TEXT)


@router.get("/log/checkpoint/cosigned", response_class=Response, responses=problems.responses(404))
def read_cosigned_checkpoint(system: CurrentSystem) -> Response:
    """The newest checkpoint that the quorum of the policy cosigned; 404 while there is none."""
    note = cosigned_note(_folder(system))
    if note is None:
        raise problems.NotFoundError
    return Response(note, headers=ANEW, media_type=TEXT)


@router.get("/log/policy", response_class=Response, responses=problems.responses(404))
def read_policy(system: CurrentSystem) -> Response:
    """Who is to cosign, and how many of them (C2SP tlog-policy); verifiers compare it with the one published."""
    if system.settings.witnesses is None:
        raise problems.NotFoundError
    return Response(system.settings.witnesses.read_bytes(), headers=ANEW, media_type=TEXT)


@router.post(
    "/log/cosignatures",
    openapi_extra={"requestBody": {"required": True, "content": {"text/plain": {"schema": {"type": "string"}}}}},
    responses=problems.responses(404, 413, 422) | answers(Cosigned),
)
def take_cosignatures(body: SmallBody, system: CurrentSystem) -> Response:
    """Take cosignatures that came by file or e-mail: a checkpoint of this log with them below it.

    200 names the witnesses whose cosignature is kept now or was before. 422 when no witness of the policy cosigned it,
    or at a time that cannot be; 404 where no policy names any.
    """
    if system.cosigning is None:
        raise problems.NotFoundError
    try:
        kept = system.cosigning.keep(body)
    except (NoteError, CosignatureError) as error:
        raise Refusal("schema", str(error)) from None
    return problems.json_answer(Cosigned(kept.size, list(kept.new), list(kept.known)))


@router.get("/log/consistency/{old}", response_class=Response, responses=problems.responses(404, 422, 503))
def read_consistency(old: int, system: CurrentSystem) -> Response:
    """The proof that the tree of ``old`` leaves is a prefix of the newest checkpoint's (C2SP tlog-witness body)."""
    note = _published(system)
    if not 0 <= old <= parse_checkpoint(parse_note(note).text).size:
        raise problems.NotFoundError
    try:
        with LogFiles(_folder(system)) as files:
            proof = consistency(old, note, files.node)
    except (FilesError, FileNotFoundError):
        raise problems.NotReadyError("The files of the log are being made again", retry_after=5) from None
    return Response(proof, headers=ANEW, media_type=TEXT)


@router.get("/log/tile/{path:path}", response_class=Response, responses=problems.responses(404, 503))
def read_tile(path: str, system: CurrentSystem) -> Response:
    """A tile of hashes, or a bundle of entries (C2SP tlog-tiles): ``0/x001/234``, ``entries/005.p/17``."""
    try:
        tile = parse_tile(path)
        size = parse_checkpoint(parse_note(_published(system)).text).size
        with LogFiles(_folder(system)) as files:
            content = files.tile(tile, size)
    except LookupError:
        raise problems.NotFoundError from None
    except (FilesError, FileNotFoundError):
        raise problems.NotReadyError("The files of the log are being made again", retry_after=5) from None
    return Response(content, headers=FOR_EVER if tile.width == TILE else A_WHILE, media_type=BYTES)


@router.get("/log/receipt/{position}", response_class=Response, responses=problems.responses(404, 422, 503))
def read_receipt(position: int, system: CurrentSystem) -> Response:
    """The proof that the event at a position stands in the log whose head the checkpoint signs (C2SP tlog-proof)."""
    note = _proving(system, position)
    if not 1 <= position <= parse_checkpoint(parse_note(note).text).size:
        raise problems.NotFoundError
    try:
        with LogFiles(_folder(system)) as files:
            proof = receipt(position, note, files.node)
    except (FilesError, FileNotFoundError):
        raise problems.NotReadyError("The files of the log are being made again", retry_after=5) from None
    return Response(proof, headers=ANEW, media_type=TEXT)


@router.post(
    "/v1/self-check",
    openapi_extra=schema_of(Question),
    responses=problems.responses(413, 422, 429, 503) | answers(OwnEntry),
)
async def self_check(body: SmallBody, request: Request, system: CurrentSystem) -> Response:
    """The own entry in words and the polling station, or one and the same answer for every mismatch (Art. 3.3)."""
    question = decode(body, Question)
    address = "" if request.client is None else request.client.host
    return private(await own_entry(system, question, address))


def _published(system: System) -> bytes:
    """The published checkpoint. Raises ``NotFoundError`` before the first one."""
    note = shown_note(_folder(system))
    if note is None:
        raise problems.NotFoundError
    return note


def _proving(system: System, position: int) -> bytes:
    """The checkpoint a receipt rests on: the newest one with a quorum if it covers the position, else the newest."""
    cosigned = cosigned_note(_folder(system))
    if cosigned is not None and parse_checkpoint(parse_note(cosigned).text).size >= position:
        return cosigned
    return _published(system)


def _folder(system: System) -> Path:
    return system.settings.data / "log"
