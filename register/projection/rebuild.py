"""The register built anew beside the live one, compared with it, and put in its place.

Docs: decisions/0023-rebuild.md. The new tables stand in a schema of their own until they are complete: nobody reads
them before the one transaction in which schemas change names.
"""

from __future__ import annotations

import gc
import os
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from multiprocessing import get_context, parent_process
from typing import Any, Final
from uuid import UUID

import msgspec
import psycopg
from psycopg import sql

from register.database import Database
from register.projection.comparing import AS_OF, AT_ONCE, Difference, differences
from register.projection.forms import constraints, form_of, look_into, make_tables
from register.projection.loading import BARE, Connection, Loader, linked_streams, ranges, shares
from register.projection.parts import COMMON, hold_still, is_level, position_of, positions_of
from register.projection.projector import BATCH, follow
from register.projection.tables import SCHEMA, VERSION, metadata
from register.store import Store

#: Where the new tables stand while they are built, and the old ones for a moment after the switch.
NEXT: Final = "projection_next"
BEFORE: Final = "projection_before"
#: Rolls once frozen go on standing; so they are taken over, not made again.
KEPT: Final = ("roll", "frozen_roll")
#: From so many events on, starting more processes pays.
WORTH_SPREADING: Final = 30_000
#: From so many events on, whole streams are loaded into an empty register before it follows.
WORTH_LOADING: Final = 30_000
#: Readers wait for a switch at most so long (ms): less than PostgreSQL waits before it looks for a deadlock, which it
#: would end by failing a reader.
_PATIENCE: Final = 500
_PAUSE: Final = 1.0

#: (what is done, how far, of how much; 0: nobody knows)
Progress = Callable[[str, int, int], None]


class RebuildRunningError(Exception):
    """Another process is building the register anew."""

    def __init__(self) -> None:
        super().__init__("another process is building the register anew")


class Rebuilt(msgspec.Struct, frozen=True):
    """What became of a rebuild: the position it rests on, where it differs from the live tables, whether it is live."""

    position: int
    differences: list[Difference]
    switched: bool


def rebuild(
    database: Database,
    store: Store,
    *,
    processes: int = 1,
    progress: Progress = lambda _what, _done, _all: None,
    accept: bool = False,
) -> Rebuilt:
    """Build the tables anew, or go on with what was begun; compare; switch, and let go of the old ones.

    Tables of today's form that differ from the live ones are kept, and not put in their place without ``accept``;
    of those of an older form it is only told how they differ. Raises :class:`RebuildRunningError`, and what decoding
    an event raises. Whenever it ends early, what is built stays and is gone on with.
    """
    with _alone(database) as live, database.psycopg() as new:
        look_into(new, NEXT)
        _drop(live, BEFORE)
        upto = _begun(live, new, store)
        if not _is_loaded(new):
            _load(database, new, store, upto, processes, progress)
        # Tables that rest on nothing are no measure, and to bring them here event by event would be the dearer way.
        same_form = form_of(live) == VERSION and position_of(live) > 0
        live.commit()
        _catch_up(new, store, progress)
        progress("comparing", 0, 0)
        found = differences(live, SCHEMA, NEXT, AS_OF, min(position_of(live), position_of(new)))
        live.commit()
        if found and same_form and not accept:
            return Rebuilt(position_of(new), found, switched=False)
        return _switch(live, new, store, found, progress, exact=same_form, accept=accept)


def bring_to_form(database: Database, store: Store, *, processes: int = 1) -> Rebuilt | None:
    """Build the tables anew when they are of another form than this program's, or empty and far behind; None: neither.

    Raises :class:`RebuildRunningError`.
    """
    with database.psycopg() as connection:
        if form_of(connection) == VERSION and (position_of(connection) > 0 or store.head() < WORTH_LOADING):
            return None
    return rebuild(database, store, processes=processes)


def discard(database: Database) -> bool:
    """Throw away what a rebuild has built so far; whether there was anything. Raises :class:`RebuildRunningError`."""
    with _alone(database) as connection:
        there = connection.execute("SELECT to_regnamespace(%s)", (NEXT,)).fetchone() != (None,)
        _drop(connection, NEXT)
        return there


@contextmanager
def _alone(database: Database) -> Iterator[Connection]:
    """A connection that holds off other rebuilds until it is closed."""
    with database.psycopg() as connection:
        taken = connection.execute("SELECT pg_try_advisory_lock(hashtextextended('rebuild', 0))").fetchone()
        connection.commit()
        if taken != (True,):
            raise RebuildRunningError
        yield connection


def _drop(connection: Connection, schema: str) -> None:
    with connection.transaction():
        connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(schema)))


# --- loading --------------------------------------------------------------------------------------------------------


def _begun(live: Connection, new: Connection, store: Store) -> int:
    """Up to which position whole streams are loaded: as a load that was begun noted it, else up to the head."""
    if form_of(live, NEXT) == VERSION:
        row = new.execute("SELECT upto FROM projection.building").fetchone()
        new.commit()
        if row is not None:
            return int(row[0])
    live.commit()
    _drop(live, NEXT)
    upto = store.head()
    with new.transaction():
        new.execute(f"CREATE SCHEMA {NEXT}")
        make_tables(new, BARE)
        new.execute("CREATE TABLE projection.loaded (step text PRIMARY KEY)")
        new.execute("CREATE TABLE projection.building (upto int8 NOT NULL)")
        new.execute("INSERT INTO projection.building VALUES (%s)", (upto,))
    return upto


def _is_loaded(new: Connection) -> bool:
    """Whether the load is complete: only then the tables rest on a position."""
    found = new.execute("SELECT EXISTS (SELECT FROM projection.progress)").fetchone() == (True,)
    new.commit()
    return found


def _load(database: Database, new: Connection, store: Store, upto: int, processes: int, progress: Progress) -> None:
    linked = linked_streams(new, store, upto)
    parts = ranges(new, upto)
    new.commit()
    after = [name for name in constraints(BARE) if not name.startswith("coverage")]
    last = [name for name in constraints(BARE) if name.startswith("coverage")]
    phases: list[tuple[str, list[tuple[str, Any]]]] = [
        ("streams folded", [("linked", None), *(("range", part) for part in parts)]),
        ("indexes", [("aside", None), *(("index", name) for name in after)]),
        ("addresses covered", [("share", number) for number in shares()]),
        ("indexes of addresses", [("index", name) for name in last]),
    ]
    with _crew(database, store, processes if upto >= WORTH_SPREADING else 1, upto, linked) as work:
        for what, tasks in phases:
            for done, _ in enumerate(work(tasks), 1):
                progress(what, done, len(tasks))
    for name in BARE:
        new.execute(f"ANALYZE projection.{name}".encode())
    new.execute("INSERT INTO projection.progress VALUES (%s, %s)", (COMMON, upto))
    new.commit()


@contextmanager
def _crew(
    database: Database, store: Store, processes: int, upto: int, linked: Collection[UUID]
) -> Iterator[Callable[[Iterable[tuple[str, Any]]], Iterator[None]]]:
    """What does steps of the load, (name of the step, its argument): here, or in so many processes."""
    if processes == 1:
        with database.psycopg() as connection:
            yield partial(map, partial(_do, Loader(connection, store, NEXT, upto, linked)))
        return
    # Not by fork: this process may have threads, which a fork would lose together with their locks.
    pool = ProcessPoolExecutor(processes, get_context("spawn"), _open, (database.dsn, upto, frozenset(linked)))
    try:
        yield partial(pool.map, _work)
    finally:
        pool.shutdown(cancel_futures=True)


_loaders: Final[list[Loader]] = []


def _open(dsn: str, upto: int, linked: Collection[UUID]) -> None:
    """Once in each process. Batches make no cycles: looking for them takes a third of the time."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    gc.freeze()
    gc.set_threshold(100_000, 50, 50)
    connect = partial(psycopg.connect, dsn)
    store = Store(connect, random_bytes=os.urandom, pool_size=1)
    _loaders.append(Loader(connect(), store, NEXT, upto, linked))


def _end_with_parent() -> None:
    """However suddenly the rebuild ends, its processes end too, and the database takes back what they had begun."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _work(task: tuple[str, Any]) -> None:
    _do(_loaders[0], task)


def _do(loader: Loader, task: tuple[str, Any]) -> None:
    name, argument = task
    match name:
        case "linked":
            loader.linked()
        case "aside":
            loader.aside()
        case "range":
            loader.range(argument)
        case "share":
            loader.share(argument)
        case _:
            loader.index(argument)


# --- catching up, and switching -------------------------------------------------------------------------------------


def _catch_up(new: Connection, store: Store, progress: Progress, upto: int | None = None) -> None:
    """Follow the event store into the new tables, event by event, as the live ones are followed."""
    begun = position_of(new)
    new.commit()
    done = 0
    while taken := follow(new, store, limit=BATCH, upto=upto):
        done += taken
        progress("following", done, max(store.head() - begun, done))


def _switch(
    live: Connection,
    new: Connection,
    store: Store,
    found: list[Difference],
    progress: Progress,
    *,
    exact: bool,
    accept: bool,
) -> Rebuilt:
    """Bring both to one position, compare what can be compared only so, and change the names; try until it is done."""
    while True:
        here = position_of(new)
        new.commit()
        while exact and follow(live, store, upto=here):
            pass
        with live.transaction():
            hold_still(live)
            while exact and not is_level(positions_of(live)):
                follow(live, store)
            standing = position_of(live)
            if standing < here and exact:
                continue
            _catch_up(new, store, progress, upto=standing)
            here = position_of(new)
            new.commit()
            more = differences(live, SCHEMA, NEXT, AT_ONCE, standing) if exact else []
            if more and not accept:
                return Rebuilt(here, [*found, *more], switched=False)
            switched = _take_over(live)
        if switched:
            _drop(live, BEFORE)
            return Rebuilt(here, [*found, *more], switched=True)
        progress("waiting for readers", 0, 0)
        time.sleep(_PAUSE)


def _take_over(live: Connection) -> bool:
    """Put the new tables in the place of the live ones; False when somebody reads for longer than anyone may wait.

    Every table is locked first, the position before all others, as every reader asks for it first: who reads has read
    to the end, and who comes waits, and finds the new tables under the old name. Without, an answer whose state of
    knowledge is older than the switch could rest on half a table.
    """
    others = [table.name for table in metadata.sorted_tables if table.name != "progress"]
    there = {name for (name,) in live.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s", (SCHEMA,))}
    names = ["progress", *(name for name in others if name in there)]
    tables = sql.SQL(", ").join(sql.Identifier(SCHEMA, name) for name in names)
    try:
        with live.transaction():
            live.execute(sql.SQL("SET LOCAL statement_timeout TO {}").format(_PATIENCE))
            live.execute(sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(tables))
            live.execute("SET LOCAL statement_timeout TO DEFAULT")
    except psycopg.errors.QueryCanceled:
        return False
    for name in KEPT:
        if _shape(live, SCHEMA, name) == _shape(live, NEXT, name):
            live.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(NEXT, name)))
            live.execute(
                sql.SQL("ALTER TABLE {} SET SCHEMA {}").format(sql.Identifier(SCHEMA, name), sql.Identifier(NEXT))
            )
    live.execute(f"DROP TABLE {NEXT}.loaded, {NEXT}.building")
    live.execute(f"ALTER SCHEMA {SCHEMA} RENAME TO {BEFORE}")
    live.execute(f"ALTER SCHEMA {NEXT} RENAME TO {SCHEMA}")
    return True


def _shape(connection: Connection, schema: str, table: str) -> list[tuple[Any, ...]]:
    return connection.execute(
        "SELECT column_name, udt_name, is_nullable FROM information_schema.columns"
        " WHERE table_schema = %s AND table_name = %s ORDER BY ordinal_position",
        (schema, table),
    ).fetchall()
