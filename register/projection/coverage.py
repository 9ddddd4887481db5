"""Which station covers which address, in a two-axis table of its own: a change of a catchment rewrites no voter."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

import psycopg
from psycopg.types.range import Range

from register.law.dossier import live
from register.law.events import Event, PollingStation, PollingStationAbolished
from register.law.territory import Address, Coverage, Covering
from register.store import Store

Connection = psycopg.Connection[Any]
#: (municipality, address key) -> the address, and the position at which a stretch first had it.
NewAddresses = dict[tuple[str, str], tuple[Address, int]]
Row = tuple[str, str, Range[Any], Range[int], str | None, bool]


def coverage_of(connection: Connection, store: Store, municipality: str, upto: int) -> Coverage:
    """The stations of a municipality as known at a position, ready to be asked for addresses."""
    rows = connection.execute("SELECT stream FROM projection.station WHERE municipality = %s", (municipality,))
    streams = store.streams([row[0] for row in rows], upto=upto)
    return Coverage(municipality, [e for events in streams.values() for e in live(events)])


def follow_coverage(
    connection: Connection, store: Store, addresses: NewAddresses, stations: Iterable[Event], upto: int
) -> None:
    """Take a batch into the coverage: addresses that stretches began to have, and events about polling stations.

    Each event finds the addresses known before it; an address is covered as the stations stood at its own position.
    """
    left = dict(addresses)
    for event in stations:
        municipality = _municipality_of(connection, event)
        before = {k: a for k, a in left.items() if k[0] == municipality and a[1] < event.position}
        _cover_new_addresses(connection, store, before, event.position - 1)
        left = {k: a for k, a in left.items() if k not in before}
        _take_station_event(connection, store, event, municipality)
    _cover_new_addresses(connection, store, left, upto)


def _municipality_of(connection: Connection, event: Event) -> str:
    """The municipality of an event about a polling station; a station heard of for the first time is noted."""
    data = event.data
    if isinstance(data, PollingStation | PollingStationAbolished):
        connection.execute(
            "INSERT INTO projection.station VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
            (event.stream, data.municipality, data.code),
        )
        return data.municipality
    row = connection.execute(
        "SELECT municipality FROM projection.station WHERE stream = %s", (event.stream,)
    ).fetchone()
    if row is None:
        raise LookupError("an event about a polling station lies in the stream of none")
    return str(row[0])


def _cover_new_addresses(connection: Connection, store: Store, addresses: NewAddresses, upto: int) -> None:
    """Resolve the addresses that no stretch had before, by the stations as known at ``upto``."""
    if not addresses:
        return
    known = connection.execute(
        """
        SELECT w.municipality, w.address_key FROM unnest(%s::text[], %s::text[]) AS w(municipality, address_key)
        WHERE EXISTS (SELECT FROM projection.coverage c
                      WHERE c.municipality = w.municipality AND c.address_key = w.address_key)
        """,
        ([m for m, _ in addresses], [k for _, k in addresses]),
    ).fetchall()
    new = {key: addresses[key] for key in addresses.keys() - set(known)}
    indexes = {m: coverage_of(connection, store, m, upto) for m in {m for m, _ in new}}
    rows: list[Row] = []
    for (municipality, key), (address, position) in new.items():
        rows.extend(_rows(municipality, key, indexes[municipality].resolve(address), position))
    _insert(connection, rows)


def _take_station_event(connection: Connection, store: Store, event: Event, municipality: str) -> None:
    """Resolve the municipality's addresses again, and write those that are now covered otherwise."""
    index = coverage_of(connection, store, municipality, event.position)
    now: dict[str, list[tuple[Any, Any, str | None, bool]]] = {}
    for key, days, station, ambiguous in connection.execute(
        """
        SELECT address_key, days, station, ambiguous FROM projection.coverage
        WHERE municipality = %s AND upper_inf(known) ORDER BY address_key, days
        """,
        (municipality,),
    ):
        now.setdefault(key, []).append((days.lower, days.upper, station, ambiguous))
    closed: list[str] = []
    rows: list[Row] = []
    for key, old in now.items():
        settlement, street, number = key.split("\x1f")
        address = Address(municipality, settlement or None, street or None, number or None)
        covered = _rows(municipality, key, index.resolve(address), event.position)
        if [(r[2].lower, r[2].upper, r[4], r[5]) for r in covered] != old:
            closed.append(key)
            rows.extend(covered)
    if closed:
        connection.execute(
            """
            UPDATE projection.coverage SET known = int8range(lower(known), %s)
            WHERE municipality = %s AND address_key = ANY(%s) AND upper_inf(known)
            """,
            (event.position, municipality, closed),
        )
        _insert(connection, rows)


def _rows(municipality: str, key: str, coverings: Iterable[Covering], position: int) -> list[Row]:
    """One row for each stretch of days, over all days: before the first station event no station covers."""
    stretches: list[tuple[date | None, date | None, str | None, bool]] = [
        (c.from_, c.to, c.station, c.ambiguous) for c in coverings
    ]
    if not stretches:
        stretches = [(None, None, None, False)]
    elif stretches[0][2] is None:
        stretches[0] = (None, *stretches[0][1:])
    else:
        stretches.insert(0, (None, stretches[0][0], None, False))
    known: Range[int] = Range(position, None, "[)")
    return [
        (municipality, key, Range(lower, upper, "[)"), known, code, ambiguous)
        for lower, upper, code, ambiguous in stretches
    ]


def _insert(connection: Connection, rows: Iterable[Row]) -> None:
    columns = "municipality, address_key, days, known, station, ambiguous"
    statement = f"COPY projection.coverage ({columns}) FROM STDIN (FORMAT BINARY)"
    with connection.cursor().copy(statement) as out:
        out.set_types(["text", "text", "daterange", "int8range", "text", "bool"])
        for row in rows:
            out.write_row(row)
