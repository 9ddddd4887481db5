"""The server that is written to is lost: what was acknowledged is on the standby that takes its place."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import psycopg
import pytest

from register.api.system import System
from register.app.http import build, create_app
from register.app.parts import make_sealer
from register.database import DatabaseError, open_database
from register.settings import Settings
from register.store import Pending, Store
from tests.api.conftest import Clock, World, number
from tests.distributed.servers import Servers, servers
from tests.flows.conftest import until
from tests.projection.test_projector import citizen

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
OFFICE = "urn:cvr:authority:registry-office:10049"


@pytest.fixture
def hosts() -> Iterator[Servers]:
    with servers() as hosts:
        yield hosts


def notice(of: int) -> Pending:
    salt = b64encode(random.Random(of).randbytes(16)).decode()
    data = citizen(number(of % 900), f"Čolić {of}", NOW.date())
    return Pending(source=OFFICE, id=f"n-{of}", time=NOW, data=data, salt=salt)


class Sender:
    """Sends notices one by one until stopped, each until it is acknowledged; keeps at which position."""

    def __init__(self, store: Store) -> None:
        self.positions: dict[str, int] = {}
        self.failures = 0
        self._store = store
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._send)
        self._thread.start()

    def _send(self) -> None:
        while not self._stop.is_set():
            pending = notice(len(self.positions))
            try:
                (receipt,) = self._store.append([pending], now=NOW)
            except (psycopg.OperationalError, psycopg.InterfaceError):
                self.failures += 1
                time.sleep(0.05)
                continue
            assert receipt.position is not None
            self.positions[pending.id] = receipt.position

    def end(self) -> dict[str, int]:
        self._stop.set()
        self._thread.join(60)
        assert not self._thread.is_alive()
        return self.positions


def test_what_was_acknowledged_survives_the_loss_of_the_primary_and_all_goes_on(hosts: Servers, tmp_path: Path) -> None:
    """Given a quorum of standbys, when the primary is killed while notices come, then none is missing, and the log of
    the standby that was promoted continues the one that was published."""
    settings = Settings(data=tmp_path / "data", database_url=hosts.url("one", "two", "three"))
    with build(settings, clock=lambda: NOW) as system:
        sealer = make_sealer(settings, system.database, system.store, system.clock, system.entropy)
        sender = Sender(system.store)
        until(lambda: len(sender.positions) > 200)
        sealed = sealer.seal()
        hosts.kill("one")
        promoted, other = sorted(("two", "three"), key=hosts.received, reverse=True)
        hosts.promote(promoted)
        until(lambda: hosts.replicas() == 1)
        hosts.alter(promoted, synchronous_standby_names=f"ANY 1 ({other})")
        so_far = len(sender.positions)
        until(lambda: len(sender.positions) > so_far + 200)
        positions = sender.end()
        assert sealed.size > 0
        there = {event.id: event.position for event in system.store.events()}
        assert positions.items() <= there.items()
        assert sorted(there.values()) == list(range(1, len(there) + 1))
        assert sealer.seal().size == len(there)
        assert sender.failures > 0, "the primary was not missed"


def test_with_no_standby_nothing_is_acknowledged_and_it_says_so(hosts: Servers, tmp_path: Path) -> None:
    """Given a quorum nobody is there for, then a notice waits, readiness tells why, and it goes on with the first."""
    with hosts.connect("one", "cvr") as connection:
        connection.execute("GRANT pg_read_all_stats TO cvr_app")
    settings = Settings(data=tmp_path / "data", database_url=hosts.url("one"))
    with build(settings, clock=lambda: NOW) as system:

        def ask(path: str) -> httpx.Response:
            return asyncio.run(_asked(system, path))

        assert ask("/readyz").json()["status"] == "ready"
        assert 'cvr_replicas{sync="quorum"} 2.0' in ask("/metrics").text
        for name in ("two", "three"):
            hosts.kill(name)
        sender = Sender(system.store)
        until(lambda: ask("/readyz").status_code == 503)
        assert "waits for a synchronous standby" in ask("/readyz").json()["detail"]
        assert sender.positions == {}
        hosts.start("three")
        until(lambda: len(sender.positions) > 3)
        sender.end()
        assert 'cvr_replicas{sync="quorum"} 1.0' in ask("/metrics").text


async def _asked(system: System, path: str) -> httpx.Response:
    transport = httpx.ASGITransport(create_app(system))
    async with httpx.AsyncClient(transport=transport, base_url="http://register") as client:
        return await client.get(path)


def test_acknowledging_before_the_standbys_have_it_is_refused(hosts: Servers, tmp_path: Path) -> None:
    options = "-c synchronous_commit=local"
    settings = Settings(data=tmp_path / "data", database_url=hosts.url("one", options=options))
    with pytest.raises(DatabaseError, match="does not wait for their disks"), open_database(settings):
        pass


async def test_a_standby_that_went_another_way_is_not_read_from(hosts: Servers, tmp_path: Path) -> None:
    """Given a standby promoted that lacked what another one has, then nobody is told what only that other one knows."""
    clock = Clock()
    before = Settings(data=tmp_path / "before", database_url=hosts.url("one"))
    with build(before, clock=clock) as system:
        world = World(system, clock)
        world.citizen(number(1), "Čolić")
        until(lambda: hosts.received("two") == hosts.received("three"))
        hosts.kill("two")
        world.citizen(number(2), "Đurić")
    hosts.kill("one")
    hosts.start("two")
    with hosts.connect("two") as connection:
        connection.execute("SELECT pg_promote()")
    hosts.primary = "two"
    after = Settings(
        data=tmp_path / "after", database_url=hosts.url("two"), standby_urls=(hosts.url("three"), hosts.url("two"))
    )
    with build(after, clock=clock) as system:
        three, two = system.standbys
        world = World(system, clock, sent=2)
        # Before anything else is recorded: nothing stands yet where it has what the promoted one lacks.
        until(lambda: three.found.unfit == "tells another history than the primary")
        until(lambda: two.found.unfit == "follows nobody")
        world.citizen(number(3), "Babić")
        transport = httpx.ASGITransport(create_app(system))
        async with httpx.AsyncClient(transport=transport, base_url="http://register") as client:
            found = await client.get("/v1/register", headers=world.headers("cec"))
        assert [entry["surname"] for entry in found.json()["items"]] == ["Babić", "Čolić"]
