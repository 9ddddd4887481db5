"""Excerpts that are cancelled, issued again, or show the register on a day instead of a roll."""

from alembic import op

from register.database import owned_by_app

revision = "0016_excerpts_again"
down_revision = "0015_cosignatures"
branch_labels = None
depends_on = None

_STATEMENTS = (
    "ALTER TABLE excerpts.run ADD as_of DATE",
    "ALTER TABLE excerpts.run ADD reissue_of UUID REFERENCES excerpts.run (run)",
    "ALTER TABLE excerpts.run ADD asked_by TEXT",
    "ALTER TABLE excerpts.run DROP CONSTRAINT run_state_check",
    """
    ALTER TABLE excerpts.run ADD CONSTRAINT run_state_check
        CHECK (state IN ('queued', 'drawing', 'drawn', 'failed', 'cancelled', 'reissued'))
    """,
    "ALTER TABLE excerpts.item ADD expected JSONB",
)


def upgrade() -> None:
    """``expected``: the files on record that a list issued again must come to, byte for byte."""
    with owned_by_app(op):
        for statement in _STATEMENTS:
            op.execute(statement)
