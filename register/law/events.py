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

from datetime import date, datetime
from typing import Annotated, ClassVar, Final, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

#: Marks a member that the public record holds only as part of a salted digest.
PERSONAL: Final = "personal"

#: No control characters: what is printed on a list must be printable.
_PRINTABLE = r"^[^\x00-\x1f\x7f]*[^\x00-\x20\x7f][^\x00-\x1f\x7f]*$"

Name = Annotated[str, Meta(min_length=1, max_length=100, pattern=_PRINTABLE)]
Text = Annotated[str, Meta(min_length=1, max_length=500, pattern=_PRINTABLE)]
#: Form is judged by law/personal_number, so that a wrong number is a ``jmb`` problem, not a ``schema`` one.
Jmb = Annotated[str, Meta(max_length=64, extra_json_schema={"pattern": "^[0-9]{13}$"})]
MunicipalityCode = Annotated[str, Meta(pattern=r"^[0-9]{5}$")]
CountryCode = Annotated[str, Meta(pattern=r"^[A-Z]{2}$")]
StationCode = Annotated[str, Meta(min_length=1, max_length=20, pattern=r"^[A-Za-z0-9._-]+$")]
NoticeId = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._:-]{1,128}$")]
Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]
HouseNumber = Annotated[int, Meta(ge=0, le=99999)]
Sex = Literal["F", "M"]
Entity = Literal["FBiH", "RS"]
BarGround = Literal["1.6", "1.7", "1.7a"]
VotingOptionName = Literal["regular", "in-person-1991", "absentee-1991", "mail", "diplomatic-mission", "mobile-team"]


class Data(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True, gc=False):
    """What every kind of event has in common: a topic, and members that can be nothing but what is declared."""

    TOPIC: ClassVar[str]


class Document(Data, frozen=True, kw_only=True):
    """The paper a notice rests on (Art. 3.5(7)); the file itself is kept by its digest."""

    kind: Name
    number: Name
    issued_by: Text
    issued_on: date
    sha256: Sha256 | None = None


class AboutPerson(Data, frozen=True, kw_only=True):
    """A notice about the bearer of a personal number, with the day on which the change occurred."""

    jmb: Annotated[Jmb, PERSONAL]
    effective_on: date
    document: Annotated[Document | None, PERSONAL] = None


# --- registry offices: Art. 3.5(3)1 ---------------------------------------------------------------------------------


class Citizen(AboutPerson, frozen=True, kw_only=True):
    """A registry office records a citizen, Art. 3.5(3)1 a and b. Opens R1 and R2."""

    TOPIC = "ba.cvr.citizen.v1"
    effective_on: Annotated[date, PERSONAL]
    surname: Annotated[Name, PERSONAL]
    given_name: Annotated[Name, PERSONAL]
    parent_name: Annotated[Name, PERSONAL]
    sex: Annotated[Sex, PERSONAL]
    born_on: Annotated[date, PERSONAL]
    script: Annotated[Literal["Latn", "Cyrl"] | None, PERSONAL] = None


class PersonalData(AboutPerson, frozen=True, kw_only=True):
    """A registry office changes or corrects names, sex or date of birth, Art. 3.5(3)1."""

    TOPIC = "ba.cvr.personal-data.v1"
    surname: Annotated[Name | None, PERSONAL] = None
    given_name: Annotated[Name | None, PERSONAL] = None
    parent_name: Annotated[Name | None, PERSONAL] = None
    sex: Annotated[Sex | None, PERSONAL] = None
    born_on: Annotated[date | None, PERSONAL] = None


class Death(AboutPerson, frozen=True, kw_only=True):
    """A registry office reports a death, Art. 3.5(3)1 c. R3."""

    TOPIC = "ba.cvr.death.v1"


# --- residence authorities: Art. 3.5(3)2 ----------------------------------------------------------------------------


class Residence(AboutPerson, frozen=True, kw_only=True):
    """Permanent or temporary residence in a municipality, or a temporary one abroad, Art. 3.5(3)2. R7, U1."""

    TOPIC = "ba.cvr.residence.v1"
    kind: Literal["permanent", "temporary", "abroad"]
    municipality: MunicipalityCode | None = None
    settlement: Annotated[Name | None, PERSONAL] = None
    street: Annotated[Name | None, PERSONAL] = None
    house_number: Annotated[Name | None, PERSONAL] = None
    country: Annotated[CountryCode | None, PERSONAL] = None
    foreign_address: Annotated[Text | None, PERSONAL] = None


class ResidenceEnded(AboutPerson, frozen=True, kw_only=True):
    """The end of a residence, Art. 3.5(3)2. R7."""

    TOPIC = "ba.cvr.residence-ended.v1"
    kind: Literal["permanent", "temporary", "abroad"]
    municipality: MunicipalityCode | None = None


class JmbReplaced(AboutPerson, frozen=True, kw_only=True):
    """A personal number is annulled and replaced: the two numbers are one person. Must name its document."""

    TOPIC = "ba.cvr.jmb-replaced.v1"
    new_jmb: Annotated[Jmb, PERSONAL]


class EntityOption(AboutPerson, frozen=True, kw_only=True):
    """A Brčko voter's entity, U4 (practice)."""

    TOPIC = "ba.cvr.entity-option.v1"
    entity: Annotated[Entity, PERSONAL]


# --- ministry: Art. 3.5(3)3, 20.8(6) --------------------------------------------------------------------------------


class Citizenship(AboutPerson, frozen=True, kw_only=True):
    """The person is a citizen of BiH and also holds these citizenships, Art. 1.5(3). R4, R8."""

    TOPIC = "ba.cvr.citizenship.v1"
    other_citizenships: Annotated[tuple[CountryCode, ...], PERSONAL]


class CitizenshipEnded(AboutPerson, frozen=True, kw_only=True):
    """Deregistration of the citizenship of BiH, Art. 3.5(3)3. R4. Must name its document."""

    TOPIC = "ba.cvr.citizenship-ended.v1"


class RefugeeStatus(AboutPerson, frozen=True, kw_only=True):
    """Refugee status under Art. 20.8(6): counts in a municipality of 1991. R7, U3. Must name its document."""

    TOPIC = "ba.cvr.refugee-status.v1"
    municipality_1991: Annotated[MunicipalityCode, PERSONAL]


class RefugeeStatusEnded(AboutPerson, frozen=True, kw_only=True):
    """The end of refugee status."""

    TOPIC = "ba.cvr.refugee-status-ended.v1"


# --- courts: Art. 3.2, 1.6, 1.7, 1.7a -------------------------------------------------------------------------------


class CapacityWithdrawn(AboutPerson, frozen=True, kw_only=True):
    """Legal capacity withdrawn by a final and binding decision, Art. 3.2. R5. Must name its document."""

    TOPIC = "ba.cvr.capacity-withdrawn.v1"
    extent: Annotated[Literal["full", "partial"], PERSONAL]


class CapacityRestored(AboutPerson, frozen=True, kw_only=True):
    """Legal capacity restored by a final and binding decision, Art. 3.2. R5. Must name its document."""

    TOPIC = "ba.cvr.capacity-restored.v1"


class VotingBarred(AboutPerson, frozen=True, kw_only=True):
    """A bar under Art. 1.6, 1.7 or 1.7a. R6. Must name its document."""

    TOPIC = "ba.cvr.voting-barred.v1"
    ground: Annotated[BarGround, PERSONAL]
    cause: Annotated[Literal["sentence", "failure-to-appear"], PERSONAL]


class VotingBarEnded(AboutPerson, frozen=True, kw_only=True):
    """The end of the bar named by ``ends`` (and ``ends_source``, if another court sent it). R6. Must name its document."""

    TOPIC = "ba.cvr.voting-bar-ended.v1"
    ends: NoticeId
    ends_source: Annotated[str, Meta(max_length=200)] | None = None


# --- election commissions: Art. 3.5(3)4 and 5 -----------------------------------------------------------------------


class VotingOption(AboutPerson, frozen=True, kw_only=True):
    """A voter's voting option, standing or for one election, Art. 3.5(3)5, 1.5(2), 20.8. U2."""

    TOPIC = "ba.cvr.voting-option.v1"
    option: Annotated[VotingOptionName, PERSONAL]
    municipality_1991: Annotated[MunicipalityCode | None, PERSONAL] = None
    country: Annotated[CountryCode | None, PERSONAL] = None
    foreign_address: Annotated[Text | None, PERSONAL] = None
    mission: Annotated[Name | None, PERSONAL] = None
    election: Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{1,64}$")] | None = None


class ReportedDeceased(AboutPerson, frozen=True, kw_only=True):
    """A commission marks a voter as reported deceased; nobody is deleted by it (practice)."""

    TOPIC = "ba.cvr.reported-deceased.v1"
    remark: Annotated[Text | None, PERSONAL] = None


class CatchmentEntry(Data, frozen=True, kw_only=True):
    """What a polling station covers: all of its municipality, a settlement, a street, or numbers of a street."""

    settlement: Name | None = None
    street: Name | None = None
    from_: HouseNumber | None = msgspec.field(name="from", default=None)
    to: HouseNumber | None = None
    parity: Literal["odd", "even"] | None = None


class PollingStation(Data, frozen=True, kw_only=True):
    """A polling station as it is from a day on; replaces the station of that code, Art. 3.5(3)4, 2.13(3)."""

    TOPIC = "ba.cvr.polling-station.v1"
    code: StationCode
    municipality: MunicipalityCode
    name: Text
    address: Text
    kind: Literal["regular", "absentee", "mobile"]
    catchment: tuple[CatchmentEntry, ...]
    effective_on: date
    document: Annotated[Document | None, PERSONAL] = None


class PollingStationAbolished(Data, frozen=True, kw_only=True):
    """A polling station is no more, from a day on."""

    TOPIC = "ba.cvr.polling-station-abolished.v1"
    code: StationCode
    municipality: MunicipalityCode
    effective_on: date
    document: Annotated[Document | None, PERSONAL] = None


# --- any sender -----------------------------------------------------------------------------------------------------


class Annulment(Data, frozen=True, kw_only=True):
    """The sender takes back an earlier notice of its own, for every day (later law 3.13)."""

    TOPIC = "ba.cvr.annulment.v1"
    annuls: NoticeId
    reason: Annotated[Text, PERSONAL]


class ControlTotal(Data, frozen=True, kw_only=True):
    """How many notices of each type the sender sent on a day, so that silence can be told from loss."""

    TOPIC = "ba.cvr.control-total.v1"
    day: date
    sent: dict[str, Annotated[int, Meta(ge=0, le=2**53 - 1)]]


# --- acts of the register itself ------------------------------------------------------------------------------------


class ElectionCalled(Data, frozen=True, kw_only=True):
    """The CEC calls an election, Art. 1.14; ``municipalities`` empty means all."""

    TOPIC = "ba.cvr.election-called.v1"
    election: Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
    kind: Literal["general", "local"]
    early: bool
    day: date
    called_on: date
    options_until: date | None = None
    municipalities: tuple[MunicipalityCode, ...] = ()


class ElectionConcluded(Data, frozen=True, kw_only=True):
    """The CEC completes and verifies the roll, Art. 3.6 e. It rests on the events before its own position.

    ``rules`` and ``reference`` are the versions of the law's functions and of the reference data it rests on.
    """

    TOPIC = "ba.cvr.election-concluded.v1"
    election: str
    concluded_by: Annotated[str, PERSONAL]
    rules: str
    reference: str


class RollFrozen(Data, frozen=True, kw_only=True):
    """The roll of a concluded election was written down: how many rows, and the SHA-256 over them."""

    TOPIC = "ba.cvr.roll-frozen.v1"
    election: str
    conclusion: int
    voters: int
    sha256: Sha256


class DrawnList(Data, frozen=True, kw_only=True):
    """One list of a drawn excerpt: what it covers, its rows and the digest of its rows."""

    name: str
    rows: int
    sha256: Sha256


class ExcerptDrawn(Data, frozen=True, kw_only=True):
    """An excerpt was drawn up from the concluded roll, Art. 3.6 b, c, e; its lists with their digests."""

    TOPIC = "ba.cvr.excerpt-drawn.v1"
    excerpt: str
    election: str
    kind: str
    conclusion: int
    format_version: int
    lists: tuple[DrawnList, ...]


class ExcerptVerified(Data, frozen=True, kw_only=True):
    """Somebody of the CEC verified a drawn excerpt, Art. 3.6 e. ``drawn`` is the position of its drawing."""

    TOPIC = "ba.cvr.excerpt-verified.v1"
    excerpt: str
    election: str
    drawn: int
    verified_by: Annotated[str, PERSONAL]


class ExcerptCertified(Data, frozen=True, kw_only=True):
    """Another person of the CEC certified a verified excerpt, Art. 3.6 e. ``verified`` is that position."""

    TOPIC = "ba.cvr.excerpt-certified.v1"
    excerpt: str
    election: str
    verified: int
    certified_by: Annotated[str, PERSONAL]


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
Act = ElectionCalled | ElectionConcluded | RollFrozen | ExcerptDrawn | ExcerptVerified | ExcerptCertified
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
    ExcerptVerified,
    ExcerptCertified,
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
            return f"authority:{source.removeprefix('urn:cvr:authority:')}"
        case ElectionCalled() | ElectionConcluded() | RollFrozen():
            return f"election:{data.election}"
        case ExcerptDrawn() | ExcerptVerified() | ExcerptCertified():
            return f"excerpt:{data.excerpt}"
        case Annulment():
            return None
