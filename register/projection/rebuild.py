"""The register built anew beside the live one, compared with it, and put in its place.

Docs: decisions/0023-rebuild.md. The new tables stand in a schema of their own until they are complete: nobody reads
them before the one transaction in which schemas change names.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import msgspec
import procrastinate
import psycopg
from psycopg import sql

from register.database import Database
from register.jobs import Queue
from register.projection.comparing import AS_OF, AT_ONCE, Difference, differences
from register.projection.forms import OtherFormError, constraints, form_of, look_into, make_tables
from register.projection.helping import Helper, Step, Turn, crew, laid_out, lay_out, left, turns, watched
from register.projection.loading import BARE, Connection, ranges, shares
from register.projection.parts import COMMON, hold_still, is_level, position_of, positions_of
from register.projection.projector import BATCH, follow
from register.projection.tables import SCHEMA, VERSION, metadata
from register.store import Store

#: Where the new tables stand while they are built, and the old ones for a moment after the switch.
NEXT: Final = "projection_next"
BEFORE: Final = "projection_before"
#: Rolls once frozen go on standing; so they are taken over, not made again.
KEPT: Final = ("roll", "frozen_roll")
#: What is asked by indexes alone.
SETTLED: Final = ("stretch", "audit_entry")
#: From so many events on, starting more processes pays.
WORTH_SPREADING: Final = 30_000
#: From so many events on, whole streams are loaded into an empty register before it follows.
WORTH_LOADING: Final = 30_000
#: The job that asks a worker to take part in a load, and how many workers are asked.
HELP: Final = "projection.help"
SEATS: Final = 32
#: So long a worker takes part before it looks whether anything else is to be done (seconds).
_SITTING: Final = 30.0
#: What the phases of a load do, one after the other.
_PHASES: Final = ("streams folded", "indexes", "addresses covered", "indexes of addresses")
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
        both = min(position_of(live), position_of(new))
        found = differences(live, SCHEMA, NEXT, AS_OF, both) if both else []
        live.commit()
        if found and same_form and not accept:
            return Rebuilt(position_of(new), found, switched=False)
        rebuilt = _switch(live, new, store, found, progress, exact=same_form, accept=accept)
    if rebuilt.switched:
        progress("settling", 0, 0)
        _settle(database)
    return rebuilt


def bring_to_form(database: Database, store: Store, *, processes: int = 1) -> Rebuilt | None:
    """Build the tables anew when they are of an older form than this program's, or empty and far behind; None: neither.

    Raises :class:`RebuildRunningError`, and ``OtherFormError`` for tables of a newer form: two hosts whose programs
    differ would take them from each other for ever. Only ``cvr rebuild``, on purpose, goes back to an older form.
    """
    with database.psycopg() as connection:
        form = form_of(connection)
        if form > VERSION:
            raise OtherFormError(form)
        if form == VERSION and (position_of(connection) > 0 or store.head() < WORTH_LOADING):
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
        # The server may notice only later that the connection is closed.
        connection.execute("SELECT pg_advisory_unlock(hashtextextended('rebuild', 0))")


def _drop(connection: Connection, schema: str) -> None:
    with connection.transaction():
        if laid_out(connection, schema):
            # Whoever helps holds a row of it first of all: so he ends his step, and finds nothing more.
            connection.execute(sql.SQL("LOCK TABLE {}").format(sql.Identifier(schema, "step")))
        connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(schema)))


# --- loading --------------------------------------------------------------------------------------------------------


def _begun(live: Connection, new: Connection, store: Store) -> int:
    """Up to which position whole streams are loaded: as a load that was begun noted it, else up to the head."""
    if form_of(live, NEXT) == VERSION and laid_out(live, NEXT):
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
        lay_out(new, upto, _phases(new, upto))
    return upto


def _is_loaded(new: Connection) -> bool:
    """Whether the load is complete: only then the tables rest on a position."""
    found = new.execute("SELECT EXISTS (SELECT FROM projection.progress)").fetchone() == (True,)
    new.commit()
    return found


def _phases(connection: Connection, upto: int) -> list[list[Step]]:
    """The steps of a load, phase by phase."""
    after = [name for name in constraints(BARE) if not name.startswith("coverage")]
    last = [name for name in constraints(BARE) if name.startswith("coverage")]
    return [
        [("linked", None), *(("range", [str(end) for end in part]) for part in ranges(connection, upto))],
        [("aside", None), *(("index", name) for name in after)],
        [("share", number) for number in shares()],
        [("index", name) for name in last],
    ]


def _load(database: Database, new: Connection, store: Store, upto: int, processes: int, progress: Progress) -> None:
    """Take the steps laid out until all are done, here or in so many processes, beside whoever else helps."""
    there = left(new)

    def tell() -> None:
        now = left(new)
        phase = min(now, default=max(there, default=0))
        progress(_PHASES[phase], there[phase] - now[phase], there[phase])

    if processes == 1 or upto < WORTH_SPREADING:
        with database.psycopg() as connection:
            for _ in turns(Helper(connection, store, NEXT)):
                tell()
    else:
        invite(database)
        with crew(processes, database.dsn, NEXT) as at_work:
            for _ in at_work:
                tell()
    if left(new):
        raise RuntimeError("steps of the load are left, and nobody is at them")
    for name in BARE:
        new.execute(f"ANALYZE projection.{name}".encode())
    new.execute("INSERT INTO projection.progress VALUES (%s, %s)", (COMMON, upto))
    new.commit()


# --- helping from another host --------------------------------------------------------------------------------------


def join(database: Database, processes: int) -> bool:
    """Take part, with so many processes, in a load begun elsewhere, until it is over; whether there was one.

    Raises what doing a step raises.
    """
    with database.psycopg() as connection:
        if not laid_out(connection, NEXT):
            return False
    with crew(processes, database.dsn, NEXT) as at_work:
        return Counter(at_work)[Turn.DONE] > 0


def invite(database: Database) -> None:
    """Ask the workers that work jobs off, on whatever host, to take part; one that is asked already is asked once."""
    with Queue(database) as queue:
        for seat in range(SEATS):
            queue.put(HELP, lock=f"{HELP}:{seat}", seat=seat)


def add_task(app: procrastinate.App, database: Database, store: Store, queue: Queue, stop: threading.Event) -> str:
    """Let a worker take part in a load when it is invited; the name of the task.

    After some time it ends the job and queues it anew, so that lists waiting to be drawn get their turn.
    """

    @app.task(name=HELP, queue=HELP)
    def lend_a_hand(seat: int) -> None:
        until = time.monotonic() + _SITTING
        with psycopg.connect(watched(database.dsn)) as connection:
            for _ in turns(Helper(connection, store, NEXT)):
                if stop.is_set() or time.monotonic() > until:
                    queue.put(HELP, lock=f"{HELP}:{seat}", seat=seat)
                    return

    return HELP


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


def _settle(database: Database) -> None:
    """Let PostgreSQL note of the new tables that everybody sees all their rows.

    Until then an index alone answers nothing, and every page and count goes to the table as well. Left to itself, it
    looks while the new tables are still being written, sees that not everybody sees them, and not again for long.
    """
    with database.psycopg(autocommit=True) as connection:
        for table in SETTLED:
            connection.execute(f"VACUUM {SCHEMA}.{table}".encode())


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
    live.execute(f"DROP TABLE {NEXT}.step, {NEXT}.loaded, {NEXT}.building")
    live.execute(f"ALTER SCHEMA {SCHEMA} RENAME TO {BEFORE}")
    live.execute(f"ALTER SCHEMA {NEXT} RENAME TO {SCHEMA}")
    return True


def _shape(connection: Connection, schema: str, table: str) -> list[tuple[Any, ...]]:
    return connection.execute(
        "SELECT column_name, udt_name, is_nullable FROM information_schema.columns"
        " WHERE table_schema = %s AND table_name = %s ORDER BY ordinal_position",
        (schema, table),
    ).fetchall()
