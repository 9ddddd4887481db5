"""``projection``: the projector, event store to tables with audit entries, beside COPY of the very rows it writes.

Beside it, what two processes that share the parts come to together.
"""

from __future__ import annotations

import os
import time
from functools import partial
from multiprocessing import get_context
from typing import TYPE_CHECKING, Final

import psycopg

from register.projection.following import Follower
from register.projection.parts import deal, positions_of
from register.projection.projector import follow
from register.rehearsal.bench.ground import Beside, Connection, Ground, fill, stopwatch
from register.rehearsal.bench.result import ROUNDS, BenchError, Goal, Result, forget_peak, median, peak_rss_mib
from register.store import Store

if TYPE_CHECKING:
    from multiprocessing.synchronize import Barrier

SIZE: Final = 60_000
GOAL: Final = Goal(0.25)
PROJECTORS: Final = 2
#: What the projector writes, with an order in which rows were written.
TABLES: Final = {
    "projection.stretch": "lower(known), person, days",
    "projection.person": "first_position",
    "projection.audit_entry": "position, person, part",
    "projection.coverage": "lower(known), municipality, address_key, days",
    "projection.link": "position",
    "projection.joined": "lower(known), stream",
    "projection.station": "municipality, code",
    "projection.option": "position",
    "projection.notice_lag": "day, authority, type, lag",
    "projection.received": "day, authority, type",
    "projection.control_total": "position",
}


def run(ground: Ground, size: int = SIZE) -> Result:
    """Follow ``size`` events from nothing, in one process."""
    values, ceilings, cpu, shared = [], [], [], []
    with ground.register() as (database, store), database.psycopg() as connection:
        ground.say(f"recording {size:,} events")
        events = fill(store, size)
        beside = Beside(connection, TABLES)
        for number in range(ROUNDS):
            begin_again(connection)
            forget_peak()
            begun = time.process_time()
            with stopwatch() as taken:
                _follow_all(connection, store)
            cpu.append(events / (time.process_time() - begun))
            values.append(events / taken[0])
            ceilings.append(events / _copy(connection, beside))
            begin_again(connection)
            shared.append(events / _follow_together(database.dsn, PROJECTORS))
            ground.say(f"round {number + 1}: {values[-1]:,.0f} beside {ceilings[-1]:,.0f} events/s")
        peak = peak_rss_mib()
    return Result(
        name="projection",
        unit="events/s",
        value=median(values),
        ceiling=median(ceilings),
        goal=GOAL,
        size=events,
        peak_rss_mib=peak,
        beside={"events_per_second_of_its_own_cpu": median(cpu), f"with_{PROJECTORS}_projectors": median(shared)},
    )


def begin_again(connection: Connection) -> None:
    """Empty the register's tables, as they are in a new register."""
    for table in (
        *TABLES,
        "projection.progress",
        "projection.new_address",
        "projection.election",
        "projection.annulled_notice",
    ):
        connection.execute(f"TRUNCATE {table}".encode())
    connection.commit()


def _follow_all(connection: Connection, store: Store) -> None:
    while follow(connection, store):
        pass


def _follow_together(dsn: str, projectors: int) -> float:
    """Seconds that so many processes take together, once all are ready."""
    context = get_context("spawn")
    ready = context.Barrier(projectors + 1)
    processes = [context.Process(target=_share, args=(dsn, ready, projectors, mine)) for mine in range(projectors)]
    for process in processes:
        process.start()
    ready.wait()
    with stopwatch() as taken:
        for process in processes:
            process.join()
    if any(process.exitcode for process in processes):
        raise BenchError("a projector failed")
    return taken[0]


def _share(dsn: str, ready: Barrier, projectors: int, mine: int) -> None:
    """Follow the parts of one of so many projectors to the end of the event store."""
    connect = partial(psycopg.connect, dsn)
    with Store(connect, random_bytes=os.urandom) as store, connect() as connection:
        follower, head = Follower(connection, store, deal(projectors, mine)), store.head()
        ready.wait()
        while min(positions_of(connection)[part] for part in follower.parts) < head:
            connection.rollback()
            if not follower.turn():
                follower.wait()


def _copy(connection: Connection, beside: Beside) -> float:
    """Seconds that COPY of the rows that are in the tables now takes, prebuilt, a transaction a table."""
    streams = {table: beside.taken_out(table, order=order) for table, order in TABLES.items()}
    beside.empty()
    with stopwatch() as taken:
        for table, stream in streams.items():
            beside.put_in(table, stream)
            connection.commit()
    return taken[0]
