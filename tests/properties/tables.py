"""Histories in real tables: recorded, followed by the projector, and forgotten with the transaction they were in."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

import psycopg
import sqlalchemy as sa

from register.database import Database
from register.law.events import Event, subject_of
from register.projection.parts import ALL
from register.projection.projector import follow
from register.store import Store, codec
from register.store.reading import Reader

_SALT = "AAAAAAAAAAAAAAAAAAAAAA=="


class _OnlyOne:
    """A pool of the one connection whose transaction holds the history."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection

    @contextmanager
    def connection(self) -> Iterator[psycopg.Connection[Any]]:
        yield self._connection


@contextmanager
def recorded(database: Database) -> Iterator[Callable[..., sa.Connection]]:
    """Gives ``register(events, batch)``: a connection that sees a register of just these events.

    Positions, streams and versions stay as they are; the projector takes ``batch`` events at a time. Without a batch
    nothing is followed yet: then :func:`step` follows.
    """
    with database.engine.connect() as connection:
        raw = cast("psycopg.Connection[Any]", connection.connection.driver_connection)

        def register(events: Sequence[Event], batch: int | None = 5_000) -> sa.Connection:
            connection.rollback()
            connection.execute(sa.text("SELECT 1"))  # the transaction begins, and what follows are parts of it
            record(raw, events)
            while batch is not None and step(raw, limit=batch):
                pass
            return connection

        try:
            yield register
        finally:
            connection.rollback()


def step(raw: psycopg.Connection[Any], limit: int, parts: Collection[int] = ALL) -> int:
    """Let a projector of these parts follow a batch, in the very transaction that holds the history."""
    reader = Reader(_never, cast("Any", _OnlyOne(raw)))
    return follow(raw, cast("Store", reader), limit=limit, parts=parts)


def _never() -> psycopg.Connection[Any]:
    raise AssertionError("one connection is enough")


def record(connection: psycopg.Connection[Any], events: Sequence[Event]) -> None:
    """Put events into the event store as they are, with the subjects of their streams."""
    streams: dict[str, Any] = {}
    for event in events:
        subject = subject_of(event.data, event.source)
        if subject is not None:
            streams[subject] = event.stream
    cursor = connection.cursor()
    cursor.executemany("INSERT INTO store.subject VALUES (%s, %s) ON CONFLICT DO NOTHING", list(streams.items()))
    rows = [
        (
            e.stream,
            e.version,
            e.data.TOPIC,
            codec.encode(e.data, source=e.source, id=e.id, time=e.time, salt=_SALT),
            e.position,
            e.recorded_at,
        )
        for e in events
    ]
    cursor.executemany(
        "INSERT INTO store.event (originator_id, originator_version, topic, state, notification_id, recorded_at)"
        " VALUES (%s, %s, %s, %s, %s, %s)",
        rows,
    )
