"""The register's tables in another schema, of today's form: made, looked into, and asked of which form they are."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

import psycopg
import sqlalchemy as sa
from psycopg import sql
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable

from register.projection.tables import ANSWERS_FROM, SCHEMA, VERSION, metadata

Connection = psycopg.Connection[Any]

_DIALECT: Final = postgresql.dialect()  # type: ignore[no-untyped-call]
#: The schema's name where it stands before a table's, in quotes or not.
_QUALIFIED: Final = re.compile(rf'(?<![\w."])"?{SCHEMA}"?(?=\.)')


class OtherFormError(Exception):
    """The tables are of a form that this program cannot answer from, or may not write into."""

    def __init__(self, version: int) -> None:
        what = "this program is older than they are" if version > VERSION else "they are being built anew"
        super().__init__(f"the register's tables are of form {version}, this program's are of form {VERSION}: {what}")
        self.version = version

    def __reduce__(self) -> tuple[type[OtherFormError], tuple[int]]:
        """From one process to another it goes as it was raised."""
        return OtherFormError, (self.version,)


def form_of(connection: Connection, schema: str = SCHEMA) -> int:
    """Of which form the tables of a schema are; 0 when they do not say."""
    if connection.execute("SELECT to_regclass(%s)", (f"{schema}.form",)).fetchone() == (None,):
        return 0
    query = sql.SQL("SELECT version FROM {}").format(sql.Identifier(schema, "form"))
    row = connection.execute(query).fetchone()
    return 0 if row is None else int(row[0])


def check_answering(version: int) -> None:
    """Raise :class:`OtherFormError` for a form from which the queries of this program cannot answer."""
    if version != VERSION and version not in ANSWERS_FROM:
        raise OtherFormError(version)


def check_following(connection: Connection) -> None:
    """Raise :class:`OtherFormError` for tables of any other form than what this program writes."""
    (version,) = connection.execute("SELECT version FROM projection.form").fetchone() or (0,)
    if version != VERSION:
        raise OtherFormError(version)


def look_into(connection: Connection, schema: str) -> None:
    """From now on whatever this connection asks of the register's tables, it asks of those in ``schema``.

    What the projector and its kin say names the schema ``projection``; here the name is changed on its way out. Were
    it left to the search path instead, a statement that names the schema would write into the live register.
    """

    class Elsewhere(psycopg.Cursor[Any]):
        def execute(self, query: Any, *args: Any, **kwargs: Any) -> Any:
            return super().execute(_renamed(query, self, schema), *args, **kwargs)

        def copy(self, statement: Any, *args: Any, **kwargs: Any) -> Any:
            return super().copy(_renamed(statement, self, schema), *args, **kwargs)

    connection.cursor_factory = Elsewhere


def _renamed(query: Any, cursor: psycopg.Cursor[Any], schema: str) -> bytes:
    if isinstance(query, sql.Composable):
        text = query.as_string(cursor)
    else:
        text = query.decode() if isinstance(query, bytes) else str(query)
    return _QUALIFIED.sub(schema, text).encode()


def make_tables(connection: Connection, without: Iterable[str]) -> None:
    """Make the tables, where the connection looks; those of ``without`` bare: :func:`constraints` of them are missing.

    The tables say of which form they are.
    """
    bare = set(without)
    for table in metadata.sorted_tables:
        connection.execute(str(CreateTable(table).compile(dialect=_DIALECT)))
        for column in table.columns:
            if (distinct := column.info.get("n_distinct")) is not None:
                statement = f"ALTER TABLE {table} ALTER {column.name} SET (n_distinct = {distinct})"
                connection.execute(statement.encode())
        if table.name in bare:
            if table.primary_key.columns:
                connection.execute(f"ALTER TABLE {table} DROP CONSTRAINT {table.name}_pkey".encode())
        else:
            for index in _indexes(table):
                connection.execute(index)
    connection.execute(f"INSERT INTO {SCHEMA}.form VALUES (%s)".encode(), (VERSION,))


def constraints(names: Iterable[str]) -> Mapping[str, str]:
    """What :func:`make_tables` left out of some tables: name of the index -> the statement that makes it."""
    found = {}
    for name in names:
        table = metadata.tables[f"{SCHEMA}.{name}"]
        columns = ", ".join(column.name for column in table.primary_key.columns)
        if columns:
            found[f"{name}_pkey"] = f"ALTER TABLE {table} ADD PRIMARY KEY ({columns})"
        for index, statement in zip(_sorted(table), _indexes(table), strict=True):
            found[str(index.name)] = statement
    return found


def _sorted(table: sa.Table) -> list[sa.Index]:
    return sorted(table.indexes, key=lambda index: str(index.name))


def _indexes(table: sa.Table) -> list[str]:
    return [str(CreateIndex(index).compile(dialect=_DIALECT)) for index in _sorted(table)]
