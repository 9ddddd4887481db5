"""Puts the parts together, once: settings in, a running system or an HTTP application out."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, Final

from fastapi import Depends, FastAPI, Response

from register import access, web
from register.acts.keys import KeyRing
from register.api import (
    auditors,
    commission,
    counts,
    deficiencies,
    differences,
    documents,
    elections,
    feed,
    keys,
    operators,
    parties,
    problems,
    proofs,
    public,
    receiving,
    registry,
    runoffs,
    self_check,
    senders,
    stations,
    timeliness,
)
from register.api.asyncapi import asyncapi, yaml_text
from register.api.description import describe
from register.api.edge import Edge
from register.api.knowledge import Asked, day_before
from register.api.parameters import declared_only
from register.api.system import System
from register.app.parts import (
    CONTRACTS,
    inspection_lag,
    make_cosigning,
    make_runs,
    make_sealer,
    make_standbys,
    open_documents,
    open_store,
    part_lags,
    projection_lag,
    read_reference,
    reference_version,
)
from register.database import open_database
from register.intake.batch import Intake
from register.intake.contracts import notice_schemas
from register.intake.feed import Feed
from register.intake.journal import Journal
from register.jobs import Queue
from register.projection import queries
from register.settings import Clock, Settings, make_clock, today
from register.store import Together

#: Routes by counterpart.
ROUTERS: Final = (
    senders.router,
    documents.router,
    keys.router,
    operators.router,
    registry.router,
    counts.router,
    differences.router,
    auditors.router,
    public.router,
    web.router,
    elections.router,
    stations.router,
    runoffs.router,
    commission.router,
    feed.router,
    deficiencies.router,
    receiving.router,
    timeliness.router,
    proofs.router,
    parties.router,
)


@contextmanager
def build(
    settings: Settings, *, clock: Clock | None = None, entropy: Callable[[int], bytes] = os.urandom
) -> Iterator[System]:
    """Open the register the settings name, for as long as the block lasts.

    ``clock`` defaults to the one the settings ask for. Raises ``DatabaseError`` when the database cannot be used.
    """
    clock = clock or make_clock(settings.clock_starts)
    with ExitStack() as stack:
        database = stack.enter_context(open_database(settings))
        store = stack.enter_context(open_store(database, entropy))
        journal = Journal(database.engine)
        municipalities = read_reference()
        yield System(
            settings=settings,
            clock=clock,
            entropy=entropy,
            database=database,
            store=store,
            together=stack.enter_context(Together(store, clock)),
            verifier=access.Verifier(settings),
            municipalities=municipalities,
            intake=Intake(store=store, journal=journal, municipalities=municipalities, clock=clock, entropy=entropy),
            journal=journal,
            feed=Feed(store, journal),
            documents=open_documents(settings, database),
            keys=KeyRing(store),
            runs=make_runs(settings, database, store, clock, entropy),
            queue=stack.enter_context(Queue(database)),
            reference=reference_version(),
            cosigning=make_cosigning(settings, database, clock),
            standbys=stack.enter_context(make_standbys(settings, database)),
            lags={
                "projection": lambda: projection_lag(database, store),
                "log": make_sealer(settings, database, store, clock, entropy).lag,
                "inspection": lambda: inspection_lag(database, store),
            },
            part_lags=lambda: part_lags(database, store),
        )


def create_app(system: System) -> FastAPI:
    """Return the HTTP application over a system."""
    app = _routes()
    app.state.system = system
    access.install(app, system.verifier, system.clock)
    app.state.web = _sources(system)
    app.add_api_route(
        "/openapi.json", lambda: Response(_description(), media_type="application/json"), include_in_schema=False
    )
    app.add_middleware(Edge, system=system)
    app.add_middleware(web.ErrorPages, sources=app.state.web)
    return app


def openapi() -> dict[str, Any]:
    """Return the OpenAPI 3.1 description of the HTTP interface; ``contracts/openapi.json`` holds it."""
    return describe(_routes())


def write_contracts(folder: Path = CONTRACTS) -> None:
    """Write the generated contracts: ``openapi.json``, ``asyncapi.yaml``, a JSON Schema for each type of notice."""
    (folder / "notices").mkdir(parents=True, exist_ok=True)
    for name, schema in {"openapi.json": openapi(), **{f"notices/{n}": s for n, s in notice_schemas().items()}}.items():
        (folder / name).write_text(contract_text(schema), encoding="utf-8")
    (folder / "asyncapi.yaml").write_text(yaml_text(asyncapi()), encoding="utf-8")


def contract_text(contract: dict[str, Any]) -> str:
    """Return a contract as it stands in its file."""
    return json.dumps(contract, ensure_ascii=False, indent=2) + "\n"


def _sources(system: System) -> web.Sources:
    """What the pages for people are made from: the same answers as those of the interface."""

    async def ask(jmb: str, surname: str, born_on: date, address: str) -> self_check.OwnEntry:
        return await self_check.own_entry(system, self_check.Question(jmb, surname, born_on), address)

    return web.Sources(
        settings=system.settings,
        clock=system.clock,
        entropy=system.entropy,
        database=system.database,
        store=system.store,
        municipalities=system.municipalities,
        counts=lambda: _public_counts(system),
        self_check=ask,
    )


def _public_counts(system: System) -> web.PublicCounts | None:
    """The newest counts that everyone may see; None while there are none, or the register is not there yet."""
    newest = day_before(today(system.clock()), 2)
    on, position = counts.public_day(system, Asked(newest, None, 0))
    with system.database.engine.connect() as connection:
        if position == 0 or queries.position(connection) < position:
            return None
        found = counts.published(system, connection, on, position)
    return web.PublicCounts(
        on=on,
        position=position,
        total=found.total,
        municipality={str(code): count for code, count in found.tables["municipality"].items()},
        entity={None if key is None else str(key): count for key, count in found.tables["entity"].items()},
    )


@cache
def _description() -> bytes:
    """The OpenAPI description as ``/openapi.json`` gives it."""
    return contract_text(openapi()).encode()


def _routes() -> FastAPI:
    app = FastAPI(
        title="Central Voters Register of Bosnia and Herzegovina",
        version="1",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
    )
    problems.install(app)
    for router in ROUTERS:
        # Pages are for people, who come by links of others with all sorts of things behind them.
        app.include_router(router, dependencies=[] if router is web.router else [Depends(declared_only)])
    return app
