"""Freezing the roll of a concluded election: once, in list order, so that every later list is a stream of it.

The roll is a function of the event store up to the position before the conclusion and of nothing else (rules: the
calendar of an election); the register's own tables play no part in it but for finding streams.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from typing import Any, Final

import msgspec
import psycopg
from psycopg import sql

from register.law.events import ElectionCalled
from register.law.rolls import roll_of
from register.projection import runoff_rolls
from register.projection.copying import copy_rendered
from register.projection.voters import ROLL_COLUMNS, UNORDERED_COLUMNS, rendered, rows_of
from register.store import Store

Connection = psycopg.Connection[Any]

#: The lists of a municipality in the order of the frozen table.
LIST_ORDER: Final = (
    "polling-station",
    "in-person-1991",
    "absentee-1991",
    "mail",
    "diplomatic-mission",
    "unallocated",
    "no-entity-option",
)


class FrozenRoll(msgspec.Struct, frozen=True):
    """A frozen roll: the position of its conclusion, its voters, and the SHA-256 over its rows in order."""

    election: str
    conclusion: int
    voters: int
    sha256: str


def frozen(connection: Connection, election: str) -> FrozenRoll | None:
    """The frozen roll of an election, or None when there is none (yet)."""
    row = connection.execute(
        "SELECT election, conclusion, voters, sha256 FROM projection.frozen_roll WHERE election = %s", (election,)
    ).fetchone()
    return None if row is None else FrozenRoll(*row)


def waiting(connection: Connection) -> list[str]:
    """Elections that were concluded, as far as the tables know, and have no frozen roll."""
    rows = connection.execute(
        """
        SELECT election FROM projection.election LEFT JOIN projection.frozen_roll f USING (election)
        WHERE election.conclusion IS NOT NULL AND f.election IS NULL ORDER BY election.conclusion
        """
    )
    return [str(row[0]) for row in rows]


def freeze(
    connection: Connection,
    store: Store,
    election: str,
    municipalities: Collection[str],
    *,
    dsn: str | None = None,
    processes: int = 1,
) -> FrozenRoll:
    """Write the roll of a concluded election, in one transaction; one that is there already stays as it is.

    ``municipalities``: the codes of all municipalities. With ``dsn``, which connects as the program, so many
    ``processes`` fold where it pays; the roll of a run-off is folded by one. Raises ``LookupError`` when the election,
    or the first round of a run-off, is not concluded.
    """
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('roll:' || %s, 0))", (election,))
        there = frozen(connection, election)
        if there is not None:
            return there
        row = connection.execute(
            "SELECT called, conclusion FROM projection.election WHERE election = %s AND conclusion IS NOT NULL",
            (election,),
        ).fetchone()
        if row is None:
            raise LookupError(election)
        called, conclusion = msgspec.convert(row[0], ElectionCalled), row[1]
        if called.runoff_of is None:
            roll = roll_of(called, municipalities)
            rows = rendered(connection, store, roll, conclusion - 1, dsn, processes)
        else:
            rows = rows_of(runoff_rolls.entries_of(connection, store, called, conclusion, municipalities))
        result = FrozenRoll(election, conclusion, *_write(connection, election, rows))
        connection.execute(
            "INSERT INTO projection.frozen_roll VALUES (%s, %s, %s, %s)",
            (result.election, result.conclusion, result.voters, result.sha256),
        )
    return result


def list_order() -> sql.Composed:
    """The order of a roll's rows, as what follows ``ORDER BY``: list by list, each by ``sort_key``, then by person."""
    return sql.SQL(
        'municipality COLLATE "C", array_position({}::text[], list_kind), station COLLATE "C", mission COLLATE "C",'
        " sort_key, person"
    ).format(sql.Literal(list(LIST_ORDER)))


def _write(connection: Connection, election: str, rows: Iterable[bytes]) -> tuple[int, str]:
    """Write the voters in list order; how many, and the SHA-256 over their rows as CSV in that order."""
    connection.execute("CREATE TEMP TABLE unordered_roll (LIKE projection.roll, sort_key bytea) ON COMMIT DROP")
    connection.execute("ALTER TABLE unordered_roll ALTER no DROP NOT NULL, ALTER election DROP NOT NULL")
    copy_rendered(connection, "unordered_roll", UNORDERED_COLUMNS, rows, schema="pg_temp")
    names = sql.SQL(", ").join(sql.Identifier(name) for name, _ in ROLL_COLUMNS)
    connection.execute("SET LOCAL work_mem TO '128MB'")
    connection.execute(
        sql.SQL(
            """
            INSERT INTO projection.roll (election, no, {names})
            SELECT %s, row_number() OVER (ORDER BY {order}), {names} FROM unordered_roll
            """
        ).format(names=names, order=list_order()),
        (election,),
    )
    return _digest(connection, election)


def _digest(connection: Connection, election: str) -> tuple[int, str]:
    """Rows and SHA-256 of the roll as CSV, without the person ids, which a rebuild elsewhere need not share."""
    digest, rows = hashlib.sha256(), 0
    connection.execute("SET LOCAL datestyle = 'ISO, YMD'")
    statement = sql.SQL(
        "COPY (SELECT no, {} FROM projection.roll WHERE election = {} ORDER BY no) TO STDOUT (FORMAT csv)"
    ).format(sql.SQL(", ").join(sql.Identifier(name) for name, _ in ROLL_COLUMNS[1:]), election)
    with connection.cursor().copy(statement) as out:
        for line in out:
            digest.update(line)
            rows += 1
    return rows, digest.hexdigest()
