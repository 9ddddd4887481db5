"""Drawing jobs whose worker dies: nothing is drawn twice, nothing is lost, nobody waits for ever."""

from __future__ import annotations

import contextlib
from datetime import date
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from register import jobs
from register.api.system import System
from register.excerpts import draw, worker
from register.excerpts.fonts import LayoutError
from register.excerpts.manifest import ManifestEntry
from register.excerpts.printers import Printers
from register.excerpts.rows import ListHead
from register.excerpts.runs import Run, Wanted
from register.law.events import CatchmentEntry, PersonalData, PollingStation
from tests.flows.conftest import Hands, until
from tests.flows.test_election import ELECTION, concluded
from tests.flows.town import BIHAC, CALLED

FORMATS = ("csv", "json")


def begun(hands: Hands) -> Run:
    """A run of six lists, drawn and recorded two at a time."""
    concluded(hands)
    return hands.system.runs.begin(Wanted(election=ELECTION, kind="polling-station", formats=FORMATS))


def state(system: System, run: Run) -> str:
    found = system.runs.find(run.id)
    assert found is not None
    return found.state


class KilledError(BaseException):
    """What a process that is killed raises nowhere."""


def half_drawn(system: System, run: Run) -> dict[str, int]:
    """A worker that dies when four lists are done: the files it left, by name, with their inodes."""
    done = 0

    def told(lists: int) -> None:
        nonlocal done
        done += lists
        if done == 4:
            raise KilledError

    together = mock.patch("register.excerpts.drawing.TOGETHER", 2)
    with together, Printers() as printers, contextlib.suppress(KilledError):
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
    assert len(left) == 4 * len(FORMATS)
    assert state(hands.system, run) == "drawing"
    with hands.drawing():
        until(lambda: state(hands.system, run) == "drawn")
    assert len(hands.system.runs.files(run.id)) == 6 * len(FORMATS)
    assert left.items() <= {path.name: path.stat().st_ino for path in run.folder.iterdir()}.items()
    with hands.system.database.engine.connect() as connection:
        assert jobs.states(connection, worker.TASK, str(run.id)) == set()


def test_a_killed_workers_job_that_was_queued_once_more_meanwhile_is_done_once(hands: Hands) -> None:
    """Given a job of a dead worker, and another one of the same lists that waits for it to end, then all goes on."""
    run = begun(hands)
    left_by(hands.system, run)
    worker.enqueue(hands.system.queue, run)
    with hands.drawing(), hands.drawing():
        until(lambda: state(hands.system, run) == "drawn")
        with hands.system.database.engine.connect() as connection:
            until(lambda: jobs.states(connection, worker.TASK, str(run.id)) == set())
    assert len(hands.system.runs.files(run.id)) == 6 * len(FORMATS)


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


def test_a_list_that_cannot_be_printed_fails_alone_and_the_run_can_be_taken_up(
    hands: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = begun(hands)
    bad = f"polling-station_{BIHAC}_003A002"
    why = f"1 of 6 lists could not be printed: {bad}: more rows than one PDF may have"

    def draw_list(head: ListHead, *rest: Any) -> list[ManifestEntry]:
        if head.name == bad:
            raise LayoutError("more rows than one PDF may have")
        return draw.draw_list(head, *rest)

    with Printers() as broken, monkeypatch.context() as patch:
        patch.setattr("register.excerpts.printers.draw_list", draw_list)
        worker.take(hands.system.runs, run.id, 0, broken)
    found = hands.system.runs.find(run.id)
    assert found is not None
    assert (found.state, found.failure, found.done) == ("failed", why, 5)
    assert not (run.folder / "manifest.json").exists()
    head = hands.system.store.head()
    left = {path.name: path.stat().st_ino for path in run.folder.iterdir()}
    assert f"{bad}.csv" not in left

    # Asked for again, the same run is taken up: the lists that are there stay, and it is put on record.
    again = hands.system.runs.begin(Wanted(election=ELECTION, kind="polling-station", formats=FORMATS))
    assert (again.id, again.state, again.failure) == (run.id, "queued", None)
    with Printers() as printers:
        worker.take(hands.system.runs, run.id, 0, printers)
    assert state(hands.system, run) == "drawn"
    assert hands.system.store.head() == head + 1
    assert left.items() <= {path.name: path.stat().st_ino for path in run.folder.iterdir()}.items()


def test_a_voter_and_a_station_with_names_that_no_typeface_has_do_not_stop_the_countrys_lists(
    hands: Hands, tmp_path: Path
) -> None:
    """Given names as intake lets them through, before the conclusion, then every list is drawn as PDF and CSV."""
    name = "محمد Aẑra\u2011" + "W" * 60
    dossier = PersonalData(jmb=hands.town.voters[0], effective_on=date(2020, 1, 1), surname=name)
    hands.town.send(f"registry-office:{BIHAC}", dossier, at=CALLED)
    station = PollingStation(
        code="003A001", municipality=BIHAC, name=name, address=name, kind="regular",
        catchment=(CatchmentEntry(settlement="Centar"),), effective_on=date(2026, 1, 1),
    )  # fmt: skip
    hands.town.send(f"municipal-commission:{BIHAC}", station, at=CALLED)
    hands.town.arrive(CALLED)
    concluded(hands)
    with Printers() as printers:
        for kind in ("polling-station", "mail"):
            run = hands.system.runs.begin(Wanted(election=ELECTION, kind=kind), tmp_path / kind)
            assert hands.system.runs.draw(run, 0, printers) == ()
            assert hands.system.runs.finish(run)
            assert state(hands.system, run) == "drawn"
    assert name in (tmp_path / "mail" / f"mail_{BIHAC}.csv").read_text(encoding="utf-8")


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
