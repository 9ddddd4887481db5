"""Deficiencies as their histories stand, voting options to find them by, and how far the inspector has come."""

from alembic import op

from register.database import owned_by_app

revision = "0010_deficiencies"
down_revision = "0009_feed"
branch_labels = None
depends_on = None

STATEMENTS = (
    """
    CREATE TABLE projection.deficiency (
        id UUID NOT NULL,
        kind TEXT NOT NULL,
        key TEXT NOT NULL,
        authority TEXT NOT NULL,
        municipality TEXT,
        persons UUID[] NOT NULL,
        evidence BIGINT[] NOT NULL,
        figures JSONB NOT NULL,
        state TEXT NOT NULL,
        version BIGINT NOT NULL,
        position BIGINT NOT NULL,
        first_established BIGINT NOT NULL,
        established BIGINT NOT NULL,
        established_at TIMESTAMP WITH TIME ZONE NOT NULL,
        notified BIGINT,
        notified_at TIMESTAMP WITH TIME ZONE,
        acknowledged BIGINT,
        acknowledged_at TIMESTAMP WITH TIME ZONE,
        dismissed BIGINT,
        dismissed_at TIMESTAMP WITH TIME ZONE,
        remedied BIGINT,
        remedied_at TIMESTAMP WITH TIME ZONE,
        reason TEXT,
        PRIMARY KEY (id)
    )
    """,
    "CREATE UNIQUE INDEX deficiency_kind ON projection.deficiency (kind, key)",
    "CREATE UNIQUE INDEX deficiency_page ON projection.deficiency (first_established)",
    "CREATE INDEX deficiency_authority ON projection.deficiency (authority, first_established)",
    "CREATE INDEX deficiency_persons ON projection.deficiency USING gin (persons)",
    """
    CREATE TABLE projection.option (
        position BIGINT NOT NULL,
        stream UUID NOT NULL,
        effective_on DATE NOT NULL,
        election TEXT,
        abroad_key TEXT,
        PRIMARY KEY (position)
    )
    """,
    "CREATE INDEX ix_projection_option_effective_on ON projection.option (effective_on)",
    "CREATE INDEX ix_projection_option_abroad_key ON projection.option (abroad_key)",
    "CREATE SCHEMA inspection",
    """
    CREATE TABLE inspection.progress (
        one BOOLEAN NOT NULL DEFAULT true CONSTRAINT one_row CHECK (one),
        position BIGINT NOT NULL,
        written BIGINT NOT NULL,
        swept_on DATE,
        PRIMARY KEY (one)
    )
    """,
    """
    CREATE TABLE inspection.waiting (
        matter TEXT NOT NULL,
        key TEXT NOT NULL,
        PRIMARY KEY (matter, key)
    )
    """,
)


def upgrade() -> None:
    """Makes the tables as the program, so that they are its own; the register follows from its next event on."""
    with owned_by_app(op):
        for statement in STATEMENTS:
            op.execute(statement)
