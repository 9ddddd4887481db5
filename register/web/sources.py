"""What the pages are made from, put together by ``register.app``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Annotated, cast

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


@dataclass(frozen=True, slots=True)
class Station:
    """A polling station as its commission describes it."""

    code: str
    name: str
    address: str


@dataclass(frozen=True, slots=True)
class OwnEntry:
    """What a person is told of the own entry. ``counts_in`` and ``station`` are None where there is none."""

    entered: bool
    grounds: tuple[str, ...]
    counts_in: str | None
    voting_option: str
    mobile_team: bool
    station: Station | None
    marked_deceased: bool
    position: int


class TooOftenError(Exception):
    """This was asked too often; another answer is given later."""


#: (JMB, surname, date of birth, address of the asker) to the own entry, or None, in the same time for every mismatch;
#: raises :class:`TooOftenError`.
SelfCheck = Callable[[str, str, date, str], OwnEntry | None]


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
