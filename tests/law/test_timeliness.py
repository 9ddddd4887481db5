"""Electronic notice within 2 days of the change, written notice within 7 (Art. 3.5(5)); totals and silent days."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from register.law.deficiencies.receiving import (
    Total,
    deciding,
    difference,
    silent_day,
    unmatched_total,
    written_missing,
)
from register.law.events import Annulment, ControlTotal, Death, PollingStationAbolished
from register.law.timeliness import (
    days_late,
    effective_day,
    electronic_lag,
    in_time_by,
    lag_class,
    paper_missing,
    paper_overdue,
    percentile,
    within_first_load,
    written_days_late,
    written_lag,
)

DIED = date(2026, 3, 1)
DEATHS, CITIZENS, TOTALS = "ba.cvr.death.v1", "ba.cvr.citizen.v1", "ba.cvr.control-total.v1"
REGISTRY = "registry-office:10049"


@pytest.mark.parametrize(
    ("recorded", "lag", "late"),
    [
        ("2026-03-01T10:00:00Z", 0, None),
        ("2026-03-03T22:59:59Z", 2, None),  # the last second of 3 March in Sarajevo
        ("2026-03-03T23:00:00Z", 3, 1),
        ("2026-03-11T12:00:00Z", 10, 8),
        ("2026-02-20T12:00:00Z", -9, None),  # told ahead of time
    ],
)
def test_an_electronic_notice_is_late_from_the_third_day_after_the_change(
    recorded: str, lag: int, late: int | None
) -> None:
    at = datetime.fromisoformat(recorded)
    assert electronic_lag(DIED, at) == lag
    assert days_late(DIED, at) == late


@pytest.mark.parametrize(("received", "late"), [(date(2026, 3, 8), 0), (date(2026, 3, 9), 1), (date(2026, 2, 27), 0)])
def test_a_written_notice_is_late_from_the_eighth_day_after_the_change(received: date, late: int) -> None:
    assert written_days_late(written_lag(DIED, received), DIED) == late


def test_a_paper_is_overdue_on_the_eighth_day_and_missing_once_the_electronic_notice_is_a_week_old_too() -> None:
    assert [paper_overdue(DIED, date(2026, 3, day)) for day in (8, 9)] == [False, True]
    in_time, late = date(2026, 3, 2), date(2026, 3, 20)
    assert [paper_missing(in_time, DIED, date(2026, 3, day)) for day in (8, 9)] == [False, True]
    assert [paper_missing(late, DIED, date(2026, 3, day)) for day in (21, 26, 27)] == [False, False, True]


def test_what_reports_no_change_has_no_lag() -> None:
    station = PollingStationAbolished(code="001", municipality="10049", effective_on=DIED)
    assert effective_day(Death(jmb="0101970100017", effective_on=DIED)) == effective_day(station) == DIED
    assert effective_day(Annulment(annuls="n-1", reason="another person")) is None
    assert effective_day(ControlTotal(day=DIED, sent={})) is None
    assert days_late(None, datetime(2030, 1, 1, tzinfo=UTC)) is None


def test_a_first_load_ends_with_its_last_day() -> None:
    until = date(2026, 3, 31)
    assert [within_first_load(day, until) for day in (until, until + timedelta(days=1))] == [True, False]
    assert not within_first_load(until, None)


def test_in_time_means_known_on_the_day_two_days_after_the_change() -> None:
    assert [in_time_by(DIED, date(2026, 3, day)) for day in (2, 3)] == [False, True]


@given(st.integers(-400, 20_000), st.integers(-400, 20_000))
def test_lags_are_told_exactly_for_two_months_and_never_out_of_order(one: int, other: int) -> None:
    assert lag_class(one) == one or one > 60
    assert lag_class(one) <= one
    assert (one <= other) <= (lag_class(one) <= lag_class(other))
    assert (one > 7) == (lag_class(one) > 7)


@given(st.lists(st.integers(-5, 40), min_size=1, max_size=50), st.integers(1, 100))
def test_a_percentile_is_the_least_lag_that_so_many_do_not_exceed(lags: list[int], hundredth: int) -> None:
    found = percentile(Counter(lags), hundredth)
    assert found in lags
    enough = {lag for lag in lags if sum(each <= lag for each in lags) * 100 >= hundredth * len(lags)}
    assert found == min(enough)


@pytest.mark.parametrize(
    ("situation", "sent", "received", "expected"),
    [
        ("the same", {DEATHS: 3, CITIZENS: 0}, {DEATHS: 3}, None),
        ("one lost", {DEATHS: 3}, {DEATHS: 2}, (3, 2, {DEATHS: (3, 2)})),
        ("one more than the sender knows of", {DEATHS: 3}, {DEATHS: 3, CITIZENS: 1}, (3, 4, {CITIZENS: (0, 1)})),
        ("the total itself is not counted", {DEATHS: 1}, {DEATHS: 1, TOTALS: 1}, None),
        ("unless the sender counts it", {TOTALS: 2}, {TOTALS: 1}, (2, 1, {TOTALS: (2, 1)})),
        ("one for another", {DEATHS: 1}, {CITIZENS: 1}, (1, 1, {CITIZENS: (0, 1), DEATHS: (1, 0)})),
        ("nothing sent, nothing here", {DEATHS: 0}, {}, None),
    ],
)
def test_a_control_total_matches_when_every_type_does(
    situation: str, sent: dict[str, int], received: dict[str, int], expected: object
) -> None:
    assert difference(sent, received) == expected


def test_of_two_totals_for_a_day_the_one_sent_later_decides_then_the_greater_id() -> None:
    morning, noon = (datetime(2026, 3, 2, hour, tzinfo=UTC) for hour in (8, 12))
    first, second, third = Total(9, morning, "t-9", {}), Total(3, noon, "t-1", {}), Total(2, noon, "t-2", {})
    assert deciding([first, second, third]) == third
    assert deciding([]) is None


def test_each_finding_names_the_authority_its_municipality_and_the_day() -> None:
    total = Total(7, datetime(2026, 3, 2, 8, tzinfo=UTC), "t-1", {DEATHS: 3})
    unmatched = unmatched_total(REGISTRY, DIED, total, {DEATHS: 1})
    assert unmatched is not None
    assert (unmatched.kind, unmatched.key) == ("control-total", f"{REGISTRY}:2026-03-01")
    assert (unmatched.authority, unmatched.municipality, unmatched.evidence) == (REGISTRY, "10049", (7,))
    assert unmatched.figures == {"sent": 3, "received": 1, "types": 1}
    assert unmatched_total(REGISTRY, DIED, total, {DEATHS: 3}) is None
    assert [silent_day(REGISTRY, DIED, date(2026, 3, day)) is not None for day in (1, 2, 3)] == [False, False, True]
    missing = written_missing(REGISTRY, DIED, 2)
    assert missing is not None
    assert (missing.kind, missing.figures) == ("written-notice-missing", {"missing": 2})
    assert written_missing(REGISTRY, DIED, 0) is None
