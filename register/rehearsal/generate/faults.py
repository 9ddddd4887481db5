"""Notices that are recorded and cannot stand: what the register must establish as deficiencies, each marked as such.

A fault is always made of additional notices, marked with the kind of deficiency they show. Showcases are left alone.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Final

import msgspec

from register.law import personal_number

from .notices import Line, day_text

if TYPE_CHECKING:
    from .mess import Mess

#: A region of personal numbers that no generated person has.
_REGION: Final = 59
#: Days before the end of the feed on which late options and arrivals take effect.
_LATE, _ARRIVED = 5, 10
_CROWD: Final = {"option": "mail", "country": "DE", "foreign_address": "Mittelweg 2, 20148 Hamburg"}
_ADULT: Final = timedelta(days=21 * 365)
_OLD: Final = timedelta(days=75 * 365)


class Fault(msgspec.Struct, frozen=True):
    """A kind of deficiency, around lines of which type it can be made, and how often at the least."""

    kind: str
    make: Callable[[Mess, Line, dict[str, Any]], list[Line]]
    around: str
    times: int = 3


def made(mess: Mess, fault: Fault, line: Line) -> list[Line]:
    """The line with the notices of a fault behind it, marked; the line alone where the fault cannot be made."""
    data = json.loads(line.body)["data"]
    return [line, *(msgspec.structs.replace(each, mark=fault.kind) for each in fault.make(mess, line, data))]


def fits(fault: Fault, line: Line) -> bool:
    """Whether a fault may be made around a line: of a permanent residence where residences are meant."""
    return line.kind == fault.around and (line.kind != "residence" or b'"kind":"permanent"' in line.body)


def _code(line: Line) -> str:
    return line.source.partition(":")[2]


def _adult(mess: Mess, data: dict[str, Any]) -> bool:
    """Whether a citizen is of an age at which one votes and lives."""
    age = date.fromordinal(mess.until) - date.fromisoformat(data["born_on"])
    return _ADULT < age < _OLD


def _new_number(born_on: date, sex: str, mess: Mess) -> str:
    """A number nobody else has."""
    first = 500 if sex == "F" else 0
    for serial in range(500):
        jmb = personal_number.make(born_on, _REGION, first + serial)
        if jmb is not None and jmb not in mess.numbers:
            mess.numbers.add(jmb)
            return jmb
    raise AssertionError("more faults than numbers")


def _one_under_two(mess: Mess, line: Line, data: dict[str, Any]) -> list[Line]:
    jmb = _new_number(date.fromisoformat(data["born_on"]), data["sex"], mess)
    return [mess.another(line, data | {"jmb": jmb})] if _adult(mess, data) else []


def _number_disagrees(mess: Mess, line: Line, data: dict[str, Any]) -> list[Line]:
    born = date.fromisoformat(data["born_on"]) + timedelta(days=1)
    wrong = {"jmb": data["jmb"], "effective_on": data["effective_on"], "born_on": born.isoformat()}
    return [mess.another(line, wrong, kind="personal-data")]


def _numbers_disagree(mess: Mess, line: Line, data: dict[str, Any]) -> list[Line]:
    other, mess.last_number = mess.last_number, data["jmb"]
    if other is None or other[:7] == data["jmb"][:7]:
        return []
    paper = {"kind": "decision", "number": "1/1", "issued_by": "MUP", "issued_on": day_text(line.day)}
    link = {"jmb": data["jmb"], "new_jmb": other, "effective_on": day_text(line.day), "document": paper}
    return [mess.another(line, link, source=f"residence-authority:{_code(line)}", kind="jmb-replaced")]


def _before_birth(mess: Mess, line: Line, data: dict[str, Any]) -> list[Line]:
    day = date.fromisoformat(data["born_on"]) - timedelta(days=90)
    place = {"kind": "permanent", "municipality": _code(line), "settlement": "Nepoznato", "house_number": "1"}
    wrong = {"jmb": data["jmb"], "effective_on": day.isoformat(), **place}
    return [mess.another(line, wrong, source=f"residence-authority:{_code(line)}", kind="residence")]


def _after_death(mess: Mess, line: Line, data: dict[str, Any]) -> list[Line]:
    if data["effective_on"] >= day_text(line.day):
        return []
    wrong = {"jmb": data["jmb"], "effective_on": day_text(line.day), "other_citizenships": []}
    return [mess.another(line, wrong, source="ministry:civil-affairs", kind="citizenship")]


def _residence_without_citizen(mess: Mess, line: Line, data: dict[str, Any]) -> list[Line]:
    return [mess.another(line, data | {"jmb": _new_number(date(1975, 3, 3), "M", mess)})]


def _over_110(mess: Mess, line: Line, data: dict[str, Any]) -> list[Line]:
    born = date(1908, 3, 3)
    jmb, code = _new_number(born, "F", mess), _code(line)
    person = {
        "jmb": jmb, "effective_on": "1908-03-10", "surname": "Stara", "given_name": f"Osoba {jmb[9:12]}",
        "parent_name": "Nepoznat", "sex": "F", "born_on": born.isoformat(),
    }  # fmt: skip
    return [
        mess.another(line, person, source=f"registry-office:{code}", kind="citizen"),
        mess.another(line, data | {"jmb": jmb}),
    ]


def _end_of_another(mess: Mess, line: Line, data: dict[str, Any]) -> list[Line]:
    other = mess.other_code(data["municipality"])
    wrong = {"jmb": data["jmb"], "effective_on": data["effective_on"], "kind": "permanent", "municipality": other}
    return [mess.another(line, wrong, source=f"residence-authority:{other}", kind="residence-ended")]


def _foreign_commission(mess: Mess, line: Line, data: dict[str, Any]) -> list[Line]:
    other = mess.other_code(data["municipality"])
    wrong = {"jmb": data["jmb"], "effective_on": data["effective_on"]}
    return [mess.another(line, wrong, source=f"municipal-commission:{other}", kind="reported-deceased")]


def _option_without_residence(mess: Mess, line: Line, data: dict[str, Any]) -> list[Line]:
    day = date.fromisoformat(data["born_on"]) + timedelta(days=1)
    wrong = {"jmb": data["jmb"], "effective_on": day.isoformat(), **_CROWD, "foreign_address": "Nordweg 1, Bonn"}
    return [mess.another(line, wrong, source="cec", kind="voting-option")]


def _late_option(mess: Mess, line: Line, data: dict[str, Any]) -> list[Line]:
    day = mess.until - _LATE
    option = {"jmb": data["jmb"], "effective_on": day_text(day), **_CROWD}
    option["foreign_address"] = f"Hauptstraße {data['jmb'][9:12]}, Graz"
    if not _adult(mess, data):
        return []
    return [mess.another(line, option, source="cec", kind="voting-option", day=day + 1)]


def _crowded(mess: Mess, line: Line, data: dict[str, Any]) -> list[Line]:
    day = mess.until - 60
    option = {"jmb": data["jmb"], "effective_on": day_text(day), **_CROWD}
    return [mess.another(line, option, source="cec", kind="voting-option", day=day)] if _adult(mess, data) else []


def _arrival(mess: Mess, line: Line, data: dict[str, Any]) -> list[Line]:
    """All of them move into one new house, that of the street of the first."""
    if mess.full_house is None:
        mess.full_house = {**data, "house_number": "998"}
    if data["municipality"] != mess.full_house["municipality"] or data["jmb"] in mess.numbers:
        return []
    mess.numbers.add(data["jmb"])
    day = mess.until - _ARRIVED
    moved = mess.full_house | {"jmb": data["jmb"], "effective_on": day_text(day)}
    return [mess.another(line, moved, day=day + 1)]


FAULTS: Final = (
    Fault("one-under-two-numbers", _one_under_two, "citizen"),
    Fault("number-disagrees", _number_disagrees, "citizen"),
    Fault("numbers-disagree", _numbers_disagree, "citizen", 4),
    Fault("before-birth", _before_birth, "citizen"),
    Fault("after-death", _after_death, "death"),
    Fault("residence-without-citizen", _residence_without_citizen, "residence"),
    Fault("over-110", _over_110, "residence"),
    Fault("end-of-another-residence", _end_of_another, "residence"),
    Fault("foreign-commission", _foreign_commission, "residence"),
    Fault("option-without-residence", _option_without_residence, "citizen"),
    Fault("late-option", _late_option, "citizen", 5),
    Fault("crowded-address", _crowded, "citizen", 12),
    Fault("many-arrivals", _arrival, "residence", 14),
)
