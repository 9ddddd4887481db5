"""What the pages are made from, put together by ``register.app``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Annotated, Protocol, cast

from fastapi import Depends, Request

from register.database import Database
from register.law.territory import Municipality
from register.settings import Clock, Settings, today
from register.store import Store

#: A count as everyone sees it: exact, ``<5``, or None where it is withheld because others could be computed from it.
Shown = int | str | None


@dataclass(frozen=True, slots=True)
class PublicCounts:
    """Voters on the register at the end of a day at least a day old: by municipality code, by entity (or None)."""

    on: date
    position: int
    total: Shown
    municipality: Mapping[str, Shown]
    entity: Mapping[str | None, Shown]


class Station(Protocol):
    """A polling station as its commission describes it."""

    @property
    def code(self) -> str:
        """Its code, unique within the municipality."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def address(self) -> str:
        """Its address."""


class OwnEntry(Protocol):
    """What a person is told of the own entry; nothing but ``matched`` is set where nothing matched."""

    @property
    def matched(self) -> bool:
        """Whether number, surname and date of birth belong together; False is all there is to know then."""

    @property
    def entered(self) -> bool | None:
        """Whether the person is entered today."""

    @property
    def municipality(self) -> str | None:
        """Name of the municipality in which the vote counts; None where not entered."""

    @property
    def voting_option(self) -> str | None:
        """How the person votes; None where not entered."""

    @property
    def polling_station(self) -> Station | None:
        """The station of the address, if the person votes there and one covers it."""

    @property
    def position(self) -> int | None:
        """The position the answer rests on."""


#: (JMB, surname, date of birth, address of the asker) to the own entry, in the same time for every mismatch. Raises
#: ``Refusal("rate")`` when asked too often.
SelfCheck = Callable[[str, str, date, str], Awaitable[OwnEntry]]


@dataclass(frozen=True, slots=True)
class Sources:
    """What one process shows its pages from. ``entropy(n)`` gives n unpredictable bytes.

    ``counts`` gives the newest counts that everyone may see, or None while there are none.
    """

    settings: Settings
    clock: Clock
    entropy: Callable[[int], bytes] = field(repr=False)
    database: Database
    store: Store
    municipalities: Mapping[str, Municipality]
    counts: Callable[[], PublicCounts | None]
    self_check: SelfCheck

    def now(self) -> datetime:
        """The instant it is."""
        return self.clock()

    def today(self) -> date:
        """The civil day it is."""
        return today(self.clock())


def sources_of(request: Request) -> Sources:
    """Dependency: what this page is made from."""
    return cast("Sources", request.app.state.web)


CurrentSources = Annotated[Sources, Depends(sources_of)]
