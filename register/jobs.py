"""The queue of long jobs: procrastinate, on the register's own PostgreSQL, in the schema ``jobs``.

A job whose worker was killed stays ``doing`` in the queue for ever unless somebody looks: every worker looks, as often
as it gives a sign of life itself, for jobs whose worker no longer does, and queues them again.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from typing import Any, Final, Self

import procrastinate
import procrastinate.jobs
import sqlalchemy as sa
from procrastinate.exceptions import AlreadyEnqueued, ConnectorException, NoResult, UniqueViolation
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from register.database import Database

SCHEMA: Final = "jobs"
#: A worker gives a sign of life so often, and is taken for dead after so long, in seconds.
HEARTBEAT: Final = 5.0
DEAD_AFTER: Final = 20.0
#: A new job is announced; an announcement that was missed costs so long, in seconds.
POLL: Final = 2.0


def conninfo(database: Database) -> str:
    """The connection string of the queue: as the program, finding its tables in their schema."""
    options = conninfo_to_dict(database.dsn).get("options") or ""
    return make_conninfo(database.dsn, options=f"{options} -c search_path={SCHEMA}".strip())


class Queue:
    """Puts jobs into the queue, from any thread; to be used as a context manager."""

    def __init__(self, database: Database) -> None:
        connector = procrastinate.SyncPsycopgConnector(conninfo=conninfo(database), min_size=0, max_size=2)
        self._app = procrastinate.App(connector=connector)

    def __enter__(self) -> Self:
        self._app.open()
        return self

    def __exit__(self, *_: object) -> None:
        self._app.close()

    def put(self, task: str, *, lock: str, **arguments: Any) -> bool:
        """Queue a job of the task named; whether it was. Of the same ``lock`` one waits at most, and one runs.

        Raises procrastinate's ``ConnectorException`` when the database does not take it.
        """
        job = self._app.configure_task(task, lock=lock, queueing_lock=lock, queue=task)
        try:
            job.defer(**arguments)
        except AlreadyEnqueued:
            return False
        return True


def states(connection: sa.Connection, task: str, prefix: str) -> set[str]:
    """The states of the jobs of a task whose lock begins so; successful ones are no longer there."""
    query = sa.text(
        f"SELECT DISTINCT status::text FROM {SCHEMA}.procrastinate_jobs"
        " WHERE task_name = :task AND starts_with(lock, :prefix)"
    )
    return set(connection.scalars(query, {"task": task, "prefix": prefix}))


def worker_app(database: Database) -> procrastinate.App:
    """The queue as a worker sees it; tasks are added to it."""
    connector = procrastinate.PsycopgConnector(conninfo=conninfo(database), min_size=1, max_size=4)
    return procrastinate.App(connector=connector)


def run_worker(app: procrastinate.App, tasks: Sequence[str], stop: threading.Event, beside: Callable[[], None]) -> None:
    """Work off the jobs of these tasks, one after the other, until told to stop; the job at hand is finished first.

    ``beside`` is called in a thread of its own, at the start and whenever stalled jobs were looked for. Raises what the
    database raises when it is gone for good, and what ``beside`` raises.
    """

    async def work() -> None:
        async with app.open_async():
            worker = asyncio.create_task(
                app.run_worker_async(
                    queues=list(tasks),
                    concurrency=1,
                    fetch_job_polling_interval=POLL,
                    update_heartbeat_interval=HEARTBEAT,
                    stalled_worker_timeout=DEAD_AFTER,
                    delete_jobs="successful",
                    install_signal_handlers=False,
                )
            )
            looking = asyncio.create_task(_look_for_stalled(app, beside))
            told = asyncio.create_task(asyncio.to_thread(stop.wait))
            try:
                await asyncio.wait({worker, looking, told}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                stop.set()  # a thread is waiting for it
            for task in (worker, looking):
                if task.done():
                    task.result()
                task.cancel()
            await asyncio.wait({worker, looking})

    asyncio.run(work())


async def _look_for_stalled(app: procrastinate.App, beside: Callable[[], None]) -> None:
    while True:
        for job in await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=DEAD_AFTER):
            await _take_back(app, job)
        await asyncio.to_thread(beside)
        await asyncio.sleep(HEARTBEAT)


async def _take_back(app: procrastinate.App, job: procrastinate.jobs.Job) -> None:
    """Queue the job of a dead worker again, unless a worker on another host has been quicker."""
    try:
        try:
            await app.job_manager.retry_job(job)
        except UniqueViolation:
            # Another one of the same lock waits. It does in this one's place, as soon as this one lets go of the lock.
            await app.job_manager.finish_job(job, procrastinate.jobs.Status.FAILED, delete_job=True)
    except ConnectorException:
        if await _is_doing(app, job):
            raise


async def _is_doing(app: procrastinate.App, job: procrastinate.jobs.Job) -> bool:
    try:
        status = await app.job_manager.get_job_status_async(job.id or 0)
    except NoResult:
        return False
    return status == procrastinate.jobs.Status.DOING
