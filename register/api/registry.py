"""The register as those see it who keep it, each in its area: a voter, a voter's history, the entries (Art. 3.1).

A voter outside the caller's mandate gets the answer of an unknown one, and every look is journalled before it is
answered, also the one that finds nobody. A commission's mandate is over those who belong to its municipality today,
by all that is known; no day and no position asked for opens another's life, or a voter's years elsewhere.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Final, TypeVar
from uuid import UUID

import msgspec
import sqlalchemy as sa
from fastapi import APIRouter, Depends, Query, Request, Response

from register.access import current_caller
from register.api import problems
from register.api.bodies import SmallBody, decode
from register.api.entries import Entered, Entry, History, PersonEvent, TimelineStretch, entry_of, history_of
from register.api.knowledge import (
    PRIVATE,
    AskedFor,
    Day,
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
from register.api.rereading import entry_under, history_under
from register.api.system import CurrentSystem, System
from register.law import personal_number
from register.law.competence import Caller, Scope, may_look, municipality_of, role_of
from register.law.events import SOURCE_PREFIX, AboutPerson, Annulment, Name
from register.law.parameters import under
from register.law.provisions import Refusal
from register.projection import queries
from register.settings import today

PROBLEMS: Final = problems.responses(401, 403, 422, 503)

CurrentCaller = Annotated[Caller, Depends(current_caller)]
UnderLaw = Annotated[Day | None, Query(description="Judge by the law in force on this day, not by each day's own")]

router = APIRouter(tags=["register"])


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


def one_of(*kinds: type) -> dict[str, Any]:
    """OpenAPI's ``requestBody`` for one of several structs without structs in them."""
    _, components = msgspec.json.schema_components(kinds)
    schema = {"oneOf": [components[kind.__name__] for kind in kinds]}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


# --- routes ---------------------------------------------------------------------------------------------------------


@router.post("/v1/voters/query", openapi_extra=one_of(ByNumber, ByName), responses=PROBLEMS | answers(Found))
async def query_voters(body: SmallBody, system: CurrentSystem, caller: CurrentCaller, asked: AskedFor) -> Response:
    """Who bears a personal number, or a name and date of birth: opaque ids, so that no number stands in a URL."""
    scope = may_look(caller, "voters")
    question = read_question(body)

    def work(connection: sa.Connection, position: int) -> Found:
        persons = _find(system, connection, question, position)
        persons = _within(system, connection, scope, persons, asked.day(system.clock()), position)
        by = "jmb" if isinstance(question, ByNumber) else "name"
        seen: list[UUID | None] = [*persons] or [None]
        for who in seen:
            journal(connection, system, caller, "voter-query", person=who, by=by, found=len(persons), position=position)
        return Found(persons, position)

    return private(await resting_on(system, asked, work, may_lag=True))


@router.get("/v1/voters/{person}", responses=PROBLEMS | problems.responses(404) | answers(Entry))
async def read_voter(
    person: str, system: CurrentSystem, caller: CurrentCaller, asked: AskedFor, under_law: UnderLaw = None
) -> Response:
    """What the register says of a person on a day, by what was known at a position.

    ``under_law``: what it would say of that day by the law of another one, computed from the person's events.
    """
    scope = may_look(caller, "voters")

    def work(connection: sa.Connection, position: int) -> Entry | None:
        on = asked.day(system.clock())
        who, found, stream = None, None, _opaque(person)
        if scope.everything and under_law is None and stream is not None:  # the usual question, in one
            who, row = queries.person_and_voter(connection, stream, on, position)
            found = None if row is None else entry_of(row, position)
        elif (who := look_up(system, connection, scope, person, on, position)) is not None:
            found = _entry(system, connection, who, on, position, under_law)
        journal_person(connection, system, caller, "voter", person, who, on=on, position=position, under_law=under_law)
        return found

    return _answer(await resting_on(system, asked, work, may_lag=True))


@router.get("/v1/voters/{person}/history", responses=PROBLEMS | problems.responses(404) | answers(History))
async def read_history(
    person: str, system: CurrentSystem, caller: CurrentCaller, asked: AskedFor, under_law: UnderLaw = None
) -> Response:
    """A person's timeline, the events it rests on, and the deletions and reinstatements.

    A commission is shown what of it lies in its own municipality. ``on`` plays no part: a history is of all days.
    ``under_law``: the timeline as it would be by the law of that day.
    """
    scope = may_look(caller, "voters")

    def work(connection: sa.Connection, position: int) -> History | None:
        who = look_up(system, connection, scope, person, None, position)
        found = None
        if who is not None and under_law is not None:
            found = history_under(under(under_law), system, connection, who, position)
        elif who is not None:
            found = history_of(system, connection, who, position)
        if found is not None and not scope.everything:
            found = within(found, scope)
        seen = None if found is None else who
        detail = {"position": position, "under_law": under_law}
        journal_person(connection, system, caller, "voter-history", person, seen, **detail)
        return found

    return _answer(await resting_on(system, asked, work, may_lag=True))


@router.get("/v1/register", responses=PROBLEMS | answers(Page[Entry]))
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

    def work(connection: sa.Connection, position: int) -> Page[Entry]:
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

    return private(await resting_on(system, asked, work, may_lag=True))


def _entry(
    system: System, connection: sa.Connection, who: UUID, on: date, position: int, under_law: date | None
) -> Entry | None:
    if under_law is not None:
        return entry_under(under(under_law), system, connection, who, on, position)
    row = queries.voter(connection, who, on, position)
    return None if row is None else entry_of(row, position)


# --- questions ------------------------------------------------------------------------------------------------------


def read_question(body: bytes) -> ByNumber | ByName:
    """The question of a body. Raises ``Refusal``: ``malformed``, ``schema`` or ``jmb``; no value is repeated."""
    if "jmb" in decode(body, dict[str, msgspec.Raw]):
        question = decode(body, ByNumber)
        personal_number.check(question.jmb, "/jmb")
        return question
    return decode(body, ByName)


# --- what of a history lies in a commission's municipality ----------------------------------------------------------


def within(history: History, scope: Scope) -> History | None:
    """What of a history lies within a mandate over municipalities (Art. 3.1); None when nothing of the timeline does.

    That is: the stretches in which the voter resides or counts there; the events that authorities of the municipality
    sent, or that took effect in those stretches and name no other municipality; the audit entries that count there.
    What a court issued is not among a commission's papers, so its documents are left out.
    """
    timeline = [s for s in history.timeline if scope.covers(s.municipality) or scope.covers(s.counts_in)]
    if not timeline:
        return None
    concerning = {(e.source, e.id) for e in history.events if _concerns(e, timeline, scope)}
    events = [e for e in history.events if (e.source, _annulled(e) or e.id) in concerning]
    return msgspec.structs.replace(
        history,
        timeline=timeline,
        events=[_without_court_papers(event) for event in events],
        audit=[_without_court_papers(entry) for entry in history.audit if scope.covers(entry.municipality)],
    )


def _concerns(event: PersonEvent, timeline: list[TimelineStretch], scope: Scope) -> bool:
    if scope.covers(municipality_of(event.source.removeprefix(SOURCE_PREFIX))):
        return True
    data = event.data
    place: str | None = getattr(data, "municipality", None)
    if not isinstance(data, AboutPerson) or not (place is None or scope.covers(place)):
        return False
    return any((s.from_ or date.min) <= data.effective_on < (s.to or date.max) for s in timeline)


def _annulled(event: PersonEvent) -> str | None:
    """The id of the event that this one annuls; it goes with it, being its sender's."""
    return event.data.annuls if isinstance(event.data, Annulment) else None


Sent = TypeVar("Sent", PersonEvent, Entered)


def _without_court_papers(sent: Sent) -> Sent:
    if role_of(sent.source.removeprefix(SOURCE_PREFIX)) != "court":
        return sent
    if isinstance(sent, Entered):
        return msgspec.structs.replace(sent, document=None)
    return msgspec.structs.replace(sent, data=msgspec.structs.replace(sent.data, document=None))


# --- finding --------------------------------------------------------------------------------------------------------


def _find(system: System, connection: sa.Connection, question: ByNumber | ByName, position: int) -> list[UUID]:
    if isinstance(question, ByNumber):
        return queries.bearers(connection, question.jmb, system.store.stream_of(f"jmb:{question.jmb}"), position)
    return queries.find_by_name(connection, question.surname, question.given_name, question.born_on, position)


def _within(
    system: System, connection: sa.Connection, scope: Scope, persons: list[UUID], on: date | None, position: int
) -> list[UUID]:
    """Those of the persons whom the caller's mandate reaches.

    They must reside or count in its area today, by all that the tables know; and on the day asked for, if one is
    (``on``), by what was known at ``position``.
    """
    if scope.everything or not persons:
        return persons
    newest = queries.position(connection)
    # A number known apart at that position may by now belong to somebody known by another id.
    selves = {who: queries.person_of(connection, who, newest) or who for who in persons}
    places = queries.municipalities_of(connection, {*selves.values()}, {today(system.clock())}, newest)
    found = [who for who in persons if any(map(scope.covers, places[selves[who]]))]
    if on is not None and found:
        then = queries.municipalities_of(connection, found, {on}, position)
        found = [who for who in found if any(map(scope.covers, then[who]))]
    return found


def look_up(
    system: System, connection: sa.Connection, scope: Scope, person: str, on: date | None, position: int
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


def journal_person(
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
