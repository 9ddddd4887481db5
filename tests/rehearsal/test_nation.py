"""``cvr rehearse``: a nation in small, from its first load to verified lists, interrupted and gone on with."""

from __future__ import annotations

import os
import signal
import threading
import time
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from datetime import date
from pathlib import Path

import msgspec
import pytest

from register.rehearsal.nation import STEPS, Figures, RehearsalError, draw, gathered, read_figures, rehearse, tables
from register.rehearsal.nation.figures import Plan
from register.rehearsal.nation.measuring import _descendants, _processes
from register.settings import Settings

PLAN = Plan(voters=600, seed=7, until=date(2026, 6, 1))
DOCS = Path(__file__).parents[2] / "docs"

Outcome = dict[str, tuple[str, int, dict[str, int]]]


def quiet(_step: str, _figures: Figures | None) -> None:
    """Nobody listens."""


def outcome(figures: list[Figures]) -> Outcome:
    """What the steps did, whatever time it took them. What was recorded just before a kill is repeated after it."""
    return {each.step: (each.unit, each.count, _settled(each.beside)) for each in figures}


def _settled(beside: dict[str, int]) -> dict[str, int]:
    if "recorded" not in beside:
        return beside
    return {"taken in": beside["recorded"] + beside["repeated"], "refused": beside["refused"]}


class Killer:
    """Kills the process of a step as soon as the step has left a first trace in the data folder."""

    def __init__(self, step: str, data: Path, trace: str) -> None:
        self._step, self._data, self._trace = step, data, trace
        self._thread = threading.Thread(target=self._kill)

    def __call__(self, step: str, figures: Figures | None) -> None:
        if step == self._step and figures is None:
            self._thread.start()

    def _kill(self) -> None:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and next(self._data.rglob(self._trace), None) is None:
            time.sleep(0.005)
        for process in _steps():
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)


def _steps() -> list[int]:
    """Processes in which a step of this process's is done."""
    seen = _processes()
    servers = [p for p in _descendants(seen, os.getpid(), None) if b"forkserver" in _command(p)]
    return [p for p in servers if seen[p].parent in servers]


def _command(process: int) -> bytes:
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def test_a_nation_is_rehearsed_to_its_verified_lists_and_every_step_is_measured(settings: Settings) -> None:
    figures = rehearse(settings, PLAN, tuple(STEPS), quiet)
    assert [each.step for each in figures] == list(STEPS)
    found = {each.step: each for each in figures}

    notices = found["generate"].count
    meanwhile = found["generate"].beside["meanwhile"]
    assert found["intake"].count + found["intake-last"].count + meanwhile == notices
    assert found["intake"].count == found["register"].count == found["seal"].count == found["replay"].count
    assert found["follow"].count == found["intake-last"].count == found["generate"].beside["last"] > 0
    rebuilt = found["rebuild"].beside
    assert found["rebuild"].count == notices
    assert rebuilt["notices"] == meanwhile > 0
    assert rebuilt["answers"] > 0 == rebuilt["refused"] == rebuilt["differing"]
    assert found["accounts"].beside["remainder"] == 0
    assert 500 < found["accounts"].count == found["roll"].count < 600
    assert found["lists-csv"].count == found["lists-pdf"].count > found["roll"].count - 100
    assert found["lists-pdf"].beside == found["lists-csv"].beside
    assert len(list((settings.data / "excerpts").rglob("*.pdf"))) == found["lists-pdf"].beside["lists"]
    assert found["verify"].count == found["verify"].events > notices

    for each in figures:
        assert each.attempts == 1
        assert 0 < each.cpu_seconds < each.seconds * each.processes + 1
        assert 30 < each.peak_rss_mib < 1_000
        assert each.files["feed"] > 10_000
        assert (each.events > 0) == (each.step != "generate")
    assert found["intake"].tables["store.event"][0] > found["intake"].count * 100
    assert (found["intake"].database_cpu_seconds or 0) > 0
    assert found["seal"].files["log"] > found["intake"].files.get("log", 0)

    # Done is done: nothing is done again, and of another rehearsal nothing is done here.
    assert rehearse(settings, PLAN, tuple(STEPS), quiet) == figures == read_figures(settings.data / "figures.jsonl")
    with pytest.raises(RehearsalError, match="other voters"):
        rehearse(settings, Plan(601, 7, PLAN.until), ("generate",), quiet)


def test_a_rehearsal_that_was_killed_goes_on_and_comes_out_the_same(
    settings: Settings, other_settings: Settings
) -> None:
    steps = ("generate", "intake", "register", "election", "roll", "lists-csv")
    whole = outcome(rehearse(settings, PLAN, steps, quiet))
    for step, trace in (("intake", "*.intake-state.json"), ("lists-csv", "*.csv")):
        with pytest.raises(BrokenProcessPool):
            rehearse(other_settings, PLAN, steps[: steps.index(step) + 1], Killer(step, other_settings.data, trace))
    again = rehearse(other_settings, PLAN, steps, quiet)
    assert outcome(again) == whole
    assert {each.step for each in again if each.attempts == 2} == {"intake", "lists-csv"}


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir()
    with pytest.raises(RehearsalError, match="something else"):
        rehearse(Settings(data=tmp_path), PLAN, ("generate",), quiet)
    assert [path.name for path in tmp_path.iterdir()] == ["postgres"]


def measured(step: str, voters: int, seconds: float, attempts: int = 1) -> Figures:
    """Figures of a step that took so much processor time."""
    return Figures(
        step=step,
        voters=voters,
        events=voters * 3,
        unit="events",
        count=voters * 3,
        seconds=seconds,
        cpu_seconds=seconds,
        database_cpu_seconds=None,
        peak_rss_mib=100.0,
        attempts=attempts,
        processes=2,
    )


def test_the_picture_shows_steps_measured_whole_at_two_sizes(tmp_path: Path) -> None:
    level = [measured("even", voters, voters * 3 * 40e-6) for voters in (1_000, 100_000)]
    broken = [measured("broken", 1_000, 1.0), measured("broken", 100_000, 1.0, attempts=2)]
    (tmp_path / "all.json").write_bytes(gathered([*reversed(level), *broken]))
    read = read_figures(tmp_path / "all.json")
    assert [each.voters for each in read] == [1_000, 1_000, 100_000, 100_000]
    picture = draw(read)
    assert ">even<" in picture
    assert "broken" not in picture
    assert picture.count("40.0 µs an event") == 2
    heights = {point.split(",")[1] for point in picture.partition('<polyline points="')[2].partition('"')[0].split()}
    assert len(heights) == 1
    with pytest.raises(ValueError, match="two sizes"):
        draw(broken)


def test_the_tables_say_what_a_step_took_and_what_is_kept_for_an_event() -> None:
    kept = {"store.event": (120_000, 30_000), "projection.stretch": (9_000, 3_000), "projection.option": (300, 600)}
    figures = msgspec.structs.replace(measured("even", 1_000, 0.12), tables=kept, files={"log": 192_000})
    said = tables([figures, measured("even", 10_000, 12.0, attempts=2)])
    assert "| even | events | 3,000 in 0.1 s; 40 + 0 µs; 100 MiB | 30,000 in 12.0 s, attempt 2; 400 + 0 µs" in said
    assert "| events | 40 + 10 | 0 + 0 |" in said
    assert "| stretches | 3 + 1 | 0 + 0 |" in said
    assert "the rest of the register | 0 + 0 |" in said
    assert "| log, files | 64 | 0 |" in said


def test_picture_and_tables_in_the_documents_are_those_of_the_figures_beside_it() -> None:
    figures = read_figures(DOCS / "scale-figures.json")
    assert (DOCS / "pictures" / "scale.svg").read_text(encoding="utf-8") == draw(figures)
    assert tables(figures) in (DOCS / "scale.md").read_text(encoding="utf-8")
