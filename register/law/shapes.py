"""What a notice must look like beyond the form of its members: rules across fields, dates, codes, documents.

The types in ``law/events`` say what a member may be; this module says what may stand together. Nothing here looks at
other events: a contradiction with what is known is a deficiency, never a refusal (contract: notices).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import date, datetime
from typing import Any, Final

import msgspec

from register.law import personal_number
from register.law.calendar import civil_day
from register.law.events import (
    DOCUMENT_REQUIRED,
    NOTICE_BY_TYPE,
    AboutPerson,
    Annulment,
    CatchmentEntry,
    Citizen,
    ControlTotal,
    JmbReplaced,
    Notice,
    PersonalData,
    PollingStation,
    PollingStationAbolished,
    RefugeeStatus,
    Residence,
    ResidenceEnded,
    VotingOption,
)
from register.law.parameters import in_force
from register.law.provisions import Fault, ProblemKind, Refusal

EARLIEST: Final = date(1880, 1, 1)

#: Which kind a refusal has when a notice has faults of several: the first of these.
_ORDER: Final[tuple[ProblemKind, ...]] = ("schema", "jmb", "date", "document-missing")


class Flaw(msgspec.Struct, frozen=True):
    """A fault with the kind of problem it is."""

    kind: ProblemKind
    fault: Fault


def check_shape(data: Notice, *, time: datetime, received: date, municipalities: Collection[str]) -> None:
    """Accept a notice's ``data`` whose members fit together.

    ``time`` is the notice's own, ``received`` the day (Europe/Sarajevo) it came, ``municipalities`` the codes of the
    reference data. Raises one ``Refusal`` of kind ``schema``, ``jmb``, ``date`` or ``document-missing`` (the first of
    these that occurs) carrying every fault of the notice.
    """
    flaws = flaws_of(data, time=time, received=received, municipalities=municipalities)
    if not flaws:
        return
    kind = min((flaw.kind for flaw in flaws), key=_ORDER.index)
    first = next(flaw.fault for flaw in flaws if flaw.kind == kind)
    raise Refusal(
        kind,
        first.detail,
        provision="Art. 3.5(7)" if kind == "document-missing" else None,
        faults=[flaw.fault for flaw in flaws],
    )


def flaws_of(data: Notice, *, time: datetime, received: date, municipalities: Collection[str]) -> tuple[Flaw, ...]:
    """Return every fault of a notice's ``data``, each with its kind; arguments as for :func:`check_shape`."""
    flaws: list[Flaw] = []
    if isinstance(data, AboutPerson):
        _check_jmb(data.jmb, "/data/jmb", flaws)
    if rule := _RULES.get(type(data)):
        rule(data, flaws)
    _check_codes(data, municipalities, flaws)
    _check_dates(data, civil_day(time), received, flaws)
    if type(data) in DOCUMENT_REQUIRED and getattr(data, "document", None) is None:
        _add(flaws, "document-missing", "/data/document", "This type of notice must name the document it rests on")
    return tuple(flaws)


# --- members that must or must not stand together -------------------------------------------------------------------

#: Kind of residence: members it must have, members it must not have.
_RESIDENCE: Final[dict[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "permanent": (("municipality", "settlement"), ("country", "foreign_address")),
    "temporary": (("municipality", "settlement"), ("country", "foreign_address")),
    "abroad": (("country", "foreign_address"), ("municipality", "settlement", "street", "house_number")),
}
_RESIDENCE_ENDED: Final[dict[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "permanent": (("municipality",), ()),
    "temporary": (("municipality",), ()),
    "abroad": ((), ("municipality",)),
}
_OPTION_MEMBERS: Final = ("municipality_1991", "country", "foreign_address", "mission")
#: Voting option: members it must have; it must not have the others of ``_OPTION_MEMBERS`` (Art. 1.5(2), 20.8).
_OPTION: Final[dict[str, tuple[str, ...]]] = {
    "regular": (),
    "in-person-1991": ("municipality_1991",),
    "absentee-1991": ("municipality_1991",),
    "mail": ("country", "foreign_address"),
    "diplomatic-mission": ("mission",),
    "mobile-team": (),
}


def _residence(data: Residence, flaws: list[Flaw]) -> None:
    required, forbidden = _RESIDENCE[data.kind]
    _members(data, required, forbidden, "this kind of residence", flaws)


def _residence_ended(data: ResidenceEnded, flaws: list[Flaw]) -> None:
    required, forbidden = _RESIDENCE_ENDED[data.kind]
    _members(data, required, forbidden, "this kind of residence", flaws)


def _voting_option(data: VotingOption, flaws: list[Flaw]) -> None:
    required = _OPTION[data.option]
    forbidden = tuple(member for member in _OPTION_MEMBERS if member not in required)
    _members(data, required, forbidden, "this voting option", flaws)


def _personal_data(data: PersonalData, flaws: list[Flaw]) -> None:
    changed = (data.surname, data.given_name, data.parent_name, data.sex, data.born_on)
    if all(member is None for member in changed):
        _add(flaws, "schema", "/data", "At least one of surname, given_name, parent_name, sex and born_on is needed")


def _jmb_replaced(data: JmbReplaced, flaws: list[Flaw]) -> None:
    _check_jmb(data.new_jmb, "/data/new_jmb", flaws)
    if data.new_jmb == data.jmb:
        _add(flaws, "jmb", "/data/new_jmb", "A personal number cannot be replaced by itself")


def _polling_station(data: PollingStation, flaws: list[Flaw]) -> None:
    for index, entry in enumerate(data.catchment):
        _catchment_entry(entry, f"/data/catchment/{index}", flaws)


def _catchment_entry(entry: CatchmentEntry, pointer: str, flaws: list[Flaw]) -> None:
    if entry.street is None:
        for member, value in (("from", entry.from_), ("to", entry.to), ("parity", entry.parity)):
            if value is not None:
                _add(flaws, "schema", f"{pointer}/{member}", "House numbers are stated only together with their street")
    if entry.from_ is not None and entry.to is not None and entry.from_ > entry.to:
        _add(flaws, "schema", f"{pointer}/to", "The last house number is lower than the first")


def _control_total(data: ControlTotal, flaws: list[Flaw]) -> None:
    for name in data.sent:
        if name not in NOTICE_BY_TYPE:
            escaped = name.replace("~", "~0").replace("/", "~1")
            _add(flaws, "schema", f"/data/sent/{escaped}", "There is no such type of notice")


_RULES: Final[dict[type[Any], Callable[[Any, list[Flaw]], None]]] = {
    Residence: _residence,
    ResidenceEnded: _residence_ended,
    VotingOption: _voting_option,
    PersonalData: _personal_data,
    JmbReplaced: _jmb_replaced,
    PollingStation: _polling_station,
    ControlTotal: _control_total,
}


def _members(
    data: Notice, required: tuple[str, ...], forbidden: tuple[str, ...], of_what: str, flaws: list[Flaw]
) -> None:
    for member in required:
        if getattr(data, member) is None:
            _add(flaws, "schema", f"/data/{member}", f"This member is needed with {of_what}")
    for member in forbidden:
        if getattr(data, member) is not None:
            _add(flaws, "schema", f"/data/{member}", f"This member has no place with {of_what}")


# --- numbers, codes, dates ------------------------------------------------------------------------------------------


def _check_jmb(jmb: str, pointer: str, flaws: list[Flaw]) -> None:
    try:
        personal_number.check(jmb, pointer)
    except Refusal as refusal:
        flaws.extend(Flaw(refusal.kind, fault) for fault in refusal.faults)


def _check_codes(data: Notice, municipalities: Collection[str], flaws: list[Flaw]) -> None:
    if isinstance(data, Residence | ResidenceEnded | PollingStation | PollingStationAbolished):
        member, code = "municipality", data.municipality
    elif isinstance(data, VotingOption | RefugeeStatus):
        member, code = "municipality_1991", data.municipality_1991
    else:
        return
    if code is not None and code not in municipalities:
        _add(flaws, "schema", f"/data/{member}", "There is no municipality with this code")


def _check_dates(data: Notice, sent_on: date, received: date, flaws: list[Flaw]) -> None:
    """Dates before 1880, of birth or issue after the notice was sent, of effect more than 366 days after receipt."""
    if isinstance(data, Annulment):
        return
    if isinstance(data, ControlTotal):
        _check_past("/data/day", data.day, None, flaws)
        return
    _check_past("/data/effective_on", data.effective_on, None, flaws)
    ahead = in_force(received).notice_ahead_days
    if (data.effective_on - received).days > ahead:
        sentence = f"The change would take effect more than {ahead} days after its receipt"
        _add(flaws, "date", "/data/effective_on", sentence)
    if isinstance(data, Citizen | PersonalData) and data.born_on is not None:
        _check_past("/data/born_on", data.born_on, sent_on, flaws)
    if data.document is not None:
        _check_past("/data/document/issued_on", data.document.issued_on, sent_on, flaws)


def _check_past(pointer: str, day: date, until: date | None, flaws: list[Flaw]) -> None:
    if day < EARLIEST:
        _add(flaws, "date", pointer, "The date lies before 1880")
    elif until is not None and day > until:
        _add(flaws, "date", pointer, "The date lies after the day the notice was sent")


def _add(flaws: list[Flaw], kind: ProblemKind, pointer: str, sentence: str) -> None:
    flaws.append(Flaw(kind, Fault(pointer, sentence)))
