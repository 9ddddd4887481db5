"""Runs of excerpts and their lists: what is asked for, how far it is, what was written. Progress, not history.

That an excerpt was drawn, verified and certified is said by events; these tables tell a worker what is left to do.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Date,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    Table,
    Text,
    Uuid,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

metadata = MetaData(schema="excerpts")

#: One request. ``folder`` is relative to the data folder, or absolute; ``state`` is queued, drawing, drawn, failed,
#: cancelled or reissued. ``as_of``: the day a provisional excerpt shows; ``election`` is empty where there is none.
#: ``reissue_of``: the run whose lists are issued again, for ``asked_by``. ``conclusion``: the position all rests on.
run = Table(
    "run",
    metadata,
    Column("run", Uuid, primary_key=True),
    Column("election", Text, nullable=False),
    Column("conclusion", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("municipality", Text),
    Column("polling_station", Text),
    Column("formats", ARRAY(Text), nullable=False),
    Column("scripts", ARRAY(Text), nullable=False),
    Column("format_version", SmallInteger, nullable=False),
    Column("folder", Text, nullable=False, index=True),
    Column("requested_at", DateTime(timezone=True), nullable=False),
    Column("state", Text, nullable=False),
    Column("failure", Text),
    Column("total", Integer, nullable=False),
    Column("as_of", Date),
    Column("reissue_of", Uuid, ForeignKey("excerpts.run.run")),
    Column("asked_by", Text),
    Index("run_unfinished", "state", postgresql_where="state IN ('queued', 'drawing')"),
)

#: One list of a run, in the order of drawing; ``files`` (entries of the manifest) is set once they are on disk,
#: ``failure`` when the list could not be drawn. ``expected``: the files that a list issued again must come to.
item = Table(
    "item",
    metadata,
    Column("run", Uuid, ForeignKey(run.c.run, ondelete="CASCADE"), primary_key=True),
    Column("no", Integer, primary_key=True, autoincrement=False),
    Column("script", Text, nullable=False),
    Column("municipality", Text),
    Column("station", Text),
    Column("mission", Text),
    Column("files", JSONB),
    Column("failure", Text),
    Column("expected", JSONB),
)

#: A political entity's copy: ``files`` (entries of the manifest) once drawn, ``failure`` when it could not be, and how
#: often one of the files was taken. The rest is in its events.
copy = Table(
    "copy",
    metadata,
    Column("election", Text, primary_key=True),
    Column("copy", Integer, primary_key=True, autoincrement=False),
    Column("files", JSONB),
    Column("failure", Text),
    Column("downloads", Integer, nullable=False),
)
