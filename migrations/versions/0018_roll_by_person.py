"""A person's place on a roll is looked up, not searched for; rolls stay when the register is built anew."""

from alembic import op

from register.database import owned_by_app

revision = "0018_roll_by_person"
down_revision = "0017_copies"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The index that rolls frozen from now on have as well."""
    with owned_by_app(op):
        op.execute("CREATE INDEX IF NOT EXISTS roll_person ON projection.roll (election, person)")


def downgrade() -> None:
    """Drop it."""
    with owned_by_app(op):
        op.execute("DROP INDEX IF EXISTS projection.roll_person")
