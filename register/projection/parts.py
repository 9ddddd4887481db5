"""The work of following the event store in parts, so that several projectors share it, on any hosts.

A person's part is the last hexadecimal digit of the person's stream id, plus 1. Part :data:`COMMON` has what belongs to
no person: stations and coverage, elections, deficiencies, options, counts. It never goes ahead of the others: the
register rests on its position, and what the others know beyond it begins, or ends, to be known behind it.

The parts of persons go over a replacement of a number only all together, from one position: before it, its streams may
be of different parts; behind it, all that links connect is one part's, for good, whether the link is annulled or not.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final, NamedTuple
from uuid import UUID

import psycopg

from register.law.events import Event, JmbReplaced
from register.projection.copying import array
from register.projection.links import groups
from register.store.reading import decode_rows

Connection = psycopg.Connection[Any]

#: The part of what belongs to no person; the register rests on its position.
COMMON: Final = 0
#: The parts of persons. As many as projectors that can share them; each is a row that every batch of one alone writes.
PERSONS: Final = range(1, 17)
ALL: Final = frozenset({COMMON, *PERSONS})
#: What the common part costs, in parts of persons: who has it is given so many fewer of those.
_COMMON_WEIGHS: Final = 4
#: Positions that all parts take together when they meet at a replacement: it may not be the only one.
TOGETHER: Final = 50

_FIRST_ROWS: Final = """
    INSERT INTO projection.progress
    SELECT part, coalesce((SELECT position FROM projection.progress WHERE part = 0), 0)
    FROM unnest(%s::int2[]) AS p(part) ON CONFLICT DO NOTHING
"""
# The part of a stream as :func:`part_of` has it.
_PART: Final = "(get_byte(uuid_send(originator_id), 15) & 15) + 1"
_WINDOW: Final = "notification_id > %(after)s AND notification_id <= %(upto)s"
_ENDS: Final = f"""
    SELECT coalesce(max(notification_id), 0), min(notification_id) FILTER (WHERE topic = '{JmbReplaced.TOPIC}')
    FROM store.event WHERE {_WINDOW}
"""
_CONNECTED: Final = f"""
    SELECT originator_id FROM store.event JOIN projection.link l ON l.stream = originator_id WHERE {_WINDOW}
    UNION SELECT originator_id FROM store.event JOIN store.subject s ON s.stream = originator_id
    JOIN projection.link l ON l.new_jmb = substr(s.subject, 5) WHERE {_WINDOW}
"""
_EVENTS: Final = f"""
    SELECT notification_id, originator_id, originator_version, recorded_at, topic, state FROM store.event
    WHERE {_WINDOW} AND ({_PART} = ANY(%(parts)s) OR originator_id = ANY(%(more)s::uuid[]))
        AND originator_id <> ALL(%(less)s::uuid[])
    ORDER BY notification_id
"""


class Step(NamedTuple):
    """What goes on next: these parts, from one position, as far as ``upto`` (None: no bound)."""

    parts: frozenset[int]
    after: int
    upto: int | None


def part_of(stream: UUID) -> int:
    """The part of a person of this stream id: its last hexadecimal digit, which is random, plus 1."""
    return (stream.int & 15) + 1


def deal(projectors: int, mine: int) -> frozenset[int]:
    """The parts of the ``mine``-th (from 0) of so many projectors; each part is one's, whatever the number."""
    if projectors == 1:
        return ALL
    first = max(0, round((len(PERSONS) + _COMMON_WEIGHS) / projectors) - _COMMON_WEIGHS)
    if mine == 0:
        return frozenset({COMMON, *PERSONS[:first]})
    rest, others = PERSONS[first:], projectors - 1
    return frozenset(rest[len(rest) * (mine - 1) // others : len(rest) * mine // others])


# --- positions ------------------------------------------------------------------------------------------------------


def position_of(connection: Connection) -> int:
    """The position the register rests on: that of the common part, which is behind no other."""
    row = connection.execute("SELECT position FROM projection.progress WHERE part = %s", (COMMON,)).fetchone()
    return 0 if row is None else int(row[0])


def positions_of(connection: Connection) -> dict[int, int]:
    """How far each part has come. A part that has no row yet stands where the register stands."""
    rows = dict(connection.execute("SELECT part, position FROM projection.progress").fetchall())
    here = rows.get(COMMON, 0)
    return {part: rows.get(part, here) for part in ALL}


def hold_still(connection: Connection) -> None:
    """Let no projector begin another batch before this transaction ends; waits for those that have begun.

    An advisory lock, so that who waits here holds no table: a rebuild that switches the tables needs them all.
    """
    connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('projection.progress', 0))")


def begin(connection: Connection) -> None:
    """Let nobody hold the projectors still before this transaction ends; waits for who does."""
    connection.execute("SELECT pg_advisory_xact_lock_shared(hashtextextended('projection.progress', 0))")


def lock(connection: Connection, mine: Collection[int]) -> Step | None:
    """What a projector of these parts does next, its rows locked; None: nothing before others have come further.

    Whoever is at one of these parts is waited for: what matters is where it stands then. Who finds that they moved lets
    go of their rows before waiting for others: whoever has those may want these, in the order of parts.
    """
    while True:
        step = next_step(positions_of(connection), mine)
        if step is None:
            return None
        with connection.transaction() as attempt:
            if lock_step(connection, step):
                return step
            raise psycopg.Rollback(attempt)
        connection.execute(_FIRST_ROWS, (array(sorted(ALL)),))


def lock_step(connection: Connection, step: Step) -> bool:
    """Lock the rows of a step; whether its parts all have one and stand where it begins."""
    query = "SELECT position FROM projection.progress WHERE part = ANY(%s::int2[]) ORDER BY part FOR UPDATE"
    found = [position for (position,) in connection.execute(query, (array(step.parts),))]
    return len(found) == len(step.parts) and all(position == step.after for position in found)


def next_step(positions: Mapping[int, int], mine: Collection[int]) -> Step | None:
    """What a projector of some parts does next, the hindmost first, so that its parts come to one position."""
    if len(mine) == len(ALL) and is_level(positions):
        return Step(ALL, positions[COMMON], None)
    persons = {part: positions[part] for part in mine if part != COMMON}
    least = min(positions[part] for part in PERSONS)
    if COMMON in mine and positions[COMMON] < least:
        return Step(frozenset({COMMON}), positions[COMMON], least)
    if not persons:
        return None
    here = min(persons.values())
    ahead = min((position for position in persons.values() if position > here), default=None)
    return Step(frozenset(part for part, at in persons.items() if at == here), here, ahead)


def is_level(positions: Mapping[int, int]) -> bool:
    """Whether all parts stand at one position."""
    return len(set(positions.values())) == 1


def move(connection: Connection, step: Step, upto: int) -> bool:
    """Note that the parts of a step have come so far; whether all of them stood where it began."""
    moved = connection.execute(
        "UPDATE projection.progress SET position = %s WHERE part = ANY(%s::int2[]) AND position = %s",
        (upto, array(step.parts), step.after),
    )
    return moved.rowcount == len(step.parts)


# --- events ---------------------------------------------------------------------------------------------------------


def bounds(connection: Connection, after: int, upto: int | None) -> tuple[int, int | None]:
    """Of the events with after < position <= upto: the last position (0: none), and that of the first replacement."""
    row = connection.execute(_ENDS, {"after": after, "upto": upto}).fetchone()
    return (0, None) if row is None else (int(row[0]), row[1])


def events_of(connection: Connection, step: Step, upto: int) -> list[Event]:
    """The events in the streams of these parts of persons, after the step's beginning, up to ``upto``; in order."""
    window = {"after": step.after, "upto": upto}
    connected = [] if step.parts >= set(PERSONS) else [s for (s,) in connection.execute(_CONNECTED, window)]
    owners = _owners(connection, connected) if connected else {}
    more = [stream for stream, part in owners.items() if part in step.parts]
    less = [stream for stream, part in owners.items() if part not in step.parts]
    asked = window | {"parts": sorted(step.parts), "more": array(more), "less": array(less)}
    return decode_rows(connection.execute(_EVENTS, asked, binary=True).fetchall())


def _owners(connection: Connection, streams: Collection[UUID]) -> dict[UUID, int]:
    """The parts of streams that links, live or not, connect, with all that these links connect them with.

    The part is that of the least stream that holds one of the links. Not the least of all: who is behind a new number
    may be heard of only later, at a position that means nothing to the other parts.
    """
    owners: dict[UUID, int] = {}
    for group, holders in groups(connection, streams):
        owners.update(dict.fromkeys(group, part_of(min(holders))))
    return owners
