"""The intake journal: every refused notice as it came, with the reasons. Nothing sent is lost without trace."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

import msgspec
import sqlalchemy as sa

from register.intake.failures import Failure
from register.intake.tables import REFUSED
from register.law.calendar import civil_day
from register.law.events import NOTICE_BY_TYPE
from register.law.provisions import Fault, Refusal


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """A refused notice. ``authority`` is whose token it came with; ``line`` are its bytes, personal data included.

    ``after_position`` is the last event recorded when it was written down, ``id`` counts refusals.
    """

    received_at: datetime
    authority: str
    sub: str
    notice_id: str | None
    instance: UUID
    refusal: Refusal | Failure
    line: bytes
    id: int = 0
    after_position: int = 0


class Place(NamedTuple):
    """A place in the one order of events and refusals: after the event at ``position``, at that refusal (0: none)."""

    position: int
    refusal: int = 0


class Journal:
    """The journal in the database. Append-only: the application may look and add, nothing else."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def file(self, refused: Sequence[Refused]) -> None:
        """Keep refused notices; returns after the commit. Database errors pass through: then nothing was kept."""
        if not refused:
            return
        rows = [
            {
                "received_at": entry.received_at,
                "authority": entry.authority,
                "sub": entry.sub,
                "notice_id": entry.notice_id,
                "instance": entry.instance,
                "problem": entry.refusal.kind,
                "detail": entry.refusal.detail,
                "provision": entry.refusal.provision,
                "faults": msgspec.to_builtins(entry.refusal.faults),
                "line": entry.line,
                **_said(entry),
            }
            for entry in refused
        ]
        with self._engine.begin() as connection:
            after = connection.scalar(sa.select(sa.func.intake.begin_refusal()))
            connection.execute(sa.insert(REFUSED), [row | {"after_position": after} for row in rows])

    def page(self, *, authority: str | None, after: int = 0, limit: int = 100) -> list[Refused]:
        """Return refused notices in the order they came, after an entry's id; of one authority, or of all (None)."""
        query = sa.select(REFUSED).where(REFUSED.c.id > after).order_by(REFUSED.c.id).limit(limit)
        if authority is not None:
            query = query.where(REFUSED.c.authority == authority)
        with self._engine.connect() as connection:
            return [_entry(row) for row in connection.execute(query)]

    def settled(self) -> Place:
        """Return a place behind which nothing will be written down any more; waits for refusals under way.

        It is the head of the event store and the last refusal's id, both of one instant.
        """
        with self._engine.begin() as connection:
            row = connection.execute(sa.text("SELECT head, refusal FROM intake.settled()")).one()
        return Place(row.head, row.refusal)

    def between(self, authority: str, after: Place, upto: Place, limit: int) -> list[Refused]:
        """Return an authority's refused notices with a place after ``after`` and up to ``upto``, in order."""
        place = sa.tuple_(REFUSED.c.after_position, REFUSED.c.id)
        query = (
            sa.select(REFUSED)
            .where(
                REFUSED.c.authority == authority,
                place > sa.tuple_(*after),
                REFUSED.c.after_position <= upto.position,
                REFUSED.c.id <= upto.refusal,
            )
            .order_by(REFUSED.c.after_position, REFUSED.c.id)
            .limit(limit)
        )
        with self._engine.connect() as connection:
            return [_entry(row) for row in connection.execute(query)]

    def find(self, authority: str, notice_id: str) -> Refused | None:
        """Return the last notice that an authority sent under an id and that was refused."""
        query = (
            sa.select(REFUSED)
            .where(REFUSED.c.authority == authority, REFUSED.c.notice_id == notice_id)
            .order_by(REFUSED.c.id.desc())
            .limit(1)
        )
        with self._engine.connect() as connection:
            row = connection.execute(query).first()
        return None if row is None else _entry(row)


class _Beginning(msgspec.Struct):
    type: Any = None
    time: Any = None


_beginning: Final = msgspec.json.Decoder(_Beginning)


def _said(entry: Refused) -> dict[str, str | date | None]:
    """What a refused notice says of its type and of the day it was sent on: its sender's control total counts it."""
    unsaid: dict[str, str | date | None] = {"notice_type": None, "sent_on": None}
    if entry.notice_id is None:
        return unsaid
    try:
        said = _beginning.decode(entry.line)
        sent_on = civil_day(msgspec.convert(said.time, datetime))
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError, OverflowError, RecursionError):
        return unsaid
    named = isinstance(said.type, str) and said.type in NOTICE_BY_TYPE
    return {"notice_type": said.type, "sent_on": sent_on} if named else unsaid


def _entry(row: sa.Row[tuple[object, ...]]) -> Refused:
    refusal: Refusal | Failure
    if row.problem == Failure().kind:
        refusal = Failure()
    else:
        faults = msgspec.convert(row.faults, tuple[Fault, ...])
        refusal = Refusal(row.problem, row.detail, provision=row.provision, faults=faults)
    return Refused(
        id=row.id,
        after_position=row.after_position,
        received_at=row.received_at,
        authority=row.authority,
        sub=row.sub,
        notice_id=row.notice_id,
        instance=row.instance,
        refusal=refusal,
        line=row.line,
    )
