"""The journal of looks: who looked at what, for ever."""

from __future__ import annotations

from alembic import op

revision = "0003_access"
down_revision = "0002_log"
branch_labels = None
depends_on = None

#: The schema belongs to the owner, not to the application: who owns a schema can drop what stands in it.
_STATEMENTS = (
    "create schema if not exists access",
    "alter schema access owner to current_user",
    """
    create table access.journal (
        id bigint generated always as identity primary key,
        at timestamptz not null,
        sub text not null,
        role text not null,
        authority text,
        what text not null,
        person uuid,
        election text,
        municipality text,
        detail jsonb not null check (jsonb_typeof(detail) = 'object')
    )
    """,
    "create index journal_person on access.journal (person, id) where person is not null",
    "create index journal_at on access.journal using brin (at)",
    """
    create function access.refuse_change() returns trigger language plpgsql as $$
    begin
        raise exception 'access.journal is append-only' using errcode = 'insufficient_privilege';
    end $$
    """,
    """
    create trigger no_change before update or delete or truncate on access.journal
        for each statement execute function access.refuse_change()
    """,
    "alter table access.journal enable always trigger no_change",
    "revoke all on schema access from public",
    "revoke all on access.journal from public, cvr_app, cvr_read",
    "grant usage on schema access to cvr_app",
    "grant select, insert on access.journal to cvr_app",
)


def upgrade() -> None:
    """Make the table, its guards and its grants. Needs the roles cvr_app and cvr_read."""
    for statement in _STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """There is no way back: the journal is kept."""
    raise RuntimeError("the journal of looks is not taken back")
