"""Runs the steps, one after another, and measures each."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, wait
from contextlib import ExitStack
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

import msgspec
import psycopg

from register.audit.processes import cores
from register.database import Database, open_database
from register.settings import Settings

from . import steps
from .figures import Figures, Plan, read_figures
from .measuring import Meter, folder_size, server_of, table_sizes
from .outcome import Done, Site

_PLAN: Final = "rehearsal.json"
#: Seconds between two looks at how much memory is held.
_PACE: Final = 0.2
#: Folders whose size is told, below the data folder.
_FOLDERS: Final = ("feed", "log", "excerpts")

#: Hears of each step before it begins (with None), and after it.
Told = Callable[[str, Figures | None], None]


class RehearsalError(Exception):
    """The folder holds something else than this rehearsal; the message says what."""


def rehearse(settings: Settings, plan: Plan, wanted: Sequence[str], told: Told) -> list[Figures]:
    """Run those of the wanted steps that are not done yet in the data folder; the figures of all that are done.

    They stand in ``figures.jsonl`` of the folder, a line each. Raises :class:`RehearsalError`, ``StepError`` when a
    step does not come out as it must, and what else a step raises; what is done by then stays done.
    """
    _settle(settings.data, plan)
    path = settings.data / "figures.jsonl"
    found = read_figures(path) if path.exists() else []
    with ExitStack() as stack:
        database = stack.enter_context(open_database(settings))
        for name in [step for step in steps.STEPS if step in wanted]:
            if any(figures.step == name for figures in found):
                continue
            told(name, None)
            figures = _measured(database, Site(settings, plan), name, _attempt(settings.data, name))
            with path.open("ab") as file:
                file.write(msgspec.json.encode(figures) + b"\n")
            found.append(figures)
            told(name, figures)
    return found


def _settle(data: Path, plan: Plan) -> None:
    """Write down the plan, or see that the folder has the same."""
    path = data / _PLAN
    if path.exists():
        if msgspec.json.decode(path.read_bytes(), type=Plan) != plan:
            raise RehearsalError(f"{data} holds a rehearsal of other voters, seed or day; name another folder")
        return
    if data.exists() and any(data.iterdir()):
        raise RehearsalError(f"{data} holds something else; name another folder")
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.encode(plan))


def _attempt(data: Path, step: str) -> int:
    """Count this attempt at a step, and how many there were."""
    path = data / "attempts.json"
    counts = msgspec.json.decode(path.read_bytes(), type=dict[str, int]) if path.exists() else {}
    counts[step] = counts.get(step, 0) + 1
    path.write_bytes(msgspec.json.encode(counts))
    return counts[step]


def _measured(database: Database, site: Site, name: str, attempt: int) -> Figures:
    """Do a step in a process of its own, and measure that, whatever it starts, and the database."""
    # One process loads the program, and each step begins as a copy of it: in the same state, and soon.
    context = get_context("forkserver")
    context.set_forkserver_preload([steps.__name__])
    with database.psycopg(autocommit=True) as connection:
        server = server_of(connection)
        with ProcessPoolExecutor(1, context) as pool:
            pool.submit(_ready).result()  # what it takes to load the program is not the step's
            meter, begun = Meter(server), time.monotonic()
            step = pool.submit(_do, name, site.settings, site.plan)
            while not wait([step], timeout=_PACE).done:
                meter.look()
            done: Done = step.result()
            seconds = time.monotonic() - begun
            meter.look()
            cpu, of_database = meter.cpu_seconds()
        tables, events = table_sizes(connection), _events(connection)
    return Figures(
        step=name,
        voters=site.plan.voters,
        events=events,
        unit=done.unit,
        count=done.count,
        seconds=round(seconds, 3),
        cpu_seconds=round(cpu, 2),
        database_cpu_seconds=None if of_database is None else round(of_database, 2),
        peak_rss_mib=round(meter.peak_rss_mib, 1),
        attempts=attempt,
        processes=cores(),
        beside=done.beside,
        tables={table: sizes for table, sizes in tables.items() if sum(sizes) > 0},
        files={folder: size for folder in _FOLDERS if (size := folder_size(site.settings.data / folder))},
    )


def _events(connection: psycopg.Connection[Any]) -> int:
    row = connection.execute("SELECT coalesce(max(notification_id), 0) FROM store.event").fetchone()
    return 0 if row is None else int(row[0])


def _ready() -> None:
    """Nothing: this module has been loaded, and with it the steps."""


def _do(name: str, settings: Settings, plan: Plan) -> Done:
    return steps.STEPS[name](Site(settings, plan))
