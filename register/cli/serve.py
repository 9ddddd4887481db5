"""``cvr serve``: the API, and the workers that keep the register and the log up to date."""

from __future__ import annotations

import logging
from typing import Annotated, Final

import typer
import uvicorn

from register.app.http import build, create_app
from register.app.parts import calm_collector
from register.cli.clock import server_clock
from register.cli.worker import Work
from register.cli.workers import Workers, register_command
from register.settings import read_settings

#: Requests still being answered when the server is told to end have so long, in seconds.
GRACE: Final = 10


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on", min=0, max=65535)] = 8000,
) -> None:
    """Serve the API, and keep the register and the log up to date."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    settings = read_settings()
    with server_clock(settings) as clock, build(settings, clock=clock) as system:
        commands = [register_command("worker", work) for work in Work]
        # No access log: paths and queries may identify people, and must stand in no log.
        server = uvicorn.Config(
            create_app(system),
            host=host,
            port=port,
            access_log=False,
            log_config=None,
            server_header=False,
            timeout_graceful_shutdown=GRACE,
        )
        calm_collector()
        with Workers(commands):
            uvicorn.Server(server).run()
