"""``cvr export``: the whole history in files that anybody with Python can check."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import psycopg
import typer

from register.api.system import System
from register.app.http import build
from register.app.parts import calm_collector, make_sealer
from register.audit.export.writing import NothingSealedError
from register.audit.export.writing import export as write_export
from register.cli.clock import current_clock
from register.cli.existing import existing_register
from register.cli.steps import Steps
from register.log.keys import open_key
from register.log.sealer import SealError
from register.projection.following import Follower, StoppedError
from register.projection.projector import RivalProjectorError, UnfaithfulTablesError, position_of


def export(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder that is empty, or not there yet.")],
) -> None:
    """Write the auditor's export: records, entries, checkpoints, personal parts by mandate, and a check for them."""
    settings = existing_register()
    clock = current_clock(settings)
    with build(settings, clock=clock) as system, Steps() as steps:
        calm_collector()
        try:
            make_sealer(settings, system.database, system.store, clock, system.entropy).seal()
        except SealError as error:
            print(f"The log does not go on, the export ends with its newest checkpoint: {error}", file=sys.stderr)
        _follow(system)
        if system.cosigning is not None:
            system.cosigning.ask()
        key = str(open_key(settings.log_key, settings.origin, system.entropy).key)
        try:
            index = write_export(system.database.dsn, settings.data / "log", key, folder, progress=steps.advance)
        except FileExistsError:
            raise typer.BadParameter("is there already, and not empty", param_hint="DIR") from None
        except NothingSealedError:
            print("Nothing is recorded yet.", file=sys.stderr)
            raise typer.Exit(1) from None
    personal = sorted({kind for part in index.parts for kind in part.personal})
    print(
        f"{index.size:,} events, in {folder}. To check them with nothing but Python: verify.pyz {folder} --key KEYFILE;"
    )
    print("whoever checks takes verify.pyz and the key from elsewhere than from here.")
    print("records/ and streams/ name nobody; register/ names everybody;")
    print(f"personal/ has a folder a mandate: {', '.join(personal)}.")


def _follow(system: System) -> None:
    """Bring the register's tables to the end of the history: a register that lags would be found when it is replayed.

    With a server running, whoever comes first does it.
    """
    head = system.store.head()
    with system.database.psycopg() as connection:
        follower = Follower(connection, system.store)
        try:
            while _position(connection) < head:
                if not follower.turn():
                    follower.wait()
        except RivalProjectorError:
            pass  # a worker follows, and is as fast
        except (StoppedError, UnfaithfulTablesError) as error:
            print(f"The register of this export does not go to its end. {error}", file=sys.stderr)


def _position(connection: psycopg.Connection[Any]) -> int:
    """Where the register stands, asked in a transaction of its own: each batch must end with one."""
    with connection.transaction():
        return position_of(connection)
