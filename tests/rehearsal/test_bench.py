"""``cvr bench``: every bench measures a target beside its ceiling, and what misses its goal fails the command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from register.cli.bench import bench as command
from register.database import open_database
from register.projection.projector import follow
from register.rehearsal import bench
from register.rehearsal.bench.ground import fill
from register.rehearsal.bench.result import Goal, Result
from register.rehearsal.bench.serving import environment
from register.settings import Settings

#: Small enough that all of them together take seconds; the demo is the demo's own test.
TINY = {
    "store": 300,
    "store-read": 600,
    "intake": 300,
    "intake-single": 60,
    "projection": 900,
    "inspection": 900,
    "rebuild": 900,
    "replay": 600,
    "asof": 900,
    "register-page": 900,
    "log": 600,
    "excerpt-rows": 900,
    "excerpt-pdf": 20,
}


def a_result(value: float, *, goal: Goal | None = None, parts: tuple[Result, ...] = (), name: str = "store") -> Result:
    return Result(
        name=name,
        unit="events/s",
        value=value,
        ceiling=100.0,
        goal=goal or Goal(0.7),
        size=1,
        peak_rss_mib=1.0,
        parts=parts,
    )


def test_every_bench_is_tried_here_but_the_demo() -> None:
    assert set(TINY) | {"demo", "routes"} == set(bench.NAMES)


@pytest.mark.parametrize("name", TINY)
def test_a_bench_measures_its_target_beside_a_ceiling(name: str, settings: Settings) -> None:
    """Given a new register, its tables of an old form, when a bench runs, then it tells both figures and memory."""
    with open_database(settings) as database, database.psycopg() as connection:
        connection.execute("UPDATE projection.form SET version = 1")
    said: list[str] = []
    result = bench.run(name, bench.Ground(settings, said.append), TINY[name])
    told = json.loads(result.json())
    assert {"name", "unit", "value", "ceiling", "ratio", "goal", "met", "peak_rss_mib"} <= told.keys()
    assert told["name"] == name
    assert told["value"] > 0
    assert told["ratio"] == pytest.approx(told["value"] / told["ceiling"], rel=1e-2, abs=1e-3)  # told with three digits
    assert told["peak_rss_mib"] > 10
    assert sum("round" in line for line in said) >= 3


def test_a_register_that_is_there_is_asked_and_not_written_to(settings: Settings) -> None:
    """Given a register, when its questions are measured, then it has the same events, and looks are journalled."""
    with bench.Ground(settings, print).register() as (database, store):
        fill(store, 900)
        with database.psycopg() as connection:
            while follow(connection, store):
                pass
    there = bench.Ground(settings, print, existing=True)
    told = [bench.run(name, there, 5_000) for name in bench.READING]
    assert {result.size for result in told} == {900}
    slowest = next(result for result in told if result.name == "routes")
    assert slowest.value == max(slowest.beside.values()) > 0
    assert {
        "voters/{person}, now",
        "register, a polling station, now",
        "audit of an authority",
    } <= slowest.beside.keys()
    with there.register() as (database, store), database.psycopg() as connection:
        assert store.head() == 900
        assert connection.execute("SELECT count(*) > 0 FROM access.journal WHERE what = 'voter'").fetchone() == (True,)


def test_only_what_reads_may_be_asked_of_a_register_that_is_there(tmp_path: Path) -> None:
    app = typer.Typer()
    app.command()(command)
    for asked in (["store", "--data", str(tmp_path)], ["--data", str(tmp_path)], ["asof", "--data", str(tmp_path)]):
        assert CliRunner().invoke(app, asked).exit_code == 2
    assert list(tmp_path.iterdir()) == []


def test_a_ratio_is_judged_by_its_goal_and_so_is_every_part() -> None:
    assert a_result(70).met
    assert not a_result(69).met
    at_most = Goal(3, at_least=False)
    assert a_result(300, goal=at_most).met
    assert not a_result(301, goal=at_most).met
    assert not a_result(70, parts=(a_result(69),)).met


def test_without_a_ceiling_the_value_is_judged() -> None:
    seconds = Result(
        name="demo", unit="s", value=91, ceiling=None, goal=Goal(90, at_least=False), size=1, peak_rss_mib=1.0
    )
    assert not seconds.met
    assert json.loads(seconds.json())["ratio"] is None


@pytest.mark.parametrize(("value", "code"), [(70.0, 0), (69.0, 1)])
def test_the_command_fails_when_a_goal_is_missed(value: float, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given two benches, when they ran, then each has a line of JSON at the end, and the exit code says it."""
    monkeypatch.setattr(
        bench, "alone", lambda name, _size, _data: a_result(value if name == "log" else 80.0, name=name)
    )
    app = typer.Typer()
    app.command()(command)
    done = CliRunner().invoke(app, ["store", "log", "--json"])
    assert done.exit_code == code
    lines = done.stdout.splitlines()
    assert [json.loads(line)["name"] for line in lines[-2:]] == ["store", "log"]
    assert CliRunner().invoke(app, ["no-such-bench"]).exit_code != 0


def test_a_bench_has_none_of_the_users_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Given a user's database in the environment, then a child process of a bench does not hear of it."""
    monkeypatch.setenv("CVR_DATABASE_URL", "postgresql:///the-real-one")
    monkeypatch.setenv("CVR_ORIGIN", "the.real.one/register")
    told = environment(Settings(data=tmp_path))
    assert {name: value for name, value in told.items() if name.startswith("CVR_")} == {"CVR_DATA": str(tmp_path)}
