"""The intake journal: notices that were refused, as they came, for ever."""

from __future__ import annotations

from alembic import op

revision = "0004_intake"
down_revision = "0003_access"
branch_labels = None
depends_on = None

#: The schema belongs to the owner, not to the application: who owns a schema can drop what stands in it.
_STATEMENTS = (
    "create schema if not exists intake",
    "alter schema intake owner to current_user",
    """
    create table intake.refused (
        id bigint generated always as identity primary key,
        received_at timestamptz not null,
        authority text not null,
        sub text not null,
        notice_id text,
        instance uuid not null,
        problem text not null,
        detail text not null,
        provision text,
        faults jsonb not null check (jsonb_typeof(faults) = 'array'),
        line bytea not null check (octet_length(line) <= 65536)
    )
    """,
    "create index refused_by_authority on intake.refused (authority, id)",
    "create index refused_by_notice on intake.refused (authority, notice_id, id)",
    """
    create function intake.refuse_change() returns trigger language plpgsql as $$
    begin
        raise exception 'intake.refused is append-only' using errcode = 'insufficient_privilege';
    end $$
    """,
    """
    create trigger no_change before update or delete or truncate on intake.refused
        for each statement execute function intake.refuse_change()
    """,
    "alter table intake.refused enable always trigger no_change",
    "revoke all on schema intake from public",
    "revoke all on intake.refused from public, cvr_app, cvr_read",
    "grant usage on schema intake to cvr_app",
    "grant select, insert on intake.refused to cvr_app",
)


def upgrade() -> None:
    """Make the table, its guards and its grants. Needs the roles cvr_app and cvr_read."""
    for statement in _STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """There is no way back: what was refused is kept."""
    raise RuntimeError("the intake journal is not taken back")
