"""The intake journal: every refused notice as it came, with the reasons. Nothing sent is lost without trace."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec
import sqlalchemy as sa

from register.intake.failures import Failure
from register.intake.tables import REFUSED
from register.law.provisions import Fault, Refusal


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """A refused notice. ``authority`` is whose token it came with; ``line`` are its bytes, personal data included."""

    received_at: datetime
    authority: str
    sub: str
    notice_id: str | None
    instance: UUID
    refusal: Refusal | Failure
    line: bytes
    id: int = 0


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
            }
            for entry in refused
        ]
        with self._engine.begin() as connection:
            connection.execute(sa.insert(REFUSED), rows)

    def page(self, *, authority: str | None, after: int = 0, limit: int = 100) -> list[Refused]:
        """Return refused notices in the order they came, after an entry's id; of one authority, or of all (None)."""
        query = sa.select(REFUSED).where(REFUSED.c.id > after).order_by(REFUSED.c.id).limit(limit)
        if authority is not None:
            query = query.where(REFUSED.c.authority == authority)
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


def _entry(row: sa.Row[tuple[object, ...]]) -> Refused:
    refusal: Refusal | Failure
    if row.problem == Failure().kind:
        refusal = Failure()
    else:
        faults = msgspec.convert(row.faults, tuple[Fault, ...])
        refusal = Refusal(row.problem, row.detail, provision=row.provision, faults=faults)
    return Refused(
        id=row.id,
        received_at=row.received_at,
        authority=row.authority,
        sub=row.sub,
        notice_id=row.notice_id,
        instance=row.instance,
        refusal=refusal,
        line=row.line,
    )
