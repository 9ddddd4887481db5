"""The command line, ``cvr``. Each command has a module of its own; this one puts them together."""

from __future__ import annotations

import typer

from register.cli import contracts, demo, excerpts, generate, intake, migrate, replay, serve, token, verify, worker
from register.settings import NAMES

_SETTINGS = "\n\n".join(f"{name}: {meaning}" for name, meaning in NAMES.items())

app = typer.Typer(
    name="cvr",
    help="The Central Voters Register of Bosnia and Herzegovina.",
    epilog=f"Settings come from the environment or from .env:\n\n{_SETTINGS}",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("serve")(serve.serve)
app.command("demo")(demo.demo)
app.command("generate")(generate.generate)
app.command("intake")(intake.intake)
app.command("excerpts")(excerpts.excerpts)
app.command("replay")(replay.replay)
app.command("verify")(verify.verify)
app.command("token")(token.token)
app.command("migrate")(migrate.migrate)
app.command("worker", hidden=True)(worker.worker)
app.command("contracts", hidden=True)(contracts.contracts)
