"""``cvr conformance`` against a real server: it passes where the register keeps its word, and says where not."""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import json
import socket
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import uvicorn

from register.access import issue
from register.api import knowledge
from register.api.system import System
from register.app.http import build, create_app
from register.app.parts import make_sealer
from register.cli import app_for
from register.cli.conformance import EVERYBODY
from register.cli.serve import configured
from register.law.competence import role_of
from register.law.events import NOTICE_TYPES
from register.projection.projector import follow
from register.rehearsal.conformance import ConformanceError, who_is
from register.rehearsal.conformance.notices import Notices
from register.settings import Settings, make_clock

STARTS = datetime(2026, 8, 3, 8, 0, tzinfo=UTC)


@contextlib.contextmanager
def served(system: System) -> Iterator[str]:
    """The system behind a real port, with its followers."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(configured(create_app(system), system.settings, host="127.0.0.1", port=0))
    stop = threading.Event()

    def follow_up() -> None:
        sealer = make_sealer(system.settings, system.database, system.store, system.clock, system.entropy)
        with system.database.psycopg() as connection:
            while not stop.wait(0.1):
                follow(connection, system.store)
                sealer.seal()

    threads = [threading.Thread(target=server.run, args=([listening],)), threading.Thread(target=follow_up)]
    for thread in threads:
        thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        stop.set()
        server.should_exit = True
        for thread in threads:
            thread.join(30)
        listening.close()


@contextlib.contextmanager
def running(settings: Settings, starts: datetime | None) -> Iterator[tuple[System, str]]:
    settings = dataclasses.replace(settings, clock_starts=starts)
    with build(settings, clock=make_clock(starts)) as system, served(system) as url:
        yield system, url


def run(*words: str) -> int:
    """The command's exit status."""
    try:
        return int(app_for(["conformance"])(["conformance", *words], standalone_mode=False) or 0)
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else 1


@pytest.fixture
def here(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The command finds the same settings in its environment as the server."""
    monkeypatch.setenv("CVR_DATA", str(settings.data))
    monkeypatch.chdir(settings.data.parent)
    return settings


def test_every_kind_of_authority_passes_against_a_rehearsal(
    here: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(knowledge, "PATIENCE", 0.5)  # of which each reader spends all once
    with running(here, STARTS) as (system, url):
        assert run(url, "--all") == 0, capsys.readouterr().out
        shown = capsys.readouterr().out
        assert system.store.head() > 0
    assert shown.count("0 fail") == len(EVERYBODY)
    for authority in EVERYBODY:
        assert authority in shown


def test_a_real_server_takes_dry_runs_only_and_keeps_nothing(
    here: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with running(here, None) as (system, url):
        authority = "court:basic-court-bihac"
        file = tmp_path / "token"
        file.write_text(issue(here, role="court", authority=authority, now=datetime.now(UTC)) + "\n")
        assert run(url, "--token-file", str(file)) == 1
        assert run(url, "--token-file", str(file), "--dry-run") == 0, capsys.readouterr().out
        assert system.store.head() == 0
        assert system.journal.page(authority=None) == []


def test_what_does_not_hold_is_told_by_check_and_source(
    here: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a server that takes documents for granted, then the check that names Art. 3.5(7) fails, and no other."""
    monkeypatch.setattr("register.law.shapes.DOCUMENT_REQUIRED", frozenset())
    with running(here, None) as (_, url):
        token = issue(here, role="ministry", authority="ministry:civil-affairs", now=datetime.now(UTC))
        assert run(url, "--token", token, "--dry-run") == 2
    shown = capsys.readouterr().out
    assert "1 fail" in shown
    (line,) = (line for line in shown.splitlines() if "FAIL" in line)
    assert "document" in line
    assert "Art. 3.5(7)" in line


def test_together_the_authorities_send_every_type() -> None:
    competent = set()
    for authority in EVERYBODY:
        caller = who_is(_unsigned(authority))
        competent |= set(Notices(caller, STARTS, 7).competent)
    assert {kind.TOPIC for kind in set(NOTICE_TYPES) - competent} == {"ba.cvr.annulment.v1", "ba.cvr.control-total.v1"}


@pytest.mark.parametrize("token", ["", "a.b.c", "no token", "e30.e30.e30"])
def test_what_is_no_token_of_an_authority_is_said_so_at_once(token: str) -> None:
    with pytest.raises(ConformanceError, match="token"):
        who_is(token)


def _unsigned(authority: str) -> str:
    claims = {"authority": authority, "role": role_of(authority), "sub": "x"}
    return f"x.{base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip('=')}.x"
