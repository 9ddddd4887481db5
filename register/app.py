"""Puts the parts together, once: settings in, a running system or an HTTP application out."""

from __future__ import annotations

import gc
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, Final

import psycopg
from fastapi import FastAPI, Response

from register import access, web
from register.acts.freezing import Freezer
from register.api import (
    auditors,
    commission,
    counts,
    elections,
    operators,
    problems,
    public,
    registry,
    self_check,
    senders,
)
from register.api.description import describe
from register.api.edge import Edge
from register.api.knowledge import Asked, day_before
from register.api.system import System
from register.database import Database, open_database
from register.excerpts.runs import Runs
from register.intake.batch import Intake
from register.intake.contracts import notice_schemas
from register.intake.journal import Journal
from register.jobs import Queue
from register.law.territory import Municipality, read_municipalities
from register.log.keys import open_key
from register.log.sealer import Sealer
from register.projection import projector, queries
from register.settings import Clock, Settings, make_clock, today
from register.store import Store, Together

CONTRACTS: Final = Path(__file__).parents[1] / "contracts"
REFERENCE: Final = CONTRACTS / "reference" / "municipalities.csv"
#: Routes by counterpart.
ROUTERS: Final = (
    senders.router,
    operators.router,
    registry.router,
    counts.router,
    auditors.router,
    public.router,
    web.router,
    elections.router,
    commission.router,
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
            runs=make_runs(settings, database, store, clock, entropy),
            queue=stack.enter_context(Queue(database)),
            reference=reference_version(),
            lags={
                "projection": lambda: projection_lag(database, store),
                "log": make_sealer(settings, database, store, clock, entropy).lag,
            },
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
    """Write the generated contracts: ``openapi.json`` and a JSON Schema for each type of notice."""
    (folder / "notices").mkdir(parents=True, exist_ok=True)
    for name, schema in {"openapi.json": openapi(), **{f"notices/{n}": s for n, s in notice_schemas().items()}}.items():
        (folder / name).write_text(contract_text(schema), encoding="utf-8")


def contract_text(contract: dict[str, Any]) -> str:
    """Return a contract as it stands in its file."""
    return json.dumps(contract, ensure_ascii=False, indent=2) + "\n"


def calm_collector() -> None:
    """Let Python look for garbage cycles more rarely, in a process that takes in or reads many events.

    A batch makes some hundred thousand objects that no cycle holds; looking through them at every turn takes a third
    of the processor time of an intake (measured: 42 against 30 microseconds a notice).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 50)


def open_store(database: Database, entropy: Callable[[int], bytes]) -> Store:
    """Open the event store of a database; to be used as a context manager."""

    def connect() -> psycopg.Connection[Any]:
        return database.psycopg()

    return Store(connect, random_bytes=entropy)


def make_sealer(
    settings: Settings, database: Database, store: Store, clock: Clock, entropy: Callable[[int], bytes]
) -> Sealer:
    """Return the sealer of the log in the data folder; its key is made on first use."""
    folder = settings.data / "log"
    folder.mkdir(parents=True, exist_ok=True)
    signer = open_key(settings.data / "keys" / "log", settings.origin, entropy)
    return Sealer(source=store, engine=database.engine, folder=folder, signer=signer, clock=clock)


def make_runs(
    settings: Settings, database: Database, store: Store, clock: Clock, entropy: Callable[[int], bytes]
) -> Runs:
    """Return the runs of excerpts, drawn below the data folder."""
    return Runs(database.engine, store, settings.data, read_reference(), clock=clock, entropy=entropy)


def make_freezer(database: Database, store: Store, clock: Clock, entropy: Callable[[int], bytes]) -> Freezer:
    """Return what freezes the rolls of concluded elections; the projector calls it when it has caught up."""
    return Freezer(database.psycopg, store, read_reference(), clock=clock, entropy=entropy)


def projection_lag(database: Database, store: Store) -> int:
    """Return by how many events the register's tables are behind the event store."""
    with database.psycopg() as connection:
        position = projector.position_of(connection)
    return store.head() - position


def read_reference() -> dict[str, Municipality]:
    """Return the municipalities of the reference data, by code."""
    return read_municipalities(REFERENCE.read_text(encoding="utf-8"))


def reference_version() -> str:
    """Return the version of the reference data that a conclusion rests on: the SHA-256 of the table, in hex."""
    return hashlib.sha256(REFERENCE.read_bytes()).hexdigest()


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
        app.include_router(router)
    return app
