"""Frozen rolls recomputed from the event store."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator
from itertools import zip_longest
from typing import Any, Final

import msgspec
import psycopg
from psycopg import sql

from register.audit.reading import UNREADABLE, decoded, rows_about
from register.audit.verify.findings import Check, Findings, concluded
from register.law.alphabet import sort_key
from register.law.events import ElectionCalled, ElectionConcluded, Event, RollFrozen
from register.law.rolls import RollEntry
from register.projection.projector import copy
from register.projection.rolls import frozen, list_order
from register.projection.runoff_rolls import entries_of
from register.projection.tables import roll as roll_table
from register.store import Store

Connection = psycopg.Connection[Any]

#: Columns of a frozen roll behind election and number; the digest leaves out the first, the person.
_COLUMNS: Final = [column.name for column in roll_table.columns][2:]
_KINDS: Final = {"person": "uuid", "born_on": "date", "mobile_team": "bool", "marked_deceased": "bool"}
_TOPICS: Final = (ElectionCalled.TOPIC, ElectionConcluded.TOPIC, RollFrozen.TOPIC)
_WHAT: Final = "each frozen roll is the one the events give, in order, and the one its event records"


class _Election(msgspec.Struct):
    called: ElectionCalled
    conclusion: int | None = None
    frozen: tuple[int, RollFrozen] | None = None


def check_rolls(dsn: str, connection: Connection, store: Store, upto: int, municipalities: Collection[str]) -> Check:
    """Every concluded election: its roll made again, beside its frozen rows, their digest, and the digest on record."""
    findings, voters, notes = Findings(), 0, []
    with psycopg.connect(dsn) as fresh, psycopg.connect(dsn) as kept:
        for name, election in sorted(_elections(connection, upto).items()):
            if election.conclusion is None:
                continue
            if frozen(kept, name) is None:
                if election.frozen is None:
                    notes.append(f"the roll of election {name} is not frozen yet")
                else:
                    findings.add(f"the frozen roll of election {name} is gone", election.frozen[0])
                continue
            try:
                voters += _check_roll(fresh, kept, store, name, election, election.conclusion, municipalities, findings)
            except UNREADABLE:
                findings.add(f"the roll of election {name} rests on events that cannot be read", election.conclusion)
    return concluded("rolls", _WHAT, voters, "voters", findings, notes=notes)


def _elections(connection: Connection, upto: int) -> dict[str, _Election]:
    found: dict[str, _Election] = {}
    for event in decoded(rows_about(connection, _TOPICS, upto), []):
        _take(found, event)
    return found


def _take(found: dict[str, _Election], event: Event) -> None:
    match event.data:
        case ElectionCalled() as called:
            found[called.election] = _Election(called)
        case ElectionConcluded() as concluded_ if concluded_.election in found:
            found[concluded_.election].conclusion = event.position
        case RollFrozen() as frozen_ if frozen_.election in found:
            found[frozen_.election].frozen = (event.position, frozen_)
        case _:
            pass


def _check_roll(
    fresh: Connection,
    kept: Connection,
    store: Store,
    id: str,
    election: _Election,
    conclusion: int,
    municipalities: Collection[str],
    findings: Findings,
) -> int:
    """Compare the roll made again with the frozen one, line by line; how many voters it has."""
    entries = entries_of(fresh, store, election.called, conclusion, municipalities)
    again, there, rows, differing = hashlib.sha256(), hashlib.sha256(), 0, None
    with fresh.transaction(), kept.transaction():
        for number, (mine, theirs) in enumerate(zip_longest(_made(fresh, entries), _kept(kept, id)), 1):
            if mine != theirs and differing is None:
                differing = number
            if mine is not None:
                rows = number
                again.update(mine)
            there.update(theirs or b"")
    told = frozen(kept, id)
    if differing is not None:
        findings.add(f"the frozen roll of election {id} differs from the events', first in row {differing}", conclusion)
    made = (conclusion, rows, again.hexdigest())
    if told is not None and (told.conclusion, told.voters, told.sha256) != made:
        findings.add(f"election {id}: the digest kept with the frozen roll is not that of the events' roll", conclusion)
    if election.frozen is not None:
        position, data = election.frozen
        if (data.conclusion, data.voters, data.sha256) != made:
            findings.add(f"election {id}: the event records another roll than the events give", position)
    return rows


def _made(connection: Connection, entries: Iterator[tuple[Any, RollEntry]]) -> Iterator[bytes]:
    """The lines of a roll made again, in the order of lists."""
    connection.execute("CREATE TEMP TABLE roll_again (LIKE projection.roll, sort_key bytea) ON COMMIT DROP")
    connection.execute("ALTER TABLE roll_again ALTER no DROP NOT NULL, ALTER election DROP NOT NULL")
    columns = [*((name, _KINDS.get(name, "text")) for name in _COLUMNS), ("sort_key", "bytea")]
    rows = (
        (
            person,
            *(getattr(entry, name) for name in _COLUMNS[1:]),
            sort_key(entry.surname, entry.given_name, entry.parent_name, entry.born_on),
        )
        for person, entry in entries
    )
    copy(connection, "roll_again", columns, rows, schema="pg_temp")
    return _lines(
        connection,
        sql.SQL(
            """
            SELECT row_number() OVER (ORDER BY {order}), {names} FROM pg_temp.roll_again ORDER BY 1
            """
        ).format(order=list_order(), names=_names()),
    )


def _kept(connection: Connection, election: str) -> Iterator[bytes]:
    """The lines of a frozen roll, in order."""
    query = sql.SQL("SELECT no, {names} FROM projection.roll WHERE election = {election} ORDER BY no")
    return _lines(connection, query.format(names=_names(), election=sql.Literal(election)))


def _names() -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, _COLUMNS[1:]))


def _lines(connection: Connection, query: sql.Composable) -> Iterator[bytes]:
    connection.execute("SET LOCAL datestyle = 'ISO, YMD'")
    with connection.cursor().copy(sql.SQL("COPY ({}) TO STDOUT (FORMAT csv)").format(query)) as out:
        for line in out:
            yield bytes(line)
