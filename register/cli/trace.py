"""``cvr trace``: whose copy of an excerpt rows are from."""

from __future__ import annotations

import getpass
import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from register.access.journal import journal_look
from register.app.http import build
from register.app.parts import make_copies
from register.cli.clock import current_clock
from register.cli.existing import existing_register
from register.excerpts.comparing import UnreadableError, lines_of_file
from register.excerpts.trace import Trace, read_line
from register.excerpts.trace import trace as trace_lines
from register.law.competence import caller_for, may_look
from register.law.parties import Copy

#: Copies told of, the likeliest first.
_TOLD: Final = 10
_UNDECIDED: Final = 2


def trace(
    fragments: Annotated[
        list[str],
        typer.Argument(
            metavar="FRAGMENT…", help="Files with rows (CSV, JSON, XLSX, Parquet, text), or lines as typed."
        ),
    ],
    election: Annotated[str | None, typer.Option(help="Only copies of this election (default: of all).")] = None,
    name: Annotated[str | None, typer.Option(help="Who asks, for the journal (default: the user's name).")] = None,
) -> None:
    """Name the copy of an excerpt that rows came from, by the codes behind them; the CEC's, and journalled."""
    caller = caller_for("cec", name or getpass.getuser())
    may_look(caller, "copy-tracing")
    try:
        texts = [line for fragment in fragments for line in _lines(fragment)]
    except UnreadableError as error:
        raise typer.BadParameter(str(error), param_hint="FRAGMENT") from None
    lines = [line for text in texts if (line := read_line(text)).codes]
    if not lines:
        sys.exit("cvr: none of these lines has a code of six signs at its end")
    settings = existing_register()
    clock = current_clock(settings)
    with build(settings, clock=clock) as system:
        copies = make_copies(settings, system.database, system.store, clock, system.entropy)
        with system.database.engine.begin() as connection:
            detail = {"lines": len(lines), "election": election}
            journal_look(connection, caller, "copy-trace", now=clock(), election=election, detail=detail)
        with system.database.engine.connect() as connection:
            asked = copies.all(election)
            found = sorted(
                trace_lines(lines, copies.by_rows(connection, asked)), key=lambda each: (each.chance, each.granted.copy)
            )
    _tell(found, asked, len(lines))
    if not (found and found[0].certain):
        raise typer.Exit(_UNDECIDED)


def _lines(fragment: str) -> list[str]:
    path = Path(fragment)
    return lines_of_file(path) if path.is_file() else fragment.splitlines()


def _tell(found: list[Trace], asked: list[Copy], lines: int) -> None:
    print(f"{lines} lines with codes, {len(asked)} copies compared.", file=sys.stderr)
    issued = {(each.granted.election, each.granted.copy): each for each in asked}
    for each in found[:_TOLD]:
        granted = each.granted
        copy = issued[granted.election, granted.copy]
        print(
            f"{'' if each.certain else 'NOT CERTAIN: '}copy {granted.copy} of {granted.election}, unit {granted.unit},"
            f" issued to {granted.recipient} (political-entity:{granted.entity}) by the event at position"
            f" {copy.position}: {each.exact} of {each.lines} lines to the letter, {each.near} but for one sign;"
            f" any wrong copy fits as well with a chance of at most {each.chance:.1e}"
        )
    if not found:
        print("No copy has such rows.")
