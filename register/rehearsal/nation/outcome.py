"""Where a step works, and what it says it did."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from register.api.system import System
from register.app.http import build
from register.app.parts import calm_collector, make_sealer
from register.log.sealer import Sealer
from register.settings import Settings

from .figures import Plan


class StepError(Exception):
    """A step did not come out as it must; the message says how."""


class Done(msgspec.Struct, frozen=True):
    """What a step did: how many of what ``unit`` names, and what else was counted."""

    unit: str
    count: int
    beside: dict[str, int] = {}


class Site:
    """The folder of a run, and its plan."""

    def __init__(self, settings: Settings, plan: Plan) -> None:
        self.settings = settings
        self.plan = plan

    def feed(self, name: str) -> Path:
        """The folder of what authorities send."""
        return self.settings.data / "feed" / name

    @contextmanager
    def system(self) -> Iterator[System]:
        """The register, at the instant of the rehearsal, for as long as the block lasts."""
        with build(self.settings, clock=lambda: self.plan.now) as system:
            calm_collector()
            yield system


def sealer_of(system: System) -> Sealer:
    """What seals the log."""
    return make_sealer(system.settings, system.database, system.store, system.clock, system.entropy)
