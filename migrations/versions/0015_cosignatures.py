"""What witnesses cosigned: one line for each of their keys and each checkpoint, for ever."""

from __future__ import annotations

from alembic import op

revision = "0015_cosignatures"
down_revision = "0014_form"
branch_labels = None
depends_on = None

_STATEMENTS = (
    """
    create table log.cosignature (
        size bigint not null check (size >= 0),
        witness text not null,
        cosigned_at timestamptz not null,
        line text not null check (line like E'\\u2014 %' and right(line, 1) = E'\\n'),
        received_at timestamptz not null,
        primary key (size, witness)
    )
    """,
    """
    create trigger cosignature_no_row_change before update or delete on log.cosignature
        for each row execute function log.refuse_change()
    """,
    """
    create trigger cosignature_no_change before update or delete or truncate on log.cosignature
        for each statement execute function log.refuse_change()
    """,
    "alter table log.cosignature enable always trigger cosignature_no_row_change",
    "alter table log.cosignature enable always trigger cosignature_no_change",
    "revoke all on log.cosignature from public, cvr_app, cvr_read",
    "grant select, insert on log.cosignature to cvr_app",
    "grant select on log.cosignature to cvr_read",
)


def upgrade() -> None:
    """Make the table, its guards and its grants. Needs the roles cvr_app and cvr_read."""
    for statement in _STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """There is no way back: what was cosigned stays so."""
    raise RuntimeError("Cosignatures are not taken back.")
