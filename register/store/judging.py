"""What becomes of each notice of an append: recorded, repeated or refused. Pure; decided while the lock is held.

The order matters and is fixed: first whether the (source, id) is known (a repeat is a repeat even if it could not be
accepted again), then what an annulment points to, then the version the caller expects, then the next position.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

import msgspec
from eventsourcing.persistence import StoredEvent

from register.law.events import NOTICE_BY_TYPE, Annulment, AnyData, subject_of
from register.law.provisions import Fault, Refusal
from register.store import codec

#: (source, id): what identifies a notice for ever.
Key = tuple[str, str]


class Pending(msgspec.Struct, frozen=True, kw_only=True):
    """A notice or act that is to be recorded.

    ``salt`` is the base64 text of 16 random bytes. ``subject`` overrides the subject in whose stream it is filed
    (``subject_of``); an annulment is filed with what it annuls, whatever is said here. ``expected_version`` is the
    version the stream must have before this event, 0 for a stream that must not exist yet.
    """

    source: str
    id: str
    time: datetime
    data: AnyData
    salt: str
    expected_version: int | None = None
    subject: str | None = None


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one pending event. A repeat has the position and instant of the first time."""

    status: Literal["recorded", "repeated", "refused"]
    position: int | None = None
    recorded_at: datetime | None = None
    refusal: Refusal | None = None


class ConcurrencyError(RuntimeError):
    """A stream is not at the version the caller decided upon; nothing was written. Load it again and decide again."""

    def __init__(self, index: int, expected: int, found: int) -> None:
        super().__init__(f"pending event {index} expects its stream at version {expected}, it is at {found}")
        self.index, self.expected, self.found = index, expected, found


class Prepared(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A pending event with all that can be made of it before the lock is taken; without a value to work out again.

    ``annulled`` is the id of the notice an annulment annuls, in whose stream it is filed: it has no ``subject``.
    """

    source: str
    id: str
    time: datetime
    topic: str
    subject: str
    annulled: str | None
    content: bytes
    state: bytes
    expected_version: int | None = None


def prepare(pending: Pending, in_nfc: bytes | None = None) -> Prepared:
    """Write a pending event down. ``in_nfc`` is its data as :func:`codec.content_digest` takes it, where it is known.

    Raises as :func:`codec.encode` does.
    """
    data = pending.data
    annulled = data.annuls if isinstance(data, Annulment) else None
    return Prepared(
        pending.source,
        pending.id,
        pending.time,
        data.TOPIC,
        "" if annulled is not None else pending.subject or subject_of(data, pending.source) or "",
        annulled,
        codec.content_digest(data) if in_nfc is None else codec.content_digest(data, in_nfc),
        codec.encode(data, source=pending.source, id=pending.id, time=pending.time, salt=pending.salt),
        pending.expected_version,
    )


class Place(msgspec.Struct, gc=False):
    """A stream and its last version."""

    stream: UUID
    version: int = 0


class Recorded(msgspec.Struct, frozen=True, gc=False):
    """What the event store holds under a key. ``place`` matters for what may be annulled only."""

    content: bytes
    position: int
    recorded_at: datetime
    topic: str
    place: Place


class Known(msgspec.Struct):
    """What the event store knows that bears on one append, read under the lock: by key, and by subject."""

    head: int
    keys: dict[Key, Recorded]
    places: dict[str, Place]


class Judgement(msgspec.Struct):
    """Receipts in the order of the pending events, and what is to be written."""

    receipts: list[Receipt] = []
    stored: list[StoredEvent] = []
    keys: list[tuple[Key, bytes, int]] = []
    subjects: list[tuple[str, UUID]] = []


NOT_ANNULLABLE: Final = "The sender has no earlier notice under this id that could be annulled."


def judge(
    prepared: Sequence[Prepared], known: Known, *, recorded_at: datetime, new_stream: Callable[[], UUID]
) -> Judgement:
    """Judge pending events in their order, each in the light of those before it. ``known`` is brought up to date.

    Raises :class:`ConcurrencyError` when a stream is not at the version expected.
    """
    result = Judgement()
    position = known.head
    for index, item in enumerate(prepared):
        key = (item.source, item.id)
        earlier = known.keys.get(key)
        if earlier is not None:
            result.receipts.append(_again(item, earlier))
            continue
        place = _place(item, known, result, new_stream)
        if place is None:
            result.receipts.append(Receipt(status="refused", refusal=_no_annulment()))
            continue
        if item.expected_version is not None and item.expected_version != place.version:
            raise ConcurrencyError(index, item.expected_version, place.version)
        position += 1
        place.version += 1
        known.keys[key] = Recorded(item.content, position, recorded_at, item.topic, place)
        result.keys.append((key, item.content, position))
        result.stored.append(StoredEvent(place.stream, place.version, item.topic, item.state))
        result.receipts.append(Receipt(status="recorded", position=position, recorded_at=recorded_at))
    return result


def _again(item: Prepared, earlier: Recorded) -> Receipt:
    """A key that is known: the same content is a repeat, other content a conflict."""
    if earlier.content == item.content:
        return Receipt(status="repeated", position=earlier.position, recorded_at=earlier.recorded_at)
    detail = "Another notice was recorded under this id; a correction needs an id of its own."
    return Receipt(status="refused", refusal=Refusal("id-conflict", detail, faults=(Fault("/id", detail),)))


def _place(item: Prepared, known: Known, result: Judgement, new_stream: Callable[[], UUID]) -> Place | None:
    """The stream to file in; None when an annulment points to nothing it may annul."""
    if item.annulled is not None:
        target = known.keys.get((item.source, item.annulled))
        if target is None or target.topic == Annulment.TOPIC or target.topic not in NOTICE_BY_TYPE:
            return None
        return target.place
    place = known.places.get(item.subject)
    if place is None:
        place = known.places[item.subject] = Place(new_stream())
        result.subjects.append((item.subject, place.stream))
    return place


def _no_annulment() -> Refusal:
    """Only a notice, only by its own sender (later law 3.13), and no annulment, may be annulled.

    Another's notice is answered like an unknown one: who asks learns nothing about what others sent.
    """
    return Refusal(
        "annulment", NOT_ANNULLABLE, provision="later law 3.13", faults=(Fault("/data/annuls", NOT_ANNULLABLE),)
    )
