"""What the register says of the differences between two excerpts: the events between the positions they rest on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import Any, Final

import msgspec
import sqlalchemy as sa

from register.excerpts.comparing import Changed, Comparison, Row, Sheet
from register.law import alphabet
from register.law.calendar import calendar_of
from register.law.events import CopyDrawn, ElectionCalled, Event, ExcerptDrawn
from register.law.parties import copy_of
from register.projection.differences import Difference, Place, Span, differences, events_at
from register.store import Store

_NAMES: Final = ("surname", "given_name", "parent_name")
#: Persons read in one go.
_PAGE: Final = 500


class Basis(msgspec.Struct, frozen=True):
    """What an excerpt rests on: a position, and the days on which its roll is judged: conclusion's and election day."""

    position: int
    days: tuple[date, ...]


class Cause(msgspec.Struct, frozen=True):
    """An event that changed a voter's entry."""

    position: int
    type: str
    source: str
    id: str


class Explained(msgspec.Struct, frozen=True):
    """A difference with the events between the two positions that changed this voter's entry; none: there are none.

    ``kind`` is only-a, only-b or changed; ``row`` stands in A or, where only B has it, in B.
    """

    kind: str
    row: Row
    columns: Mapping[str, tuple[str, str]]
    causes: tuple[Cause, ...]


def basis_of_sheet(store: Store, sheet: Sheet) -> Basis | None:
    """What an excerpt rests on, found by the digest of its rows among the drawings on record; None when not there."""
    for event in store.events(topics=[ExcerptDrawn.TOPIC, CopyDrawn.TOPIC]):
        if sheet.rows_sha256 is not None and sheet.rows_sha256 in _digests(event):
            election, conclusion = _of_drawing(store, event)
            stream = store.stream_of(f"election:{election}")
            calls = [] if stream is None else [e.data for e in store.stream(stream)]
            called = next((data for data in calls if isinstance(data, ElectionCalled)), None)
            if called is not None:
                return Basis(conclusion, (calendar_of(called).conclusion_day, called.day))
    return None


def explain(connection: sa.Connection, found: Comparison, a: Basis, b: Basis) -> list[Explained]:
    """Each difference with what the register has on it between the two positions, on the days both are judged on.

    A difference without events comes of the days the two excerpts show (a birthday, an option's end, another station
    day), or of a kind of list, and not of what was reported in between.
    """
    first, last = sorted((a.position, b.position))
    causes = _causes(connection, first, last, {*a.days, *b.days})
    told: list[Explained] = []
    for kind, rows in (("only-a", found.only_a), ("only-b", found.only_b)):
        told += [Explained(kind, row, {}, causes.get(_key(row), ())) for row in rows]
    return told + [Explained("changed", each.a, each.columns, _of_both(causes, each)) for each in found.changed]


def _of_both(causes: Mapping[tuple[str, ...], tuple[Cause, ...]], each: Changed) -> tuple[Cause, ...]:
    return tuple(dict.fromkeys((*causes.get(_key(each.a), ()), *causes.get(_key(each.b), ()))))


def _causes(
    connection: sa.Connection, first: int, last: int, days: Iterable[date]
) -> dict[tuple[str, ...], tuple[Cause, ...]]:
    """By what a line tells a voter by: the events that changed the entry of whoever bears it at either end."""
    positions: defaultdict[tuple[str, ...], set[int]] = defaultdict(set)
    for day in sorted(days):
        for each in _all(connection, Span(first, last, day)):
            for end in (each.before, each.after):
                if end is not None:
                    positions[_key(end)].update(each.positions)
    events = events_at(connection, {position for some in positions.values() for position in some})
    return {key: tuple(_cause(events[position]) for position in sorted(some)) for key, some in positions.items()}


def _all(connection: sa.Connection, span: Span) -> Iterator[Difference]:
    after: Place | None = None
    while True:
        page, after = differences(connection, span, municipality=None, after=after, limit=_PAGE)
        yield from page
        if after is None:
            return


def _cause(event: Event) -> Cause:
    return Cause(event.position, event.data.TOPIC, event.source, event.id)


def _key(row: Mapping[str, Any]) -> tuple[str, ...]:
    """What a voter is told by, in whatever script."""
    return (*(alphabet.to_latin(row[name] or "") for name in _NAMES), str(row["born_on"]))


def _digests(event: Event) -> Iterable[str]:
    match event.data:
        case ExcerptDrawn() as data:
            return [each.sha256 for each in data.lists]
        case CopyDrawn() as data:
            return [data.sha256]
        case _:
            return []


def _of_drawing(store: Store, event: Event) -> tuple[str, int]:
    """The election of a drawing, and the position of the conclusion it rests on."""
    data = event.data
    if isinstance(data, CopyDrawn):
        granted = copy_of(store.stream(event.stream))
        return data.election, 0 if granted is None else granted.granted.conclusion
    if isinstance(data, ExcerptDrawn):
        return data.election, data.conclusion
    raise TypeError("this is no drawing")
