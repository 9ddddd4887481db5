"""What holds for every answer: problems tell nothing of the request, a rehearsal says that it is one."""

from __future__ import annotations

import dataclasses
import logging
from datetime import UTC, datetime

import httpx
import pytest

from register.api.spool import IN_MEMORY, Spool
from register.api.system import System
from register.app.http import create_app

SECRET = "0101970100017"


def client_of(system: System) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(create_app(system), raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://register")


@pytest.mark.parametrize(
    ("method", "path", "status", "kind"),
    [
        ("GET", f"/v1/nothing/{SECRET}", 404, "not-found"),
        ("DELETE", f"/v1/notices/{SECRET}", 405, "method-not-allowed"),
        ("GET", f"/v1/notices/{SECRET}?source={SECRET}", 401, "unauthenticated"),
        ("POST", f"/v1/notices?dry_run={SECRET}", 401, "unauthenticated"),
    ],
)
async def test_a_problem_repeats_nothing_of_the_request(
    client: httpx.AsyncClient, method: str, path: str, status: int, kind: str
) -> None:
    answer = await client.request(method, path)
    problem = answer.json()
    assert (answer.status_code, problem["status"], problem["type"]) == (status, status, f"urn:cvr:problem:{kind}")
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["instance"].startswith("urn:uuid:")
    assert SECRET not in answer.text


async def test_a_bug_is_a_500_and_the_log_says_where_but_not_what(
    system: System, caplog: pytest.LogCaptureFixture
) -> None:
    app = create_app(system)

    @app.get("/broken/{person}")
    def broken(person: str) -> None:
        raise KeyError(person)

    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://register") as client:
        with caplog.at_level(logging.DEBUG, logger="register"):
            answer = await client.get(f"/broken/{SECRET}")
        metrics = (await client.get("/metrics")).text
    assert (answer.status_code, answer.json()["type"]) == (500, "urn:cvr:problem:internal")
    assert "/broken/{person}" in caplog.text
    assert "test_edge.py" in caplog.text
    assert 'route="/broken/{person}",status="500"' in metrics
    assert SECRET not in answer.text + caplog.text + metrics


async def test_a_rehearsal_says_so_in_every_answer(system: System) -> None:
    rehearsal = dataclasses.replace(
        system, settings=dataclasses.replace(system.settings, clock_starts=datetime(2026, 8, 1, tzinfo=UTC))
    )
    async with client_of(rehearsal) as client:
        for path in ("/healthz", "/nothing"):
            assert (await client.get(path)).headers["CVR-Clock"] == "2026-03-03T08:00:00+00:00"
    async with client_of(system) as client:
        assert "CVR-Clock" not in (await client.get("/healthz")).headers


async def test_ready_means_not_far_behind(system: System) -> None:
    async with client_of(system) as client:
        ready = await client.get("/readyz")
    assert (ready.status_code, ready.json()) == (
        200,
        {"status": "ready", "lag": {"projection": 0, "log": 0, "inspection": 0}},
    )
    async with client_of(dataclasses.replace(system, lags={"log": lambda: 10**6})) as client:
        behind = await client.get("/readyz")
    assert (behind.status_code, behind.json()["detail"]) == (503, "Catching up: log is 1000000 events behind")


async def test_answers_nobody_reads_wait_on_disk_and_keep_their_order() -> None:
    spool = Spool()
    pieces = [bytes([n % 251]) * 300_000 for n in range(10)]
    for piece in pieces[:6]:
        spool.write(piece)
    assert spool.on_disk > 0
    got = b""
    while len(got) < 2 * IN_MEMORY // 2:
        got += await spool.read()
    for piece in pieces[6:]:
        spool.write(piece)
    spool.end()
    while chunk := await spool.read():
        got += chunk
    spool.close()
    assert got == b"".join(pieces)
