"""``cvr migrate``: brings the database schema up to date."""

from __future__ import annotations

from register.database import migrate as apply
from register.database import open_database
from register.settings import read_settings


def migrate() -> None:
    """Bring the database schema up to date. (The embedded database does so by itself.)"""
    with open_database(read_settings(), migrating=True) as database:
        applied = apply(database)
    print(f"applied: {', '.join(applied)}" if applied else "the schema is up to date")
