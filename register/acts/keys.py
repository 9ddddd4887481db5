"""Keys with which authorities sign their requests: registered and revoked by the CEC; and what was signed (3.5(4)).

A keyid stands for one key for ever: what it signed must stay provable. A key that was revoked does not come back.
"""

from __future__ import annotations

import hashlib
import threading
import time
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Final

import msgspec
import psycopg

from register.access.signed import PROVISION, Signed, read_public_key
from register.acts.elections import CEC
from register.law.competence import SENDERS, Caller, may_look, role_of
from register.law.events import REGISTER, Event, RequestSigned, SenderKeyRegistered, SenderKeyRevoked
from register.law.provisions import Fault, Refusal
from register.store import ConcurrencyError, Pending, Store
from register.store.subjects import streams_of_kind

#: For so many seconds it is remembered whether an authority must sign: a change elsewhere is known after that.
REMEMBERED: Final = 2.0


class SenderKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key as its events tell it; ``public_key`` in base64, ``position`` of its last event."""

    authority: str
    keyid: str
    public_key: str
    required: bool
    registered_at: datetime
    revoked_at: datetime | None = None
    position: int


class Keys(msgspec.Struct, frozen=True):
    """All keys an authority ever had, in the order they were registered; ``version`` of its stream of keys."""

    all: tuple[SenderKey, ...] = ()
    version: int = 0

    @property
    def public(self) -> dict[str, bytes]:
        """The keys that sign today: keyid to public key."""
        return {key.keyid: b64decode(key.public_key) for key in self.all if key.revoked_at is None}

    @property
    def required(self) -> bool:
        """Whether the authority's requests must be signed."""
        return any(key.required and key.revoked_at is None for key in self.all)

    def find(self, keyid: str) -> SenderKey | None:
        """The key of this name, revoked or not."""
        return next((key for key in self.all if key.keyid == keyid), None)


def load(store: Store, authority: str) -> Keys:
    """The keys of an authority."""
    stream = store.stream_of(f"sender-keys:{authority}")
    return Keys() if stream is None else fold(store.stream(stream))


def load_all(connection: psycopg.Connection[Any], store: Store) -> list[SenderKey]:
    """Every key ever registered, by authority."""
    found = store.streams(streams_of_kind(connection, "sender-keys")).values()
    return [key for events in found for key in fold(events).all]


def fold(events: Iterable[Event]) -> Keys:
    """The keys of one authority by the events of its stream of keys, in order."""
    keys: dict[str, SenderKey] = {}
    version = 0
    for event in events:
        match event.data:
            case SenderKeyRegistered() as data:
                keys[data.keyid] = SenderKey(
                    authority=data.authority,
                    keyid=data.keyid,
                    public_key=data.public_key,
                    required=data.required,
                    registered_at=event.recorded_at,
                    position=event.position,
                )
            case SenderKeyRevoked() as data if data.keyid in keys:
                keys[data.keyid] = msgspec.structs.replace(
                    keys[data.keyid], revoked_at=event.recorded_at, position=event.position
                )
            case _:
                pass
        version = event.version
    return Keys(tuple(keys.values()), version)


def register(
    store: Store,
    authority: str,
    keyid: str,
    public_key: str,
    caller: Caller,
    *,
    required: bool,
    now: datetime,
    salt: str,
) -> tuple[SenderKey, bool]:
    """The CEC registers an authority's key; the key, and whether that is new.

    Raises Refusal: ``not-competent``; ``schema`` for what is no sender or no key; ``id-conflict`` for a keyid that
    stands for another key, or for one that was revoked.
    """
    may_look(caller, "sender-keys")
    _check(authority, public_key)
    keys = load(store, authority)
    earlier = keys.find(keyid)
    if earlier is not None:
        if (earlier.public_key, earlier.required, earlier.revoked_at) != (public_key, required, None):
            raise _conflict("This keyid stands for another key, or one that was revoked: a new key has a new keyid")
        return earlier, False
    data = SenderKeyRegistered(
        authority=authority, keyid=keyid, public_key=public_key, required=required, registered_by=caller.sub
    )
    _append(store, f"sender-key:{authority}:{keyid}", data, keys.version, now, salt)
    return _one(store, authority, keyid), True


def revoke(
    store: Store, authority: str, keyid: str, reason: str, caller: Caller, *, now: datetime, salt: str
) -> tuple[SenderKey, bool]:
    """The CEC revokes a key: from here on it signs nothing. The key, and whether that is new.

    Raises Refusal: ``not-competent``. Raises ``LookupError`` for a key that was never registered.
    """
    may_look(caller, "sender-keys")
    keys = load(store, authority)
    earlier = keys.find(keyid)
    if earlier is None:
        raise LookupError(keyid)
    if earlier.revoked_at is not None:
        return earlier, False
    data = SenderKeyRevoked(authority=authority, keyid=keyid, reason=reason, revoked_by=caller.sub)
    _append(store, f"sender-key-revoked:{authority}:{keyid}", data, keys.version, now, salt)
    return _one(store, authority, keyid), True


def request_signed(signed: Signed, authority: str, span: Span, *, now: datetime, salt: str) -> Pending | None:
    """That an authority signed a request, to be put on record; None when nothing was recorded from it.

    The same request again, with the same outcome, is the same event: one sent twice is noted once.
    """
    if span.first is None or span.last is None:
        return None
    signature = b64encode(signed.signature).decode()
    outcome = f"{signature} {span.notices} {span.first} {span.last}"
    data = RequestSigned(
        authority=authority,
        keyid=signed.keyid or "",
        signature_base=signed.base,
        signature=signature,
        notices=span.notices,
        first=span.first,
        last=span.last,
    )
    act = f"request-signed:{hashlib.sha256(outcome.encode()).hexdigest()}"
    return Pending(source=REGISTER, id=act, time=now, data=data, salt=salt)


class Span(msgspec.Struct):
    """How many notices of a request are on record, and the least and the greatest of their positions."""

    notices: int = 0
    first: int | None = None
    last: int | None = None

    def add(self, positions: Iterable[int | None]) -> None:
        """Count those that have a position."""
        for position in positions:
            if position is not None:
                self.notices += 1
                self.first = position if self.first is None else min(self.first, position)
                self.last = position if self.last is None else max(self.last, position)


class KeyRing:
    """The keys of authorities for the door of notices: read anew for what is signed, remembered for what is not."""

    def __init__(self, store: Store, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._required: dict[str, tuple[float, bool]] = {}

    def public(self, authority: str) -> Mapping[str, bytes]:
        """The keys that an authority signs with now: keyid to public key."""
        return self._load(authority).public

    def remembered(self, authority: str) -> bool | None:
        """Whether an authority's requests must be signed, without any waiting; None when it must be looked up."""
        known = self._required.get(authority)
        return None if known is None or self._monotonic() - known[0] >= REMEMBERED else known[1]

    def required(self, authority: str) -> bool:
        """Whether an authority's requests must be signed."""
        known = self.remembered(authority)
        return self._load(authority).required if known is None else known

    def forget(self, authority: str) -> None:
        """Look an authority's keys up again: one was registered or revoked."""
        with self._lock:
            self._required.pop(authority, None)

    def _load(self, authority: str) -> Keys:
        begun = self._monotonic()
        keys = load(self._store, authority)
        with self._lock:
            self._required[authority] = (begun, keys.required)
        return keys


def _check(authority: str, public_key: str) -> None:
    try:
        role = role_of(authority)
    except Refusal:
        role = None
    if role not in SENDERS:
        detail = "Keys are registered for authorities that send notices"
        raise Refusal("schema", detail, provision=PROVISION, faults=(Fault("/authority", detail),))
    try:
        read_public_key(public_key)
    except ValueError:
        detail = "A key is the base64 of the 32 bytes of an Ed25519 public key (and none of small order)"
        raise Refusal("schema", detail, provision=PROVISION, faults=(Fault("/public_key", detail),)) from None


def _conflict(detail: str) -> Refusal:
    return Refusal("id-conflict", detail, provision=PROVISION, faults=(Fault("/keyid", detail),))


def _one(store: Store, authority: str, keyid: str) -> SenderKey:
    found = load(store, authority).find(keyid)
    if found is None:
        raise LookupError(keyid)
    return found


def _append(
    store: Store, act: str, data: SenderKeyRegistered | SenderKeyRevoked, version: int, now: datetime, salt: str
) -> None:
    pending = Pending(source=CEC, id=act, time=now, data=data, salt=salt, expected_version=version)
    try:
        (receipt,) = store.append([pending], now=now)
    except ConcurrencyError as error:
        raise _conflict("Somebody else is at the keys of this authority: look again") from error
    if receipt.refusal is not None:  # somebody else's act came first, under the same id
        raise _conflict("Somebody else was at this key a moment ago: look again")
