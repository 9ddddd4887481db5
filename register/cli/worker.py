"""``cvr worker``: what follows the event store, each in a process of its own, started and watched by ``cvr serve``."""

from __future__ import annotations

import logging
import os
import sys
import threading
from enum import StrEnum
from typing import Final

from register.app.parts import calm_collector, make_freezer, make_inspector, make_runs, make_sealer, open_store
from register.cli.clock import current_clock
from register.database import Database, open_database
from register.excerpts import worker as excerpts
from register.projection import projector
from register.settings import Settings, read_settings
from register.store import Store

#: How long a worker that is told to end may take, in seconds.
GRACE: Final = 10.0
#: The event store is looked at so often, also when no word of new events came.
PAUSE: Final = 1.0


class Work(StrEnum):
    """The workers there are."""

    PROJECTOR = "projector"
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
                project(settings, database, store, stop)
            case Work.SEALER:
                seal(settings, database, store, stop)
            case Work.JOBS:
                draw(settings, database, store, stop)
            case Work.INSPECTOR:
                inspect(settings, database, store, stop)


def project(settings: Settings, database: Database, store: Store, stop: threading.Event) -> None:
    """Keep the register's tables up to date until told to stop, and freeze the rolls of concluded elections."""
    freezer = make_freezer(database, store, current_clock(settings), os.urandom)
    with database.psycopg() as connection:
        while not stop.is_set():
            if not projector.follow(connection, store):
                position = projector.position_of(connection)
                connection.rollback()
                if not freezer.freeze_waiting():
                    store.wait_for_events(position, PAUSE)


def draw(settings: Settings, database: Database, store: Store, stop: threading.Event) -> None:
    """Draw the excerpts that are asked for until told to stop."""
    excerpts.work(database, make_runs(settings, database, store, current_clock(settings), os.urandom), stop)


def seal(settings: Settings, database: Database, store: Store, stop: threading.Event) -> None:
    """Keep the log up to date until told to stop."""
    make_sealer(settings, database, store, current_clock(settings), os.urandom).run(stop)


def inspect(settings: Settings, database: Database, store: Store, stop: threading.Event) -> None:
    """Establish deficiencies, and what ended, until told to stop."""
    make_inspector(database, store, current_clock(settings), os.urandom).run(stop)


def _watch(stop: threading.Event) -> None:
    while sys.stdin.buffer.read(1024):
        pass
    stop.set()
    # The parent is gone: a worker in the middle of something long must not outlive it. The database rolls back.
    threading.Event().wait(GRACE)
    os._exit(1)
