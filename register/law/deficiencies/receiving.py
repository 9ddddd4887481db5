"""What did not arrive: control totals that do not match, silent days, written notices missing (Art. 3.5(4)-(5)).

Pure rules over figures. Each gives the finding for one authority and day, or None; a finding that no longer comes is
remedied. What must wait (Art. 3.5(5)) has waited when it is given.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import Final, NamedTuple

from register.law.competence import municipality_of
from register.law.deficiencies.kinds import Finding, Kind
from register.law.events import ControlTotal
from register.law.parameters import in_force

#: A sender need not count the very total it sends, which often leaves on another day.
_SELF: Final = ControlTotal.TOPIC


class Total(NamedTuple):
    """A control total on record, neither refused nor annulled. ``sent``: full type name -> count."""

    position: int
    time: datetime
    id: str
    sent: Mapping[str, int]


class Difference(NamedTuple):
    """How many notices a sender counts and how many the register has, over all types, and per type that differs."""

    sent: int
    received: int
    types: Mapping[str, tuple[int, int]]


def key_of(authority: str, day: date) -> str:
    """What a finding about an authority's day is known by."""
    return f"{authority}:{day.isoformat()}"


def deciding(totals: Iterable[Total]) -> Total | None:
    """Which of several totals of an authority for one day decides: the later ``time``, then the greater id (R-tie)."""
    return max(totals, key=lambda total: (total.time, total.id), default=None)


def difference(sent: Mapping[str, int], received: Mapping[str, int]) -> Difference | None:
    """What a control total and the notices of its day do not agree on, or None when they match (Art. 3.5(4)).

    ``received``: distinct ids by type, refused ones included. A type the sender does not name it has not sent, so that
    what somebody else sent in its name shows too; of control totals this holds only where it names them.
    """
    types = (sent.keys() | received.keys()) - ({_SELF} - sent.keys())
    pairs = {name: (sent.get(name, 0), received.get(name, 0)) for name in sorted(types)}
    differing = {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
    if not differing:
        return None
    return Difference(sum(s for s, _ in pairs.values()), sum(r for _, r in pairs.values()), differing)


def unmatched_total(authority: str, day: date, total: Total, received: Mapping[str, int]) -> Finding | None:
    """The control total of a day and what was received of it do not agree (Art. 3.5(4)).

    Figures: ``sent``, ``received``, and ``types``, the number of types that differ.
    """
    found = difference(total.sent, received)
    if found is None:
        return None
    figures = {"sent": found.sent, "received": found.received, "types": len(found.types)}
    return _finding("control-total", authority, day, figures, (total.position,))


def silent_day(authority: str, day: date, today: date) -> Finding | None:
    """A day of which neither a notice nor a control total came, judged 2 days later (Art. 3.5(4)).

    Asked only of an authority that has sent a control total for an earlier day.
    """
    if (today - day).days < in_force(day).silent_days:
        return None
    return _finding("silent-day", authority, day, {}, ())


def written_missing(authority: str, day: date, missing: int) -> Finding | None:
    """Of the notices recorded on a day, the paper of ``missing`` has not come, 7 days later (Art. 3.5(5))."""
    return _finding("written-notice-missing", authority, day, {"missing": missing}, ()) if missing > 0 else None


def days_between(first: date, last: date) -> Iterable[date]:
    """Every day from the first to the last, both included."""
    return (first + timedelta(days=n) for n in range((last - first).days + 1))


def _finding(kind: Kind, authority: str, day: date, figures: dict[str, int], evidence: tuple[int, ...]) -> Finding:
    return Finding(
        kind=kind,
        key=key_of(authority, day),
        authority=authority,
        municipality=municipality_of(authority),
        evidence=evidence,
        figures=figures,
    )
