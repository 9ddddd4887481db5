"""What people do about deficiencies: inform, take note, dismiss (Art. 3.6 a); and what the register notes by itself.

A refusal is a ``conflict``: it is the deficiency's own history that does not allow the step, not the calendar.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

from register.acts.elections import CEC
from register.law.competence import Caller, Purpose, may_look
from register.law.deficiencies.history import (
    Deficiency,
    check_acknowledgement,
    check_dismissal,
    check_notification,
    fold,
)
from register.law.deficiencies.kinds import Finding
from register.law.events import (
    REGISTER,
    SOURCE_PREFIX,
    DeficiencyAcknowledged,
    DeficiencyDismissed,
    DeficiencyEstablished,
    DeficiencyNotified,
    DeficiencyRemedied,
)
from register.law.provisions import Refusal
from register.store import ConcurrencyError, Pending, Receipt, Store

PROVISION: Final = "Art. 3.6 a"


def load(store: Store, deficiency: UUID) -> Deficiency | None:
    """The deficiency of this id, or None when there is none."""
    return fold(store.stream(deficiency))


def notify(store: Store, deficiency: UUID, caller: Caller, *, now: datetime, salt: str) -> Receipt:
    """The CEC informs the authority concerned; the same person again is ``repeated``.

    Raises Refusal: ``not-competent``; ``conflict`` when another person did, or it was remedied or dismissed. Raises
    ``LookupError`` for an unknown one.
    """
    state = _within(store, deficiency, caller, "deficiency-notification")
    if state.notified is not None and state.notified_by == caller.sub:
        return Receipt(status="repeated", position=state.notified, recorded_at=state.notified_at)
    check_notification(state)
    act = DeficiencyNotified(
        kind=state.kind,
        key=state.key,
        authority=state.authority,
        established=state.established,
        notified_by=caller.sub,
    )
    return _append(store, state, act, CEC, now, salt)


def acknowledge(store: Store, deficiency: UUID, caller: Caller, *, now: datetime, salt: str) -> Receipt:
    """The authority concerned takes note, informed or not; the same person again is ``repeated``.

    Raises Refusal and ``LookupError`` as :func:`notify`; to another authority the deficiency is unknown.
    """
    state = _within(store, deficiency, caller, "deficiency-acknowledgement")
    if state.acknowledged is not None and state.acknowledged_by == caller.sub:
        return Receipt(status="repeated", position=state.acknowledged, recorded_at=state.acknowledged_at)
    check_acknowledgement(state)
    act = DeficiencyAcknowledged(
        kind=state.kind,
        key=state.key,
        authority=state.authority,
        established=state.established,
        acknowledged_by=caller.sub,
    )
    return _append(store, state, act, SOURCE_PREFIX + state.authority, now, salt)


def dismiss(store: Store, deficiency: UUID, caller: Caller, reason: str, *, now: datetime, salt: str) -> Receipt:
    """The CEC finds it to be none; the same person with the same reason again is ``repeated``.

    Raises Refusal and ``LookupError`` as :func:`notify`.
    """
    state = _within(store, deficiency, caller, "deficiency-dismissal")
    if state.dismissed is not None and (state.dismissed_by, state.reason) == (caller.sub, reason):
        return Receipt(status="repeated", position=state.dismissed, recorded_at=state.dismissed_at)
    check_dismissal(state)
    act = DeficiencyDismissed(
        kind=state.kind,
        key=state.key,
        authority=state.authority,
        established=state.established,
        reason=reason,
        dismissed_by=caller.sub,
    )
    return _append(store, state, act, CEC, now, salt)


def to_establish(finding: Finding, state: Deficiency | None, *, number: UUID, now: datetime, salt: str) -> Pending:
    """The event that establishes a finding. ``number`` is random: what is in its id is public, what it is about not.

    It is refused by the store when the history went on meanwhile.
    """
    data = DeficiencyEstablished(
        kind=finding.kind,
        key=finding.key,
        authority=finding.authority,
        municipality=finding.municipality,
        evidence=finding.evidence,
        persons=tuple(map(str, finding.persons)),
        figures=finding.figures,
    )
    return Pending(
        source=REGISTER,
        id=f"deficiency-established:{number}",
        time=now,
        data=data,
        salt=salt,
        expected_version=0 if state is None else state.version,
    )


def to_remedy(state: Deficiency, *, position: int, number: UUID, now: datetime, salt: str) -> Pending:
    """The event that says that later events, up to ``position``, removed the cause; ``number`` is random.

    It is refused by the store as :func:`to_establish` is: an id made from the history would make of a second look, from
    another position, other content under a known id.
    """
    data = DeficiencyRemedied(
        kind=state.kind, key=state.key, authority=state.authority, established=state.established, position=position
    )
    return Pending(
        source=REGISTER,
        id=f"deficiency-remedied:{number}",
        time=now,
        data=data,
        salt=salt,
        expected_version=state.version,
    )


def _within(store: Store, deficiency: UUID, caller: Caller, purpose: Purpose) -> Deficiency:
    """The deficiency, if the caller's mandate reaches it. Raises ``LookupError`` for another's as for an unknown."""
    scope = may_look(caller, purpose)
    state = load(store, deficiency)
    if state is None or not scope.owns(state.authority):
        raise LookupError(str(deficiency))
    return state


def _append(
    store: Store,
    state: Deficiency,
    data: DeficiencyNotified | DeficiencyAcknowledged | DeficiencyDismissed,
    source: str,
    now: datetime,
    salt: str,
) -> Receipt:
    step = data.TOPIC.removeprefix("ba.cvr.").removesuffix(".v1")
    pending = Pending(
        source=source,
        id=f"{step}:{state.id}:{state.version + 1}",
        time=now,
        data=data,
        salt=salt,
        expected_version=state.version,
    )
    try:
        (receipt,) = store.append([pending], now=now)
    except ConcurrencyError as error:
        raise _meanwhile() from error
    if receipt.refusal is not None:  # somebody else's step came first, under the same id
        raise _meanwhile()
    return receipt


def _meanwhile() -> Refusal:
    return Refusal("conflict", "Something else became of this deficiency meanwhile: look again", provision=PROVISION)
