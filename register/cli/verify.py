"""``cvr verify``: event store, log, register and audit log against each other."""

from __future__ import annotations

import sys
from typing import Annotated, Any, Final

import msgspec
import typer

from register.app.http import build
from register.app.parts import calm_collector
from register.audit.processes import cores
from register.audit.verify import Check, Parts, Report
from register.audit.verify import verify as verify_all
from register.cli.clock import current_clock
from register.cli.steps import Steps
from register.log.keys import open_key
from register.settings import read_settings, today

#: From so many events on, starting more processes pays.
WORTH_SPREADING: Final = 100_000
_MARKS: Final = {"ok": "ok   ", "found": "WRONG", "not-checked": "-    "}


def verify(
    *, as_json: Annotated[bool, typer.Option("--json", help="The report as JSON on standard output.")] = False
) -> None:
    """Check event store, log, register and audit log against each other. Reads only; exit 2 when something is found."""
    settings = read_settings()
    clock = current_clock(settings)
    with build(settings, clock=clock) as system, Steps() as steps:
        calm_collector()
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
        report = verify_all(parts, today=today(clock()), processes=processes, progress=steps.advance)
    if as_json:
        told: dict[str, Any] = {"ok": report.ok, **msgspec.to_builtins(report)}
        sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(told), indent=1) + b"\n")
    else:
        for line in lines(report):
            print(line)
    if not report.ok:
        raise typer.Exit(2)


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
