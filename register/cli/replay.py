"""``cvr replay``: the register folded again from the event store alone, as of any knowledge and any day."""

from __future__ import annotations

import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from register.app.http import build
from register.app.parts import calm_collector
from register.audit.processes import cores
from register.audit.replay import Replayed, Sink
from register.audit.replay import replay as replay_all
from register.cli.clock import current_clock
from register.cli.steps import Steps
from register.cli.verify import WORTH_SPREADING
from register.excerpts.manifest import whole_file
from register.law.parameters import LAW, under
from register.settings import read_settings, today


def replay(
    *,
    known_at: Annotated[
        str | None, typer.Option(help="A position, or an instant with its zone; default: all that is recorded.")
    ] = None,
    on: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="The day; default: today.")] = None,
    under_law: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Judge by the law in force on this day; default: each day by its own."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="A file ending in .csv; default: standard output.")] = None,
) -> None:
    """Fold the event store again from nothing, with no help from the register's tables, and write everybody as CSV."""
    known = _known(known_at)
    if out is not None and out.suffix != ".csv":
        raise typer.BadParameter("only files ending in .csv can be written", param_hint="--out")
    settings = read_settings()
    clock = current_clock(settings)
    day = today(clock()) if on is None else on.date()
    law = LAW if under_law is None else under(under_law.date())
    begun = time.monotonic()
    with build(settings, clock=clock) as system, Steps() as steps:
        calm_collector()
        processes = cores() if system.store.head() >= WORTH_SPREADING else 1

        def run(sink: Sink) -> Replayed:
            try:
                return replay_all(
                    system.database.dsn,
                    known_at=known,
                    on=day,
                    out=sink,
                    processes=processes,
                    progress=lambda done, total: steps.advance("events folded", done, total),
                    law=law,
                )
            except ValueError as error:
                raise typer.BadParameter(str(error), param_hint="--known-at") from error

        if out is None:
            done = run(sys.stdout.buffer)
            sys.stdout.flush()
        else:
            with whole_file(out.absolute()) as file:
                done = run(file)
    seconds = time.monotonic() - begun
    print(
        f"{done.persons:,} persons, {done.entered:,} of them entered, on {done.on} as known at position"
        f" {done.position:,}; {done.events:,} events folded in {seconds:.1f} s",
        file=sys.stderr,
    )


def _known(text: str | None) -> int | datetime | None:
    """A position or an instant. Raises typer.BadParameter for anything else."""
    if text is None or (text.isascii() and text.isdigit()):
        return None if text is None else int(text)
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        instant = None
    if instant is None or instant.tzinfo is None:
        raise typer.BadParameter("a position, or an instant such as 2026-03-02T09:15:00Z", param_hint="--known-at")
    return instant
