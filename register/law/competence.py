"""Who may report, do and see what, and under which provision (Art. 3.1, 3.5, 3.6).

Two tables say it all: ``COMPETENCES`` for what an authority may send, ``MANDATES`` for what a caller may look at or
do here. Everything else in this module only reads them.
"""

from __future__ import annotations

from typing import Final, Literal, get_args

import msgspec

from register.law import events as e
from register.law.events import BRCKO, SOURCE_PREFIX
from register.law.provisions import Fault, Refusal

Role = Literal[
    "registry-office",
    "residence-authority",
    "ministry",
    "court",
    "municipal-commission",
    "cec",
    "political-entity",
    "auditor",
    "technical",
]
ROLES: Final[frozenset[Role]] = frozenset(get_args(Role))
#: The roles that stand for an authority and may send notices.
SENDERS: Final[frozenset[Role]] = frozenset(
    {"registry-office", "residence-authority", "ministry", "court", "municipal-commission", "cec"}
)
#: The roles whose authority is competent in one municipality, named by its code.
MUNICIPAL: Final[frozenset[Role]] = frozenset({"registry-office", "residence-authority", "municipal-commission"})
#: Roles that are one body, whose authority id has no second part.
_SINGLE: Final[frozenset[Role]] = frozenset({"cec", "technical"})


class Caller(msgspec.Struct, frozen=True):
    """Who asks: the person behind the token, in which role, for which authority, for which municipalities.

    ``municipality`` counts only where the authority's id does not itself name one (see :func:`own_municipalities`).
    """

    sub: str
    role: Role
    authority: str | None = None
    municipality: tuple[str, ...] = ()


def role_of(authority: str) -> Role:
    """Return the role of an authority id such as ``registry-office:10049`` or ``cec`` (Art. 3.5(3)).

    Raises ``Refusal("not-competent")`` for an id of no known kind.
    """
    kind, colon, name = authority.partition(":")
    if kind in ROLES and (bool(colon) != (kind in _SINGLE)) and (bool(name) == bool(colon)):
        return kind
    raise Refusal("not-competent", "There is no such kind of authority", provision="Art. 3.5(3)")


def municipality_of(authority: str) -> str | None:
    """Return the code of the municipality an authority's id names, or None (``registry-office:10049`` → ``10049``)."""
    kind, _, name = authority.partition(":")
    return name if kind in MUNICIPAL and len(name) == 5 and name.isascii() and name.isdigit() else None


def own_municipalities(caller: Caller) -> frozenset[str]:
    """Return the municipalities a caller is competent in: the one its authority's id names, else those of its token."""
    named = None if caller.authority is None else municipality_of(caller.authority)
    return frozenset(caller.municipality) if named is None else frozenset({named})


def caller_for(authority: str, sub: str) -> Caller:
    """Return the caller who acts for an authority. Raises ``Refusal("not-competent")`` as :func:`role_of` does."""
    named = municipality_of(authority)
    return Caller(sub, role_of(authority), authority, () if named is None else (named,))


# --- sending: Art. 3.5 ----------------------------------------------------------------------------------------------


class Competence(msgspec.Struct, frozen=True):
    """Who may send a type of notice, and the sentence and provision a refusal quotes.

    ``own`` demands that the notice's ``municipality``, if it has one, is the sender's own; ``only_in`` that the sender
    is competent in that one municipality.
    """

    roles: frozenset[Role]
    sentence: str
    provision: str
    own: bool = False
    only_in: str | None = None


_REGISTRY = Competence(
    frozenset({"registry-office"}), "Only a registry office reports citizens, their data and deaths", "Art. 3.5(3)1"
)
_RESIDENCE = Competence(
    frozenset({"residence-authority"}),
    "Only the authority that keeps the records of residence reports it, for its own municipality",
    "Art. 3.5(3)2",
    own=True,
)
_ENTITY_OPTION = Competence(
    frozenset({"residence-authority"}),
    "Only the residence authority of Brčko District reports an entity option",
    "Art. 3.5(3)2",
    only_in=BRCKO,
)
_CITIZENSHIP = Competence(frozenset({"ministry"}), "Only the ministry reports citizenship and its end", "Art. 3.5(3)3")
_REFUGEES = Competence(frozenset({"ministry"}), "Only the ministry reports refugee status and its end", "Art. 20.8(6)")
_CAPACITY = Competence(
    frozenset({"court"}), "Only a competent court reports that legal capacity was withdrawn or restored", "Art. 3.2"
)
_BARS = Competence(
    frozenset({"court"}), "Only a competent court reports a bar to voting and its end", "Art. 1.6, 1.7, 1.7a"
)
_OPTIONS = Competence(
    frozenset({"municipal-commission", "cec"}),
    "Only an election commission reports voting options and voters reported deceased",
    "Art. 3.5(3)5",
)
_STATIONS = Competence(
    frozenset({"municipal-commission"}),
    "Only a municipal election commission reports polling stations, of its own municipality",
    "Art. 3.5(3)4",
    own=True,
)
_ANY = Competence(SENDERS, "Only an authority that reports to the register sends notices", "Art. 3.5(4)")

#: The one table of who may send what (Art. 3.5(3), 20.8(6), 3.2, 1.6-1.7a).
COMPETENCES: Final[dict[type[e.Data], Competence]] = {
    e.Citizen: _REGISTRY,
    e.PersonalData: _REGISTRY,
    e.Death: _REGISTRY,
    e.Residence: _RESIDENCE,
    e.ResidenceEnded: _RESIDENCE,
    e.JmbReplaced: _RESIDENCE,
    e.EntityOption: _ENTITY_OPTION,
    e.Citizenship: _CITIZENSHIP,
    e.CitizenshipEnded: _CITIZENSHIP,
    e.RefugeeStatus: _REFUGEES,
    e.RefugeeStatusEnded: _REFUGEES,
    e.CapacityWithdrawn: _CAPACITY,
    e.CapacityRestored: _CAPACITY,
    e.VotingBarred: _BARS,
    e.VotingBarEnded: _BARS,
    e.VotingOption: _OPTIONS,
    e.ReportedDeceased: _OPTIONS,
    e.PollingStation: _STATIONS,
    e.PollingStationAbolished: _STATIONS,
    e.Annulment: _ANY,
    e.ControlTotal: _ANY,
}


def check_sender(caller: Caller, source: str, data: e.Notice) -> None:
    """Accept a notice of type and municipality that its sender is competent for (Art. 3.5).

    Raises ``Refusal("not-competent")`` when ``source`` is not the caller's authority, when the caller's role may not
    send the type, or when the notice's municipality is not the sender's own; it quotes the provision. That an
    annulment is of a notice of the sender's own is judged where that notice is found.
    """
    competence = COMPETENCES[type(data)]
    if caller.authority is None or source != SOURCE_PREFIX + caller.authority:
        raise _not_competent("A notice is sent by the authority it names as its source", "Art. 3.5(4)", "/source")
    if caller.role not in competence.roles or role_of(caller.authority) != caller.role:
        raise _not_competent(competence.sentence, competence.provision, "/type")
    if competence.only_in is not None and competence.only_in not in own_municipalities(caller):
        raise _not_competent(competence.sentence, competence.provision, "/type")
    if competence.own:
        municipality: str | None = getattr(data, "municipality", None)
        if municipality is not None and municipality not in own_municipalities(caller):
            raise _not_competent(competence.sentence, competence.provision, "/data/municipality")


# --- looking and acting: Art. 3.1, 3.6 ------------------------------------------------------------------------------

Purpose = Literal[
    "notices",
    "refused-notices",
    "events",
    "voters",
    "register",
    "summary",
    "accounts",
    "diff",
    "audit",
    "special-records",
    "deficiencies",
    "deficiency-notification",
    "deficiency-acknowledgement",
    "deficiency-dismissal",
    "written-notices",
    "first-loads",
    "sender-keys",
    "counterfactual",
    "document-filing",
    "documents",
    "election-call",
    "conclusion",
    "roll",
    "station-sizes",
    "political-entities",
    "excerpts",
    "excerpt-certification",
    "excerpt-requests",
    "copy-tracing",
    "access-journal",
    "feed",
]


class Mandate(msgspec.Struct, frozen=True):
    """Who may look at or do something: ``everywhere``, in the own ``municipal`` area, or with what is one's ``own``."""

    provision: str
    sentence: str
    everywhere: frozenset[Role] = frozenset()
    municipal: frozenset[Role] = frozenset()
    own: frozenset[Role] = frozenset()


class Scope(msgspec.Struct, frozen=True):
    """How far a mandate reaches: over everything, over some municipalities, or over one authority's own records."""

    everything: bool = False
    municipalities: frozenset[str] = frozenset()
    authority: str | None = None

    def covers(self, municipality: str | None) -> bool:
        """Tell whether something of that municipality (None: of none) lies within the mandate."""
        return self.everything or municipality in self.municipalities

    def owns(self, authority: str) -> bool:
        """Tell whether a record of that authority lies within the mandate."""
        return self.everything or authority == self.authority


_CEC: Final[frozenset[Role]] = frozenset({"cec"})
_READERS: Final[frozenset[Role]] = frozenset({"cec", "technical", "auditor"})
_REVIEWERS: Final[frozenset[Role]] = frozenset({"cec", "auditor"})
_KEEPERS: Final[frozenset[Role]] = frozenset({"cec", "technical"})
_COMMISSION: Final[frozenset[Role]] = frozenset({"municipal-commission"})
_REPORTERS: Final[frozenset[Role]] = SENDERS - _CEC

#: The one table of who may look at or do what (Art. 2.9, 2.13, 3.1, 3.5, 3.6).
MANDATES: Final[dict[Purpose, Mandate]] = {
    "notices": Mandate("Art. 3.5(3)", "Notices are sent by authorities that report to the register", own=SENDERS),
    "refused-notices": Mandate("Art. 3.5(4)", "A notice is shown to its sender and to the CEC", _CEC, own=_REPORTERS),
    "events": Mandate(
        "Art. 3.5(6)", "The event store is read by auditors, the CEC and technical maintenance", _READERS
    ),
    "voters": Mandate(
        "Art. 3.1", "A voter's entry is shown to those who keep the register, each in its area", _READERS, _COMMISSION
    ),
    "register": Mandate(
        "Art. 3.1", "The register is shown to those who keep it, each in its area", _READERS, _COMMISSION
    ),
    "summary": Mandate("Art. 3.1", "Counts of any position are shown to those who keep the register", _READERS),
    "accounts": Mandate("Art. 3.1", "Accounts of any position are shown to those who keep the register", _READERS),
    "diff": Mandate("Art. 3.6", "Differences of the register are shown to the CEC and to auditors", _REVIEWERS),
    "audit": Mandate("Art. 3.6", "Deletions and reinstatements are shown to the CEC and to auditors", _REVIEWERS),
    "special-records": Mandate("Art. 3.6 d", "The special records are kept by the CEC", _REVIEWERS),
    "deficiencies": Mandate(
        "Art. 3.6 a", "A deficiency is shown to the CEC and to the authority concerned", _CEC, own=_REPORTERS
    ),
    "deficiency-notification": Mandate("Art. 3.6 a", "The CEC informs of deficiencies", _CEC),
    "deficiency-acknowledgement": Mandate(
        "Art. 3.6 a", "A deficiency is acknowledged by the authority concerned", own=SENDERS
    ),
    "deficiency-dismissal": Mandate("Art. 3.6 a", "The CEC alone dismisses a deficiency", _CEC),
    "written-notices": Mandate("Art. 3.5(5)", "Written notices are received by the CEC and its technicians", _KEEPERS),
    "first-loads": Mandate("Art. 3.5(5)", "The CEC declares which first load is not measured", _CEC),
    "sender-keys": Mandate("Art. 3.5(4)", "The CEC registers the keys with which authorities sign", _CEC),
    "counterfactual": Mandate(
        "Art. 3.5(5)", "Whom late notices put on or off a roll is shown to the CEC and to auditors", _REVIEWERS
    ),
    "document-filing": Mandate("Art. 3.5(7)", "Documents are filed by the authorities that report", own=SENDERS),
    "documents": Mandate(
        "Art. 3.5(7)", "Documents are kept available to the CEC, and shown to who filed them", _KEEPERS, own=_REPORTERS
    ),
    "election-call": Mandate("Art. 1.14", "The CEC calls elections", _CEC),
    "conclusion": Mandate("Art. 3.6 e", "The CEC completes and verifies the roll", _CEC),
    "roll": Mandate("Art. 3.6 e", "The roll is shown to the CEC and to auditors", _REVIEWERS),
    "station-sizes": Mandate(
        "Art. 5.1",
        "Sizes of polling stations are shown to the CEC, auditors and the commission of the municipality",
        _REVIEWERS,
        _COMMISSION,
    ),
    "political-entities": Mandate("Art. 2.9(5)", "The CEC certifies political entities", _CEC),
    "excerpts": Mandate(
        "Art. 3.6", "Excerpts are drawn up by the CEC and by commissions for their own area", _CEC, _COMMISSION
    ),
    "excerpt-certification": Mandate("Art. 3.6 e", "The CEC verifies and certifies excerpts", _CEC),
    "excerpt-requests": Mandate(
        "Art. 3.1", "Excerpts are requested by certified political entities", own=frozenset({"political-entity"})
    ),
    "copy-tracing": Mandate("Art. 3.1", "The CEC traces whose copy of an excerpt rows are from", _CEC),
    "access-journal": Mandate("Art. 3.1", "The journal of looks is shown to auditors", frozenset({"auditor"})),
    "feed": Mandate("Art. 3.6 a", "The feed is addressed to authorities", own=SENDERS),
}


def may_look(caller: Caller, purpose: Purpose) -> Scope:
    """Return how far the caller's mandate for a purpose reaches (Art. 3.1, 3.6; table ``MANDATES``).

    Raises ``Refusal("not-competent")`` quoting the provision when the caller has none. What lies outside the scope
    must be answered as if it were unknown.
    """
    mandate = MANDATES[purpose]
    if caller.role in mandate.everywhere:
        return Scope(everything=True, authority=caller.authority)
    if caller.role in mandate.municipal and (municipalities := own_municipalities(caller)):
        return Scope(municipalities=municipalities, authority=caller.authority)
    if caller.role in mandate.own and caller.authority is not None and role_of(caller.authority) == caller.role:
        return Scope(authority=caller.authority)
    raise Refusal("not-competent", mandate.sentence, provision=mandate.provision)


def _not_competent(sentence: str, provision: str, pointer: str) -> Refusal:
    return Refusal("not-competent", sentence, provision=provision, faults=(Fault(pointer, sentence),))
