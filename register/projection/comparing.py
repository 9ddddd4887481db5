"""Two versions of the register's tables compared: counts and digests, table by table, by municipality."""

from __future__ import annotations

from typing import Any, Final

import msgspec
import psycopg
import sqlalchemy as sa

from register.projection.tables import SCHEMA, metadata

Connection = psycopg.Connection[Any]

#: Tables whose rows say at which positions they were known, or made: as of any position both have reached they must
#: be the same, however far each has come since.
AS_OF: Final = ("stretch", "coverage", "joined", "audit_entry", "link", "option")
#: The others but for rolls, which a switch keeps: the same only at the same position.
AT_ONCE: Final = (
    "person", "station", "election", "deficiency", "notice_lag", "written_lag", "annulled_notice", "received",
    "control_total", "first_load",
)  # fmt: skip


class Difference(msgspec.Struct, frozen=True):
    """A table that holds other rows in one version, of one municipality where the table tells; how many each holds."""

    table: str
    municipality: str | None
    old: int
    new: int


def differences(connection: Connection, old: str, new: str, names: tuple[str, ...], upto: int) -> list[Difference]:
    """Where the tables ``names`` of two schemas differ, those of :data:`AS_OF` as of position ``upto``.

    Only columns that both versions have are compared; a table that one of them lacks is passed over.
    """
    found = []
    for name in names:
        columns = _columns(connection, old, name) & _columns(connection, new, name)
        if not columns:
            continue
        was, now = (_digests(connection, schema, name, columns, upto) for schema in (old, new))
        for municipality in sorted(was.keys() | now.keys(), key=lambda code: code or ""):
            (before, *a), (after, *b) = was.get(municipality, (0,)), now.get(municipality, (0,))
            if (before, a) != (after, b):
                found.append(Difference(name, municipality, before, after))
    return found


def _columns(connection: Connection, schema: str, table: str) -> set[str]:
    query = "SELECT column_name FROM information_schema.columns WHERE table_schema = %s AND table_name = %s"
    return {name for (name,) in connection.execute(query, (schema, table))}


def _digests(
    connection: Connection, schema: str, name: str, columns: set[str], upto: int
) -> dict[str | None, tuple[int, ...]]:
    """Municipality (None: the table tells none) -> rows, and the sum over their digests of 64 bits, in any order.

    Enough to find what went wrong; against who wants to deceive there are ``cvr verify`` and the log.
    """
    table = metadata.tables[f"{SCHEMA}.{name}"]
    values = ", ".join(_value(column) for column in table.columns if column.name in columns)
    group, condition = "NULL::text", "true"
    if {"counts_in", "municipality"} <= columns:
        group = "coalesce(counts_in, municipality)"
    elif "municipality" in columns:
        group = "municipality"
    if name in AS_OF:
        condition = "lower(known) <= %(upto)s" if "known" in columns else "position <= %(upto)s"
    query = f"""
        SELECT {group}, count(*)::int8, sum(hash_record_extended(ROW({values}), 0)) FROM {schema}.{name}
        WHERE {condition} GROUP BY 1
    """
    return {row[0]: tuple(map(int, row[1:])) for row in connection.execute(query.encode(), {"upto": upto})}


def _value(column: sa.Column[Any]) -> str:
    """A column as it is compared: what was known no longer behind the position was known still at it."""
    if column.name == "known":
        return "lower(known), CASE WHEN upper(known) <= %(upto)s THEN upper(known) END"
    # Servers before PostgreSQL 18 know no hash of bytes.
    return f"encode({column.name}, 'escape')" if isinstance(column.type, sa.LargeBinary) else str(column.name)
