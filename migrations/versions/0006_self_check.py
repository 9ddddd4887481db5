"""How often citizens' own questions were asked or failed, under keyed hashes; kept for two days."""

from __future__ import annotations

from alembic import op

revision = "0006_self_check"
down_revision = "0005_projection"
branch_labels = None
depends_on = None

#: Belongs to the owner like the journal beside it; the program counts, and clears what is past.
_STATEMENTS = (
    """
    create table access.self_check (
        day date not null,
        kind text not null check (kind in ('address', 'identity')),
        hash bytea not null check (octet_length(hash) = 32),
        count integer not null check (count >= 0),
        primary key (day, kind, hash)
    )
    """,
    "revoke all on access.self_check from public, cvr_app, cvr_read",
    "grant select, insert, update, delete on access.self_check to cvr_app",
)


def upgrade() -> None:
    """Make the table and its grants. Needs the role cvr_app."""
    for statement in _STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """There is nothing in it that is worth keeping for longer than a day."""
    op.execute("drop table access.self_check")
