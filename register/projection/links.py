"""Which streams replacements of numbers, live or annulled, may connect, as the tables know of them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

import psycopg

from register.law.events import AboutPerson, Annulment, Event, JmbReplaced
from register.projection.copying import array
from register.store.subjects import streams_of, subjects_of

Connection = psycopg.Connection[Any]


def streams_with(connection: Connection, batch: Sequence[Event]) -> set[UUID]:
    """The streams a batch touches, and all that links, live or not, may connect with them; its own links too."""
    streams = {e.stream for e in batch}
    replacing = {e.data.new_jmb for e in batch if isinstance(e.data, JmbReplaced)}
    if not replacing and not any_links(connection):
        return streams
    numbers = {e.data.jmb for e in batch if isinstance(e.data, AboutPerson)}
    numbers |= _numbers_of(connection, {e.stream for e in batch if isinstance(e.data, Annulment)})
    return _connected(connection, streams, numbers, replacing)


def linked_streams(connection: Connection, streams: Collection[UUID]) -> set[UUID]:
    """Some streams, and all that links the tables know of, live or not, may connect with them."""
    if not streams or not any_links(connection):
        return set(streams)
    return _connected(connection, set(streams), _numbers_of(connection, streams), set())


def groups(connection: Connection, streams: Collection[UUID]) -> list[tuple[set[UUID], set[UUID]]]:
    """Some streams with all that links connect them with, by group; of each group also the streams that hold a link."""
    connected = linked_streams(connection, streams)
    query = "SELECT stream, new_jmb FROM projection.link WHERE stream = ANY(%s::uuid[])"
    links = connection.execute(query, (array(connected),)).fetchall()
    own = [(stream, subject.removeprefix("jmb:")) for stream, subject in subjects_of(connection, connected).items()]
    groups: dict[UUID | str, set[UUID | str]] = {}
    for stream, number in (*own, *links):
        one, other = (groups.setdefault(end, {end}) for end in (stream, number))
        if one is not other:
            one |= other
            groups.update(dict.fromkeys(other, one))
    holders = {stream for stream, _ in links}
    each = {id(group): {end for end in group if isinstance(end, UUID)} for group in groups.values()}
    return [(group, group & holders) for group in each.values() if group & holders]


def any_links(connection: Connection) -> bool:
    """Whether the tables know of any link."""
    return connection.execute("SELECT EXISTS (SELECT FROM projection.link)").fetchone() == (True,)


def _connected(connection: Connection, streams: set[UUID], numbers: set[str], replacing: set[str]) -> set[UUID]:
    """What links connect with streams of these numbers, ``replacing``: new numbers of links not in the tables yet."""
    numbers = numbers | replacing
    new_streams, new_numbers = streams, numbers
    while new_streams or new_numbers:
        found = connection.execute(
            """
            SELECT stream, new_jmb FROM projection.link
            WHERE new_jmb = ANY(%s::text[]) OR stream = ANY(%s::uuid[])
            """,
            (list(new_numbers), array(new_streams)),
        ).fetchall()
        # Both ends of each link: the stream it lies in with its number, the new number with the stream it has, if any.
        # A new number nobody reported on has none, and yet connects all those that it replaces.
        replacing = replacing | {number for _, number in found}
        there = {stream for stream, _ in found} | set(streams_of(connection, [f"jmb:{n}" for n in replacing]).values())
        new_streams = there - streams
        new_numbers = (_numbers_of(connection, new_streams) | replacing) - numbers
        streams = streams | new_streams
        numbers = numbers | new_numbers
        replacing = set()
    return streams


def _numbers_of(connection: Connection, streams: Collection[UUID]) -> set[str]:
    """The personal numbers that some streams are about."""
    subjects = subjects_of(connection, streams).values()
    return {subject.removeprefix("jmb:") for subject in subjects if subject.startswith("jmb:")}
