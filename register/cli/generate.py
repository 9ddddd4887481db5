"""``cvr generate``: a synthetic feed of notices, about people who do not exist."""

from __future__ import annotations

import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from register.audit.processes import cores
from register.cli.clock import current_clock
from register.rehearsal.generate import Feed, write_folder
from register.settings import read_settings, today


def generate(
    *,
    voters: Annotated[int, typer.Option(min=1, help="How many people the feed is about.")],
    seed: Annotated[int, typer.Option(help="The same seed and day give the same feed.")] = 1,
    messy: Annotated[bool, typer.Option(help="Late, repeated, out of order, wrong and annulled notices too.")] = False,
    municipality: Annotated[list[str] | None, typer.Option(help="Code of a municipality; may be repeated.")] = None,
    until: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="The day before which all was sent; default today.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="A new folder: a file for each authority, for intake --each.")
    ] = None,
    zst: Annotated[bool, typer.Option("--zst", help="With --out: pack the files (zstd).")] = False,
    processes: Annotated[int | None, typer.Option(min=1, help="Default: one for each core.")] = None,
) -> None:
    """Write a synthetic feed of notices to standard output, as NDJSON, or into a folder.

    The feed depends on voters, seed, municipalities and day alone, not on how many processes make it.
    """
    if zst and out is None:
        raise typer.BadParameter("--zst goes with --out")
    end = today(current_clock(read_settings())()) if until is None else until.date()
    many = cores() if processes is None else processes
    try:
        feed = Feed(voters, seed=seed, municipalities=municipality, messy=messy, until=end, processes=many)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    if out is None:
        _print(feed)
    else:
        _write(feed, out, packed=zst)


def _print(feed: Feed) -> None:
    out = sys.stdout.buffer
    for line in feed:
        out.write(line.written)
    out.flush()


def _write(feed: Feed, out: Path, *, packed: bool) -> None:
    begun = time.monotonic()
    try:
        files = write_folder(feed, out, packed=packed)
    except FileExistsError as error:
        raise typer.BadParameter(f"{error.strerror}: {out}") from None
    seconds, summary = time.monotonic() - begun, feed.summary
    stations = sum(place.stations for place in feed.places)
    print(f"{summary.lines} notices of {len(files)} authorities in {seconds:.1f} s, {summary.lines / seconds:,.0f}/s")
    print(f"{len(feed.places)} municipalities, {stations} regular polling stations")
    for fate, count in summary.expected.most_common():
        print(f"  {count} to be {fate}" if fate in ("recorded", "repeated") else f"  {count} to be refused: {fate}")
