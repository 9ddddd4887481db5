"""Drawing jobs whose worker dies: nothing is drawn twice, nothing is lost, nobody waits for ever."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from register import jobs
from register.api.system import System
from register.excerpts import worker
from register.excerpts.fonts import LayoutError
from register.excerpts.printers import Printers
from register.excerpts.runs import Run, Wanted
from tests.flows.conftest import Hands, until
from tests.flows.test_election import ELECTION, concluded


def begun(hands: Hands) -> Run:
    concluded(hands)
    return hands.system.runs.begin(Wanted(election=ELECTION, kind="polling-station", formats=("csv",)))


def state(system: System, run: Run) -> str:
    found = system.runs.find(run.id)
    assert found is not None
    return found.state


class KilledError(BaseException):
    """What a process that is killed raises nowhere."""


def half_drawn(system: System, run: Run) -> dict[str, int]:
    """A worker that dies when three lists are done: the files it left, by name, with their inodes."""
    done = 0

    def told(lists: int) -> None:
        nonlocal done
        done += lists
        if done == 3:
            raise KilledError

    with Printers() as printers, contextlib.suppress(KilledError):
        system.runs.draw(run, 0, printers, told)
    return {path.name: path.stat().st_ino for path in run.folder.iterdir()}


def left_by(system: System, run: Run) -> None:
    """The job as a killed worker leaves it: ``doing``, by a worker without a sign of life."""
    worker.enqueue(system.queue, run)
    with system.database.psycopg() as connection:
        connection.execute(
            "WITH dead AS (INSERT INTO jobs.procrastinate_workers (last_heartbeat)"
            " VALUES (now() - interval '1 minute') RETURNING id)"
            " UPDATE jobs.procrastinate_jobs SET status = 'doing', worker_id = (SELECT id FROM dead)"
        )


def test_a_killed_workers_job_is_taken_up_and_finished_lists_stay(hands: Hands) -> None:
    run = begun(hands)
    left = half_drawn(hands.system, run)
    left_by(hands.system, run)
    assert len(left) == 3
    assert state(hands.system, run) == "drawing"
    with hands.drawing():
        until(lambda: state(hands.system, run) == "drawn")
    assert len(hands.system.runs.files(run.id)) == 6
    assert left.items() <= {path.name: path.stat().st_ino for path in run.folder.iterdir()}.items()
    with hands.system.database.engine.connect() as connection:
        assert jobs.states(connection, worker.TASK, str(run.id)) == set()


def test_a_run_whose_jobs_were_never_queued_is_found(hands: Hands) -> None:
    run = begun(hands)
    with hands.drawing():
        until(lambda: state(hands.system, run) == "drawn")


def test_a_run_whose_worker_died_before_the_event_is_put_on_record_once(hands: Hands) -> None:
    run = begun(hands)
    with Printers() as printers:
        hands.system.runs.draw(run, 0, printers)
    head = hands.system.store.head()
    worker.care(hands.system.database.engine, hands.system.runs, hands.system.queue)
    worker.care(hands.system.database.engine, hands.system.runs, hands.system.queue)
    assert state(hands.system, run) == "drawn"
    assert hands.system.store.head() == head + 1


def test_a_list_that_cannot_be_printed_ends_the_run_and_says_why(hands: Hands, monkeypatch: pytest.MonkeyPatch) -> None:
    run = begun(hands)

    def cannot(*_: object) -> None:
        raise LayoutError("row 3, surname: too long for its cell")

    with Printers() as printers:
        monkeypatch.setattr(printers, "draw", cannot)
        worker.take(hands.system.runs, run.id, 0, printers)
    found = hands.system.runs.find(run.id)
    assert found is not None
    assert (found.state, found.failure) == ("failed", "row 3, surname: too long for its cell")
    assert not (run.folder / "manifest.json").exists()


def test_a_typesetter_that_is_killed_leaves_no_half_file(hands: Hands, tmp_path: Path) -> None:
    concluded(hands)
    runs, folder = hands.system.runs, tmp_path / "lists"
    run = runs.begin(Wanted(election=ELECTION, kind="polling-station", formats=("pdf",)), folder)

    def kill(_: int) -> None:
        for process in (printers._pool._processes if printers._pool else {}).values():
            process.kill()

    with Printers(processes=1) as printers:
        with contextlib.suppress(Exception):
            runs.draw(run, 0, printers, kill)
        found = runs.find(run.id)
        assert found is not None
        assert found.done < 6
        runs.draw(run, 0, printers)
    assert runs.finish(run)
    assert runs.changed(run) == ()
    assert not list(folder.glob(".*"))
