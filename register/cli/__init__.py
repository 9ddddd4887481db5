"""The command line, ``cvr``. Each command has a module of its own, which is imported when it is asked for.

A worker that only seals need not load the pages; a token must come at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Final

import typer

from register.settings import NAMES

#: Command -> module below this one; its function bears the command's name.
COMMANDS: Final = (
    "serve",
    "demo",
    "generate",
    "rehearse",
    "intake",
    "excerpts",
    "replay",
    "rebuild",
    "verify",
    "export",
    "trace",
    "compare",
    "witness",
    "rotate-key",
    "token",
    "conformance",
    "migrate",
    "bench",
    "work",
    "worker",
    "contracts",
)
#: For the program's own use.
HIDDEN: Final = frozenset({"worker", "contracts"})

_SETTINGS: Final = "\n\n".join(f"{name}: {meaning}" for name, meaning in NAMES.items())


def app_for(words: Sequence[str]) -> typer.Typer:
    """The program for one command line: with the one command it names, else with all of them."""
    app = typer.Typer(
        name="cvr",
        help="The Central Voters Register of Bosnia and Herzegovina.",
        epilog=f"Settings come from the environment or from .env:\n\n{_SETTINGS}",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    app.callback()(_register)
    for name in words[:1] if words and words[0] in COMMANDS else COMMANDS:
        module = name.replace("-", "_")
        app.command(name, hidden=name in HIDDEN)(getattr(import_module(f"register.cli.{module}"), module))
    return app


def _register() -> None:
    """The Central Voters Register of Bosnia and Herzegovina."""
