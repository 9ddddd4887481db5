"""``cvr verify`` and ``cvr replay`` as an operator meets them: what they print, and how they exit."""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import psycopg
import pytest
from typer.testing import CliRunner

from register.app.http import build
from register.app.parts import make_sealer
from register.cli import app_for
from register.law.events import Death
from register.projection.projector import position_of
from register.settings import Settings
from tests.audit.conftest import House, people


@pytest.fixture
def run(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[CliRunner]:
    """The command line over a database of its own, in which the history of people was taken in, followed and sealed."""
    assert settings.database_url is not None
    monkeypatch.setenv("CVR_DATA", str(settings.data))
    monkeypatch.setenv("CVR_DATABASE_URL", settings.database_url)
    with build(settings) as system:
        sealer = make_sealer(settings, system.database, system.store, system.clock, system.entropy)
        house = House(system.database, system.store, sealer, parts=None)  # type: ignore[arg-type]
        people(house)
        house.follow()
        sealer.seal()
    thresholds = gc.get_threshold()
    yield CliRunner()
    gc.unfreeze()  # the commands calm the collector of the process they run in
    gc.set_threshold(*thresholds)


def test_verify_says_that_all_is_well_or_where_it_is_not(run: CliRunner, settings: Settings) -> None:
    """Given a history, then exit 0 and "All is well"; given event 5 changed, then exit 2 and its position."""
    well = run.invoke(app_for([]), ["verify"])
    assert well.exit_code == 0, well.output
    assert "All is well: 29 events" in well.stdout
    with psycopg.connect(str(settings.database_url)) as owner:
        owner.execute("ALTER TABLE store.event DISABLE TRIGGER USER")
        owner.execute("UPDATE store.event SET recorded_at = recorded_at + interval '1 microsecond'"
                      " WHERE notification_id = 5")  # fmt: skip
    wrong = run.invoke(app_for([]), ["verify"])
    assert wrong.exit_code == 2
    assert "position 5: the event is not the one that the log vouches for" in wrong.stdout
    assert "Čolić" not in wrong.output
    told = json.loads(run.invoke(app_for([]), ["verify", "--json"]).stdout)
    assert told["ok"] is False
    assert next(c["findings"][0]["position"] for c in told["checks"] if c["verdict"] == "found") == 5


@pytest.mark.parametrize("command", [["verify"], ["replay"], ["export", "out"], ["rebuild"]])
def test_where_there_is_no_register_none_is_made_and_called_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    """Given a folder misspelled, then exit 1 with its name, and nothing is there afterwards."""
    monkeypatch.setenv("CVR_DATA", str(tmp_path / "demmo"))
    monkeypatch.delenv("CVR_DATABASE_URL", raising=False)
    told = CliRunner().invoke(app_for([]), command)
    assert (told.exit_code, "All is well" in told.output) == (1, False)
    assert "demmo" in str(told.exception)
    assert list(tmp_path.iterdir()) == []


def test_random_questions_are_put_to_the_register_alone(run: CliRunner, settings: Settings) -> None:
    """Given a history, then exit 0; given a table changed, then exit 2, and the same seed finds the same again."""
    well = run.invoke(app_for([]), ["verify", "--asof-samples", "100"])
    assert well.exit_code == 0, well.output
    assert "(100 answers)" in well.stdout
    assert "seed" in well.stdout
    with psycopg.connect(str(settings.database_url)) as owner:
        owner.execute("UPDATE projection.stretch SET sex = 'M'")
    wrong = [run.invoke(app_for([]), ["verify", "--asof-samples", "100", "--seed", "3"]) for _ in range(2)]
    assert [each.exit_code for each in wrong] == [2, 2]
    assert wrong[0].stdout == wrong[1].stdout
    assert "otherwise: sex" in wrong[0].stdout
    assert run.invoke(app_for([]), ["verify", "--seed", "3"]).exit_code != 0


def test_replay_writes_a_file_whole_or_refuses(run: CliRunner, tmp_path: Path) -> None:
    """Given a history, then a file of everybody; given a position that is not there, then no file and another exit."""
    out = tmp_path / "register.csv"
    done = run.invoke(app_for([]), ["replay", "--known-at", "16", "--on", "2026-05-01", "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert out.read_text().count("\n") == 1 + 8
    assert run.invoke(app_for([]), ["replay", "--on", "2026-05-01"]).stdout.startswith("person,jmb,entered")
    for bad in (["--known-at", "30"], ["--known-at", "yesterday"], ["--out", "register.xlsx"]):
        refused = run.invoke(app_for([]), ["replay", "--out", str(tmp_path / "none.csv"), *bad])
        assert refused.exit_code != 0
    assert not (tmp_path / "none.csv").exists()


def test_an_export_holds_the_register_of_its_last_event(run: CliRunner, settings: Settings, tmp_path: Path) -> None:
    """Given events that no worker followed yet, when it is exported, then folding again finds nothing; exit 0."""
    with build(settings) as system:
        house = House(system.database, system.store, None, parts=None, sent=100)  # type: ignore[arg-type]
        house.send("registry-office:10049", Death(jmb="0101960100012", effective_on=date(2026, 4, 1)))
        with system.database.psycopg() as connection:
            assert position_of(connection) < system.store.head()
    done = run.invoke(app_for([]), ["export", str(tmp_path / "e")])
    assert done.exit_code == 0, done.output
    verified = run.invoke(app_for([]), ["verify", "--export", str(tmp_path / "e"), "--replay"])
    assert verified.exit_code == 0, verified.output
    assert "All is well: 30 events" in verified.stdout
