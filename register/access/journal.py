"""The journal of looks: who looked at or took what, when, in which role (Art. 3.1, data-protection practice).

A look that cannot be journalled is not answered: :func:`journal_look` is called, and its transaction committed, before
the first byte of the answer leaves. The database lets nobody change or remove an entry (migration 0003).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from register.law.competence import Caller, Role

METADATA: Final = sa.MetaData(schema="access")

JOURNAL: Final = sa.Table(
    "journal",
    METADATA,
    sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("sub", sa.Text, nullable=False),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("authority", sa.Text),
    sa.Column("what", sa.Text, nullable=False),
    sa.Column("person", sa.Uuid),
    sa.Column("election", sa.Text),
    sa.Column("municipality", sa.Text),
    sa.Column("detail", JSONB, nullable=False),
)

_WRITE: Final = JOURNAL.insert().returning(JOURNAL.c.id)
_WHAT: Final = re.compile(r"[a-z][a-z0-9-]*")
#: Thirteen digits could be a personal number, which must not stand in the journal.
_JMB: Final = re.compile(r"(?<![0-9])[0-9]{13}(?![0-9])")

Detail = Mapping[str, str | int | bool | None]


class PersonalNumberError(ValueError):
    """A text that could hold a personal number was to stand in the journal; ``member`` names it, never its value."""

    def __init__(self, member: str) -> None:
        super().__init__("a personal number must not stand in the journal of looks")
        self.member = member


class Look(msgspec.Struct, frozen=True):
    """One entry of the journal; ``person`` is the opaque id, never a personal number."""

    id: int
    at: datetime
    sub: str
    role: Role
    authority: str | None
    what: str
    person: UUID | None
    election: str | None
    municipality: str | None
    detail: dict[str, Any]


def journal_look(
    connection: sa.Connection,
    caller: Caller,
    what: str,
    *,
    now: datetime,
    person: UUID | None = None,
    election: str | None = None,
    municipality: str | None = None,
    detail: Detail | None = None,
) -> int:
    """Write down that ``caller`` looks at ``what``, and return the entry's id; commit before answering.

    ``detail`` holds what identifies the look further (an excerpt, a copy number, a day), never personal data. Raises
    ``ValueError`` for a ``what`` that is not lower-case words with hyphens, and :class:`PersonalNumberError` for a
    text that could hold a personal number; database errors pass through, so that the look is not answered.
    """
    if not _WHAT.fullmatch(what):
        raise ValueError("what is looked at is named in lower case, with hyphens")
    for member, value in {"election": election, "municipality": municipality, **(detail or {})}.items():
        if isinstance(value, str) and _JMB.search(value):
            raise PersonalNumberError(member)
    entry = {
        "at": now,
        "sub": caller.sub,
        "role": caller.role,
        "authority": caller.authority,
        "what": what,
        "person": person,
        "election": election,
        "municipality": municipality,
        "detail": dict(detail or {}),
    }
    return int(connection.execute(_WRITE, entry).scalar_one())


def looks(
    connection: sa.Connection,
    *,
    after: int = 0,
    limit: int = 100,
    person: UUID | None = None,
    sub: str | None = None,
    what: str | None = None,
    at_from: datetime | None = None,
    at_to: datetime | None = None,
) -> list[Look]:
    """Return entries of the journal with an id above ``after`` in the order of their ids, at most ``limit``.

    Filters combine; the instants are half-open, ``[at_from, at_to)``. Ids have holes and are given before their
    transaction commits: who must miss none asks again from a little before the last id seen.
    """
    query = sa.select(JOURNAL).where(JOURNAL.c.id > after).order_by(JOURNAL.c.id).limit(limit)
    for column, value in ((JOURNAL.c.person, person), (JOURNAL.c.sub, sub), (JOURNAL.c.what, what)):
        if value is not None:
            query = query.where(column == value)
    if at_from is not None:
        query = query.where(JOURNAL.c.at >= at_from)
    if at_to is not None:
        query = query.where(JOURNAL.c.at < at_to)
    return [Look(**row) for row in connection.execute(query).mappings()]
