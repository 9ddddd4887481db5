"""The steps of a load, dealt out: whoever reaches the database may take one, in this process, beside it, on any host.

Docs: decisions/0027-more-than-one-machine.md. A step is a row. Who takes it deletes it in the very transaction in
which it is done, and passes over rows that others hold: no step is done twice, and that of a helper who was killed is
free again as soon as the database has rolled him back. A phase begins when all steps of the one before are done.
"""

from __future__ import annotations

import gc
import os
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from enum import Enum
from functools import partial
from multiprocessing import get_context, parent_process
from typing import Any, Final
from uuid import UUID

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.types.json import Jsonb

from register.projection.forms import look_into
from register.projection.loading import Connection, Loader, linked_streams
from register.projection.tables import VERSION
from register.store import Store

#: (what to do, with what): a kind of step, and its argument as JSON has it.
Step = tuple[str, Any]

#: Before somebody for whom no step is free asks again (seconds).
_PAUSE: Final = 0.05
#: A helper whose host is gone without a word is noticed by the database after some 25 s, and his step free again.
#: Over a Unix socket, where nobody goes without a word, these say nothing.
_WATCHED: Final = (
    "-c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3"
    " -c client_connection_check_interval=2s"
)
_TABLE: Final = """
    CREATE TABLE projection.step (
        no int PRIMARY KEY, phase int NOT NULL, kind text NOT NULL, argument jsonb NOT NULL,
        upto int8 NOT NULL, form int NOT NULL
    )
"""
_TAKE: Final = """
    DELETE FROM projection.step WHERE no = (
        SELECT no FROM projection.step
        WHERE phase = (SELECT min(phase) FROM projection.step) AND form = %s
        ORDER BY no LIMIT 1 FOR UPDATE SKIP LOCKED
    ) RETURNING kind, argument, upto
"""


class Turn(Enum):
    """What came of asking for a step: one was done; others are at those left; none is left."""

    DONE = 0
    BUSY = 1
    OVER = 2


def lay_out(connection: Connection, upto: int, phases: Sequence[Sequence[Step]]) -> None:
    """Write down the steps of a load of the events up to ``upto``, phase by phase, where the connection looks."""
    connection.execute(_TABLE)
    steps = [(phase, kind, argument) for phase, steps in enumerate(phases) for kind, argument in steps]
    connection.execute(
        "INSERT INTO projection.step SELECT no, (step->>0)::int, step->>1, step->2, %s, %s"
        " FROM jsonb_array_elements(%s) WITH ORDINALITY AS laid (step, no)",
        (upto, VERSION, Jsonb(steps)),
    )


def laid_out(connection: Connection, schema: str) -> bool:
    """Whether there are steps, done or not, in a schema. Ends the transaction."""
    with connection.transaction():
        return connection.execute("SELECT to_regclass(%s)", (f"{schema}.step",)).fetchone() != (None,)


def left(connection: Connection) -> Counter[int]:
    """How many steps are left, by phase; those of another form are not ours. Ends the transaction."""
    with connection.transaction():
        query = "SELECT phase, count(*) FROM projection.step WHERE form = %s GROUP BY phase"
        return Counter(dict(connection.execute(query, (VERSION,)).fetchall()))


class Helper:
    """Takes steps, one after the other, over a connection that looks into ``schema`` from now on."""

    def __init__(self, connection: Connection, store: Store, schema: str) -> None:
        look_into(connection, schema)
        self._connection = connection
        self._store = store
        self._schema = schema
        self._loader: tuple[int, Loader] | None = None

    def turn(self) -> Turn:
        """Take a step and do it. Raises what doing it raises: then it is free again.

        A load that was thrown away meanwhile, or is complete and in its place, is over too.
        """
        try:
            with self._connection.transaction():
                taken = self._connection.execute(_TAKE, (VERSION,)).fetchone()
                if taken is not None:
                    kind, argument, upto = taken
                    _do(self._loader_upto(upto), kind, argument)
                    return Turn.DONE
            return Turn.BUSY if left(self._connection) else Turn.OVER
        except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
            if laid_out(self._connection, self._schema):
                raise
            return Turn.OVER

    def _loader_upto(self, upto: int) -> Loader:
        """What loads the events up to a position; another one when another load was begun meanwhile."""
        if self._loader is None or self._loader[0] != upto:
            linked = linked_streams(self._connection, self._store, upto)
            self._loader = upto, Loader(self._connection, self._store, self._schema, upto, linked)
        return self._loader[1]


def _do(loader: Loader, kind: str, argument: Any) -> None:
    match kind:
        case "linked":
            loader.linked()
        case "aside":
            loader.aside()
        case "range":
            first, last = argument
            loader.range((UUID(first), UUID(last)))
        case "share":
            loader.share(argument)
        case _:
            loader.index(argument)


def turns(helper: Helper) -> Iterator[Turn]:
    """One turn after the other, until no step is left; waits while others are at the last ones of a phase."""
    while (came_to := helper.turn()) is not Turn.OVER:
        yield came_to
        if came_to is Turn.BUSY:
            time.sleep(_PAUSE)


# --- processes of this host -----------------------------------------------------------------------------------------


@contextmanager
def crew(processes: int, dsn: str, schema: str) -> Iterator[Iterator[Turn]]:
    """So many processes that take steps. What each turn came to, as they come; raises what doing a step raises."""
    # Not by fork: this process may have threads, which a fork would lose together with their locks.
    pool = ProcessPoolExecutor(processes, get_context("spawn"), _open, (watched(dsn), schema))
    try:
        yield _turns(pool, processes)
    finally:
        pool.shutdown(cancel_futures=True)


def watched(dsn: str) -> str:
    """The connection string of one who helps from afar: the database notices when he is gone."""
    options = conninfo_to_dict(dsn).get("options") or ""
    return make_conninfo(dsn, options=f"{options} {_WATCHED}".strip())


def _turns(pool: ProcessPoolExecutor, processes: int) -> Iterator[Turn]:
    at_work: set[Future[Turn]] = {pool.submit(_turn) for _ in range(processes)}
    while at_work:
        done, at_work = wait(at_work, return_when=FIRST_COMPLETED)
        for future in done:
            came_to = future.result()
            if came_to is not Turn.OVER:
                at_work.add(pool.submit(_turn))
            yield came_to


_helpers: Final[list[Helper]] = []


def _open(dsn: str, schema: str) -> None:
    """Once in each process. Batches make no cycles: looking for them takes a third of the time."""
    threading.Thread(target=end_with_parent, daemon=True).start()
    gc.freeze()
    gc.set_threshold(100_000, 50, 50)
    connect = partial(psycopg.connect, dsn)
    _helpers.append(Helper(connect(), Store(connect, random_bytes=os.urandom, pool_size=1), schema))


def _turn() -> Turn:
    came_to = _helpers[0].turn()
    if came_to is Turn.BUSY:
        time.sleep(_PAUSE)
    return came_to


def end_with_parent() -> None:
    """However suddenly whoever started this process ends, it ends too; the database takes back what it had begun."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
