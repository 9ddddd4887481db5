"""The closed union of events, and the topic under which each is kept for ever.

A notice of an authority (Election Law, Art. 3.5) and an act of the register itself become an :class:`Event`: an
envelope (who sent it, under which id, when, at which position) around ``data``, one of the frozen structs below. The
same struct decodes the notice's ``data`` at the door, is what the law reads, and gives the published JSON Schema.

``Annotated[…, PERSONAL]`` marks what must never stand in a public record: names, personal numbers, dates of birth,
addresses, documents, a citizen event's day of effect, grounds, extents, causes, option details. The event store keeps
these members apart, so that the transparency log can replace them by a salted digest.

A topic is a contract for decades: a changed event gets a new number, the old one stays readable. ``tests`` keep one
frozen JSON example of each.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from register.law.events.acts import (
    DrawnList,
    ElectionCalled,
    ElectionConcluded,
    ExcerptCertified,
    ExcerptDrawn,
    ExcerptReissued,
    ExcerptVerified,
    ListRoot,
    RollFrozen,
)
from register.law.events.any_sender import Annulment, ControlTotal
from register.law.events.commissions import (
    CatchmentEntry,
    PollingStation,
    PollingStationAbolished,
    ReportedDeceased,
    VotingOption,
)
from register.law.events.courts import CapacityRestored, CapacityWithdrawn, VotingBarEnded, VotingBarred
from register.law.events.deficiencies import (
    AboutDeficiency,
    DeficiencyAcknowledged,
    DeficiencyDismissed,
    DeficiencyEstablished,
    DeficiencyNotified,
    DeficiencyRemedied,
)
from register.law.events.forms import (
    BRCKO,
    PERSONAL,
    REGISTER,
    SOURCE_PREFIX,
    AboutPerson,
    BarGround,
    CountryCode,
    Data,
    Document,
    ElectionId,
    Entity,
    HouseNumber,
    Jmb,
    MunicipalityCode,
    Name,
    NoticeId,
    Sex,
    Sha256,
    StationCode,
    Text,
    VotingOptionName,
)
from register.law.events.log_keys import LogKeyAnnounced, LogKeyRetired
from register.law.events.ministries import Citizenship, CitizenshipEnded, RefugeeStatus, RefugeeStatusEnded
from register.law.events.parties import (
    CertificationWithdrawn,
    CopyDrawn,
    CopyGranted,
    CopyWithdrawn,
    PoliticalEntityCertified,
)
from register.law.events.receiving import (
    FirstLoadDeclared,
    RequestSigned,
    SenderKeyRegistered,
    SenderKeyRevoked,
    WrittenNoticeReceived,
)
from register.law.events.registry_offices import Citizen, Death, PersonalData
from register.law.events.residence_authorities import EntityOption, JmbReplaced, Residence, ResidenceEnded

__all__ = [
    "ACT_TYPES",
    "BRCKO",
    "BY_TOPIC",
    "DOCUMENT_REQUIRED",
    "NOTICE_BY_TYPE",
    "NOTICE_TYPES",
    "PERSONAL",
    "REGISTER",
    "SOURCE_PREFIX",
    "AboutDeficiency",
    "AboutPerson",
    "Act",
    "Annulment",
    "AnyData",
    "BarGround",
    "CapacityRestored",
    "CapacityWithdrawn",
    "CatchmentEntry",
    "CertificationWithdrawn",
    "Citizen",
    "Citizenship",
    "CitizenshipEnded",
    "ControlTotal",
    "CopyDrawn",
    "CopyGranted",
    "CopyWithdrawn",
    "CountryCode",
    "Data",
    "Death",
    "DeficiencyAcknowledged",
    "DeficiencyDismissed",
    "DeficiencyEstablished",
    "DeficiencyNotified",
    "DeficiencyRemedied",
    "Document",
    "DrawnList",
    "ElectionCalled",
    "ElectionConcluded",
    "ElectionId",
    "Entity",
    "EntityOption",
    "Event",
    "ExcerptCertified",
    "ExcerptDrawn",
    "ExcerptReissued",
    "ExcerptVerified",
    "FirstLoadDeclared",
    "HouseNumber",
    "Jmb",
    "JmbReplaced",
    "ListRoot",
    "LogKeyAnnounced",
    "LogKeyRetired",
    "MunicipalityCode",
    "Name",
    "Notice",
    "NoticeId",
    "PersonalData",
    "PoliticalEntityCertified",
    "PollingStation",
    "PollingStationAbolished",
    "RefugeeStatus",
    "RefugeeStatusEnded",
    "ReportedDeceased",
    "RequestSigned",
    "Residence",
    "ResidenceEnded",
    "RollFrozen",
    "SenderKeyRegistered",
    "SenderKeyRevoked",
    "Sex",
    "Sha256",
    "StationCode",
    "Text",
    "VotingBarEnded",
    "VotingBarred",
    "VotingOption",
    "VotingOptionName",
    "WrittenNoticeReceived",
    "subject_of",
]

Notice = (
    Citizen
    | PersonalData
    | Death
    | Residence
    | ResidenceEnded
    | JmbReplaced
    | EntityOption
    | Citizenship
    | CitizenshipEnded
    | RefugeeStatus
    | RefugeeStatusEnded
    | CapacityWithdrawn
    | CapacityRestored
    | VotingBarred
    | VotingBarEnded
    | VotingOption
    | ReportedDeceased
    | PollingStation
    | PollingStationAbolished
    | Annulment
    | ControlTotal
)
Act = (
    ElectionCalled
    | ElectionConcluded
    | RollFrozen
    | ExcerptDrawn
    | ExcerptVerified
    | ExcerptCertified
    | ExcerptReissued
    | DeficiencyEstablished
    | DeficiencyNotified
    | DeficiencyAcknowledged
    | DeficiencyDismissed
    | DeficiencyRemedied
    | FirstLoadDeclared
    | WrittenNoticeReceived
    | SenderKeyRegistered
    | SenderKeyRevoked
    | RequestSigned
    | LogKeyAnnounced
    | LogKeyRetired
    | PoliticalEntityCertified
    | CertificationWithdrawn
    | CopyGranted
    | CopyDrawn
    | CopyWithdrawn
)
AnyData = Notice | Act

NOTICE_TYPES: Final[tuple[type[Notice], ...]] = (
    Citizen,
    PersonalData,
    Death,
    Residence,
    ResidenceEnded,
    JmbReplaced,
    EntityOption,
    Citizenship,
    CitizenshipEnded,
    RefugeeStatus,
    RefugeeStatusEnded,
    CapacityWithdrawn,
    CapacityRestored,
    VotingBarred,
    VotingBarEnded,
    VotingOption,
    ReportedDeceased,
    PollingStation,
    PollingStationAbolished,
    Annulment,
    ControlTotal,
)
ACT_TYPES: Final[tuple[type[Act], ...]] = (
    ElectionCalled,
    ElectionConcluded,
    RollFrozen,
    ExcerptDrawn,
    ExcerptReissued,
    ExcerptVerified,
    ExcerptCertified,
    DeficiencyEstablished,
    DeficiencyNotified,
    DeficiencyAcknowledged,
    DeficiencyDismissed,
    DeficiencyRemedied,
    FirstLoadDeclared,
    WrittenNoticeReceived,
    SenderKeyRegistered,
    SenderKeyRevoked,
    RequestSigned,
    LogKeyAnnounced,
    LogKeyRetired,
    PoliticalEntityCertified,
    CertificationWithdrawn,
    CopyGranted,
    CopyDrawn,
    CopyWithdrawn,
)

#: Topic to type, of everything the event store may hold.
BY_TOPIC: Final[dict[str, type[AnyData]]] = {t.TOPIC: t for t in (*NOTICE_TYPES, *ACT_TYPES)}
#: CloudEvents type to type, of everything an authority may send.
NOTICE_BY_TYPE: Final[dict[str, type[Notice]]] = {t.TOPIC: t for t in NOTICE_TYPES}

#: Types marked D in the contract: they must name their document.
DOCUMENT_REQUIRED: Final[frozenset[type[Data]]] = frozenset(
    {
        JmbReplaced,
        CitizenshipEnded,
        RefugeeStatus,
        CapacityWithdrawn,
        CapacityRestored,
        VotingBarred,
        VotingBarEnded,
    }
)


class Event(msgspec.Struct, frozen=True, gc=False):
    """One event as the event store holds it.

    ``position`` counts 1, 2, 3 … over the whole store; ``version`` 1, 2, 3 … within its stream; ``time`` is when the
    sender sent it; ``recorded_at`` when the store took it, and never goes back as positions grow. Order is the
    position, never a timestamp.
    """

    position: int
    stream: UUID
    version: int
    recorded_at: datetime
    source: str
    id: str
    time: datetime
    data: AnyData

    @property
    def weight(self) -> tuple[datetime, str, str]:
        """What decides between events of the same day of effect (R-tie): time, then source, then id as text."""
        return (self.time, self.source, self.id)


def subject_of(data: AnyData, source: str) -> str | None:
    """The subject whose stream the event is filed in, or None for an annulment (filed with what it annuls)."""
    match data:
        case AboutPerson():
            return f"jmb:{data.jmb}"
        case PollingStation() | PollingStationAbolished():
            return f"station:{data.municipality}:{data.code}"
        case ControlTotal():
            return f"authority:{source.removeprefix(SOURCE_PREFIX)}"
        case Annulment():
            return None
        case _:
            return _subject_of_act(data)


def _subject_of_act(data: Act) -> str:
    match data:
        case ElectionCalled() | ElectionConcluded() | RollFrozen():
            subject = f"election:{data.election}"
        case ExcerptDrawn() | ExcerptVerified() | ExcerptCertified() | ExcerptReissued():
            subject = f"excerpt:{data.excerpt}"
        case AboutDeficiency():
            subject = f"deficiency:{data.kind}:{data.key}"
        case SenderKeyRegistered() | SenderKeyRevoked():
            subject = f"sender-keys:{data.authority}"
        case LogKeyAnnounced() | LogKeyRetired():
            subject = f"log-keys:{data.key.partition('+')[0]}"
        case PoliticalEntityCertified() | CertificationWithdrawn():
            subject = f"political-entity:{data.election}:{data.entity}"
        case CopyGranted() | CopyDrawn() | CopyWithdrawn():
            subject = f"copy:{data.election}:{data.copy}"
        case _:
            subject = f"authority:{data.authority}"
    return subject
