"""Dates of birth and personal numbers of generated people: valid, unique, and found from the person's count alone."""

from __future__ import annotations

from array import array
from datetime import date
from math import gcd
from typing import Final

from register.law import personal_number
from register.law.events import Sex

#: (from age, to age, weight 1 to 5): people of 16 and 17 come of age soon; the rest is roughly the country's pyramid.
_PYRAMID: Final = ((16, 18, 4), (18, 30, 4), (30, 65, 5), (65, 75, 4), (75, 85, 2), (85, 96, 1))
_REGIONS: Final = 10
#: Serials are taken in groups of four, of which at least one has a control digit.
_GROUPS_PER_COPY: Final = 25
_SLOTS: Final = _REGIONS * _GROUPS_PER_COPY


class Numbers:
    """Gives person 0, 1, 2 … a day of birth and a personal number that nobody else of the feed has."""

    def __init__(self, last: int) -> None:
        """Lay out every day on which somebody may be born, as often as its age on day ``last`` (an ordinal) weighs."""
        self._days = array(
            "l",
            (
                day * 8 + copy
                for low, high, weight in _PYRAMID
                for day in range(last - round(high * 365.25), last - round(low * 365.25))
                for copy in range(weight)
            ),
        )
        self._step = round(len(self._days) * 0.6180339887)
        while gcd(self._step, len(self._days)) != 1:
            self._step += 1

    @property
    def capacity(self) -> int:
        """How many people can be told apart."""
        return len(self._days) * _SLOTS

    def born(self, person: int) -> int:
        """Return the day of birth of a person (proleptic ordinal), which the sex has no part in."""
        return self._days[person * self._step % len(self._days)] // 8

    def of(self, person: int, sex: Sex, *, second: bool = False) -> tuple[int, str]:
        """Return the day of birth (proleptic ordinal) and the number of a person.

        ``second`` gives another number of the same person, for those that are replaced. Raises ``ValueError`` beyond
        :attr:`capacity`.
        """
        if person >= self.capacity:
            raise ValueError(f"no more than {self.capacity} people can be generated")
        place = person * self._step % len(self._days)
        # Two people share a place only when they are whole rounds of the list apart.
        turn = (person // len(self._days) + place * 7919) % _SLOTS
        day, copy = divmod(self._days[place], 8)
        group = copy * _GROUPS_PER_COPY + turn // _REGIONS
        region = turn % _REGIONS + (30 if second else 10)
        born_on = date.fromordinal(day)
        first = group * 4 + (500 if sex == "F" else 0)
        for serial in range(first, first + 4):
            number = personal_number.make(born_on, region, serial)
            if number is not None:
                return day, number
        raise AssertionError("four serials in a row without a control digit")
