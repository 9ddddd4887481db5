"""Freezing the roll of a concluded election: once, in list order, so that every later list is a stream of it.

The roll is a function of the event store up to the position before the conclusion and of nothing else (rules: the
calendar of an election); the register's own tables play no part in it but for finding streams.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, Final
from uuid import UUID

import msgspec
import psycopg
from psycopg import sql

from register.law.alphabet import sort_key
from register.law.dossier import live
from register.law.events import AboutPerson, ElectionCalled, Event, JmbReplaced
from register.law.persons import persons
from register.law.rolls import Roll, RollEntry, residence_of, roll_of, stand
from register.law.territory import Coverage
from register.projection.projector import copy
from register.store import Store
from register.store.subjects import streams_of, streams_of_kind

Connection = psycopg.Connection[Any]
#: Makes the entries of an election's roll: by its call, the position of its conclusion, all municipalities.
EntriesOf = Callable[[Connection, Store, ElectionCalled, int, Collection[str]], Iterator[tuple[UUID, RollEntry]]]

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

#: Columns of a roll behind election and number, with their types; the digest leaves out the first.
ROLL_COLUMNS: Final[tuple[tuple[str, str], ...]] = (
    ("person", "uuid"),
    ("list_kind", "text"),
    ("municipality", "text"),
    ("entity", "text"),
    ("station", "text"),
    ("mission", "text"),
    ("jmb", "text"),
    ("surname", "text"),
    ("given_name", "text"),
    ("parent_name", "text"),
    ("sex", "text"),
    ("born_on", "date"),
    ("script", "text"),
    ("residence", "text"),
    ("settlement", "text"),
    ("street", "text"),
    ("house_number", "text"),
    ("country", "text"),
    ("foreign_address", "text"),
    ("voting_option", "text"),
    ("mobile_team", "bool"),
    ("marked_deceased", "bool"),
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
    entries_of: EntriesOf | None = None,
) -> FrozenRoll:
    """Write the roll of a concluded election, in one transaction; one that is there already stays as it is.

    ``municipalities``: the codes of all municipalities; ``entries_of`` makes the roll of a run-off as well
    (``runoff_rolls.entries_of``). Raises ``LookupError`` when the election is not concluded.
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
        called = msgspec.convert(row[0], ElectionCalled)
        if entries_of is not None:
            entries = entries_of(connection, store, called, row[1], municipalities)
        elif called.runoff_of is None:
            entries = roll_entries(connection, store, roll_of(called, municipalities), upto=row[1] - 1)
        else:
            raise LookupError(called.runoff_of)
        result = FrozenRoll(election, row[1], *_write(connection, election, entries))
        connection.execute(
            "INSERT INTO projection.frozen_roll VALUES (%s, %s, %s, %s)",
            (result.election, result.conclusion, result.voters, result.sha256),
        )
    return result


def roll_entries(connection: Connection, store: Store, roll: Roll, upto: int) -> Iterator[tuple[UUID, RollEntry]]:
    """The roll by the events up to a position: (person, entry), each voter once, in no order that matters."""
    stations = _stations(connection, store, upto)
    indexes: dict[str, Coverage] = {}
    for person, events in whole_persons(connection, store, upto):
        municipality = residence_of(events, roll)
        if municipality is not None and municipality not in indexes:
            indexes[municipality] = Coverage(municipality, stations)
        entry = stand(events, roll, None if municipality is None else indexes[municipality])
        if entry is not None:
            yield person, entry


def whole_persons(connection: Connection, store: Store, upto: int) -> Iterator[tuple[UUID, Sequence[Event]]]:
    """Every person with all events of his or her numbers up to a position, streamed; linked numbers come last."""
    linked = linked_upto(connection, store, upto)
    aside: dict[UUID, list[Event]] = {}
    for stream, events in store.by_stream(upto=upto):
        if stream in linked:
            aside[stream] = events
        elif any(isinstance(e.data, AboutPerson) for e in events):
            yield stream, events
    yield from persons(aside).items()


def linked_upto(connection: Connection, store: Store, upto: int) -> set[UUID]:
    """Streams that a replacement, live or not, names on either side."""
    streams: set[UUID] = set()
    numbers: set[str] = set()
    for event in store.events(upto=upto, topics=[JmbReplaced.TOPIC]):
        if isinstance(event.data, JmbReplaced):
            streams.add(event.stream)
            numbers.add(event.data.new_jmb)
    return streams | set(streams_of(connection, [f"jmb:{n}" for n in sorted(numbers)]).values())


def _stations(connection: Connection, store: Store, upto: int) -> list[Event]:
    """The live events about polling stations up to a position."""
    streams = store.streams(streams_of_kind(connection, "station"), upto=upto)
    return [event for events in streams.values() for event in live(events)]


def list_order() -> sql.Composed:
    """The order of a roll's rows, as what follows ``ORDER BY``: list by list, each by ``sort_key``, then by person."""
    return sql.SQL(
        'municipality COLLATE "C", array_position({}::text[], list_kind), station COLLATE "C", mission COLLATE "C",'
        " sort_key, person"
    ).format(sql.Literal(list(LIST_ORDER)))


def _write(connection: Connection, election: str, entries: Iterator[tuple[UUID, RollEntry]]) -> tuple[int, str]:
    """Write the entries in list order; how many, and the SHA-256 over the rows as CSV in that order."""
    connection.execute("CREATE TEMP TABLE unordered_roll (LIKE projection.roll, sort_key bytea) ON COMMIT DROP")
    connection.execute("ALTER TABLE unordered_roll ALTER no DROP NOT NULL, ALTER election DROP NOT NULL")
    columns = (*ROLL_COLUMNS, ("sort_key", "bytea"))
    copy(connection, "unordered_roll", columns, (_row(who, entry) for who, entry in entries), schema="pg_temp")
    names = sql.SQL(", ").join(sql.Identifier(name) for name, _ in ROLL_COLUMNS)
    connection.execute(
        sql.SQL(
            """
            INSERT INTO projection.roll (election, no, {names})
            SELECT %s, row_number() OVER (ORDER BY {order}), {names} FROM unordered_roll ORDER BY 2
            """
        ).format(names=names, order=list_order()),
        (election,),
    )
    return _digest(connection, election)


def _row(who: UUID, entry: RollEntry) -> tuple[Any, ...]:
    values = msgspec.structs.asdict(entry)
    key = sort_key(entry.surname, entry.given_name, entry.parent_name, entry.born_on)
    return (who, *(values[name] for name, _ in ROLL_COLUMNS[1:]), key)


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
