"""What the feed is read by: whom an event of the register is addressed to, and where a refusal stands among events."""

from alembic import op

revision = "0009_feed"
down_revision = "0008_failed_lists"
branch_labels = None
depends_on = None

# How the state of an event is decoded does not depend on any setting, which the server cannot know of convert_from.
_ADDRESSEE = """
    CREATE FUNCTION store.addressee(state bytea) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
        SELECT coalesce(convert_from(state, 'UTF8')::jsonb #>> '{data,authority}', '*') COLLATE "C"
    $$
"""
#: The topics that are told to an authority (register/store/addressed.py): the index holds these few events, and a
#: quiet authority's are found among them without looking at the others'. Elections are addressed to everyone: '*'.
_ADDRESSED = """
    CREATE INDEX event_addressed ON store.event (store.addressee(state), notification_id) WHERE topic IN (
        'ba.cvr.deficiency-established.v1', 'ba.cvr.deficiency-notified.v1', 'ba.cvr.deficiency-dismissed.v1',
        'ba.cvr.deficiency-remedied.v1', 'ba.cvr.election-called.v1', 'ba.cvr.election-concluded.v1',
        'ba.cvr.first-load-declared.v1', 'ba.cvr.sender-key-registered.v1', 'ba.cvr.sender-key-revoked.v1'
    )
"""

# A refusal stands after the last event recorded when it was written down. Who writes holds the lock shared; who reads
# takes it alone for a moment, and so knows that no refusal is still under way which would stand before what is read:
# an id is given before its transaction commits, and a lower one may come later. The lock is taken in one statement
# and the head read in the next, which sees what was committed while it waited.
_BEGIN = """
    CREATE FUNCTION intake.begin_refusal() RETURNS int8 LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM pg_advisory_xact_lock_shared(7166478322011002);
        RETURN coalesce((SELECT max(e.notification_id) FROM store.event e), 0);
    END $$
"""
_SETTLED = """
    CREATE FUNCTION intake.settled(OUT head int8, OUT refusal int8) LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM pg_advisory_xact_lock(7166478322011002);
        SELECT coalesce(max(e.notification_id), 0) INTO head FROM store.event e;
        SELECT coalesce(max(r.id), 0) INTO refusal FROM intake.refused r;
    END $$
"""


def upgrade() -> None:
    """Refusals of before stand at the beginning, in the order of their ids."""
    op.execute(_ADDRESSEE)
    op.execute("REVOKE ALL ON FUNCTION store.addressee(bytea) FROM PUBLIC")
    op.execute("GRANT EXECUTE ON FUNCTION store.addressee(bytea) TO cvr_app, cvr_read")
    op.execute(_ADDRESSED)
    op.execute("ALTER TABLE intake.refused ADD after_position bigint NOT NULL DEFAULT 0")
    op.execute("ALTER TABLE intake.refused ALTER after_position DROP DEFAULT")
    op.execute("CREATE INDEX refused_in_order ON intake.refused (authority, after_position, id)")
    for function in (_BEGIN, _SETTLED):
        op.execute(function)
    op.execute("REVOKE ALL ON FUNCTION intake.begin_refusal(), intake.settled() FROM PUBLIC")
    op.execute("GRANT EXECUTE ON FUNCTION intake.begin_refusal(), intake.settled() TO cvr_app")


def downgrade() -> None:
    """There is no way back: what was refused is kept."""
    raise RuntimeError("the intake journal is not taken back")
