"""Which lists of a run of excerpts could not be drawn, and why."""

from alembic import op

from register.database import owned_by_app

revision = "0008_failed_lists"
down_revision = "0007_jobs_and_runs"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Names no voter: list and reason."""
    with owned_by_app(op):
        op.execute("ALTER TABLE excerpts.item ADD failure TEXT")
