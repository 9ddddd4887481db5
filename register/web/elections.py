"""Elections as everyone sees them: the calendar with the article behind each day, the state, the roll in counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, select

from register.excerpts.roots import ShownList, drawn_lists
from register.law.calendar import Calendar, calendar_of
from register.law.events import ElectionCalled
from register.projection.roll_accounts import Cell, Shown, roll_accounts, sums
from register.projection.rolls import LIST_ORDER
from register.projection.tables import election
from register.store import Store

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
#: Words for the kinds of drawn lists.
LIST_KINDS: Final[Mapping[str, str]] = {
    **LISTS,
    "mobile-team": "With a mobile team",
    "marked-deceased": "Reported deceased",
}
#: From so many lists on, a page shows those of one municipality.
MANY_LISTS: Final = 200
#: Stands for the lists of no municipality.
COUNTRY: Final = "country"
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
        if self.called.runoff_of is not None:
            return "Second round of an election"
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
    """The voters of a frozen roll: all, by list, and by municipality and list, as everyone may see them."""

    voters: int
    lists: Mapping[str, Shown]
    municipalities: Mapping[str, Mapping[str, Shown]]


def roll_counts(connection: Connection, id: str) -> RollCounts | None:
    """The counts of an election's roll that everyone may see; None while there is no frozen roll.

    Raises ``keeping.BusyError``.
    """
    found = roll_accounts(connection, id)
    return None if found is None else RollCounts(found.voters, *by_list(found.shown or {}))


def by_list(cells: Mapping[Cell, Shown]) -> tuple[dict[str, Shown], dict[str, dict[str, Shown]]]:
    """Counts by list, and by municipality and list, in the order of the roll: nothing but sums of the cells shown."""
    lists = sums(cells, lambda cell: cell.list)
    places: dict[str, dict[str, Shown]] = {}
    found = sums(cells, lambda cell: (cell.municipality, cell.list))
    for place, kind in sorted(found, key=lambda key: (key[0], LIST_ORDER.index(key[1]))):
        places.setdefault(place, {})[kind] = found[place, kind]
    return {kind: lists[kind] for kind in LIST_ORDER if kind in lists}, places


def lists_by_place(connection: Connection, store: Store, id: str) -> dict[str, list[ShownList]]:
    """The lists drawn for an election by municipality, or :data:`COUNTRY`. Raises ``keeping.BusyError``."""
    groups: dict[str, list[ShownList]] = {}
    for each in drawn_lists(connection, store, id):
        groups.setdefault(each.municipality or COUNTRY, []).append(each)
    return groups
