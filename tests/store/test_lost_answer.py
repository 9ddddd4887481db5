"""The connection is lost while the answer to a commit is on its way: the keys say what happened, not the exception."""

from __future__ import annotations

import contextlib
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from register.database import Database
from register.store import Pending, Store


class LossyWire:
    """Between the program and the server; swallows the answer to the next message that holds ``lose``, and hangs up."""

    def __init__(self, server: str, folder: str) -> None:
        self.lose: bytes | None = None
        self.lost = 0
        self._server = server
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(f"{folder}/.s.PGSQL.5432")
        self._listener.listen()
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                thread = threading.Thread(target=self._serve, args=(client,))
                self._threads.append(thread)
                thread.start()

    def _serve(self, client: socket.socket) -> None:
        with client, socket.socket(socket.AF_UNIX) as server:
            server.connect(self._server)
            losing = threading.Event()
            back = threading.Thread(target=self._back, args=(server, client, losing))
            back.start()
            with contextlib.suppress(OSError):
                while data := client.recv(65536):
                    if self.lose is not None and self.lose in data:
                        self.lose = None
                        losing.set()
                    server.sendall(data)
            with contextlib.suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)
            back.join()

    def _back(self, server: socket.socket, client: socket.socket, losing: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while data := server.recv(65536):
                if losing.is_set():
                    self.lost += 1
                    break
                client.sendall(data)
        with contextlib.suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def wire(database: Database) -> Iterator[tuple[LossyWire, str]]:
    where = conninfo_to_dict(database.dsn)
    # A Unix socket's path may not be long.
    with tempfile.TemporaryDirectory(prefix="cvr") as folder:
        wire = LossyWire(str(Path(str(where["host"])) / f".s.PGSQL.{where.get('port') or 5432}"), folder)
        yield wire, make_conninfo(database.dsn, host=folder, port=5432)
        wire.close()


@pytest.mark.parametrize(("size", "message"), [(3, b"lost-1"), (250, b"COMMIT\0")], ids=["one round trip", "COPY"])
def test_an_append_whose_answer_is_lost_is_recorded_once_and_answered_rightly(
    wire: tuple[LossyWire, str], notice: Callable[..., Pending], now: datetime, size: int, message: bytes
) -> None:
    lossy, dsn = wire
    with Store(lambda: psycopg.connect(dsn)) as store:
        store.append([notice("before", 9)], now=now)
        lossy.lose = message
        receipts = store.append([notice(f"lost-{i}", i) for i in range(size)], now=now)
        assert lossy.lost == 1
        assert [receipt.position for receipt in receipts] == list(range(2, size + 2))
        assert {receipt.status for receipt in receipts} == {"repeated"}
        assert {receipt.recorded_at for receipt in receipts} == {now}
        assert [event.id for event in store.events(after=1)] == [f"lost-{i}" for i in range(size)]


def test_a_connection_lost_before_the_commit_costs_nothing(
    wire: tuple[LossyWire, str], notice: Callable[..., Pending], now: datetime
) -> None:
    lossy, dsn = wire
    with Store(lambda: psycopg.connect(dsn)) as store:
        store.append([notice("before", 9)], now=now)
        lossy.lose = b"begin_append"
        receipts = store.append([notice(f"n-{i}", i) for i in range(250)], now=now)
        assert lossy.lost == 1
        assert {receipt.status for receipt in receipts} == {"recorded"}
        assert store.head() == 251
