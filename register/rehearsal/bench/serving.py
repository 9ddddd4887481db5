"""Servers of a bench's own on free loopback ports, and what a bench asks of them."""

from __future__ import annotations

import asyncio
import http.client
import multiprocessing
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec
import sqlalchemy as sa
import uvicorn

import register
from register import access
from register.api.registry import CurrentCaller
from register.api.system import CurrentSystem
from register.app.http import build, create_app
from register.app.parts import calm_collector
from register.law.competence import Role
from register.rehearsal.bench.ground import Ground
from register.rehearsal.bench.result import BenchError
from register.settings import PREFIX, Settings

#: The route that only authenticates and asks the database for nothing.
NOTHING: Final = "/bench/nothing"
_START_SECONDS: Final = 60.0
_LENGTH: Final = re.compile(rb"(?i)\r\ncontent-length: *([0-9]+)\r\n")


class Server:
    """A server that runs: its port and process."""

    def __init__(self, port: int, process: int) -> None:
        self.port, self.process = port, process

    def get(self, path: str) -> tuple[int, bytes]:
        """GET without a token: status and body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def send(self, path: str, token: str, kind: str, body: bytes) -> bytes:
        """POST a body; the whole answer. Raises BenchError for another status than 200."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)
        try:
            connection.request("POST", path, body, {"Authorization": f"Bearer {token}", "Content-Type": kind})
            answer = connection.getresponse()
            if answer.status != http.client.OK:
                raise BenchError(f"the server answered {answer.status} to POST {path}")
            return answer.read()
        finally:
            connection.close()

    def caught_up(self, seconds: float = 600.0) -> None:
        """Wait until register and log are no event behind the event store."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            status, body = self.get("/readyz")
            if status == http.client.OK and not any(msgspec.json.decode(body)["lag"].values()):
                return
            time.sleep(0.2)
        raise TimeoutError("register and log did not catch up")

    def ask(self, requests: Sequence[bytes], clients: int = 1, *, refused: float = 0.0) -> list[float]:
        """Send requests over so many connections, each one after the other; seconds until each was answered.

        Raises BenchError when more than the share ``refused`` gets a status of 300 or more.
        """
        answers = asyncio.run(self._ask_all(requests, clients))
        bad = [status for status, _ in answers if status >= http.client.MULTIPLE_CHOICES]
        if len(bad) > refused * len(requests):
            raise BenchError(f"the server answered {len(bad)} of {len(requests)} requests with {sorted(set(bad))}")
        return [seconds for _, seconds in answers]

    async def _ask_all(self, requests: Sequence[bytes], clients: int) -> list[tuple[int, float]]:
        shares = await asyncio.gather(*(self._ask(requests[n::clients]) for n in range(clients)))
        return [answer for share in shares for answer in share]

    async def _ask(self, requests: Sequence[bytes]) -> list[tuple[int, float]]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        answers = []
        for request in requests:
            begun = time.perf_counter()
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = _LENGTH.search(head)
            await reader.readexactly(int(length[1]) if length else 0)
            answers.append((int(head[9:12]), time.perf_counter() - begun))
        writer.close()
        await writer.wait_closed()
        return answers


def token(settings: Settings, role: Role, authority: str | None) -> str:
    """A token of the local development issuer."""
    return access.issue(settings, role=role, authority=authority, name="bench", now=datetime.now(UTC))


def request(method: str, path: str, bearer: str, kind: str = "", body: bytes = b"") -> bytes:
    """A request as it goes over the wire (HTTP/1.1, the connection kept)."""
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {bearer}\r\n"
    if kind:
        head += f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"\r\n" + body


def environment(settings: Settings) -> dict[str, str]:
    """The environment of a child process: settings are those of the bench, and none of the user's."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    kept |= {"CVR_DATA": str(settings.data), "PYTHONPATH": str(Path(register.__file__).parents[1])}
    if settings.database_url is not None:
        kept["CVR_DATABASE_URL"] = settings.database_url
    return kept


@contextmanager
def whole_server(ground: Ground) -> Iterator[Server]:
    """``cvr serve`` with all its workers, for as long as the block lasts; without the user's .env."""
    settings, port = ground.settings, _free_port()
    settings.data.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "register", "serve", "--port", str(port)]
    with (settings.data / "server.log").open("ab") as log:
        process = subprocess.Popen(
            command, env=environment(settings), cwd=settings.data, stdout=log, stderr=subprocess.STDOUT
        )
        try:
            server = Server(port, process.pid)
            try:
                _wait_until_alive(server, lambda: process.poll() is None)
            except BenchError as error:
                raise BenchError(f"{error}: {(settings.data / 'server.log').read_text().strip()[-500:]}") from error
            yield server
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextmanager
def reading_server(ground: Ground) -> Iterator[Server]:
    """The application alone, with the route :data:`NOTHING` beside its own, for as long as the block lasts."""
    port = _free_port()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(ground.settings, port), daemon=True)
    process.start()
    try:
        server = Server(port, process.pid or 0)
        _wait_until_alive(server, process.is_alive)
        yield server
    finally:
        process.terminate()
        process.join(30)


def _serve(settings: Settings, port: int) -> None:
    with build(settings) as system:
        app = create_app(system)
        app.add_api_route(NOTHING, _nothing, include_in_schema=False)
        app.router.routes.insert(0, app.router.routes.pop())
        calm_collector()
        uvicorn.run(app, port=port, access_log=False, log_level="warning", server_header=False)


def _nothing(system: CurrentSystem, caller: CurrentCaller) -> dict[str, Any]:
    """Authenticates, and makes one round trip to the database; what no read can do without."""
    with system.database.engine.connect() as connection:
        return {"sub": caller.sub, "one": connection.scalar(sa.text("SELECT 1"))}


def _wait_until_alive(server: Server, lives: Any) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while lives() and time.monotonic() < deadline:
        try:
            if server.get("/healthz")[0] == http.client.OK:
                return
        except OSError:
            pass
        time.sleep(0.1)
    raise BenchError("the server of the bench did not start")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
