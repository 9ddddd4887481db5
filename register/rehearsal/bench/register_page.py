"""``register-page``: 100 entries of a municipality as of a random day and position, beside a request for nothing."""

from __future__ import annotations

from random import Random
from typing import Final

from register.rehearsal.bench import reads
from register.rehearsal.bench.ground import Connection, Ground
from register.rehearsal.bench.result import Goal, Result

SIZE: Final = 60_000
GOAL: Final = Goal(6, at_least=False)
_ENTRIES: Final = 100


def run(ground: Ground, size: int = SIZE) -> Result:
    """Ask for the first page of random municipalities of a register of ``size`` events."""

    def paths(connection: Connection) -> reads.Path:
        rows = connection.execute("SELECT DISTINCT counts_in FROM projection.stretch WHERE entered ORDER BY 1")
        places = [place for (place,) in rows]

        def path(dice: Random, head: int) -> str:
            query = f"municipality={dice.choice(places)}&limit={_ENTRIES}&{reads.day_and_position(dice, head)}"
            return f"/v1/register?{query}"

        return path

    return reads.measure(ground, "register-page", GOAL, size, paths)
