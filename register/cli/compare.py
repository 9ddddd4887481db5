"""``cvr compare``: two excerpts line by line, and what the register knows of their differences."""

from __future__ import annotations

import getpass
import sys
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer

from register.access.journal import journal_look
from register.app.http import build
from register.cli.clock import current_clock
from register.cli.existing import existing_register
from register.excerpts.comparing import Comparison, Row, Sheet, UnreadableError, read_sheet
from register.excerpts.comparing import compare as compare_sheets
from register.excerpts.explaining import Explained, basis_of_sheet, explain
from register.law.competence import caller_for, may_look

_DIFFERENT: Final = 2
_NAMES: Final = ("surname", "given_name", "parent_name", "born_on")
_SIGNS: Final = {"only-a": "-", "only-b": "+", "changed": "~"}


def compare(
    a: Annotated[Path, typer.Argument(help="An excerpt in CSV, JSON, XLSX, Parquet or VRI.")],
    b: Annotated[Path, typer.Argument(help="Another one, in any of these.")],
    *,
    explained: Annotated[
        bool,
        typer.Option("--explain", help="Name the events behind each difference; the CEC's, and journalled."),
    ] = False,
    name: Annotated[str | None, typer.Option(help="Who asks, for the journal (default: the user's name).")] = None,
    json: Annotated[bool, typer.Option("--json", help="As JSON, one object.")] = False,
) -> None:
    """Compare two excerpts: who is only in one, what is not the same; exit 2 when anything is."""
    try:
        sheets = read_sheet(a), read_sheet(b)
        found = compare_sheets(*sheets)
    except UnreadableError as error:
        sys.exit(f"cvr: {error}")
    told = _explained(found, *sheets, name) if explained else _plain(found)
    if json:
        answer = {"only_a": len(found.only_a), "only_b": len(found.only_b), "changed": len(found.changed)}
        rest = {"same": found.same, "other_codes": found.codes, "compared": found.columns, "differences": told}
        print(msgspec.json.format(msgspec.json.encode(answer | rest), indent=1).decode())
    else:
        _tell(found, told)
    if not found.equal:
        raise typer.Exit(_DIFFERENT)


def _plain(found: Comparison) -> list[Explained]:
    ends = (("only-a", found.only_a), ("only-b", found.only_b))
    told = [Explained(kind, row, {}, ()) for kind, rows in ends for row in rows]
    return told + [Explained("changed", each.a, each.columns, ()) for each in found.changed]


def _explained(found: Comparison, a: Sheet, b: Sheet, name: str | None) -> list[Explained]:
    """The same with the events, by the register of the settings. Ends the program when a file is not on record."""
    caller = caller_for("cec", name or getpass.getuser())
    may_look(caller, "diff")
    settings = existing_register()
    clock = current_clock(settings)
    with build(settings, clock=clock) as system:
        bases = [basis_of_sheet(system.store, sheet) for sheet in (a, b)]
        if bases[0] is None or bases[1] is None:
            sys.exit("cvr: no drawing on record has these rows: what they rest on is not known (leave out --explain)")
        detail = {"from": bases[0].position, "to": bases[1].position}
        with system.database.engine.begin() as connection:
            journal_look(connection, caller, "excerpt-comparison", now=clock(), detail=detail)
        with system.database.engine.connect() as connection:
            return explain(connection, found, bases[0], bases[1])


def _tell(found: Comparison, told: list[Explained]) -> None:
    for each in told:
        values = "; ".join(f"{column}: {old} -> {new}" for column, (old, new) in each.columns.items())
        print(f"{_SIGNS[each.kind]} {_who(each.row)}{': ' if values else ''}{values}")
        for cause in each.causes:
            print(f"    {cause.type} of {cause.source}, {cause.id}, position {cause.position}")
    print(
        f"{found.same} the same, {len(found.only_a)} only in A, {len(found.only_b)} only in B,"
        f" {len(found.changed)} changed; {found.codes} with other codes alone. Compared: {', '.join(found.columns)}",
        file=sys.stderr,
    )


def _who(row: Row) -> str:
    return " ".join(row[name] for name in _NAMES if name in row)
