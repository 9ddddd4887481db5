"""The tables of the intake: notices that were refused, as they came (migration 0004), and documents filed."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Date,
    DateTime,
    Identity,
    Index,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
)
from sqlalchemy.dialects.postgresql import JSONB

metadata = MetaData(schema="intake")

#: ``authority`` and ``sub``: who sent it. ``notice_id``: None where not even that could be read. ``instance``: the
#: ``urn:uuid`` of the problem the sender was told; ``problem``: its kind. ``line``: the notice's bytes (at most
#: 64 KiB); personal, so shown to its sender and the CEC only. ``after_position``: the last event recorded when it was
#: written down; (``after_position``, ``id``) is its place in the feed (migration 0009). ``notice_type``, ``sent_on``:
#: its type and the day of its ``time`` where it says them, for the sender's control totals (migration 0012).
REFUSED = Table(
    "refused",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("received_at", DateTime(timezone=True), nullable=False),
    Column("authority", Text, nullable=False),
    Column("sub", Text, nullable=False),
    Column("notice_id", Text),
    Column("instance", Uuid, nullable=False),
    Column("problem", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("provision", Text),
    Column("faults", JSONB, nullable=False),
    Column("line", LargeBinary, nullable=False),
    Column("after_position", BigInteger, nullable=False),
    Column("notice_type", Text),
    Column("sent_on", Date),
    Index("refused_by_authority", "authority", "id"),
    Index("refused_by_day", "authority", "sent_on"),
    Index("refused_in_order", "authority", "after_position", "id"),
    Index("refused_by_notice", "authority", "notice_id", "id"),
)

#: Who filed which document (Art. 3.5(7)); its file is kept by ``sha256``. ``authority`` and ``sub``: who filed it, each
#: authority once. ``size`` in bytes; ``type`` the media type its first bytes show. Append-only, made by migration 0011.
DOCUMENT = Table(
    "document",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("sha256", Text, nullable=False),
    Column("authority", Text, nullable=False),
    Column("sub", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("type", Text, nullable=False),
    Column("filed_at", DateTime(timezone=True), nullable=False),
    UniqueConstraint("sha256", "authority", name="document_sha256_authority_key"),
)
