"""Examples of every type of notice, as an authority would send them: taken, and refused. The people are made up."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from register.law.provisions import ProblemKind

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


class Refused(msgspec.Struct, frozen=True):
    """A notice that is refused: what is wrong with it, the kind of problem, and the pointers of its errors.

    ``alone``: it is refused whatever was recorded before. The sender is the authority it names as its source.
    """

    says: str
    notice: dict[str, Any]
    problem: ProblemKind
    pointers: tuple[str, ...]
    alone: bool = True


def _but(kind: str, which: int = 0, /, **changed: object) -> dict[str, Any]:
    """An example with other members of ``data``; None leaves one out."""
    notice = EXAMPLES[f"ba.cvr.{kind}.v1"][which]
    data = {name: value for name, value in {**notice["data"], **changed}.items() if value is not None}
    return {**notice, "data": data}


def _sent_by(authority: str, kind: str, which: int = 0, /) -> dict[str, Any]:
    """An example as another authority would send it."""
    return {**EXAMPLES[f"ba.cvr.{kind}.v1"][which], "source": f"urn:cvr:authority:{authority}"}


_OTHER_COMMISSION: Final = "municipal-commission:20010"
_OTHER_RESIDENCE: Final = "residence-authority:20010"
_NUMBERS: Final = {"settlement": "Bihać", "street": "Bosanska", "from": 9, "to": 1}

_REFUSED: Final = (
    Refused("a wrong control digit", _but("citizen", jmb="0101970100018"), "jmb", ("/data/jmb",)),
    Refused("born after the notice was sent", _but("citizen", born_on="2026-03-03"), "date", ("/data/born_on",)),
    Refused("no surname", _but("citizen", surname=None), "schema", ("/data/surname",)),
    Refused("a residence authority records no citizens", _sent_by(_RESIDENCE, "citizen"), "not-competent", ("/type",)),
    Refused("a change that changes nothing", _but("personal-data", surname=None), "schema", ("/data",)),
    Refused("a court changes no names", _sent_by(_COURT, "personal-data"), "not-competent", ("/type",)),
    Refused("a day of no calendar", _but("death", effective_on="2026-02-30"), "date", ("/data/effective_on",)),
    Refused("a member of no contract", _but("death", cause="unknown"), "schema", ("/data/cause",)),
    Refused("a commission reports no deaths", _sent_by(_COMMISSION, "death"), "not-competent", ("/type",)),
    Refused(
        "another municipality's residence", _sent_by(_OTHER_RESIDENCE, "residence"), "not-competent",
        ("/data/municipality",),
    ),
    Refused("abroad, but in no country", _but("residence", 1, country=None), "schema", ("/data/country",)),
    Refused("a municipality that is none", _but("residence-ended", kind="abroad"), "schema", ("/data/municipality",)),
    Refused(
        "a permanent residence of no municipality", _but("residence-ended", municipality=None), "schema",
        ("/data/municipality",),
    ),
    Refused("replaced by itself", _but("jmb-replaced", new_jmb=_JMB), "jmb", ("/data/new_jmb",)),
    Refused("no document", _but("jmb-replaced", document=None), "document-missing", ("/data/document",)),
    Refused("Bihać has no entity options", _sent_by(_RESIDENCE, "entity-option"), "not-competent", ("/type",)),
    Refused("Brčko is no entity", _but("entity-option", entity="BD"), "schema", ("/data/entity",)),
    Refused(
        "a country's name for its code", _but("citizenship", other_citizenships=["Austria"]), "schema",
        ("/data/other_citizenships/0",),
    ),
    Refused("a registry office grants none", _sent_by(_REGISTRY, "citizenship"), "not-competent", ("/type",)),
    Refused("no document", _but("citizenship-ended", document=None), "document-missing", ("/data/document",)),
    Refused(
        "a municipality there never was", _but("refugee-status", municipality_1991="99999"), "schema",
        ("/data/municipality_1991",),
    ),
    Refused("no document", _but("refugee-status", document=None), "document-missing", ("/data/document",)),
    Refused("a court ends no status", _sent_by(_COURT, "refugee-status-ended"), "not-competent", ("/type",)),
    Refused("half withdrawn", _but("capacity-withdrawn", extent="half"), "schema", ("/data/extent",)),
    Refused("no document", _but("capacity-withdrawn", document=None), "document-missing", ("/data/document",)),
    Refused("a ministry restores none", _sent_by(_MINISTRY, "capacity-restored"), "not-competent", ("/type",)),
    Refused("no document", _but("capacity-restored", document=None), "document-missing", ("/data/document",)),
    Refused("a ground of no article", _but("voting-barred", ground="1.8"), "schema", ("/data/ground",)),
    Refused("no document", _but("voting-barred", document=None), "document-missing", ("/data/document",)),
    Refused("an end of no bar", _but("voting-bar-ended", ends=None), "schema", ("/data/ends",)),
    Refused("no document", _but("voting-bar-ended", document=None), "document-missing", ("/data/document",)),
    Refused(
        "absentee from nowhere", _but("voting-option", municipality_1991=None), "schema", ("/data/municipality_1991",)
    ),
    Refused("mail to nowhere", _but("voting-option", 1, foreign_address=None), "schema", ("/data/foreign_address",)),
    Refused("a registry office takes no options", _sent_by(_REGISTRY, "voting-option"), "not-competent", ("/type",)),
    Refused("a remark of blanks", _but("reported-deceased", remark="  "), "schema", ("/data/remark",)),
    Refused("a court reports no voters", _sent_by(_COURT, "reported-deceased"), "not-competent", ("/type",)),
    Refused(
        "the last house number before the first", _but("polling-station", catchment=[_NUMBERS]), "schema",
        ("/data/catchment/0/to",),
    ),
    Refused(
        "another municipality's station", _sent_by(_OTHER_COMMISSION, "polling-station"), "not-competent",
        ("/data/municipality",),
    ),
    Refused(
        "another municipality's station", _sent_by(_OTHER_COMMISSION, "polling-station-abolished"), "not-competent",
        ("/data/municipality",),
    ),
    Refused("no reason", _but("annulment", reason=None), "schema", ("/data/reason",)),
    Refused(
        "what its sender never sent", _but("annulment", annuls="never-sent"), "annulment", ("/data/annuls",),
        alone=False,
    ),
    Refused(
        "fewer than none", _but("control-total", sent={"ba.cvr.death.v1": -1}), "schema",
        ("/data/sent",),
    ),
    Refused("a type of no contract", _but("control-total", sent={"x": 1}), "schema", ("/data/sent/x",)),
)  # fmt: skip

#: Topic → what is refused of it, at least one of each type of notice.
REFUSED_EXAMPLES: Final[dict[str, list[Refused]]] = {}
for _refused in _REFUSED:
    REFUSED_EXAMPLES.setdefault(_refused.notice["type"], []).append(_refused)
