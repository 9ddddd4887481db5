"""Seals made-up events and has each checkpoint cosigned, until it is killed; prints each root before and after."""

from __future__ import annotations

import json
import sys
from datetime import timedelta
from pathlib import Path

import psycopg
import sqlalchemy as sa

from register.log.files import LogFiles
from register.log.keys import Signer
from register.log.receipts import consistency
from register.log.sealer import Sealer
from register.log.witness import OutsideWitness
from tests.log.conftest import START, Events


def main(dsn: str, folder: Path, state: Path) -> None:
    """Go on from wherever the one before was killed."""
    engine = sa.create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(dsn))
    events, signer = Events(), Signer("log.example/register", bytes(range(32)))
    later = START + timedelta(minutes=10)
    sealer = Sealer(source=events, engine=engine, folder=folder, signer=signer, clock=lambda: later)
    own = OutsideWitness(state, "witness.example/w1", clock=lambda: later, random=lambda count: bytes([7]) * count)
    own.trust([signer.key])
    newest = sealer.newest()
    events.record(newest.size if newest else 1)
    sealer.seal()
    say({})
    while True:
        events.record(3)
        sealed = sealer.seal()
        say({sealed.size: sealed.checkpoint.root.hex()})
        seen = own.seen(signer.key.name)
        with LogFiles(folder) as files:
            own.add_checkpoint(consistency(seen.size if seen else 0, sealed.note, files.node))


def say(roots: dict[int, str]) -> None:
    """One line, at once."""
    sys.stdout.write(json.dumps(roots) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
