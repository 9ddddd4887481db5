"""What a sender is told: an answer for each notice, a receipt for what is recorded, a problem for what is refused."""

from __future__ import annotations

from datetime import date, datetime
from typing import Final, Literal
from uuid import UUID

import msgspec

from register.intake import failures
from register.intake.failures import Failure
from register.law.events import NOTICE_TYPES, Event
from register.law.provisions import STATUS, TITLES, Fault, Refusal
from register.law.timeliness import days_late, effective_day
from register.store import Prepared
from register.store import Receipt as Stored

PROBLEM_TYPE: Final = "urn:cvr:problem:"


class Problem(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A problem detail (RFC 9457). ``instance`` names this one occurrence; ``errors`` point into the message."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    provision: str | None = None
    errors: tuple[Fault, ...] = ()


class Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of one notice. ``line`` counts from 1; ``id`` is None where it could not be read."""

    line: int
    id: str | None
    status: Literal["recorded", "repeated", "refused"]
    position: int | None = None
    days_late: int | None = None
    problem: Problem | None = None
    #: Judged and answered as it would have been, with nothing recorded.
    dry_run: bool = False


class End(msgspec.Struct, frozen=True):
    """The last answer: all that came was answered. Without it an answer is incomplete, and to be asked for again."""

    recorded: int
    repeated: int
    refused: int
    end: Literal[True] = True
    #: Of a signed request: whether its body was the one that was signed.
    signed: bool | msgspec.UnsetType = msgspec.UNSET


class Receipt(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What the register says about a notice it holds; ``position`` is its place in the event store."""

    id: str
    source: str
    type: str
    time: datetime
    status: Literal["recorded", "repeated"]
    position: int
    recorded_at: datetime
    days_late: int | None = None
    #: The request it came with was signed, and that is on record; told when it comes.
    signed: bool = False
    #: Whether the file of the document it names by digest is here; told when the receipt is asked for.
    document: Literal["kept", "missing", "none"] | None = None


def problem_of(refusal: Refusal | Failure, instance: UUID) -> Problem:
    """Return the problem that tells of a refusal, or of a bug (contract: sections 2 and 3)."""
    return Problem(
        type=PROBLEM_TYPE + refusal.kind,
        title=TITLES[refusal.kind] if isinstance(refusal, Refusal) else failures.TITLE,
        status=STATUS[refusal.kind] if isinstance(refusal, Refusal) else failures.STATUS,
        detail=refusal.detail,
        instance=instance.urn,
        provision=refusal.provision,
        errors=refusal.faults,
    )


def receipt_for(notice: Prepared, effective_on: date | None, stored: Stored) -> Receipt:
    """Return the receipt of a notice just handed in. Raises ``TypeError`` unless it is recorded, now or before."""
    if stored.status == "refused" or stored.position is None or stored.recorded_at is None:
        raise TypeError("what was refused has no receipt")
    return Receipt(
        id=notice.id,
        source=notice.source,
        type=notice.topic,
        time=notice.time,
        status=stored.status,
        position=stored.position,
        recorded_at=stored.recorded_at,
        days_late=days_late(effective_on, stored.recorded_at),
    )


def receipt_of(event: Event) -> Receipt:
    """Return the receipt of a notice the event store holds. Raises ``TypeError`` for an act of the register."""
    if not isinstance(event.data, NOTICE_TYPES):
        raise TypeError("only a notice has a receipt")
    return Receipt(
        id=event.id,
        source=event.source,
        type=event.data.TOPIC,
        time=event.time,
        status="recorded",
        position=event.position,
        recorded_at=event.recorded_at,
        days_late=days_late(effective_day(event.data), event.recorded_at),
    )
