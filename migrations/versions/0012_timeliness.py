"""How quickly notices come and what did not arrive; what a refused notice says of its type and day."""

from alembic import op

from register.database import owned_by_app

revision = "0012_timeliness"
down_revision = "0011_documents"
branch_labels = None
depends_on = None

STATEMENTS = (
    """
    CREATE TABLE projection.notice_lag (
        day DATE NOT NULL,
        authority TEXT NOT NULL,
        type TEXT NOT NULL,
        lag INTEGER NOT NULL,
        late BOOLEAN NOT NULL,
        paper_days INTEGER NOT NULL,
        notices BIGINT NOT NULL,
        excused BIGINT NOT NULL,
        PRIMARY KEY (day, authority, type, lag)
    )
    """,
    """
    CREATE TABLE projection.written_lag (
        day DATE NOT NULL,
        authority TEXT NOT NULL,
        type TEXT NOT NULL,
        lag INTEGER NOT NULL,
        written INTEGER NOT NULL,
        late BOOLEAN NOT NULL,
        papers BIGINT NOT NULL,
        PRIMARY KEY (day, authority, type, lag, written)
    )
    """,
    """
    CREATE TABLE projection.annulled_notice (
        position BIGINT NOT NULL,
        annulled_at BIGINT NOT NULL,
        PRIMARY KEY (position)
    )
    """,
    """
    CREATE TABLE projection.received (
        day DATE NOT NULL,
        authority TEXT NOT NULL,
        type TEXT NOT NULL,
        notices BIGINT NOT NULL,
        PRIMARY KEY (day, authority, type)
    )
    """,
    """
    CREATE TABLE projection.control_total (
        position BIGINT NOT NULL,
        authority TEXT NOT NULL,
        day DATE NOT NULL,
        time TIMESTAMP WITH TIME ZONE NOT NULL,
        id TEXT NOT NULL,
        sent JSONB NOT NULL,
        recorded_on DATE NOT NULL,
        annulled BOOLEAN NOT NULL,
        PRIMARY KEY (position)
    )
    """,
    "CREATE INDEX control_total_day ON projection.control_total (authority, day)",
    """
    CREATE TABLE projection.first_load (
        position BIGINT NOT NULL,
        authority TEXT NOT NULL,
        until DATE NOT NULL,
        PRIMARY KEY (position)
    )
    """,
)
#: Rolls, once frozen, and what the projector does not make, stay.
_BEGIN_AGAIN = """
    DO $$
    DECLARE made text;
    BEGIN
        IF EXISTS (SELECT FROM projection.progress WHERE position > 0) THEN
            SELECT string_agg(format('%I.%I', schemaname, tablename), ', ') INTO made
            FROM pg_tables WHERE schemaname = 'projection' AND tablename NOT IN ('roll', 'frozen_roll');
            EXECUTE 'TRUNCATE ' || made;
        END IF;
    END $$
"""


def upgrade() -> None:
    """Makes the tables as the program; the register is followed anew, so that they count from the first event on."""
    with owned_by_app(op):
        for statement in STATEMENTS:
            op.execute(statement)
        op.execute(_BEGIN_AGAIN)
    op.execute("ALTER TABLE intake.refused ADD notice_type text, ADD sent_on date")
    op.execute("CREATE INDEX refused_by_day ON intake.refused (authority, sent_on)")
