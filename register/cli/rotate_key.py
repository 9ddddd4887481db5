"""``cvr rotate-key``: another key takes over the signing of the log, in two steps."""

from __future__ import annotations

import os
import sys
from base64 import b64encode
from enum import StrEnum
from typing import Annotated

import typer

from register.app.http import build
from register.app.parts import make_keys, make_sealer
from register.cli.clock import current_clock
from register.log.keys import KeyFileError
from register.log.rotation import RotationError, announce, retire
from register.log.sealer import SealError
from register.settings import read_settings


class Step(StrEnum):
    """The two steps."""

    ANNOUNCE = "announce"
    RETIRE = "retire"


def rotate_key(
    step: Annotated[
        Step, typer.Argument(help="announce: a new key signs beside the old one; retire: the old one ends")
    ],
    by: Annotated[str, typer.Option(help="Who does it; kept among the personal members of the event")],
    reason: Annotated[str, typer.Option(help="With retire: why the old key ends; everyone reads it")] = "replaced",
) -> None:
    """Let another key take over the signing of the log. Both steps may be given again after an interruption."""
    settings = read_settings()
    clock = current_clock(settings)
    with build(settings, clock=clock) as system:
        keys = make_keys(settings, system.entropy)
        sealer = make_sealer(settings, system.database, system.store, clock, system.entropy)
        now, salt = clock(), b64encode(os.urandom(16)).decode()
        try:
            if step is Step.ANNOUNCE:
                key = announce(system.store, sealer, keys, by=by, now=now, salt=salt)
                print(f"Both keys sign from here on. Publish the new one beside the old one:\n{key}")
            else:
                key = retire(system.store, sealer, keys, by=by, reason=reason, now=now, salt=salt)
                print(f"This key signs no longer; its file stays beside the new one:\n{key}")
        except (RotationError, KeyFileError, SealError) as error:
            print(f"cvr rotate-key: {error}", file=sys.stderr)
            raise typer.Exit(1) from None
