"""``cvr generate``: a synthetic feed of notices, about people who do not exist."""

from __future__ import annotations

import sys
from datetime import datetime
from typing import Annotated

import typer

from register.cli.clock import current_clock
from register.rehearsal.generate import Feed
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
) -> None:
    """Write a synthetic feed of notices to standard output, as NDJSON."""
    end = today(current_clock(read_settings())()) if until is None else until.date()
    try:
        feed = Feed(voters, seed=seed, municipalities=municipality, messy=messy, until=end)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    out = sys.stdout.buffer
    for line in feed:
        out.write(line.written)
    out.flush()
