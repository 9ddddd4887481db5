"""``cvr demo``: the main job from nothing, told as a story."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Annotated

import typer

from register.cli.clock import current_clock
from register.rehearsal.demo.server import DemoError
from register.rehearsal.demo.story import VOTERS, tell
from register.settings import read_settings, today


def demo(voters: Annotated[int, typer.Option(min=500, help="How many generated people.")] = VOTERS) -> None:
    """Show the main job from nothing, in ./demo (or CVR_DATA): notices, register, election, lists, verification."""
    settings = read_settings()
    data = settings.data if "CVR_DATA" in os.environ else Path.cwd() / "demo"
    # Only ever the embedded database of its own folder, and its own issuer: generated people go nowhere else.
    settings = dataclasses.replace(settings, data=data, database_url=None, issuer=None, jwks_url=None)
    try:
        code = tell(settings, today(current_clock(settings)()), voters=voters)
    except DemoError as error:
        typer.echo(f"The demo stopped: {error}", err=True)
        raise typer.Exit(1) from error
    raise typer.Exit(code)
