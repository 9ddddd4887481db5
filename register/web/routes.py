"""The pages and their addresses."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Final, TypeVar

from fastapi import APIRouter, Header, Path, Request, Response
from starlette.exceptions import HTTPException

from register.law.alphabet import sort_key
from register.log.keys import open_key
from register.log.note import encode64, parse_checkpoint, parse_note
from register.log.sealer import published_note
from register.projection.keeping import BusyError
from register.web import elections, offline, own_entry
from register.web.layout import asset, render, render_alone
from register.web.sources import CurrentSources, Sources

ENTITIES: Final = {
    "FBiH": "Federation of Bosnia and Herzegovina",
    "RS": "Republika Srpska",
    None: "Brčko District, no entity chosen",
}
WHERE: Final = "/where-do-i-vote"

T = TypeVar("T")

router = APIRouter(include_in_schema=False)


@router.get("/")
def glance(request: Request, sources: CurrentSources) -> Response:
    """The register at a glance."""
    with sources.database.engine.connect() as connection:
        found = elections.all_elections(connection)
    counts = sources.counts()
    today = sources.today()
    return render(
        request,
        sources,
        "glance.html",
        events=sources.store.head(),
        counts=counts,
        places=[] if counts is None else _by_name(sources, counts.municipality),
        entities=ENTITIES,
        elections=[(e, elections.STATES[e.state(today)]) for e in found],
        **_checkpoint(sources),
    )


@router.get("/elections/{id}")
def election(request: Request, sources: CurrentSources, id: Annotated[str, Path(max_length=64)]) -> Response:
    """One election: its calendar, its state, its roll in counts."""
    with sources.database.engine.connect() as connection:
        found = elections.one_election(connection, id)
        if found is None:
            raise HTTPException(404)
        try:
            roll = elections.roll_counts(connection, id) if found.conclusion is not None else None
        except BusyError:
            raise HTTPException(503, headers={"Retry-After": "5"}) from None
    today = sources.today()
    return render(
        request,
        sources,
        "election.html",
        election=found,
        state=elections.STATES[found.state(today)],
        lines=elections.calendar_lines(found.called, found.calendar),
        today=today,
        places=[name for name, _ in _by_name(sources, dict.fromkeys(found.called.municipalities, None))],
        roll=roll,
        roll_places=[] if roll is None else _by_name(sources, roll.municipalities),
        lists=elections.LISTS,
    )


@router.get("/elections/{id}/lists")
def lists(request: Request, sources: CurrentSources, id: Annotated[str, Path(max_length=64)]) -> Response:
    """The lists drawn for an election with their roots; by municipality when they are many."""
    return _lists(request, sources, id, None)


@router.get("/elections/{id}/lists/{place}")
def lists_of(
    request: Request,
    sources: CurrentSources,
    id: Annotated[str, Path(max_length=64)],
    place: Annotated[str, Path(pattern=r"^([0-9]{5}|country)$")],
) -> Response:
    """The lists of one municipality, or (``country``) those of no municipality."""
    return _lists(request, sources, id, place)


@router.get("/offline/check.html")
def check(request: Request, sources: CurrentSources) -> Response:
    """The page that checks proofs by itself, also as a saved file; it holds the key of the log."""
    key = open_key(sources.settings.log_key, sources.settings.origin, sources.entropy).key
    return render_alone(request, "check.html", offline.policy(), key=str(key), **offline.parts())


@router.get("/log")
def log(request: Request, sources: CurrentSources) -> Response:
    """The transparency log: the newest checkpoint, and how to check it."""
    settings = sources.settings
    key = open_key(settings.log_key, settings.origin, sources.entropy).key
    return render(
        request,
        sources,
        "log.html",
        key=str(key),
        **_checkpoint(sources),
    )


@router.get(WHERE)
def where(request: Request, sources: CurrentSources) -> Response:
    """The form in which one asks for the own entry."""
    return _form(request, sources)


@router.post(WHERE)
async def answer(request: Request, sources: CurrentSources) -> Response:
    """The own entry in words, or the same page for every mismatch."""
    filled = await own_entry.read_form(request)
    if not own_entry.genuine(request, filled.token):
        return _form(request, sources, status=403, problem=own_entry.FORGED)
    if filled.question is None:
        return _form(request, sources, status=422, faults=filled.faults)
    address = request.client.host if request.client is not None else ""
    question = filled.question
    entry = await sources.self_check(question.jmb, question.surname, question.born_on, address)
    option = None if entry.voting_option is None else own_entry.OPTIONS[entry.voting_option]
    return render(request, sources, "entry.html", private=True, entry=entry, option=option)


@router.get("/assets/{version}/{name}")
def read_asset(version: str, name: str, accept_encoding: Annotated[str, Header()] = "") -> Response:
    """Style sheet, picture and typeface of the pages."""
    found = asset(version, name, accept_encoding)
    if found is None:
        raise HTTPException(404)
    return found


def _form(
    request: Request,
    sources: Sources,
    *,
    status: int = 200,
    problem: str | None = None,
    faults: Mapping[str, str] | None = None,
) -> Response:
    token = sources.entropy(own_entry.TOKEN_BYTES).hex()
    page = render(
        request,
        sources,
        "where.html",
        status=status,
        private=True,
        token=token,
        problem=problem,
        faults=faults or {},
    )
    page.set_cookie(
        own_entry.COOKIE, token, path=WHERE, httponly=True, samesite="strict", secure=request.url.scheme == "https"
    )
    return page


def _lists(request: Request, sources: Sources, id: str, place: str | None) -> Response:
    with sources.database.engine.connect() as connection:
        found = elections.one_election(connection, id)
        if found is None:
            raise HTTPException(404)
        try:
            groups = elections.lists_by_place(connection, sources.store, id)
        except BusyError:
            raise HTTPException(503, headers={"Retry-After": "5"}) from None
    if place is not None and place not in groups:
        raise HTTPException(404)
    many = sum(map(len, groups.values())) > elections.MANY_LISTS
    names = {code: sources.municipalities[code].name for code in groups if code in sources.municipalities}
    order = sorted(groups, key=lambda code: (code not in names, sort_key(names.get(code, ""), "", "", date.min)))
    return render(
        request,
        sources,
        "lists.html",
        election=found,
        places=[(code, names.get(code), len(groups[code])) for code in order] if many and place is None else [],
        groups=[(names.get(code), groups[code]) for code in order if place == code or (place is None and not many)],
        kinds=elections.LIST_KINDS,
    )


def _checkpoint(sources: Sources) -> dict[str, Any]:
    """The newest checkpoint for a template, taken apart and as it was signed; all None before the first one."""
    note = published_note(sources.settings.data / "log")
    if note is None:
        return {"checkpoint": None, "root": None, "note": None}
    checkpoint = parse_checkpoint(parse_note(note).text)
    return {"checkpoint": checkpoint, "root": encode64(checkpoint.root), "note": note.decode()}


def _by_name(sources: Sources, by_code: Mapping[str, T]) -> list[tuple[str, T]]:
    """What belongs to municipalities, with their names, in the order of the alphabet."""
    named = [(sources.municipalities[code].name, value) for code, value in by_code.items()]
    return sorted(named, key=lambda pair: sort_key(pair[0], "", "", date.min))
