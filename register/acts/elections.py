"""Calling an election (Art. 1.14) and concluding its roll (Art. 3.6 e)."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any, Final

import msgspec
import psycopg

from register.law.calendar import calendar_of, check_call, check_conclusion, check_runoff, civil_day
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
    _check_municipalities(called, municipalities)
    earlier = load(store, called.election)
    if earlier is None:
        check_call(called, civil_day(now))
    return _append_call(store, called, now, salt, known=earlier is not None)


def call_runoff(
    store: Store,
    of: str,
    asked: ElectionCalled,
    caller: Caller,
    municipalities: Collection[str],
    *,
    now: datetime,
    salt: str,
) -> tuple[ElectionCalled, Receipt]:
    """The CEC calls a run-off of a concluded election; the same call again is ``repeated``. What it is called as.

    Of ``asked``, id, day, day of the call and municipalities count (none: those of the first round); the rest is the
    first round's. Raises Refusal as :func:`call` does, and ``calendar`` (Art. 3.6 e) when the first round is not
    concluded; ``LookupError`` when it was never called.
    """
    may_look(caller, "election-call")
    first = load(store, of)
    if first is None:
        raise LookupError(of)
    if first.conclusion is None:
        raise Refusal("calendar", "The roll of the first round is not concluded", provision="Art. 3.6 e")
    calendar = calendar_of(first.called)
    called = msgspec.structs.replace(
        asked,
        kind=first.called.kind,
        early=first.called.early,
        options_until=calendar.options_until,
        municipalities=asked.municipalities or first.called.municipalities,
        runoff_of=of,
        judged_on=calendar.conclusion_day,
    )
    _check_municipalities(called, municipalities)
    earlier = load(store, called.election)
    if earlier is None:
        check_runoff(first.called, called, civil_day(now))
    return called, _append_call(store, called, now, salt, known=earlier is not None)


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


def _check_municipalities(called: ElectionCalled, municipalities: Collection[str]) -> None:
    faults = []
    for n, code in enumerate(called.municipalities):
        if code not in municipalities:
            faults.append(Fault(f"/municipalities/{n}", "There is no such municipality"))
        elif code in called.municipalities[:n]:  # somebody's slip: the municipality that was meant would be missing
            faults.append(Fault(f"/municipalities/{n}", "This municipality is named twice"))
    if faults:
        detail = "The call names a municipality that does not exist, or one twice"
        raise Refusal("schema", detail, provision="Art. 1.14", faults=faults)


def _append_call(store: Store, called: ElectionCalled, now: datetime, salt: str, *, known: bool) -> Receipt:
    act = f"election-called:{called.election}"
    try:
        return _append(store, act, called, now, salt, None if known else 0)
    except ConcurrencyError:  # another call came first: under its id this one is a repeat or a conflict
        return _append(store, act, called, now, salt, None)


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
