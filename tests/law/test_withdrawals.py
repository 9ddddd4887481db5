"""The special records: whose right was withdrawn, on what ground, from when until when (Art. 3.6 d), as situations."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import pytest

from register.law.dossier import on_day, timeline
from register.law.withdrawals import withdrawals
from tests.law.situations import (
    AMRA_IN_BIHAC,
    COURT,
    OTHER_COURT,
    Sent,
    bar_ended,
    barred,
    capacity_restored,
    capacity_withdrawn,
    day,
    death,
    recorded,
    taken_back,
)

#: (ground, article, from, to or None, the decision's id, the id of what ended it)
Line = tuple[str, str, str, str | None, str, str | None]
CAPACITY = ("legal-capacity-withdrawn", "Art. 3.2")


@dataclass(frozen=True)
class Recorded:
    situation: str
    sent: list[Sent]
    expected: list[Line]

    def __str__(self) -> str:
        return self.situation


W = capacity_withdrawn("1.2.2010").under("w")
R = capacity_restored("1.2.2012").under("r")
BAR = barred("1.7", "1.3.2005").under("bar")

CASES = [
    Recorded("nothing was withdrawn", [death("1.1.2020")], []),
    Recorded("full capacity, still withdrawn", [W], [(*CAPACITY, "1.2.2010", None, "w", None)]),
    Recorded("withdrawn, then restored", [W, R], [(*CAPACITY, "1.2.2010", "1.2.2012", "w", "r")]),
    Recorded("a partial withdrawal withdraws no right", [capacity_withdrawn("1.2.2010", "partial")], []),
    Recorded(
        "withdrawn twice, restored once: both decisions stand on record, both ended by it",
        [W, capacity_withdrawn("1.2.2011").under("w2"), R],
        [(*CAPACITY, "1.2.2010", "1.2.2012", "w", "r"), (*CAPACITY, "1.2.2011", "1.2.2012", "w2", "r")],
    ),
    Recorded(
        "restored before: no end of a later withdrawal",
        [capacity_restored("1.2.2009").under("early"), W],
        [(*CAPACITY, "1.2.2010", None, "w", None)],
    ),
    Recorded(
        "the first restoration ends it, not a later one",
        [W, capacity_restored("1.2.2015").under("late"), R],
        [(*CAPACITY, "1.2.2010", "1.2.2012", "w", "r")],
    ),
    Recorded(
        "withdrawn and restored on one day, the withdrawal sent later: not ended",
        [W.sent_at("12:00"), capacity_restored("1.2.2010").under("same").sent_at("08:00")],
        [(*CAPACITY, "1.2.2010", None, "w", None)],
    ),
    Recorded("the withdrawal is taken back", [W, taken_back("w", by=COURT)], []),
    Recorded(
        "the restoration is taken back",
        [W, R, taken_back("r", by=COURT)],
        [(*CAPACITY, "1.2.2010", None, "w", None)],
    ),
    *(
        Recorded(
            f"a bar under Art. {ground} and its end",
            [barred(ground, "1.3.2005").under("bar"), bar_ended("bar", "1.3.2015").under("end")],
            [(f"barred-{ground}", f"Art. {ground}", "1.3.2005", "1.3.2015", "bar", "end")],
        )
        for ground in ("1.6", "1.7", "1.7a")
    ),
    Recorded(
        "an end of another bar, or by a court that names none of its own, ends nothing",
        [BAR, bar_ended("another", "1.3.2010"), bar_ended("bar", "1.3.2010", by=OTHER_COURT)],
        [("barred-1.7", "Art. 1.7", "1.3.2005", None, "bar", None)],
    ),
    Recorded(
        "another court's end that names the court",
        [BAR, bar_ended("bar", "1.3.2010", by=OTHER_COURT, of_court=COURT).under("end")],
        [("barred-1.7", "Art. 1.7", "1.3.2005", "1.3.2010", "bar", "end")],
    ),
    Recorded(
        "ended before it began: held on no day, and stands on record",
        [BAR, bar_ended("bar", "1.2.2005").under("end")],
        [("barred-1.7", "Art. 1.7", "1.3.2005", "1.3.2005", "bar", "end")],
    ),
    Recorded(
        "two ends: the earlier one",
        [BAR, bar_ended("bar", "1.3.2012").under("late"), bar_ended("bar", "1.3.2010").under("end")],
        [("barred-1.7", "Art. 1.7", "1.3.2005", "1.3.2010", "bar", "end")],
    ),
    Recorded(
        "two bars on one ground, one of them ended",
        [BAR, barred("1.7", "1.3.2006").under("second"), bar_ended("bar", "1.3.2010").under("end")],
        [
            ("barred-1.7", "Art. 1.7", "1.3.2005", "1.3.2010", "bar", "end"),
            ("barred-1.7", "Art. 1.7", "1.3.2006", None, "second", None),
        ],
    ),
    Recorded(
        "in the order in which the decisions were recorded, whatever their days",
        [W, BAR],
        [(*CAPACITY, "1.2.2010", None, "w", None), ("barred-1.7", "Art. 1.7", "1.3.2005", None, "bar", None)],
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_what_stands_on_the_special_records(case: Recorded) -> None:
    events = recorded([*AMRA_IN_BIHAC, *case.sent])
    expected = [(g, a, day(f), None if t is None else day(t), cause, end) for g, a, f, t, cause, end in case.expected]
    for arrived in (events, events[::-1]):
        found = withdrawals(arrived)
        told = [(w.ground, w.article, w.from_, w.to, w.cause.id, None if w.end is None else w.end.id) for w in found]
        assert told == expected


@pytest.mark.parametrize("case", CASES, ids=str)
def test_one_is_off_the_register_on_exactly_the_days_on_record(case: Recorded) -> None:
    """Given the records, then on and around each of their days the register says the same grounds of R5 and R6."""
    events = recorded([*AMRA_IN_BIHAC, *case.sent])
    found = withdrawals(events)
    borders = {d for w in found for d in (w.from_, w.to) if d is not None}
    for today in sorted({d + timedelta(days=n) for d in borders for n in (-1, 0, 1)}):
        told = on_day(timeline(events), today)
        assert told is not None
        withdrawn = {w.ground for w in found if w.in_force(today)}
        assert {g for g in told.grounds if g.startswith(("legal", "barred"))} == withdrawn
