"""``cvr rebuild``: the register's tables built anew beside the live ones, compared, and put in their place."""

from __future__ import annotations

import os
import sys
from typing import Annotated, Final

import typer

from register.app.parts import calm_collector, open_store
from register.audit.processes import cores
from register.cli.existing import existing_register
from register.cli.steps import Steps
from register.database import open_database
from register.projection.rebuild import RebuildRunningError, discard, join
from register.projection.rebuild import rebuild as build_anew

#: So many differences are told one by one.
_TOLD: Final = 20


def rebuild(
    *,
    discarding: Annotated[
        bool, typer.Option("--discard", help="Throw away what a rebuild that was broken off has built.")
    ] = False,
    joining: Annotated[
        bool, typer.Option("--join", help="Take part in a rebuild that another host has begun, until all is loaded.")
    ] = False,
    accept: Annotated[
        bool, typer.Option("--accept", help="Put the new tables in place even if they differ from the old ones.")
    ] = False,
) -> None:
    """Build the register's tables anew beside the live ones, compare, switch.

    The register goes on answering meanwhile. Broken off, it goes on where it was the next time. Exit 2 when the new
    tables differ from the live ones: then nothing is switched, and what is built is kept.
    """
    try:
        with (
            open_database(existing_register()) as database,
            open_store(database, os.urandom) as store,
            Steps() as steps,
        ):
            calm_collector()
            if discarding:
                there = discard(database)
                print("What was built is thrown away." if there else "There was nothing to throw away.")
                return
            if joining:
                took_part = join(database, cores())
                print("The register is loaded." if took_part else "There was nothing to take part in.")
                return
            built = build_anew(database, store, processes=cores(), progress=steps.advance, accept=accept)
    except RebuildRunningError as error:
        sys.exit(f"cvr: {error}")
    for each in built.differences[:_TOLD]:
        where = f", municipality {each.municipality}" if each.municipality else ""
        print(f"{each.table}{where}: {each.old:,} rows before, {each.new:,} now, not all the same")
    if len(built.differences) > _TOLD:
        print(f"… and {len(built.differences) - _TOLD} more differences")
    if not built.switched:
        print("The new tables differ from the live ones: not switched. See cvr verify; then --accept, or --discard.")
        raise typer.Exit(2)
    print(f"The register was built anew; it rests on position {built.position:,}.")
