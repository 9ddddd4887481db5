"""Examples of every type of notice, as an authority would send them. The people in them are made up."""

from __future__ import annotations

from typing import Any, Final

_JMB: Final = "0101970100017"
_DECISION: Final = {
    "kind": "final decision",
    "number": "17 0 V 000123 26 V",
    "issued_by": "Osnovni sud Bihać",
    "issued_on": "2026-03-01",
}
_CERTIFICATE: Final = {
    "kind": "death certificate",
    "number": "17/26",
    "issued_by": "Matični ured Bihać",
    "issued_on": "2026-03-02",
}
_REGISTRY: Final = "registry-office:10049"
_RESIDENCE: Final = "residence-authority:10049"
_BRCKO: Final = "residence-authority:30163"
_MINISTRY: Final = "ministry:civil-affairs"
_COURT: Final = "court:basic-court-bihac"
_COMMISSION: Final = "municipal-commission:10049"


def _notice(kind: str, authority: str, number: int, /, **data: object) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": f"2026-{number:06d}",
        "source": f"urn:cvr:authority:{authority}",
        "type": f"ba.cvr.{kind}.v1",
        "time": "2026-03-02T09:15:00Z",
        "datacontenttype": "application/json",
        "data": data,
    }


def _about(kind: str, authority: str, number: int, /, **data: object) -> dict[str, Any]:
    return _notice(kind, authority, number, jmb=_JMB, effective_on="2026-03-01", **data)


_ALL: Final = (
    _notice(
        "citizen",
        _REGISTRY,
        1,
        jmb=_JMB,
        effective_on="1988-01-01",
        surname="Hadžić",
        given_name="Đenana",
        parent_name="Čedomir",
        sex="M",
        born_on="1970-01-01",
        script="Latn",
    ),
    _about("personal-data", _REGISTRY, 2, surname="Hadžić-Žutić"),
    _about("death", _REGISTRY, 123, document=_CERTIFICATE),
    _about(
        "residence",
        _RESIDENCE,
        1,
        kind="permanent",
        municipality="10049",
        settlement="Bihać",
        street="Bosanska",
        house_number="12a",
    ),
    _about("residence", _RESIDENCE, 2, kind="abroad", country="AT", foreign_address="Hauptstraße 1, 1010 Wien"),
    _about("residence-ended", _RESIDENCE, 3, kind="permanent", municipality="10049"),
    _about("jmb-replaced", _RESIDENCE, 4, new_jmb="0101970105019", document=_DECISION),
    _about("entity-option", _BRCKO, 1, entity="FBiH"),
    _about("citizenship", _MINISTRY, 1, other_citizenships=["AT", "HR"]),
    _about("citizenship", _MINISTRY, 2, other_citizenships=[]),
    _about("citizenship-ended", _MINISTRY, 3, document=_DECISION),
    _about("refugee-status", _MINISTRY, 4, municipality_1991="20486", document=_DECISION),
    _about("refugee-status-ended", _MINISTRY, 5),
    _about("capacity-withdrawn", _COURT, 1, extent="full", document=_DECISION),
    _about("capacity-restored", _COURT, 2, document=_DECISION),
    _about("voting-barred", _COURT, 3, ground="1.7", cause="failure-to-appear", document=_DECISION),
    _about(
        "voting-bar-ended",
        _COURT,
        4,
        ends="2026-000003",
        ends_source="urn:cvr:authority:court:court-of-bih",
        document=_DECISION,
    ),
    _about("voting-option", _COMMISSION, 1, option="absentee-1991", municipality_1991="20486"),
    _about(
        "voting-option",
        _COMMISSION,
        2,
        option="mail",
        country="SE",
        foreign_address="Storgatan 5, Malmö",
        election="2026-general",
    ),
    _about("reported-deceased", _COMMISSION, 3, remark="Reported by a member of the household"),
    _notice(
        "polling-station",
        _COMMISSION,
        4,
        code="001A001",
        municipality="10049",
        name="Osnovna škola Bihać",
        address="Bosanska 1, Bihać",
        kind="regular",
        catchment=[
            {"settlement": "Bihać", "street": "Bosanska", "from": 1, "to": 99, "parity": "odd"},
            {"settlement": "Pokoj"},
        ],
        effective_on="2026-03-01",
    ),
    _notice(
        "polling-station-abolished", _COMMISSION, 5, code="001A001", municipality="10049", effective_on="2026-03-01"
    ),
    _notice("annulment", _REGISTRY, 124, annuls="2026-000123", reason="Sent about another person of the same name"),
    _notice(
        "control-total",
        _REGISTRY,
        125,
        day="2026-03-01",
        sent={"ba.cvr.citizen.v1": 3, "ba.cvr.death.v1": 1, "ba.cvr.annulment.v1": 0},
    ),
)

#: Topic → examples, at least one of each type of notice.
EXAMPLES: Final[dict[str, list[dict[str, Any]]]] = {}
for _example in _ALL:
    EXAMPLES.setdefault(_example["type"], []).append(_example)
