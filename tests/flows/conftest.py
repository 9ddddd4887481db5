"""A register with two small municipalities, a clock that is set by the test, and the workers' turns taken by hand."""

from __future__ import annotations

import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

import httpx
import pytest

from register.access import issue
from register.api.system import System
from register.app.http import build, create_app
from register.app.parts import make_freezer, make_sealer
from register.excerpts import worker
from register.law.competence import Role
from register.projection import projector
from register.settings import Settings
from tests.flows.town import CALLED, DAY, Town


class Hands:
    """A register whose clock stands where it is set, and whose workers work when they are told to."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.now = CALLED
        self.system: System = None  # type: ignore[assignment] # given by the fixture, which needs the clock first
        self.town: Town = None  # type: ignore[assignment]

    def clock(self) -> datetime:
        return self.now

    def project(self) -> None:
        with self.system.database.psycopg() as connection:
            while projector.follow(connection, self.system.store):
                pass

    def freeze(self) -> int:
        system = self.system
        return len(make_freezer(system.database, system.store, self.clock, system.entropy).freeze_waiting())

    def seal(self) -> None:
        system = self.system
        make_sealer(self.settings, system.database, system.store, self.clock, system.entropy).seal()

    def work(self) -> None:
        """What the workers beside a server do until nothing is left."""
        self.project()
        self.freeze()
        self.project()
        self.seal()

    @contextmanager
    def drawing(self) -> Iterator[None]:
        """A worker that draws, beside the block."""
        stop = threading.Event()
        failed: list[BaseException] = []

        def run() -> None:
            try:
                worker.work(self.system.database, self.system.runs, stop)
            except BaseException as error:
                failed.append(error)
                raise

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join(30)
            assert not thread.is_alive()
            assert not failed

    def bearer(self, role: Role, name: str, authority: str | None = None) -> dict[str, str]:
        token = issue(self.settings, role=role, now=self.now, authority=authority, name=name)
        return {"Authorization": f"Bearer {token}"}


@pytest.fixture
def hands(settings: Settings) -> Iterator[Hands]:
    hands = Hands(settings)
    with build(settings, clock=hands.clock) as system:
        hands.system = system
        hands.town = Town(system.store)
        hands.town.settle()
        yield hands


@pytest.fixture
async def client(hands: Hands) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(create_app(hands.system), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://register") as client:
        yield client


@pytest.fixture
def the_call() -> dict[str, object]:
    """The call of the general election, as the CEC sends it."""
    return {"id": "general-2026", "kind": "general", "early": False, "day": DAY.isoformat(), "called_on": "2026-04-01"}


def until(reached: Callable[[], bool], seconds: float = 60) -> None:
    """Wait until something is so; the test fails when it takes longer."""
    deadline = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < deadline, "this takes too long"
        time.sleep(0.1)
