"""The job that draws lists, and the process that works such jobs off."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Final
from uuid import UUID

import procrastinate
import sqlalchemy as sa

from register import jobs
from register.database import Database
from register.excerpts import copies as numbered
from register.excerpts.copies import Copies
from register.excerpts.here import Here
from register.excerpts.printers import Printers
from register.excerpts.runs import ReissueError, Run, Runs

TASK: Final = "excerpts.draw"
#: A job that fails for another reason than the list itself is tried so often, and again after so many seconds.
ATTEMPTS: Final = 3
PAUSE: Final = 2


def enqueue(queue: jobs.Queue, run: Run) -> None:
    """Queue the jobs of a run. Raises what the queue raises; what is not queued then, a worker finds and queues."""
    for first in run.batches:
        queue.put(TASK, lock=f"{run.id}:{first}", run=str(run.id), first=first)


def work(
    database: Database,
    runs: Runs,
    stop: threading.Event,
    copies: Copies | None = None,
    others: Sequence[Callable[[procrastinate.App, jobs.Queue], str]] = (),
) -> None:
    """Work off drawing jobs, those of copies too, until told to stop; the job at hand is finished first.

    ``others`` each add a task that the worker does besides, and give its name.
    """
    app = jobs.worker_app(database)
    with Printers() as printers, jobs.Queue(database) as queue:
        here = Here(stop)

        @app.task(name=TASK, queue=TASK, retry=here.again(ATTEMPTS, PAUSE))
        def draw(run: str, first: int) -> None:
            with here:
                take(runs, UUID(run), first, printers)

        tasks = [TASK, *(add(app, queue) for add in others)]
        if copies is not None:
            numbered.add_task(app, copies, printers, here)
            tasks.append(numbered.TASK)

        def beside() -> None:
            care(database.engine, runs, queue)
            if copies is not None:
                numbered.care(database.engine, copies, queue)

        jobs.run_worker(app, tasks, stop, beside=beside)


def take(runs: Runs, which: UUID, first: int, printers: Printers) -> None:
    """Do one job: draw its lists, and finish the run when they were the last. A list that cannot be printed is left."""
    run = runs.find(which)
    if run is None or run.state in ("failed", "cancelled"):
        return
    try:
        runs.draw(run, first, printers)
    except ReissueError as error:  # trying again would not help; it names no voter
        runs.fail(run, str(error))
        return
    runs.finish(run)


def care(engine: sa.Engine, runs: Runs, queue: jobs.Queue) -> None:
    """Runs without a job, left by who died before queueing it, get it; those whose job failed for good are given up."""
    for run in runs.unfinished():
        with engine.connect() as connection:
            found = jobs.states(connection, TASK, f"{run.id}:")
        if found & {"todo", "doing"}:
            continue
        if "failed" in found:
            runs.fail(run, "a job of this run failed more than once; the server's log says why")
        elif not runs.finish(run):
            enqueue(queue, run)
