"""The parts of the running register, as the routes find them. Put together in one place, by ``register.app``."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Annotated, cast

from fastapi import Depends, Request

from register.access import Verifier
from register.acts.keys import KeyRing
from register.api.metrics import Metrics
from register.api.rates import Rates
from register.api.readers import Readers
from register.database import Database, Standbys
from register.excerpts.runs import Runs
from register.intake.batch import Intake
from register.intake.documents import Documents
from register.intake.feed import Feed
from register.intake.journal import Journal
from register.jobs import Queue
from register.law.territory import Municipality
from register.log.cosigning import Cosigning
from register.settings import Clock, Settings
from register.store import Store, Together


@dataclass(frozen=True, slots=True)
class System:
    """What one process of the register works with. ``entropy(n)`` gives n unpredictable bytes.

    ``reference`` is the version of the reference data. ``lags`` tell for each follower of the event store
    (``projection``, ``log``, ``inspection``) how many events it is behind, ``part_lags`` for each part of the
    register. ``unwell`` names the workers beside this process that end again and again. ``cosigning`` keeps what
    witnesses cosign, where a policy names any. What may lag a moment is read from ``standbys``.
    """

    settings: Settings
    clock: Clock
    entropy: Callable[[int], bytes]
    database: Database
    store: Store
    together: Together
    verifier: Verifier
    municipalities: Mapping[str, Municipality]
    intake: Intake
    journal: Journal
    feed: Feed
    documents: Documents
    keys: KeyRing
    runs: Runs
    queue: Queue
    reference: str
    lags: Mapping[str, Callable[[], int]]
    part_lags: Callable[[], Mapping[int, int]] = dict
    metrics: Metrics = field(default_factory=Metrics)
    readers: Readers = field(default_factory=Readers)
    unwell: Callable[[], Collection[str]] = tuple
    cosigning: Cosigning | None = None
    standbys: Standbys = field(default_factory=Standbys)
    rates: Rates = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "rates", Rates(self.settings.rate))


async def system_of(request: Request) -> System:
    """Dependency: the parts of the register this request is answered with. Async, so that it costs no thread."""
    return cast("System", request.app.state.system)


CurrentSystem = Annotated[System, Depends(system_of)]
