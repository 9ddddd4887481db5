"""The personal number: form, day and control digit, and nothing told about a wrong one."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum.si import emso

from register.law import personal_number
from register.law.provisions import Refusal

DAYS = st.dates(date(1880, 1, 1), date(2030, 12, 31))


@given(DAYS, st.integers(0, 99), st.integers(0, 999))
def test_a_made_number_is_possible_and_states_its_day_and_sex(born_on: date, region: int, serial: int) -> None:
    made = personal_number.make(born_on, region, serial)
    if made is None:
        return
    assert emso.is_valid(made)
    personal_number.check(made)
    assert personal_number.birth_date(made) == born_on
    assert personal_number.sex(made) == ("F" if serial >= 500 else "M")


@given(DAYS, st.integers(0, 99), st.integers(0, 999), st.integers(0, 9))
def test_the_control_digit_is_judged_as_in_the_independent_library(d: date, r: int, serial: int, digit: int) -> None:
    number = f"{d:%d%m}{d.year % 1000:03d}{r:02d}{serial:03d}{digit}"
    if emso.is_valid(number):
        personal_number.check(number)
    else:
        with pytest.raises(Refusal):
            personal_number.check(number)


def test_every_wrong_digit_but_in_no_place_goes_unnoticed() -> None:
    number = "0101970100017"
    for place in range(13):
        for digit in "0123456789":
            changed = number[:place] + digit + number[place + 1 :]
            if changed != number:
                with pytest.raises(Refusal):
                    personal_number.check(changed)


def test_a_serial_whose_control_digit_would_be_ten_is_skipped_now_and_accepted_when_old() -> None:
    skipped = [serial for serial in range(1000) if personal_number.make(date(1970, 1, 1), 10, serial) is None]
    assert 80 <= len(skipped) <= 100
    personal_number.check(f"010197010{skipped[0]:03d}0")


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "010197010001",  # twelve digits
        "01019701000177",
        " 101970100017",
        "0101970100017\n",
        "0101 970100017",
        "٠101970100017",  # a digit, but not of ASCII
        "3002970100012",  # 30 February
        "2902900100015",  # 1900 was no leap year
        "0100970100017",
        "0101970100018",
    ],
)
def test_a_refusal_names_the_provision_and_never_the_number(wrong: str) -> None:
    with pytest.raises(Refusal) as caught:
        personal_number.check(wrong, "/data/new_jmb")
    refusal = caught.value
    assert (refusal.kind, refusal.status, refusal.provision) == ("jmb", 422, "Art. 3.5")
    assert refusal.faults[0].pointer == "/data/new_jmb"
    assert not any(digits in refusal.detail for digits in (wrong.strip(), wrong[:6]) if digits)


def test_the_century_is_read_from_three_digits() -> None:
    for year in (1880, 1899, 1999, 2000, 2031):
        number = next(n for s in range(20) if (n := personal_number.make(date(year, 2, 28), 17, s)))
        assert personal_number.birth_date(number).year == year
