"""The log's checkpoints: one root for each size, for ever."""

from __future__ import annotations

from alembic import op

revision = "0002_log"
down_revision = "0001_event_store"
branch_labels = None
depends_on = None

#: The schema belongs to the owner, not to the application: who owns a schema can drop what stands in it.
_STATEMENTS = (
    "create schema if not exists log",
    "alter schema log owner to current_user",
    """
    create table log.checkpoint (
        size bigint primary key check (size >= 0),
        root bytea not null check (octet_length(root) = 32),
        note text not null,
        sealed_at timestamptz not null,
        constraint note_says_so check (
            split_part(note, E'\\n', 2) = size::text
            and split_part(note, E'\\n', 3) = encode(root, 'base64')
        )
    )
    """,
    """
    create function log.refuse_change() returns trigger language plpgsql as $$
    begin
        raise exception 'the checkpoints are append-only: % is refused', tg_op using errcode = 'restrict_violation';
    end $$
    """,
    """
    create trigger checkpoint_no_row_change before update or delete on log.checkpoint
        for each row execute function log.refuse_change()
    """,
    """
    create trigger checkpoint_no_change before update or delete or truncate on log.checkpoint
        for each statement execute function log.refuse_change()
    """,
    "alter table log.checkpoint enable always trigger checkpoint_no_row_change",
    "alter table log.checkpoint enable always trigger checkpoint_no_change",
    "revoke all on schema log from public",
    "revoke all on log.checkpoint from public, cvr_app, cvr_read",
    "grant usage on schema log to cvr_app, cvr_read",
    "grant select, insert on log.checkpoint to cvr_app",
    "grant select on log.checkpoint to cvr_read",
)


def upgrade() -> None:
    """Make the table, its guards and its grants. Needs the roles cvr_app and cvr_read."""
    for statement in _STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """There is no way back: what was signed and published cannot be unsigned."""
    raise RuntimeError("Signed checkpoints are not taken back.")
