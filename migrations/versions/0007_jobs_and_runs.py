"""The queue of jobs (procrastinate's own tables, in the schema `jobs`), and the runs of excerpts."""

from alembic import op
from procrastinate.schema import SchemaManager

from register.database import owned_by_app

revision = "0007_jobs_and_runs"
down_revision = "0006_self_check"
branch_labels = None
depends_on = None

#: Whoever changes a row of the queue, its triggers find its tables: also a restored backup, and an operator by hand.
_SETTLED = """
    DO $$ DECLARE found regprocedure; BEGIN
        FOR found IN SELECT oid FROM pg_proc WHERE pronamespace = 'jobs'::regnamespace LOOP
            EXECUTE format('ALTER FUNCTION %s SET search_path = jobs, pg_temp', found);
        END LOOP;
    END $$
"""
_RUNS = (
    """
    CREATE TABLE excerpts.run (
        run UUID NOT NULL,
        election TEXT NOT NULL,
        conclusion BIGINT NOT NULL,
        kind TEXT NOT NULL,
        municipality TEXT,
        polling_station TEXT,
        formats TEXT[] NOT NULL,
        scripts TEXT[] NOT NULL,
        format_version SMALLINT NOT NULL,
        folder TEXT NOT NULL,
        requested_at TIMESTAMP WITH TIME ZONE NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('queued', 'drawing', 'drawn', 'failed')),
        failure TEXT,
        total INTEGER NOT NULL,
        PRIMARY KEY (run)
    )
    """,
    "CREATE INDEX ix_excerpts_run_folder ON excerpts.run (folder)",
    "CREATE INDEX run_unfinished ON excerpts.run (state) WHERE state IN ('queued', 'drawing')",
    """
    CREATE TABLE excerpts.item (
        run UUID NOT NULL REFERENCES excerpts.run (run) ON DELETE CASCADE,
        no INTEGER NOT NULL,
        script TEXT NOT NULL,
        municipality TEXT,
        station TEXT,
        mission TEXT,
        files JSONB,
        PRIMARY KEY (run, no)
    )
    """,
)


def upgrade() -> None:
    """Makes both as the program, so that they are its own. The queue's tables are found by the search path."""
    with owned_by_app(op):
        op.execute("SET LOCAL search_path = jobs")
        op.get_bind().exec_driver_sql(SchemaManager.get_schema().replace("%", "%%"))
        op.execute("SET LOCAL search_path = DEFAULT")
        op.execute(_SETTLED)
        op.execute("CREATE SCHEMA excerpts")
        for statement in _RUNS:
            op.execute(statement)
