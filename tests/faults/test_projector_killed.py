"""A projector that dies, at whichever statement: each event counts once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import date
from typing import Any

import psycopg

from register.cli.workers import register_command
from register.database import Database
from register.law.events import Annulment, CatchmentEntry, Citizen, PollingStation
from register.projection.parts import deal, positions_of
from register.projection.projector import follow, position_of
from register.projection.rebuild import rebuild
from register.projection.seats import taken_seats
from register.rehearsal.bench.ground import fill
from register.settings import Settings
from register.store import Store
from tests.faults.serving import served
from tests.projection.test_helping import another_host
from tests.projection.test_projector import Authorities, citizen, history, lives, replaced
from tests.projection.test_rebuild import TABLES, held


class KilledError(Exception):
    """The projector died here."""


def dying(database: Database, before: int) -> tuple[psycopg.Connection[Any], list[int]]:
    """A connection that is cut before its n-th statement or commit; and how many it has sent."""
    sent = [0]

    def count() -> None:
        sent[0] += 1
        if sent[0] == before:
            connection.close()  # as the server sees it: the client is gone
            raise KilledError

    class Cursor(psycopg.Cursor[Any]):
        def execute(self, *args: Any, **kwargs: Any) -> Any:
            count()
            return super().execute(*args, **kwargs)

        def copy(self, *args: Any, **kwargs: Any) -> Any:
            count()
            return super().copy(*args, **kwargs)

    connection = database.psycopg()
    connection.cursor_factory = Cursor
    return connection, sent


def more(store: Store) -> None:
    """A second batch: a link, an annulment, a station, an address that is new."""
    out = Authorities(store)
    out.sent = [""] * 100
    born = date(1970, 1, 1)
    out.send("registry-office:10049", Citizen(jmb="D", effective_on=born, surname="Čolić", given_name="Uzorak",
                                               parent_name="Test", sex="F", born_on=born))  # fmt: skip
    out.send("residence-authority:10049", lives("A", "10049", "Nova", "1", date(2026, 4, 25)))
    out.send("residence-authority:10049", replaced("A", "D", date(2026, 4, 28)))
    out.send("registry-office:10049", Annulment(annuls="n-2", reason="error"))
    station = PollingStation(
        code="003", municipality="10049", name="Škola", address="Centar", kind="regular",
        catchment=(CatchmentEntry(settlement="Centar"),), effective_on=date(2026, 4, 1),
    )  # fmt: skip
    out.send("municipal-commission:10049", station)


def test_killed_before_any_statement_of_a_batch_it_leaves_nothing_and_counts_nothing_twice(database: Database) -> None:
    """Given two batches, when the projector dies before each of their statements, then only whole ones count."""
    with Store(database.psycopg) as store, database.psycopg() as onlooker:
        history(store)
        for batch in (history, more):
            if batch is more:
                more(store)
            before, n = held(onlooker), 0
            onlooker.rollback()
            while True:
                n += 1
                connection, sent = dying(database, n)
                try:
                    taken = follow(connection, store)
                except KilledError:
                    assert held(onlooker) == before, f"something is left of a batch cut before statement {n}"
                    onlooker.rollback()
                    continue
                connection.close()
                break
            assert taken > 4
            assert sent[0] == n - 1 > 10
            assert position_of(onlooker) == store.head()
            onlooker.rollback()
        found = rebuild(database, store)
        assert (found.differences, found.switched) == ([], True)


def test_killed_before_any_statement_of_its_share_another_takes_it_over(database: Database) -> None:
    """Given two projectors, when one dies before a statement, then the other, alone, makes of the rest what is due."""
    with Store(database.psycopg) as store, database.psycopg() as other:
        history(store)
        more(store)
        while follow(other, store):
            pass
        whole, n = held(other), 0
        share, left = deal(2, 0), deal(2, 1)
        while True:
            n += 1
            for table in set(TABLES) - {"form"}:
                other.execute(f"DELETE FROM projection.{table}".encode())
            other.commit()
            connection, sent = dying(database, n)
            try:
                while follow(connection, store, limit=7, parts=share) or follow(other, store, limit=5, parts=left):
                    pass
            except KilledError:
                died = True
            else:
                connection.close()
                died = False
            while follow(other, store, limit=6):
                pass
            assert held(other) == whole, f"one of two died before statement {n}"
            other.rollback()
            if not died:
                break
        assert sent[0] == n - 1 > 60


def test_killed_for_good_again_and_again_it_counts_each_event_once(settings: Settings, database: Database) -> None:
    """Given a projector process that is killed while it follows, then what comes out is what a rebuild makes."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("CVR_")}
    environment |= {"CVR_DATA": str(settings.data), "CVR_DATABASE_URL": settings.database_url or ""}
    kills = 0
    with Store(database.psycopg) as store, database.psycopg() as connection:
        fill(store, 4_000)
        while (last := _position(connection)) < store.head():
            with subprocess.Popen(
                register_command("worker", "projector"), stdin=subprocess.PIPE, env=environment, stderr=sys.stderr
            ) as process:
                deadline = time.monotonic() + 60
                while _position(connection) == last < store.head():
                    assert time.monotonic() < deadline, "the projector does not follow"
                    time.sleep(0.01)
                time.sleep(0.02)  # into the next batch
                process.send_signal(signal.SIGKILL)
            kills += 1
        assert kills >= 2
        found = rebuild(database, store)
        assert (found.differences, found.switched) == ([], True)


def _position(connection: psycopg.Connection[Any]) -> int:
    found = position_of(connection)
    connection.rollback()
    return found


def test_when_one_of_two_processes_is_killed_the_other_goes_on_with_its_parts(
    settings: Settings, database: Database
) -> None:
    """Given two projector processes, when now one, now the other is killed, then the one left follows to the end."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("CVR_")}
    environment |= {"CVR_DATA": str(settings.data), "CVR_DATABASE_URL": settings.database_url or ""}

    def projector() -> subprocess.Popen[bytes]:
        command = register_command("worker", "projector")
        return subprocess.Popen(command, stdin=subprocess.PIPE, env=environment, stderr=sys.stderr)

    with Store(database.psycopg) as store, database.psycopg() as connection:
        processes = [projector(), projector()]
        try:
            for killed in (0, 1, 0, 1):
                _wait_for(lambda: len(_seats(connection)) == 2)
                position = store.head()
                append(store, 700)
                while max(_positions(connection).values()) == position:
                    assert processes[killed].poll() is None
                    time.sleep(0.01)
                _end(processes[killed])
                _wait_for(lambda: set(_positions(connection).values()) == {store.head()})
                processes[killed] = projector()
        finally:
            for process in processes:
                _end(process)
        found = rebuild(database, store)
        assert (found.position, found.differences, found.switched) == (store.head(), [], True)


def test_projectors_of_a_server_and_of_another_host_share_the_register(settings: Settings, database: Database) -> None:
    """Given two at the server and one at another host, when that host is gone, then the server's go on without it."""
    with Store(database.psycopg) as store, database.psycopg() as connection, served(settings, CVR_PROJECTORS="2"):
        with another_host(settings, "work", "--processes", "0", "--projectors", "1"):
            _wait_for(lambda: len(_seats(connection)) == 3)
            append(store, 300)
            _wait_for(lambda: set(_positions(connection).values()) == {store.head()})
        _wait_for(lambda: len(_seats(connection)) == 2)
        append(store, 300)
        _wait_for(lambda: set(_positions(connection).values()) == {store.head()})


def _end(process: subprocess.Popen[bytes]) -> None:
    with process:
        process.kill()


def append(store: Store, count: int) -> None:
    """So many new people."""
    out = Authorities(store)
    out.sent = [""] * (store.head() + 1_000)
    begun = store.head()
    out.send("registry-office:10049", *(citizen(f"P{begun + n}", "Uzorić", date(1970, 1, 1)) for n in range(count)))


def _wait_for(come: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not come():
        assert time.monotonic() < deadline, "it does not come about"
        time.sleep(0.02)


def _positions(connection: psycopg.Connection[Any]) -> dict[int, int]:
    found = positions_of(connection)
    connection.rollback()
    return found


def _seats(connection: psycopg.Connection[Any]) -> list[int]:
    found = taken_seats(connection)
    connection.rollback()
    return found
