"""Roles and schemas.

Three roles: the owner, whoever the connection names, who migrates and nothing else; `cvr_app`, as which the program
works; `cvr_read`, for looking. The last two cannot log in. An owner who may not create roles needs them created, and
`cvr_app` granted to him, by whoever may.
"""

from alembic import op

from register.database.schema import APP_ROLE, APP_SCHEMAS, READ_ROLE

revision = "0000_roles_and_schemas"
down_revision = None


def upgrade() -> None:
    """Roles belong to the whole server and may be there already, from another database on it."""
    for role in (APP_ROLE, READ_ROLE):
        op.execute(
            f"""
            DO $$ BEGIN
                IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{role}') THEN
                    CREATE ROLE {role} NOLOGIN;
                END IF;
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                NULL;  -- made by a migration of another database at the same moment
            END $$
            """
        )
    op.execute(
        f"""
        DO $$ BEGIN
            -- From PostgreSQL 16 on, whoever makes a role may manage it but not yet act as it.
            IF NOT pg_has_role(current_user, '{APP_ROLE}',
                CASE WHEN current_setting('server_version_num')::int >= 160000 THEN 'SET' ELSE 'MEMBER' END) THEN
                EXECUTE format('GRANT {APP_ROLE} TO %I', current_user);
            END IF;
        END $$
        """
    )
    # The register's tables are rebuilt in a fresh schema which then takes the name of the old one.
    op.execute(f"DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO {APP_ROLE}', current_database()); END $$")
    op.execute("CREATE SCHEMA store")
    op.execute(f"GRANT USAGE ON SCHEMA store TO {APP_ROLE}, {READ_ROLE}")
    op.execute(f"ALTER DEFAULT PRIVILEGES IN SCHEMA store GRANT SELECT, INSERT ON TABLES TO {APP_ROLE}")
    op.execute(f"ALTER DEFAULT PRIVILEGES IN SCHEMA store GRANT SELECT ON TABLES TO {READ_ROLE}")
    for schema in APP_SCHEMAS:
        op.execute(f"CREATE SCHEMA {schema} AUTHORIZATION {APP_ROLE}")
    op.execute(f"SET LOCAL ROLE {APP_ROLE}")
    for schema in APP_SCHEMAS:
        op.execute(f"GRANT USAGE ON SCHEMA {schema} TO {READ_ROLE}")
    # Of whatever cvr_app makes, in schemas of the future too.
    op.execute(f"ALTER DEFAULT PRIVILEGES GRANT USAGE ON SCHEMAS TO {READ_ROLE}")
    op.execute(f"ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO {READ_ROLE}")
    op.execute("RESET ROLE")
