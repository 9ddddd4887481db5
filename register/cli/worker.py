"""``cvr worker``: what follows the event store, each in a process of its own, started and watched by ``cvr serve``."""

from __future__ import annotations

import logging
import os
import sys
import threading
from enum import StrEnum
from typing import Final

import procrastinate

from register.app.parts import (
    calm_collector,
    make_copies,
    make_cosigning,
    make_freezer,
    make_inspector,
    make_runs,
    make_sealer,
    open_store,
)
from register.cli.clock import current_clock
from register.database import Database, open_database
from register.excerpts import worker as excerpts
from register.jobs import Queue
from register.projection.following import Follower, StoppedError
from register.projection.forms import OtherFormError
from register.projection.rebuild import RebuildRunningError, add_task, bring_to_form
from register.projection.seats import Seat
from register.settings import Settings, read_settings
from register.store import Store

#: How long a worker that is told to end may take, in seconds.
GRACE: Final = 10.0
#: The event store is looked at so often, also when no word of new events came.
PAUSE: Final = 1.0
#: Before an event that cannot be read the projector tries again so often (seconds).
UNREADABLE_PAUSE: Final = 5.0

_log: Final = logging.getLogger("register.worker")


class Work(StrEnum):
    """The workers there are."""

    PROJECTOR = "projector"
    FREEZER = "freezer"
    SEALER = "sealer"
    JOBS = "jobs"
    INSPECTOR = "inspector"


def worker(work: Work) -> None:
    """Follow the event store until standard input ends: whoever started this process has then ended or died."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    stop = threading.Event()
    threading.Thread(target=_watch, args=(stop,), daemon=True).start()
    logging.getLogger("alembic").setLevel(logging.WARNING)
    settings = read_settings()
    with open_database(settings, pool_size=4) as database, open_store(database, os.urandom) as store:
        calm_collector()
        match work:
            case Work.PROJECTOR:
                project(database, store, stop)
            case Work.FREEZER:
                freeze(settings, database, store, stop)
            case Work.SEALER:
                seal(settings, database, store, stop)
            case Work.JOBS:
                draw(settings, database, store, stop)
            case Work.INSPECTOR:
                inspect(settings, database, store, stop)


def project(database: Database, store: Store, stop: threading.Event) -> None:
    """Keep this projector's share of the register's tables up to date until told to stop.

    Tables of another form, or empty ones far behind the event store, are built by whole streams first.
    """
    _build(database, store, stop)
    with database.psycopg() as connection:
        seat, follower, told = Seat(connection), Follower(connection, store), None
        while not stop.is_set():
            follower.parts = seat.parts()
            try:
                taken = follower.turn()
            except StoppedError as error:
                if told != error.obstacle:
                    _log.error("The register stands still: %s", error)
                told = error.obstacle
                stop.wait(UNREADABLE_PAUSE)
                continue
            if told is not None:
                _log.info("The register goes on behind position %s", told.position)
                told = None
            if not taken:
                follower.wait()


def _build(database: Database, store: Store, stop: threading.Event) -> None:
    """Build the register by whole streams when it must be, or when that is much quicker than to follow.

    Beside tables of a newer form it waits: those are a newer program's to follow.
    """
    told = False
    while not stop.is_set():
        try:
            built = bring_to_form(database, store, processes=len(os.sched_getaffinity(0)))
        except RebuildRunningError:
            stop.wait(PAUSE)
            continue
        except OtherFormError as error:
            if not told:
                _log.error("The register is not followed from here: %s", error)
            told = True
            stop.wait(UNREADABLE_PAUSE)
            continue
        if built is not None:
            _log.info("The register was built anew in today's form; it rests on position %s", built.position)
        return


def freeze(settings: Settings, database: Database, store: Store, stop: threading.Event) -> None:
    """Freeze the rolls of concluded elections until told to stop; not the projector's work, which goes on meanwhile."""
    freezer = make_freezer(database, store, current_clock(settings), os.urandom)
    while not stop.is_set():
        if not freezer.freeze_waiting():
            stop.wait(PAUSE)


def draw(settings: Settings, database: Database, store: Store, stop: threading.Event) -> None:
    """Draw the excerpts and copies that are asked for until told to stop; take part in rebuilds."""
    clock = current_clock(settings)
    runs = make_runs(settings, database, store, clock, os.urandom)
    copies = make_copies(settings, database, store, clock, os.urandom)

    def helping(app: procrastinate.App, queue: Queue) -> str:
        return add_task(app, database, store, queue, stop)

    excerpts.work(database, runs, stop, copies, [helping])


def seal(settings: Settings, database: Database, store: Store, stop: threading.Event) -> None:
    """Keep the log up to date until told to stop; beside it, ask the witnesses."""
    clock = current_clock(settings)
    cosigning = make_cosigning(settings, database, clock)
    if cosigning is not None:
        threading.Thread(target=cosigning.run, args=(stop,), daemon=True).start()
    make_sealer(settings, database, store, clock, os.urandom).run(stop)


def inspect(settings: Settings, database: Database, store: Store, stop: threading.Event) -> None:
    """Establish deficiencies, and what ended, until told to stop."""
    make_inspector(database, store, current_clock(settings), os.urandom).run(stop)


def _watch(stop: threading.Event) -> None:
    # Not by way of Python's own buffer, whose lock this thread would take along when the program ends.
    while os.read(sys.stdin.fileno(), 1024):
        pass
    stop.set()
    # The parent is gone: a worker in the middle of something long must not outlive it. The database rolls back.
    threading.Event().wait(GRACE)
    os._exit(1)
