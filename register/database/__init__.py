"""The register's database: an embedded PostgreSQL server, or the one CVR_DATABASE_URL names."""

from register.database.connection import Database, migrate, open_database
from register.database.errors import DatabaseError
from register.database.replication import replication
from register.database.schema import owned_by_app
from register.database.standbys import Questions, Standbys, standbys_of, written_with

__all__ = [
    "Database",
    "DatabaseError",
    "Questions",
    "Standbys",
    "migrate",
    "open_database",
    "owned_by_app",
    "replication",
    "standbys_of",
    "written_with",
]
