"""A server of the demo's own on a free loopback port, and what the demo says to it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import httpx

from register import access
from register.law.competence import Role, role_of
from register.settings import Settings

_START_SECONDS: Final = 60


class DemoError(Exception):
    """Something did not go as the demo tells it; the message says what."""


class Client:
    """The demo's side of HTTP: each request under the token of the one who would make it."""

    def __init__(self, settings: Settings, base_url: str) -> None:
        self._settings = settings
        self._http = httpx.Client(base_url=base_url, timeout=httpx.Timeout(120, connect=5))

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def token(self, role: Role, *, authority: str | None = None, name: str | None = None) -> str:
        """A token of the local development issuer."""
        return access.issue(self._settings, role=role, authority=authority, name=name, now=datetime.now(UTC))

    def send(self, authority: str, lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
        """Stream notices as NDJSON as one authority; the answers, the last one being the end."""
        headers = self._headers(self.token(role_of(authority), authority=authority), "application/x-ndjson")
        with self._http.stream("POST", "/v1/notices", content=lines, headers=headers) as response:
            if response.status_code != httpx.codes.OK:
                raise DemoError(f"the server answered {response.status_code} to the notices of {authority}")
            for line in response.iter_lines():
                yield httpx.Response(200, text=line).json()

    def get(self, path: str, token: str | None = None, **query: object) -> Any:
        """GET, as JSON."""
        return self._json("GET", path, token, params={k: str(v) for k, v in query.items()})

    def post(self, path: str, token: str, body: object = None) -> Any:
        """POST JSON, and get JSON."""
        return self._json("POST", path, token, json=body)

    def wait_for(self, path: str, token: str, done: Callable[[Any], bool], *, seconds: float) -> Iterator[Any]:
        """Ask again and again until an answer is ``done``; every answer on the way."""
        deadline = time.monotonic() + seconds
        while True:
            answer = self.get(path, token)
            yield answer
            if done(answer):
                return
            if time.monotonic() > deadline:
                raise DemoError(f"{path} took more than {seconds:.0f} seconds")
            time.sleep(0.2)

    def _headers(self, token: str | None, media_type: str) -> dict[str, str]:
        headers = {"Content-Type": media_type}
        return headers if token is None else headers | {"Authorization": f"Bearer {token}"}

    def _json(self, method: str, path: str, token: str | None, **rest: Any) -> Any:
        headers = self._headers(token, "application/json")
        response = self._http.request(method, path, headers=headers, **rest)
        for _ in range(60):
            if response.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                break
            time.sleep(min(2.0, float(response.headers.get("Retry-After", 1))))
            response = self._http.request(method, path, headers=headers, **rest)
        if response.is_error:
            problem = response.json()
            raise DemoError(f"{method} {path}: {problem.get('title')} ({problem.get('detail')})")
        return response.json()


def environment_of(settings: Settings) -> dict[str, str]:
    """The environment of the demo's processes: its folder, and nothing that leads to another register (nor a .env)."""
    elsewhere = dict.fromkeys(("CVR_DATABASE_URL", "CVR_ISSUER", "CVR_JWKS_URL"), "")
    return os.environ | elsewhere | {"CVR_DATA": str(settings.data)}


@contextmanager
def serving(settings: Settings) -> Iterator[Client]:
    """``cvr serve`` over the demo's folder for as long as the block lasts."""
    port = _free_port()
    command = [sys.executable, "-m", "register", "serve", "--port", str(port)]
    environment = environment_of(settings)
    log = settings.data / "server.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as out:
        process = subprocess.Popen(command, env=environment, stdout=out, stderr=out)
    client = Client(settings, f"http://127.0.0.1:{port}")
    try:
        _wait_until_ready(process, client, log)
        yield client
    finally:
        client.close()
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_ready(process: subprocess.Popen[bytes], client: Client, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            client.get("/healthz")
        except (httpx.TransportError, DemoError):
            time.sleep(0.1)
        else:
            return
    raise DemoError(f"the server did not start; {log} says why")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
