"""How far the drawing of each granted copy is, its files, and how often they were taken."""

from alembic import op

from register.database import owned_by_app

revision = "0017_copies"
down_revision = "0016_excerpts_again"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Progress alone: that a copy was granted, drawn or withdrawn is said by events."""
    with owned_by_app(op):
        op.execute(
            """
            CREATE TABLE excerpts.copy (
                election TEXT NOT NULL,
                copy INTEGER NOT NULL,
                files JSONB,
                failure TEXT,
                downloads INTEGER NOT NULL,
                PRIMARY KEY (election, copy)
            )
            """
        )
