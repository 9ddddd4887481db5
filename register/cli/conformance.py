"""``cvr conformance``: what an authority's engineer runs alone against a rehearsal server."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.table import Table

from register.access import issue
from register.cli.steps import Steps
from register.law.competence import role_of
from register.rehearsal.conformance import ConformanceError, Result, Server, conform, greet
from register.settings import read_settings

#: With ``--all``: one authority of each kind, and Brčko's, which alone sends entity options.
EVERYBODY: Final = (
    "registry-office:10049",
    "residence-authority:10049",
    "residence-authority:30163",
    "ministry:civil-affairs",
    "court:basic-court-bihac",
    "municipal-commission:10049",
    "cec",
)
#: Columns of the table, at least: a file or a pager has no width of its own.
_WIDTH: Final = 130
_COLOURS: Final = {"pass": "green", "FAIL": "bold red", "n/a": "dim"}


def conformance(
    url: Annotated[str, typer.Argument(help="The server, such as https://rehearsal.example")],
    token: Annotated[str | None, typer.Option(help="The authority's token; better --token-file")] = None,
    token_file: Annotated[Path | None, typer.Option(help="File that holds the authority's token")] = None,
    everybody: Annotated[
        bool, typer.Option("--all", help="Every kind of authority, with tokens of the local development issuer")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Dry runs only; the only ones for a real server")] = False,
) -> None:
    """Check what an authority sends and hears against a rehearsal server, and print what holds. Exit 2 if not all."""
    failed = False
    try:
        now = _greeted(url, dry_run)
        for given in _tokens(token, token_file, everybody, now):
            with Server(url, given) as server:
                results = _made(server, dry_only=dry_run, now=now)
            _print(str(server.caller.authority), results)
            failed |= any(result.state == "FAIL" for result in results)
    except ConformanceError as error:
        raise SystemExit(f"cvr: {error}") from None
    if failed:
        raise typer.Exit(2)


def _greeted(url: str, dry_run: bool) -> datetime:
    """The server's clock. Raises :class:`ConformanceError` for a real server to which notices would be sent."""
    rehearsal, now = greet(url)
    if not rehearsal and not dry_run:
        raise ConformanceError("This server is not a rehearsal: nothing is sent there to be recorded; use --dry-run")
    return now


def _tokens(token: str | None, file: Path | None, everybody: bool, now: datetime) -> Iterator[str]:
    """The tokens to check with. Raises :class:`ConformanceError`."""
    if sum((token is not None, file is not None, everybody)) != 1:
        raise ConformanceError("Give one of --token, --token-file and --all")
    if everybody:  # a rehearsal judges tokens by its own clock
        settings = read_settings()
        for authority in EVERYBODY:
            yield issue(settings, role=role_of(authority), authority=authority, name="cvr conformance", now=now)
    elif token is not None:
        yield token
    elif file is not None:
        try:
            yield file.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ConformanceError(f"{file}: {error.strerror}") from None


def _made(server: Server, *, dry_only: bool, now: datetime) -> list[Result]:
    results: list[Result] = []
    with Steps() as steps:
        for result in conform(server, dry_only=dry_only, now=now, seed=int.from_bytes(os.urandom(8))):
            results.append(result)
            steps.advance(f"{server.caller.authority}: {result.name}", len(results), 0)
    return results


def _print(authority: str, results: list[Result]) -> None:
    table = Table("check", "stands in", "result", title=authority, title_justify="left", box=None, pad_edge=False)
    for result in results:
        detail = f": {result.detail}" if result.state == "FAIL" else ""
        table.add_row(result.name, result.source, f"[{_COLOURS[result.state]}]{result.state}[/]{detail}")
    console = Console(highlight=False)
    console.width = max(console.width, _WIDTH)
    console.print(table)
    counts = {state: sum(result.state == state for result in results) for state in _COLOURS}
    console.print(f"{counts['pass']} pass, {counts['FAIL']} fail, {counts['n/a']} not of this authority\n")
