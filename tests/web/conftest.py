"""A register of two small municipalities with its pages; the clock stands where a test puts it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from datetime import datetime
from gettext import GNUTranslations

import httpx
import pytest

from register.acts import elections
from register.api.system import System
from register.app.http import build, create_app
from register.app.parts import make_freezer, make_sealer
from register.excerpts.words import Language, translations
from register.law.competence import Caller
from register.law.events import ElectionCalled
from register.projection import projector
from register.settings import Settings
from register.web import languages
from tests.flows.town import CALLED, CONCLUDED, DAY, LATER, Town

CEC = Caller("a member", "cec", "cec")
ELECTION = "general-2026"


class Register:
    """A register whose workers take their turns when told to."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.now = CALLED
        self.system: System = None  # type: ignore[assignment] # the fixture gives it, which needs the clock first
        self.voters: list[str] = []

    def clock(self) -> datetime:
        return self.now

    def follow(self) -> None:
        system = self.system
        with system.database.psycopg() as connection:
            while projector.follow(connection, system.store):
                pass
        make_freezer(system.database, system.store, self.clock, system.entropy).freeze_waiting()
        make_sealer(self.settings, system.database, system.store, self.clock, system.entropy).seal()

    def settle(self) -> None:
        """Sixty voters, three weeks before the call."""
        town = Town(self.system.store)
        town.settle()
        self.voters = town.voters
        self.follow()

    def call(self) -> None:
        called = ElectionCalled(election=ELECTION, kind="general", early=False, day=DAY, called_on=CALLED.date())
        elections.call(self.system.store, called, CEC, self.system.municipalities, now=CALLED, salt="cw==")
        self.follow()

    def conclude(self) -> None:
        system, self.now = self.system, CONCLUDED
        elections.conclude(system.store, ELECTION, CEC, reference=system.reference, now=CONCLUDED, salt="cw==")
        self.follow()
        self.now = LATER

    @asynccontextmanager
    async def browser(self, **headers: str) -> AsyncIterator[httpx.AsyncClient]:
        transport = httpx.ASGITransport(create_app(self.system), raise_app_exceptions=False)
        sent = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8", **headers}
        async with httpx.AsyncClient(transport=transport, base_url="http://register", headers=sent) as client:
            yield client


@contextmanager
def running(settings: Settings) -> Iterator[Register]:
    register = Register(settings)
    with build(settings, clock=register.clock) as system:
        register.system = system
        yield register


@pytest.fixture
def register(settings: Settings) -> Iterator[Register]:
    with running(settings) as register:
        yield register


@pytest.fixture
async def browser(register: Register) -> AsyncIterator[httpx.AsyncClient]:
    async with register.browser() as client:
        yield client


Browser = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]


class Strict(GNUTranslations):
    """A catalogue that has no patience with messages it does not hold."""

    def __init__(self, language: Language) -> None:
        super().__init__()
        self._held = translations(language)
        self._language = language

    def gettext(self, message: str) -> str:
        assert message in vars(self._held)["_catalog"], f"not said in {self._language}: {message}"
        return self._held.gettext(message)


@pytest.fixture(autouse=True)
def nothing_unsaid(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every page of every test says everything in its language."""
    monkeypatch.setattr(languages, "translations", Strict)
