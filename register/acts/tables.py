"""How far the inspector has come. Progress, not history: lost, it begins again and establishes nothing twice."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Column, Date, MetaData, Table, Text, Uuid

metadata: Final = MetaData(schema="inspection")

#: One row. ``position``: events inspected; ``written``: the inspector's last own event; ``swept_on``: the last civil
#: day swept.
progress = Table(
    "progress",
    metadata,
    Column("one", Boolean, CheckConstraint("one", name="one_row"), primary_key=True, server_default="true"),
    Column("position", BigInteger, nullable=False),
    Column("written", BigInteger, nullable=False),
    Column("swept_on", Date),
)

#: What is to be looked at again once all events are inspected: a matter (a group of kinds) and what of it.
waiting = Table(
    "waiting",
    metadata,
    Column("matter", Text, primary_key=True),
    Column("key", Text, primary_key=True),
)

#: Under which identity each living person was last seen: a digest of the names and the birth, to find the same again.
identity = Table(
    "identity",
    metadata,
    Column("person", Uuid, primary_key=True),
    Column("digest", Uuid, nullable=False, index=True),
)
