"""For auditors and the CEC: every event, every deletion and reinstatement, the special records, who looked at what."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

import msgspec
import sqlalchemy as sa
from fastapi import APIRouter, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from register.access import Look, looks
from register.api import problems
from register.api.entries import Entered, RecordedEvent, entered_of, recorded
from register.api.knowledge import (
    LAST,
    PATIENCE,
    PAUSE,
    AskedFor,
    AtLeast,
    Limit,
    MunicipalityCode,
    Page,
    answers,
    following,
    impossible,
    journal,
    private,
    read_moment,
    resting_on,
)
from register.api.registry import CurrentCaller
from register.api.system import CurrentSystem, System
from register.law.competence import may_look, municipality_of
from register.law.events import BY_TOPIC, SOURCE_PREFIX, CapacityWithdrawn, Event, VotingBarred
from register.law.franchise import GROUNDS, JOINED_NUMBER
from register.law.withdrawals import Withdrawal, withdrawals
from register.projection import queries

#: Events looked at for one page of a filtered list: a page may therefore hold fewer items, and still have a next.
SCANNED: Final = 50_000
#: Events whose persons may have lost the right (R5, R6).
_BASES: Final = (CapacityWithdrawn.TOPIC, VotingBarred.TOPIC)
_PROBLEMS: Final = problems.responses(401, 403, 422, 503)

After = Annotated[int, Query(ge=0, le=LAST, description="The position the page begins behind")]
Instant = Annotated[str | None, Query(max_length=64, description="An instant (RFC 3339), or a day: its beginning")]

router = APIRouter(tags=["auditors"])


class LookPage(msgspec.Struct, frozen=True):
    """Entries of the journal of looks, in order."""

    items: list[Look]
    next: str | None


class Ending(msgspec.Struct, frozen=True):
    """The event that ended a withdrawal, and its document."""

    position: int
    source: str
    id: str
    document: Any


class SpecialRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A person whose right was withdrawn (Art. 3.6 d): basis, days ``[from, to)``, the decision and its document."""

    person: UUID
    jmb: str
    surname: str | None
    given_name: str | None
    parent_name: str | None
    born_on: date | None
    ground: str
    article: str
    cause: str | None
    from_: date = msgspec.field(name="from")
    to: date | None
    in_force: bool
    position: int
    recorded_at: datetime
    authority: str
    source: str
    id: str
    type: str
    document: Any
    ended_by: Ending | None


# --- events ---------------------------------------------------------------------------------------------------------


@router.get("/v1/events", responses=_PROBLEMS | answers(Page[RecordedEvent]))
async def read_events(
    request: Request,
    system: CurrentSystem,
    caller: CurrentCaller,
    after: After = 0,
    limit: Limit = 100,
    type: Annotated[str | None, Query(max_length=1000, description="Types, with commas between them")] = None,
    municipality: MunicipalityCode | None = None,
    at_least: AtLeast = 0,
) -> Response:
    """The event store in order, the register's own events included; with what is personal, so that all can be replayed.

    With ``municipality``: events whose public data or whose sender name it.
    """
    may_look(caller, "events")
    topics = None if type is None else type.split(",")
    if topics is not None and not all(topic in BY_TOPIC for topic in topics):
        raise impossible("type")
    head = await _head(system, at_least)

    def work(connection: sa.Connection) -> Page[RecordedEvent]:
        items, last = _scan(system, after, head, limit, topics, municipality)
        noted: dict[str, Any] = {"after": after, "entries": len(items), "type": type, "position": head}
        journal(connection, system, caller, "events", municipality=municipality, **noted)
        more = following(request, after=last, at_least=None) if last < head else None
        return Page([recorded(event) for event in items], more, head)

    return private(await run_in_threadpool(_journalled, system, work))


def _journalled(system: System, work: Any) -> Any:
    """Work that needs the journal and not the register's tables."""
    try:
        with system.database.engine.begin() as connection:
            return work(connection)
    except (sa.exc.OperationalError, sa.exc.TimeoutError) as error:
        raise problems.NotReadyError("This cannot be answered right now") from error


async def _head(system: System, at_least: int) -> int:
    """The last position; waits a little for one that is not there yet. Raises ``NotReadyError``."""
    deadline = time.monotonic() + PATIENCE
    while True:
        head = await run_in_threadpool(system.store.head)
        if head >= at_least:
            return head
        if time.monotonic() >= deadline:
            raise problems.NotReadyError("The event store has not reached this position yet")
        await asyncio.sleep(PAUSE)


def _scan(
    system: System, after: int, head: int, limit: int, topics: Sequence[str] | None, municipality: str | None
) -> tuple[list[Event], int]:
    """A page of events, and the position looked at last; ``head`` when nothing is left."""
    upto = min(head, after + SCANNED) if topics or municipality else head
    wanted = limit if municipality is None else None
    found: list[Event] = []
    for event in system.store.events(after=after, upto=upto, limit=wanted, topics=topics):
        if municipality is None or _concerns(event, municipality):
            found.append(event)
        if len(found) == limit:
            return found, event.position
    return found, upto


def _concerns(event: Event, municipality: str) -> bool:
    """Whether the public data of an event, or its sender, name a municipality."""
    return (
        getattr(event.data, "municipality", None) == municipality
        or municipality_of(event.source.removeprefix(SOURCE_PREFIX)) == municipality
    )


# --- deletions and reinstatements -----------------------------------------------------------------------------------


@router.get("/v1/audit", responses=_PROBLEMS | answers(Page[Entered]))
async def read_audit(
    request: Request,
    system: CurrentSystem,
    caller: CurrentCaller,
    asked: AskedFor,
    action: Literal["entered", "deleted", "reinstated"] | None = None,
    ground: Annotated[str | None, Query(max_length=40)] = None,
    person: UUID | None = None,
    municipality: MunicipalityCode | None = None,
    authority: Annotated[str | None, Query(max_length=200, description="The id of the authority that sent it")] = None,
    recorded_from: Instant = None,
    recorded_to: Instant = None,
    after: Annotated[str | None, Query(max_length=100, description="A position, or where a page ended")] = None,
    limit: Limit = 100,
) -> Response:
    """First entries, deletions and reinstatements by position (Art. 3.2, 3.6 d); ``recorded_to`` is not included."""
    may_look(caller, "audit")
    if ground is not None and ground not in (*GROUNDS, JOINED_NUMBER):
        raise impossible("ground")
    begin, end = read_moment(recorded_from, "recorded_from"), read_moment(recorded_to, "recorded_to")
    cursor = None if after is None else _cursor(after)

    def work(connection: sa.Connection, position: int) -> Page[Entered]:
        who = None
        if person is not None:
            named = queries.person_of(connection, person, position)
            who = [person] if named is None else queries.streams_of(connection, named, position)
        rows = queries.audit_page(
            connection,
            position,
            after=cursor,
            limit=limit,
            action=action,
            ground=ground,
            who=who,
            municipality=municipality,
            source=None if authority is None else SOURCE_PREFIX + authority.removeprefix(SOURCE_PREFIX),
            recorded_from=begin,
            recorded_to=end,
        )
        page = rows[:limit]
        journal(connection, system, caller, "audit", person=person, municipality=municipality, entries=len(page))
        more = None
        if len(rows) > limit:
            last = page[-1]
            place = f"{last['position']}.{last['person']}.{last['part']}"
            more = following(request, after=place, known_at=position, at_least=None)
        return Page([entered_of(row) for row in page], more, position)

    return private(await resting_on(system, asked, work, may_lag=True))


def _cursor(text: str) -> tuple[int, UUID, int]:
    """The place behind a position, or behind one entry of it (``position.person.part``)."""
    try:
        if text.isascii() and text.isdigit():
            return min(int(text), LAST), UUID(int=2**128 - 1), 0
        position, person, part = text.split(".")
        place = int(position), UUID(person), int(part)
    except ValueError:
        raise impossible("after") from None
    if not (0 <= place[0] <= LAST and 0 <= place[2] < 2**31):
        raise impossible("after")
    return place


# --- special records ------------------------------------------------------------------------------------------------


@router.get("/v1/special-records", responses=_PROBLEMS | answers(Page[SpecialRecord]))
async def read_special_records(
    request: Request,
    system: CurrentSystem,
    caller: CurrentCaller,
    asked: AskedFor,
    after: After = 0,
    limit: Limit = 100,
) -> Response:
    """Everyone whose right was withdrawn under R5 or R6, past and present, by position of the decision (Art. 3.6 d)."""
    may_look(caller, "special-records")

    def work(connection: sa.Connection, position: int) -> Page[SpecialRecord]:
        on = asked.day(system.clock())
        decisions, last = _scan(system, after, position, limit, _BASES, None)
        items = list(_special_records(system, connection, decisions, on, position))
        for record in items:
            journal(connection, system, caller, "special-records", person=record.person, on=on, position=position)
        if not items:
            journal(connection, system, caller, "special-records", on=on, position=position)
        more = None
        if last < position:
            more = following(request, after=last, on=on, known_at=position, at_least=None)
        return Page(items, more, position)

    return private(await resting_on(system, asked, work, may_lag=True))


def _special_records(
    system: System, connection: sa.Connection, decisions: Iterable[Event], on: date, position: int
) -> Iterable[SpecialRecord]:
    """The records of these decisions; of annulled ones, and of partial withdrawals, there are none."""
    histories: dict[UUID, tuple[Withdrawal, ...]] = {}
    for decision in decisions:
        who = queries.person_of(connection, decision.stream, position)
        row = None if who is None else queries.voter(connection, who, on, position)
        if who is None or row is None:
            continue
        if who not in histories:
            streams = system.store.streams(queries.streams_of(connection, who, position), upto=position)
            histories[who] = withdrawals(event for events in streams.values() for event in events)
        for found in histories[who]:
            if found.cause.position == decision.position:
                yield _special_record(who, row, found, on)


def _special_record(who: UUID, row: queries.Row, found: Withdrawal, on: date) -> SpecialRecord:
    cause, end = found.cause, found.end
    return SpecialRecord(
        person=who,
        jmb=row["jmb"],
        surname=row["surname"],
        given_name=row["given_name"],
        parent_name=row["parent_name"],
        born_on=row["born_on"],
        ground=found.ground,
        article=found.article,
        cause=getattr(cause.data, "cause", None),
        from_=found.from_,
        to=found.to,
        in_force=found.in_force(on),
        position=cause.position,
        recorded_at=cause.recorded_at,
        authority=cause.source.removeprefix(SOURCE_PREFIX),
        source=cause.source,
        id=cause.id,
        type=cause.data.TOPIC,
        document=_document(cause),
        ended_by=None if end is None else Ending(end.position, end.source, end.id, _document(end)),
    )


def _document(event: Event) -> Any:
    return getattr(event.data, "document", None)


# --- who looked -----------------------------------------------------------------------------------------------------


@router.get("/v1/access-journal", responses=_PROBLEMS | answers(LookPage))
async def read_access_journal(
    request: Request,
    system: CurrentSystem,
    caller: CurrentCaller,
    after: Annotated[int, Query(ge=0, le=LAST, description="The entry the page begins behind")] = 0,
    limit: Limit = 100,
    person: UUID | None = None,
    sub: Annotated[str | None, Query(max_length=200)] = None,
    what: Annotated[str | None, Query(max_length=100)] = None,
    at_from: Instant = None,
    at_to: Instant = None,
) -> Response:
    """Who looked at or took what, when, in which role; ``at_to`` is not included. This look is journalled too."""
    may_look(caller, "access-journal")
    begin, end = read_moment(at_from, "at_from"), read_moment(at_to, "at_to")

    def work(connection: sa.Connection) -> LookPage:
        asked_at = system.clock()
        found = looks(connection, after=after, limit=limit, person=person, sub=sub, what=what, at_from=begin, at_to=end)
        journal(connection, system, caller, "access-journal", person=person, after=after, entries=len(found))
        more = None
        if len(found) == limit:
            # Each page adds an entry of its own: without an end, small pages would never come to one.
            more = following(request, after=found[-1].id, at_to=end.isoformat() if end else asked_at.isoformat())
        return LookPage(found, more)

    return private(await run_in_threadpool(_journalled, system, work))
