"""The event store: events, the keys that make notices unique, subjects and their streams; append-only by the database.

By hand, not by autogenerate: what protects the history (grants, triggers, a position without a default) is exactly
what a generated migration leaves out. Decisions 2 to 5 of docs/decisions are carried out here.

Nobody updates, deletes or truncates here, the owner included; against an owner who drops the triggers only the
transparency log helps.
"""

from __future__ import annotations

from alembic import op

revision = "0001_event_store"
down_revision = "0000_roles_and_schemas"
branch_labels = None
depends_on = None

TABLES = ("event", "source", "event_key", "subject")

# notification_id is the position. It has no default on purpose: an INSERT without a position must fail, and a sequence
# would leave holes after a rollback.
SCHEMA = """
CREATE TABLE store.event (
    originator_id uuid NOT NULL,
    originator_version int8 NOT NULL,
    topic text NOT NULL,
    state bytea NOT NULL,
    notification_id int8 NOT NULL CHECK (notification_id > 0),
    recorded_at timestamptz NOT NULL,
    CONSTRAINT event_pkey PRIMARY KEY (originator_id, originator_version)
);
CREATE UNIQUE INDEX event_notification_id_idx ON store.event (notification_id);

CREATE TABLE store.source (
    no int4 GENERATED ALWAYS AS IDENTITY CONSTRAINT source_pkey PRIMARY KEY,
    source text COLLATE "C" NOT NULL CONSTRAINT source_source_key UNIQUE
);

CREATE TABLE store.event_key (
    source_no int4 NOT NULL,
    id text COLLATE "C" NOT NULL,
    content bytea NOT NULL CHECK (octet_length(content) = 32),
    position int8 NOT NULL,
    CONSTRAINT event_key_pkey PRIMARY KEY (source_no, id)
);

CREATE TABLE store.subject (
    subject text COLLATE "C" CONSTRAINT subject_pkey PRIMARY KEY,
    stream uuid NOT NULL CONSTRAINT subject_stream_key UNIQUE
);

COMMENT ON TABLE store.event IS 'All events; notification_id is the position 1, 2, 3 … without holes';
COMMENT ON TABLE store.event_key IS 'Which (source, id) was recorded at which position, and the digest of its content';
COMMENT ON TABLE store.subject IS 'Which stream a subject is filed in; it cannot be guessed from the subject';
"""

REFUSE = """
CREATE FUNCTION store.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the event store is append-only: % of store.% is refused', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END $$
"""

# Row triggers beside the statement triggers: only they fire when somebody writes to a partition directly.
GUARD = """
CREATE TRIGGER {table}_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON store.{table}
    FOR EACH STATEMENT EXECUTE FUNCTION store.refuse_change();
CREATE TRIGGER {table}_no_row_change BEFORE UPDATE OR DELETE ON store.{table}
    FOR EACH ROW EXECUTE FUNCTION store.refuse_change();
ALTER TABLE store.{table} ENABLE ALWAYS TRIGGER {table}_no_change;
ALTER TABLE store.{table} ENABLE ALWAYS TRIGGER {table}_no_row_change;
REVOKE ALL ON store.{table} FROM PUBLIC;
GRANT SELECT, INSERT ON store.{table} TO cvr_app;
REVOKE UPDATE, DELETE, TRUNCATE ON store.{table} FROM cvr_app;
GRANT SELECT ON store.{table} TO cvr_read;
"""

# Every writer begins here. Only under READ COMMITTED does the statement after the lock see what the last holder of the
# lock committed; with a snapshot from before the wait, versions would collide and the head would be stale.
BEGIN_APPEND = """
CREATE FUNCTION store.begin_append(OUT head int8, OUT last timestamptz) LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'the event store is appended to under READ COMMITTED only, not %',
            current_setting('transaction_isolation') USING ERRCODE = 'invalid_transaction_state';
    END IF;
    PERFORM pg_advisory_xact_lock(7166478322011001);
    SELECT e.notification_id, e.recorded_at INTO head, last
        FROM store.event e ORDER BY e.notification_id DESC LIMIT 1;
    head := coalesce(head, 0);
END $$
"""

INSERT_EVENTS = """
CREATE FUNCTION store.insert_events(
    p_streams uuid[], p_versions int8[], p_topics text[], p_states bytea[], p_now timestamptz,
    OUT first int8, OUT recorded timestamptz
) LANGUAGE plpgsql AS $$
DECLARE
    v_head int8;
    v_last timestamptz;
BEGIN
    SELECT b.head, b.last INTO v_head, v_last FROM store.begin_append() b;
    recorded := greatest(coalesce(p_now, clock_timestamp()), v_last);
    INSERT INTO store.event (originator_id, originator_version, topic, state, notification_id, recorded_at)
        SELECT u.stream, u.version, u.topic, u.state, v_head + u.n, recorded
        FROM unnest(p_streams, p_versions, p_topics, p_states) WITH ORDINALITY AS u(stream, version, topic, state, n)
        ORDER BY u.n;
    PERFORM pg_notify('store_event', '');
    first := v_head + 1;
END $$
"""

# The whole append of a few notices in one round trip, for the ordinary case that nothing has to be decided: every
# (source, id) is new, differs from the others, and is filed under a subject. Otherwise nothing is written, "first" is
# null, and the caller goes the long way.
APPEND_NEW = """
CREATE FUNCTION store.append_new(
    p_sources text[], p_ids text[], p_contents bytea[], p_subjects text[], p_streams uuid[],
    p_topics text[], p_states bytea[], p_now timestamptz,
    OUT first int8, OUT recorded timestamptz
) LANGUAGE plpgsql AS $$
DECLARE
    v_head int8;
    v_last timestamptz;
BEGIN
    SELECT b.head, b.last INTO v_head, v_last FROM store.begin_append() b;
    IF EXISTS (
        SELECT FROM unnest(p_sources, p_ids) AS u(source, id)
        JOIN store.source s ON s.source = u.source
        JOIN store.event_key k ON k.source_no = s.no AND k.id = u.id
    ) THEN
        RETURN;
    END IF;
    recorded := greatest(p_now, v_last);
    INSERT INTO store.source (source)
        SELECT DISTINCT u.source FROM unnest(p_sources) AS u(source)
        WHERE NOT EXISTS (SELECT FROM store.source s WHERE s.source = u.source);
    INSERT INTO store.subject (subject, stream)
        SELECT DISTINCT ON (u.subject) u.subject, u.stream
        FROM unnest(p_subjects, p_streams) WITH ORDINALITY AS u(subject, stream, n)
        WHERE NOT EXISTS (SELECT FROM store.subject s WHERE s.subject = u.subject)
        ORDER BY u.subject, u.n;
    INSERT INTO store.event (originator_id, originator_version, topic, state, notification_id, recorded_at)
        SELECT s.stream,
            coalesce((SELECT max(e.originator_version) FROM store.event e WHERE e.originator_id = s.stream), 0)
                + row_number() OVER (PARTITION BY u.subject ORDER BY u.n),
            u.topic, u.state, v_head + u.n, recorded
        FROM unnest(p_subjects, p_topics, p_states) WITH ORDINALITY AS u(subject, topic, state, n)
        JOIN store.subject s ON s.subject = u.subject;
    INSERT INTO store.event_key (source_no, id, content, position)
        SELECT s.no, u.id, u.content, v_head + u.n
        FROM unnest(p_sources, p_ids, p_contents) WITH ORDINALITY AS u(source, id, content, n)
        JOIN store.source s ON s.source = u.source;
    PERFORM pg_notify('store_event', '');
    first := v_head + 1;
END $$
"""

# recorded_at never falls as positions grow and positions have no holes: so an exact binary search is right, and needs
# no index on recorded_at.
POSITION_AT = """
CREATE FUNCTION store.position_at(p_instant timestamptz) RETURNS int8 LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_low int8 := 0;
    v_high int8;
    v_middle int8;
BEGIN
    SELECT coalesce(max(e.notification_id), 0) INTO v_high FROM store.event e;
    WHILE v_low < v_high LOOP
        v_middle := (v_low + v_high + 1) / 2;
        IF (SELECT e.recorded_at FROM store.event e WHERE e.notification_id = v_middle) <= p_instant THEN
            v_low := v_middle;
        ELSE
            v_high := v_middle - 1;
        END IF;
    END LOOP;
    RETURN v_low;
END $$
"""

FUNCTION_GRANTS = """
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA store FROM PUBLIC;
GRANT EXECUTE ON FUNCTION store.begin_append(), store.position_at(timestamptz),
    store.insert_events(uuid[], int8[], text[], bytea[], timestamptz),
    store.append_new(text[], text[], bytea[], text[], uuid[], text[], bytea[], timestamptz) TO cvr_app;
GRANT EXECUTE ON FUNCTION store.position_at(timestamptz) TO cvr_read;
"""


def upgrade() -> None:
    """Make the event store, empty."""
    for statement in (SCHEMA, REFUSE, BEGIN_APPEND, INSERT_EVENTS, APPEND_NEW, POSITION_AT):
        op.execute(statement)
    for table in TABLES:
        op.execute(GUARD.format(table=table))
    op.execute(FUNCTION_GRANTS)


def downgrade() -> None:
    """There is no way back: a migration that drops the history must not exist."""
    raise RuntimeError("The event store cannot be migrated away.")
