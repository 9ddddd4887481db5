"""From a stored event to the line the log vouches for, and to its entry.

The record is one line of canonical JSON (RFC 8785) in which the personal part stands as a salted digest, so the whole
history can be handed to an auditor without a name in it. It is cut from the stored bytes and nothing is serialised a
second time: what is hashed is what is kept.
"""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha256
from typing import Final, Protocol
from uuid import UUID

import msgspec


class StoredRecord(Protocol):
    """One row of the event store, as the log reads it. ``state`` is canonical JSON."""

    @property
    def position(self) -> int:
        """1, 2, 3 … over the whole store."""

    @property
    def stream(self) -> UUID:
        """The stream the event is filed in."""

    @property
    def version(self) -> int:
        """1, 2, 3 … within its stream."""

    @property
    def topic(self) -> str:
        """The event's type, with its number."""

    @property
    def recorded_at(self) -> datetime:
        """When the store took it; with a zone."""

    @property
    def state(self) -> bytes:
        """``{"data":…,"id":…,"personal":…,"source":…,"time":…}`` as canonical JSON; ``personal`` may be absent."""


class _State(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """The members of a stored state, in canonical order, each as the bytes that stand there."""

    data: msgspec.Raw
    id: msgspec.Raw
    source: msgspec.Raw
    time: msgspec.Raw
    personal: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


_decode = msgspec.json.Decoder(_State).decode
_encode = msgspec.json.Encoder().encode
#: Length of a time in UTC between quotes when its microseconds are 0, which are then left out.
_WHOLE_SECOND: Final = len('"2026-08-01T08:00:00Z"')


class RecordError(Exception):
    """A stored state is not the canonical JSON the event store promises. Carries the position only."""

    def __init__(self, position: int) -> None:
        super().__init__(f"the state stored at position {position} is not canonical")
        self.position = position


def record_of(stored: StoredRecord) -> bytes:
    """The record of a stored event: one line of canonical JSON, without the newline.

    ``{"at":"…Z","id":"<stream>","state":{…},"topic":"…","v":<version>}``, with ``state.personal`` replaced by
    ``"sha256:<hex>"`` of the personal object's bytes, salt included. Raises RecordError when the stored state is not
    canonical, ValueError when its time has no zone.
    """
    state = stored.state
    try:
        parts = _decode(state)
    except (msgspec.ValidationError, msgspec.DecodeError):
        raise RecordError(stored.position) from None
    before = b'{"data":%b,"id":%b,' % (parts.data, parts.id)
    after = b'"source":%b,"time":%b}' % (parts.source, parts.time)
    if parts.personal is msgspec.UNSET:
        kept = public = before + after
    else:
        kept = b'%b"personal":%b,%b' % (before, parts.personal, after)
        public = b'%b"personal":"%b",%b' % (before, personal_digest(parts.personal).encode(), after)
    if kept != state:
        raise RecordError(stored.position)
    return b'{"at":%b,"id":%b,"state":%b,"topic":%b,"v":%d}' % (
        _time(stored.recorded_at),
        _encode(stored.stream),
        public,
        _encode(stored.topic),
        stored.version,
    )


def personal_of(stored: StoredRecord) -> tuple[str, bytes] | None:
    """The source of a stored event and the canonical bytes of its personal object, None when it has none.

    Raises RecordError when the stored state is not canonical.
    """
    try:
        parts = _decode(stored.state)
        source = msgspec.json.decode(parts.source, type=str)
    except (msgspec.ValidationError, msgspec.DecodeError):
        raise RecordError(stored.position) from None
    return None if parts.personal is msgspec.UNSET else (source, bytes(parts.personal))


def personal_digest(personal: bytes | msgspec.Raw) -> str:
    """``sha256:<hex>`` of the canonical bytes of a personal object; its salt makes it impossible to guess."""
    return f"sha256:{sha256(personal).hexdigest()}"


def entry_of(record: bytes) -> bytes:
    """The entry of a record: its SHA-256, 32 bytes, all that the public sees of it."""
    return sha256(record).digest()


def _time(instant: datetime) -> bytes:
    """RFC 3339 in UTC with six digits of a second and ``Z``, in quotes."""
    if instant.tzinfo is None:
        raise ValueError("a time needs a zone")
    text = _encode(instant if instant.tzinfo is UTC else instant.astimezone(UTC))
    return text[:-2] + b'.000000Z"' if len(text) == _WHOLE_SECOND else text
