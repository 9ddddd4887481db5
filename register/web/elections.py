"""Elections as everyone sees them: the calendar with the article behind each day, the state, the roll in counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection, func, select

from register.law.calendar import Calendar, calendar_of
from register.law.events import ElectionCalled
from register.projection.rolls import LIST_ORDER
from register.projection.tables import election, frozen_roll, roll

#: Counts from 1 to this many less one are shown as ``<5``, so that nobody is read out of them.
SMALLEST: Final = 5
SMALL: Final = "<5"

#: Words for each list of a roll, in the order of the roll.
LISTS: Final[Mapping[str, str]] = {
    "polling-station": "At the polling station of the address",
    "in-person-1991": "In person in the municipality of 1991",
    "absentee-1991": "In absence, for the municipality of 1991",
    "mail": "By mail from abroad",
    "diplomatic-mission": "At a diplomatic mission",
    "unallocated": "No polling station covers the address yet",
    "no-entity-option": "Brčko District, no entity chosen",
}
STATES: Final[Mapping[str, str]] = {
    "called": "Called",
    "display": "Provisional excerpts are on display",
    "concludable": "The roll may be concluded now",
    "concluded": "The roll has been concluded",
    "over": "Election day has passed",
    "missed": "Election day has passed; the roll was not concluded",
}


@dataclass(frozen=True, slots=True)
class Election:
    """One election; ``conclusion`` is the position of its conclusion and ``concluded_at`` its instant, None before."""

    called: ElectionCalled
    calendar: Calendar
    conclusion: int | None
    concluded_at: datetime | None

    def state(self, today: date) -> str:
        """Where the election stands on a day: a key of :data:`STATES`."""
        days = self.calendar
        if today > days.day:
            return "missed" if self.conclusion is None else "over"
        if self.conclusion is not None:
            return "concluded"
        if days.conclusion_from <= today <= days.conclusion_to:
            return "concludable"
        if days.display_from is not None and days.display_to is not None and days.display_from <= today:
            return "display" if today <= days.display_to else "called"
        return "called"

    @property
    def title(self) -> str:
        """The kind of election in words."""
        kinds = {
            ("general", False): "General election",
            ("local", False): "Local election",
            ("general", True): "Early general election",
            ("local", True): "Early local election",
        }
        return kinds[self.called.kind, self.called.early]


@dataclass(frozen=True, slots=True)
class Day:
    """A line of the calendar: what, from when to when (both included), and the provision it rests on.

    ``article`` None: the practice of past elections. ``later`` marks a later text of the law.
    """

    what: str
    first: date
    last: date
    article: str | None = None
    later: bool = False


def calendar_lines(called: ElectionCalled, calendar: Calendar) -> list[Day]:
    """The days of an election in their order, each with its provision (Art. 1.14, 3.6 e; rules: the calendar)."""
    lines = [Day("The election is called", called.called_on, called.called_on, "1.14")]
    if calendar.call_by is not None:
        lines.append(Day("Last day for calling it", calendar.call_by, calendar.call_by, "1.14"))
    if calendar.display_from is not None and calendar.display_to is not None:
        display = Day("Display of provisional excerpts", calendar.display_from, calendar.display_to, later=True)
        lines.append(display)
    options = Day(
        "Last day for voting from abroad and for options of 1991", calendar.options_until, calendar.options_until
    )
    concluded = calendar.conclusion_day
    return [
        *lines,
        options,
        Day("Day at whose end the roll is fixed", concluded, concluded, "3.6 e"),
        Day("The roll is concluded", calendar.conclusion_from, calendar.conclusion_to, "3.6 e"),
        Day("Election day", calendar.day, calendar.day, "1.14"),
    ]


def all_elections(connection: Connection) -> list[Election]:
    """Every election, the latest election day first."""
    rows = connection.execute(select(election)).mappings()
    found = [_election(row) for row in rows]
    return sorted(found, key=lambda e: (e.called.day, e.called.election), reverse=True)


def one_election(connection: Connection, id: str) -> Election | None:
    """The election of this id, or None."""
    row = connection.execute(select(election).where(election.c.election == id)).mappings().first()
    return None if row is None else _election(row)


def _election(row: Mapping[Any, Any]) -> Election:
    called = msgspec.convert(row["called"], ElectionCalled)
    return Election(called, calendar_of(called), row["conclusion"], row["concluded_at"])


@dataclass(frozen=True, slots=True)
class RollCounts:
    """The voters of a frozen roll: all, by list, and by municipality and list; small counts and their like withheld."""

    voters: int
    lists: Mapping[str, int | str | None]
    municipalities: Mapping[str, Mapping[str, int | str | None]]


def roll_counts(connection: Connection, id: str) -> RollCounts | None:
    """The counts of an election's roll that everyone may see; None while there is no frozen roll."""
    voters = connection.scalar(select(frozen_roll.c.voters).where(frozen_roll.c.election == id))
    if voters is None:
        return None
    query = (
        select(roll.c.municipality, roll.c.list_kind, func.count())
        .where(roll.c.election == id)
        .group_by(roll.c.municipality, roll.c.list_kind)
        .order_by(sa.collate(roll.c.municipality, "C"))
    )
    cells = {(place, kind): int(count) for place, kind, count in connection.execute(query)}
    return RollCounts(int(voters), *guarded(cells))


def guarded(
    cells: Mapping[tuple[str, str], int],
) -> tuple[dict[str, int | str | None], dict[str, dict[str, int | str | None]]]:
    """Counts by list, and by municipality and list, of which no small one can be computed from the others.

    Since both tables add up to the same lists, a list with a small count withholds its least larger one too; where it
    has none, the sum of the list is withheld, and the least larger sum with it, since all lists add up to the roll.
    """
    hidden = {cell for cell, count in cells.items() if count < SMALLEST}
    sums = {kind: sum(n for (_, k), n in cells.items() if k == kind) for kind in LIST_ORDER}
    sums = {kind: count for kind, count in sums.items() if count}
    withheld: set[str] = set()
    for kind in sums:
        of_kind = {cell: count for cell, count in cells.items() if cell[1] == kind}
        if hidden & of_kind.keys():
            larger = sorted((count, cell) for cell, count in of_kind.items() if cell not in hidden)
            if larger:
                hidden.add(larger[0][1])
            else:
                withheld.add(kind)
    if withheld:
        larger_sums = sorted((count, kind) for kind, count in sums.items() if kind not in withheld)
        withheld.update(kind for _, kind in larger_sums[:1])
        # A withheld sum must not be had by adding up its own cells.
        for _, kind in larger_sums[:1]:
            of_kind = {cell: count for cell, count in cells.items() if cell[1] == kind}
            if not hidden & of_kind.keys():
                hidden.add(min(of_kind, key=lambda cell: (of_kind[cell], cell)))
    lists = {kind: _shown(count, kind in withheld) for kind, count in sums.items()}
    places: dict[str, dict[str, int | str | None]] = {}
    for place, kind in sorted(cells, key=lambda cell: (cell[0], LIST_ORDER.index(cell[1]))):
        places.setdefault(place, {})[kind] = _shown(cells[place, kind], (place, kind) in hidden)
    return lists, places


def _shown(count: int, hidden: bool) -> int | str | None:
    if 0 < count < SMALLEST:
        return SMALL
    return None if hidden else count
