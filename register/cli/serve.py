"""``cvr serve``: the API, and the workers that keep the register and the log up to date."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable
from typing import Annotated, Any, Final

import typer
import uvicorn

from register.app.http import build, create_app
from register.app.parts import calm_collector
from register.cli.clock import server_clock
from register.cli.worker import Work
from register.cli.workers import Workers, register_command
from register.settings import Settings, read_settings

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
        more = [Work.PROJECTOR] * (settings.projectors - 1)
        workers = Workers([register_command("worker", work) for work in (*Work, *more)])
        app = create_app(dataclasses.replace(system, unwell=workers.unwell))
        server = uvicorn.Server(configured(app, settings, host=host, port=port))
        calm_collector()
        with workers:
            server.run()


def configured(app: Callable[..., Any], settings: Settings, *, host: str, port: int) -> uvicorn.Config:
    """Return how the server runs: it logs no paths, and believes no proxy that the operator does not name."""
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        # Paths and queries may identify people, and must stand in no log.
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(settings.trusted_proxies),
        timeout_graceful_shutdown=GRACE,
    )
