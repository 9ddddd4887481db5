"""``cvr rehearse``: everything the register does for a nation, measured step by step, and drawn."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer

from register.cli.clock import current_clock
from register.rehearsal.nation import STEPS, USUAL, Figures, RehearsalError, draw, gathered, read_figures, tables
from register.rehearsal.nation import rehearse as run_steps
from register.rehearsal.nation.figures import Plan
from register.rehearsal.nation.outcome import StepError
from register.settings import read_settings, today

_FORMS: Final[dict[str, Callable[[list[Figures]], bytes]]] = {
    ".svg": lambda figures: draw(figures).encode(),
    ".md": lambda figures: tables(figures).encode(),
    ".json": gathered,
}


def rehearse(
    *,
    voters: Annotated[int | None, typer.Option(min=1, help="How many people the rehearsal is about.")] = None,
    data: Annotated[Path | None, typer.Option(help="A folder of the rehearsal's own; a run in it goes on.")] = None,
    seed: Annotated[int, typer.Option(help="The same seed and day give the same notices.")] = 1,
    until: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="The day of the rehearsal; default today.")
    ] = None,
    steps: Annotated[
        str | None, typer.Option(help=f"With commas, of {', '.join(STEPS)}. Default: all but inspect.")
    ] = None,
    drawing: Annotated[
        list[Path] | None, typer.Option("--draw", help="Instead: draw the growth picture from these figures.")
    ] = None,
    to: Annotated[
        Path | None,
        typer.Option(help="With --draw: the picture (.svg), tables (.md), or all the figures in one (.json)."),
    ] = None,
) -> None:
    """Rehearse a nation: notices of generated people in, register, log, election, lists, verification.

    What each step took is in DIR/figures.jsonl: seconds, processor time, rate, memory, size on disk. Interrupted, the
    same command goes on. Exit 1 when a step does not come out as it must.
    """
    if drawing is not None:
        _draw(drawing, to)
        return
    if voters is None or data is None or to is not None:
        raise typer.BadParameter("say for how many --voters, and in which folder (--data)")
    wanted = USUAL if steps is None else tuple(steps.split(","))
    unknown = [step for step in wanted if step not in STEPS]
    if unknown:
        raise typer.BadParameter(f"there is no step {unknown[0]}; there are {', '.join(STEPS)}")
    settings = read_settings()
    day = today(current_clock(settings)()) if until is None else until.date()
    try:
        run_steps(replace(settings, data=data.absolute()), Plan(voters, seed, day), wanted, _tell)
    except (RehearsalError, StepError) as error:
        sys.exit(f"cvr: {error}")


def _tell(step: str, figures: Figures | None) -> None:
    if figures is None:
        print(f"{step} …", flush=True)
        return
    of_database = figures.database_cpu_seconds
    rate = figures.count / max(figures.seconds, 1e-3)
    print(
        f"{step}: {figures.count:,} {figures.unit} in {figures.seconds:,.1f} s, {rate:,.0f}/s"
        f"; {figures.cpu_seconds:,.1f} s of processor, {'?' if of_database is None else f'{of_database:,.1f}'} s of"
        f" the database's; {figures.peak_rss_mib:,.0f} MiB",
        flush=True,
    )


def _draw(paths: list[Path], to: Path | None) -> None:
    if to is None or to.suffix not in _FORMS:
        raise typer.BadParameter(f"--to names a file ending in one of {', '.join(_FORMS)}")
    try:
        figures = [each for path in paths for each in read_figures(path)]
        to.write_bytes(_FORMS[to.suffix](figures))
    except (OSError, msgspec.DecodeError, ValueError) as error:
        sys.exit(f"cvr: {error}")
