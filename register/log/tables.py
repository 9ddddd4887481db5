"""The log's one table: the checkpoints signed so far. Made by migration 0002; append-only like the event store."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, DateTime, LargeBinary, MetaData, Table, Text

METADATA: Final = MetaData(schema="log")

#: ``size`` leaves, their ``root`` (32 bytes), the signed ``note`` as published, when it was sealed.
CHECKPOINT: Final = Table(
    "checkpoint",
    METADATA,
    Column("size", BigInteger, primary_key=True, autoincrement=False),
    Column("root", LargeBinary, nullable=False),
    Column("note", Text, nullable=False),
    Column("sealed_at", DateTime(timezone=True), nullable=False),
)
