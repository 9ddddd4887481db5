"""How far the inspector has come, what waits for it, and that there is one inspector at a time."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any, Final

import msgspec
import psycopg

Connection = psycopg.Connection[Any]

#: Key of the advisory lock that the one inspector holds.
LOCK: Final = 0x6376725F696E7370

#: A matter (a group of kinds), and what of it is to be looked at.
Matter = tuple[str, str]


class Progress(msgspec.Struct, frozen=True):
    """Events inspected, the last event the inspector wrote itself, the last civil day swept."""

    position: int = 0
    written: int = 0
    swept_on: date | None = None


def take_turn(connection: Connection) -> bool:
    """Become the one inspector, for as long as the connection lives; False while another is."""
    row = connection.execute("SELECT pg_try_advisory_lock(%s)", (LOCK,)).fetchone()
    connection.commit()
    return row == (True,)


def read(connection: Connection) -> Progress:
    """How far the inspector has come."""
    row = connection.execute("SELECT position, written, swept_on FROM inspection.progress").fetchone()
    return Progress() if row is None else Progress(*row)


def write(connection: Connection, progress: Progress) -> None:
    """Note how far it has come, in the transaction of the caller."""
    connection.execute(
        """
        INSERT INTO inspection.progress (position, written, swept_on) VALUES (%s, %s, %s)
        ON CONFLICT (one) DO UPDATE SET position = excluded.position, written = excluded.written,
            swept_on = excluded.swept_on
        """,
        (progress.position, progress.written, progress.swept_on),
    )


def put_aside(connection: Connection, matters: Iterable[Matter]) -> None:
    """Let matters wait until all events are inspected."""
    found = sorted(set(matters))
    if found:
        groups, keys = zip(*found, strict=True)
        connection.execute(
            "INSERT INTO inspection.waiting SELECT * FROM unnest(%s::text[], %s::text[]) ON CONFLICT DO NOTHING",
            (list(groups), list(keys)),
        )


def waiting(connection: Connection, limit: int) -> list[Matter]:
    """Matters that wait, of one group at a time."""
    rows = connection.execute(
        """
        SELECT matter, key FROM inspection.waiting
        WHERE matter = (SELECT min(matter) FROM inspection.waiting) ORDER BY key LIMIT %s
        """,
        (limit,),
    ).fetchall()
    return [(matter, key) for matter, key in rows]


def done(connection: Connection, matters: Iterable[Matter]) -> None:
    """These matters were looked at."""
    groups, keys = zip(*matters, strict=True)
    connection.execute(
        "DELETE FROM inspection.waiting WHERE (matter, key) IN (SELECT * FROM unnest(%s::text[], %s::text[]))",
        (list(groups), list(keys)),
    )
