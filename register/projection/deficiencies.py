"""Deficiencies as tables: folded by the projector from their events, read by the interface and by the inspector."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, Final
from uuid import UUID

import msgspec
import psycopg
import sqlalchemy as sa
from psycopg.rows import dict_row

from register.law.deficiencies.addresses import foreign_key
from register.law.deficiencies.history import STANDING, Deficiency, take
from register.law.events import AboutDeficiency, Event, VotingOption
from register.projection.copying import array, copy, for_copy
from register.projection.tables import deficiency

Connection = psycopg.Connection[Any]

#: The columns of the table; who took a step stands in the event alone.
COLUMNS: Final = tuple(column.name for column in deficiency.c)
_SELECT: Final = f"SELECT {', '.join(COLUMNS)} FROM projection.deficiency"
_OPTION_COLUMNS: Final = (
    ("position", "int8"), ("stream", "uuid"), ("effective_on", "date"), ("election", "text"), ("abroad_key", "text"),
)  # fmt: skip


# --- the projector's part -------------------------------------------------------------------------------------------


def follow_deficiencies(connection: Connection, events: Sequence[Event]) -> None:
    """Take the events of a batch that are about deficiencies (positions rising) into the table."""
    about = [event for event in events if isinstance(event.data, AboutDeficiency)]
    if not about:
        return
    states = {state.id: state for state in by_id(connection, {event.stream for event in about})}
    for event in about:
        after = take(states.get(event.stream), event)
        if after is not None:
            states[event.stream] = after
    updates = ", ".join(f"{name} = excluded.{name}" for name in COLUMNS if name != "id")
    connection.execute(
        f"""
        INSERT INTO projection.deficiency ({", ".join(COLUMNS)})
        SELECT {", ".join(COLUMNS)} FROM json_populate_recordset(NULL::projection.deficiency, %s::json)
        ON CONFLICT (id) DO UPDATE SET {updates}
        """.encode(),
        (msgspec.json.encode(list(states.values())).decode(),),
    )


def note_options(connection: Connection, events: Iterable[Event]) -> None:
    """Note where the voting options of a batch are to be found."""
    copy(
        connection,
        "option",
        for_copy(_OPTION_COLUMNS),
        (
            (e.position, e.stream.bytes, e.data.effective_on, e.data.election, abroad_key(e.data))
            for e in events
            if isinstance(e.data, VotingOption)
        ),
    )


def abroad_key(option: VotingOption) -> str | None:
    """What options to vote from the same foreign address share: the country, and the address as the law compares it."""
    if option.country is None or option.foreign_address is None:
        return None
    return foreign_key(option.country, option.foreign_address)


# --- reading, for the inspector -------------------------------------------------------------------------------------


def by_id(connection: Connection, ids: Collection[UUID]) -> list[Deficiency]:
    """The deficiencies of these ids."""
    return _read(connection, f"{_SELECT} WHERE id = ANY(%s::uuid[])", (array(ids),))


def by_key(connection: Connection, keys: Collection[tuple[str, str]]) -> list[Deficiency]:
    """The deficiencies of these (kind, key)."""
    if not keys:
        return []
    kinds, names = zip(*keys, strict=True)
    query = f"{_SELECT} WHERE (kind, key) IN (SELECT * FROM unnest(%s::text[], %s::text[]))"
    return _read(connection, query, (list(kinds), list(names)))


def standing_about(connection: Connection, kinds: Collection[str], persons: Collection[UUID]) -> list[Deficiency]:
    """The standing deficiencies of some kinds that are about any of these streams."""
    query = f"{_SELECT} WHERE persons && %s::uuid[] AND kind = ANY(%s) AND state = ANY(%s)"
    return _read(connection, query, (array(persons), list(kinds), list(STANDING)))


def standing_of(connection: Connection, kind: str, municipality: str | None = None) -> list[Deficiency]:
    """The standing deficiencies of a kind, or those of a municipality."""
    query = f"{_SELECT} WHERE kind = %s AND state = ANY(%s) AND (%s::text IS NULL OR municipality = %s)"
    return _read(connection, query, (kind, list(STANDING), municipality, municipality))


def standing_with(connection: Connection, kinds: Collection[str], authority: str) -> list[Deficiency]:
    """The standing deficiencies of some kinds that an authority must put right."""
    query = f"{_SELECT} WHERE authority = %s AND kind = ANY(%s) AND state = ANY(%s)"
    return _read(connection, query, (authority, list(kinds), list(STANDING)))


def _read(connection: Connection, query: str, parameters: Sequence[object]) -> list[Deficiency]:
    with connection.cursor(row_factory=dict_row) as cursor:
        return [_deficiency(row) for row in cursor.execute(query.encode(), parameters)]


def _deficiency(row: dict[str, Any]) -> Deficiency:
    row["persons"] = tuple(map(str, row["persons"]))
    row["evidence"] = tuple(row["evidence"])
    return Deficiency(**row)


# --- reading, for the interface -------------------------------------------------------------------------------------


def page(
    connection: sa.Connection,
    *,
    after: int,
    limit: int,
    authority: str | None = None,
    kind: str | None = None,
    state: str | None = None,
    municipality: str | None = None,
) -> list[Deficiency]:
    """Deficiencies in the order in which they were first established, behind that position; at most ``limit`` + 1."""
    query = sa.select(deficiency).where(deficiency.c.first_established > after)
    for name, value in {"authority": authority, "kind": kind, "state": state, "municipality": municipality}.items():
        if value is not None:
            query = query.where(deficiency.c[name] == value)
    query = query.order_by(deficiency.c.first_established).limit(limit + 1)
    return list(_mapped(connection, query))


def one(connection: sa.Connection, which: UUID) -> Deficiency | None:
    """The deficiency of this id, or None."""
    return next(_mapped(connection, sa.select(deficiency).where(deficiency.c.id == which)), None)


def notices_at(connection: sa.Connection, positions: Collection[int]) -> dict[int, tuple[str, str]]:
    """Under which source and id the events at some positions were recorded."""
    query = """
        SELECT e.notification_id, e.state ->> 'source', e.state ->> 'id' FROM (
            SELECT notification_id, convert_from(state, 'UTF8')::jsonb AS state FROM store.event
            WHERE notification_id = ANY(:positions)
        ) e
    """
    rows = connection.execute(sa.text(query), {"positions": sorted(positions)})
    return {position: (source, number) for position, source, number in rows}


def _mapped(connection: sa.Connection, query: sa.Select[Any]) -> Iterator[Deficiency]:
    for row in connection.execute(query).mappings():
        yield _deficiency(dict(row))
