"""Counts of the register, and the accounts between two positions (contract: section 3).

Those who keep the register see any position. Everyone else sees day-ends that are at least a day old, one table at a
time, and the accounts made from these, guarded by :mod:`register.api.disclosure`; they are counted once and kept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import date, datetime
from typing import Annotated, Any, Final, Literal, TypeVar

import msgspec
import sqlalchemy as sa
from fastapi import APIRouter, Depends, Query, Response

from register.access import optional_caller
from register.api import problems
from register.api.disclosure import Flows, Key, Published, disclose, publish
from register.api.knowledge import (
    Asked,
    AskedFor,
    AtLeast,
    On,
    answers,
    day_before,
    impossible,
    position_for,
    read_known_at,
    resting_on,
    start_of,
)
from register.api.system import CurrentSystem, System
from register.law.competence import Caller, Purpose, may_look
from register.law.provisions import Refusal
from register.projection import counting, queries
from register.projection.keeping import BusyError, Keeper
from register.projection.roll_accounts import Shown
from register.settings import today

#: How long anyone may keep what everyone may see: it does not change, but the day does.
PUBLIC: Final = {"Cache-Control": "public, max-age=3600"}
#: Tables of how many (position, day) are kept.
KEPT: Final = 256

Visitor = Annotated[Caller | None, Depends(optional_caller)]
By = Literal["municipality", "entity", "sex", "age", "ground"]
T = TypeVar("T")

router = APIRouter(tags=["counts"])


class Summary(msgspec.Struct, frozen=True):
    """Counts on a day: each item holds the members counted by, and ``count``. ``total`` is their sum."""

    items: list[dict[str, Any]]
    total: Shown
    on: date
    position: int
    next: None = None


class Account(msgspec.Struct, frozen=True):
    """One line of the accounts; ``ground`` None: first entries and moves.

    Everyone sees lines without grounds; one whose municipality and members are all None stands for the municipalities
    of which nothing is told.
    """

    municipality: str | None
    ground: str | None
    entered: Shown = 0
    reinstated: Shown = 0
    deleted: Shown = 0
    moved_in: Shown = 0
    moved_out: Shown = 0


class Accounts(msgspec.Struct, frozen=True):
    """``before + entered + reinstated - deleted = after`` for a day, between two positions; ``remainder`` is 0."""

    items: list[Account]
    before: Shown
    after: Shown
    remainder: int
    on: date
    position: int
    next: None = None


# --- routes ---------------------------------------------------------------------------------------------------------


@router.get("/v1/register/summary", responses=problems.responses(401, 403, 422, 503) | answers(Summary))
async def read_summary(
    system: CurrentSystem,
    caller: Visitor,
    asked: AskedFor,
    by: Annotated[str, Query(max_length=60, description="municipality, entity, sex, age, ground; with commas")] = "",
) -> Response:
    """How many voters there are, by municipality, entity, sex, age or ground."""
    chosen = read_by(by)
    if not _keeps(caller, "summary"):
        return await _public_summary(system, asked, chosen)

    def work(connection: sa.Connection, position: int) -> Summary:
        on = asked.day(system.clock())
        rows = [dict(row) for row in counting.summary(connection, on, position, chosen)]
        return Summary(rows, sum(row["count"] for row in rows), on, position)

    return problems.json_answer(await resting_on(system, asked, work, may_lag=True))


@router.get("/v1/register/accounts", responses=problems.responses(401, 403, 422, 503) | answers(Accounts))
async def read_accounts(
    system: CurrentSystem,
    caller: Visitor,
    from_: Annotated[str, Query(alias="from", max_length=64, description="Position or instant; 0: nothing recorded")],
    to: Annotated[str, Query(max_length=64, description="Position or instant")],
    on: On = None,
    at_least: AtLeast = 0,
) -> Response:
    """Who came and who went between two positions, for one day, and that nothing is left unexplained."""
    first, last = read_known_at(from_, "from"), read_known_at(to, "to")
    keeps, asked = _keeps(caller, "accounts"), Asked(on, None, at_least)

    def work(connection: sa.Connection, _: int) -> Accounts:
        positions = [position_for(system, connection, Asked(None, end, at_least)) for end in (first, last)]
        if positions[0] > positions[1]:
            raise impossible("from")
        day = asked.day(system.clock())
        if keeps:
            return accounts(connection, day, *positions)
        for position in positions:
            day = public_day(system, Asked(on, position, 0))[0] if position else day
        return public_accounts(system, connection, day, *positions)

    return problems.json_answer(await resting_on(system, asked, work, may_lag=True))


# --- for everyone ---------------------------------------------------------------------------------------------------


async def _public_summary(system: System, asked: Asked, chosen: tuple[By, ...]) -> Response:
    """One table of the guarded four, or the total. Raises ``Refusal`` for anything finer or younger."""
    if len(chosen) > 1 or "ground" in chosen:
        raise _not_public("Everyone sees counts by municipality, by entity, by sex or by age, one at a time")
    on, position = public_day(system, asked)

    def work(connection: sa.Connection, at: int) -> Published:
        return published(system, connection, on, at)

    found = await resting_on(system, Asked(on, position, asked.at_least), work, may_lag=True)
    items: list[dict[str, Any]] = []
    if chosen:
        table: dict[Key, Shown] = found.tables[chosen[0]]  # type: ignore[index]
        items = [{chosen[0]: key, "count": table[key]} for key in sorted(table, key=lambda key: (key is not None, key))]
    else:
        items = [{"count": found.total}]
    answer = problems.json_answer(Summary(items, found.total, on, position))
    answer.headers.update(PUBLIC)
    return answer


def public_day(system: System, asked: Asked) -> tuple[date, int]:
    """The day and position everyone may see: a day-end at least a day old, of its own day or as it looks today.

    Without a position asked for, it is the last such one; without a day, today. Raises ``Refusal`` (Art. 3.1).
    """
    now = today(system.clock())
    newest = day_before(now, 2)
    if asked.known_at is None:
        end = newest if asked.on is None or asked.on == now else asked.on
        if end > newest:
            raise _not_public("Everyone sees the register as it was known at the end of a day, at least a day ago")
        return asked.on or now, _end_of(system, end)
    wanted = _resolved(system, asked.known_at)
    following = system.store.recorded_at(wanted + 1)
    # The position ends every civil day from its own to the one before the next event's.
    last = newest if following is None else min(newest, day_before(today(following)))
    own = system.store.recorded_at(wanted)
    first = date.min if own is None else today(own)
    if last < first:
        raise _not_public("Everyone sees the register as it was known at the end of a day, at least a day ago")
    if asked.on is not None and asked.on != now and not first <= asked.on <= last:
        raise _not_public("Everyone sees counts of the day that ended at this position, or of today")
    return asked.on or now, wanted


def published(system: System, connection: sa.Connection, on: date, position: int) -> Published:
    """The guarded tables of a day as known at a position, counted once."""

    def count() -> Published:
        def table(by: By) -> dict[Key, int]:
            return {row[by]: row["count"] for row in counting.summary(connection, on, position, [by])}

        return publish(table("municipality"), table("entity"), table("sex"), table("age"))

    return _once(system, ("tables", queries.tables_of(connection), position, on), count)


KEEPER: Final = Keeper(KEPT)


def _once(system: System, key: tuple[str | int | date, ...], count: Callable[[], T]) -> T:
    """What was counted, once. Raises ``NotReadyError`` rather than let many wait.

    ``key`` names the tables too: counts of tables that were found wrong and replaced are not told again.
    """
    try:
        return KEEPER.once((system.settings.data, system.settings.database_url, *key), count)
    except BusyError:
        raise problems.NotReadyError("Others are waiting for counts", retry_after=5) from None


def _keeps(caller: Caller | None, purpose: Purpose) -> bool:
    """Whether the caller has a mandate for any position, rather than what everyone has."""
    if caller is None:
        return False
    try:
        return may_look(caller, purpose).everything
    except Refusal:
        return False


def _end_of(system: System, day: date) -> int:
    """The last position recorded before a civil day was over."""
    if day == date.max:
        return system.store.head()
    begins = start_of(date.fromordinal(day.toordinal() + 1))
    return system.store.position_at(begins - datetime.resolution)


def _resolved(system: System, known_at: int | datetime) -> int:
    if isinstance(known_at, datetime):
        return system.store.position_at(known_at)
    return min(known_at, system.store.head())


def _not_public(sentence: str) -> Refusal:
    return Refusal("not-competent", sentence, provision="Art. 3.1")


# --- accounts -------------------------------------------------------------------------------------------------------


def accounts(connection: sa.Connection, on: date, first: int, last: int) -> Accounts:
    """The accounting identity for a day between two positions, 0 being the empty event store (rules: identity).

    Entered, reinstated and deleted come from the audit log, before and after from the register, moves from the
    stretches; ``remainder`` is what they do not explain, over the country or in any one municipality.
    """
    before, after = counting.counts(connection, on, first, last)
    lines: dict[tuple[str | None, str | None], Counter[str]] = {}
    net: Counter[str | None] = Counter()
    for row in counting.changes(connection, on, first, last):
        lines.setdefault((row["municipality"], row["ground"]), Counter())[row["action"]] += row["count"]
        net[row["municipality"]] += -row["count"] if row["action"] == "deleted" else row["count"]
    for gone, come, count in counting.moves(connection, on, first, last):
        lines.setdefault((gone, None), Counter())["moved_out"] += count
        lines.setdefault((come, None), Counter())["moved_in"] += count
        net[gone] -= count
        net[come] += count
    places = before.keys() | after.keys() | net.keys()
    unexplained = [after.get(p, 0) - before.get(p, 0) - net[p] for p in places]
    total = sum(unexplained)
    items = [
        Account(municipality, ground, **lines[municipality, ground])
        for municipality, ground in sorted(lines, key=lambda line: (line[0] or "", line[1] or ""))
    ]
    remainder = total or max(map(abs, unexplained), default=0)
    return Accounts(items, sum(before.values()), sum(after.values()), remainder, on, last)


def public_accounts(system: System, connection: sa.Connection, on: date, first: int, last: int) -> Accounts:
    """The accounts as everyone sees them, made from what everyone sees of the register at both positions."""
    before, after = (published(system, connection, on, position) for position in (first, last))
    key = ("accounts", queries.tables_of(connection), first, last, on)
    found = _once(system, key, lambda: accounts(connection, on, first, last))
    flows: dict[Key, Counter[str]] = {}
    for item in found.items:
        members = {name: count for name in Flows._fields if isinstance(count := getattr(item, name), int)}
        flows.setdefault(item.municipality, Counter()).update(members)
    shown = disclose({place: Flows(**line) for place, line in flows.items()}, before, after)
    items = [Account(None if place is None else str(place), None, *line) for place, line in shown.lines.items()]
    if shown.others:
        items.append(Account(None, None, None, None, None, None, None))
    return msgspec.structs.replace(found, items=items, before=shown.before, after=shown.after)


def read_by(text: str) -> tuple[By, ...]:
    """What to count by, in one order whatever the order asked in. Raises ``RequestValidationError``."""
    names = [name.strip() for name in text.split(",")] if text else []
    if not all(name in counting.SUMMARY_BY for name in names):
        raise impossible("by")
    return tuple(name for name in counting.SUMMARY_BY if name in names)
