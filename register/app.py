"""Puts the parts together, once: settings in, a running system or an HTTP application out."""

from __future__ import annotations

import gc
import json
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import psycopg
from fastapi import FastAPI

from register import access
from register.api import operators, problems, senders
from register.api.description import describe
from register.api.edge import Edge
from register.api.system import System
from register.database import Database, open_database
from register.intake.batch import Intake
from register.intake.contracts import notice_schemas
from register.intake.journal import Journal
from register.law.territory import Municipality, read_municipalities
from register.log.keys import open_key
from register.log.sealer import Sealer
from register.projection import projector
from register.settings import Clock, Settings, make_clock
from register.store import Store, Together

CONTRACTS: Final = Path(__file__).parents[1] / "contracts"
#: Routes by counterpart.
ROUTERS: Final = (senders.router, operators.router)


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
    app.add_middleware(Edge, system=system)
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


def projection_lag(database: Database, store: Store) -> int:
    """Return by how many events the register's tables are behind the event store."""
    with database.psycopg() as connection:
        position = projector.position_of(connection)
    return store.head() - position


def read_reference() -> dict[str, Municipality]:
    """Return the municipalities of the reference data, by code."""
    return read_municipalities((CONTRACTS / "reference" / "municipalities.csv").read_text(encoding="utf-8"))


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
