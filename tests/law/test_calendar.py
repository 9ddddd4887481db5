"""The calendar of an election: E-150 … E, as published for the real cycles."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from register.law.calendar import calendar_of, check_call, check_conclusion, civil_day
from register.law.events import ElectionCalled
from register.law.provisions import Refusal

#: Election day, last day for options, conclusion: as the CEC published them.
CYCLES = [
    (date(2018, 10, 7), date(2018, 7, 24), date(2018, 8, 23)),
    (date(2020, 11, 15), date(2020, 9, 1), date(2020, 10, 1)),
    (date(2022, 10, 2), date(2022, 7, 19), date(2022, 8, 18)),
    (date(2024, 10, 6), date(2024, 7, 23), date(2024, 8, 22)),
]
#: Early elections: election day and conclusion.
EARLY = [
    (date(2014, 2, 16), date(2014, 1, 27)),
    (date(2019, 2, 17), date(2019, 1, 28)),
    (date(2023, 2, 5), date(2023, 1, 16)),
    (date(2025, 11, 23), date(2025, 11, 3)),
]


def regular(
    day: date = date(2024, 10, 6), called_on: date | None = None, options_until: date | None = None
) -> ElectionCalled:
    called_on = called_on or day - timedelta(days=150)
    return ElectionCalled(
        election="e", kind="local", early=False, day=day, called_on=called_on, options_until=options_until
    )


def early(
    day: date = date(2025, 11, 23), called_on: date = date(2025, 8, 27), options_until: date | None = date(2025, 9, 30)
) -> ElectionCalled:
    return ElectionCalled(
        election="e", kind="general", early=True, day=day, called_on=called_on, options_until=options_until
    )


@pytest.mark.parametrize(("day", "options", "conclusion"), CYCLES)
def test_a_regular_election_has_the_days_that_were_published(day: date, options: date, conclusion: date) -> None:
    calendar = calendar_of(regular(day))
    assert (calendar.options_until, calendar.conclusion_day) == (options, conclusion)
    assert (calendar.conclusion_from, calendar.conclusion_to) == (
        conclusion + timedelta(days=1),
        day - timedelta(days=1),
    )


@pytest.mark.parametrize(
    ("day", "first", "last"),
    [
        (date(2020, 11, 15), date(2020, 7, 18), date(2020, 8, 17)),
        (date(2024, 10, 6), date(2024, 6, 8), date(2024, 7, 8)),
    ],
)
def test_provisional_excerpts_are_displayed_from_e_120_to_e_90(day: date, first: date, last: date) -> None:
    calendar = calendar_of(regular(day))
    assert (calendar.display_from, calendar.display_to) == (first, last)


def test_provisional_excerpts_show_the_register_of_the_day_before_the_call() -> None:
    assert calendar_of(regular(called_on=date(2024, 5, 8))).provisional_as_of == date(2024, 5, 7)


@pytest.mark.parametrize(("day", "conclusion"), EARLY)
def test_an_early_election_is_concluded_on_e_20_and_has_no_display(day: date, conclusion: date) -> None:
    options = conclusion - timedelta(days=10)
    calendar = calendar_of(early(day, called_on=conclusion - timedelta(days=60), options_until=options))
    assert (calendar.options_until, calendar.conclusion_day) == (options, conclusion)
    assert calendar.display_from is calendar.display_to is calendar.call_by is calendar.provisional_as_of is None


@pytest.mark.parametrize(
    ("called", "today"),
    [
        (regular(), date(2024, 5, 9)),
        (regular(), date(2026, 1, 1)),  # recorded long after the call
        (regular(called_on=date(2023, 12, 1)), date(2024, 1, 1)),
        (early(), date(2025, 8, 27)),
        (early(options_until=date(2025, 11, 3)), date(2025, 8, 27)),  # the conclusion day itself
    ],
)
def test_a_call_in_time_is_accepted(called: ElectionCalled, today: date) -> None:
    check_call(called, today)


@pytest.mark.parametrize(
    ("called", "today"),
    [
        (regular(called_on=date(2024, 5, 10)), date(2024, 6, 1)),  # E-149
        (regular(), date(2024, 5, 8)),  # called tomorrow
        (regular(options_until=date(2024, 7, 1)), date(2024, 6, 1)),
        (early(options_until=None), date(2025, 9, 1)),
        (early(options_until=date(2025, 11, 4)), date(2025, 9, 1)),
        (early(options_until=date(2025, 8, 26)), date(2025, 9, 1)),
        (early(called_on=date(2025, 11, 23)), date(2025, 12, 1)),
    ],
)
def test_a_call_outside_the_calendar_is_refused_under_1_14(called: ElectionCalled, today: date) -> None:
    with pytest.raises(Refusal) as refused:
        check_call(called, today)
    assert (refused.value.kind, refused.value.provision) == ("calendar", "Art. 1.14")


@pytest.mark.parametrize(
    ("called", "first", "last"),
    [
        (regular(), date(2024, 8, 23), date(2024, 10, 5)),
        (early(), date(2025, 11, 4), date(2025, 11, 22)),
    ],
)
def test_the_roll_is_concluded_between_the_day_after_its_day_and_the_eve(
    called: ElectionCalled, first: date, last: date
) -> None:
    check_conclusion(called, first)
    check_conclusion(called, last)
    for outside in (first - timedelta(days=1), last + timedelta(days=1)):
        with pytest.raises(Refusal) as refused:
            check_conclusion(called, outside)
        assert (refused.value.kind, refused.value.provision) == ("calendar", "Art. 3.6 e")


@pytest.mark.parametrize(
    ("instant", "day"),
    [
        (datetime(2024, 8, 22, 21, 59, tzinfo=UTC), date(2024, 8, 22)),
        (datetime(2024, 8, 22, 22, 0, tzinfo=UTC), date(2024, 8, 23)),  # summer time
        (datetime(2024, 1, 31, 23, 0, tzinfo=UTC), date(2024, 2, 1)),
    ],
)
def test_days_are_days_of_sarajevo(instant: datetime, day: date) -> None:
    assert civil_day(instant) == day


def test_an_instant_without_a_time_zone_falls_on_no_day() -> None:
    with pytest.raises(ValueError, match="time zone"):
        civil_day(datetime(2024, 1, 1))  # noqa: DTZ001


@pytest.mark.parametrize(
    ("called_on", "day"), [("0001-01-01", "0001-01-02"), ("1989-12-31", "1990-06-01"), ("2026-01-01", "9999-12-31")]
)
def test_a_call_whose_days_cannot_be_meant_is_refused(called_on: str, day: str) -> None:
    called = ElectionCalled(
        election="slip",
        kind="general",
        early=False,
        day=date.fromisoformat(day),
        called_on=date.fromisoformat(called_on),
    )
    with pytest.raises(Refusal) as refused:
        check_call(called, date(2026, 1, 1))
    assert (refused.value.kind, refused.value.provision) == ("calendar", "Art. 1.14")
