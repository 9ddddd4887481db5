"""Of which form the register's tables are; from here on they change by being built anew, not by migrations."""

from alembic import op

from register.database import owned_by_app

revision = "0014_form"
down_revision = "0013_identities"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The tables made so far are of form 2 (docs/decisions/0023-rebuild.md)."""
    with owned_by_app(op):
        op.execute("CREATE TABLE projection.form (version INTEGER NOT NULL, PRIMARY KEY (version))")
        op.execute("INSERT INTO projection.form VALUES (2)")
