"""``cvr work``: a host that works jobs off, beside the server's own: lists to be drawn, parts of a rebuild.

It may keep the register up to date too: with projectors of its own.
"""

from __future__ import annotations

import logging
import signal
import threading
from typing import Annotated

import typer

from register.cli.worker import Work
from register.cli.workers import Workers, register_command
from register.settings import SettingsError, read_settings


def work(
    processes: Annotated[int, typer.Option(help="Workers; each draws its lists in two processes more", min=0)] = 1,
    projectors: Annotated[int, typer.Option(help="Processes that keep the register up to date", min=0)] = 0,
) -> None:
    """Work jobs off, beside the server, on another host, until told to end: draw lists, take part in rebuilds.

    With projectors: keep the register up to date together with the server's own.

    The host needs the database's address (CVR_DATABASE_URL) and, for lists, the very data folder of the server.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    if read_settings().database_url is None:
        raise SettingsError("CVR_DATABASE_URL names the database that several hosts share: set it")
    told = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: told.set())
    wanted = [Work.JOBS] * processes + [Work.PROJECTOR] * projectors
    with Workers([register_command("worker", work) for work in wanted]):
        told.wait()
