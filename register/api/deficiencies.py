"""Deficiencies: shown to the CEC and to the authority concerned; informed of, taken note of, dismissed (Art. 3.6 a)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from fastapi import APIRouter, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from register.acts import deficiencies as acts
from register.api import problems
from register.api.auditors import After
from register.api.bodies import SmallBody, decode, schema_of
from register.api.elections import salt_of
from register.api.knowledge import (
    Asked,
    AtLeast,
    Limit,
    MunicipalityCode,
    Page,
    answers,
    following,
    impossible,
    journal,
    private,
    resting_on,
)
from register.api.registry import CurrentCaller
from register.api.system import CurrentSystem, System
from register.law.competence import Caller, Scope, may_look
from register.law.deficiencies import KINDS
from register.law.deficiencies.history import Deficiency, State
from register.law.events import (
    AboutDeficiency,
    DeficiencyAcknowledged,
    DeficiencyDismissed,
    DeficiencyNotified,
    Event,
    Text,
)
from register.projection import deficiencies
from register.store import Receipt

_PROBLEMS: Final = problems.responses(401, 403, 422, 503)
_STEP_PROBLEMS: Final = problems.responses(401, 403, 404, 409, 422, 503)

router = APIRouter(tags=["deficiencies"])

Kind = Annotated[str, Query(max_length=64, description="Of the kinds there are")]
AuthorityId = Annotated[str, Query(max_length=100, description="The authority that must put it right")]


class Evidence(msgspec.Struct, frozen=True):
    """An event that shows it: its position, and the notice's source and id."""

    position: int
    source: str
    id: str


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One event of its history; ``by``: who took the step (to the CEC), ``reason``: of a dismissal."""

    step: str
    position: int
    recorded_at: datetime
    by: str | None = None
    reason: str | None = None


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """A deficiency. ``explanation`` is a sentence, under ``provision``; ``figures`` are those it was established with.

    ``persons`` are opaque ids, null to all but the CEC. ``established`` and the like are the positions of the steps
    since it was last established, null for those not taken.
    """

    id: UUID
    kind: str
    state: State
    explanation: str
    provision: str | None
    authority: str
    municipality: str | None
    figures: dict[str, int]
    evidence: list[Evidence]
    persons: list[UUID] | None
    established: int
    established_at: datetime
    notified: int | None
    notified_at: datetime | None
    acknowledged: int | None
    acknowledged_at: datetime | None
    dismissed: int | None
    dismissed_at: datetime | None
    remedied: int | None
    remedied_at: datetime | None
    reason: str | None
    history: list[Step]


class Answer(Item, frozen=True, kw_only=True):
    """One deficiency, by the events up to ``position``."""

    position: int


class Dismissal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why a deficiency is none."""

    reason: Text


# --- routes ---------------------------------------------------------------------------------------------------------


@router.get("/v1/deficiencies", responses=_PROBLEMS | answers(Page[Item]))
async def read_deficiencies(
    request: Request,
    system: CurrentSystem,
    caller: CurrentCaller,
    after: After = 0,
    limit: Limit = 100,
    authority: AuthorityId | None = None,
    kind: Kind | None = None,
    state: State | None = None,
    municipality: MunicipalityCode | None = None,
    at_least: AtLeast = 0,
) -> Response:
    """Deficiencies in the order in which they were first established; an authority is shown its own."""
    scope = may_look(caller, "deficiencies")
    if kind is not None and kind not in KINDS:
        raise impossible("kind")

    def work(connection: sa.Connection, position: int) -> Page[Item]:
        own = authority if scope.everything else scope.authority
        rows: list[Deficiency] = []
        if authority in (None, own):
            rows = deficiencies.page(
                connection,
                after=after,
                limit=limit,
                authority=own,
                kind=kind,
                state=state,
                municipality=municipality,
            )
        found = rows[:limit]
        items = _items(connection, system, scope, found, position)
        _journal(
            connection, system, caller, items, kind=kind, state=state, municipality=municipality, position=position
        )
        more = None
        if len(rows) > limit:
            more = following(request, after=found[-1].first_established, at_least=None)
        return Page(items, more, position)

    return private(await resting_on(system, Asked(None, None, at_least), work))


@router.get("/v1/deficiencies/{id}", responses=_PROBLEMS | problems.responses(404) | answers(Answer))
async def read_deficiency(id: str, system: CurrentSystem, caller: CurrentCaller, at_least: AtLeast = 0) -> Response:
    """One deficiency with its history; another authority's is answered as unknown."""
    scope = may_look(caller, "deficiencies")
    which = _opaque(id)

    def work(connection: sa.Connection, position: int) -> Answer:
        found = deficiencies.one(connection, which)
        if found is None or not scope.owns(found.authority):
            raise problems.NotFoundError
        (item,) = _items(connection, system, scope, [found], position)
        _journal(connection, system, caller, [item], deficiency=str(which), position=position)
        return _answer(item, position)

    return private(await resting_on(system, Asked(None, None, at_least), work))


@router.post("/v1/deficiencies/{id}/notification", status_code=201, responses=_STEP_PROBLEMS)
async def notify(id: str, system: CurrentSystem, caller: CurrentCaller) -> Response:
    """The CEC informs the authority concerned; 201, or 200 when the same person did before."""

    def act(which: UUID) -> Receipt:
        return acts.notify(system.store, which, caller, now=system.clock(), salt=salt_of(system))

    return await run_in_threadpool(_step, system, caller, id, act)


@router.post("/v1/deficiencies/{id}/acknowledgement", status_code=201, responses=_STEP_PROBLEMS)
async def acknowledge(id: str, system: CurrentSystem, caller: CurrentCaller) -> Response:
    """The authority concerned takes note; 201, or 200 when the same person did before."""

    def act(which: UUID) -> Receipt:
        return acts.acknowledge(system.store, which, caller, now=system.clock(), salt=salt_of(system))

    return await run_in_threadpool(_step, system, caller, id, act)


@router.post(
    "/v1/deficiencies/{id}/dismissal",
    status_code=201,
    openapi_extra=schema_of(Dismissal),
    responses=_STEP_PROBLEMS,
)
async def dismiss(id: str, body: SmallBody, system: CurrentSystem, caller: CurrentCaller) -> Response:
    """The CEC finds it to be none, with its reason; 201, or 200 when the same person did so before."""
    may_look(caller, "deficiency-dismissal")
    reason = decode(body, Dismissal).reason

    def act(which: UUID) -> Receipt:
        return acts.dismiss(system.store, which, caller, reason, now=system.clock(), salt=salt_of(system))

    return await run_in_threadpool(_step, system, caller, id, act)


# --- answers --------------------------------------------------------------------------------------------------------


def _step(system: System, caller: Caller, which: str, act: Callable[[UUID], Receipt]) -> Response:
    """Take a step and answer with the deficiency after it, by the event store: the tables follow."""
    try:
        receipt = act(_opaque(which))
    except LookupError:
        raise problems.NotFoundError from None
    state = acts.load(system.store, _opaque(which))
    if state is None:
        raise problems.NotFoundError
    scope = Scope(everything=caller.role == "cec", authority=caller.authority)
    with system.database.engine.begin() as connection:
        (item,) = _items(connection, system, scope, [state], state.position)
        _journal(connection, system, caller, [item], deficiency=which, position=state.position)
    answer = private(_answer(item, state.position))
    answer.status_code = 200 if receipt.status == "repeated" else 201
    return answer


def _opaque(which: str) -> UUID:
    try:
        return UUID(which)
    except ValueError:
        raise problems.NotFoundError from None


def _answer(item: Item, position: int) -> Answer:
    return Answer(**msgspec.structs.asdict(item), position=position)


def _items(
    connection: sa.Connection, system: System, scope: Scope, found: Sequence[Deficiency], position: int
) -> list[Item]:
    """Deficiencies as they are shown, with their histories and the notices that show them, each read once."""
    histories = system.store.streams([each.id for each in found], upto=position)
    wanted = {at for each in found for at in each.evidence}
    notices = {at: Evidence(at, *named) for at, named in deficiencies.notices_at(connection, wanted).items()}
    return [_item(each, histories[each.id], notices, scope) for each in found]


def _item(found: Deficiency, history: Iterable[Event], notices: Mapping[int, Evidence], scope: Scope) -> Item:
    rule = KINDS.get(found.kind)  # type: ignore[call-overload] # a kind given up stays readable
    return Item(
        **{
            name: getattr(found, name)
            for name in Item.__struct_fields__
            if name not in ("explanation", "provision", "evidence", "persons", "history")
        },
        explanation=found.kind if rule is None else rule.sentence.format_map(_Figures(found.figures)),
        provision=None if rule is None else rule.provision,
        evidence=[notices[at] for at in found.evidence if at in notices],
        persons=[UUID(person) for person in found.persons] if scope.everything else None,
        history=[_told(event, scope) for event in history if isinstance(event.data, AboutDeficiency)],
    )


class _Figures(dict[str, int]):
    """Figures of a sentence; of one that a later sentence names and an earlier event lacks, there is none to tell."""

    def __missing__(self, _: str) -> str:
        return "?"


def _told(event: Event, scope: Scope) -> Step:
    data, by = event.data, None
    match data:
        case DeficiencyNotified(notified_by=who) | DeficiencyAcknowledged(acknowledged_by=who):
            by = who
        case DeficiencyDismissed(dismissed_by=who):
            by = who
        case _:
            pass
    return Step(
        step=data.TOPIC.removeprefix("ba.cvr.deficiency-").removesuffix(".v1"),
        position=event.position,
        recorded_at=event.recorded_at,
        by=by if scope.everything else None,
        reason=getattr(data, "reason", None),
    )


def _journal(
    connection: sa.Connection, system: System, caller: Caller, items: Sequence[Item], **noted: str | int | None
) -> None:
    """Journal the look at each person shown; where none is shown, that deficiencies were looked at."""
    shown = sorted({person for item in items for person in item.persons or ()})
    persons: list[UUID | None] = [*shown] or [None]
    for person in persons:
        journal(connection, system, caller, "deficiencies", person=person, entries=len(items), **noted)
