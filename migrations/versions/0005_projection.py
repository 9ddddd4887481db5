"""The register in tables (register/projection/tables.py), owned by the program, which rebuilds them."""

from alembic import op

from register.database import owned_by_app

revision = "0005_projection"
down_revision = "0004_intake"

STATEMENTS = (
    """
    CREATE TABLE projection.audit_entry (
        position BIGINT NOT NULL,
        person UUID NOT NULL,
        part INTEGER NOT NULL,
        action TEXT NOT NULL,
        days DATERANGE NOT NULL,
        ground TEXT,
        article TEXT,
        remark TEXT,
        municipality TEXT,
        recorded_at TIMESTAMP WITH TIME ZONE NOT NULL,
        source TEXT NOT NULL,
        id TEXT NOT NULL,
        type TEXT NOT NULL,
        document JSONB,
        PRIMARY KEY (position, person, part)
    )
    """,
    """
    CREATE INDEX audit_entry_ground ON projection.audit_entry (ground, position)
    """,
    """
    CREATE INDEX audit_entry_municipality ON projection.audit_entry (municipality, position)
    """,
    """
    CREATE INDEX audit_entry_person ON projection.audit_entry (person)
    """,
    """
    CREATE TABLE projection.coverage (
        municipality TEXT NOT NULL,
        address_key TEXT NOT NULL,
        days DATERANGE NOT NULL,
        known INT8RANGE NOT NULL,
        station TEXT,
        ambiguous BOOLEAN NOT NULL
    )
    """,
    """
    CREATE INDEX coverage_address ON projection.coverage (municipality, address_key)
    """,
    """
    CREATE INDEX coverage_station ON projection.coverage (municipality, station)
    """,
    """
    CREATE TABLE projection.election (
        election TEXT NOT NULL,
        called_at_position BIGINT NOT NULL,
        called JSONB NOT NULL,
        conclusion BIGINT,
        concluded_at TIMESTAMP WITH TIME ZONE,
        PRIMARY KEY (election)
    )
    """,
    """
    CREATE TABLE projection.frozen_roll (
        election TEXT NOT NULL,
        conclusion BIGINT NOT NULL,
        voters BIGINT NOT NULL,
        sha256 TEXT NOT NULL,
        PRIMARY KEY (election)
    )
    """,
    """
    CREATE TABLE projection.joined (
        stream UUID NOT NULL,
        person UUID NOT NULL,
        known INT8RANGE NOT NULL
    )
    """,
    """
    CREATE INDEX ix_projection_joined_person ON projection.joined (person)
    """,
    """
    CREATE INDEX ix_projection_joined_stream ON projection.joined (stream)
    """,
    """
    CREATE TABLE projection.link (
        position BIGINT NOT NULL,
        stream UUID NOT NULL,
        new_jmb TEXT NOT NULL,
        PRIMARY KEY (position)
    )
    """,
    """
    CREATE INDEX ix_projection_link_new_jmb ON projection.link (new_jmb)
    """,
    """
    CREATE INDEX ix_projection_link_stream ON projection.link (stream)
    """,
    """
    CREATE TABLE projection.person (
        person UUID NOT NULL,
        first_position BIGINT NOT NULL,
        held DATEMULTIRANGE NOT NULL,
        PRIMARY KEY (person)
    )
    """,
    """
    CREATE TABLE projection.progress (
        part SMALLINT NOT NULL,
        position BIGINT NOT NULL,
        PRIMARY KEY (part)
    )
    """,
    """
    CREATE TABLE projection.roll (
        election TEXT NOT NULL,
        no BIGINT NOT NULL,
        person UUID NOT NULL,
        list_kind TEXT NOT NULL,
        municipality TEXT NOT NULL,
        entity TEXT,
        station TEXT,
        mission TEXT,
        jmb TEXT NOT NULL,
        surname TEXT NOT NULL,
        given_name TEXT NOT NULL,
        parent_name TEXT NOT NULL,
        sex TEXT NOT NULL,
        born_on DATE NOT NULL,
        script TEXT,
        residence TEXT,
        settlement TEXT,
        street TEXT,
        house_number TEXT,
        country TEXT,
        foreign_address TEXT,
        voting_option TEXT NOT NULL,
        mobile_team BOOLEAN NOT NULL,
        marked_deceased BOOLEAN NOT NULL,
        PRIMARY KEY (election, no)
    )
    """,
    """
    CREATE INDEX roll_list ON projection.roll (election, municipality, list_kind, station, no)
    """,
    """
    CREATE TABLE projection.station (
        stream UUID NOT NULL,
        municipality TEXT NOT NULL,
        code TEXT NOT NULL,
        PRIMARY KEY (stream)
    )
    """,
    """
    CREATE INDEX ix_projection_station_municipality ON projection.station (municipality)
    """,
    """
    CREATE TABLE projection.stretch (
        person UUID NOT NULL,
        days DATERANGE NOT NULL,
        known INT8RANGE NOT NULL,
        entered BOOLEAN NOT NULL,
        grounds TEXT[] NOT NULL,
        jmb TEXT NOT NULL,
        surname TEXT,
        given_name TEXT,
        parent_name TEXT,
        sex TEXT,
        born_on DATE,
        script TEXT,
        municipality TEXT,
        settlement TEXT,
        street TEXT,
        house_number TEXT,
        counts_in TEXT,
        entity TEXT,
        voting_option TEXT NOT NULL,
        mobile_team BOOLEAN NOT NULL,
        marked_deceased BOOLEAN NOT NULL,
        address_key TEXT,
        name_key TEXT,
        sort_key BYTEA
    )
    """,
    """
    CREATE INDEX stretch_name ON projection.stretch (name_key)
    """,
    """
    CREATE INDEX stretch_order ON projection.stretch (sort_key, person) WHERE entered
    """,
    """
    CREATE INDEX stretch_page ON projection.stretch (counts_in, sort_key, person) WHERE entered
    """,
    """
    CREATE INDEX stretch_person ON projection.stretch (person)
    """,
)


def upgrade() -> None:
    """Makes the tables as the program, so that they are its own."""
    with owned_by_app(op):
        for statement in STATEMENTS:
            op.execute(statement)
