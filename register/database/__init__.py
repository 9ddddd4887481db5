"""The register's database: an embedded PostgreSQL server, or the one CVR_DATABASE_URL names."""

from register.database.connection import Database, migrate, open_database
from register.database.errors import DatabaseError
from register.database.schema import owned_by_app

__all__ = ["Database", "DatabaseError", "migrate", "open_database", "owned_by_app"]
