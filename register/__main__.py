"""``cvr``, also ``python -m register``."""

from __future__ import annotations

import sys
from typing import Any, Final

import typer

from register.access import IssuerError
from register.cli import app_for
from register.database import DatabaseError
from register.law.provisions import Refusal
from register.settings import SettingsError

#: What typer raises for a command line it does not understand; only this descendant of it has a public name.
_UsageError: Final[Any] = typer.BadParameter.__base__


def main() -> None:
    """Run the command line: exit 0 done, 1 failed, 2 done but something was refused or found."""
    try:
        sys.exit(app_for(sys.argv[1:])(standalone_mode=False))
    except _UsageError as error:
        error.show()
        sys.exit(1)  # not 2, as is usual: 2 says that something was refused
    except typer.Abort:
        sys.exit(1)
    except (SettingsError, DatabaseError, IssuerError) as error:
        sys.exit(f"cvr: {error}")
    except Refusal as refusal:
        sys.exit(f"cvr: {refusal.detail}{f' ({refusal.provision})' if refusal.provision else ''}")


if __name__ == "__main__":
    main()
