"""What may stand together in a notice: every refusal that looks at nothing but the notice itself."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec
import pytest

from register.law import events as e
from register.law.provisions import Refusal
from register.law.shapes import check_shape, flaws_of

RECEIVED = date(2026, 3, 2)
#: 23:30 on 1 March in Sarajevo.
SENT = datetime(2026, 3, 1, 22, 30, tzinfo=UTC)
MUNICIPALITIES = frozenset({"10049", "20010", "30163"})
JMB = "0101970100017"
OTHER_JMB = "0101006500006"
DOCUMENT = {"kind": "decision", "number": "1", "issued_by": "Sud", "issued_on": "2026-03-01"}
ADDRESS = {"municipality": "10049", "settlement": "Bihać"}
ABROAD = {"country": "AT", "foreign_address": "Wien, Ring 1"}
STATION = {"code": "001", "municipality": "10049", "name": "Škola", "address": "Trg 1", "kind": "regular"}
NAMES = {"surname": "A", "given_name": "B", "parent_name": "C", "sex": "F", "born_on": "1970-01-01"}


def notice(of: type[Any], /, **members: Any) -> e.Notice:
    if issubclass(of, e.AboutPerson):
        members = {"jmb": JMB, "effective_on": "2026-02-28", **members}
    elif issubclass(of, e.PollingStation | e.PollingStationAbolished):
        members = {"effective_on": "2026-02-28", **members}
    data: e.Notice = msgspec.convert(members, of)
    return data


def faults(data: e.Notice) -> list[tuple[str, str]]:
    found = flaws_of(data, time=SENT, received=RECEIVED, municipalities=MUNICIPALITIES)
    return [(flaw.kind, flaw.fault.pointer) for flaw in found]


GOOD = [
    notice(e.Citizen, **NAMES),
    notice(e.Citizen, **{**NAMES, "born_on": "2026-03-01"}, effective_on="1880-01-01"),
    notice(e.PersonalData, sex="M"),
    notice(e.Death, document=DOCUMENT),
    notice(e.Death, effective_on="2027-03-03"),  # 366 days ahead
    notice(e.Residence, kind="permanent", **ADDRESS),
    notice(e.Residence, kind="temporary", **ADDRESS, house_number="12"),
    notice(e.Residence, kind="abroad", **ABROAD),
    notice(e.ResidenceEnded, kind="permanent", municipality="10049"),
    notice(e.ResidenceEnded, kind="abroad"),
    notice(e.JmbReplaced, new_jmb=OTHER_JMB, document=DOCUMENT),
    notice(e.RefugeeStatus, municipality_1991="20010", document=DOCUMENT),
    notice(e.RefugeeStatusEnded),
    notice(e.VotingOption, option="regular"),
    notice(e.VotingOption, option="in-person-1991", municipality_1991="20010"),
    notice(e.VotingOption, option="mail", **ABROAD, election="2026-general"),
    notice(e.VotingOption, option="diplomatic-mission", mission="Beč"),
    notice(e.PollingStation, **STATION, catchment=[{}, {"street": "Titova", "from": 3, "to": 3, "parity": "odd"}]),
    notice(e.PollingStationAbolished, code="001", municipality="10049"),
    notice(e.Annulment, annuls="1", reason="wrong person"),
    notice(e.ControlTotal, day="2026-03-01", sent={"ba.cvr.death.v1": 0}),
]


@pytest.mark.parametrize("data", GOOD, ids=lambda data: type(data).__name__)
def test_a_notice_whose_members_fit_together_is_accepted(data: e.Notice) -> None:
    check_shape(data, time=SENT, received=RECEIVED, municipalities=MUNICIPALITIES)


BAD: list[tuple[e.Notice, list[tuple[str, str]]]] = [
    # residence
    (notice(e.Residence, kind="permanent"), [("schema", "/data/municipality"), ("schema", "/data/settlement")]),
    (notice(e.Residence, kind="permanent", **ADDRESS, country="AT"), [("schema", "/data/country")]),
    (notice(e.Residence, kind="abroad"), [("schema", "/data/country"), ("schema", "/data/foreign_address")]),
    (
        notice(e.Residence, kind="abroad", **ABROAD, **ADDRESS, street="Ring", house_number="1"),
        [("schema", f"/data/{member}") for member in ("municipality", "settlement", "street", "house_number")],
    ),
    (notice(e.Residence, kind="permanent", municipality="99999", settlement="X"), [("schema", "/data/municipality")]),
    (notice(e.ResidenceEnded, kind="temporary"), [("schema", "/data/municipality")]),
    (notice(e.ResidenceEnded, kind="abroad", municipality="10049"), [("schema", "/data/municipality")]),
    # voting options
    (notice(e.VotingOption, option="absentee-1991"), [("schema", "/data/municipality_1991")]),
    (
        notice(e.VotingOption, option="absentee-1991", municipality_1991="99999"),
        [("schema", "/data/municipality_1991")],
    ),
    (notice(e.VotingOption, option="mail", country="AT"), [("schema", "/data/foreign_address")]),
    (notice(e.VotingOption, option="diplomatic-mission"), [("schema", "/data/mission")]),
    (notice(e.VotingOption, option="regular", mission="Beč"), [("schema", "/data/mission")]),
    (
        notice(e.VotingOption, option="mobile-team", municipality_1991="10049"),
        [("schema", "/data/municipality_1991")],
    ),
    # polling stations
    (
        notice(e.PollingStation, **STATION, catchment=[{}, {"settlement": "A", "from": 1, "to": 2, "parity": "odd"}]),
        [("schema", f"/data/catchment/1/{member}") for member in ("from", "to", "parity")],
    ),
    (
        notice(e.PollingStation, **STATION, catchment=[{"street": "A", "from": 4, "to": 3}]),
        [("schema", "/data/catchment/0/to")],
    ),
    (notice(e.PollingStationAbolished, code="1", municipality="99999"), [("schema", "/data/municipality")]),
    # personal data, control totals
    (notice(e.PersonalData), [("schema", "/data")]),
    (notice(e.ControlTotal, day="2026-03-01", sent={"a/b~": 1}), [("schema", "/data/sent/a~1b~0")]),
    # personal numbers
    (notice(e.Death, jmb="0101970100018"), [("jmb", "/data/jmb")]),
    (notice(e.JmbReplaced, new_jmb="123", document=DOCUMENT), [("jmb", "/data/new_jmb")]),
    (notice(e.JmbReplaced, new_jmb=JMB, document=DOCUMENT), [("jmb", "/data/new_jmb")]),
    # dates
    (notice(e.Death, effective_on="1879-12-31"), [("date", "/data/effective_on")]),
    (notice(e.Death, effective_on="2027-03-04"), [("date", "/data/effective_on")]),
    (notice(e.Citizen, **{**NAMES, "born_on": "2026-03-02"}), [("date", "/data/born_on")]),
    (notice(e.PersonalData, born_on="1879-12-31"), [("date", "/data/born_on")]),
    (notice(e.Death, document={**DOCUMENT, "issued_on": "2026-03-02"}), [("date", "/data/document/issued_on")]),
    (notice(e.Death, document={**DOCUMENT, "issued_on": "1879-01-01"}), [("date", "/data/document/issued_on")]),
    (notice(e.ControlTotal, day="1870-01-01", sent={}), [("date", "/data/day")]),
    # documents
    (notice(e.CitizenshipEnded), [("document-missing", "/data/document")]),
    (notice(e.RefugeeStatus, municipality_1991="10049"), [("document-missing", "/data/document")]),
    (notice(e.CapacityWithdrawn, extent="full"), [("document-missing", "/data/document")]),
    (notice(e.CapacityRestored), [("document-missing", "/data/document")]),
    (notice(e.VotingBarred, ground="1.6", cause="sentence"), [("document-missing", "/data/document")]),
    (notice(e.VotingBarEnded, ends="1"), [("document-missing", "/data/document")]),
    (
        notice(e.JmbReplaced, new_jmb=JMB, effective_on="1800-01-01"),
        [("jmb", "/data/new_jmb"), ("date", "/data/effective_on"), ("document-missing", "/data/document")],
    ),
]


@pytest.mark.parametrize(("data", "expected"), BAD, ids=lambda value: type(value).__name__)
def test_every_fault_is_named_with_its_kind_and_place(data: e.Notice, expected: list[tuple[str, str]]) -> None:
    assert faults(data) == expected


def test_one_refusal_carries_all_faults_under_the_gravest_kind() -> None:
    data = notice(e.CitizenshipEnded, effective_on="1800-01-01")
    with pytest.raises(Refusal) as refused:
        check_shape(data, time=SENT, received=RECEIVED, municipalities=MUNICIPALITIES)
    assert refused.value.kind == "date"
    assert [fault.pointer for fault in refused.value.faults] == ["/data/effective_on", "/data/document"]


def test_a_missing_document_is_refused_under_3_5_7() -> None:
    with pytest.raises(Refusal) as refused:
        check_shape(notice(e.CitizenshipEnded), time=SENT, received=RECEIVED, municipalities=MUNICIPALITIES)
    assert (refused.value.kind, refused.value.provision) == ("document-missing", "Art. 3.5(7)")


def test_the_day_a_notice_was_sent_is_the_day_in_sarajevo() -> None:
    data = notice(e.Citizen, **{**NAMES, "born_on": "2026-03-02"})
    assert faults(data)
    midnight = SENT + timedelta(minutes=30)
    assert not flaws_of(data, time=midnight, received=RECEIVED, municipalities=MUNICIPALITIES)


def test_no_fault_repeats_what_it_found() -> None:
    for data, _ in BAD:
        for flaw in flaws_of(data, time=SENT, received=RECEIVED, municipalities=MUNICIPALITIES):
            assert not any(value in flaw.fault.detail for value in (JMB, OTHER_JMB, "99999", "1879", "2026"))
