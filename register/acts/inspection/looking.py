"""What one look of the inspector rests on, and what it comes to."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date
from typing import Any

import msgspec
import psycopg

from register.law.deficiencies.history import Deficiency, is_new
from register.law.deficiencies.kinds import Finding
from register.law.events import ElectionCalled
from register.projection import deficiencies
from register.store import Store

Connection = psycopg.Connection[Any]


class Sight(msgspec.Struct, frozen=True):
    """One state of the register: the tables a transaction sees, the events up to the position they rest on, a day.

    ``loads``: by authority, the last day of its first load.
    """

    connection: Connection
    store: Store
    position: int
    today: date
    elections: tuple[ElectionCalled, ...]
    loads: Mapping[str, date]


class Examined(msgspec.Struct):
    """What is found wrong of some matters, and what stands of the very same matters.

    ``held`` is found, and not to be established yet; it remedies nothing either.
    """

    findings: list[Finding] = []
    standing: list[Deficiency] = []
    held: list[Finding] = []

    def add(self, other: Examined) -> None:
        """Take what another look of the same turn came to."""
        self.findings.extend(other.findings)
        self.standing.extend(other.standing)
        self.held.extend(other.held)


class Settled(msgspec.Struct):
    """What is to be established, each with what became of it before, and what is remedied."""

    established: list[tuple[Finding, Deficiency | None]]
    remedied: list[Deficiency]


def settle(connection: Connection, examined: Examined) -> Settled:
    """Compare what is found with what stands, and with what became of the same before."""
    found = {(finding.kind, finding.key): finding for finding in examined.findings}
    held = {(finding.kind, finding.key) for finding in examined.held}
    standing = {(state.kind, state.key): state for state in examined.standing}
    earlier: dict[tuple[str, str], Deficiency] = dict(standing)
    unknown = [key for key in found if key not in standing]
    earlier |= {(state.kind, state.key): state for state in deficiencies.by_key(connection, unknown)}
    return Settled(
        [(finding, earlier.get(key)) for key, finding in found.items() if is_new(finding, earlier.get(key))],
        [state for key, state in standing.items() if key not in found and key not in held],
    )


def elections_of(connection: Connection) -> tuple[ElectionCalled, ...]:
    """Every election called, as far as the tables know; not run-offs, whose stations and options are the first's."""
    rows = connection.execute("SELECT called FROM projection.election ORDER BY called_at_position").fetchall()
    elections = (msgspec.convert(called, ElectionCalled) for (called,) in rows)
    return tuple(called for called in elections if called.runoff_of is None)


def loads_of(connection: Connection) -> dict[str, date]:
    """By authority, until when its first load goes; the last declaration decides."""
    rows = connection.execute("SELECT authority, until FROM projection.first_load ORDER BY position").fetchall()
    return dict(rows)


def loading(sight: Sight, authorities: Collection[str]) -> bool:
    """Whether any of these authorities is still in its first load (Art. 3.5(5))."""
    return any(sight.today <= until for name in authorities if (until := sight.loads.get(name)) is not None)
