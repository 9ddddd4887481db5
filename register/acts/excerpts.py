"""Verifying and certifying a drawn excerpt: two steps by two people of the CEC (Art. 3.6 e)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

import msgspec

from register.acts.elections import CEC
from register.law.competence import Caller, may_look
from register.law.events import Event, ExcerptCertified, ExcerptDrawn, ExcerptVerified
from register.law.provisions import Refusal
from register.store import ConcurrencyError, Pending, Receipt, Store

PROVISION: Final = "Art. 3.6 e"


class Excerpt(msgspec.Struct, frozen=True):
    """A drawn excerpt as its stream tells it: the positions of its three steps, None for those not taken yet."""

    election: str
    drawn: int
    verified: int | None = None
    verified_by: str | None = None
    certified: int | None = None
    certified_by: str | None = None
    version: int = 1


def load(store: Store, excerpt: str) -> Excerpt | None:
    """The excerpt of this id, or None while it is not drawn."""
    stream = store.stream_of(f"excerpt:{excerpt}")
    return None if stream is None else fold(store.stream(stream))


def fold(events: Iterable[Event]) -> Excerpt | None:
    """The state of one excerpt by the events of its stream, in order."""
    state: Excerpt | None = None
    for event in events:
        match event.data:
            case ExcerptDrawn():
                state = Excerpt(event.data.election, event.position)
            case ExcerptVerified() if state is not None:
                state = msgspec.structs.replace(state, verified=event.position, verified_by=event.data.verified_by)
            case ExcerptCertified() if state is not None:
                state = msgspec.structs.replace(state, certified=event.position, certified_by=event.data.certified_by)
            case _:
                pass
        if state is not None:
            state = msgspec.structs.replace(state, version=event.version)
    return state


def verify(store: Store, excerpt: str, caller: Caller, *, now: datetime, salt: str) -> Receipt:
    """Somebody of the CEC verifies a drawn excerpt; the same person again is ``repeated``.

    Raises Refusal: ``not-competent``; ``calendar`` when it is not drawn, or was verified by another person.
    """
    may_look(caller, "excerpt-certification")
    state = _drawn(store, excerpt)
    if state.verified_by not in (None, caller.sub):
        raise _done("verified")
    act = ExcerptVerified(excerpt=excerpt, election=state.election, drawn=state.drawn, verified_by=caller.sub)
    return _append(store, f"excerpt-verified:{excerpt}", act, state, now, salt)


def certify(store: Store, excerpt: str, caller: Caller, *, now: datetime, salt: str) -> Receipt:
    """Another person of the CEC certifies a verified excerpt; the same person again is ``repeated``.

    Raises Refusal: ``not-competent``, also for the person who verified it; ``calendar`` when it is not verified, or
    was certified by another person.
    """
    may_look(caller, "excerpt-certification")
    state = _drawn(store, excerpt)
    if state.verified is None:
        raise Refusal("calendar", "An excerpt is certified after it was verified", provision=PROVISION)
    if state.verified_by == caller.sub:
        sentence = "An excerpt is certified by another person than the one who verified it"
        raise Refusal("not-competent", sentence, provision=PROVISION)
    if state.certified_by not in (None, caller.sub):
        raise _done("certified")
    act = ExcerptCertified(excerpt=excerpt, election=state.election, verified=state.verified, certified_by=caller.sub)
    return _append(store, f"excerpt-certified:{excerpt}", act, state, now, salt)


def _drawn(store: Store, excerpt: str) -> Excerpt:
    state = load(store, excerpt)
    if state is None:
        raise Refusal("calendar", "An excerpt is verified after it was drawn", provision=PROVISION)
    return state


def _done(step: str) -> Refusal:
    return Refusal("calendar", f"This excerpt was {step} by another person", provision=PROVISION)


def _append(
    store: Store, act: str, data: ExcerptVerified | ExcerptCertified, state: Excerpt, now: datetime, salt: str
) -> Receipt:
    pending = Pending(source=CEC, id=act, time=now, data=data, salt=salt, expected_version=state.version)
    try:
        (receipt,) = store.append([pending], now=now)
    except ConcurrencyError as error:
        raise Refusal("calendar", "Somebody else is at this excerpt: look again", provision=PROVISION) from error
    if receipt.refusal is not None:  # another person's step came first, under the same id
        raise _done("verified" if isinstance(data, ExcerptVerified) else "certified")
    return receipt
