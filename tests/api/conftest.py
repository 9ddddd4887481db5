"""A register of its own for every test of its reading, with a history two years long and somebody of every role."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import httpx
import pytest

from register.access import issue
from register.api.system import System
from register.app.http import build, create_app
from register.law import personal_number
from register.law.competence import role_of
from register.law.events import (
    AnyData,
    CatchmentEntry,
    Citizen,
    Document,
    PollingStation,
    Residence,
)
from register.projection.projector import follow
from register.settings import Settings
from register.store import Pending

BEGIN = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
BIHAC, KLJUC = "10049", "10294"
BORN = date(1980, 5, 17)
PAPER = Document(kind="final decision", number="7/26", issued_by="Court", issued_on=date(2026, 1, 1))

ROLES = (
    "cec",
    "technical",
    "auditor",
    "municipal-commission:10049",
    "registry-office:10049",
    "residence-authority:10049",
    "ministry:civil-affairs",
    "court:basic-court-bihac",
    "political-entity:7",
)


#: Valid numbers of one day.
NUMBERS = [jmb for n in range(1000) if (jmb := personal_number.make(BORN, 10, n)) is not None]


def number(serial: int) -> str:
    """A valid number."""
    return NUMBERS[serial]


@dataclass
class Clock:
    """A clock that goes when it is told to."""

    now: datetime = BEGIN

    def __call__(self) -> datetime:
        return self.now


@dataclass
class World:
    """A running register, and what was sent to it."""

    system: System
    clock: Clock
    sent: int = 0

    def send(self, authority: str, *notices: AnyData, follow: bool = True) -> int:
        """Record notices as the authority; the register follows. The last position."""
        pending = []
        for notice in notices:
            self.sent += 1
            pending.append(
                Pending(
                    source=f"urn:cvr:authority:{authority}",
                    id=f"n-{self.sent}",
                    time=self.clock(),
                    data=notice,
                    salt=base64.b64encode(self.sent.to_bytes(16, "big")).decode(),
                )
            )
        receipts = self.system.store.append(pending, now=self.clock())
        assert {receipt.status for receipt in receipts} == {"recorded"}
        if follow:
            self.follow()
        return self.system.store.head()

    def follow(self) -> None:
        """Bring the tables up to date."""
        with self.system.database.psycopg() as connection:
            while follow(connection, self.system.store):
                pass

    def citizen(self, jmb: str, surname: str, municipality: str = BIHAC, *, follow: bool = True) -> None:
        """A citizen who lives in a municipality since coming of age."""
        recorded = Citizen(
            jmb=jmb,
            effective_on=BORN,
            surname=surname,
            given_name="Uzorak",
            parent_name="Test",
            sex="F",
            born_on=BORN,
        )
        self.send(f"registry-office:{municipality}", recorded, follow=False)
        self.move(jmb, municipality, date(1999, 1, 1), follow=follow)

    def move(self, jmb: str, municipality: str, since: date, *, follow: bool = True) -> int:
        """A permanent residence."""
        residence = Residence(
            jmb=jmb,
            effective_on=since,
            kind="permanent",
            municipality=municipality,
            settlement="Centar",
            street="Glavna",
            house_number="5",
        )
        return self.send(f"residence-authority:{municipality}", residence, follow=follow)

    def person(self, jmb: str) -> str:
        """The opaque id behind a number."""
        return str(self.system.store.stream_of(f"jmb:{jmb}"))

    def headers(self, who: str, name: str | None = None) -> dict[str, str]:
        """Headers with a token of an authority, or of a role without one."""
        asked: dict[str, Any] = {"role": "auditor"} if who == "auditor" else {"role": role_of(who), "authority": who}
        token = issue(self.system.settings, now=self.clock(), name=name, **asked)
        return {"Authorization": f"Bearer {token}"}


@pytest.fixture
def world(settings: Settings) -> Iterator[World]:
    """A register with a station in Bihać, three voters there and one in Ključ."""
    clock = Clock()
    with build(settings, clock=clock) as system:
        world = World(system, clock)
        station = PollingStation(
            code="049A001",
            municipality=BIHAC,
            name="Osnovna škola",
            address="Trg slobode 1",
            kind="regular",
            catchment=(CatchmentEntry(),),
            effective_on=date(2020, 1, 1),
        )
        world.send("municipal-commission:10049", station, follow=False)
        for serial, (surname, municipality) in enumerate(
            [("Čolić", BIHAC), ("Đurić", BIHAC), ("Babić", BIHAC), ("Žutić", KLJUC)]
        ):
            world.citizen(number(serial), surname, municipality, follow=False)
        world.follow()
        yield world


@pytest.fixture
async def client(world: World) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(create_app(world.system), raise_app_exceptions=False, client=("192.0.2.7", 40000))
    async with httpx.AsyncClient(transport=transport, base_url="http://register") as client:
        yield client
