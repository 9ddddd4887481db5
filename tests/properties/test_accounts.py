"""The accounts of any day between any two positions, line by line, against a second reading that adds them up itself.

The second reading asks who is entered, and where each counts, before and after every single position; it knows neither
stretches nor an audit log.
"""

from __future__ import annotations

from collections import Counter
from datetime import date
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from register.api.counts import Accounts, accounts
from register.database import Database
from register.law.events import Event
from tests import naive
from tests.properties.histories import WINDOW, histories, tried
from tests.properties.mixed import mixed
from tests.properties.tables import recorded

Lines = Counter[tuple[str | None, str | None, str]]
#: Person -> the answer of one day.
Standing = dict[UUID, naive.Answer]


class Second:
    """The second reading of a history: who is entered where, before and after every single position."""

    def __init__(self, events: list[Event]) -> None:
        self._events = events
        self._known: dict[tuple[int, date], Standing] = {}

    def standing(self, position: int, day: date) -> Standing:
        """Everyone known at a position, and what is said of them on a day."""
        if (position, day) not in self._known:
            known = self._events[:position]
            persons = naive.persons_by_stream(known).items()
            self._known[position, day] = {who: naive.answer(known, numbers, day) for who, numbers in persons}
        return self._known[position, day]

    def entered(self, position: int, day: date) -> dict[UUID, str | None]:
        return {who: answer.counts_in for who, answer in self.standing(position, day).items() if answer.entered}

    def ever(self, position: int) -> set[UUID]:
        return {who for day in WINDOW for who in self.entered(position, day)}

    def lines(self, first: int, last: int, day: date) -> Lines:
        """(municipality, ground, member) -> how many, position by position."""
        found: Lines = Counter()
        held = {who for position in range(first + 1) for who in self.ever(position)}
        for position in range(first + 1, last + 1):
            was, now = self.standing(position - 1, day), self.standing(position, day)
            before, after = self.entered(position - 1, day), self.entered(position, day)
            for who in after.keys() - before.keys():
                if who not in held:
                    found[after[who], None, "entered"] += 1
                else:
                    ground = was[who].grounds[0] if who in was else "joined-number"
                    found[after[who], ground, "reinstated"] += 1
            for who in before.keys() - after.keys():
                ground = now[who].grounds[0] if who in now else "joined-number"
                found[before[who], ground, "deleted"] += 1
            for who in before.keys() & after.keys():
                if before[who] != after[who]:
                    found[before[who], None, "moved_out"] += 1
                    found[after[who], None, "moved_in"] += 1
            held |= self.ever(position)
        return found


def told(found: Accounts) -> Lines:
    counts: Lines = Counter()
    for item in found.items:
        for member in ("entered", "reinstated", "deleted", "moved_in", "moved_out"):
            count = getattr(item, member)
            assert isinstance(count, int)
            counts[item.municipality, item.ground, member] += count
    return +counts


def test_every_line_of_the_accounts_is_what_happened(database: Database) -> None:
    """Given any history, a day and two positions, then each line is right, and nothing is left, here or in any place.

    entered(b, d) = entered(a, d) + entered + reinstated - deleted; by municipality, with those who moved.
    """
    with recorded(database) as register:

        @tried(50)
        @given(st.one_of(mixed(stations=False), histories(most=14, of_options=True)), st.data())
        def property_(events: list[Event], data: st.DataObject) -> None:
            connection = register(events, data.draw(st.sampled_from([1, 3, 5_000])))
            second, positions = Second(events), st.integers(0, len(events))
            first, last = sorted((data.draw(positions), data.draw(positions)))
            for a, b in ((0, len(events)), (first, last)):
                for day in data.draw(st.lists(st.sampled_from(WINDOW), min_size=1, max_size=4, unique=True)):
                    found = accounts(connection, day, a, b)
                    before, after = second.entered(a, day), second.entered(b, day)
                    assert told(found) == second.lines(a, b, day)
                    assert (found.before, found.after, found.remainder) == (len(before), len(after), 0)
                    even(told(found), Counter(before.values()), Counter(after.values()))

        property_()


def even(lines: Lines, before: Counter[str | None], after: Counter[str | None]) -> None:
    """In every municipality as in the country; and nobody moves out who does not move in."""
    signs = {"entered": 1, "reinstated": 1, "moved_in": 1, "deleted": -1, "moved_out": -1}
    change: Counter[str | None] = Counter()
    moved = 0
    for (place, _, member), count in lines.items():
        change[place] += signs[member] * count
        moved += signs[member] * count if member.startswith("moved") else 0
    assert moved == 0
    for place in {*before, *after, *change}:
        assert after[place] == before[place] + change[place]
