"""The personal number (JMB): thirteen digits ``DDMMYYYRRBBBK``.

``RR`` is the region of first registration and ``BBB`` a serial, below 500 for men. ``K`` is the control digit over
the twelve before it, with the weights 7 6 5 4 3 2 7 6 5 4 3 2 and modulus 11 (Law on the Unique Identification
Number, Official Gazette of BiH 32/01 and later). Where the formula gives 10 or 11 the control digit is 0; numbers
given today skip the serials that would give 10, older ones do not, so both are accepted here.

The number is an attribute that may be wrong, annulled and replaced. A municipality must never be read out of it.
"""

from __future__ import annotations

from datetime import date
from functools import lru_cache

from register.law.events import Sex
from register.law.provisions import Fault, Refusal

#: Three digits stand for the year: 800-999 are 1800-1999, 000-799 are 2000-2799.
_FIRST_OF_1000 = 800
_FIRST_FEMALE_SERIAL = 500
#: What the ASCII codes of the twelve digits add to the weighted sum beyond the digits themselves.
_ASCII_SUM = 48 * 2 * (7 + 6 + 5 + 4 + 3 + 2)


def check(jmb: str, pointer: str = "/data/jmb") -> None:
    """Accept a possible personal number.

    ``pointer`` is the RFC 6901 pointer to the number in its notice. Raises ``Refusal("jmb")`` (Art. 3.5) unless
    ``jmb`` is thirteen ASCII digits and nothing else, with a day of the calendar and the right control digit. The
    refusal never repeats the number.
    """
    _checked(jmb, pointer)


def birth_date(jmb: str) -> date:
    """Return the date of birth that a possible personal number states. Raises ``Refusal("jmb")`` for any other."""
    return _checked(jmb, "/data/jmb")


def sex(jmb: str) -> Sex:
    """Return the sex that a possible personal number states. Raises ``Refusal("jmb")`` for any other."""
    check(jmb)
    return "F" if int(jmb[9:12]) >= _FIRST_FEMALE_SERIAL else "M"


def make(born_on: date, region: int, serial: int) -> str | None:
    """Return the number of that day, region (0-99) and serial (0-999), or None where the control digit would be 10.

    Raises ``ValueError`` for a region, serial or year that three or two digits cannot hold.
    """
    if not (0 <= region <= 99 and 0 <= serial <= 999):
        raise ValueError("region must be 0 to 99 and serial 0 to 999")
    if not 1800 <= born_on.year <= 2799:
        raise ValueError("a personal number holds the years 1800 to 2799")
    body = f"{born_on.day:02d}{born_on.month:02d}{born_on.year % 1000:03d}{region:02d}{serial:03d}"
    digit = _remainder(body)
    return None if digit == 10 else f"{body}{digit}"


def _checked(jmb: str, pointer: str) -> date:
    """Return the date of birth in a possible number; refuse any other."""
    if len(jmb) != 13:
        raise _refusal(pointer, "The personal number must have 13 digits")
    if not (jmb.isascii() and jmb.isdigit()):
        raise _refusal(pointer, "The personal number must consist of the digits 0 to 9 only")
    born_on = _day(jmb[:7])
    if born_on is None:
        raise _refusal(pointer, "The personal number does not begin with a day of the calendar")
    if _remainder(jmb[:12]) % 10 != ord(jmb[12]) - 48:
        raise _refusal(pointer, "The control digit of the personal number is wrong")
    return born_on


def _remainder(body: str) -> int:
    """Return 11 minus the weighted sum of twelve ASCII digits modulo 11, with 11 as 0: a number from 0 to 10."""
    a, b, c, d, e, f, g, h, i, j, k, m = body.encode()
    total = 7 * (a + g) + 6 * (b + h) + 5 * (c + i) + 4 * (d + j) + 3 * (e + k) + 2 * (f + m)
    return (_ASCII_SUM - total) % 11


@lru_cache(maxsize=1 << 16)
def _day(digits: str) -> date | None:
    """Return the day that ``DDMMYYY`` states, or None where the calendar has none."""
    year = int(digits[4:7])
    try:
        return date(year + (1000 if year >= _FIRST_OF_1000 else 2000), int(digits[2:4]), int(digits[:2]))
    except ValueError:
        return None


def _refusal(pointer: str, sentence: str) -> Refusal:
    return Refusal("jmb", sentence, provision="Art. 3.5", faults=(Fault(pointer, sentence),))
