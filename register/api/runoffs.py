"""Run-offs: called and concluded by the CEC; their changes beside the first round, each explained (Art. 3.6 e)."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Final, cast
from uuid import UUID

import msgspec
import psycopg
import sqlalchemy as sa
from fastapi import APIRouter, Query, Request, Response

from register.acts import elections
from register.api import problems
from register.api.bodies import SmallBody, decode, schema_of
from register.api.elections import (
    CurrentCaller,
    answer_of,
    conclusion_of_frozen,
    election_of,
    journal,
    salt_of,
)
from register.api.knowledge import Asked, AtLeast, answers, following, private, resting_on
from register.api.system import CurrentSystem
from register.law.competence import may_look
from register.law.events import ElectionCalled, ElectionId, Event
from register.law.provisions import Refusal
from register.law.runoffs import Change, ChangeKind
from register.projection.differences import events_at
from register.projection.keeping import BusyError, Keeper
from register.projection.runoff_rolls import changes_of, differing, terms_of

router = APIRouter(tags=["elections"])

#: Who differs between two frozen rolls, which never change.
DIFFERING: Final = Keeper(8)


class RunoffCall(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The call of a run-off; ``municipalities`` empty: where the first round was held."""

    id: ElectionId
    day: date
    called_on: date
    municipalities: tuple[str, ...] = ()


class Explaining(msgspec.Struct, frozen=True):
    """An event that explains a change."""

    position: int
    source: str
    id: str
    type: str


class ChangeItem(msgspec.Struct, frozen=True):
    """What became of a voter between the rounds: ``removed`` under ``grounds``, ``added``, or ``marked`` otherwise.

    ``municipality``, ``list``, ``station`` and ``mission``: where the voter stands, or stood.
    """

    change: ChangeKind
    person: UUID
    municipality: str
    list: str
    station: str | None
    mission: str | None
    marked_deceased: bool
    grounds: tuple[str, ...]
    events: tuple[Explaining, ...]


class ChangesAnswer(msgspec.Struct, frozen=True):
    """The changes by person; ``total`` of them, between the conclusion ``first`` and the run-off's, ``position``."""

    items: list[ChangeItem]
    next: str | None
    total: int
    first: int
    position: int


@router.post(
    "/v1/elections/{id}/runoff",
    status_code=201,
    openapi_extra=schema_of(RunoffCall),
    responses=problems.responses(401, 403, 404, 409, 422),
)
def call_runoff(id: str, body: SmallBody, system: CurrentSystem, caller: CurrentCaller) -> Response:
    """The CEC calls a run-off of a concluded election; 201, or 200 when it was called so before (Art. 3.6 e)."""
    may_look(caller, "election-call")
    call = decode(body, RunoffCall)
    asked = ElectionCalled(
        election=call.id,
        kind="general",  # the first round's takes its place
        early=False,
        day=call.day,
        called_on=call.called_on,
        municipalities=call.municipalities,
    )
    try:
        called, receipt = elections.call_runoff(
            system.store, id, asked, caller, system.municipalities, now=system.clock(), salt=salt_of(system)
        )
    except LookupError:
        raise problems.NotFoundError from None
    status = 200 if receipt.status == "repeated" else 201
    return problems.json_answer(answer_of(election_of(system, called.election)), status)


@router.get(
    "/v1/elections/{id}/changes", responses=problems.responses(401, 403, 404, 409, 422, 503) | answers(ChangesAnswer)
)
async def read_changes(
    id: str,
    request: Request,
    system: CurrentSystem,
    caller: CurrentCaller,
    after: Annotated[UUID | None, Query(description="The person before the page")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    at_least: AtLeast = 0,
) -> Response:
    """How the roll of a run-off differs from the first round's, voter by voter, each with the events behind it."""
    may_look(caller, "roll")
    called = election_of(system, id).called
    if called.runoff_of is None:
        raise Refusal("calendar", "Only a run-off's roll is a set of changes beside another", provision="Art. 3.6 e")

    def work(connection: sa.Connection, _: int) -> ChangesAnswer:
        conclusion = conclusion_of_frozen(system, connection, id)
        raw = cast("psycopg.Connection[Any]", connection.connection.driver_connection)
        terms = terms_of(raw, called, system.municipalities)
        detail = {"after": None if after is None else str(after), "limit": limit}
        journal(connection, system, caller, "roll-changes", election=id, detail=detail)
        key = (system.settings.data, system.settings.database_url, id, conclusion)
        people = DIFFERING.once(key, lambda: differing(raw, terms))
        rest = [person for person in people if after is None or person > after]
        found = changes_of(raw, system.store, terms, rest[:limit], conclusion - 1)
        events = events_at(connection, {position for each in found for position in each.events})
        items = [_item(each, events) for each in found]
        more = following(request, after=rest[limit - 1], limit=limit, at_least=None) if len(rest) > limit else None
        return ChangesAnswer(items, more, len(people), terms.conclusion, conclusion)

    try:
        return private(await resting_on(system, Asked(None, None, at_least), work))
    except BusyError:
        raise problems.NotReadyError("Others are waiting for changes", retry_after=5) from None


def _item(change: Change, events: dict[int, Event]) -> ChangeItem:
    entry = change.entry
    return ChangeItem(
        change=change.kind,
        person=change.person,
        municipality=entry.municipality,
        list=entry.list_kind,
        station=entry.station,
        mission=entry.mission,
        marked_deceased=entry.marked_deceased,
        grounds=change.grounds,
        events=tuple(_explaining(events[at]) for at in change.events),
    )


def _explaining(event: Event) -> Explaining:
    return Explaining(event.position, event.source, event.id, event.data.TOPIC)
