"""A real ``cvr serve`` that dies, or whose sender goes: what was acknowledged is there, once."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from register.access import issue
from register.cli.worker import Work
from register.database import Database
from register.settings import Settings
from register.store import Store

REGISTRY = "registry-office:10049"
SOURCE = f"urn:cvr:authority:{REGISTRY}"


class Served:
    """A running server: its process and port."""

    def __init__(self, process: subprocess.Popen[str], port: int) -> None:
        self.process = process
        self.port = port

    def workers(self) -> list[int]:
        """Its child processes, whichever thread started them."""
        lists = [path.read_text() for path in Path(f"/proc/{self.process.pid}/task").glob("*/children")]
        return sorted(int(pid) for pids in lists for pid in pids.split())


@contextmanager
def served(settings: Settings) -> Iterator[Served]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("CVR_")}
    environment |= {"CVR_DATA": str(settings.data), "CVR_DATABASE_URL": settings.database_url or ""}
    command = [sys.executable, "-m", "register", "serve", "--port", "0"]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield Served(process, _port(process))
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                process.wait(20)
            if process.stderr is not None:
                process.stderr.close()


def _port(process: subprocess.Popen[str]) -> int:
    stderr = process.stderr
    assert stderr is not None
    for line in stderr:
        if found := re.search(r"running on http://127\.0\.0\.1:(\d+)", line):
            threading.Thread(target=_drain, args=(stderr,), daemon=True).start()
            return int(found[1])
    raise AssertionError("the server did not start")


def _drain(stream: IO[str]) -> None:
    try:
        while stream.readline():
            pass
    except ValueError:
        pass  # closed at the end of the test


def notice(number: int) -> bytes:
    data = {
        "jmb": "0101970100017",
        "effective_on": "2026-03-01",
        "surname": "Hadžić",
        "given_name": "Đenana",
        "parent_name": f"Otac {number}",
        "sex": "M",
        "born_on": "1970-01-01",
    }
    envelope = {
        "specversion": "1.0",
        "id": f"n-{number}",
        "source": SOURCE,
        "type": "ba.cvr.citizen.v1",
        "time": "2026-03-02T09:15:00Z",
        "data": data,
    }
    return json.dumps(envelope, ensure_ascii=False).encode() + b"\n"


class Sending:
    """A streamed request: chunks go out while answers come in."""

    def __init__(self, settings: Settings, port: int) -> None:
        token = issue(settings, role="registry-office", now=datetime.now(UTC), authority=REGISTRY)
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.connection.putrequest("POST", "/v1/notices")
        self.connection.putheader("Authorization", f"Bearer {token}")
        self.connection.putheader("Content-Type", "application/x-ndjson")
        self.connection.putheader("Transfer-Encoding", "chunked")
        self.connection.endheaders()
        self.response: http.client.HTTPResponse | None = None

    def send(self, data: bytes) -> None:
        self.connection.send(b"%x\r\n%b\r\n" % (len(data), data))

    def end(self) -> None:
        self.connection.send(b"0\r\n\r\n")

    def answers(self) -> Iterator[dict[str, Any]]:
        self.response = self.response or self.connection.getresponse()
        try:
            while line := self.response.readline():
                if line.endswith(b"\n"):
                    yield json.loads(line)
        except (http.client.HTTPException, ConnectionError):
            return  # cut: what came before counts

    def close(self) -> None:
        if self.response is not None:
            self.response.close()
        self.connection.close()


def open_store(database: Database) -> Store:
    return Store(database.psycopg)


def wait_for(what: Callable[[], bool], seconds: float = 30.0) -> bool:
    deadline = time.monotonic() + seconds
    while not what():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def test_a_killed_server_loses_nothing_it_acknowledged_and_doubles_nothing_sent_again(
    settings: Settings, database: Database
) -> None:
    lines = [notice(number) for number in range(5_000)]
    acknowledged: dict[str, int] = {}
    with served(settings) as server:
        sending = Sending(settings, server.port)

        def feed() -> None:
            try:
                for start in range(0, len(lines), 200):
                    sending.send(b"".join(lines[start : start + 200]))
                    time.sleep(0.03)
            except OSError:
                pass  # the server is dead

        feeder = threading.Thread(target=feed)
        feeder.start()
        assert wait_for(lambda: len(server.workers()) == len(Work))
        workers = server.workers()
        for answer in sending.answers():
            assert answer["status"] == "recorded"
            acknowledged[answer["id"]] = answer["position"]
            if len(acknowledged) == 1_200:
                server.process.kill()
        feeder.join()
        sending.close()
        assert wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers)), (
            "workers outlived the server"
        )

    assert 1_200 <= len(acknowledged) < 5_000
    with open_store(database) as store:
        for notice_id, position in acknowledged.items():
            event = store.find(SOURCE, notice_id)
            assert event is not None
            assert event.position == position

        with served(settings) as server:
            again = Sending(settings, server.port)
            again.send(b"".join(lines))
            again.end()
            *answers, end = list(again.answers())
            again.close()
        assert [answer["id"] for answer in answers] == [f"n-{number}" for number in range(5_000)]
        assert (end["end"], end["recorded"] + end["repeated"], end["refused"]) == (True, 5_000, 0)
        by_id = {answer["id"]: answer["position"] for answer in answers}
        assert {i: by_id[i] for i in acknowledged} == acknowledged
        assert store.head() == 5_000
        assert len({(event.source, event.id) for event in store.events()}) == 5_000


def test_a_dead_worker_is_started_again_and_a_cut_connection_records_no_half_line(
    settings: Settings, database: Database
) -> None:
    with served(settings) as server, open_store(database) as store:
        assert wait_for(lambda: len(server.workers()) == len(Work))
        killed = server.workers()[0]
        os.kill(killed, signal.SIGKILL)

        # Meanwhile the server serves on: after a sender that goes, and for one that reads no answers until all is sent.
        cut = Sending(settings, server.port)
        cut.send(notice(1) + notice(2)[:-20])
        assert next(cut.answers())["id"] == "n-1"
        cut.close()

        patient = Sending(settings, server.port)
        refused = 20_000  # more answers than sockets hold
        patient.send(notice(1))
        for _ in range(refused // 1_000):
            patient.send(b"x\n" * 1_000)
        patient.end()
        *answers, end = list(patient.answers())
        patient.close()
        assert [answer["line"] for answer in answers] == list(range(1, refused + 2))
        assert end == {"recorded": 0, "repeated": 1, "refused": refused, "end": True}
        assert [event.id for event in store.events()] == ["n-1"]

        assert wait_for(lambda: killed not in server.workers() and len(server.workers()) == len(Work))
