"""Calling an election (Art. 1.14) and concluding its roll (Art. 3.6 e)."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any, Final

import msgspec
import psycopg

from register.law.calendar import check_call, check_conclusion, civil_day
from register.law.competence import Caller, may_look
from register.law.events import ElectionCalled, ElectionConcluded, Event, RollFrozen
from register.law.provisions import Fault, Refusal
from register.store import ConcurrencyError, Pending, Receipt, Store
from register.store.subjects import streams_of_kind

#: Who the event store names as the sender of the CEC's acts.
CEC: Final = "urn:cvr:authority:cec"
#: Version of the law's functions a conclusion rests on; raised with every change of what a roll holds.
RULES: Final = "2006-04-03/1"


class Election(msgspec.Struct, frozen=True):
    """An election as its stream tells it; ``conclusion`` is the position of its conclusion, None before.

    ``roll`` tells of the frozen roll (voters, SHA-256 over its rows), None while it is not on record. ``position`` and
    ``version`` are those of the stream's last event.
    """

    called: ElectionCalled
    called_at: int
    conclusion: int | None = None
    concluded_on: datetime | None = None
    roll: RollFrozen | None = None
    position: int = 0
    version: int = 1


def load(store: Store, election: str) -> Election | None:
    """The election of this id, or None when it was never called."""
    stream = store.stream_of(f"election:{election}")
    return None if stream is None else fold(store.stream(stream))


def load_all(connection: psycopg.Connection[Any], store: Store) -> list[Election]:
    """Every election ever called, the latest election day first."""
    found = [fold(events) for events in store.streams(streams_of_kind(connection, "election")).values()]
    return sorted((e for e in found if e is not None), key=lambda e: (e.called.day, e.called_at), reverse=True)


def fold(events: Iterable[Event]) -> Election | None:
    """The state of one election by the events of its stream, in order."""
    state: Election | None = None
    for event in events:
        match event.data:
            case ElectionCalled():
                state = Election(event.data, event.position)
            case ElectionConcluded() if state is not None:
                state = msgspec.structs.replace(state, conclusion=event.position, concluded_on=event.recorded_at)
            case RollFrozen() if state is not None:
                state = msgspec.structs.replace(state, roll=event.data)
            case _:
                pass
        if state is not None:
            state = msgspec.structs.replace(state, position=event.position, version=event.version)
    return state


def call(
    store: Store, called: ElectionCalled, caller: Caller, municipalities: Collection[str], *, now: datetime, salt: str
) -> Receipt:
    """The CEC calls an election; the same call again is ``repeated``.

    Raises Refusal: ``not-competent``, ``calendar`` (Art. 1.14), ``schema`` for an unknown municipality, ``id-conflict``
    when another call stands under this id.
    """
    may_look(caller, "election-call")
    unknown = [n for n, code in enumerate(called.municipalities) if code not in municipalities]
    if unknown:
        faults = [Fault(f"/municipalities/{n}", "There is no such municipality") for n in unknown]
        detail = "The call names a municipality that does not exist"
        raise Refusal("schema", detail, provision="Art. 1.14", faults=faults)
    earlier = load(store, called.election)
    if earlier is None:
        check_call(called, civil_day(now))
    act = f"election-called:{called.election}"
    try:
        return _append(store, act, called, now, salt, 0 if earlier is None else None)
    except ConcurrencyError:  # another call came first: under its id this one is a repeat or a conflict
        return _append(store, act, called, now, salt, None)


def conclude(
    store: Store, election: str, caller: Caller, *, reference: str, now: datetime, salt: str
) -> tuple[Election, Receipt]:
    """The CEC completes and verifies the roll, which rests on the last position before this act.

    ``reference`` is the version of the reference data. Gives the election after the act. Raises Refusal:
    ``not-competent``, ``calendar`` (Art. 3.6 e) when it is not the time, or was done before. Raises ``LookupError``
    for an election that was never called.
    """
    may_look(caller, "conclusion")
    stream = store.stream_of(f"election:{election}")
    state = None if stream is None else fold(store.stream(stream))
    if stream is None or state is None:
        raise LookupError(election)
    if state.conclusion is not None:
        raise _concluded()
    check_conclusion(state.called, civil_day(now))
    act = ElectionConcluded(election=election, concluded_by=caller.sub, rules=RULES, reference=reference)
    try:
        receipt = _append(store, f"election-concluded:{election}", act, now, salt, state.version)
    except (ConcurrencyError, Refusal) as error:  # somebody else's conclusion came first, under the same id
        raise _concluded() from error
    concluded = fold(store.stream(stream))
    if concluded is None:
        raise LookupError(election)
    return concluded, receipt


def _concluded() -> Refusal:
    return Refusal("calendar", "The roll of this election has been concluded", provision="Art. 3.6 e")


def _append(
    store: Store,
    act: str,
    data: ElectionCalled | ElectionConcluded,
    now: datetime,
    salt: str,
    expected: int | None,
) -> Receipt:
    pending = Pending(source=CEC, id=act, time=now, data=data, salt=salt, expected_version=expected)
    (receipt,) = store.append([pending], now=now)
    if receipt.refusal is not None:
        raise receipt.refusal
    return receipt
