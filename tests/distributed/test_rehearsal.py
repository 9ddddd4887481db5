"""A register on several hosts, some of which die on the way, is byte for byte that of one process on one server.

The hosts are processes of this machine, each with nothing of the others but the database's address and the data folder.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from register.app.http import build
from register.database import Database
from register.excerpts import worker
from register.excerpts.printers import Printers
from register.excerpts.runs import Run, Wanted
from register.law.events import CatchmentEntry, PollingStation
from register.projection import loading, projector
from register.projection import rebuild as building
from register.projection.rebuild import rebuild
from register.settings import Settings
from tests.distributed.servers import environment, servers
from tests.flows.conftest import Hands, until
from tests.flows.test_election import ELECTION, concluded
from tests.flows.town import BIHAC, CALLED, Town
from tests.projection.test_helping import begun, still_to_do
from tests.projection.test_rebuild import Tables, held

WANTED = Wanted(election=ELECTION, kind="polling-station", formats=("pdf", "csv"))


@contextmanager
def host(settings: Settings, *command: str) -> Iterator[subprocess.Popen[bytes]]:
    """A host that works at something; killed at the end, with everything that runs on it."""
    words = [sys.executable, "-m", "register", *command]
    with subprocess.Popen(words, env=environment(settings), stdin=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            die(process)


def die(host: subprocess.Popen[bytes]) -> None:
    """``kill -9`` of all that runs on a host."""
    for pid in [*children(host.pid), host.pid]:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    host.wait()


def children(pid: int) -> list[int]:
    """The processes a process has started, and theirs."""
    found: list[int] = []
    try:
        lists = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children")]
    except OSError:
        return []
    for child in (int(each) for text in lists for each in text.split()):
        found += [child, *children(child)]
    return found


class Story(Hands):
    """A town's notices, an election of it, its lists; what comes by chance comes from one seed."""

    def __init__(self, settings: Settings, stack: ExitStack) -> None:
        super().__init__(settings)
        self.system = stack.enter_context(build(settings, clock=self.clock, entropy=random.Random(5).randbytes))
        self.town = Town(self.system.store)

    def take_in(self, pieces: int = 4) -> Iterator[None]:
        """Notices come in, some at a time."""
        self.town.settle()
        yield
        for piece in range(pieces):
            stations = [
                PollingStation(
                    code=f"003A{100 + 10 * piece + n}", municipality=BIHAC, name=f"Škola {piece} {n}", address="bb",
                    kind="regular", catchment=(CatchmentEntry(settlement=f"Selo {piece} {n}"),),
                    effective_on=CALLED.date().replace(year=2020),
                )
                for n in range(8)
            ]  # fmt: skip
            self.town.send(f"municipal-commission:{BIHAC}", *stations, at=CALLED)
            self.town.arrive(CALLED)
            yield

    def tables(self) -> Tables:
        self.project()
        with self.system.database.psycopg() as connection:
            return held(connection)


class Spread(Story):
    """The same, its tables followed by a process of another host."""

    def project(self) -> None:
        until(lambda: position(self.system.database) == self.system.store.head())


def position(database: Database) -> int:
    with database.psycopg() as connection:
        return projector.position_of(connection)


def files(run: Run) -> dict[str, bytes]:
    """What is in the folder of a run, with nothing half or left over in it."""
    return {path.name: path.read_bytes() for path in run.folder.iterdir()}


def alone(settings: Settings) -> tuple[Tables, dict[str, bytes]]:
    """What comes of the story in one process on one server."""
    with ExitStack() as stack:
        story = Story(settings, stack)
        for _ in story.take_in():
            story.project()
        concluded(story)
        run = story.system.runs.begin(WANTED)
        with Printers() as printers:
            for first in run.batches:
                story.system.runs.draw(run, first, printers)
        assert story.system.runs.finish(run)
        return story.tables(), files(run)


def test_many_hosts_of_which_some_die_come_to_what_one_alone_comes_to(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given three servers and several hosts, when one of each is killed, then tables and lists are the same."""
    monkeypatch.setattr(loading, "_EVENTS_IN_RANGE", 20)
    expected = alone(settings)
    with servers() as hosts, ExitStack() as stack:
        shared = Settings(data=tmp_path / "shared", database_url=hosts.url("one", "two", "three"))
        story = Spread(shared, stack)
        stack.enter_context(host(shared, "worker", "projector"))
        for piece, _ in enumerate(story.take_in()):
            if piece == 1:
                hosts.kill("two")
        concluded(story)
        run = drawn_by_two_hosts_of_which_one_dies(story, stack)
        database = story.system.database
        before = story.tables()
        steps = begun(database, story.system.store)
        assert steps > 10
        building.invite(database)
        until(lambda: still_to_do(database) == 0)
        assert rebuild(database, story.system.store).switched
        after = story.tables()
        assert after == before
        assert (after, files(run)) == expected
        assert hosts.replicas() == 1


def drawn_by_two_hosts_of_which_one_dies(story: Story, stack: ExitStack) -> Run:
    system = story.system
    run = system.runs.begin(WANTED)
    assert len(run.batches) > 1
    one, other = [stack.enter_context(host(story.settings, "work")) for _ in range(2)]
    until(lambda: at_work(system.database) >= 2)
    worker.enqueue(system.queue, run)

    def now() -> Run:
        found = system.runs.find(run.id)
        assert found is not None
        return found

    until(lambda: now().done > 3)
    die(one)
    until(lambda: now().state == "drawn")
    assert system.runs.changed(run) == ()
    drawn = [event for event in system.store.events() if event.id == f"excerpt-drawn:{run.id}"]
    assert len(drawn) == 1
    assert other.poll() is None
    return now()


def at_work(database: Database) -> int:
    """How many workers give a sign of life."""
    with database.psycopg() as connection:
        return int((connection.execute("SELECT count(*) FROM jobs.procrastinate_workers").fetchone() or (0,))[0])
