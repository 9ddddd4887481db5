"""Rule sets by date: a day is judged under the figures in force on it, and can be read again under another day's."""

from __future__ import annotations

import ast
import re
from datetime import date, timedelta
from pathlib import Path
from uuid import UUID

import msgspec
import pytest

import register.law
from register.law import parameters
from register.law.calendar import calendar_of, check_call, check_conclusion
from register.law.deficiencies import KINDS
from register.law.deficiencies.persons import about_person
from register.law.dossier import on_day, timeline
from register.law.events import ElectionCalled
from register.law.parameters import LAW, PARAMETERS, SINCE_EVER, Dated, Law, RuleSet, in_force, law_of, stated, under
from register.law.provisions import Refusal
from register.law.rolls import roll_of, stand
from tests.law.situations import AMRA, BIHAC, citizen, day, lives_in, option, recorded

#: The voting age is 18, 16 from 2020 on, 21 from 2024 on.
REFORMS = law_of(
    {
        **PARAMETERS,
        "voting_age": (
            *PARAMETERS["voting_age"],
            Dated(date(2020, 1, 1), 16, "a later law"),
            Dated(date(2024, 1, 1), 21, "a later law"),
        ),
    }
)
UNDER_AGE = ("under-age",)
HOME = lives_in(BIHAC, "1.1.2001")

#: (born, {day: grounds})
COMING_OF_AGE = [
    ("17 when the age is lowered: entered that day", "1.5.2002", {"31.12.2019": UNDER_AGE, "1.1.2020": ()}),
    ("16 on the very day it is lowered", "1.1.2004", {"31.12.2019": UNDER_AGE, "1.1.2020": ()}),
    ("16 a day later", "2.1.2004", {"1.1.2020": UNDER_AGE, "2.1.2020": ()}),
    (
        "18 when it is raised to 21: off the register from that day to the 21st birthday",
        "1.5.2005",
        {"30.4.2021": UNDER_AGE, "1.5.2021": (), "31.12.2023": (), "1.1.2024": UNDER_AGE, "1.5.2026": ()},
    ),
    ("21 when it is raised: nothing changes", "1.1.2003", {"1.1.2020": (), "31.12.2023": (), "1.1.2024": ()}),
    ("18 long before: nothing changes", "1.5.2001", {"30.4.2019": UNDER_AGE, "1.5.2019": (), "1.1.2024": ()}),
    ("a child of 2010: 16 never counted, 21 does", "1.5.2010", {"1.5.2028": UNDER_AGE, "1.5.2031": ()}),
]  # fmt: skip


def test_an_option_is_late_for_one_who_votes_under_the_law_of_election_day(monkeypatch: pytest.MonkeyPatch) -> None:
    """Called when one voted at 18, held when one votes at 16: who is 17 stands on the roll."""
    called = ElectionCalled(
        election="local-2020", kind="local", early=False, day=day("4.10.2020"), called_on=day("1.12.2019")
    )
    events = recorded([citizen("1.5.2003", born="1.5.2003"), lives_in(BIHAC, "1.5.2003"), option("mail", "1.9.2020")])
    assert stand(events, roll_of(called, [BIHAC], REFORMS), None) is not None
    monkeypatch.setattr("register.law.deficiencies.notices.in_force", REFORMS.in_force)
    found = about_person({UUID(int=1): events}, day("1.10.2020"), [called])
    assert "late-option" in {each.kind for each in found}


@pytest.mark.parametrize(("situation", "born", "expected"), COMING_OF_AGE, ids=lambda value: str(value)[:40])
def test_a_day_is_judged_under_the_voting_age_in_force_on_it(
    situation: str, born: str, expected: dict[str, tuple[str, ...]]
) -> None:
    events = recorded([citizen(born, born=born), HOME])
    told = timeline(events, REFORMS)
    assert {on: on_day(told, day(on)).grounds for on in expected} == expected  # type: ignore[union-attr]


def test_on_every_day_the_same_as_under_the_set_of_that_day_alone() -> None:
    """Given reforms, then each day's answer is the one of a law that knows that day's set only."""
    sent = [citizen("1.5.2005", born="29.2.2004"), HOME, lives_in("11762", "1.3.2020"), lives_in(BIHAC, "1.3.2025")]
    events = recorded(sent)
    told = timeline(events, REFORMS)
    assert [s.from_ for s in told][1:] == [s.to for s in told][:-1]
    for n in range(366 * 8):
        today = date(2019, 1, 1) + timedelta(days=n)
        assert on_day(told, today) == on_day(timeline(events, under(today, REFORMS)), today)


def test_an_old_day_is_read_again_under_the_law_of_another() -> None:
    events = recorded([citizen("1.5.2002", born="1.5.2002"), HOME])
    then = date(2018, 7, 1)
    assert on_day(timeline(events, REFORMS), then).grounds == UNDER_AGE  # type: ignore[union-attr]
    assert on_day(timeline(events, under(date(2021, 1, 1), REFORMS)), then).grounds == ()  # type: ignore[union-attr]
    # With one law in force since ever, every day's law is the same.
    assert timeline(events, under(date(1999, 1, 1))) == timeline(events, under(date(2050, 1, 1))) == timeline(events)


def test_the_roll_is_judged_under_the_set_in_force_on_election_day() -> None:
    """Given an age of 16 from 2020 on, then one of 17 is on the roll of October 2020 and not on that of 2018."""
    for year, there in ((2018, False), (2020, True)):
        called = ElectionCalled(
            election=f"e-{year}",
            kind="local",
            early=False,
            day=date(year, 10, 4),
            called_on=date(year, 5, 1),
            municipalities=(BIHAC,),
        )
        born = f"1.5.{year - 17}"
        entry = stand(recorded([citizen(born, born=born), HOME]), roll_of(called, (BIHAC,), REFORMS), None)
        assert (entry is not None) == there
        assert entry is None or entry.jmb == AMRA


def test_an_election_keeps_the_calendar_of_the_day_of_its_call() -> None:
    """Given E-30 and a call by E-100 from 2024 on, then an election called before is concluded at E-45 all the same."""
    law = law_of(
        {
            **PARAMETERS,
            "conclusion_days": (*PARAMETERS["conclusion_days"], Dated(date(2024, 6, 1), 30, "a later law")),
            "conclusion_early_days": (*PARAMETERS["conclusion_early_days"], Dated(date(2024, 6, 1), 10, "a later law")),
            "options_days": (*PARAMETERS["options_days"], Dated(date(2024, 6, 1), 60, "a later law")),
            "call_days": (*PARAMETERS["call_days"], Dated(date(2024, 6, 1), 100, "a later law")),
            "display_from_days": (*PARAMETERS["display_from_days"], Dated(date(2024, 6, 1), 80, "a later law")),
            "display_to_days": (*PARAMETERS["display_to_days"], Dated(date(2024, 6, 1), 70, "a later law")),
        }
    )
    election_day = date(2024, 12, 1)

    def called(on: date, *, early: bool = False) -> ElectionCalled:
        until = election_day - timedelta(days=12) if early else None
        return ElectionCalled(
            election="e", kind="local", early=early, day=election_day, called_on=on, options_until=until
        )

    def before(on: date, *, early: bool = False) -> list[int | None]:
        c = calendar_of(called(on, early=early), law)
        days = (c.call_by, c.display_from, c.display_to, c.options_until, c.conclusion_day, c.conclusion_from)
        return [None if d is None else (election_day - d).days for d in days]

    assert before(date(2024, 5, 31)) == [150, 120, 90, 75, 45, 44]
    assert before(date(2024, 6, 1)) == [100, 80, 70, 60, 30, 29]
    assert before(date(2024, 5, 31), early=True) == [None, None, None, 12, 20, 19]
    assert before(date(2024, 6, 1), early=True) == [None, None, None, 12, 10, 9]
    assert calendar_of(called(date(2024, 6, 1)), law).conclusion_from == date(2024, 11, 2)
    check_conclusion(called(date(2024, 6, 1)), date(2024, 11, 2), law)
    check_conclusion(called(date(2024, 5, 31)), date(2024, 10, 18), law)
    with pytest.raises(Refusal, match="not before"):
        check_conclusion(called(date(2024, 6, 1)), date(2024, 11, 1), law)
    # Options until E-12 of an early election: before E-10, and after E-20.
    check_call(called(date(2024, 6, 1), early=True), date(2024, 6, 1), law)
    with pytest.raises(Refusal, match="after the day of the conclusion"):
        check_call(called(date(2024, 6, 1), early=True), date(2024, 6, 1))
    check_call(called(date(2024, 8, 1)), date(2024, 8, 1), law)
    with pytest.raises(Refusal, match="at least 150 days"):
        check_call(called(date(2024, 8, 1)), date(2024, 8, 1))
    with pytest.raises(Refusal, match="at least 100 days"):
        check_call(called(date(2024, 9, 1)), date(2024, 9, 1), law)


def test_each_figure_has_a_source_and_holds_since_ever() -> None:
    assert set(PARAMETERS) == {name for name in RuleSet.__struct_fields__ if name != "since"}
    for values in PARAMETERS.values():
        assert values[0].from_ == SINCE_EVER
        assert all(re.fullmatch(r"Art\. .+|later law.*|practice.*", value.source) for value in values)
    told = stated(date(2026, 3, 1))
    assert stated(SINCE_EVER) == {name: values[0] for name, values in PARAMETERS.items()}
    assert {name: dated.value for name, dated in told.items()} == {
        name: value for name, value in msgspec.structs.asdict(in_force(date(2026, 3, 1))).items() if name != "since"
    }


@pytest.mark.parametrize(
    "values",
    [(), (Dated(date(2020, 1, 1), 16, "x"),), (*PARAMETERS["voting_age"], *PARAMETERS["voting_age"])],
    ids=["none", "not since ever", "two for one day"],
)
def test_a_table_that_leaves_a_day_out_is_none(values: tuple[Dated, ...]) -> None:
    with pytest.raises(ValueError, match="voting_age"):
        law_of({**PARAMETERS, "voting_age": values})


def test_sets_follow_each_other() -> None:
    first, second, third = REFORMS.sets
    assert [rules.since for rules in REFORMS.sets] == [SINCE_EVER, date(2020, 1, 1), date(2024, 1, 1)]
    assert (first.voting_age, second.voting_age, third.voting_age) == (18, 16, 21)
    assert REFORMS.in_force(date(2019, 12, 31)) == first
    assert REFORMS.in_force(date(2020, 1, 1)) == in_force(date(2023, 12, 31), REFORMS) == second
    for wrong in ([], [second], [first, third, second], [first, first]):
        with pytest.raises(ValueError, match="since ever"):
            Law(wrong)
    assert len(LAW.sets) == 1


#: Numbers that are also sizes of members, digits, steps and years: they would say little.
ALSO_OTHERS = {20, 60, 366, 1_000}
#: Said there to readers; the next test holds them to the table.
SAID_TO_READERS = {"kinds.py": {30}}


def test_no_figure_of_the_law_stands_elsewhere() -> None:
    """Given the law's modules, then none but the table holds a number that is one of its figures (of two digits)."""
    figures = {v.value for values in PARAMETERS.values() for v in values if v.value > 10} - ALSO_OTHERS
    found: dict[str, set[int]] = {}
    for path in Path(register.law.__file__).parent.rglob("*.py"):
        if path.name != Path(parameters.__file__).name:
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Constant) and type(node.value) is int and node.value in figures:
                    found.setdefault(path.name, set()).add(node.value)
    assert found == SAID_TO_READERS


def test_what_readers_are_told_of_waiting_is_what_the_table_says() -> None:
    rules = in_force(date(2026, 3, 1))
    said = {rule.waits for rule in KINDS.values()} - {0}
    assert said == {rules.waiting_days, rules.silent_days, rules.written_notice_days}
