"""``asof``: one person as of a random day and position over HTTP, beside a request that only authenticates."""

from __future__ import annotations

from typing import Final

from register.rehearsal.bench import reads
from register.rehearsal.bench.ground import Connection, Ground
from register.rehearsal.bench.result import Goal, Result

SIZE: Final = 60_000
GOAL: Final = Goal(3, at_least=False)
#: So many are asked about, at the most, from all over the register.
_PERSONS: Final = 20_000


def run(ground: Ground, size: int = SIZE) -> Result:
    """Ask for random persons of a register of ``size`` events, known in its first half."""

    def paths(connection: Connection) -> reads.Path:
        half = "SELECT max(position) / 2 FROM projection.progress"
        known = f"SELECT person FROM projection.person WHERE first_position <= ({half})"
        rows = connection.execute(f"{known} ORDER BY md5(person::text) LIMIT {_PERSONS}".encode())
        persons = [person for (person,) in rows]
        return lambda dice, head: f"/v1/voters/{dice.choice(persons)}?{reads.day_and_position(dice, head)}"

    return reads.measure(ground, "asof", GOAL, size, paths)
