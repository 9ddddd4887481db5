"""Event by event: what changed at each position, the audit log, and the accounts that must come out even."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from register.law.deletions import AuditEntry, Days
from register.law.dossier import Stretch, timeline
from register.law.events import Event
from register.law.franchise import FOREVER
from register.law.persons import members, persons
from register.projection.chronicle import Change, Chronicle
from tests import naive
from tests.properties.histories import WINDOW, histories, streams_of, tried


def follow(events: list[Event], batch: int) -> list[Change]:
    """Feed all events as the projector does, so many at a time; what changed at each position."""
    changes: list[Change] = []
    held: dict[UUID, Days] = {}
    for start in range(0, len(events), batch):
        upcoming = events[start : start + batch]
        chronicle = Chronicle(streams_of(events[:start]), upcoming, held)
        changes.extend(chronicle.feed(event) for event in upcoming)
        held = dict(chronicle.held)
    return changes


def in_any_order(changes: list[Change]) -> list[tuple[Any, ...]]:
    return [(c.closed, c.opened, c.audit, c.joined) for c in changes]


def days_held(entry: AuditEntry, day: date) -> bool:
    return entry.from_ <= day < entry.to


@tried(150)
@given(histories())
def test_the_size_of_a_batch_plays_no_part(events: list[Event]) -> None:
    one_by_one = in_any_order(follow(events, 1))
    assert in_any_order(follow(events, 7)) == one_by_one
    assert in_any_order(follow(events, 5000)) == one_by_one


@tried(150)
@given(histories())
def test_what_is_still_known_is_what_a_rebuild_from_nothing_says(events: list[Event]) -> None:
    known: set[tuple[object, Stretch]] = set()
    joined: dict[object, object] = {}
    for change in follow(events, 7):
        assert known.issuperset(change.closed), "only what was known can cease to be known"
        known.difference_update(change.closed)
        assert known.isdisjoint(change.opened)
        known.update(change.opened)
        joined.update(change.joined)
    streams = streams_of(events)
    assert known == {(p, s) for p, of_person in persons(streams).items() for s in timeline(of_person)}
    assert {s: p for s, p in joined.items() if p is not None} == {s: p for s, p in members(streams).items() if s != p}


@tried(60)
@given(histories(most=14))
def test_both_readings_make_the_same_audit_entries(events: list[Event]) -> None:
    changes = follow(events, 7)
    for position, change in enumerate(changes, start=1):
        told = [
            naive.Entry(a.person, a.action, a.from_, None if a.to == FOREVER else a.to, a.ground, a.remark)
            for a in change.audit
        ]
        assert told == naive.entries_of(events[:position], WINDOW)
        assert {(a.position, a.source, a.id) for a in change.audit} <= {
            (position, events[position - 1].source, events[position - 1].id)
        }


@tried(150)
@given(histories(), st.data())
def test_the_accounts_come_out_even(events: list[Event], data: st.DataObject) -> None:
    """entered(b, d) = entered(a, d) + entered + reinstated - deleted, remainder 0."""
    positions = st.integers(0, len(events))
    a, b = sorted((data.draw(positions), data.draw(positions)))
    day = data.draw(st.sampled_from(WINDOW))
    audit = [entry for change in follow(events, 7) for entry in change.audit]

    def entered(position: int) -> int:
        known = events[:position]
        return sum(naive.answer(known, person, day).entered for person in naive.people(known))

    def count(action: str) -> int:
        return sum(e.action == action and a < e.position <= b and days_held(e, day) for e in audit)

    assert entered(b) == entered(a) + count("entered") + count("reinstated") - count("deleted")
