"""The tables of the register are what the law says of the events, at every position, whatever the size of a batch."""

from __future__ import annotations

import base64
import random
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
import pytest

from register.database import Database
from register.law.dossier import on_day, timeline
from register.law.events import (
    Annulment,
    AnyData,
    CapacityRestored,
    CapacityWithdrawn,
    CatchmentEntry,
    Citizen,
    Death,
    Document,
    JmbReplaced,
    PollingStation,
    Residence,
)
from register.law.persons import persons
from register.projection import queries
from register.projection.projector import follow, position_of
from register.store import Pending, Store

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
TABLES = ("progress", "stretch", "person", "link", "joined", "coverage", "station", "audit_entry")
PAPER = Document(kind="final decision", number="1/26", issued_by="Court", issued_on=date(2026, 1, 1))


class Authorities:
    """Sends notices as the authorities do; each gets the next id and a later time."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.sent: list[str] = []

    def send(self, source: str, *data: AnyData) -> None:
        """Append notices of one sender."""
        pending = []
        for item in data:
            self.sent.append(f"n-{len(self.sent) + 1}")
            time = NOW + timedelta(seconds=len(self.sent))
            salt = base64.b64encode(random.Random(len(self.sent)).randbytes(16)).decode()
            pending.append(
                Pending(source=f"urn:cvr:authority:{source}", id=self.sent[-1], time=time, data=item, salt=salt)
            )
        receipts = self.store.append(pending, now=NOW)
        assert [r.status for r in receipts] == ["recorded"] * len(data)


def citizen(jmb: str, surname: str, born_on: date) -> Citizen:
    """A registry office's notice about a sample citizen."""
    return Citizen(
        jmb=jmb,
        effective_on=born_on,
        surname=surname,
        given_name="Uzorak",
        parent_name="Test",
        sex="F",
        born_on=born_on,
    )


def lives(jmb: str, municipality: str, street: str, number: str, since: date) -> Residence:
    """A permanent residence."""
    return Residence(
        jmb=jmb,
        effective_on=since,
        kind="permanent",
        municipality=municipality,
        settlement="Centar",
        street=street,
        house_number=number,
    )


def replaced(jmb: str, new_jmb: str, on: date) -> JmbReplaced:
    """A number that was annulled and replaced."""
    return JmbReplaced(jmb=jmb, new_jmb=new_jmb, effective_on=on, document=PAPER)


def history(store: Store) -> None:
    """Two stations, three people: moves, a death taken back, capacity withdrawn and restored, a replaced number."""
    out = Authorities(store)
    whole = (CatchmentEntry(),)
    odd = (CatchmentEntry(street="Alipašina", from_=1, to=99, parity="odd"),)
    station: dict[str, Any] = {"municipality": "10049", "name": "Škola", "address": "Centar", "kind": "regular"}
    out.send(
        "municipal-commission:10049",
        PollingStation(code="001", catchment=whole, effective_on=date(2020, 1, 1), **station),
    )
    out.send("registry-office:10049", citizen("A", "Čolić", date(1970, 1, 1)), citizen("B", "Đurić", date(2009, 2, 28)))
    out.send("residence-authority:10049", lives("A", "10049", "Alipašina", "11a", date(2000, 1, 1)))
    out.send("residence-authority:10049", lives("B", "10049", "Alipašina", "12", date(2010, 1, 1)))
    out.send(
        "municipal-commission:10049",
        PollingStation(code="002", catchment=odd, effective_on=date(2026, 1, 1), **station),
    )
    out.send("registry-office:10049", Death(jmb="A", effective_on=date(2026, 2, 1)))
    out.send("registry-office:10049", Annulment(annuls=out.sent[-1], reason="another person"))
    out.send("court:x", CapacityWithdrawn(jmb="A", effective_on=date(2026, 3, 1), extent="full", document=PAPER))
    out.send("court:x", CapacityRestored(jmb="A", effective_on=date(2026, 4, 1), document=PAPER))
    out.send("registry-office:10049", citizen("C", "Čolić", date(1970, 1, 1)))
    out.send("residence-authority:10049", lives("C", "10189", "Glavna", "bb", date(2026, 4, 15)))
    out.send(
        "residence-authority:10049", JmbReplaced(jmb="A", new_jmb="C", effective_on=date(2026, 4, 20), document=PAPER)
    )
    out.send("residence-authority:10049", Annulment(annuls=out.sent[-1], reason="two people after all"))


def rows(connection: psycopg.Connection[Any], table: str) -> list[tuple[object, ...]]:
    """A table as a sorted list."""
    return sorted((tuple(map(str, row)) for row in connection.execute(f"SELECT * FROM projection.{table}")), key=str)


@pytest.fixture
def store(database: Database) -> Store:
    """An empty event store."""
    return Store(database.psycopg)


def test_the_tables_do_not_depend_on_the_size_of_a_batch(database: Database, store: Store) -> None:
    """Given one history, when it is followed by 1, by 3 and at once, then every table holds the same rows."""
    history(store)
    found = []
    for limit in (1, 3, 5_000):
        with database.psycopg() as connection:
            for table in TABLES:
                connection.execute(f"DELETE FROM projection.{table}")
            connection.commit()
            while follow(connection, store, limit=limit):
                pass
            assert position_of(connection) == store.head() == 14
            found.append({t: rows(connection, t) for t in ("stretch", "person", "joined", "coverage", "audit_entry")})
    for table in found[0]:
        assert found[0][table] == found[1][table] == found[2][table], table
    assert len(found[0]["coverage"]) > 3


def test_every_day_and_position_answers_as_the_law_does(database: Database, store: Store) -> None:
    """Given a history, when each person is asked for at each position and day, then table and law agree."""
    history(store)
    with database.psycopg() as connection:
        while follow(connection, store):
            pass
    days = [
        date(1969, 1, 1),
        date(2026, 1, 15),
        date(2026, 2, 1),
        date(2026, 3, 15),
        date(2026, 4, 17),
        date(2027, 2, 28),
    ]
    checked = 0
    with database.engine.connect() as connection:
        for known in range(1, store.head() + 1):
            streams = {
                s: events
                for s, events in store.by_stream(known)
                if not events[0].data.TOPIC.startswith("ba.cvr.polling")
            }
            for person, events in persons(streams).items():
                stretches = timeline(events)
                for day in days:
                    row = queries.voter(connection, person, day, known)
                    answer = on_day(stretches, day)
                    assert row is not None
                    assert answer is not None
                    assert (row["entered"], tuple(row["grounds"]), row["jmb"], row["counts_in"]) == (
                        answer.entered,
                        answer.grounds,
                        answer.jmb,
                        answer.counts_in,
                    )
                    checked += 1
    assert checked > 100


def test_a_station_covers_as_known_then(database: Database, store: Store) -> None:
    """Given a station that took over the odd numbers later, then the earlier position still names the earlier one."""
    history(store)
    with database.psycopg() as connection:
        while follow(connection, store):
            pass
    a = store.stream_of("jmb:A")
    assert a is not None
    with database.engine.connect() as connection:
        then = queries.voter(connection, a, date(2026, 1, 15), known=5)
        now = queries.voter(connection, a, date(2026, 1, 15), known=store.head())
        before = queries.voter(connection, a, date(2025, 1, 15), known=store.head())
    assert then is not None
    assert now is not None
    assert before is not None
    assert (then["polling_station"], now["polling_station"], before["polling_station"]) == ("001", "002", "001")


def test_joining_and_parting_two_numbers_is_on_record(database: Database, store: Store) -> None:
    """Given a replacement that is taken back, then the greater number is deleted as joined and later reinstated."""
    history(store)
    with database.psycopg() as connection:
        while follow(connection, store):
            pass
        entries = connection.execute(
            "SELECT position, action, ground FROM projection.audit_entry ORDER BY position, person, part"
        ).fetchall()
    assert entries == [
        (4, "entered", None),
        (5, "entered", None),
        (7, "deleted", "deceased"),
        (8, "reinstated", "deceased"),
        (9, "deleted", "legal-capacity-withdrawn"),
        (10, "reinstated", "legal-capacity-withdrawn"),
        (12, "entered", None),
        (13, "deleted", "joined-number"),
        (14, "reinstated", "joined-number"),
    ]


def test_a_link_through_a_number_nobody_reported_on_is_found_in_every_batch(database: Database, store: Store) -> None:
    """Given two numbers replaced by one unreported one, when the person dies in a later batch, then it is deleted."""
    out = Authorities(store)
    out.send("registry-office:10049", citizen("A", "Čolić", date(1970, 1, 1)), citizen("B", "Čolić", date(1970, 1, 1)))
    out.send("residence-authority:10049", lives("A", "10049", "Alipašina", "1", date(2000, 1, 1)))
    out.send("residence-authority:10049", *(replaced(old, "X", date(2020, 1, 1)) for old in ("A", "B")))
    out.send("registry-office:10049", Death(jmb="B", effective_on=date(2026, 2, 1)))
    found = []
    for limit in (1, 5_000):
        with database.psycopg() as connection:
            for table in TABLES:
                connection.execute(f"DELETE FROM projection.{table}")
            connection.commit()
            while follow(connection, store, limit=limit):
                pass
            found.append({t: rows(connection, t) for t in TABLES if t != "progress"})
    assert found[0] == found[1]
    streams = [store.stream_of("jmb:A"), store.stream_of("jmb:B")]
    person = min(stream for stream in streams if stream is not None)
    with database.engine.connect() as connection:
        alive = queries.voter(connection, person, date(2026, 1, 31), store.head())
        dead = queries.voter(connection, person, date(2026, 2, 1), store.head())
    assert alive is not None
    assert alive["entered"]
    assert dead is not None
    assert list(dead["grounds"]) == ["deceased"]
