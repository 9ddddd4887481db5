"""``cvr excerpts``: lists drawn from the concluded roll, here and now, without a server."""

from __future__ import annotations

import sys
import time
from collections import Counter
from pathlib import Path
from typing import Annotated, Final, Self
from uuid import UUID

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from register.acts import elections
from register.api.system import System
from register.app.http import build
from register.app.parts import make_freezer, make_sealer
from register.cli.clock import current_clock
from register.cli.elsewhere import draw_elsewhere
from register.cli.existing import existing_register
from register.excerpts.from_roll import DRAWN_KINDS, NotReadyError
from register.excerpts.printers import Printers
from register.excerpts.runs import FORMATS, SCRIPTS, ReissueError, Run, Wanted
from register.excerpts.terms import RUN_KINDS
from register.law.provisions import Refusal
from register.projection import projector
from register.projection.roll_accounts import roll_accounts
from register.settings import Settings

#: Seconds between two plain lines of progress.
_PACE: Final = 5.0


def excerpts(
    election: Annotated[
        str | None, typer.Argument(help="The id of an election (concluded, save for provisional)")
    ] = None,
    kind: Annotated[
        list[str] | None, typer.Option(help=f"One of {', '.join(RUN_KINDS)} (default: all but provisional)")
    ] = None,
    municipality: Annotated[str | None, typer.Option(help="Code of the one municipality to draw for")] = None,
    formats: Annotated[
        list[str] | None, typer.Option("--format", help=f"One of {', '.join(FORMATS)} (default: pdf and csv)")
    ] = None,
    scripts: Annotated[
        list[str] | None, typer.Option("--script", help=f"One of {', '.join(SCRIPTS)} (default: latin)")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder (default: excerpts/ELECTION in CVR_DATA)")] = None,
    export: Annotated[
        Path | None, typer.Option(help="An auditor's export: draw from it, with no database; exit 2 on other lists")
    ] = None,
    cancel: Annotated[str | None, typer.Option(help="Id of a run under way: draw no further list of it")] = None,
) -> None:
    """Draw the lists of an election to files; lists that are there already are passed over. Or cancel a run."""
    if cancel is not None:
        _cancel(existing_register(), cancel)
        return
    if election is None:
        sys.exit("cvr: name the election whose lists are to be drawn, or a run to --cancel")
    if export is not None:
        if out is None:
            raise typer.BadParameter("name the folder to draw into", param_hint="--out")
        asked = Wanted(
            election=election,
            kind="",
            municipality=municipality,
            formats=tuple(formats or ("pdf", "csv")),
            scripts=tuple(scripts or ("latin",)),
        )
        raise typer.Exit(draw_elsewhere(export, asked, kind or DRAWN_KINDS, out))
    settings = existing_register()
    folder = (settings.data / "excerpts" / election if out is None else out).absolute()
    with build(settings, clock=current_clock(settings)) as system, Printers() as printers:
        _prepare(system, election)
        drawn, failed = 0, list[str]()
        for each in kind or DRAWN_KINDS:
            wanted = Wanted(
                election=election,
                kind=each,
                municipality=municipality,
                formats=tuple(formats or ("pdf", "csv")),
                scripts=tuple(scripts or ("latin",)),
            )
            try:
                run = system.runs.begin(wanted, folder)
                left = _draw(system, run, printers)
            except (ReissueError, Refusal, NotReadyError) as error:
                sys.exit(f"cvr: {error}")
            state = system.runs.find(run.id)
            if state is not None and state.state == "cancelled":
                sys.exit(f"cvr: the run {run.id} was cancelled; {state.done} of {state.total} lists are in {folder}")
            drawn, failed = drawn + run.total - len(left), failed + left
        _tell_unlisted(system, election, municipality)
    if failed:
        sys.exit("\n".join(["cvr: these lists could not be printed; the others are drawn:", *failed]))
    print(f"{drawn} lists in {folder}; manifest.json names each file with its SHA-256")


def _cancel(settings: Settings, which: str) -> None:
    with build(settings, clock=current_clock(settings)) as system:
        try:
            run = system.runs.find(UUID(which))
        except ValueError:
            run = None
        if run is None:
            sys.exit("cvr: there is no such run")
        if not system.runs.cancel(run):
            sys.exit(f"cvr: this run is not under way: it is {run.state}")
    print(f"cancelled; {run.done} of {run.total} lists are in {run.folder}")


def _tell_unlisted(system: System, election: str, municipality: str | None) -> None:
    """Say how many voters of the roll no list is for: no station covers the address, or Brčko without entity option."""
    with system.database.engine.connect() as connection:
        accounts = roll_accounts(connection, election)
    unlisted: Counter[str] = Counter()
    for cell, voters in accounts.cells.items() if accounts is not None else ():
        if cell.list in ("unallocated", "no-entity-option") and municipality in (None, cell.municipality):
            unlisted[cell.list] += voters
    for kind, voters in sorted(unlisted.items()):
        print(f"cvr: {voters} voters of the roll stand on no printed list ({kind})", file=sys.stderr)


def _prepare(system: System, election: str) -> None:
    """Bring the tables up to date, freeze the roll, have the log sealed at the conclusion: what a server's workers do.

    With a server running, whoever comes first does it. Ends the program for an election that was never called.
    """
    found = elections.load(system.store, election)
    if found is None:
        sys.exit(f"cvr: no election {election!r} was called")
    with system.database.psycopg() as connection:
        while projector.follow(connection, system.store):
            pass
    make_freezer(system.database, system.store, system.clock, system.entropy).freeze_waiting()
    sealer = make_sealer(system.settings, system.database, system.store, system.clock, system.entropy)
    sealer.seal(at=[] if found.conclusion is None else [found.conclusion])


def _draw(system: System, run: Run, printers: Printers) -> list[str]:
    """Draw a run; the lists that could not be printed, and why."""
    with _Shown(run) as shown:
        failed = [each for first in run.batches for each in system.runs.draw(run, first, printers, shown.advance)]
    system.runs.finish(run)
    return failed


class _Shown:
    """Progress: a bar on a terminal, plain lines elsewhere."""

    def __init__(self, run: Run) -> None:
        self._console = Console(stderr=True)
        self._run = run
        self._done = 0
        self._said = self._begun = time.monotonic()
        self._bar: Progress | None = None

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            columns = (TextColumn(self._run.kind), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
            self._bar = Progress(*columns, console=self._console)
            self._bar.add_task(self._run.kind, total=self._run.total)
            self._bar.start()
        return self

    def __exit__(self, failed: object, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()
        elif failed is None:
            seconds = time.monotonic() - self._begun
            self._console.print(f"{self._run.kind}: {self._run.total} lists in {seconds:.1f} s", highlight=False)

    def advance(self, lists: int) -> None:
        """So many more lists are there."""
        self._done += lists
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=self._done)
        elif time.monotonic() - self._said > _PACE:
            self._said = time.monotonic()
            self._console.print(f"{self._run.kind}: {self._done} of {self._run.total} lists", highlight=False)
