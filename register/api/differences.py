"""Between two positions: entries added, removed and changed, each with the events that did it (Art. 3.6)."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

import msgspec
import sqlalchemy as sa
from fastapi import APIRouter, Query, Request, Response

from register.api import problems
from register.api.knowledge import (
    LAST,
    Asked,
    AtLeast,
    Limit,
    MunicipalityCode,
    On,
    answers,
    following,
    impossible,
    journal,
    position_for,
    private,
    read_known_at,
    resting_on,
)
from register.api.registry import CurrentCaller
from register.api.system import CurrentSystem
from register.law.competence import may_look
from register.law.events import Event
from register.projection.differences import Answer, Difference, Place, Span, differences, events_at

router = APIRouter(tags=["auditors"])

_PROBLEMS: Final = problems.responses(401, 403, 422, 503)


class Doing(msgspec.Struct, frozen=True, kw_only=True):
    """An event at which what the register says of the person on that day became something else."""

    position: int
    recorded_at: datetime
    source: str
    id: str
    type: str
    document: Any


class Linked(msgspec.Struct, frozen=True, kw_only=True):
    """A number of the person's was joined to, or parted from, one that is known by another id (``with``)."""

    action: Literal["joined", "parted"]
    with_: UUID = msgspec.field(name="with")
    position: int


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One entry: whole where it was added (``before`` null) or removed (``after`` null), else the members that differ.

    The members are those of ``GET /v1/register``; ``from`` and ``to`` are the days on which it says the same.
    """

    person: UUID
    change: Literal["added", "removed", "changed"]
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    events: list[Doing]
    links: list[Linked]


class Differences(msgspec.Struct, frozen=True, kw_only=True):
    """What differs, by the position of the first event that did it, then by person; ``position`` is that of ``to``."""

    items: list[Change]
    next: str | None
    from_: int = msgspec.field(name="from")
    to: int
    on: date
    position: int


@router.get("/v1/register/diff", responses=_PROBLEMS | answers(Differences))
async def read_differences(
    request: Request,
    system: CurrentSystem,
    caller: CurrentCaller,
    from_: Annotated[str, Query(alias="from", max_length=64, description="Position or instant; 0: nothing recorded")],
    to: Annotated[str, Query(max_length=64, description="Position or instant")],
    municipality: MunicipalityCode | None = None,
    on: On = None,
    after: Annotated[str | None, Query(max_length=60, description="Where a page ended")] = None,
    limit: Limit = 100,
    at_least: AtLeast = 0,
) -> Response:
    """Entries added, removed or changed between two positions, for a day, each with the events that did it.

    With ``municipality``: entries that count there before or after. A page may hold fewer items than asked for and
    still have a next.
    """
    may_look(caller, "diff")
    ends = read_known_at(from_, "from"), read_known_at(to, "to")
    place, asked = None if after is None else _place(after), Asked(on, None, at_least)

    def work(connection: sa.Connection, _: int) -> Differences:
        first, last = (position_for(system, connection, Asked(None, end, at_least)) for end in ends)
        if first > last:
            raise impossible("from")
        span = Span(first, last, asked.day(system.clock()))
        found, behind = differences(connection, span, municipality=municipality, after=place, limit=limit)
        noted: dict[str, Any] = {
            "from": first,
            "to": last,
            "on": span.on,
            "after": after,
            "limit": limit,
            "entries": len(found),
        }
        journal(connection, system, caller, "diff", municipality=municipality, **noted)
        events = events_at(connection, {position for each in found for position in each.positions})
        more = None
        if behind is not None:
            cursor = f"{behind.position}.{behind.person}"
            fixed: dict[str, Any] = {"from": first, "to": last, "on": span.on, "after": cursor, "at_least": None}
            more = following(request, **fixed)
        items = [_change(each, events) for each in found]
        return Differences(items=items, next=more, from_=first, to=last, on=span.on, position=last)

    return private(await resting_on(system, asked, work, may_lag=True))


def _place(text: str) -> Place:
    """The place a cursor names. Raises ``RequestValidationError``."""
    position, _, person = text.partition(".")
    try:
        place = Place(int(position), UUID(person))
    except ValueError:
        raise impossible("after") from None
    if not 0 <= place.position <= LAST:
        raise impossible("after")
    return place


def _change(found: Difference, events: dict[int, Event]) -> Change:
    before, after = found.before, found.after
    if before is not None and after is not None:
        differing = [name for name in after if before[name] != after[name]]
        before, after = ({name: end[name] for name in differing} for end in (before, after))
    return Change(
        person=found.person,
        change="added" if before is None else "removed" if after is None else "changed",
        before=_told(before),
        after=_told(after),
        events=[_doing(events[position]) for position in found.positions],
        links=[Linked(action=link.action, with_=link.with_, position=link.position) for link in found.links],
    )


def _told(answer: Answer | None) -> dict[str, Any] | None:
    return None if answer is None else dict(answer)


def _doing(event: Event) -> Doing:
    return Doing(
        position=event.position,
        recorded_at=event.recorded_at,
        source=event.source,
        id=event.id,
        type=event.data.TOPIC,
        document=getattr(event.data, "document", None),
    )
