"""The register as those see it who keep it, each in its area: a voter, a voter's history, the entries (Art. 3.1).

A voter outside the caller's mandate gets the answer of an unknown one, and every look is journalled before it is
answered, also the one that finds nobody.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Final, TypeVar
from uuid import UUID

import msgspec
import sqlalchemy as sa
from fastapi import APIRouter, Depends, Query, Request, Response

from register.access import current_caller
from register.api import problems
from register.api.knowledge import (
    PRIVATE,
    AskedFor,
    Limit,
    MunicipalityCode,
    Page,
    following,
    impossible,
    journal,
    private,
    resting_on,
)
from register.api.system import CurrentSystem, System
from register.intake.judge import days_late
from register.law import personal_number
from register.law.competence import Caller, Scope, may_look
from register.law.events import NOTICE_TYPES, Event, Name
from register.law.provisions import Fault, Refusal
from register.projection import queries
from register.settings import today

#: Bytes of a question about a person, at most.
QUESTION_BYTES: Final = 4096
ProblemsOfReads: Final = problems.responses(401, 403, 422, 503)

CurrentCaller = Annotated[Caller, Depends(current_caller)]
router = APIRouter(tags=["register"])


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """What the register says about a person on a day (contract: section 3). ``from`` and ``to`` None: open."""

    person: UUID
    jmb: str
    entered: bool
    grounds: list[str]
    surname: str | None
    given_name: str | None
    parent_name: str | None
    sex: str | None
    born_on: date | None
    municipality: str | None
    settlement: str | None
    street: str | None
    house_number: str | None
    counts_in: str | None
    entity: str | None
    voting_option: str
    mobile_team: bool
    polling_station: str | None
    marked_deceased: bool
    from_: date | None = msgspec.field(name="from")
    to: date | None
    position: int


class TimelineStretch(msgspec.Struct, frozen=True, kw_only=True):
    """Days ``[from, to)`` with the same answer."""

    from_: date | None = msgspec.field(name="from")
    to: date | None
    entered: bool
    grounds: list[str]
    jmb: str
    surname: str | None
    given_name: str | None
    parent_name: str | None
    sex: str | None
    born_on: date | None
    municipality: str | None
    settlement: str | None
    street: str | None
    house_number: str | None
    counts_in: str | None
    entity: str | None
    voting_option: str
    mobile_team: bool
    marked_deceased: bool


class RecordedEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event as the event store holds it, personal members included."""

    position: int
    recorded_at: datetime
    source: str
    id: str
    type: str
    time: datetime
    data: Any


class PersonEvent(RecordedEvent, frozen=True, kw_only=True):
    """An event of a person's; ``days_late``: by how much the notice came too late (Art. 3.5(5)), or None."""

    days_late: int | None


class Entered(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of the audit log: a first entry, a deletion or a reinstatement, for the days ``[from, to)``."""

    position: int
    recorded_at: datetime
    person: UUID
    action: str
    from_: date | None = msgspec.field(name="from")
    to: date | None
    ground: str | None
    article: str | None
    remark: str | None
    municipality: str | None
    authority: str
    source: str
    id: str
    type: str
    document: Any


class History(msgspec.Struct, frozen=True):
    """Everything about a person: the timeline it comes to, the events it rests on, the audit entries."""

    person: UUID
    timeline: list[TimelineStretch]
    events: list[PersonEvent]
    audit: list[Entered]
    position: int


class Found(msgspec.Struct, frozen=True):
    """The persons a question found."""

    persons: list[UUID]
    position: int


class ByNumber(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Asks for the bearer of a personal number."""

    jmb: Annotated[str, msgspec.Meta(max_length=64)]


class ByName(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Asks for those of a name and date of birth; script and case play no part."""

    surname: Name
    given_name: Name
    born_on: date


# --- routes ---------------------------------------------------------------------------------------------------------


@router.post("/v1/voters/query", responses=ProblemsOfReads)
async def query_voters(request: Request, system: CurrentSystem, caller: CurrentCaller, asked: AskedFor) -> Response:
    """Who bears a personal number, or a name and date of birth: opaque ids, so that no number stands in a URL."""
    scope = may_look(caller, "voters")
    question = read_question(await read_body(request, QUESTION_BYTES))

    def work(connection: sa.Connection, position: int) -> Found:
        persons = _find(system, connection, question, position)
        persons = _within(system, connection, scope, persons, asked.day(system.clock()), position)
        by = "jmb" if isinstance(question, ByNumber) else "name"
        seen: list[UUID | None] = [*persons] or [None]
        for who in seen:
            journal(connection, system, caller, "voter-query", person=who, by=by, found=len(persons), position=position)
        return Found(persons, position)

    return private(await resting_on(system, asked, work))


@router.get("/v1/voters/{person}", responses={**ProblemsOfReads, **problems.responses(404)})
async def read_voter(person: str, system: CurrentSystem, caller: CurrentCaller, asked: AskedFor) -> Response:
    """What the register says of a person on a day, by what was known at a position."""
    scope = may_look(caller, "voters")

    def work(connection: sa.Connection, position: int) -> Entry | None:
        on = asked.day(system.clock())
        who = _look_up(system, connection, scope, person, on, position)
        row = None if who is None else queries.voter(connection, who, on, position)
        _journal_person(connection, system, caller, "voter", person, who, on=on, position=position)
        return None if row is None else entry_of(row, position)

    return _answer(await resting_on(system, asked, work))


@router.get("/v1/voters/{person}/history", responses={**ProblemsOfReads, **problems.responses(404)})
async def read_history(person: str, system: CurrentSystem, caller: CurrentCaller, asked: AskedFor) -> Response:
    """A person's timeline, the events it rests on, and the deletions and reinstatements."""
    scope = may_look(caller, "voters")

    def work(connection: sa.Connection, position: int) -> History | None:
        who = _look_up(system, connection, scope, person, asked.day(system.clock()), position)
        found = None if who is None else history_of(system, connection, who, position)
        _journal_person(connection, system, caller, "voter-history", person, who, position=position)
        return found

    return _answer(await resting_on(system, asked, work))


@router.get("/v1/register", responses=ProblemsOfReads)
async def read_register(
    request: Request,
    system: CurrentSystem,
    caller: CurrentCaller,
    asked: AskedFor,
    municipality: MunicipalityCode | None = None,
    polling_station: Annotated[str | None, Query(max_length=20, pattern=r"^[A-Za-z0-9._-]+$")] = None,
    after: Annotated[UUID | None, Query(description="The person the page begins behind")] = None,
    limit: Limit = 100,
) -> Response:
    """Entries in the alphabet's order, by where they count; the next page rests on the same day and position."""
    place = _own_municipality(may_look(caller, "register"), municipality)
    if polling_station is not None and place is None:
        raise impossible("municipality", "missing")

    def work(connection: sa.Connection, position: int) -> Page:
        on = asked.day(system.clock())
        try:
            rows, cursor = queries.register_page(
                connection,
                on,
                position,
                municipality=place,
                polling_station=polling_station,
                after=None if after is None else str(after),
                limit=limit,
            )
        except queries.BadCursorError:
            raise impossible("after") from None
        items = [entry_of(row, position) for row in rows]
        journal(
            connection,
            system,
            caller,
            "register",
            municipality=place,
            polling_station=polling_station,
            on=on,
            position=position,
            after=None if after is None else str(after),
            entries=len(items),
        )
        more = None
        if cursor is not None:
            more = following(
                request, municipality=place, on=on, known_at=position, after=cursor, limit=limit, at_least=None
            )
        return Page(items, more, position)

    return private(await resting_on(system, asked, work))


# --- questions ------------------------------------------------------------------------------------------------------


def read_question(body: bytes) -> ByNumber | ByName:
    """The question of a body. Raises ``Refusal``: ``malformed``, ``schema`` or ``jmb``; no value is repeated."""
    try:
        members = msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise _unreadable("malformed", "", "The body is not a JSON object") from None
    if "jmb" in members:
        question = _converted(members, ByNumber)
        personal_number.check(question.jmb, "/jmb")
        return question
    return _converted(members, ByName)


Asking = TypeVar("Asking", ByNumber, ByName)


def _converted(members: dict[str, Any], to: type[Asking]) -> Asking:
    """The members as a struct; what is wrong is told member by member, never by its value."""
    fields = {field.encode_name: field for field in msgspec.structs.fields(to)}
    faults = [Fault(_pointer(name), "There is no such member") for name in members if name not in fields]
    for name, field in fields.items():
        if name not in members:
            faults.append(Fault(_pointer(name), "This is missing"))
            continue
        try:
            msgspec.convert(members[name], field.type)
        except msgspec.ValidationError:
            faults.append(Fault(_pointer(name), "This is not what is expected here"))
    if faults:
        raise Refusal("schema", "The request does not have the agreed form", faults=faults)
    return msgspec.convert(members, to)


def _pointer(name: str) -> str:
    """A pointer to a member; of a name nobody agreed on only that it is there, since it may be anything."""
    return f"/{name}" if name in ("jmb", "surname", "given_name", "born_on") else ""


async def read_body(request: Request, limit: int) -> bytes:
    """A JSON body. Raises ``Refusal``: ``media-type``, or ``too-large`` above ``limit`` bytes."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise _unreadable("media-type", "", "The body must be application/json")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise _unreadable("too-large", "", f"The body has at most {limit} bytes")
    return bytes(body)


def _unreadable(kind: Any, pointer: str, sentence: str) -> Refusal:
    return Refusal(kind, sentence, faults=(Fault(pointer, sentence),))


# --- finding --------------------------------------------------------------------------------------------------------


def _find(system: System, connection: sa.Connection, question: ByNumber | ByName, position: int) -> list[UUID]:
    if isinstance(question, ByNumber):
        return queries.bearers(connection, question.jmb, system.store.stream_of(f"jmb:{question.jmb}"), position)
    return queries.find_by_name(connection, question.surname, question.given_name, question.born_on, position)


def _within(
    system: System, connection: sa.Connection, scope: Scope, persons: list[UUID], on: date, position: int
) -> list[UUID]:
    """Those of the persons whom the caller's mandate reaches: where they reside or count today or on the day asked."""
    if scope.everything or not persons:
        return persons
    places = queries.municipalities_of(connection, persons, {on, today(system.clock())}, position)
    return [who for who in persons if any(scope.covers(place) for place in places[who])]


def _look_up(
    system: System, connection: sa.Connection, scope: Scope, person: str, on: date, position: int
) -> UUID | None:
    """The person behind an opaque id, also one that was joined to another; None when unknown or out of reach."""
    stream = _opaque(person)
    who = None if stream is None else queries.person_of(connection, stream, position)
    return None if who is None or not _within(system, connection, scope, [who], on, position) else who


def _opaque(person: str) -> UUID | None:
    try:
        return UUID(person)
    except ValueError:
        return None


def _own_municipality(scope: Scope, asked: str | None) -> str | None:
    """The municipality a list is limited to. Raises ``Refusal`` for one that is not the caller's."""
    if scope.everything:
        return asked
    if asked is None:
        if len(scope.municipalities) != 1:
            raise impossible("municipality", "missing")
        return next(iter(scope.municipalities))
    if not scope.covers(asked):
        sentence = "The register is shown to a municipal commission for its own municipality"
        raise Refusal("not-competent", sentence, provision="Art. 3.1")
    return asked


def _journal_person(
    connection: sa.Connection,
    system: System,
    caller: Caller,
    what: str,
    asked: str,
    found: UUID | None,
    **detail: Any,
) -> None:
    """Journal a look at one person; where nobody was found, which id was asked for, if it can be one."""
    sought = _opaque(asked)
    named = found or sought
    joined = None if found is None or found == sought else str(sought)
    journal(connection, system, caller, what, person=named, found=found is not None, asked=joined, **detail)


def _answer(found: Entry | History | None) -> Response:
    if found is None:
        return problems.plain(404, headers=PRIVATE)
    return private(found)


# --- from rows to answers -------------------------------------------------------------------------------------------


def entry_of(row: queries.Row, position: int) -> Entry:
    """A row of the register as an answer that rests on ``position``."""
    days = row["days"]
    named = {name: row[name] for name in _ENTRY_COLUMNS}
    return Entry(**named, from_=days.lower, to=days.upper, position=position)


def history_of(system: System, connection: sa.Connection, who: UUID, position: int) -> History:
    """Everything about a person as known at a position."""
    streams = queries.streams_of(connection, who, position)
    events = [event for found in system.store.streams(streams, upto=position).values() for event in found]
    events.sort(key=lambda event: event.position)
    audit = queries.audit_page(connection, position, after=None, limit=None, who=streams)
    return History(
        person=who,
        timeline=[_stretch_of(row) for row in queries.stretches(connection, who, position)],
        events=[_event_of(event) for event in events],
        audit=[entered_of(row) for row in audit],
        position=position,
    )


def recorded(event: Event) -> RecordedEvent:
    """An event as auditors see it."""
    return RecordedEvent(
        position=event.position,
        recorded_at=event.recorded_at,
        source=event.source,
        id=event.id,
        type=event.data.TOPIC,
        time=event.time,
        data=event.data,
    )


def entered_of(row: queries.Row) -> Entered:
    """A row of the audit log as an answer; ``authority`` is the id in its source."""
    named = {name: row[name] for name in _AUDIT_COLUMNS}
    days = row["days"]
    return Entered(**named, from_=days.lower, to=days.upper, authority=row["source"].removeprefix("urn:cvr:authority:"))


def _stretch_of(row: queries.Row) -> TimelineStretch:
    days = row["days"]
    return TimelineStretch(**{name: row[name] for name in _STRETCH_COLUMNS}, from_=days.lower, to=days.upper)


def _event_of(event: Event) -> PersonEvent:
    late = days_late(event.data, event.time) if isinstance(event.data, NOTICE_TYPES) else None
    return PersonEvent(**msgspec.structs.asdict(recorded(event)), days_late=late)


def _columns(of: type[msgspec.Struct], *but: str) -> tuple[str, ...]:
    return tuple(name for name in of.__struct_fields__ if name not in ("from_", "to", *but))


_ENTRY_COLUMNS: Final = _columns(Entry, "position")
_STRETCH_COLUMNS: Final = _columns(TimelineStretch)
_AUDIT_COLUMNS: Final = _columns(Entered, "authority")
