"""Which station covers which address, in a two-axis table of its own: a change of a catchment rewrites no voter."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from itertools import groupby
from operator import attrgetter, itemgetter
from typing import Any, Final
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.types.json import Json

from register.law.alphabet import fold
from register.law.dossier import live
from register.law.events import Event, PollingStation, PollingStationAbolished
from register.law.franchise import ALWAYS, FOREVER
from register.law.territory import Address, Coverage, Covering
from register.projection.copying import copy, for_copy, rendered_days, rendered_positions
from register.projection.rows import COVERAGE_COLUMNS
from register.store import Store

Connection = psycopg.Connection[Any]
#: (municipality, address key) -> the address, and the position at which a stretch first had it.
NewAddresses = dict[tuple[str, str], tuple[Address, int]]
#: Days (None: open on that side), the station that covers an address on them, and whether another claims it too.
Covered = tuple[date | None, date | None, str | None, bool]
#: (municipality, address key, days and station, position from which it is known so)
Row = tuple[str, str, Covered, int]


def _stations(connection: Connection, store: Store, municipality: str, upto: int) -> dict[UUID, list[Event]]:
    """The streams of the stations of a municipality, up to a position."""
    rows = connection.execute("SELECT stream FROM projection.station WHERE municipality = %s", (municipality,))
    return store.streams([row[0] for row in rows], upto=upto)


def _coverage(municipality: str, stations: Mapping[UUID, Iterable[Event]]) -> Coverage:
    """Streams of stations, ready to be asked for addresses."""
    return Coverage(municipality, [e for events in stations.values() for e in live(events)])


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


def leave_new_addresses(connection: Connection, addresses: NewAddresses) -> None:
    """Leave addresses that stretches began to have to the common part, which alone covers; but for covered ones."""
    if not addresses:
        return
    connection.execute(
        """
        INSERT INTO projection.new_address
        SELECT n.municipality, n.address_key, n.position::int8
        FROM ROWS FROM (
            json_array_elements_text(%s), json_array_elements_text(%s), json_array_elements_text(%s)
        ) AS n(municipality, address_key, position)
        WHERE NOT EXISTS (SELECT FROM projection.coverage c
                          WHERE c.municipality = n.municipality AND c.address_key = n.address_key)
        """,
        (
            Json([municipality for municipality, _ in addresses]),
            Json([key for _, key in addresses]),
            Json([position for _, position in addresses.values()]),
        ),
    )


def take_new_addresses(connection: Connection, upto: int) -> NewAddresses:
    """Take what was left up to a position: each address with the position at which a stretch first had it."""
    rows = connection.execute(
        """
        WITH taken AS (DELETE FROM projection.new_address WHERE position <= %s RETURNING *)
        SELECT municipality, address_key, min(position) FROM taken GROUP BY 1, 2
        """,
        (upto,),
    ).fetchall()
    return {(municipality, key): (_address(municipality, key), position) for municipality, key, position in rows}


def _address(municipality: str, key: str) -> Address:
    settlement, street, number = key.split("\x1f")
    return Address(municipality, settlement or None, street or None, number or None)


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
    # As JSON: psycopg writes arrays of texts slowly.
    known = connection.execute(
        """
        SELECT w.municipality, w.address_key
        FROM ROWS FROM (json_array_elements_text(%s), json_array_elements_text(%s)) AS w(municipality, address_key)
        WHERE EXISTS (SELECT FROM projection.coverage c
                      WHERE c.municipality = w.municipality AND c.address_key = w.address_key)
        """,
        (Json([m for m, _ in addresses]), Json([k for _, k in addresses])),
    ).fetchall()
    new = {key: addresses[key] for key in addresses.keys() - set(known)}
    indexes = {m: _coverage(m, _stations(connection, store, m, upto)) for m in {m for m, _ in new}}
    rows: list[Row] = []
    for (municipality, key), (address, position) in new.items():
        rows.extend(_rows(municipality, key, indexes[municipality].resolve(address), position))
    _insert(connection, rows)


def _take_station_event(connection: Connection, store: Store, event: Event, municipality: str) -> None:
    """Resolve again the addresses that the station ever claimed, and write those that are now covered otherwise."""
    stations = _stations(connection, store, municipality, event.position)
    index = _coverage(municipality, stations)
    now: dict[str, list[Covered]] = {}
    for key, lower, upper, station, ambiguous in _claimed(connection, municipality, stations[event.stream]):
        now.setdefault(key, []).append((lower, upper, station, ambiguous))
    closed: list[str] = []
    rows: list[Row] = []
    for key, old in now.items():
        covered = _rows(municipality, key, index.resolve(_address(municipality, key)), event.position)
        if [days_and_station for _, _, days_and_station, _ in covered] != old:
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


def _claimed(connection: Connection, municipality: str, station: Iterable[Event]) -> list[tuple[Any, ...]]:
    """The coverage of the addresses that one station claims or claimed, as it stands.

    No event of the station changes who covers another address: which one decides there is a matter of the entries that
    match it. Nor does it matter that the stations' first day may move, since before it no station covers anything.
    """
    entries = [entry for event in station if isinstance(event.data, PollingStation) for entry in event.data.catchment]
    everywhere = any(entry.settlement is None and entry.street is None for entry in entries)
    settlements = {fold(entry.settlement) for entry in entries if entry.street is None and entry.settlement is not None}
    streets = {fold(entry.street) for entry in entries if entry.street is not None}
    return connection.execute(
        """
        SELECT address_key, lower(days), upper(days), station, ambiguous FROM projection.coverage
        WHERE municipality = %s AND upper_inf(known)
          AND (%s OR split_part(address_key, E'\\x1f', 1) = ANY(%s) OR split_part(address_key, E'\\x1f', 2) = ANY(%s))
        ORDER BY address_key, days
        """,
        (municipality, everywhere, sorted(settlements), sorted(streets)),
        binary=True,
    ).fetchall()


def _rows(municipality: str, key: str, coverings: Iterable[Covering], position: int) -> list[Row]:
    """One row for each stretch of days, over all days: before the first station event no station covers."""
    stretches: list[Covered] = [(c.from_, c.to, c.station, c.ambiguous) for c in coverings]
    if not stretches:
        stretches = [(None, None, None, False)]
    elif stretches[0][2] is None:
        stretches[0] = (None, *stretches[0][1:])
    else:
        stretches.insert(0, (None, stretches[0][0], None, False))
    return [(municipality, key, covered, position) for covered in stretches]


def _insert(connection: Connection, rows: Iterable[Row]) -> None:
    to_copy = (
        (
            municipality,
            key,
            rendered_days(lower or ALWAYS, upper or FOREVER),
            rendered_positions(position, None),
            station,
            ambiguous,
        )
        for municipality, key, (lower, upper, station, ambiguous), position in rows
    )
    copy(connection, "coverage", for_copy(COVERAGE_COLUMNS), to_copy)


_ADDRESSES: Final = sql.SQL(
    """
    SELECT municipality, address_key, min(lower(known)) FROM projection.stretch
    WHERE municipality IS NOT NULL AND address_key IS NOT NULL AND abs(hashtext(municipality) % {}) = {}
    GROUP BY 1, 2 ORDER BY 1, 2
    """
)
_PAGE: Final = "FETCH 5000 FROM addresses"


def cover_whole(connection: Connection, store: Store, upto: int, share: int, shares: int) -> int:
    """Cover every address the stretches have, at every position up to ``upto``; how many addresses.

    For a fresh table. ``share`` of ``shares``: the municipalities are dealt out among so many calls.
    """
    asked, found = _ADDRESSES.format(sql.Literal(shares), sql.Literal(share)), 0
    with connection.transaction():
        connection.execute(sql.SQL("DECLARE addresses NO SCROLL CURSOR FOR ") + asked)
        for municipality, addresses in groupby(_fetched(connection), itemgetter(0)):
            events = [e for events in _stations(connection, store, municipality, upto).values() for e in events]
            whole = list(addresses)  # of one municipality: no page can be fetched while rows are copied
            _insert_spans(connection, municipality, _Histories(municipality, events), whole)
            found += len(whole)
        connection.execute("CLOSE addresses")
    return found


def _fetched(connection: Connection) -> Iterator[tuple[str, str, int]]:
    while page := connection.execute(_PAGE).fetchall():
        yield from page


class _Histories:
    """The stations of a municipality as known at every position."""

    def __init__(self, municipality: str, events: list[Event]) -> None:
        self._municipality = municipality
        self._events = sorted(events, key=attrgetter("position"))
        self._positions = [event.position for event in self._events]
        self._as_known: dict[int, Coverage] = {}

    def spans(self, key: str, since: int) -> Iterator[tuple[int, int | None, list[Covered]]]:
        """How an address that the register first had at ``since`` is covered: positions [from, to), days."""
        address = _address(self._municipality, key)
        earlier = bisect_right(self._positions, since)
        begun, standing = since, self._covered(earlier, key, address)
        for count in range(earlier + 1, len(self._events) + 1):
            covered = self._covered(count, key, address)
            if covered != standing:
                position = self._positions[count - 1]
                yield begun, position, standing
                begun, standing = position, covered
        yield begun, None, standing

    def _covered(self, count: int, key: str, address: Address) -> list[Covered]:
        found = self._as_known.get(count)
        if found is None:
            found = self._as_known[count] = Coverage(self._municipality, live(self._events[:count]))
        return [covered for _, _, covered, _ in _rows(self._municipality, key, found.resolve(address), 0)]


def _insert_spans(
    connection: Connection, municipality: str, histories: _Histories, addresses: Iterable[tuple[str, str, int]]
) -> None:
    to_copy = (
        (
            municipality,
            key,
            rendered_days(lower or ALWAYS, upper or FOREVER),
            rendered_positions(begun, ended),
            station,
            ambiguous,
        )
        for _, key, since in addresses
        for begun, ended, days in histories.spans(key, since)
        for lower, upper, station, ambiguous in days
    )
    copy(connection, "coverage", for_copy(COVERAGE_COLUMNS), to_copy)
