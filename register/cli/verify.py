"""``cvr verify``: event store, log, register and audit log against each other."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import typer

from register.api.system import System
from register.app.http import build
from register.app.parts import calm_collector, read_reference
from register.audit.export.reading import MissingMandateError
from register.audit.export.refolding import refold
from register.audit.offline.command import check_list_files, key_line, policy_of
from register.audit.offline.exported import NotAnExportError, check_export
from register.audit.offline.lists import WRONG
from register.audit.processes import cores
from register.audit.verify import Check, Parts, Report
from register.audit.verify import verify as verify_all
from register.audit.verify.answers import check_answers
from register.cli.clock import current_clock
from register.cli.existing import existing_register
from register.cli.steps import Steps
from register.log.keys import open_key
from register.log.policy import PolicyError
from register.settings import Clock, Settings, today

#: From so many events on, starting more processes pays.
WORTH_SPREADING: Final = 100_000
_MARKS: Final = {"ok": "ok   ", "found": "WRONG", "not-checked": "-    "}


def verify(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="The report as JSON on standard output.")] = False,
    export: Annotated[
        Path | None, typer.Option(help="An auditor's export: checked offline, without database or network.")
    ] = None,
    replay: Annotated[
        bool, typer.Option("--replay", help="With --export: fold the law again as well, from the export alone.")
    ] = False,
    key: Annotated[
        str | None,
        typer.Option(help="With --export or --proof: the log's verifier key line as published, or a file with it."),
    ] = None,
    checkpoint: Annotated[
        list[Path] | None, typer.Option(help="With --export: a checkpoint kept from elsewhere; any number.")
    ] = None,
    policy: Annotated[
        Path | None, typer.Option(help="With --export: who must have cosigned, a C2SP tlog-policy file.")
    ] = None,
    proof: Annotated[
        Path | None, typer.Option(help="A voter's proof of a line, or with --list the proof of the list: offline.")
    ] = None,
    csv: Annotated[Path | None, typer.Option("--list", help="With --proof: the copy of a list as CSV.")] = None,
    asof_samples: Annotated[
        int | None,
        typer.Option(min=1, help="Only this: so many persons, days and positions at random, answered from the events."),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="With --asof-samples: draw those of an earlier run again.")] = None,
) -> None:
    """Check event store, log, register and audit log against each other. Reads only; exit 2 when something is found."""
    if (seed is not None and asof_samples is None) or (asof_samples is not None and (export or proof or csv)):
        raise typer.BadParameter("--seed goes with --asof-samples, and that with nothing else", param_hint="--seed")
    if proof is not None or csv is not None:
        raise typer.Exit(_verify_list(proof, csv, key))
    if export is not None:
        raise typer.Exit(_verify_export(export, key, checkpoint or [], policy, replay=replay))
    if replay or key is not None or checkpoint or policy is not None:
        raise typer.BadParameter("goes with --export only", param_hint="--replay, --key, --checkpoint, --policy")
    settings = existing_register()
    clock = current_clock(settings)
    with build(settings, clock=clock) as system, Steps() as steps:
        calm_collector()
        if asof_samples is None:
            report = _verify_all(system, settings, clock, steps)
        else:
            report = check_answers(
                system.database.engine,
                questions=asof_samples,
                seed=int.from_bytes(system.entropy(4)) if seed is None else seed,
                today=today(clock()),
                progress=steps.advance,
            )
    _tell(report, as_json=as_json)
    if not report.ok:
        raise typer.Exit(2)


def _verify_all(system: System, settings: Settings, clock: Clock, steps: Steps) -> Report:
    """Everything beside everything."""
    parts = Parts(
        dsn=system.database.dsn,
        store=system.store,
        log=settings.data / "log",
        key=open_key(settings.log_key, settings.origin, system.entropy).key,
        municipalities=frozenset(system.municipalities),
        excerpts=settings.data / "excerpts",
        documents=system.documents,
    )
    processes = cores() if system.store.head() >= WORTH_SPREADING else 1
    return verify_all(parts, today=today(clock()), processes=processes, progress=steps.advance)


def _tell(report: Report, *, as_json: bool) -> None:
    """The report on standard output."""
    if as_json:
        told: dict[str, Any] = {"ok": report.ok, **msgspec.to_builtins(report)}
        sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(told), indent=1) + b"\n")
    else:
        print("\n".join(lines(report)))


def _verify_list(proof: Path | None, csv: Path | None, key: str | None) -> int:
    """The exit status: 0, or 2 when the list or line is not the one on record. Raises typer.BadParameter."""
    if proof is None or key is None:
        raise typer.BadParameter("--list goes with --proof, and --proof with --key", param_hint="--proof, --key")
    try:
        standing = check_list_files(proof, key_line(key) or "", csv)
    except OSError as error:
        raise typer.BadParameter(str(error), param_hint="--proof, --list, --key") from None
    except WRONG as error:
        print(f"NOT OK: {error}")
        return 2
    print("\n".join(standing.said()))
    return 0


def _verify_export(folder: Path, key: str | None, kept: Sequence[Path], policy: Path | None, *, replay: bool) -> int:
    """The exit status: 0, or 2 when something is found. Raises typer.BadParameter for what is no export."""
    with Steps() as steps:
        try:
            notes = tuple(path.read_bytes() for path in kept)
            verdict = check_export(folder, key_line(key), notes, steps.advance, policy_of(policy))
        except (NotAnExportError, PolicyError, OSError) as error:
            raise typer.BadParameter(str(error), param_hint="--export") from None
        report = None
        if replay and verdict.ok:
            processes = cores() if verdict.size >= WORTH_SPREADING else 1
            try:
                report = refold(folder, read_reference().keys(), processes=processes, progress=steps.advance)
            except MissingMandateError as error:
                raise typer.BadParameter(
                    f"the law cannot be folded without what was sent by: {error}", param_hint="--replay"
                ) from None
    for line in (*verdict.lines(), *(lines(report) if report else [])):
        print(line)
    if replay and report is None:
        print("The law was not folded again: the events are not those that were signed.")
    return 0 if verdict.ok and (report is None or report.ok) else 2


def lines(report: Report) -> list[str]:
    """The report for people: one line a check, under each what was found and where it begins."""
    said = []
    for check in report.checks:
        said.append(f"{_MARKS[check.verdict]}  {check.what} ({check.count:,} {check.unit})")
        said += [f"         {note}" for note in check.notes]
        said += _found(check)
    wrong = [check for check in report.checks if check.verdict == "found"]
    where = (
        f"{report.head:,} events, {report.sealed:,} of them sealed; the register rests on position {report.position:,}"
    )
    firsts = [check.first_position for check in wrong if check.first_position is not None]
    if not wrong:
        said.append(f"All is well: {where}.")
    elif firsts:
        said.append(f"Something was found, the first at position {min(firsts)}: {where}.")
    else:
        said.append(f"Something was found: {where}.")
    return said


def _found(check: Check) -> list[str]:
    said = []
    for finding in check.findings:
        place = "" if finding.position is None else f"position {finding.position}: "
        person = "" if finding.person is None else f" (person {finding.person})"
        said.append(f"         {place}{finding.what}{person}")
    if check.found > len(check.findings):
        said.append(f"         and {check.found - len(check.findings):,} more")
    return said
