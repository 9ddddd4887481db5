"""What changed between two positions, for any day of any history: applied to the earlier register it gives the later.

Each step is asked again, one position after the other, by the question about one person; and so the events named are
exactly those that changed something.
"""

from __future__ import annotations

from collections import Counter
from datetime import date
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from register.database import Database
from register.law.events import Event
from register.projection import queries
from register.projection.differences import SHOWN, Answer, Difference, Place, Span, differences
from tests.properties.histories import STREAMS, WINDOW, tried
from tests.properties.mixed import mixed
from tests.properties.tables import recorded

Register = dict[UUID, dict[str, Any]]


def shown(row: queries.Row) -> dict[str, Any]:
    days = row["days"]
    return {name: row[name] for name in (*SHOWN, "polling_station")} | {"from": days.lower, "to": days.upper}


def register_of(connection: sa.Connection, on: date, position: int, municipality: str | None = None) -> Register:
    rows, more = queries.register_page(
        connection, on, position, municipality=municipality, polling_station=None, after=None, limit=100
    )
    assert more is None
    return {row["person"]: shown(row) for row in rows}


def every(connection: sa.Connection, span: Span, limit: int, municipality: str | None = None) -> list[Difference]:
    """All pages."""
    found: list[Difference] = []
    after: Place | None = None
    while True:
        page, following = differences(connection, span, municipality=municipality, after=after, limit=limit)
        assert len(page) <= limit
        found.extend(page)
        if following is None:
            return found
        assert after is None or following > after
        after = following


def applied(register: Register, found: list[Difference]) -> Register:
    result = dict(register)
    for each in found:
        assert result.pop(each.person, None) == each.before
        if each.after is not None:
            result[each.person] = dict(each.after)
    return result


def changing(connection: sa.Connection, span: Span, person: UUID) -> list[int]:
    """The positions at which the answer about a person changed, asked one by one."""

    def answer(position: int) -> Answer | None:
        row = queries.voter(connection, person, span.on, position)
        return None if row is None else shown(row)

    return [p for p in range(span.first + 1, span.last + 1) if answer(p - 1) != answer(p)]


def came_and_went(connection: sa.Connection, span: Span) -> Counter[UUID]:
    """By the audit log: +1 for who came, -1 for who went."""
    signs = {"entered": 1, "reinstated": 1, "deleted": -1}
    net: Counter[UUID] = Counter()
    query = sa.text(
        "SELECT person, action FROM projection.audit_entry WHERE position > :a AND position <= :b AND days @> :on"
    )
    for person, action in connection.execute(query, {"a": span.first, "b": span.last, "on": span.on}):
        net[person] += signs[action]
    return net


def test_the_differences_are_what_leads_from_one_register_to_the_other(database: Database) -> None:
    """Given any history with links and polling stations, two positions and a day, then applying the differences to the
    register of the first gives that of the second; each names the events that did it, and no other; the audit log tells
    the same comings and goings; neither the projector's batch nor the size of a page plays a part.
    """
    with recorded(database) as register:

        @tried(40)
        @given(mixed(), st.data())
        def property_(events: list[Event], data: st.DataObject) -> None:
            connection = register(events, data.draw(st.sampled_from([1, 3, 5_000])))
            positions = st.integers(0, len(events))
            first, last = sorted((data.draw(positions), data.draw(positions)))
            for a, b in ((0, len(events)), (first, last)):
                span = Span(a, b, data.draw(st.sampled_from(WINDOW)))
                found = every(connection, span, 50)
                before, after = register_of(connection, span.on, a), register_of(connection, span.on, b)
                assert applied(before, found) == after
                assert found == sorted(found, key=lambda each: each.place)
                assert [each.positions for each in found] == [changing(connection, span, e.person) for e in found]
                assert all(each.positions for each in found)
                net = came_and_went(connection, span)
                signs = {e.person: (e.after is not None) - (e.before is not None) for e in found}
                assert {who: n for who, n in net.items() if n} == {who: n for who, n in signs.items() if n}
                assert every(connection, span, 1) == found

        property_()


def test_links_are_told_to_both_whom_they_join(database: Database) -> None:
    """Given any history, when a number was joined to a person or parted, then the differences of both say so."""
    with recorded(database) as register:

        @tried(20)
        @given(mixed(stations=False), st.sampled_from(WINDOW))
        def property_(events: list[Event], day: date) -> None:
            connection = register(events)
            span = Span(0, len(events), day)
            for each in every(connection, span, 50):
                steps = []
                for position in range(1, len(events) + 1):
                    was, now = (
                        {s: queries.person_of(connection, s, p) for s in STREAMS.values()}
                        for p in (position - 1, position)
                    )
                    for stream in STREAMS.values():
                        for who, action in ((was[stream], "parted"), (now[stream], "joined")):
                            if (
                                was[stream] != now[stream]
                                and who not in (None, stream)
                                and each.person in (stream, who)
                            ):
                                steps.append((action, stream if each.person == who else who, position))
                assert sorted(steps, key=str) == sorted(
                    ((link.action, link.with_, link.position) for link in each.links), key=str
                )

        property_()
