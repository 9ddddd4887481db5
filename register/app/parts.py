"""The parts of the register below HTTP, each made in one way: by the server, by its workers, by commands."""

from __future__ import annotations

import gc
import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import psycopg
import sqlalchemy as sa

from register.acts.freezing import Freezer
from register.acts.inspection import Inspector, lag
from register.audit.processes import cores
from register.database import Database, Questions, Standbys, standbys_of
from register.excerpts.copies import Copies
from register.excerpts.runs import Runs
from register.intake.documents import Documents, Shelf
from register.law.territory import Municipality, read_municipalities
from register.log.cosigning import Cosigning
from register.log.keys import KeyRing, open_key
from register.log.policy import PolicyError, parse_policy
from register.log.sealer import Sealer
from register.projection import queries
from register.projection.forms import OtherFormError
from register.projection.parts import position_of, positions_of
from register.settings import Clock, Settings, SettingsError
from register.store import Store
from register.store.reading import row_at

CONTRACTS: Final = Path(__file__).parents[2] / "contracts"
REFERENCE: Final = CONTRACTS / "reference" / "municipalities.csv"


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


def open_documents(settings: Settings, database: Database) -> Documents:
    """Return the documents kept where the settings say; clears away what killed processes left half written.

    Raises ``SettingsError`` for a place of a kind that is not known, or whose package is not installed.
    """
    place, incoming = settings.documents_place.rstrip("/"), settings.data / "incoming"
    try:
        shelves = Shelf(place, incoming), Shelf(f"{place}/requests", incoming)
    except (ImportError, ValueError) as error:
        raise SettingsError(f"CVR_DOCUMENTS names a kind of place that cannot be used: {error}") from None
    for shelf in shelves:
        shelf.sweep(time.time())  # against what the file system says, so by its clock
    return Documents(database.engine, *shelves)


def make_sealer(
    settings: Settings, database: Database, store: Store, clock: Clock, entropy: Callable[[int], bytes]
) -> Sealer:
    """Return the sealer of the log in the data folder; its key is made on first use.

    Where witnesses are named, they are asked once before anything is signed whether they have seen more.
    """
    folder = settings.data / "log"
    folder.mkdir(parents=True, exist_ok=True)
    keys = make_keys(settings, entropy)
    keys.signers()
    cosigning = make_cosigning(settings, database, clock)
    if cosigning is None:
        return Sealer(source=store, engine=database.engine, folder=folder, signer=keys, clock=clock)
    return Sealer(source=store, engine=database.engine, folder=folder, signer=keys, clock=clock, guard=cosigning.guard)


def make_keys(settings: Settings, entropy: Callable[[int], bytes]) -> KeyRing:
    """Return the keys that sign the log."""
    return KeyRing(settings.log_key, settings.origin, entropy)


def make_cosigning(settings: Settings, database: Database, clock: Clock) -> Cosigning | None:
    """Return what asks the witnesses and keeps what they cosign; None where no policy names any.

    Raises ``SettingsError`` for a policy that cannot be read.
    """
    if settings.witnesses is None:
        return None
    try:
        policy = parse_policy(settings.witnesses.read_bytes())
    except (OSError, PolicyError) as error:
        raise SettingsError(f"CVR_WITNESSES names no policy that can be used: {error}") from None
    return Cosigning(engine=database.engine, folder=settings.data / "log", policy=policy, clock=clock)


def make_runs(
    settings: Settings, database: Database, store: Store, clock: Clock, entropy: Callable[[int], bytes]
) -> Runs:
    """Return the runs of excerpts, drawn below the data folder; a key of their own signs VRI sidecars."""
    signer = open_key(settings.log_key.with_name("excerpts.key"), f"{settings.origin}/excerpts", entropy)
    return Runs(database.engine, store, settings.data, read_reference(), clock=clock, entropy=entropy, signer=signer)


def make_copies(
    settings: Settings, database: Database, store: Store, clock: Clock, entropy: Callable[[int], bytes]
) -> Copies:
    """Return the numbered copies of political entities, drawn below the data folder."""
    return Copies(database.engine, store, settings.data, read_reference(), clock=clock, entropy=entropy)


def make_standbys(settings: Settings, database: Database) -> Standbys:
    """Return the standbys readings may use, as the settings name them; to be used as a context manager."""
    return standbys_of(settings.standby_urls, database, Questions(_answering_from, row_at))


def _answering_from(connection: sa.Connection) -> int | None:
    """The position a server's register rests on; None for tables from which this program cannot answer."""
    try:
        return queries.position(connection)
    except OtherFormError:
        return None


def make_freezer(database: Database, store: Store, clock: Clock, entropy: Callable[[int], bytes]) -> Freezer:
    """Return what freezes the rolls of concluded elections; the projector calls it when it has caught up."""
    return Freezer(
        database.psycopg,
        store,
        read_reference(),
        clock=clock,
        entropy=entropy,
        dsn=database.dsn,
        processes=cores(),
    )


def make_inspector(database: Database, store: Store, clock: Clock, entropy: Callable[[int], bytes]) -> Inspector:
    """Return what establishes deficiencies; it has a worker of its own."""
    return Inspector(database.psycopg, store, clock=clock, entropy=entropy)


def inspection_lag(database: Database, store: Store) -> int:
    """Return by how many events the inspector is behind the event store."""
    with database.psycopg() as connection:
        return lag(connection, store)


def projection_lag(database: Database, store: Store) -> int:
    """Return by how many events the register's tables are behind the event store."""
    with database.psycopg() as connection:
        position = position_of(connection)
    return store.head() - position


def part_lags(database: Database, store: Store) -> dict[int, int]:
    """Return by how many events each part of the register's tables is behind the event store."""
    with database.psycopg() as connection:
        positions = positions_of(connection)
    head = store.head()
    return {part: head - position for part, position in sorted(positions.items())}


def read_reference() -> dict[str, Municipality]:
    """Return the municipalities of the reference data, by code."""
    return read_municipalities(REFERENCE.read_text(encoding="utf-8"))


def reference_version() -> str:
    """Return the version of the reference data that a conclusion rests on: the SHA-256 of the table, in hex."""
    return hashlib.sha256(REFERENCE.read_bytes()).hexdigest()
