"""What may become of a deficiency, and what has: established, notified, acknowledged, remedied, dismissed (Art. 3.6 a).

One that was remedied or dismissed may be established again; one dismissed only on other evidence than the CEC has
looked at. One that stands is established again when it has become another authority's to put right, or is about others.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

import msgspec

from register.law.deficiencies.kinds import KINDS, Finding
from register.law.events import (
    DeficiencyAcknowledged,
    DeficiencyDismissed,
    DeficiencyEstablished,
    DeficiencyNotified,
    DeficiencyRemedied,
    Event,
)
from register.law.provisions import Refusal

PROVISION: Final = "Art. 3.6 a"

State = Literal["established", "notified", "acknowledged", "remedied", "dismissed"]
#: States in which the fault is still there, as far as the register knows.
STANDING: Final[frozenset[State]] = frozenset({"established", "notified", "acknowledged"})


class Deficiency(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A deficiency as its history tells it.

    ``id`` is its stream, ``version`` and ``position`` those of the last event, ``first_established`` the position of
    the first. The positions and instants of the steps are those since it was last established; None: not taken.
    """

    id: UUID
    kind: str
    key: str
    authority: str
    municipality: str | None
    persons: tuple[str, ...]
    evidence: tuple[int, ...]
    figures: dict[str, int]
    state: State
    version: int
    position: int
    first_established: int
    established: int
    established_at: datetime
    notified: int | None = None
    notified_at: datetime | None = None
    notified_by: str | None = None
    acknowledged: int | None = None
    acknowledged_at: datetime | None = None
    acknowledged_by: str | None = None
    dismissed: int | None = None
    dismissed_at: datetime | None = None
    dismissed_by: str | None = None
    remedied: int | None = None
    remedied_at: datetime | None = None
    reason: str | None = None

    @property
    def stands(self) -> bool:
        """Whether the fault is still there, as far as the register knows."""
        return self.state in STANDING


def fold(events: Iterable[Event]) -> Deficiency | None:
    """The deficiency by the events of its stream, in order; None for a stream of something else."""
    state: Deficiency | None = None
    for event in events:
        state = take(state, event)
    return state


def take(state: Deficiency | None, event: Event) -> Deficiency | None:
    """The deficiency after one more event of its stream."""
    if isinstance(event.data, DeficiencyEstablished):
        return _established(state, event, event.data)
    if state is None:
        return None
    at, when = event.position, event.recorded_at
    step: dict[str, object] = {}
    match event.data:
        case DeficiencyNotified(notified_by=who):
            step = {"state": "notified", "notified": at, "notified_at": when, "notified_by": who}
        case DeficiencyAcknowledged(acknowledged_by=who):
            step = {"state": "acknowledged", "acknowledged": at, "acknowledged_at": when, "acknowledged_by": who}
        case DeficiencyDismissed(dismissed_by=who, reason=why):
            step = {"state": "dismissed", "dismissed": at, "dismissed_at": when, "dismissed_by": who, "reason": why}
        case DeficiencyRemedied():
            step = {"state": "remedied", "remedied": at, "remedied_at": when}
        case _:
            pass
    return msgspec.structs.replace(state, version=event.version, position=at, **step)


def _established(state: Deficiency | None, event: Event, data: DeficiencyEstablished) -> Deficiency:
    return Deficiency(
        id=event.stream,
        kind=data.kind,
        key=data.key,
        authority=data.authority,
        municipality=data.municipality,
        persons=data.persons,
        evidence=data.evidence,
        figures=data.figures,
        state="established",
        version=event.version,
        position=event.position,
        first_established=event.position if state is None else state.first_established,
        established=event.position,
        established_at=event.recorded_at,
    )


def is_new(finding: Finding, state: Deficiency | None) -> bool:
    """Whether a finding is to be established, by what became of it before."""
    if state is None or state.state == "remedied":
        return True
    if state.state == "dismissed":
        return state.evidence != finding.evidence
    if (state.authority, state.municipality) != (finding.authority, finding.municipality):
        return True
    # A crowd that grows is the same deficiency; one about certain people is not, when it is about others.
    crowd = KINDS[finding.kind].about == "address"
    return not crowd and set(state.persons) != {str(person) for person in finding.persons}


def check_notification(state: Deficiency) -> None:
    """Accept that the authority is informed. Raises ``Refusal("conflict")`` for one informed of, or at an end."""
    if state.state != "established":
        raise _refusal(state, "The authority concerned has been informed of this deficiency")


def check_acknowledgement(state: Deficiency) -> None:
    """Accept that the authority took note. Raises ``Refusal("conflict")`` when it has, or the matter is at an end."""
    if state.state not in ("established", "notified"):
        raise _refusal(state, "Somebody else has taken note of this deficiency")


def check_dismissal(state: Deficiency) -> None:
    """Accept that it is found to be none. Raises ``Refusal("conflict")`` when the matter is at an end."""
    if not state.stands:
        raise _refusal(state, "")


def _refusal(state: Deficiency, otherwise: str) -> Refusal:
    match state.state:
        case "remedied":
            return Refusal("conflict", "This deficiency has been remedied", provision=PROVISION)
        case "dismissed":
            return Refusal("conflict", "This deficiency has been dismissed", provision=PROVISION)
        case _:
            return Refusal("conflict", otherwise, provision=PROVISION)
