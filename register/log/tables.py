"""The log's two tables, append-only like the event store: checkpoints (migration 0002), cosignatures (0015)."""

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

#: The cosignature ``line`` of a ``witness`` (its verifier key line) under the checkpoint of ``size``, with its time.
COSIGNATURE: Final = Table(
    "cosignature",
    METADATA,
    Column("size", BigInteger, primary_key=True, autoincrement=False),
    Column("witness", Text, primary_key=True),
    Column("cosigned_at", DateTime(timezone=True), nullable=False),
    Column("line", Text, nullable=False),
    Column("received_at", DateTime(timezone=True), nullable=False),
)
