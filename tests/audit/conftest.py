"""A register with a history: a few dozen events, the tables that follow them, a frozen roll, a sealed log."""

from __future__ import annotations

import random
import shutil
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
import psycopg
import pytest

from register.app.parts import read_reference
from register.audit.verify import Parts, Report, verify
from register.database import Database, open_database
from register.database.server import OWNER, SUPERUSER, EmbeddedServer
from register.excerpts.printers import Printers
from register.excerpts.runs import Run, Runs, Wanted
from register.law.events import (
    Annulment,
    AnyData,
    CapacityRestored,
    CapacityWithdrawn,
    CatchmentEntry,
    Citizen,
    ControlTotal,
    Death,
    Document,
    ElectionCalled,
    ElectionConcluded,
    JmbReplaced,
    PersonalData,
    PollingStation,
    PollingStationAbolished,
    Residence,
    RollFrozen,
    VotingOption,
)
from register.log.keys import Signer
from register.log.sealer import Sealer
from register.projection.projector import follow
from register.projection.rolls import freeze
from register.settings import Settings
from register.store import Pending, Store
from tests.conftest import TEMPLATE, url

ORIGIN = "log.example/register"
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
TODAY = date(2026, 5, 1)
PAPER = Document(kind="final decision", number="1/26", issued_by="Court", issued_on=date(2026, 1, 1))
MUNICIPALITIES = ("10049", "10189")
#: All that is verified and may be tampered with.
TABLES = (
    "store.event", "store.event_key", "store.subject", "log.checkpoint",
    *(f"projection.{name}" for name in (
        "stretch", "person", "link", "joined", "coverage", "station", "audit_entry", "election", "roll", "frozen_roll",
        "progress",
    )),
    "excerpts.run", "excerpts.item",
)  # fmt: skip


@dataclass
class House:
    """All that is verified, and a way to send more. Each append is a second later than the one before it."""

    database: Database
    store: Store
    sealer: Sealer
    parts: Parts
    sent: int = 0

    def send(self, source: str, *data: AnyData) -> str:
        """Append notices of one sender; the id of the last."""
        pending = []
        for item in data:
            self.sent += 1
            salt = b64encode(random.Random(self.sent).randbytes(16)).decode()
            time = NOW + timedelta(seconds=self.sent)
            source_urn = f"urn:cvr:authority:{source}"
            pending.append(Pending(source=source_urn, id=f"n-{self.sent}", time=time, data=item, salt=salt))
        receipts = self.store.append(pending, now=NOW + timedelta(seconds=self.sent))
        assert {receipt.status for receipt in receipts} == {"recorded"}
        return pending[-1].id

    def follow(self) -> None:
        """Bring the register's tables up to date."""
        with self.database.psycopg() as connection:
            while follow(connection, self.store):
                pass

    def verify(self, processes: int = 1) -> Report:
        """Verify everything."""
        return verify(self.parts, today=TODAY, processes=processes)

    @contextmanager
    def tampering(self) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
        """A connection of the owner with every guard off that an owner can take off."""
        tables = TABLES[:4]
        with psycopg.connect(self.database.owner_dsn) as connection:
            for table in tables:
                connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            connection.execute("DROP INDEX IF EXISTS store.event_addressed")  # it reads states, and damaged ones not
            yield connection
            for table in tables:
                connection.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")


@contextmanager
def register_in(database: Database, folder: Path) -> Iterator[House]:
    """A register in which nothing has happened."""
    with Store(database.psycopg) as store:
        signer = Signer(ORIGIN, bytes(32))
        log = folder / "log"
        sealer = Sealer(source=store, engine=database.engine, folder=log, signer=signer, clock=lambda: NOW)
        parts = Parts(database.dsn, store, log, signer.key, MUNICIPALITIES, folder / "excerpts")
        yield House(database, store, sealer, parts)


@pytest.fixture
def empty(database: Database, tmp_path: Path) -> Iterator[House]:
    """A register in which nothing has happened, in a database of its own."""
    with register_in(database, tmp_path) as house:
        yield house


@pytest.fixture(scope="module")
def settled(server: EmbeddedServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """The history of :func:`people` and :func:`election`, followed, frozen and sealed; every table put by."""
    name = f"audit_{uuid4().hex}"
    with psycopg.connect(server.conninfo(SUPERUSER, "postgres"), autocommit=True) as superuser:
        superuser.execute(f"CREATE DATABASE {name} OWNER {OWNER} TEMPLATE {TEMPLATE}")
        superuser.execute(f"GRANT CREATE ON DATABASE {name} TO cvr_app")
        folder = tmp_path_factory.mktemp("settled")
        settings = Settings(data=folder / "data", database_url=url(server, name))
        with open_database(settings) as database, register_in(database, folder) as house:
            people(house)
            conclusion = election(house)
            house.follow()
            house.sealer.seal(at=[7, 20, conclusion])
            with psycopg.connect(database.owner_dsn) as owner:
                owner.execute("CREATE SCHEMA put_by")
                for table in TABLES:
                    owner.execute(f"CREATE TABLE put_by.{table.replace('.', '_')} AS TABLE {table}")
            yield house
        superuser.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def house(settled: House, tmp_path: Path) -> House:
    """The settled history as it was put by, whatever the test before did to it, and a copy of its log."""
    with settled.tampering() as owner:
        owner.execute(f"TRUNCATE {', '.join(TABLES)}")
        for table in TABLES:
            owner.execute(f"INSERT INTO {table} SELECT * FROM put_by.{table.replace('.', '_')}")
    log = tmp_path / "log"
    shutil.copytree(settled.parts.log, log)
    parts = msgspec.structs.replace(settled.parts, log=log, excerpts=tmp_path / "excerpts")
    return replace(settled, parts=parts)


def people(house: House) -> None:
    """Moves, a death taken back, capacity withdrawn and restored, joined and parted numbers, stations that change."""

    def station(code: str, catchment: tuple[CatchmentEntry, ...], since: date) -> PollingStation:
        return PollingStation(
            code=code,
            municipality="10049",
            name="Škola",
            address="Centar",
            kind="regular",
            catchment=catchment,
            effective_on=since,
        )

    whole = (CatchmentEntry(),)
    odd = (CatchmentEntry(street="Alipašina", from_=1, to=99, parity="odd"),)
    house.send(
        "municipal-commission:10049",
        station("001", whole, date(2020, 1, 1)),
    )
    for number, jmb in enumerate("ABCDEFGH"):
        house.send("registry-office:10049", citizen(jmb, f"Čolić{jmb}", date(1960 + 7 * number, 1, 1)))
    for number, jmb in enumerate("ABCDEFG"):
        lived = lives(jmb, MUNICIPALITIES[number % 2], "Alipašina", f"{number + 10}a", date(2000 + number, 1, 1))
        house.send("residence-authority:10049", lived)
    house.send(
        "municipal-commission:10049",
        station("002", odd, date(2026, 1, 1)),
    )
    death = house.send("registry-office:10049", Death(jmb="A", effective_on=date(2026, 2, 1)))
    house.send("registry-office:10049", Annulment(annuls=death, reason="another person"))
    house.send("court:x", CapacityWithdrawn(jmb="A", effective_on=date(2026, 3, 1), extent="full", document=PAPER))
    house.send("court:x", CapacityRestored(jmb="A", effective_on=date(2026, 4, 1), document=PAPER))
    link = JmbReplaced(jmb="C", new_jmb="Z", effective_on=date(2026, 4, 20), document=PAPER)
    joined = house.send("residence-authority:10049", link)
    house.send("registry-office:10049", citizen("Z", "ČolićC", date(1974, 1, 1)))
    house.send("residence-authority:10049", lives("Z", "10189", "Glavna", "bb", date(2026, 4, 15)))
    house.send("residence-authority:10049", Annulment(annuls=joined, reason="two people after all"))
    gone = PollingStationAbolished(code="002", municipality="10049", effective_on=date(2026, 6, 1))
    house.send("municipal-commission:10049", gone)
    house.send("registry-office:10049", PersonalData(jmb="D", effective_on=date(2026, 3, 3), surname="Perić"))
    house.send("municipal-commission:10049", VotingOption(jmb="E", effective_on=date(2026, 1, 5), option="mobile-team"))
    sent = {"ba.cvr.citizen.v1": 8, "ba.cvr.death.v1": 1}
    house.send("registry-office:10049", ControlTotal(day=date(2026, 5, 1), sent=sent))


def election(house: House) -> int:
    """An election is called and concluded, its roll frozen and put on record; then life goes on. The conclusion."""
    called = ElectionCalled(
        election="o-26", kind="general", early=False, day=date(2026, 10, 4), called_on=date(2026, 5, 1)
    )
    house.send("cec", called)
    house.send("cec", ElectionConcluded(election="o-26", concluded_by="x", rules="1", reference="1"))
    house.follow()
    with house.database.psycopg() as connection:
        roll = freeze(connection, house.store, "o-26", MUNICIPALITIES)
    assert roll.voters > 3
    house.send("cec", RollFrozen(election="o-26", conclusion=roll.conclusion, voters=roll.voters, sha256=roll.sha256))
    house.send("registry-office:10049", Death(jmb="B", effective_on=date(2026, 4, 30)))
    return roll.conclusion


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


def drawn(house: House, *formats: str) -> Run:
    """The lists of the polling stations, drawn and put on record."""
    runs = Runs(
        house.database.engine, house.store, house.parts.excerpts.parent, read_reference(),
        clock=lambda: NOW + timedelta(hours=1), entropy=random.Random(1).randbytes,
    )  # fmt: skip
    run = runs.begin(Wanted(election="o-26", kind="polling-station", formats=formats))
    with Printers() as printers:
        runs.draw(run, 0, printers)
    assert runs.finish(run)
    return run
