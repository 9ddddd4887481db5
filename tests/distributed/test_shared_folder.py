"""Lists are drawn by hosts that share the data folder; one that has another folder leaves them to the others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from register.excerpts import worker
from register.settings import Settings
from tests.distributed.test_rehearsal import WANTED, at_work, host
from tests.flows.conftest import Hands, until
from tests.flows.test_election import concluded


def test_a_host_without_the_shared_folder_draws_nothing_and_the_others_draw_it_all(
    settings: Settings, hands: Hands, tmp_path: Path
) -> None:
    """Given a worker with a data folder of its own, when a list is asked for, then it gives the job back unharmed."""
    concluded(hands)
    system = hands.system
    run = system.runs.begin(WANTED)
    with host(replace(settings, data=tmp_path / "elsewhere"), "work"):
        until(lambda: at_work(system.database) > 0)
        worker.enqueue(system.queue, run)
        until(lambda: sent_back(hands) > 0)
        found = system.runs.find(run.id)
        assert found is not None
        assert (found.done, found.failure) == (0, None)
        with host(settings, "work"):
            until(lambda: (again := system.runs.find(run.id)) is not None and again.state == "drawn")
    assert system.runs.changed(run) == ()
    assert not (tmp_path / "elsewhere" / "excerpts").exists()


def sent_back(hands: Hands) -> int:
    """How often the job has gone back."""
    with hands.system.database.psycopg() as connection:
        query = "SELECT coalesce(max(attempts), 0) FROM jobs.procrastinate_jobs WHERE task_name = %s"
        return int((connection.execute(query, (worker.TASK,)).fetchone() or (0,))[0])
