"""What a refusal of the law carries: the sentence a letter would use, the provision, and the place in the message."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

import pytest

from register.law import events as e
from register.law import personal_number
from register.law.calendar import EARLIEST, LONGEST, check_call, check_conclusion
from register.law.competence import Caller, caller_for, check_sender, may_look, role_of
from register.law.events import SOURCE_PREFIX, ElectionCalled
from register.law.provisions import Refusal
from tests.law.situations import AMRA, BANJA_LUKA, BIHAC

DAY = date(2024, 10, 6)
DEATH = e.Death(jmb=AMRA, effective_on=DAY)
HOME = e.Residence(jmb=AMRA, effective_on=DAY, kind="permanent", municipality=BANJA_LUKA, settlement="Grad")


def call(called_on: date, *, day: date = DAY, early: bool = False, options_until: date | None = None) -> ElectionCalled:
    return ElectionCalled(
        election="e", kind="local", early=early, day=day, called_on=called_on, options_until=options_until
    )


def sent(authority: str, source: str, data: e.Notice) -> Callable[[], None]:
    return lambda: check_sender(caller_for(authority, "clerk"), SOURCE_PREFIX + source, data)


OFFICE, RESIDENCE = f"registry-office:{BIHAC}", f"residence-authority:{BIHAC}"
IN_TIME, LATE = DAY - timedelta(days=150), DAY - timedelta(days=149)
EARLY_CALL = date(2024, 8, 1)
TODAY = date(2026, 1, 1)

#: (what is refused, where in the message, what the sentence speaks of, the provision)
REFUSALS: list[tuple[Callable[[], object], str | None, str, str]] = [
    (lambda: check_call(call(date(1989, 12, 31)), TODAY), "/called_on", "cannot be meant", "Art. 1.14"),
    (lambda: check_call(call(IN_TIME), IN_TIME - timedelta(days=1)), "/called_on", "not come yet", "Art. 1.14"),
    (lambda: check_call(call(DAY), TODAY), "/called_on", "before the day of the vote", "Art. 1.14"),
    (lambda: check_call(call(LATE), TODAY), "/called_on", "at least 150 days before", "Art. 1.14"),
    (
        lambda: check_call(call(IN_TIME, options_until=LATE), TODAY),
        "/options_until", "Only the call of an early", "Art. 1.14",
    ),
    (lambda: check_call(call(EARLY_CALL, early=True), TODAY), "/options_until", "sets the last day", "Art. 1.14"),
    (
        lambda: check_call(call(EARLY_CALL, early=True, options_until=date(2024, 7, 31)), TODAY),
        "/options_until", "before the call", "Art. 1.14",
    ),
    (
        lambda: check_call(call(EARLY_CALL, early=True, options_until=date(2024, 9, 17)), TODAY),
        "/options_until", "after the day of the conclusion", "Art. 1.14",
    ),
    (
        lambda: check_conclusion(call(IN_TIME), date(2024, 8, 22)),
        None, "at the end of 2024-08-22, not before", "Art. 3.6 e",
    ),
    (lambda: check_conclusion(call(IN_TIME), DAY), None, "by the end of 2024-10-05", "Art. 3.6 e"),
    (sent(OFFICE, f"registry-office:{BANJA_LUKA}", DEATH), "/source", "as its source", "Art. 3.5(4)"),
    (sent(RESIDENCE, RESIDENCE, DEATH), "/type", "Only a registry office", "Art. 3.5(3)1"),
    (
        sent(RESIDENCE, RESIDENCE, e.EntityOption(jmb=AMRA, effective_on=DAY, entity="RS")),
        "/type", "Only the residence authority of Brčko", "Art. 3.5(3)2",
    ),
    (sent(RESIDENCE, RESIDENCE, HOME), "/data/municipality", "for its own municipality", "Art. 3.5(3)2"),
    (lambda: role_of("king:1"), None, "no such kind of authority", "Art. 3.5(3)"),
    (lambda: may_look(caller_for(OFFICE, "clerk"), "audit"), None, "to the CEC and to auditors", "Art. 3.6"),
    (lambda: personal_number.birth_date("0101970100018"), "/data/jmb", "control digit", "Art. 3.5"),
    (lambda: personal_number.check("010197010001", "/jmb"), "/jmb", "13 digits", "Art. 3.5"),
]  # fmt: skip


@pytest.mark.parametrize(("refused", "pointer", "words", "provision"), REFUSALS, ids=range(len(REFUSALS)))
def test_a_refusal_says_why_where_and_under_which_provision(
    refused: Callable[[], object], pointer: str | None, words: str, provision: str
) -> None:
    with pytest.raises(Refusal) as found:
        refused()
    refusal = found.value
    assert words in refusal.detail
    assert refusal.provision == provision
    assert [(fault.pointer, fault.detail) for fault in refusal.faults] == (
        [] if pointer is None else [(pointer, refusal.detail)]
    )


@pytest.mark.parametrize(
    "called",
    [
        call(EARLIEST, day=EARLIEST + timedelta(days=150)),
        call(date(2020, 1, 1), day=date(2020, 1, 1) + LONGEST),
        call(EARLY_CALL, early=True, options_until=EARLY_CALL),
    ],
    ids=["the first day there can be", "the longest time ahead", "options until the day of the call"],
)
def test_the_last_call_that_is_still_accepted(called: ElectionCalled) -> None:
    check_call(called, TODAY)


def test_who_acts_for_an_authority_is_competent_in_the_municipality_it_names() -> None:
    assert caller_for(OFFICE, "clerk") == Caller("clerk", "registry-office", OFFICE, (BIHAC,))
    assert caller_for("cec", "clerk") == Caller("clerk", "cec", "cec", ())
    assert may_look(caller_for("cec", "clerk"), "deficiencies").authority == "cec"
    assert may_look(Caller("clerk", "municipal-commission", None, (BIHAC,)), "voters").municipalities == {BIHAC}


def test_a_number_is_made_within_its_digits_and_of_no_others() -> None:
    for region, serial, born_on in ((0, 0, date(1800, 1, 1)), (99, 999, date(2799, 12, 31))):
        # One in eleven numbers has no control digit: then a neighbour has one.
        made = [personal_number.make(born_on, region, s) for s in (serial, abs(serial - 1))]
        assert any(made)
    for region, serial in ((100, 0), (-1, 0), (0, 1000), (0, -1)):
        with pytest.raises(ValueError, match="region must be 0 to 99"):
            personal_number.make(DAY, region, serial)
    for year in (1799, 2800):
        with pytest.raises(ValueError, match="1800 to 2799"):
            personal_number.make(date(year, 6, 1), 0, 0)


def test_serials_from_500_on_are_womens() -> None:
    made = {s: personal_number.make(date(1970, 1, d), 10, s) for s in (499, 500) for d in range(1, 9)}
    assert [personal_number.sex(made[s] or "") for s in (499, 500)] == ["M", "F"]
