"""How quickly notices come: by wire within 2 days of the change, on paper within 7 (Art. 3.5(5)).

What is measured is every notice that names the day of a change. Control totals and annulments name none: nothing
occurred outside the register that they were to report, so they have no lag and no paper. A notice that was annulled
later stays measured - it was late, or not, whatever came of it, and an authority cannot mend its figures by taking
notices back - but its paper is not waited for any longer. Late is measured, never refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from math import ceil
from typing import Final

from register.law.calendar import civil_day
from register.law.events import AboutPerson, AnyData, PollingStation, PollingStationAbolished
from register.law.parameters import in_force

#: Lags are told day by day up to here, then by whole weeks, from a year on by whole years, up to so many years.
_EXACT: Final = 60
_WEEK: Final = 7
_YEAR: Final = 365
_YEARS: Final = 10


def effective_day(data: AnyData) -> date | None:
    """The day of the change an event reports, or None for what reports none (see above)."""
    if isinstance(data, AboutPerson | PollingStation | PollingStationAbolished):
        return data.effective_on
    return None


def electronic_lag(effective_on: date, recorded_at: datetime) -> int:
    """Days from a change to the civil day on which its notice was recorded (Art. 3.5(5)); below 0 ahead of time.

    It is the instant of recording that counts, which the register gives, not the ``time`` the sender names.
    """
    return (civil_day(recorded_at) - effective_on).days


def written_lag(effective_on: date, received_on: date) -> int:
    """Days from a change to the day on which the paper arrived (Art. 3.5(5)); below 0 ahead of time."""
    return (received_on - effective_on).days


def electronic_days_late(lag: int, effective_on: date) -> int:
    """By how many days an electronic notice of this lag came too late, 0 when in time (Art. 3.5(5))."""
    return max(0, lag - in_force(effective_on).electronic_notice_days)


def days_late(effective_on: date | None, recorded_at: datetime) -> int | None:
    """By how many days a notice came too late, as its sender is told: None in time, or when it reports no change."""
    if effective_on is None:
        return None
    return electronic_days_late(electronic_lag(effective_on, recorded_at), effective_on) or None


def written_days_late(lag: int, effective_on: date) -> int:
    """By how many days a paper of this lag came too late, 0 when in time (Art. 3.5(5))."""
    return max(0, lag - in_force(effective_on).written_notice_days)


def paper_overdue(effective_on: date, today: date) -> bool:
    """Whether 7 days have passed since a change whose paper has not come (Art. 3.5(5))."""
    return written_days_late(written_lag(effective_on, today), effective_on) > 0


def paper_missing(recorded_on: date, effective_on: date, today: date) -> bool:
    """Whether a paper is established as missing: overdue, and 7 days after the electronic notice too (Art. 3.5(5)).

    A notice recorded long after the change is late at once; its paper may still be under way.
    """
    waited = (today - recorded_on).days >= in_force(effective_on).written_notice_days
    return waited and paper_overdue(effective_on, today)


def within_first_load(recorded_on: date, until: date | None) -> bool:
    """Whether what was recorded on a day belongs to a first load, declared up to ``until``, and is not measured."""
    return until is not None and recorded_on <= until


def in_time_by(effective_on: date, day: date) -> bool:
    """Whether a notice that came within its 2 days would have been known on ``day``, whatever hour (Art. 3.5(5))."""
    return effective_on + timedelta(days=in_force(effective_on).electronic_notice_days) <= day


def lag_class(lag: int) -> int:
    """The lag as it is kept and told: exact up to 60 days, then the days of whole weeks, then of whole years.

    A lag of more than ten years is told as ten: so few are the classes that a register's figures stay small.
    """
    if lag <= _EXACT:
        return lag
    if lag < _YEAR:
        return lag - lag % _WEEK
    return min(lag // _YEAR, _YEARS) * _YEAR


def percentile(histogram: Mapping[int, int], hundredth: int) -> int | None:
    """The least lag that so many in a hundred notices do not exceed; None without notices.

    ``histogram``: lag in days -> notices.
    """
    rank = ceil(sum(histogram.values()) * hundredth / 100)
    passed = 0
    for lag in sorted(histogram):
        passed += histogram[lag]
        if passed >= max(rank, 1):
            return lag
    return None
