"""Under which identity the inspector last saw each living person."""

from alembic import op

from register.database import owned_by_app

revision = "0013_identities"
down_revision = "0012_timeliness"
branch_labels = None
depends_on = None

STATEMENTS = (
    "CREATE TABLE inspection.identity (person UUID NOT NULL, digest UUID NOT NULL, PRIMARY KEY (person))",
    "CREATE INDEX ix_inspection_identity_digest ON inspection.identity (digest)",
)


def upgrade() -> None:
    """Makes the table as the program; the inspector fills it."""
    with owned_by_app(op):
        for statement in STATEMENTS:
            op.execute(statement)
