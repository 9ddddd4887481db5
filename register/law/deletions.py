"""Deletions and reinstatements (Art. 3.2, 3.6 d): the answer before and after a position -> audit entries.

For each event the person's answer before and after it is compared, for all days. Each maximal run of days with the
same change and the same first ground is one entry. What only the passing of time brings (a birthday) needs none: it
was fixed by the event that made it known.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date, datetime
from itertools import groupby, pairwise
from typing import Literal
from uuid import UUID

import msgspec

from register.law.dossier import Stretch
from register.law.events import AboutPerson, Document, Event
from register.law.franchise import ALWAYS, ARTICLES, FOREVER, GROUNDS, JOINED_NUMBER

Action = Literal["entered", "deleted", "reinstated"]
#: Days as disjoint half-open intervals in order.
Days = tuple[tuple[date, date], ...]
#: Person -> stretches, as the register stands at one position.
Standing = Mapping[UUID, Sequence[Stretch]]


class AuditEntry(msgspec.Struct, frozen=True, gc=False):
    """One deletion, reinstatement or first entry, for the days ``[from_, to)``.

    ``ground`` is the first ground after a deletion or before a reinstatement; ``entered`` has none. ``remark`` is
    ``extended`` for days that were never held before. ``municipality`` is where the entry counted, or counts, on the
    first of the days. ``source``, ``id`` and ``type`` name the event that did it.
    """

    person: UUID
    action: Action
    from_: date
    to: date
    ground: str | None
    article: str | None
    remark: str | None
    municipality: str | None
    position: int
    recorded_at: datetime
    source: str
    id: str
    type: str
    document: Document | None


def audit_entries(
    before: Standing,
    after: Standing,
    held: Mapping[UUID, Days],
    cause: Event,
    *,
    joined_before: Collection[UUID] = (),
    joined_after: Collection[UUID] = (),
) -> list[AuditEntry]:
    """The entries that ``cause`` brings about (Art. 3.2, 3.6 d).

    ``before`` and ``after``: the persons it touches as they stood at the position before it and at its own. ``held``:
    for each person the days on which any earlier position had it entered. ``joined_before``, ``joined_after``: the
    streams that belonged, belong to a person of a lesser stream id (rules: linked numbers).
    """
    entries: list[AuditEntry] = []
    for person in sorted(before.keys() | after.keys()):
        gone = JOINED_NUMBER if person in joined_after else None
        come = JOINED_NUMBER if person in joined_before else None
        was, now = before.get(person, ()), after.get(person, ())
        if held.get(person):
            entries.extend(_compare(person, was, now, held[person], cause, gone, come))
        else:
            entries.extend(_first_entries(person, now, cause))
    return entries


def entered_days(stretches: Sequence[Stretch]) -> Days:
    """The days on which the person is entered, as disjoint intervals in order. ``stretches``: in order, too."""
    out: list[tuple[date, date]] = []
    for stretch in stretches:
        if stretch.answer.entered:
            if out and out[-1][1] == stretch.from_:
                out[-1] = (out[-1][0], stretch.to)
            else:
                out.append((stretch.from_, stretch.to))
    return tuple(out)


def union(a: Days, b: Days) -> Days:
    """The days in either."""
    out: list[tuple[date, date]] = []
    for lower, upper in sorted((*a, *b)):
        if out and lower <= out[-1][1]:
            out[-1] = (out[-1][0], max(out[-1][1], upper))
        else:
            out.append((lower, upper))
    return tuple(out)


def _first_entries(person: UUID, now: Sequence[Stretch], cause: Event) -> Iterator[AuditEntry]:
    """One entry for each run of days of a person who was never entered before: nothing of it can be a deletion."""
    change: tuple[Action, None, None] = ("entered", None, None)
    for entered, run in groupby(now, lambda stretch: stretch.answer.entered):
        if entered:
            first, *more = run
            yield _entry(person, change, first.from_, more[-1].to if more else first.to, first, None, cause)


def _compare(
    person: UUID,
    was: Sequence[Stretch],
    now: Sequence[Stretch],
    held: Days,
    cause: Event,
    gone: str | None,
    come: str | None,
) -> Iterator[AuditEntry]:
    """One person's entries; ``gone`` and ``come`` are the ground when a number is joined or parted."""
    run: AuditEntry | None = None
    for lower, upper, old, new in _side_by_side(was, now, held):
        change = _change(old, new, held, lower, gone, come)
        if (
            run is not None
            and change is not None
            and run.to == lower
            and (run.action, run.ground, run.remark) == change
        ):
            run = msgspec.structs.replace(run, to=upper)
            continue
        if run is not None:
            yield run
        run = None if change is None else _entry(person, change, lower, upper, new or old, old, cause)
    if run is not None:
        yield run


def _side_by_side(
    was: Sequence[Stretch], now: Sequence[Stretch], held: Days
) -> Iterator[tuple[date, date, Stretch | None, Stretch | None]]:
    """Both sides cut at every border of either, and of the days held before."""
    cuts = {ALWAYS, FOREVER}
    for stretch in (*was, *now):
        cuts.add(stretch.from_)
    for lower, upper in held:
        cuts.update((lower, upper))
    days = sorted(cuts)
    i = j = 0
    for lower, upper in pairwise(days):
        while i < len(was) and was[i].to <= lower:
            i += 1
        while j < len(now) and now[j].to <= lower:
            j += 1
        yield lower, upper, was[i] if i < len(was) else None, now[j] if j < len(now) else None


def _change(
    old: Stretch | None, new: Stretch | None, held: Days, day: date, gone: str | None, come: str | None
) -> tuple[Action, str | None, str | None] | None:
    """(action, ground, remark) of a day, or None when nobody came or went. A change of grounds alone is none."""
    was_entered = old is not None and old.answer.entered
    is_entered = new is not None and new.answer.entered
    if was_entered == is_entered:
        return None
    if was_entered:
        if gone is not None or new is None:
            return "deleted", gone or GROUNDS[0], None
        return "deleted", new.answer.grounds[0], None
    if not held:
        return "entered", None, None
    remark = None if any(lower <= day < upper for lower, upper in held) else "extended"
    ground = come or (GROUNDS[0] if old is None else old.answer.grounds[0])
    return "reinstated", ground, remark


def _entry(
    person: UUID,
    change: tuple[Action, str | None, str | None],
    lower: date,
    upper: date,
    stretch: Stretch | None,
    old: Stretch | None,
    cause: Event,
) -> AuditEntry:
    action, ground, remark = change
    shown = old if action == "deleted" else stretch
    data = cause.data
    return AuditEntry(
        person=person,
        action=action,
        from_=lower,
        to=upper,
        ground=ground,
        article=None if ground is None else ARTICLES[ground],
        remark=remark,
        municipality=None if shown is None else shown.answer.counts_in,
        position=cause.position,
        recorded_at=cause.recorded_at,
        source=cause.source,
        id=cause.id,
        type=type(data).TOPIC,
        document=data.document if isinstance(data, AboutPerson) else None,
    )
