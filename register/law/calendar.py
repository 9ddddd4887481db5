"""The calendar of an election, counted back from election day E (Art. 1.14, 3.6 e).

How many days back is said by the rule set in force on the day of the call: a later law moves no day of an election
that was called before it.

Every day here is a whole civil day of Europe/Sarajevo, and both ends of a span of the calendar are days of it
("E-120 .. E-90" includes both), as a decision in the Official Gazette would print them.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from register.law.events import ElectionCalled
from register.law.parameters import LAW, Law
from register.law.provisions import Fault, Refusal

SARAJEVO: Final = ZoneInfo("Europe/Sarajevo")

#: What lies outside is a slip of the pen: the first elections were held in 1990, and none is called years ahead.
EARLIEST: Final = date(1990, 1, 1)
LONGEST: Final = timedelta(days=3 * 366)


class Calendar(msgspec.Struct, frozen=True):
    """The days of one election; every ``…_to``, ``…_until`` and ``…_by`` is the last day on which it is still allowed.

    ``conclusion_day`` is E-45 (early: E-20): the roll is the one of its end, 24:00. The act itself is done between
    ``conclusion_from`` and ``conclusion_to``. ``provisional_as_of`` is the day before the call, whose register the
    displayed excerpts show. ``None`` where an early election has no such day.
    """

    election: str
    day: date
    call_by: date | None
    provisional_as_of: date | None
    display_from: date | None
    display_to: date | None
    options_until: date
    conclusion_day: date
    conclusion_from: date
    conclusion_to: date


def civil_day(instant: datetime) -> date:
    """Return the day of Europe/Sarajevo an instant falls on. Raises ``ValueError`` for one without a time zone."""
    if instant.tzinfo is None:
        raise ValueError("an instant without a time zone falls on no day")
    return instant.astimezone(SARAJEVO).date()


def conclusion_day_of(called: ElectionCalled, law: Law = LAW) -> date:
    """Return the day at whose end the roll is concluded: E-45, early E-20 (Art. 3.6 e, practice).

    Of a run-off it is that of the first round, whose roll it is held by.
    """
    if called.judged_on is not None:
        return called.judged_on
    rules = law.in_force(called.called_on)
    return _before(called.day, rules.conclusion_early_days if called.early else rules.conclusion_days)


def calendar_of(called: ElectionCalled, law: Law = LAW) -> Calendar:
    """Return the calendar of a called election (Art. 1.14, 3.6 e).

    Raises ``ValueError`` for an early election without ``options_until``, which :func:`check_call` refuses.
    """
    day, rules = called.day, law.in_force(called.called_on)
    if called.runoff_of is not None and called.options_until is not None:
        return _of_runoff(called, called.options_until, conclusion_day_of(called, law))
    options_until = called.options_until if called.early else _before(day, rules.options_days)
    if options_until is None:
        raise ValueError("the call of an early election sets the last day for options")
    conclusion_day = conclusion_day_of(called, law)
    return Calendar(
        election=called.election,
        day=day,
        call_by=None if called.early else _before(day, rules.call_days),
        provisional_as_of=None if called.early else _before(called.called_on, 1),
        display_from=None if called.early else _before(day, rules.display_from_days),
        display_to=None if called.early else _before(day, rules.display_to_days),
        options_until=options_until,
        conclusion_day=conclusion_day,
        conclusion_from=conclusion_day + timedelta(days=1),
        conclusion_to=_before(day, 1),
    )


def check_call(called: ElectionCalled, today: date, law: Law = LAW) -> None:
    """Accept the call of an election (Art. 1.14); ``today`` is the day on which it is recorded.

    The days are judged against ``called_on``, which may lie in the past. Raises ``Refusal("calendar")`` for a call of
    tomorrow, a call less than 150 days before an election that is not early, a call on or after election day, and a
    last day for options that an early election lacks, another election has, or that lies outside call .. conclusion.
    """
    if called.called_on < EARLIEST or called.day > called.called_on + LONGEST:
        raise _refusal("The days of the call cannot be meant", "/called_on")
    if called.called_on > today:
        raise _refusal("An election cannot be recorded as called on a day that has not come yet", "/called_on")
    if called.called_on >= called.day:
        raise _refusal("An election is called before the day of the vote", "/called_on")
    if not called.early:
        ahead = law.in_force(called.called_on).call_days
        if called.called_on > _before(called.day, ahead):
            raise _refusal(f"An election is called at least {ahead} days before it is held", "/called_on")
        if called.options_until is not None:
            raise _refusal("Only the call of an early election sets the last day for options", "/options_until")
        return
    if called.options_until is None:
        raise _refusal("The call of an early election sets the last day for options", "/options_until")
    if called.options_until < called.called_on:
        raise _refusal("The last day for options cannot lie before the call", "/options_until")
    if called.options_until > conclusion_day_of(called, law):
        raise _refusal("The last day for options cannot lie after the day of the conclusion", "/options_until")


def _of_runoff(called: ElectionCalled, options_until: date, judged_on: date) -> Calendar:
    """A run-off's: options and residences are those of the first round; the changes are concluded before its day."""
    return Calendar(
        election=called.election,
        day=called.day,
        call_by=None,
        provisional_as_of=None,
        display_from=None,
        display_to=None,
        options_until=options_until,
        conclusion_day=judged_on,
        conclusion_from=called.called_on,
        conclusion_to=_before(called.day, 1),
    )


def check_runoff(first: ElectionCalled, called: ElectionCalled, today: date) -> None:
    """Accept the call of a run-off of a concluded election (Art. 3.6 e: one conclusion, a second for a run-off only).

    ``today`` is the day on which it is recorded. Raises ``Refusal("calendar")`` for a run-off of a run-off, one that
    is not after the first round, is called before it or on a day to come, or is held where the first round was not.
    """
    if first.runoff_of is not None:
        raise _refusal("A run-off has no run-off", "/id")
    if called.day <= first.day or called.day > first.day + LONGEST:
        raise _refusal(f"A run-off is held after the first round, {first.day}", "/day")
    if not first.day <= called.called_on <= min(today, _before(called.day, 1)):
        raise _refusal(
            "A run-off is called after the first round's vote, before its own, on a day that came", "/called_on"
        )
    if first.municipalities and not set(called.municipalities) <= set(first.municipalities):
        raise _refusal("A run-off is held where the first round was held", "/municipalities")


def check_conclusion(called: ElectionCalled, today: date, law: Law = LAW) -> None:
    """Accept that the roll is concluded ``today`` (Art. 3.6 e).

    Raises ``Refusal("calendar")`` before the end of E-45 (early E-20) and from election day on.
    """
    calendar = calendar_of(called, law)
    if today < calendar.conclusion_from:
        raise Refusal(
            "calendar",
            f"The roll of this election is concluded at the end of {calendar.conclusion_day}, not before",
            provision="Art. 3.6 e",
        )
    if today > calendar.conclusion_to:
        raise Refusal(
            "calendar",
            f"The roll of this election had to be concluded by the end of {calendar.conclusion_to}",
            provision="Art. 3.6 e",
        )


def _before(day: date, days: int) -> date:
    return day - timedelta(days=days)


def _refusal(sentence: str, pointer: str) -> Refusal:
    return Refusal("calendar", sentence, provision="Art. 1.14", faults=(Fault(pointer, sentence),))
