"""``cvr intake``: files of notices, taken in as their sender."""

from __future__ import annotations

import sys
import time
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from register.app.http import build
from register.app.parts import calm_collector
from register.cli.clock import current_clock
from register.cli.progress import Shown
from register.intake.batch import Intake
from register.intake.files import STDIN, BrokenFileError, Taken, take
from register.intake.folder import FolderError, authority_of, files_in
from register.law.competence import Caller, caller_for
from register.settings import read_settings


def intake(
    files: Annotated[
        list[Path] | None, typer.Argument(help="NDJSON, optionally gzip or zstd; - is standard input")
    ] = None,
    authority: Annotated[str | None, typer.Option("--as", help="The authority whose notices these are")] = None,
    each: Annotated[
        Path | None, typer.Option("--each", help="Instead: a folder of files named after their authorities")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Judge, and record nothing")] = False,
) -> None:
    """Take in files of notices. Refused lines go to FILE.refused.ndjson with their reasons; exit 2 if there are any.

    An interrupted run goes on where it ended when the same command is given again. A folder (a first load) holds a
    file for each authority, as `cvr generate --out` writes them: registry-office_10049.ndjson, cec.ndjson.zst, …
    """
    work = _work(files or [], authority, each)
    settings = read_settings()
    all_of_them: list[Taken] = []
    begun = time.monotonic()
    with build(settings, clock=current_clock(settings)) as system:
        calm_collector()
        for file, caller in work:
            all_of_them.append(_take(system.intake, file, caller, dry_run=dry_run, kept=each is not None))
    if each is not None:
        _report_all(all_of_them, time.monotonic() - begun)
    if any(taken.kinds for taken in all_of_them):
        raise typer.Exit(2)


def _work(files: list[Path], authority: str | None, each: Path | None) -> list[tuple[Path, Caller]]:
    """The files to be taken in, and as whom. Raises ``BadParameter``, and ``Refusal`` for an unknown authority."""
    if each is None:
        if not files or authority is None:
            raise typer.BadParameter("name files and, by --as, whose they are; or a folder, by --each")
        return [(file, _caller(authority)) for file in files]
    if files or authority is not None:
        raise typer.BadParameter("--each names all files there are to take in, and their names say whose they are")
    try:
        return [(file, _caller(authority_of(file))) for file in files_in(each)]
    except FolderError as error:
        raise typer.BadParameter(str(error)) from None


def _caller(authority: str) -> Caller:
    return caller_for(authority, f"cvr intake as {authority}")


def _take(intake: Intake, file: Path, caller: Caller, *, dry_run: bool, kept: bool) -> Taken:
    begun = time.monotonic()
    try:
        with Shown(file, None if file == STDIN else file.stat().st_size) as shown:
            taken = take(intake, file, caller, shown.advance, dry_run=dry_run, kept=kept)
    except BrokenFileError as error:
        _report(error.taken, time.monotonic() - begun)
        sys.exit(f"cvr: {file}: {error}")
    except OSError as error:
        sys.exit(f"cvr: {file}: {error.strerror}")
    _report(taken, time.monotonic() - begun)
    return taken


def _report(taken: Taken, seconds: float) -> None:
    earlier = f" ({taken.before} of them by the run before)" if taken.before else ""
    rate = (taken.total - taken.before) / max(seconds, 1e-6)
    print(
        f"{taken.file}: {taken.total} notices{earlier} in {seconds:.1f} s, {rate:,.0f}/s: {_told(taken.counts)}",
        flush=True,
    )
    for kind, count in sorted(taken.kinds.items(), key=lambda item: -item[1]):
        print(f"  {count} {kind}")
    if taken.reasons is not None:
        print(f"  reasons: {taken.reasons}")


def _report_all(taken: list[Taken], seconds: float) -> None:
    counts: Counter[str] = Counter()
    for one in taken:
        counts.update(one.counts)
    total, before = sum(counts.values()), sum(one.before for one in taken)
    rate = (total - before) / max(seconds, 1e-6)
    earlier = f" ({before} of them by the run before)" if before else ""
    print(f"{len(taken)} files, {total} notices{earlier} in {seconds:.1f} s, {rate:,.0f}/s: {_told(counts)}")


def _told(counts: dict[str, int]) -> str:
    return ", ".join(f"{counts.get(status, 0)} {status}" for status in ("recorded", "repeated", "refused"))
