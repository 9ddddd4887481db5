"""How quickly each authority reports, for everyone (Art. 3.5(5)); and what late notices did to a concluded roll.

Everyone sees no small number of notices of a court: who knows of a person's case would read its outcome out of it.
Days could be asked for one by one, so that such types are counted by whole months, and a month that has not ended
shows nothing from 5 on.
"""

from __future__ import annotations

from calendar import monthrange
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from typing import Annotated, Any, Final, cast
from uuid import UUID

import msgspec
import psycopg
import sqlalchemy as sa
from fastapi import APIRouter, Depends, Query, Request, Response

from register.access import optional_caller
from register.acts import elections
from register.api import problems
from register.api.elections import CurrentCaller, journal
from register.api.knowledge import Asked, AtLeast, Day, Limit, answers, following, impossible, private, resting_on
from register.api.system import CurrentSystem, System
from register.audit.counterfactual import CHANGES, Changed, Concluded, counterfactual
from register.law.calendar import civil_day
from register.law.competence import Caller, may_look
from register.law.deficiencies.receiving import days_between, difference, silent_day
from register.law.events import CapacityRestored, CapacityWithdrawn, VotingBarEnded, VotingBarred
from register.law.provisions import Refusal
from register.law.timeliness import percentile
from register.projection import timeliness
from register.projection.keeping import BusyError, Keeper
from register.projection.roll_accounts import SMALL, SMALLEST, Shown
from register.projection.tables import frozen_roll
from register.projection.timeliness import Figure
from register.settings import today

#: Types that tell of a person's capacity or bar.
GUARDED: Final = tuple(kind.TOPIC for kind in (CapacityWithdrawn, CapacityRestored, VotingBarred, VotingBarEnded))
#: Days one answer may be about, and those it is about when none are named.
LONGEST: Final = 366
USUAL: Final = 30
#: What was counted for everyone, and counterfactuals, kept as long as the position stays.
COUNTS: Final = Keeper(32)
COUNTERFACTUALS: Final = Keeper(4)

router = APIRouter(tags=["timeliness"])


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """How quickly an authority sent notices of a type; ``type`` None: of all types, and what is the authority's alone.

    ``notices`` were measured, ``first_load`` were not. Lags are in days, from 61 on those of whole weeks, from a year
    on of whole years. ``late_or_missing_written``: the paper came too late, or is overdue (``missing_written``).
    ``silent_days`` and ``unmatched_control_totals`` are days; those of a type: on which its count was another.
    """

    authority: str
    type: str | None
    notices: Shown
    first_load: Shown
    late_electronic: Shown
    late_or_missing_written: Shown
    missing_written: Shown
    median_lag: int | None
    p95_lag: int | None
    silent_days: int | None
    unmatched_control_totals: int | None


class Timeliness(msgspec.Struct, frozen=True, kw_only=True):
    """What was recorded from ``from`` to ``to``; guarded types from ``guarded_from`` to ``guarded_to``, if not None."""

    items: list[Line]
    from_: date = msgspec.field(name="from")
    to: date
    guarded_from: date | None
    guarded_to: date | None
    position: int
    next: None = None


@router.get("/v1/timeliness", responses=problems.responses(422, 503) | answers(Timeliness))
async def read_timeliness(
    system: CurrentSystem,
    caller: Annotated[Caller | None, Depends(optional_caller)],
    from_: Annotated[
        Day | None, Query(alias="from", description="The first day of recording (default: 30 days)")
    ] = None,
    to: Annotated[Day | None, Query(description="The last day of recording (default: today)")] = None,
    at_least: AtLeast = 0,
) -> Response:
    """Per authority and type: notices, those late by wire or on paper, lags; silent days, unmatched control totals."""
    now = today(system.clock())
    last = to or now
    first = from_ or last - timedelta(days=min(USUAL - 1, last.toordinal() - 1))
    if first > last or (last - first).days >= LONGEST:
        raise impossible("from")
    exact = _keeps(caller)

    def work(connection: sa.Connection, position: int) -> Timeliness:
        def count() -> Timeliness:
            return _count(_driver(connection), first, last, now, position, exact=exact)

        if exact:
            return count()
        key = (system.settings.data, system.settings.database_url, position, first, last, now)
        return COUNTS.once(key, count)

    try:
        found = await resting_on(system, Asked(None, None, at_least), work)
    except BusyError:
        raise problems.NotReadyError("Others are waiting for counts", retry_after=5) from None
    return problems.json_answer(found)


def _keeps(caller: Caller | None) -> bool:
    """Whether the caller may see every count, as of the register's counts."""
    if caller is None:
        return False
    try:
        return may_look(caller, "summary").everything
    except Refusal:
        return False


def _driver(connection: sa.Connection) -> psycopg.Connection[Any]:
    return cast("psycopg.Connection[Any]", connection.connection.driver_connection)


# --- counting -------------------------------------------------------------------------------------------------------


def _count(
    connection: psycopg.Connection[Any], first: date, last: date, now: date, position: int, *, exact: bool
) -> Timeliness:
    months = (None, None) if exact else (first.replace(day=1), last.replace(day=monthrange(last.year, last.month)[1]))
    open_ = timeliness.figures(connection, first, last, now, types=GUARDED, these=False)
    guarded = timeliness.figures(connection, months[0] or first, months[1] or last, now, types=GUARDED, these=True)
    days = list(days_between(first, last))
    silent = Counter(
        authority
        for authority, day in timeliness.silent_days(connection, now, days=days)
        if silent_day(authority, day, now) is not None
    )
    unmatched: Counter[tuple[str, str | None]] = Counter()
    for authority, _, total, received in timeliness.compared(connection, days=days):
        if (found := difference(total.sent, received)) is not None:
            unmatched.update([(authority, None), *((authority, kind) for kind in found.types)])
    lines = {key: _line(*key, figures) for key, figures in _by_type([*open_, *(guarded if exact else ())]).items()}
    if not exact:
        lines |= {key: guard(_line(*key, some), some, now) for key, some in _by_type(guarded).items()}
    items = []
    types: dict[str, dict[str, Line]] = {}
    for (authority, kind), line in lines.items():
        types.setdefault(authority, {})[kind] = line
    whole: dict[str, list[Figure]] = {}
    for figure in (*open_, *guarded):
        whole.setdefault(figure.authority, []).append(figure)
    for authority in sorted({*types, *silent, *(name for name, _ in unmatched)}):
        of_types = types.get(authority, {})
        hidden = not exact and any(kind in GUARDED for kind in of_types)
        of_all = _sum(authority, of_types.values()) if hidden else _line(authority, None, whole.get(authority, ()))
        for line in (of_all, *(of_types[kind] for kind in sorted(of_types))):
            told = None if not exact and line.type in GUARDED else unmatched[authority, line.type]
            of_it = {"silent_days": silent[authority], "unmatched_control_totals": told}
            items.append(msgspec.structs.replace(line, **of_it))
    return Timeliness(
        items=items, from_=first, to=last, guarded_from=months[0], guarded_to=months[1], position=position
    )


def _by_type(figures: Iterable[Figure]) -> dict[tuple[str, str], list[Figure]]:
    found: dict[tuple[str, str], list[Figure]] = {}
    for figure in figures:
        found.setdefault((figure.authority, figure.type), []).append(figure)
    return found


def _line(authority: str, kind: str | None, figures: Iterable[Figure]) -> Line:
    lags: Counter[int] = Counter()
    first_load = late = papers_late = missing = 0
    for figure in figures:
        if figure.first_load:
            first_load += figure.notices
            continue
        lags[figure.lag] += figure.notices
        late, papers_late = late + figure.late, papers_late + figure.papers_late
        missing += figure.papers_missing
    return Line(
        authority=authority,
        type=kind,
        notices=lags.total(),
        first_load=first_load,
        late_electronic=late,
        late_or_missing_written=papers_late + missing,
        missing_written=missing,
        median_lag=percentile(lags, 50),
        p95_lag=percentile(lags, 95),
        silent_days=None,
        unmatched_control_totals=None,
    )


#: The members of a line that count notices.
_COUNTS: Final = ("notices", "first_load", "late_electronic", "late_or_missing_written", "missing_written")


def guard(line: Line, figures: Iterable[Figure], now: date) -> Line:
    """A line of whole months as everyone sees it: 1 to 4 as ``<5``, None where months would give such a one away.

    A month counts when it has ended and has no notice, or 5 at least; of one still under way every new notice could be
    told from the one before.
    """
    months: Counter[date] = Counter()
    for figure in figures:
        months[figure.month or now] += figure.notices
    total = months.total()
    told = all(count >= SMALLEST and month < now.replace(day=1) for month, count in months.items() if count)
    counts: dict[str, Shown] = dict.fromkeys(_COUNTS)
    if told or total < SMALLEST:
        counts = {name: _shown(getattr(line, name)) for name in _COUNTS}
    lags = isinstance(counts["notices"], int) and told
    return msgspec.structs.replace(
        line, **counts, median_lag=line.median_lag if lags else None, p95_lag=line.p95_lag if lags else None
    )


def _shown(count: int) -> Shown:
    return SMALL if 0 < count < SMALLEST else count


def _sum(authority: str, lines: Iterable[Line]) -> Line:
    """All types of an authority with guarded ones: what their lines add up to, None where one of them is hidden."""
    parts = list(lines)
    counts: dict[str, Shown] = {}
    for name in _COUNTS:
        values = [getattr(line, name) for line in parts]
        counts[name] = sum(values) if all(isinstance(value, int) for value in values) else None
    return msgspec.structs.replace(_line(authority, None, ()), **counts)


# --- counterfactual -------------------------------------------------------------------------------------------------


class Attributed(msgspec.Struct, frozen=True):
    """How many would have stood otherwise because of these authorities' late notices; several: only together."""

    authorities: tuple[str, ...]
    persons: int
    on: int
    off: int
    municipality: int
    list: int


class Counterfactual(msgspec.Struct, frozen=True, kw_only=True):
    """Who would have stood otherwise on a roll concluded at ``conclusion``, by what is known at ``position``."""

    election: str
    conclusion: int
    concluded_on: date
    persons: int
    by_authority: list[Attributed]
    items: list[Changed]
    next: str | None
    position: int


@router.get(
    "/v1/elections/{id}/counterfactual",
    responses=problems.responses(401, 403, 404, 409, 422, 503) | answers(Counterfactual),
)
async def read_counterfactual(
    id: str,
    request: Request,
    system: CurrentSystem,
    caller: CurrentCaller,
    after: Annotated[UUID | None, Query(description="The person before the page")] = None,
    limit: Limit = 100,
    at_least: AtLeast = 0,
) -> Response:
    """Whom notices that came later than 2 days after the change put on or off a concluded roll, or on another list."""
    may_look(caller, "counterfactual")

    def work(connection: sa.Connection, position: int) -> tuple[Concluded, list[Changed], int]:
        of = _concluded(system, connection, id)
        detail = {"after": None if after is None else str(after), "limit": limit}
        journal(connection, system, caller, "counterfactual", election=id, detail=detail)
        key = (system.settings.data, system.settings.database_url, id, position)
        found = COUNTERFACTUALS.once(key, lambda: counterfactual(_driver(connection), system.store, of, upto=position))
        return of, found, position

    try:
        of, found, position = await resting_on(system, Asked(None, None, at_least), work)
    except BusyError:
        raise problems.NotReadyError("Others are waiting for counterfactuals", retry_after=10) from None
    rest = [changed for changed in found if after is None or changed.person > after]
    more = following(request, after=rest[limit - 1].person, limit=limit, at_least=None) if len(rest) > limit else None
    return private(
        Counterfactual(
            election=id,
            conclusion=of.conclusion,
            concluded_on=civil_day(of.at),
            persons=len(found),
            by_authority=_attributed(found),
            items=rest[:limit],
            next=more,
            position=position,
        )
    )


def _concluded(system: System, connection: sa.Connection, election: str) -> Concluded:
    """The concluded election. Raises NotFoundError, ``Refusal`` (409), NotReadyError while its roll is not frozen."""
    found = elections.load(system.store, election)
    if found is None:
        raise problems.NotFoundError
    if found.conclusion is None or found.concluded_on is None:
        raise Refusal("calendar", "The roll of this election is not concluded", provision="Art. 3.6 e")
    if found.called.runoff_of is not None:
        sentence = "A run-off's roll is its first round's: ask which late notices changed that one"
        raise Refusal("calendar", sentence, provision="Art. 3.6 e")
    if connection.scalar(sa.select(frozen_roll.c.conclusion).where(frozen_roll.c.election == election)) is None:
        raise problems.NotReadyError("The roll is being frozen", retry_after=2)
    return Concluded(found.called, found.conclusion, found.concluded_on, system.municipalities)


def _attributed(found: Iterable[Changed]) -> list[Attributed]:
    counts: dict[tuple[str, ...], Counter[str]] = {}
    for changed in found:
        counts.setdefault(changed.authorities, Counter())[changed.change] += 1
    return [_of(authorities, counts[authorities]) for authorities in sorted(counts, key=lambda a: (len(a), a))]


def _of(authorities: tuple[str, ...], count: Mapping[str, int]) -> Attributed:
    return Attributed(authorities, sum(count.values()), *(count.get(change, 0) for change in CHANGES))
