"""What the benches stand on: a register of their own, generated notices read once, tables beside the real ones.

A bench never sees the user's data: its settings name a temporary folder, and the embedded database inside it. Unless
it is told to: benches of reads can ask a register that is there, and then write nothing but the journal of looks.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from hashlib import sha256
from itertools import islice
from typing import Any, Final

import psycopg
from psycopg import sql

from register.app.parts import open_store
from register.database import Database, DatabaseError, open_database
from register.database.server import EmbeddedServer
from register.intake.parse import Message, parse
from register.projection.forms import OtherFormError, check_answering, form_of
from register.projection.rebuild import bring_to_form
from register.rehearsal.bench.result import BenchError, Say
from register.rehearsal.generate import Feed, Line
from register.settings import Settings
from register.store import Pending, Store

Connection = psycopg.Connection[Any]

#: Stored events a bench writes at once.
BATCH: Final = 5_000
#: The day before which all generated notices were sent, and an instant after it: the same feed in every run.
UNTIL: Final = date(2026, 6, 1)
NOW: Final = datetime(2026, 6, 1, 8, tzinfo=UTC)
#: Generated notices for each generated person, at the least.
_LINES_PER_VOTER: Final = 2.5
_SEED: Final = 7


@dataclass(frozen=True, slots=True)
class Ground:
    """Where a bench works, and how it tells how far it is; ``existing``: a register is there, to be read only."""

    settings: Settings
    say: Say
    existing: bool = False

    @contextmanager
    def register(self) -> Iterator[tuple[Database, Store]]:
        """The database and event store, for as long as the block lasts.

        An existing register is neither migrated nor built anew: raises :class:`BenchError` when it would have to be.
        """
        if self.existing:
            with _as_it_stands(self.settings) as database, open_store(database, os.urandom) as store:
                yield database, store
            return
        with open_database(self.settings) as database, open_store(database, os.urandom) as store:
            bring_to_form(database, store)
            yield database, store


@contextmanager
def _as_it_stands(settings: Settings) -> Iterator[Database]:
    """The database opened by its address, also the one in a data folder: so it is never migrated on the way."""
    try:
        with ExitStack() as stack:
            if settings.database_url is None:
                server = stack.enter_context(EmbeddedServer(settings.data))
                settings = replace(settings, database_url=server.conninfo())
            database = stack.enter_context(open_database(settings))
            with database.psycopg() as connection:
                check_answering(form_of(connection))
            yield database
    except (DatabaseError, OtherFormError) as error:
        raise BenchError(str(error)) from error


def feed(size: int, municipalities: Sequence[str] | None = None) -> Iterator[Line]:
    """``size`` notices about generated people, in the order of a first load, nothing wrong in them."""
    voters = max(300, int(size / _LINES_PER_VOTER))
    return islice(Feed(voters, seed=_SEED, until=UNTIL, municipalities=municipalities), size)


def notices(size: int) -> list[Pending]:
    """The notices of :func:`feed`, read, each with a salt of its own."""
    return [_pending(line.body, number) for number, line in enumerate(feed(size))]


def fill(store: Store, size: int) -> int:
    """Record :func:`notices` through the store, as an intake does; how many events there are now."""
    found = notices(size)
    for batch in batches(found):
        store.append(batch, now=NOW)
    return store.head()


def batches(items: Sequence[Any], length: int = BATCH) -> Iterator[Sequence[Any]]:
    """The items in slices of a batch."""
    return (items[at : at + length] for at in range(0, len(items), length))


def _pending(body: bytes, number: int) -> Pending:
    message = parse(body)
    if not isinstance(message, Message):
        raise TypeError("a generated notice cannot be read")
    salt = sha256(number.to_bytes(8, "big")).hexdigest()[:22] + "=="
    return Pending(source=message.source, id=message.id, time=message.time, data=message.data, salt=salt)


@contextmanager
def stopwatch() -> Iterator[list[float]]:
    """Seconds the block took, as the list's only item afterwards."""
    taken: list[float] = []
    begun = time.perf_counter()
    yield taken
    taken.append(time.perf_counter() - begun)


class Beside:
    """Tables like real ones, with the same indexes, into which ceilings write rows prebuilt as binary COPY streams."""

    def __init__(self, connection: Connection, tables: Iterable[str], *, schema: str = "bench") -> None:
        """Make them. ``tables`` are given with their schemas; the connection may create schemas."""
        self._connection = connection
        self._like = {table: sql.Identifier(schema, table.replace(".", "_")) for table in tables}
        connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))
        for table, name in self._like.items():
            like = sql.Identifier(*table.split("."))
            connection.execute(sql.SQL("CREATE TABLE {} (LIKE {} INCLUDING ALL)").format(name, like))
        connection.commit()

    def taken_out(self, table: str, where: str = "true", order: str = "1") -> bytes:
        """Rows of the real table as a binary COPY stream."""
        query = f"COPY (SELECT * FROM {table} WHERE {where} ORDER BY {order}) TO STDOUT (FORMAT BINARY)"
        with self._connection.cursor().copy(query.encode()) as out:
            return b"".join(bytes(piece) for piece in out)

    def put_in(self, table: str, stream: bytes) -> None:
        """A stream into the table beside; the caller commits."""
        statement = sql.SQL("COPY {} FROM STDIN (FORMAT BINARY)").format(self._like[table])
        with self._connection.cursor().copy(statement) as into:
            into.write(stream)

    def empty(self) -> None:
        """Empty the tables beside, as the real ones were before."""
        for name in self._like.values():
            self._connection.execute(sql.SQL("TRUNCATE {}").format(name))
        self._connection.commit()
