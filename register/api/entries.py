"""What the register says of a person, in the members of the contract: an entry, a history, the audit log's entries."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

import msgspec
import sqlalchemy as sa

from register.api.system import System
from register.law.events import SOURCE_PREFIX, Event
from register.law.timeliness import days_late, effective_day
from register.projection import queries


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
    return Entered(**named, from_=days.lower, to=days.upper, authority=row["source"].removeprefix(SOURCE_PREFIX))


def _stretch_of(row: queries.Row) -> TimelineStretch:
    days = row["days"]
    return TimelineStretch(**{name: row[name] for name in _STRETCH_COLUMNS}, from_=days.lower, to=days.upper)


def _event_of(event: Event) -> PersonEvent:
    late = days_late(effective_day(event.data), event.recorded_at)
    return PersonEvent(**msgspec.structs.asdict(recorded(event)), days_late=late)


def _columns(of: type[msgspec.Struct], *but: str) -> tuple[str, ...]:
    return tuple(name for name in of.__struct_fields__ if name not in ("from_", "to", *but))


_ENTRY_COLUMNS: Final = _columns(Entry, "position")
_STRETCH_COLUMNS: Final = _columns(TimelineStretch)
_AUDIT_COLUMNS: Final = _columns(Entered, "authority")
