"""A real ``cvr serve`` beside a test, and a sender that streams to it."""

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
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from register.access import issue
from register.cli.worker import Work
from register.database import Database
from register.law.competence import role_of
from register.settings import Settings
from register.store import Store

REGISTRY = "registry-office:10049"
SOURCE = f"urn:cvr:authority:{REGISTRY}"


class Served:
    """A running server: its process and port."""

    def __init__(self, process: subprocess.Popen[str], port: int) -> None:
        self.process = process
        self.port = port

    def children(self) -> dict[int, str]:
        """Its child processes, whichever thread started them, each with the last word of its command."""
        lists = [path.read_text() for path in Path(f"/proc/{self.process.pid}/task").glob("*/children")]
        found: dict[int, str] = {}
        for pid in sorted(int(pid) for pids in lists for pid in pids.split()):
            with suppress(OSError):  # it may have ended meanwhile
                found[pid] = Path(f"/proc/{pid}/cmdline").read_text().rstrip("\0").rpartition("\0")[2]
        return found

    def workers(self) -> list[int]:
        """Those of them that follow the event store."""
        return [pid for pid, word in self.children().items() if word in set(Work)]

    def follower(self, work: Work) -> int:
        """The process that does this work."""
        return next(pid for pid, word in self.children().items() if word == work)

    def get(self, path: str) -> tuple[int, Any]:
        """GET without a token: status and JSON."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()


@contextmanager
def served(settings: Settings, *before: str, **more: str) -> Iterator[Served]:
    """``cvr serve`` for as long as the block lasts; ``before`` its command, ``more`` in its environment."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("CVR_")}
    environment |= {"CVR_DATA": str(settings.data), "CVR_DATABASE_URL": settings.database_url or ""} | more
    command = [*before, sys.executable, "-m", "register", "serve", "--port", "0"]
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

    def __init__(self, settings: Settings, port: int, authority: str = REGISTRY, **headers: str) -> None:
        token = issue(settings, role=role_of(authority), now=datetime.now(UTC), authority=authority)
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        self.connection.putrequest("POST", "/v1/notices")
        given = {"authorization": f"Bearer {token}", "content-type": "application/x-ndjson"} | headers
        for name, value in given.items():
            self.connection.putheader(name.replace("_", "-"), value)
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


def peak_mib(process: int) -> float:
    """The most memory a process has held, in MiB (proc(5), ``VmHWM``)."""
    status = Path(f"/proc/{process}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024
