"""For operators: is it alive, is it ready, how is it doing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

import psycopg
import sqlalchemy as sa
from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST

from register.api import problems
from register.api.system import CurrentSystem, System
from register.database import replication
from register.projection.following import Obstacle, obstacle

#: A follower further behind the event store than this is catching up, and its readers would see an old register.
LAG_BOUND: Final = 50_000
#: However few they are, events that a follower has not followed for so long are followed by nobody.
AGE_BOUND: Final = timedelta(seconds=60)

#: Followers without which nobody need wait: what they are late with is told a little later.
NOT_AWAITED: Final = frozenset({"inspection"})

router = APIRouter(tags=["operators"])


@router.get("/healthz")
async def health() -> dict[str, str]:
    """The process is alive."""
    return {"status": "ok"}


@router.get("/readyz", responses=problems.responses(503))
def readiness(system: CurrentSystem) -> Response:
    """The database answers, register and log are not far behind the event store, and the workers live.

    Where the database acknowledges nothing without a standby, one is there.

    Else 503 with the lags: a follower may be 50,000 events behind, and by none older than a minute. An event that
    cannot be read is named by its position.
    """
    lags = measure(system)
    late = None if lags is None else _late(system, lags)
    if lags is None or late is None:
        return problems.plain(503, "The database does not answer", headers={"Retry-After": "5"})
    found = _obstacle(system, lags)
    if found is not None:
        return problems.plain(503, f"The register stands still: {found}", headers={"Retry-After": "60"})
    behind = [f"{name} is {lags[name]} events behind" for name in late]
    if behind:
        return problems.plain(503, f"Catching up: {'; '.join(behind)}", headers={"Retry-After": "5"})
    if _waits(system):
        sentence = "The database waits for a synchronous standby: nothing is acknowledged until one is back"
        return problems.plain(503, sentence, headers={"Retry-After": "5"})
    unwell = system.unwell()
    if unwell:
        sentence = f"Ends again and again: {', '.join(sorted(unwell))}"
        return problems.plain(503, sentence, headers={"Retry-After": "5"})
    return problems.json_answer({"status": "ready", "lag": lags})


def _late(system: System, lags: Mapping[str, int]) -> list[str] | None:
    """The followers that are too far behind, or have not followed an old event; None without a database."""
    awaited = [(name, lag) for name, lag in sorted(lags.items()) if lag > 0 and name not in NOT_AWAITED]
    try:
        return [name for name, lag in awaited if lag > LAG_BOUND or _stale(system, lag)]
    except psycopg.OperationalError:
        return None


def _stale(system: System, lag: int) -> bool:
    """Whether the oldest event that a follower has not followed is old."""
    oldest = system.store.recorded_at(system.store.head() - lag + 1)
    return oldest is not None and system.clock() - oldest > AGE_BOUND


def _waits(system: System) -> bool:
    """Whether notices wait for standbys that are not there; the standbys are noted."""
    try:
        with system.database.engine.connect() as connection:
            found = replication(connection)
    except sa.exc.OperationalError:
        return False  # told as what it is
    system.metrics.replicas(found.standbys)
    return found.waits


def _obstacle(system: System, lags: Mapping[str, int]) -> Obstacle | None:
    """The event that the register's tables cannot be brought past, if there is one; noted. Looked for when behind."""
    found = None
    if lags.get("projection", 0) > 0:
        try:
            with system.database.psycopg() as connection:
                found = obstacle(connection, system.store)
        except psycopg.OperationalError:
            return None
    system.metrics.stopped("projection", 0 if found is None else found.position)
    return found


@router.get("/metrics")
def metrics(system: CurrentSystem) -> Response:
    """Metrics in the text format of Prometheus."""
    lags = measure(system)
    if lags is not None:
        _obstacle(system, lags)
        for part, events in system.part_lags().items():
            system.metrics.part_lag(part, events)
        _waits(system)
    for standby in system.standbys:
        system.metrics.standby(standby.ordinal, standby.found.behind, fit=standby.fit(0))
    return Response(system.metrics.text(), media_type=CONTENT_TYPE_LATEST)


def measure(system: System) -> dict[str, int] | None:
    """Return by how many events each follower is behind, and note it; None when the database does not answer."""
    try:
        with system.database.engine.connect() as connection:
            connection.execute(sa.text("SELECT 1"))
        lags = {name: lag() for name, lag in system.lags.items()}
    except (sa.exc.OperationalError, psycopg.OperationalError):
        return None
    for name, events in lags.items():
        system.metrics.lag(name, events)
    if system.cosigning is not None:
        for told in system.cosigning.told():
            system.metrics.witness(told.name, told.size, contradicts=told.contradicts)
    return lags
