"""Elections: called and concluded by the CEC (Art. 1.14, 3.6 e), their calendar and accounts for everyone."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Any, Final, Literal

import msgspec
import sqlalchemy as sa
from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.exceptions import RequestValidationError

from register.access import PersonalNumberError, current_caller, journal_look, optional_caller
from register.acts import elections
from register.api import problems
from register.api.bodies import SmallBody, decode, schema_of
from register.api.knowledge import Asked, AtLeast, following, impossible, resting_on
from register.api.system import CurrentSystem, System
from register.law.calendar import Calendar, calendar_of
from register.law.competence import Caller, may_look
from register.law.events import ElectionCalled, ElectionId
from register.law.provisions import Refusal
from register.law.rolls import ListKind
from register.projection.keeping import BusyError
from register.projection.roll_accounts import Cell, RollAccounts, Shown, by_units, roll_accounts
from register.projection.tables import frozen_roll, roll

router = APIRouter(tags=["elections"])
CurrentCaller = Annotated[Caller, Depends(current_caller)]
#: Who may see the accounts exactly; everyone else sees no small cell.
_EXACT: Final = frozenset({"cec", "auditor"})


class Call(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The call of an election (contract: section 3); ``municipalities`` empty: all. ``options_until``: early ones."""

    id: ElectionId
    kind: Literal["general", "local"]
    early: bool = False
    day: date
    called_on: date
    options_until: date | None = None
    municipalities: tuple[str, ...] = ()


class Roll(msgspec.Struct, frozen=True):
    """The frozen roll: its voters, and the SHA-256 over its rows in order."""

    voters: int
    sha256: str


class ElectionAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """An election; ``position`` is that of the last event about it."""

    id: str
    kind: str
    early: bool
    day: date
    called_on: date
    municipalities: tuple[str, ...]
    runoff_of: str | None
    state: Literal["called", "concluded"]
    calendar: Calendar
    conclusion: int | None
    concluded_at: datetime | None
    roll: Roll | None
    position: int


@router.post("/v1/elections", openapi_extra=schema_of(Call), responses=problems.responses(401, 403, 409, 422))
def call_election(body: SmallBody, system: CurrentSystem, caller: CurrentCaller) -> Response:
    """The CEC calls an election; 201 with its calendar, 200 when it was called so before (Art. 1.14)."""
    may_look(caller, "election-call")
    call = decode(body, Call)
    called = ElectionCalled(
        election=call.id,
        kind=call.kind,
        early=call.early,
        day=call.day,
        called_on=call.called_on,
        options_until=call.options_until,
        municipalities=call.municipalities,
    )
    receipt = elections.call(
        system.store, called, caller, system.municipalities, now=system.clock(), salt=salt_of(system)
    )
    status = 200 if receipt.status == "repeated" else 201
    return problems.json_answer(answer_of(election_of(system, call.id)), status)


@router.get("/v1/elections")
def list_elections(system: CurrentSystem) -> Response:
    """Every election with its calendar, the latest election day first."""
    with system.database.psycopg() as connection:
        found = elections.load_all(connection, system.store)
    return problems.json_answer({"items": [answer_of(each) for each in found], "next": None})


@router.get("/v1/elections/{id}", responses=problems.responses(404))
def read_election(id: str, system: CurrentSystem) -> Response:
    """An election with its calendar, its conclusion and its frozen roll."""
    return problems.json_answer(answer_of(election_of(system, id)))


@router.post("/v1/elections/{id}/conclusion", status_code=201, responses=problems.responses(401, 403, 404, 409))
def conclude_election(id: str, system: CurrentSystem, caller: CurrentCaller) -> Response:
    """The CEC concludes the roll: the position of this act fixes what the roll rests on (Art. 3.6 e)."""
    try:
        concluded, receipt = elections.conclude(
            system.store, id, caller, reference=system.reference, now=system.clock(), salt=salt_of(system)
        )
    except LookupError:
        raise problems.NotFoundError from None
    return problems.json_answer(msgspec.structs.replace(answer_of(concluded), position=receipt.position), 201)


@router.get("/v1/elections/{id}/roll", responses=problems.responses(401, 403, 404, 409, 422, 503))
async def read_roll(
    id: str,
    request: Request,
    system: CurrentSystem,
    caller: CurrentCaller,
    municipality: Annotated[str | None, Query(pattern=r"^[0-9]{5}$")] = None,
    list_kind: Annotated[ListKind | None, Query(alias="list")] = None,
    station: Annotated[str | None, Query(max_length=20)] = None,
    after: Annotated[int, Query(ge=0, le=2**63 - 1)] = 0,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
    at_least: AtLeast = 0,
) -> Response:
    """The frozen roll in list order, a page; every look is journalled."""
    may_look(caller, "roll")
    wanted = {"municipality": municipality, "list_kind": list_kind, "station": station}
    query = _page_of_roll(id, after, limit, {name: value for name, value in wanted.items() if value is not None})

    def work(connection: sa.Connection, _: int) -> tuple[int, list[dict[str, Any]]]:
        conclusion = conclusion_of_frozen(system, connection, id)
        detail = {"list": list_kind, "station": station, "after": after, "limit": limit}
        journal(connection, system, caller, "roll", election=id, municipality=municipality, detail=detail)
        rows = connection.execute(query).mappings()
        return conclusion, [dict(row) for row in rows]

    conclusion, rows = await resting_on(system, Asked(None, None, at_least), work)
    more = None
    if len(rows) > limit:
        more = following(request, after=rows[limit - 1]["no"], limit=limit, at_least=None)
    items = [{("list" if name == "list_kind" else name): value for name, value in row.items()} for row in rows[:limit]]
    return problems.json_answer({"items": items, "next": more, "position": conclusion})


def _page_of_roll(election: str, after: int, limit: int, wanted: Mapping[str, str]) -> sa.Select[Any]:
    """The rows of a page, and the one after it.

    Those of a municipality are found by the index of its lists first: a plan that takes the rows in their order would
    go through all municipalities before it.
    """
    chosen = [roll.c.election == election, roll.c.no > after, *(roll.c[name] == wanted[name] for name in wanted)]
    query = sa.select(*(column for column in roll.c if column.name != "election"))
    if "municipality" in wanted:
        these = sa.select(roll.c.no).where(*chosen).cte("these").prefix_with("MATERIALIZED")
        chosen = [roll.c.election == election, roll.c.no.in_(sa.select(these).order_by(these.c.no).limit(limit + 1))]
    return query.where(*chosen).order_by(roll.c.no).limit(limit + 1)


@router.get("/v1/elections/{id}/accounts", responses=problems.responses(404, 409, 422, 503))
async def read_accounts(
    id: str,
    system: CurrentSystem,
    caller: Annotated[Caller | None, Depends(optional_caller)],
    by: Annotated[Literal["list", "unit"], Query(description="Lists of municipalities, or electoral units")] = "list",
    at_least: AtLeast = 0,
) -> Response:
    """Voters by municipality, list, station, option and entity, or by unit; adding up to the roll, the remainder is 0.

    By unit: level, unit and option; the units of each level, with those who vote in none of it, add up to the roll.
    Everyone but the CEC and auditors sees cells of 1 to 4 as ``<5``, and null where a cell would give one of them away;
    of a run-off no cells, but the total: beside those of the first round they would tell of single voters.
    """

    def work(connection: sa.Connection, _: int) -> RollAccounts:
        conclusion_of_frozen(system, connection, id)
        found = roll_accounts(connection, id)
        if found is None:
            raise problems.NotReadyError("The roll is being frozen", retry_after=2)
        return found

    try:
        found = await resting_on(system, Asked(None, None, at_least), work)
    except BusyError:
        raise problems.NotReadyError("Others are waiting for counts", retry_after=5) from None
    exact = caller is not None and caller.role in _EXACT
    shown: Mapping[Cell, Shown] = found.cells if exact else found.shown or {}
    remainder = found.voters - sum(found.cells.values())
    items = [cell._asdict() | {"voters": count} for cell, count in shown.items()]
    if by == "unit":
        called = election_of(system, id).called
        units = by_units(shown, called, system.municipalities)
        items = [cell._asdict() | {"voters": count} for cell, count in units.items()]
        remainder = _unexplained(found, called, system)
    return problems.json_answer(
        {
            "items": items,
            "total": found.voters,
            "remainder": remainder,
            "position": found.conclusion,
        }
    )


def _unexplained(found: RollAccounts, called: ElectionCalled, system: System) -> int:
    """By how many voters the units of any level differ from the roll, at most; 0, or the register is wrong."""
    totals: Counter[str] = Counter()
    for cell, count in by_units(found.cells, called, system.municipalities).items():
        totals[cell.level] += count if isinstance(count, int) else 0
    return max((found.voters - total for total in totals.values()), key=abs, default=found.voters)


def salt_of(system: System) -> str:
    """A fresh salt for the personal members of an act."""
    return base64.b64encode(system.entropy(16)).decode()


def journal(
    connection: sa.Connection, system: System, caller: Caller, what: str, *, election: str, **noted: Any
) -> None:
    """Write down a look, to be committed before the answer.

    Raises ``NotReadyError`` when it cannot be written, and ``RequestValidationError`` for a parameter that could be a
    personal number.
    """
    try:
        journal_look(connection, caller, what, now=system.clock(), election=election, **noted)
    except PersonalNumberError as error:
        if error.member == "election":
            raise RequestValidationError([{"loc": ("path", "id"), "type": "value_error"}]) from None
        raise impossible(error.member) from None
    except sa.exc.DBAPIError as error:
        raise problems.NotReadyError("This look cannot be journalled right now") from error


def election_of(system: System, election: str) -> elections.Election:
    """The election of this id. Raises NotFoundError."""
    found = elections.load(system.store, election)
    if found is None:
        raise problems.NotFoundError
    return found


def answer_of(of: elections.Election) -> ElectionAnswer:
    """An election as everyone is told of it."""
    called = of.called
    return ElectionAnswer(
        id=called.election,
        kind=called.kind,
        early=called.early,
        day=called.day,
        called_on=called.called_on,
        municipalities=called.municipalities,
        runoff_of=called.runoff_of,
        state="called" if of.conclusion is None else "concluded",
        calendar=calendar_of(called),
        conclusion=of.conclusion,
        concluded_at=of.concluded_on,
        roll=None if of.roll is None else Roll(of.roll.voters, of.roll.sha256),
        position=of.position,
    )


def conclusion_of_frozen(system: System, connection: sa.Connection, election: str) -> int:
    """Where the frozen roll was concluded. Raises NotFoundError, ``Refusal`` (409) or NotReadyError (503)."""
    if election_of(system, election).conclusion is None:
        raise Refusal("calendar", "The roll of this election is not concluded", provision="Art. 3.6 e")
    conclusion = connection.scalar(sa.select(frozen_roll.c.conclusion).where(frozen_roll.c.election == election))
    if conclusion is None:
        raise problems.NotReadyError("The roll is being frozen", retry_after=2)
    return int(conclusion)
