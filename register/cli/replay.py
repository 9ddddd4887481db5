"""``cvr replay``: the register folded again from its events alone, as of any knowledge and any day."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Final

import typer

from register.app.http import build
from register.app.parts import calm_collector
from register.audit.export.reading import MissingMandateError
from register.audit.offline.form import NotAnExportError
from register.audit.processes import cores
from register.audit.replay import (
    ExportError,
    PositionError,
    Replayed,
    Sink,
    Spread,
    cluster,
    on_cores,
    parquet,
    replay_export,
    size_of,
)
from register.audit.replay import replay as replay_store
from register.cli.clock import current_clock
from register.cli.existing import existing_register
from register.cli.steps import Steps
from register.cli.verify import WORTH_SPREADING
from register.excerpts.manifest import whole_file
from register.law.parameters import LAW, Law, under
from register.settings import make_clock, today

_FORMS: Final = (".csv", ".parquet")

#: Writes a replay into a sink.
Run = Callable[[Sink], Replayed]


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
    out: Annotated[
        Path | None, typer.Option(help="A file ending in .csv or .parquet; default: CSV on standard output.")
    ] = None,
    export: Annotated[
        Path | None, typer.Option(help="Fold an auditor's export: no database, no settings.", metavar="DIR")
    ] = None,
    cluster_at: Annotated[
        str | None,
        typer.Option(
            "--cluster",
            metavar="ADDRESS",
            help="With --export: the scheduler of a Dask cluster, as in tcp://10.0.0.5:8786, whose workers see DIR.",
        ),
    ] = None,
) -> None:
    """Fold the events again from nothing, with no help from the register's tables, and write everybody's entry."""
    known = _known(known_at)
    _check(out, export, cluster_at)
    day = None if on is None else on.date()
    law = LAW if under_law is None else under(under_law.date())
    begun = time.monotonic()
    with Steps() as steps:
        if export is None:
            with _stored(known, day, law, steps) as run:
                done = _written(run, out)
        else:
            with _exported(export.absolute(), cluster_at, known, day, law, steps) as run:
                done = _written(run, out)
    seconds = time.monotonic() - begun
    print(
        f"{done.persons:,} persons, {done.entered:,} of them entered, on {done.on} as known at position"
        f" {done.position:,}; {done.events:,} events folded in {seconds:.1f} s",
        file=sys.stderr,
    )


@contextmanager
def _stored(known: int | datetime | None, day: date | None, law: Law, steps: Steps) -> Iterator[Run]:
    """A replay of the event store."""
    settings = existing_register()
    clock = current_clock(settings)
    with build(settings, clock=clock) as system:
        calm_collector()
        yield lambda sink: replay_store(
            system.database.dsn,
            known_at=known,
            on=day or today(clock()),
            out=sink,
            processes=cores() if system.store.head() >= WORTH_SPREADING else 1,
            progress=lambda done, total: steps.advance("events folded", done, total),
            law=law,
        )


@contextmanager
def _exported(
    folder: Path, address: str | None, known: int | datetime | None, day: date | None, law: Law, steps: Steps
) -> Iterator[Run]:
    """A replay of an export, here or on a cluster. Raises typer.BadParameter, typer.Exit."""
    calm_collector()

    def run(sink: Sink) -> Replayed:
        def folded(spread: Spread) -> Replayed:
            return replay_export(
                folder,
                known_at=known,
                on=day or today(make_clock()()),
                out=sink,
                spread=spread,
                progress=lambda done, total: steps.advance("events folded", done, total),
                law=law,
            )

        if address is None:
            return folded(on_cores(cores() if size_of(folder) >= WORTH_SPREADING else 1))
        with cluster.Cluster(address) as machines:
            return folded(machines.spread)

    try:
        yield run
    except NotAnExportError as error:
        raise typer.BadParameter(str(error), param_hint="--export") from None
    except MissingMandateError as error:
        raise typer.BadParameter(
            f"the law cannot be folded without what was sent by: {error}", param_hint="--export"
        ) from None
    except ExportError as error:
        print(f"The export cannot be folded: {error}. cvr verify --export says what is wrong with it.", file=sys.stderr)
        raise typer.Exit(1) from None
    except cluster.ClusterError as error:
        print(f"Nothing was written: {error}.", file=sys.stderr)
        raise typer.Exit(1) from None


def _written(run: Run, out: Path | None) -> Replayed:
    """Write to a file, which is there whole or not at all, or to standard output."""
    try:
        if out is None:
            done = run(sys.stdout.buffer)
            sys.stdout.flush()
            return done
        with whole_file(out.absolute()) as file:
            if out.suffix == ".csv":
                return run(file)
            with parquet.ParquetSink(file) as sink:
                done = run(sink)
                sink.end(done)
            return done
    except PositionError as error:
        raise typer.BadParameter(str(error), param_hint="--known-at") from error


def _check(out: Path | None, export: Path | None, address: str | None) -> None:
    """Refuse what cannot be done before anything is opened. Raises typer.BadParameter."""
    if out is not None and out.suffix not in _FORMS:
        raise typer.BadParameter("only files ending in .csv or .parquet can be written", param_hint="--out")
    if out is not None and out.suffix == ".parquet" and (reason := parquet.why_not()) is not None:
        raise typer.BadParameter(reason, param_hint="--out")
    if address is not None and export is None:
        raise typer.BadParameter("goes with --export only", param_hint="--cluster")
    if address is not None and (reason := cluster.why_not()) is not None:
        raise typer.BadParameter(reason, param_hint="--cluster")


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
