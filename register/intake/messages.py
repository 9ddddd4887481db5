"""What an authority is told: the data of each outgoing CloudEvent, and how an event or a refusal becomes one.

The same structs encode what is sent and give the published schemas (contracts/asyncapi.yaml). No message repeats
anything of a refused notice but the id its sender gave it, nor names a person: it names notices by source and id.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, ClassVar, Final, Literal
from uuid import UUID

import msgspec

from register.intake.answers import Problem, problem_of
from register.intake.journal import Place, Refused
from register.law import events as e
from register.law.deficiencies import KINDS
from register.law.events import REGISTER, SOURCE_PREFIX, Event, MunicipalityCode

#: The provision under which the CEC informs, where the kind of deficiency names no other.
_INFORMED: Final = "Art. 3.6 a"


class Message(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What all of them have: the CloudEvents type they are sent under."""

    TYPE: ClassVar[str]


class NoticeRefused(Message, frozen=True, kw_only=True):
    """A notice was refused, Art. 3.5(4). ``notice_id`` is the sender's own number, null where it could not be read.

    ``problem`` is the one its sender was told, with provision and pointers; what was sent is not repeated.
    """

    TYPE = "ba.cvr.feed.notice-refused.v1"
    notice_id: str | None
    received_at: datetime
    problem: Problem


class Evidence(msgspec.Struct, frozen=True):
    """A notice of the authority's own: the (``source``, ``id``) it was sent under, and its place in the event store."""

    source: str
    id: str
    position: int


class AboutDeficiency(Message, frozen=True, kw_only=True):
    """What is said of a deficiency; ``deficiency`` is its id, ``evidence`` the authority's own notices that show it."""

    deficiency: UUID
    kind: str
    explanation: str
    provision: str
    established: int
    municipality: MunicipalityCode | None = None
    evidence: tuple[Evidence, ...] = ()


class DeficiencyEstablished(AboutDeficiency, frozen=True, kw_only=True):
    """The register established a deficiency that concerns the authority, Art. 3.5(6)."""

    TYPE = "ba.cvr.feed.deficiency-established.v1"


class DeficiencyNotified(AboutDeficiency, frozen=True, kw_only=True):
    """The CEC informs the authority of a deficiency, which it must put right, Art. 3.6 a."""

    TYPE = "ba.cvr.feed.deficiency-notified.v1"


class DeficiencyDismissed(AboutDeficiency, frozen=True, kw_only=True):
    """The CEC found it to be none, with its reason, Art. 3.6 a."""

    TYPE = "ba.cvr.feed.deficiency-dismissed.v1"
    reason: str


class DeficiencyRemedied(AboutDeficiency, frozen=True, kw_only=True):
    """Later events removed its cause; ``position`` is where the register found it gone."""

    TYPE = "ba.cvr.feed.deficiency-remedied.v1"
    position: int


class ElectionCalled(Message, frozen=True, kw_only=True):
    """The CEC called an election, Art. 1.14; ``municipalities`` empty: all; ``runoff_of`` names the first round."""

    TYPE = "ba.cvr.feed.election-called.v1"
    election: str
    kind: Literal["general", "local"]
    early: bool
    day: date
    called_on: date
    options_until: date | None = None
    municipalities: tuple[MunicipalityCode, ...] = ()
    runoff_of: str | None = None


class ElectionConcluded(Message, frozen=True, kw_only=True):
    """The CEC concluded the roll of an election, Art. 3.6 e: it rests on the events before ``position``."""

    TYPE = "ba.cvr.feed.election-concluded.v1"
    election: str
    position: int


class FirstLoadDeclared(Message, frozen=True, kw_only=True):
    """The CEC declared the authority's first load, Art. 3.5(5): to the end of ``until`` its lag is not measured."""

    TYPE = "ba.cvr.feed.first-load-declared.v1"
    until: date


class SenderKeyRegistered(Message, frozen=True, kw_only=True):
    """A key of the authority's was registered, Art. 3.5(4); ``public_key`` is base64 of an Ed25519 public key."""

    TYPE = "ba.cvr.feed.sender-key-registered.v1"
    keyid: str
    public_key: str


class SenderKeyRevoked(Message, frozen=True, kw_only=True):
    """A key of the authority's signs nothing from here on, Art. 3.5(4)."""

    TYPE = "ba.cvr.feed.sender-key-revoked.v1"
    keyid: str
    reason: str


MESSAGES: Final[tuple[type[Message], ...]] = (
    NoticeRefused,
    DeficiencyEstablished,
    DeficiencyNotified,
    DeficiencyDismissed,
    DeficiencyRemedied,
    ElectionCalled,
    ElectionConcluded,
    FirstLoadDeclared,
    SenderKeyRegistered,
    SenderKeyRevoked,
)


class CloudEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An outgoing CloudEvent 1.0 in structured mode. (``source``, ``id``) is the same whenever it is sent again.

    ``id`` is its place in the order of everything that is told, and so what to go on from.
    """

    id: str
    type: str
    time: datetime
    data: Any
    specversion: Literal["1.0"] = "1.0"
    source: Literal["urn:cvr:register"] = REGISTER
    datacontenttype: Literal["application/json"] = "application/json"


def write_place(place: Place) -> str:
    """Return a place as the id of what stands there: ``12`` (an event), ``12.7`` (a refusal after it)."""
    return f"{place.position}.{place.refusal}" if place.refusal else str(place.position)


def of_refusal(refused: Refused) -> CloudEvent:
    """Return what the sender of a refused notice is told."""
    data = NoticeRefused(
        notice_id=refused.notice_id,
        received_at=refused.received_at,
        problem=problem_of(refused.refusal, refused.instance),
    )
    return _enveloped(Place(refused.after_position, refused.id), refused.received_at, data)


def of_event(event: Event, authority: str, known: Mapping[int, Event]) -> CloudEvent:
    """Return what an authority is told of an event of the register.

    ``known`` holds the events it refers to (:func:`established_at`, :func:`evidence_of`), by position.
    """
    return _enveloped(Place(event.position), event.recorded_at, _said(event, authority, known))


def established_at(event: Event) -> int | None:
    """Return the position at which a deficiency was established that a later event is about."""
    data = event.data
    return data.established if isinstance(data, _AFTERWARDS) else None


def evidence_of(event: Event) -> tuple[int, ...]:
    """Return the positions of the notices that show a deficiency; of its establishing, else nothing."""
    return event.data.evidence if isinstance(event.data, e.DeficiencyEstablished) else ()


_AFTERWARDS: Final = (e.DeficiencyNotified, e.DeficiencyDismissed, e.DeficiencyRemedied)


def _said(event: Event, authority: str, known: Mapping[int, Event]) -> Message:  # noqa: PLR0911 - one for each type
    data = event.data
    match data:
        case e.DeficiencyEstablished():
            return DeficiencyEstablished(**_deficiency(event, event, authority, known))
        case e.DeficiencyNotified():
            return DeficiencyNotified(**_deficiency(event, known[data.established], authority, known))
        case e.DeficiencyDismissed():
            about = _deficiency(event, known[data.established], authority, known)
            return DeficiencyDismissed(**about, reason=data.reason)
        case e.DeficiencyRemedied():
            about = _deficiency(event, known[data.established], authority, known)
            return DeficiencyRemedied(**about, position=data.position)
        case e.ElectionCalled():
            told = {name: getattr(data, name) for name in ElectionCalled.__struct_fields__}
            return ElectionCalled(**told)
        case e.ElectionConcluded():
            return ElectionConcluded(election=data.election, position=event.position)
        case e.FirstLoadDeclared():
            return FirstLoadDeclared(until=data.until)
        case e.SenderKeyRegistered():
            return SenderKeyRegistered(keyid=data.keyid, public_key=data.public_key)
        case e.SenderKeyRevoked():
            return SenderKeyRevoked(keyid=data.keyid, reason=data.reason)
        case _:
            raise TypeError(f"nobody is told of {type(data).__name__}")


def _deficiency(event: Event, established: Event, authority: str, known: Mapping[int, Event]) -> dict[str, Any]:
    """What is said of a deficiency at any time, made from the event that established it."""
    data = established.data
    if not isinstance(data, e.DeficiencyEstablished):
        raise TypeError("a deficiency goes back to an event that established it")
    rule = KINDS.get(data.kind)  # type: ignore[call-overload]  # a kind given up stays readable
    own = SOURCE_PREFIX + authority
    notices = (known[position] for position in data.evidence if position in known)
    return {
        "deficiency": event.stream,
        "kind": data.kind,
        "explanation": data.kind if rule is None else rule.sentence.format_map(_Figures(data.figures)),
        "provision": _INFORMED if rule is None else rule.provision,
        "established": established.position,
        "municipality": data.municipality,
        "evidence": tuple(Evidence(n.source, n.id, n.position) for n in notices if n.source == own),
    }


class _Figures(dict[str, int]):
    """Figures of a sentence; one that an older event does not have is shown as such."""

    def __missing__(self, name: str) -> str:
        return "?"


def _enveloped(place: Place, time: datetime, data: Message) -> CloudEvent:
    return CloudEvent(id=write_place(place), type=data.TYPE, time=time, data=data)
