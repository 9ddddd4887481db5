"""What the CEC and its technicians note of how notices come: papers received, first loads declared (Art. 3.5(5))."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Final, NamedTuple

import msgspec

from register.acts.elections import CEC
from register.law.calendar import civil_day
from register.law.competence import SENDERS, Caller, may_look, role_of
from register.law.events import SOURCE_PREFIX, Event, FirstLoadDeclared, WrittenNoticeReceived
from register.law.parameters import in_force
from register.law.provisions import Fault, ProblemKind, Refusal
from register.law.timeliness import effective_day
from register.projection.punctuality import PAPERS, paper_id
from register.store import Pending, Receipt, Store

PROVISION: Final = "Art. 3.5(5)"
#: A first load may be declared so far ahead.
LOAD_AHEAD: Final = timedelta(days=366)
#: Two papers or declarations at once: look again, so often.
_TRIES: Final = 3


class Paper(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """That the paper of a notice (``source``, ``id``) arrived on a day (contract: section 3)."""

    source: str
    id: str
    received_on: date


class _Known(NamedTuple):
    """What is on record of papers told of: the notices by (source, id), their papers by id."""

    notices: Mapping[tuple[str, str], Event]
    papers: Mapping[str, Event]


def receive_papers(
    store: Store, told: Sequence[Paper], caller: Caller, *, now: datetime, salt: Callable[[], str]
) -> list[Receipt]:
    """Note that papers arrived; one receipt each, in order. The same paper with the same day again is ``repeated``.

    A refusal is in its receipt: ``schema`` for a notice not on record or without a paper, ``date`` for a day to come or
    long before the change, ``id-conflict`` for another day than told before. Raises Refusal ``not-competent``.
    """
    may_look(caller, "written-notices")
    receipts: dict[int, Receipt] = {}
    for _ in range(_TRIES):
        open_ = [n for n in range(len(told)) if n not in receipts]
        if not open_:
            break
        known = _known(store, [told[n] for n in open_])
        pending: dict[int, Pending] = {}
        days: dict[str, date] = {}
        for n in open_:
            try:
                judged = _judge(told[n], known, days, caller, now, salt)
            except Refusal as refusal:
                judged = Receipt(status="refused", refusal=refusal)
            if isinstance(judged, Receipt):
                receipts[n] = judged
            else:
                pending[n] = judged
        found = store.append(list(pending.values()), now=now)
        # Refused here is only what somebody else told of meanwhile: it is looked at again.
        receipts |= {n: receipt for n, receipt in zip(pending, found, strict=True) if receipt.refusal is None}
    others = _refusal("id-conflict", "Others are telling of this paper: look again", "/id")
    return [receipts.get(n) or Receipt(status="refused", refusal=others) for n in range(len(told))]


def declare_first_load(
    store: Store, authority: str, until: date, caller: Caller, *, now: datetime, salt: Callable[[], str]
) -> Receipt:
    """The CEC declares a first load: what the authority sends to the end of ``until`` is not measured.

    A later declaration takes the place of an earlier one; the one in force again is ``repeated``. Raises Refusal:
    ``not-competent``, ``schema`` for what is no sending authority, ``date`` for a day more than a year ahead.
    """
    may_look(caller, "first-loads")
    _check_authority(authority)
    if until > civil_day(now) + LOAD_AHEAD:
        raise _refusal("date", "A first load is declared for at most a year ahead", "/until")
    for _ in range(_TRIES):
        last, number = _last_declared(store, authority)
        if last is not None and isinstance(last.data, FirstLoadDeclared) and last.data.until == until:
            return Receipt(status="repeated", position=last.position, recorded_at=last.recorded_at)
        declared = FirstLoadDeclared(authority=authority, until=until, declared_by=caller.sub)
        act = _load_id(authority, number + 1)
        (receipt,) = store.append([Pending(source=CEC, id=act, time=now, data=declared, salt=salt())], now=now)
        if receipt.refusal is None:
            return receipt
    raise _refusal("id-conflict", "Others are declaring first loads of this authority: look again", "/authority")


def _known(store: Store, told: Sequence[Paper]) -> _Known:
    notices = store.known({(paper.source, paper.id) for paper in told})
    papers = store.known({(PAPERS, _id(paper)) for paper in told})
    wanted = [found.position for found in (*notices.values(), *papers.values()) if found.position is not None]
    events = store.at(wanted)
    return _Known(
        {key: events[found.position] for key, found in notices.items() if found.position in events},
        {key[1]: events[found.position] for key, found in papers.items() if found.position in events},
    )


def _judge(
    paper: Paper, known: _Known, days: dict[str, date], caller: Caller, now: datetime, salt: Callable[[], str]
) -> Receipt | Pending:
    """What is to be recorded, or the receipt of what was recorded before. Raises Refusal.

    ``days``: of the papers about to be recorded, by id.
    """
    notice = known.notices.get((paper.source, paper.id))
    if notice is None or not paper.source.startswith(SOURCE_PREFIX):
        raise _refusal("schema", "No notice is on record under this source and id", "/id")
    effective_on = effective_day(notice.data)
    if effective_on is None:
        raise _refusal("schema", "This notice reports no change: no paper is due", "/id")
    if paper.received_on > civil_day(now):
        raise _refusal("date", "A paper cannot have arrived on a day that has not come yet", "/received_on")
    if paper.received_on < effective_on - timedelta(days=in_force(effective_on).notice_ahead_days):
        raise _refusal("date", "The paper cannot have arrived so long before the change", "/received_on")
    act = _id(paper)
    there = known.papers.get(act)
    before = there.data.received_on if there and isinstance(there.data, WrittenNoticeReceived) else None
    if (before or days.setdefault(act, paper.received_on)) != paper.received_on:
        raise _refusal("id-conflict", "This paper was told of with another day of receipt", "/received_on")
    if there is not None:
        return Receipt(status="repeated", position=there.position, recorded_at=there.recorded_at)
    data = WrittenNoticeReceived(
        authority=paper.source.removeprefix(SOURCE_PREFIX),
        notice_id=paper.id,
        notice_position=notice.position,
        received_on=paper.received_on,
        received_by=caller.sub,
    )
    return Pending(source=PAPERS, id=act, time=now, data=data, salt=salt())


def _id(paper: Paper) -> str:
    return paper_id(paper.source.removeprefix(SOURCE_PREFIX), paper.id)


def _check_authority(authority: str) -> None:
    try:
        sends = role_of(authority) in SENDERS
    except Refusal:
        sends = False
    if not sends:
        raise _refusal("schema", "This is no authority that sends notices", "/authority")


def _last_declared(store: Store, authority: str) -> tuple[Event | None, int]:
    """The declaration in force, and how many there have been."""
    last, number = None, 0
    while (found := store.find(CEC, _load_id(authority, number + 1))) is not None:
        last, number = found, number + 1
    return last, number


def _load_id(authority: str, number: int) -> str:
    return f"first-load:{authority}:{number}"


def _refusal(kind: ProblemKind, sentence: str, pointer: str) -> Refusal:
    return Refusal(kind, sentence, provision=PROVISION, faults=(Fault(pointer, sentence),))
