"""The figures of the law, each with the day from which it holds and the source it rests on.

One table, :data:`PARAMETERS`, holds them all; no figure of the law stands elsewhere. A :class:`RuleSet` is what the
table says on a day. A person's day is judged under the set in force on that day, an election under the one in force
on the day of its call, a notice under the one in force on the day of the change it reports.

A later law adds a line to a parameter; it replaces none. What an old day looks like under another day's set is asked
by a :class:`Law` of that set alone (:func:`under`).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final, NamedTuple

import msgspec

#: A figure that holds since ever: the register judges all days, also those before there was a law.
SINCE_EVER: Final = date.min


class Dated(NamedTuple):
    """A figure of the law: the first day on which it holds, what it is, and its source.

    The source is an article of the consolidated text of 2006, ``later law``, or ``practice``.
    """

    from_: date
    value: int
    source: str


#: Every parameter (a member of :class:`RuleSet`) with its values, the earliest first.
PARAMETERS: Final[dict[str, tuple[Dated, ...]]] = {
    "voting_age": (Dated(SINCE_EVER, 18, "Art. 1.4"),),
    "call_days": (Dated(SINCE_EVER, 150, "Art. 1.14"),),
    "display_from_days": (Dated(SINCE_EVER, 120, "later law"),),
    "display_to_days": (Dated(SINCE_EVER, 90, "later law"),),
    "options_days": (Dated(SINCE_EVER, 75, "practice"),),
    "conclusion_days": (Dated(SINCE_EVER, 45, "Art. 3.6 e, practice"),),
    "conclusion_early_days": (Dated(SINCE_EVER, 20, "practice"),),
    "station_voters_least": (Dated(SINCE_EVER, 300, "later law"),),
    "station_voters_most": (Dated(SINCE_EVER, 1_000, "later law"),),
    "electronic_notice_days": (Dated(SINCE_EVER, 2, "Art. 3.5(5)"),),
    "written_notice_days": (Dated(SINCE_EVER, 7, "Art. 3.5(5)"),),
    "notice_ahead_days": (Dated(SINCE_EVER, 366, "practice"),),
    "age_most": (Dated(SINCE_EVER, 110, "practice"),),
    "applications_an_address": (Dated(SINCE_EVER, 6, "practice"),),
    "arrivals_days": (Dated(SINCE_EVER, 60, "practice"),),
    "arrivals_an_address": (Dated(SINCE_EVER, 10, "practice"),),
    "waiting_days": (Dated(SINCE_EVER, 30, "practice"),),
    "silent_days": (Dated(SINCE_EVER, 2, "Art. 3.5(5)"),),
}


class RuleSet(msgspec.Struct, frozen=True):
    """The figures in force from ``since`` on, until the next set.

    ``voting_age`` in completed years (R2); ``call_days``, ``display_…``, ``options_days`` and ``conclusion_…`` in days
    before election day; ``station_voters_…``: how many voters a polling station generally has; ``…_notice_days``:
    within how many days of a change it is notified; ``notice_ahead_days``: how far ahead of its receipt a change may
    take effect; ``age_most``: the age in years above which a voter is doubted; ``applications_an_address``: how many
    out-of-country applications one address may usually have; ``arrivals_days``: the days before a conclusion in which
    arrivals at one address are counted, ``arrivals_an_address`` how many of them are no more than a large family's;
    ``waiting_days`` and ``silent_days``: how long a missing notice, a missing
    day's report is waited for before it is a deficiency.
    """

    since: date
    voting_age: int
    call_days: int
    display_from_days: int
    display_to_days: int
    options_days: int
    conclusion_days: int
    conclusion_early_days: int
    station_voters_least: int
    station_voters_most: int
    electronic_notice_days: int
    written_notice_days: int
    notice_ahead_days: int
    age_most: int
    applications_an_address: int
    arrivals_days: int
    arrivals_an_address: int
    waiting_days: int
    silent_days: int


class Law:
    """The rule sets by the day from which each is in force: the first since ever, the last until changed."""

    __slots__ = ("_from", "sets")

    def __init__(self, sets: Sequence[RuleSet]) -> None:
        """``sets`` in order of ``since``. Raises ``ValueError`` when they leave a day out, or are out of order."""
        self.sets = tuple(sets)
        self._from = [rules.since for rules in self.sets]
        if self._from[:1] != [SINCE_EVER] or sorted(set(self._from)) != self._from:
            raise ValueError("rule sets follow each other by day, the first of them since ever")

    def in_force(self, day: date) -> RuleSet:
        """The set in force on a day."""
        sets = self.sets
        return sets[0] if len(sets) == 1 else sets[bisect_right(self._from, day) - 1]


def law_of(parameters: Mapping[str, Sequence[Dated]]) -> Law:
    """The rule sets that a table of dated values comes to: a new one from each day on which any value changes.

    Raises ``ValueError`` when a parameter has no value since ever or two for one day, ``TypeError`` when one is
    missing or there is none of that name.
    """
    for name, values in parameters.items():
        days = [value.from_ for value in values]
        if days[:1] != [SINCE_EVER] or sorted(set(days)) != days:
            raise ValueError(f"the values of {name} follow each other by day, the first of them since ever")
    changes = sorted({value.from_ for values in parameters.values() for value in values})
    return Law([RuleSet(since=day, **_on(parameters, day)) for day in changes])


def _on(parameters: Mapping[str, Sequence[Dated]], day: date) -> dict[str, Any]:
    return {name: next(v.value for v in reversed(values) if v.from_ <= day) for name, values in parameters.items()}


#: The law of Bosnia and Herzegovina, as the table has it.
LAW: Final = law_of(PARAMETERS)


def in_force(day: date, law: Law = LAW) -> RuleSet:
    """The rule set in force on a day."""
    return law.in_force(day)


def stated(day: date) -> dict[str, Dated]:
    """What the table says on a day, by parameter: the value in force, since when, and its source."""
    return {name: next(v for v in reversed(values) if v.from_ <= day) for name, values in PARAMETERS.items()}


def under(day: date, law: Law = LAW) -> Law:
    """A law in which the set in force on ``day`` holds on all days: to re-read an old day under another day's law."""
    return Law([msgspec.structs.replace(law.in_force(day), since=SINCE_EVER)])
