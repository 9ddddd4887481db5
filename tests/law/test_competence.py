"""Who may report what (Art. 3.5) and who may see what (Art. 3.1, 3.6): the tables of the law, row by row."""

from __future__ import annotations

from datetime import date
from typing import get_args

import pytest

from register.law import events as e
from register.law.competence import (
    COMPETENCES,
    MANDATES,
    ROLES,
    SENDERS,
    Caller,
    Purpose,
    Role,
    caller_for,
    check_sender,
    may_look,
    municipality_of,
    role_of,
)
from register.law.events import SOURCE_PREFIX
from register.law.provisions import Refusal

DAY = date(2026, 3, 1)
JMB = "0101970100017"

REGISTRY = "registry-office:10049"
RESIDENCE = "residence-authority:10049"
BRCKO = "residence-authority:30163"
MINISTRY = "ministry:civil-affairs"
COURT = "court:basic-court-bihac"
COMMISSION = "municipal-commission:10049"
ALL = [REGISTRY, RESIDENCE, BRCKO, MINISTRY, COURT, COMMISSION, "cec"]


def station(municipality: str) -> e.PollingStation:
    return e.PollingStation(
        code="001",
        municipality=municipality,
        name="Škola",
        address="Bihać",
        kind="regular",
        catchment=(),
        effective_on=DAY,
    )


#: A notice, who may send it, the provision by which everybody else is refused.
TABLE: list[tuple[e.Notice, list[str], str]] = [
    (
        e.Citizen(
            jmb=JMB, effective_on=DAY, surname="A", given_name="B", parent_name="C", sex="F", born_on=date(1970, 1, 1)
        ),
        [REGISTRY],
        "Art. 3.5(3)1",
    ),
    (e.PersonalData(jmb=JMB, effective_on=DAY, surname="A"), [REGISTRY], "Art. 3.5(3)1"),
    (e.Death(jmb=JMB, effective_on=DAY), [REGISTRY], "Art. 3.5(3)1"),
    (e.Residence(jmb=JMB, effective_on=DAY, kind="permanent", municipality="10049"), [RESIDENCE], "Art. 3.5(3)2"),
    (e.Residence(jmb=JMB, effective_on=DAY, kind="temporary", municipality="30163"), [BRCKO], "Art. 3.5(3)2"),
    (e.Residence(jmb=JMB, effective_on=DAY, kind="abroad", country="AT"), [RESIDENCE, BRCKO], "Art. 3.5(3)2"),
    (e.ResidenceEnded(jmb=JMB, effective_on=DAY, kind="permanent", municipality="10049"), [RESIDENCE], "Art. 3.5(3)2"),
    (e.ResidenceEnded(jmb=JMB, effective_on=DAY, kind="abroad"), [RESIDENCE, BRCKO], "Art. 3.5(3)2"),
    (e.JmbReplaced(jmb=JMB, effective_on=DAY, new_jmb=JMB), [RESIDENCE, BRCKO], "Art. 3.5(3)2"),
    (e.EntityOption(jmb=JMB, effective_on=DAY, entity="RS"), [BRCKO], "Art. 3.5(3)2"),
    (e.Citizenship(jmb=JMB, effective_on=DAY, other_citizenships=()), [MINISTRY], "Art. 3.5(3)3"),
    (e.CitizenshipEnded(jmb=JMB, effective_on=DAY), [MINISTRY], "Art. 3.5(3)3"),
    (e.RefugeeStatus(jmb=JMB, effective_on=DAY, municipality_1991="10049"), [MINISTRY], "Art. 20.8(6)"),
    (e.RefugeeStatusEnded(jmb=JMB, effective_on=DAY), [MINISTRY], "Art. 20.8(6)"),
    (e.CapacityWithdrawn(jmb=JMB, effective_on=DAY, extent="full"), [COURT], "Art. 3.2"),
    (e.CapacityRestored(jmb=JMB, effective_on=DAY), [COURT], "Art. 3.2"),
    (e.VotingBarred(jmb=JMB, effective_on=DAY, ground="1.7", cause="sentence"), [COURT], "Art. 1.6, 1.7, 1.7a"),
    (e.VotingBarEnded(jmb=JMB, effective_on=DAY, ends="1"), [COURT], "Art. 1.6, 1.7, 1.7a"),
    (
        e.VotingOption(jmb=JMB, effective_on=DAY, option="absentee-1991", municipality_1991="20010"),
        [COMMISSION, "cec"],
        "Art. 3.5(3)5",
    ),
    (e.ReportedDeceased(jmb=JMB, effective_on=DAY), [COMMISSION, "cec"], "Art. 3.5(3)5"),
    (station("10049"), [COMMISSION], "Art. 3.5(3)4"),
    (station("20010"), [], "Art. 3.5(3)4"),
    (e.PollingStationAbolished(code="1", municipality="10049", effective_on=DAY), [COMMISSION], "Art. 3.5(3)4"),
    (e.Annulment(annuls="1", reason="wrong"), ALL, ""),
    (e.ControlTotal(day=DAY, sent={}), ALL, ""),
]


def refused(caller: Caller, source: str, data: e.Notice) -> str | None:
    """Return the provision of the refusal, or None when the notice is accepted."""
    try:
        check_sender(caller, source, data)
    except Refusal as refusal:
        return refusal.provision if refusal.kind == "not-competent" else refusal.kind
    return None


@pytest.mark.parametrize(("data", "senders", "provision"), TABLE, ids=lambda v: type(v).__name__)
def test_each_type_is_sent_by_those_competent_for_it_and_by_nobody_else(
    data: e.Notice, senders: list[str], provision: str
) -> None:
    answers = {a: refused(caller_for(a, "clerk"), SOURCE_PREFIX + a, data) for a in ALL}
    assert answers == {a: None if a in senders else provision for a in ALL}


def test_the_tables_leave_no_type_and_no_purpose_out() -> None:
    assert set(COMPETENCES) == set(e.NOTICE_TYPES) == {type(row[0]) for row in TABLE}
    assert set(MANDATES) == set(get_args(Purpose)) == set(LOOKS)


@pytest.mark.parametrize("role", sorted(ROLES - SENDERS))
def test_who_is_no_authority_sends_nothing(role: Role) -> None:
    authority = role if role == "technical" else f"{role}:x"
    assert refused(Caller("who", role, authority), SOURCE_PREFIX + authority, e.Annulment(annuls="1", reason="r"))


@pytest.mark.parametrize(
    ("caller", "source"),
    [
        (caller_for(REGISTRY, "clerk"), SOURCE_PREFIX + "registry-office:20010"),
        (caller_for(REGISTRY, "clerk"), REGISTRY),
        (Caller("clerk", "registry-office"), SOURCE_PREFIX + REGISTRY),
        (Caller("clerk", "registry-office", COMMISSION), SOURCE_PREFIX + COMMISSION),
        (Caller("clerk", "cec", REGISTRY), SOURCE_PREFIX + REGISTRY),
    ],
)
def test_nobody_sends_in_another_authoritys_name_or_role(caller: Caller, source: str) -> None:
    assert refused(caller, source, e.Death(jmb=JMB, effective_on=DAY)) is not None


def test_an_authority_of_several_municipalities_is_competent_in_those_its_token_names() -> None:
    caller = Caller("clerk", "residence-authority", "residence-authority:una-sana", ("10049", "10227"))
    source = SOURCE_PREFIX + "residence-authority:una-sana"

    def of(municipality: str) -> e.Residence:
        return e.Residence(jmb=JMB, effective_on=DAY, kind="permanent", municipality=municipality)

    assert refused(caller, source, of("10227")) is None
    assert refused(caller, source, of("20010")) == "Art. 3.5(3)2"


def test_a_token_cannot_widen_the_municipality_its_authority_names() -> None:
    caller = Caller("clerk", "municipal-commission", COMMISSION, ("20010",))
    assert refused(caller, SOURCE_PREFIX + COMMISSION, station("20010")) == "Art. 3.5(3)4"
    assert may_look(caller, "voters").municipalities == {"10049"}


@pytest.mark.parametrize(
    ("authority", "role", "municipality"),
    [
        (REGISTRY, "registry-office", "10049"),
        (MINISTRY, "ministry", None),
        (COURT, "court", None),
        ("court:10049", "court", None),
        ("cec", "cec", None),
        ("technical", "technical", None),
        ("political-entity:00123", "political-entity", None),
        ("auditor:court-of-audit", "auditor", None),
    ],
)
def test_an_authority_id_names_its_role_and_municipality(authority: str, role: Role, municipality: str | None) -> None:
    assert (role_of(authority), municipality_of(authority)) == (role, municipality)


@pytest.mark.parametrize("authority", ["", "cec:1", "registry-office", "registry-office:", "king:1", ":10049"])
def test_an_authority_id_of_no_known_kind_is_refused(authority: str) -> None:
    with pytest.raises(Refusal) as refusal:
        role_of(authority)
    assert refusal.value.kind == "not-competent"


#: Purpose: roles with a mandate everywhere, in their municipality, over their own records.
REPORTERS = {"registry-office", "residence-authority", "ministry", "court", "municipal-commission"}
LOOKS: dict[Purpose, tuple[set[str], set[str], set[str]]] = {
    "notices": (set(), set(), REPORTERS | {"cec"}),
    "refused-notices": ({"cec"}, set(), REPORTERS),
    "events": ({"auditor", "cec", "technical"}, set(), set()),
    "voters": ({"auditor", "cec", "technical"}, {"municipal-commission"}, set()),
    "register": ({"auditor", "cec", "technical"}, {"municipal-commission"}, set()),
    "summary": ({"auditor", "cec", "technical"}, set(), set()),
    "accounts": ({"auditor", "cec", "technical"}, set(), set()),
    "diff": ({"auditor", "cec"}, set(), set()),
    "audit": ({"auditor", "cec"}, set(), set()),
    "special-records": ({"auditor", "cec"}, set(), set()),
    "deficiencies": ({"cec"}, set(), REPORTERS),
    "deficiency-notification": ({"cec"}, set(), set()),
    "deficiency-acknowledgement": (set(), set(), REPORTERS | {"cec"}),
    "deficiency-dismissal": ({"cec"}, set(), set()),
    "written-notices": ({"cec", "technical"}, set(), set()),
    "first-loads": ({"cec"}, set(), set()),
    "sender-keys": ({"cec"}, set(), set()),
    "counterfactual": ({"auditor", "cec"}, set(), set()),
    "document-filing": (set(), set(), REPORTERS | {"cec"}),
    "documents": ({"cec", "technical"}, set(), REPORTERS),
    "election-call": ({"cec"}, set(), set()),
    "conclusion": ({"cec"}, set(), set()),
    "roll": ({"auditor", "cec"}, set(), set()),
    "station-sizes": ({"auditor", "cec"}, {"municipal-commission"}, set()),
    "political-entities": ({"cec"}, set(), set()),
    "excerpts": ({"cec"}, {"municipal-commission"}, set()),
    "excerpt-certification": ({"cec"}, set(), set()),
    "excerpt-requests": (set(), set(), {"political-entity"}),
    "copy-tracing": ({"cec"}, set(), set()),
    "access-journal": ({"auditor"}, set(), set()),
    "feed": (set(), set(), REPORTERS | {"cec"}),
}
CALLERS = [
    *(caller_for(authority, "who") for authority in ALL if authority != BRCKO),
    *(caller_for(authority, "who") for authority in ("technical", "auditor:a", "political-entity:1")),
]


@pytest.mark.parametrize("purpose", get_args(Purpose))
def test_each_look_is_open_to_those_with_a_mandate_and_to_nobody_else(purpose: Purpose) -> None:
    everywhere: set[str] = set()
    municipal: set[str] = set()
    own: set[str] = set()
    for caller in CALLERS:
        if not any(caller.role in roles for roles in LOOKS[purpose]):
            with pytest.raises(Refusal) as refusal:
                may_look(caller, purpose)
            assert (refusal.value.kind, refusal.value.provision) == ("not-competent", MANDATES[purpose].provision)
            continue
        scope = may_look(caller, purpose)
        assert scope.owns(str(caller.authority))
        kind = everywhere if scope.covers("20010") else municipal if scope.covers("10049") else own
        kind.add(caller.role)
        assert scope.covers(None) == scope.owns("registry-office:20010") == (kind is everywhere)
    assert (everywhere, municipal, own) == LOOKS[purpose]


def test_a_commission_without_a_municipality_sees_nobody() -> None:
    with pytest.raises(Refusal):
        may_look(Caller("who", "municipal-commission", "municipal-commission:x"), "voters")
