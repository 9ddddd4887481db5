"""``cvr token``: a bearer token of the local development issuer."""

from __future__ import annotations

from typing import Annotated

import typer

from register.access import IssuerError, issue
from register.cli.clock import current_clock
from register.law.competence import ROLES, SENDERS
from register.settings import read_settings


def token(
    role: Annotated[str, typer.Option(help=f"One of {', '.join(sorted(ROLES))}")],
    authority: Annotated[str | None, typer.Option(help="Authority id, such as registry-office:10049")] = None,
    municipality: Annotated[list[str] | None, typer.Option(help="Code of a municipality; may be repeated")] = None,
    name: Annotated[str | None, typer.Option(help="Who it is; two people are two names")] = None,
) -> None:
    """Print a bearer token, valid for an hour, as the only line. Starts no database."""
    settings = read_settings()
    known = next((known for known in ROLES if known == role), None)
    if known is None:
        raise IssuerError(f"There is no such role; the roles are {', '.join(sorted(ROLES))}")
    if known in SENDERS - {"cec"} and authority is None and not municipality:
        typer.echo(f"cvr: a {role} that names no --authority may send nothing and see nothing", err=True)
    now = current_clock(settings)()
    print(issue(settings, role=known, now=now, authority=authority, municipality=municipality or (), name=name))
