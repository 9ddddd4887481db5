"""${message}."""

from alembic import op

from register.database.schema import owned_by_app

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}


def upgrade() -> None:
    """Tables outside `store` belong to cvr_app."""
    with owned_by_app(op):
        ${upgrades if upgrades else "pass"}
