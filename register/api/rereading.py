"""A person read again under the law of another day: by the law from the events, with no help from the tables.

Only which streams may belong to the person, and which stations a municipality has, are looked up.
"""

from __future__ import annotations

from datetime import date
from typing import Any, cast
from uuid import UUID

import psycopg
import sqlalchemy as sa

from register.api.entries import Entry, History, TimelineStretch, history_of
from register.api.system import System
from register.law.dossier import Stretch, live, timeline
from register.law.franchise import ALWAYS, FOREVER
from register.law.parameters import Law
from register.law.persons import persons
from register.law.territory import Address, covering, station_on
from register.projection.links import linked_streams
from register.projection.tables import station


def entry_under(
    law: Law, system: System, connection: sa.Connection, who: UUID, on: date, position: int
) -> Entry | None:
    """What the register would say of a person on a day, had the days been judged by ``law``; None of one unknown."""
    for stretch in _timeline(law, system, connection, who, position):
        if stretch.from_ <= on < stretch.to:
            told = _told(stretch)
            address = stretch.answer.voting_address
            there = None if address is None else _station(system, connection, address, on, position)
            return Entry(person=who, polling_station=there, position=position, **told)
    return None


def history_under(law: Law, system: System, connection: sa.Connection, who: UUID, position: int) -> History:
    """A person's history whose timeline is judged by ``law``.

    Events and audit entries are what was recorded and done; no other law undoes them.
    """
    stretches = [TimelineStretch(**_told(stretch)) for stretch in _timeline(law, system, connection, who, position)]
    recorded = history_of(system, connection, who, position)
    return History(who, stretches, recorded.events, recorded.audit, position)


def _timeline(law: Law, system: System, connection: sa.Connection, who: UUID, position: int) -> tuple[Stretch, ...]:
    driver = cast("psycopg.Connection[Any]", connection.connection.driver_connection)
    may_belong = linked_streams(driver, {who})
    streams = system.store.streams(may_belong, upto=position)
    return timeline(persons(streams).get(who, ()), law)


def _told(stretch: Stretch) -> dict[str, Any]:
    """A stretch as the members of an answer."""
    told: dict[str, Any] = {
        name: getattr(stretch.answer, name) for name in stretch.answer.__struct_fields__ if name != "script"
    }
    told["grounds"] = list(stretch.answer.grounds)
    told["from_"] = None if stretch.from_ == ALWAYS else stretch.from_
    told["to"] = None if stretch.to == FOREVER else stretch.to
    return told


def _station(system: System, connection: sa.Connection, address: Address, on: date, position: int) -> str | None:
    of_municipality = sa.select(station.c.stream).where(station.c.municipality == address.municipality)
    streams = [UUID(str(stream)) for stream in connection.scalars(of_municipality)]
    events = [event for found in system.store.streams(streams, upto=position).values() for event in live(found)]
    there = station_on(covering(events, address), on)
    return None if there is None else there.station
