"""Certifying political entities (Art. 2.9(1)5), and giving them numbered copies of excerpts (Art. 3.1).

All that is decided about one entity in one election is decided one after the other, under an advisory lock, so that
what a decision rests on still holds when it is recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final, Literal

import msgspec
import psycopg

from register.acts import elections
from register.acts.elections import CEC
from register.law.competence import Caller, may_look
from register.law.events import (
    CertificationWithdrawn,
    CopyGranted,
    CopyWithdrawn,
    PoliticalEntityCertified,
)
from register.law.parties import Certification, Copy, certification_of, check_request, check_units, copy_of
from register.law.provisions import Fault, Refusal
from register.store import ConcurrencyError, Pending, Store
from register.store.subjects import streams_of_kind

#: What an entity's authority id begins with.
AUTHORITY: Final = "political-entity:"
#: What copies are given as: each holds the codes of the rows, and nothing that is the commissions' own.
FORMATS: Final = ("csv", "json", "parquet", "pdf", "xlsx")
_CERTIFIED: Final = "Art. 2.9(1)5"
_GIVEN: Final = "Art. 3.1"
#: Numbers have six digits; so often another is drawn when one is taken.
_FIRST, _NUMBERS, _TRIES = 100_000, 900_000, 50


class _GoneOnError(Exception):
    """Something else was recorded in the stream meanwhile."""


class Wish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an entity asks for (contract: section 3, ``excerpt-requests``)."""

    unit: str
    formats: tuple[str, ...] = ("csv",)
    script: Literal["latin", "cyrillic"] = "latin"


def certification(store: Store, election: str, entity: str) -> Certification | None:
    """Where an entity is certified, or None when it never was."""
    stream = store.stream_of(f"political-entity:{election}:{entity}")
    return None if stream is None else certification_of(store.stream(stream))


def certifications(connection: psycopg.Connection[Any], store: Store, election: str) -> list[Certification]:
    """All entities ever certified for an election, by id."""
    found = store.streams(streams_of_kind(connection, f"political-entity:{election}")).values()
    states = (certification_of(events) for events in found)
    return sorted((state for state in states if state is not None), key=lambda state: state.entity)


def certify(
    connection: psycopg.Connection[Any],
    store: Store,
    wanted: PoliticalEntityCertified,
    caller: Caller,
    known: Collection[str],
    *,
    now: datetime,
    salt: str,
) -> tuple[Certification, bool]:
    """The CEC certifies an entity for units; the certification, and whether anything is new about it.

    ``known``: every unit there is (``law.parties.units_of``). Raises Refusal: ``not-competent``, ``schema`` for units
    that do not exist, ``id-conflict`` when the id stands for an entity of another name; ``LookupError`` for an
    election that was never called.
    """
    may_look(caller, "political-entities")
    check_units(wanted.units, known)
    _called(store, wanted.election)
    with _one_at_a_time(connection, wanted.election, wanted.entity):
        state = certification(store, wanted.election, wanted.entity)
        if state is not None and state.name != wanted.name:
            sentence = "Another political entity is certified under this id"
            raise Refusal("id-conflict", sentence, provision=_CERTIFIED, faults=(Fault("/id", sentence),))
        if state is not None and state.units >= set(wanted.units):
            return state, False
        _append(store, _id("political-entity-certified", state, wanted), CEC, wanted, _version(state), now, salt)
        return _certified(store, wanted.election, wanted.entity), True


def withdraw_certification(
    connection: psycopg.Connection[Any],
    store: Store,
    wanted: CertificationWithdrawn,
    caller: Caller,
    *,
    now: datetime,
    salt: str,
) -> tuple[Certification, bool]:
    """The CEC withdraws a certification for units (none named: for all); what is left, and whether that is new.

    Raises Refusal ``not-competent``; ``LookupError`` for an entity that was never certified.
    """
    may_look(caller, "political-entities")
    with _one_at_a_time(connection, wanted.election, wanted.entity):
        state = _certified(store, wanted.election, wanted.entity)
        units = state.units & set(wanted.units) if wanted.units else state.units
        if not units:
            return state, False
        data = msgspec.structs.replace(wanted, units=tuple(sorted(units)))
        _append(store, _id("certification-withdrawn", state, data), CEC, data, state.version, now, salt)
        return _certified(store, wanted.election, wanted.entity), True


def copy(store: Store, election: str, number: int) -> Copy | None:
    """The copy of this number, or None."""
    stream = store.stream_of(f"copy:{election}:{number}")
    return None if stream is None else copy_of(store.stream(stream))


def copies(connection: psycopg.Connection[Any], store: Store, election: str) -> list[Copy]:
    """Every copy of an election, in the order of their grants."""
    found = store.streams(streams_of_kind(connection, f"copy:{election}")).values()
    return sorted((c for events in found if (c := copy_of(events)) is not None), key=lambda c: c.position)


def grant(
    connection: psycopg.Connection[Any],
    store: Store,
    election: str,
    wish: Wish,
    caller: Caller,
    *,
    format_version: int,
    now: datetime,
    entropy: Callable[[int], bytes],
    salt: str,
) -> tuple[Copy, bool]:
    """Decide on an entity's request: the copy it is given, and whether that is new (Art. 3.1).

    Who asks for the same again, while that copy is not withdrawn, is given the same copy. Raises Refusal:
    ``not-competent`` for anybody but an entity certified for the unit; ``schema`` for formats that are not given;
    ``calendar`` before the conclusion. Raises ``LookupError`` for an election that was never called.
    """
    may_look(caller, "excerpt-requests")
    entity = entity_of(caller)
    formats = _formats(wish)
    called = _called(store, election)
    with _one_at_a_time(connection, election, entity):
        allowed = check_request(certification(store, election, entity), wish.unit)
        if called.conclusion is None:
            sentence = "Excerpts are drawn from the concluded roll; this election's roll is not concluded"
            raise Refusal("calendar", sentence, provision="Art. 3.6 e")
        for earlier in copies(connection, store, election):
            data = earlier.granted
            terms = (data.entity, data.unit, data.formats, data.script, data.format_version)
            same = terms == (entity, wish.unit, formats, wish.script, format_version)
            if same and earlier.withdrawn is None:
                return earlier, False
        number = _record(
            store,
            CopyGranted(
                election=election,
                copy=_FIRST,
                conclusion=called.conclusion,
                format_version=format_version,
                provision=_GIVEN,
                entity=entity,
                recipient=allowed.name,
                unit=wish.unit,
                formats=formats,
                script=wish.script,
                secret=entropy(32).hex(),
                requested_by=caller.sub,
            ),
            now,
            salt,
            entropy,
        )
        return _copy(store, election, number), True


def own_copy(store: Store, election: str, number: int, caller: Caller) -> Copy:
    """The copy of this number, if it is the caller's. Raises ``LookupError`` for another's as for one unknown."""
    may_look(caller, "excerpt-requests")
    found = copy(store, election, number)
    if found is None or found.granted.entity != entity_of(caller):
        raise LookupError(number)
    return found


def check_taking(store: Store, taken: Copy) -> None:
    """Accept that an entity takes its copy.

    Raises ``Refusal("not-competent")`` for one withdrawn, and for one of a unit it is no longer certified for.
    """
    if taken.withdrawn is not None:
        raise Refusal("not-competent", "This copy was withdrawn", provision=_GIVEN)
    data = taken.granted
    check_request(certification(store, data.election, data.entity), data.unit)


def withdraw_copy(
    store: Store, election: str, number: int, reason: str, caller: Caller, *, now: datetime, salt: str
) -> tuple[Copy, bool]:
    """The CEC withdraws a copy; the copy, and whether that is new.

    Raises Refusal: ``not-competent``; ``conflict`` when it was withdrawn before for another reason. Raises
    ``LookupError`` for a number that no copy has.
    """
    may_look(caller, "political-entities")
    for _ in range(_TRIES):
        found = _copy(store, election, number)
        if found.withdrawn is not None:
            if found.withdrawn.reason != reason:
                raise Refusal("conflict", "This copy was withdrawn before, for another reason", provision=_GIVEN)
            return found, False
        data = CopyWithdrawn(
            election=election, copy=number, granted=found.position, reason=reason, withdrawn_by=caller.sub
        )
        try:
            _append(store, f"excerpt-copy-withdrawn:{election}:{number}", CEC, data, found.version, now, salt)
        except _GoneOnError:  # it was drawn meanwhile, or withdrawn by somebody else
            continue
        return _copy(store, election, number), True
    raise _crowded()


def entity_of(caller: Caller) -> str:
    """The id of the entity a caller speaks for. Raises ``Refusal("not-competent")`` when it is none."""
    authority = caller.authority or ""
    if not authority.startswith(AUTHORITY):
        raise Refusal("not-competent", "Excerpts are requested by certified political entities", provision=_GIVEN)
    return authority.removeprefix(AUTHORITY)


def _record(store: Store, data: CopyGranted, now: datetime, salt: str, entropy: Callable[[int], bytes]) -> int:
    """Put a grant on record under a number that no copy of the election has; which."""
    for _ in range(_TRIES):
        number = _FIRST + int.from_bytes(entropy(8)) % _NUMBERS
        numbered = msgspec.structs.replace(data, copy=number)
        try:
            _append(store, f"excerpt-copy-granted:{data.election}:{number}", CEC, numbered, 0, now, salt)
        except _GoneOnError:  # another copy has this number
            continue
        return number
    raise _crowded()


def _append(store: Store, id_: str, source: str, data: Any, expected: int, now: datetime, salt: str) -> None:
    """Append one act. Raises :class:`_GoneOnError` when the stream has gone on meanwhile."""
    pending = Pending(source=source, id=id_, time=now, data=data, salt=salt, expected_version=expected)
    try:
        (receipt,) = store.append([pending], now=now)
    except ConcurrencyError as error:
        raise _GoneOnError from error
    if receipt.status != "recorded":
        raise _GoneOnError


@contextmanager
def _one_at_a_time(connection: psycopg.Connection[Any], election: str, entity: str) -> Iterator[None]:
    with connection.transaction():
        lock = "SELECT pg_advisory_xact_lock(hashtextextended('political-entity:' || %s || ':' || %s, 0))"
        connection.execute(lock, (election, entity))
        yield


def _id(act: str, state: Certification | None, data: PoliticalEntityCertified | CertificationWithdrawn) -> str:
    return f"{act}:{data.election}:{data.entity}:{_version(state) + 1}"


def _version(state: Certification | None) -> int:
    return 0 if state is None else state.version


def _called(store: Store, election: str) -> elections.Election:
    found = elections.load(store, election)
    if found is None:
        raise LookupError(election)
    return found


def _certified(store: Store, election: str, entity: str) -> Certification:
    found = certification(store, election, entity)
    if found is None:
        raise LookupError(entity)
    return found


def _copy(store: Store, election: str, number: int) -> Copy:
    found = copy(store, election, number)
    if found is None:
        raise LookupError(number)
    return found


def _formats(wish: Wish) -> tuple[str, ...]:
    formats = tuple(each for each in FORMATS if each in wish.formats)
    if not formats or len(formats) != len(set(wish.formats)):
        sentence = f"Copies are given as: {', '.join(FORMATS)}"
        raise Refusal("schema", sentence, provision=_GIVEN, faults=(Fault("/formats", sentence),))
    return formats


def _crowded() -> Refusal:
    return Refusal("conflict", "Others are at the copies of this election: ask again", provision=_GIVEN)
