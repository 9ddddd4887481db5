"""Who filed which document, and when: the files themselves are kept by their digest, outside the database."""

from alembic import op

revision = "0011_documents"
down_revision = "0010_deficiencies"
branch_labels = None
depends_on = None

#: The schema belongs to the owner, and so does this table: the application may look and add, nothing else.
_STATEMENTS = (
    """
    create table intake.document (
        id bigint generated always as identity primary key,
        sha256 text not null check (sha256 ~ '^[0-9a-f]{64}$'),
        authority text not null,
        sub text not null,
        size bigint not null check (size > 0),
        type text not null,
        filed_at timestamptz not null,
        unique (sha256, authority)
    )
    """,
    """
    create function intake.refuse_document_change() returns trigger language plpgsql as $$
    begin
        raise exception 'intake.document is append-only' using errcode = 'insufficient_privilege';
    end $$
    """,
    """
    create trigger no_change before update or delete or truncate on intake.document
        for each statement execute function intake.refuse_document_change()
    """,
    "alter table intake.document enable always trigger no_change",
    "revoke all on intake.document from public, cvr_app, cvr_read",
    "grant select, insert on intake.document to cvr_app",
)


def upgrade() -> None:
    """Make the table, its guard and its grants."""
    for statement in _STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """There is no way back: what was filed stays filed."""
    raise RuntimeError("who filed which document is not taken back")
