"""For operators: is it alive, is it ready, how is it doing."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST

from register.api import problems
from register.api.system import CurrentSystem, System

#: A follower further behind the event store than this is catching up, and its readers would see an old register.
LAG_BOUND: Final = 50_000

router = APIRouter(tags=["operators"])


@router.get("/healthz")
async def health() -> dict[str, str]:
    """The process is alive."""
    return {"status": "ok"}


@router.get("/readyz", responses=problems.responses(503))
def readiness(system: CurrentSystem) -> Response:
    """The database answers, and register and log are not far behind the event store; else 503 with the lags."""
    lags = measure(system)
    if lags is None:
        return problems.plain(503, "The database does not answer", headers={"Retry-After": "5"})
    behind = {name: lag for name, lag in lags.items() if lag > LAG_BOUND}
    if behind:
        sentence = "; ".join(f"{name} is {lag} events behind" for name, lag in sorted(behind.items()))
        return problems.plain(503, f"Catching up: {sentence}", headers={"Retry-After": "5"})
    return problems.json_answer({"status": "ready", "lag": lags})


@router.get("/metrics")
def metrics(system: CurrentSystem) -> Response:
    """Metrics in the text format of Prometheus."""
    measure(system)
    return Response(system.metrics.text(), media_type=CONTENT_TYPE_LATEST)


def measure(system: System) -> dict[str, int] | None:
    """Return by how many events each follower is behind, and note it; None when the database does not answer."""
    try:
        with system.database.engine.connect() as connection:
            connection.execute(sa.text("SELECT 1"))
        lags = {name: lag() for name, lag in system.lags.items()}
    except sa.exc.OperationalError:
        return None
    for name, events in lags.items():
        system.metrics.lag(name, events)
    return lags
