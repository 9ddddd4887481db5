"""How many voters vote at each polling station, in the register on a day or on a frozen roll; counts only."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from typing import Any, Final

import psycopg

from register.law.deficiencies.stations import StreetCount

Connection = psycopg.Connection[Any]

#: Who votes at the station of the address: entered, counting there, with no option to vote elsewhere.
_AT_STATIONS: Final = """
    FROM projection.stretch s
    JOIN projection.coverage c ON c.municipality = s.municipality AND c.address_key = s.address_key
    WHERE s.entered AND s.counts_in = s.municipality AND s.voting_option = 'regular'
        AND s.known @> (SELECT position FROM projection.progress WHERE part = 0)
        AND s.days @> %(day)s::date AND upper_inf(c.known) AND c.days @> %(day)s::date AND c.station IS NOT NULL
        AND s.counts_in = ANY(%(towns)s)
"""
_ON_ROLL: Final = """
    FROM projection.roll WHERE election = %(election)s AND municipality = %(town)s AND list_kind = 'polling-station'
"""


def voters_by_station(connection: Connection, day: date, towns: Collection[str]) -> dict[tuple[str, str], int]:
    """By municipality and station, how many vote there on a day, as known now; one pass over the register."""
    query = f"SELECT s.counts_in, c.station, count(*) {_AT_STATIONS} GROUP BY 1, 2"
    rows = connection.execute(query.encode(), {"day": day, "towns": sorted(towns)})
    return {(town, station): voters for town, station, voters in rows}


def streets_on(connection: Connection, day: date, town: str) -> dict[str, list[StreetCount]]:
    """By station of a municipality, how many of its voters live in which street, as known now."""
    query = f"SELECT c.station, s.settlement, s.street, count(*) {_AT_STATIONS} GROUP BY 1, 2, 3"
    return _by_station(connection.execute(query.encode(), {"day": day, "towns": [town]}))


def streets_of_roll(connection: Connection, election: str, town: str) -> dict[str, list[StreetCount]]:
    """The same of a frozen roll."""
    query = f"SELECT station, settlement, street, count(*) {_ON_ROLL} GROUP BY 1, 2, 3"
    return _by_station(connection.execute(query.encode(), {"election": election, "town": town}))


def _by_station(rows: Any) -> dict[str, list[StreetCount]]:
    found: dict[str, list[StreetCount]] = {}
    for station, settlement, street, voters in rows:
        found.setdefault(station, []).append(StreetCount(settlement, street, voters))
    return found
