"""The tables of the register, on two time axes: ``days`` (when it was so) and ``known`` (positions: when we knew it).

As of (day, position) is ``days @> day AND known @> position``. Stretches of one person never overlap on both axes: one
projector owns a person and rewrites the person's stretches. There is no exclusion constraint on it (measured: writing
26,000-42,000 rows/s against 169,000-255,000, and point queries of 39-50 ms against 0.1 ms); ``cvr verify`` checks it.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, DATEMULTIRANGE, DATERANGE, INT8RANGE, JSONB, UUID

#: The form of these tables. Whoever changes them, or what the projector writes into them, raises it; the register is
#: then built anew beside the old tables (docs/decisions/0023-rebuild.md). No migration touches them.
VERSION: Final = 4
#: Earlier forms from which the queries of this program answer meanwhile; from others it does not answer (503).
ANSWERS_FROM: Final[frozenset[int]] = frozenset({2, 3})

SCHEMA: Final = "projection"
metadata = MetaData(schema=SCHEMA)

#: Of which form these very tables are; one row.
form = Table("form", metadata, Column("version", Integer, primary_key=True, autoincrement=False))

#: How far each part has followed the event store (register/projection/parts.py). The register rests on the position of
#: part 0; a part that has no row yet stands there too.
progress = Table(
    "progress",
    metadata,
    Column("part", SmallInteger, primary_key=True, autoincrement=False),
    Column("position", BigInteger, nullable=False),
)

#: One stretch of days of a person, as known over a range of positions.
stretch = Table(
    "stretch",
    metadata,
    # A person has some eight stretches. A sample of a nation lets PostgreSQL take them for two hundred, and go through
    # the nation rather than look people up.
    Column("person", UUID(as_uuid=True), nullable=False, info={"n_distinct": -0.13}),
    Column("days", DATERANGE, nullable=False),
    Column("known", INT8RANGE, nullable=False),
    Column("entered", Boolean, nullable=False),
    Column("grounds", ARRAY(Text), nullable=False),
    Column("jmb", Text, nullable=False),
    Column("surname", Text),
    Column("given_name", Text),
    Column("parent_name", Text),
    Column("sex", Text),
    Column("born_on", Date),
    Column("script", Text),
    Column("municipality", Text),
    Column("settlement", Text),
    Column("street", Text),
    Column("house_number", Text),
    Column("counts_in", Text),
    Column("entity", Text),
    Column("voting_option", Text, nullable=False),
    Column("mobile_team", Boolean, nullable=False),
    Column("marked_deceased", Boolean, nullable=False),
    Column("address_key", Text),
    Column("name_key", Text),
    Column("sort_key", LargeBinary),
    Index("stretch_person", "person"),
    # Days and positions too: of a page, and of counts, only what holds is fetched from the table.
    Index(
        "stretch_page",
        "counts_in",
        "sort_key",
        "person",
        postgresql_where=text("entered"),
        postgresql_include=["days", "known"],
    ),
    Index("stretch_address", "counts_in", "address_key", postgresql_where=text("entered")),
    Index("stretch_until", text("upper(known)"), postgresql_where=text("entered AND NOT upper_inf(known)")),
    Index("stretch_order", "sort_key", "person", postgresql_where=text("entered")),
    Index("stretch_name", "name_key"),
)

#: What no stretch tells by itself: the days on which any position so far had the person entered.
person = Table(
    "person",
    metadata,
    Column("person", UUID(as_uuid=True), primary_key=True),
    Column("first_position", BigInteger, nullable=False),
    Column("held", DATEMULTIRANGE, nullable=False),
)

#: Links between numbers ever sent (annulled ones too): what may have to be folded together.
link = Table(
    "link",
    metadata,
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("stream", UUID(as_uuid=True), nullable=False, index=True),
    Column("new_jmb", Text, nullable=False, index=True),
)

#: Streams that belong, over a range of positions, to a person of another stream id.
joined = Table(
    "joined",
    metadata,
    Column("stream", UUID(as_uuid=True), nullable=False, index=True),
    Column("person", UUID(as_uuid=True), nullable=False, index=True),
    Column("known", INT8RANGE, nullable=False),
)

#: The polling station that covers an address, on two time axes; a change of a catchment rewrites no voter.
coverage = Table(
    "coverage",
    metadata,
    Column("municipality", Text, nullable=False),
    Column("address_key", Text, nullable=False),
    Column("days", DATERANGE, nullable=False),
    Column("known", INT8RANGE, nullable=False),
    Column("station", Text),
    Column("ambiguous", Boolean, nullable=False),
    Index("coverage_address", "municipality", "address_key"),
    Index("coverage_station", "municipality", "station"),
)

#: Addresses that persons' stretches began to have ahead of part 0, which covers them when it comes there.
new_address = Table(
    "new_address",
    metadata,
    Column("municipality", Text, nullable=False),
    Column("address_key", Text, nullable=False),
    Column("position", BigInteger, nullable=False),
)

#: Streams of polling stations, by municipality.
station = Table(
    "station",
    metadata,
    Column("stream", UUID(as_uuid=True), primary_key=True),
    Column("municipality", Text, nullable=False, index=True),
    Column("code", Text, nullable=False),
)

#: Deletions, reinstatements and first entries (Art. 3.2, 3.6 d); ``document`` as the notice named it.
audit_entry = Table(
    "audit_entry",
    metadata,
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("person", UUID(as_uuid=True), primary_key=True),
    Column("part", Integer, primary_key=True, autoincrement=False),
    Column("action", Text, nullable=False),
    Column("days", DATERANGE, nullable=False),
    Column("ground", Text),
    Column("article", Text),
    Column("remark", Text),
    Column("municipality", Text),
    Column("recorded_at", DateTime(timezone=True), nullable=False),
    Column("source", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("document", JSONB),
    Index("audit_entry_person", "person"),
    Index("audit_entry_ground", "ground", "position"),
    Index("audit_entry_municipality", "municipality", "position"),
    Index("audit_entry_source", "source", "position"),
    # First entries are four of five; they are found without.
    Index("audit_entry_action", "action", "position", postgresql_where=text("action <> 'entered'")),
)

#: Elections and their conclusions, for reading; the event store decides.
election = Table(
    "election",
    metadata,
    Column("election", Text, primary_key=True),
    Column("called_at_position", BigInteger, nullable=False),
    Column("called", JSONB, nullable=False),
    Column("conclusion", BigInteger),
    Column("concluded_at", DateTime(timezone=True)),
)

#: The roll of a concluded election in list order, written once (Art. 3.6 e).
roll = Table(
    "roll",
    metadata,
    Column("election", Text, primary_key=True),
    Column("no", BigInteger, primary_key=True, autoincrement=False),
    Column("person", UUID(as_uuid=True), nullable=False),
    Column("list_kind", Text, nullable=False),
    Column("municipality", Text, nullable=False),
    Column("entity", Text),
    Column("station", Text),
    Column("mission", Text),
    Column("jmb", Text, nullable=False),
    Column("surname", Text, nullable=False),
    Column("given_name", Text, nullable=False),
    Column("parent_name", Text, nullable=False),
    Column("sex", Text, nullable=False),
    Column("born_on", Date, nullable=False),
    Column("script", Text),
    Column("residence", Text),
    Column("settlement", Text),
    Column("street", Text),
    Column("house_number", Text),
    Column("country", Text),
    Column("foreign_address", Text),
    Column("voting_option", Text, nullable=False),
    Column("mobile_team", Boolean, nullable=False),
    Column("marked_deceased", Boolean, nullable=False),
    Index("roll_list", "election", "municipality", "list_kind", "station", "no"),
    Index("roll_person", "election", "person"),
)

#: Which rolls are frozen: how many voters, and the SHA-256 over the rows in order.
frozen_roll = Table(
    "frozen_roll",
    metadata,
    Column("election", Text, primary_key=True),
    Column("conclusion", BigInteger, nullable=False),
    Column("voters", BigInteger, nullable=False),
    Column("sha256", Text, nullable=False),
)

#: Deficiencies as their histories stand (Art. 3.6 a): ``state``, and position and instant of the last event of each
#: sort since it was last established. ``id`` is the stream, ``version`` and ``position`` those of its last event.
deficiency = Table(
    "deficiency",
    metadata,
    Column("id", UUID(as_uuid=True), primary_key=True),
    Column("kind", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("authority", Text, nullable=False),
    Column("municipality", Text),
    Column("persons", ARRAY(UUID(as_uuid=True)), nullable=False),
    Column("evidence", ARRAY(BigInteger), nullable=False),
    Column("figures", JSONB, nullable=False),
    Column("state", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("first_established", BigInteger, nullable=False),
    Column("established", BigInteger, nullable=False),
    Column("established_at", DateTime(timezone=True), nullable=False),
    Column("notified", BigInteger),
    Column("notified_at", DateTime(timezone=True)),
    Column("acknowledged", BigInteger),
    Column("acknowledged_at", DateTime(timezone=True)),
    Column("dismissed", BigInteger),
    Column("dismissed_at", DateTime(timezone=True)),
    Column("remedied", BigInteger),
    Column("remedied_at", DateTime(timezone=True)),
    Column("reason", Text),
    Index("deficiency_kind", "kind", "key", unique=True),
    Index("deficiency_page", "first_established", unique=True),
    Index("deficiency_authority", "authority", "first_established"),
    Index("deficiency_persons", "persons", postgresql_using="gin"),
)

#: Voting options ever sent (annulled ones too), where they are to be found: by the foreign address they name, and by
#: day. Which of them count is for the law to say.
option = Table(
    "option",
    metadata,
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("stream", UUID(as_uuid=True), nullable=False),
    Column("effective_on", Date, nullable=False, index=True),
    Column("election", Text),
    Column("abroad_key", Text, index=True),
)

#: How quickly notices came (Art. 3.5(5)), by the ``day`` of recording and the ``lag`` in days, as the law has it.
#: ``late``: too late by wire; ``paper_days``: within how many days of the change the paper is due; ``excused``:
#: annulled before any paper came.
notice_lag = Table(
    "notice_lag",
    metadata,
    Column("day", Date, primary_key=True),
    Column("authority", Text, primary_key=True),
    Column("type", Text, primary_key=True),
    Column("lag", Integer, primary_key=True, autoincrement=False),
    Column("late", Boolean, nullable=False),
    Column("paper_days", Integer, nullable=False),
    Column("notices", BigInteger, nullable=False),
    Column("excused", BigInteger, nullable=False),
)

#: Papers received, under the ``day`` of recording and the ``lag`` of their notices; ``written`` is their own lag.
written_lag = Table(
    "written_lag",
    metadata,
    Column("day", Date, primary_key=True),
    Column("authority", Text, primary_key=True),
    Column("type", Text, primary_key=True),
    Column("lag", Integer, primary_key=True, autoincrement=False),
    Column("written", Integer, primary_key=True, autoincrement=False),
    Column("late", Boolean, nullable=False),
    Column("papers", BigInteger, nullable=False),
)

#: Notices taken back, and by which position first.
annulled_notice = Table(
    "annulled_notice",
    metadata,
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("annulled_at", BigInteger, nullable=False),
)

#: Notices recorded, by the ``day`` of their ``time``: what a control total is compared with.
received = Table(
    "received",
    metadata,
    Column("day", Date, primary_key=True),
    Column("authority", Text, primary_key=True),
    Column("type", Text, primary_key=True),
    Column("notices", BigInteger, nullable=False),
)

#: Control totals ever sent, annulled ones too; ``recorded_on`` is a civil day.
control_total = Table(
    "control_total",
    metadata,
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("authority", Text, nullable=False),
    Column("day", Date, nullable=False),
    Column("time", DateTime(timezone=True), nullable=False),
    Column("id", Text, nullable=False),
    Column("sent", JSONB, nullable=False),
    Column("recorded_on", Date, nullable=False),
    Column("annulled", Boolean, nullable=False),
    Index("control_total_day", "authority", "day"),
)

#: First loads declared; the last one of an authority decides.
first_load = Table(
    "first_load",
    metadata,
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("authority", Text, nullable=False),
    Column("until", Date, nullable=False),
)
