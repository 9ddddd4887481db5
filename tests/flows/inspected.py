"""A register with an inspector, whose day is the test's: notices come, and what is wrong is established."""

from __future__ import annotations

import base64
import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import psycopg

from register.acts.inspection import Inspector, inspect_all
from register.database import Database
from register.law.deficiencies.history import Deficiency
from register.law.events import AnyData, CatchmentEntry, Citizen, Document, ElectionCalled, PollingStation, Residence
from register.law.personal_number import make
from register.projection import deficiencies
from register.projection.projector import follow
from register.store import Pending, Receipt, Store

BIHAC, BRCKO, KLJUC = "10049", "30163", "10294"
TODAY = date(2026, 5, 4)
BORN = date(1980, 5, 17)
PAPER = Document(kind="decision", number="1/26", issued_by="Ured", issued_on=date(2026, 1, 1))
CALL = ElectionCalled(
    election="general-2026", kind="general", early=False, day=date(2026, 10, 4), called_on=date(2026, 4, 1)
)


def numbers(born: date = BORN) -> list[str]:
    """Valid personal numbers of women born on a day."""
    return [jmb for serial in range(500, 1000) if (jmb := make(born, 10, serial)) is not None]


class Book:
    """Sends notices as authorities do, and looks at what became of deficiencies."""

    def __init__(self, database: Database, store: Store, seed: int = 0) -> None:
        self.database = database
        self.store = store
        self.now = datetime.combine(TODAY, time(9), UTC)
        self.dice = random.Random(seed)
        self.sent = 0
        self.inspector = Inspector(database.psycopg, store, clock=lambda: self.now, entropy=self.dice.randbytes)

    def send(self, authority: str, *notices: AnyData, at: datetime | None = None) -> list[str]:
        """Record notices as the authority; their ids."""
        pending, ids = [], []
        for notice in notices:
            self.sent += 1
            ids.append(f"n-{self.sent}")
            sent = (at or self.now) + timedelta(seconds=self.sent)
            salt = base64.b64encode(self.dice.randbytes(16)).decode()
            source = "urn:cvr:register" if authority == "register" else f"urn:cvr:authority:{authority}"
            pending.append(Pending(source=source, id=ids[-1], time=sent, data=notice, salt=salt))
        receipts: list[Receipt] = self.store.append(pending, now=self.now)
        assert {receipt.status for receipt in receipts} == {"recorded"}
        return ids

    def citizen(self, jmb: str, surname: str = "Uzorak", born: date = BORN, at: str = BIHAC, **other: Any) -> list[str]:
        """A registry office's notice of a citizen."""
        members: dict[str, Any] = {"given_name": "Ana", "parent_name": "Test", "sex": "F"} | other
        data = Citizen(jmb=jmb, effective_on=born, surname=surname, born_on=born, **members)
        return self.send(f"registry-office:{at}", data)

    def lives(
        self, jmb: str, at: str = BIHAC, street: str = "Duga", since: date = BORN, number: str = "7"
    ) -> list[str]:
        """A permanent residence."""
        data = Residence(
            jmb=jmb, effective_on=since, kind="permanent", municipality=at, settlement="Centar", street=street,
            house_number=number,
        )  # fmt: skip
        return self.send(f"residence-authority:{at}", data)

    def voter(self, jmb: str, surname: str = "Uzorak", born: date = BORN, at: str = BIHAC, **address: Any) -> None:
        """A citizen who lives somewhere."""
        self.citizen(jmb, surname, born, at)
        self.lives(jmb, at, **address)

    def stations(self) -> None:
        """One station for each municipality, everywhere."""
        for code in (BIHAC, BRCKO, KLJUC):
            self.send(f"municipal-commission:{code}", station(code, "001"))

    def project(self) -> None:
        """Bring the tables up to date."""
        with self.database.psycopg() as connection:
            while follow(connection, self.store):
                pass

    def inspect(self, days: int = 0) -> None:
        """So many days later, inspect until nothing is left."""
        self.now += timedelta(days=days)
        with self.database.psycopg() as connection:
            inspect_all(self.inspector, connection, self.project)

    def all(self) -> list[Deficiency]:
        """Every deficiency there ever was."""
        with self.connection() as connection:
            rows = connection.execute("SELECT id FROM projection.deficiency").fetchall()
            return deficiencies.by_id(connection, [which for (which,) in rows])

    def standing(self, kind: str | None = None) -> list[Deficiency]:
        """What stands, of a kind or of all."""
        return [each for each in self.all() if each.stands and kind in (None, each.kind)]

    @contextmanager
    def connection(self) -> Iterator[psycopg.Connection[Any]]:
        with self.database.psycopg() as connection:
            yield connection


def station(town: str, code: str, **catchment: Any) -> PollingStation:
    """A regular polling station, of the whole municipality unless said otherwise."""
    return PollingStation(
        code=code, municipality=town, name="Škola", address="Trg 1", kind="regular",
        catchment=(CatchmentEntry(**catchment),), effective_on=date(2020, 1, 1),
    )  # fmt: skip
