"""How many voters vote at each polling station, in the register on a day or on a frozen roll; counts only."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from typing import Any, Final

import psycopg

from register.law.deficiencies.stations import StreetCount

Connection = psycopg.Connection[Any]

#: Who votes at the station of the address: entered, counting there, with no option to vote elsewhere. Counted by
#: address first: the planner takes so many conditions for very rare, and would join a municipality's voters with all
#: of its addresses (a million events: more than five minutes instead of seconds).
_AT_ADDRESSES: Final = """
    WITH v AS MATERIALIZED (
        SELECT counts_in, address_key, settlement, street, count(*) AS voters FROM projection.stretch
        WHERE entered AND counts_in = municipality AND voting_option = 'regular'
            AND known @> (SELECT position FROM projection.progress WHERE part = 0)
            AND days @> %(day)s::date AND counts_in = ANY(%(towns)s)
        GROUP BY 1, 2, 3, 4
    )
"""
_AT_STATIONS: Final = """
    FROM v JOIN projection.coverage c ON c.municipality = v.counts_in AND c.address_key = v.address_key
    WHERE upper_inf(c.known) AND c.days @> %(day)s::date AND c.station IS NOT NULL
"""
_ON_ROLL: Final = """
    FROM projection.roll WHERE election = %(election)s AND municipality = %(town)s AND list_kind = 'polling-station'
"""


def voters_by_station(connection: Connection, day: date, towns: Collection[str]) -> dict[tuple[str, str], int]:
    """By municipality and station, how many vote there on a day, as known now; one pass over the register."""
    query = f"{_AT_ADDRESSES} SELECT v.counts_in, c.station, sum(v.voters)::int8 {_AT_STATIONS} GROUP BY 1, 2"
    rows = connection.execute(query.encode(), {"day": day, "towns": sorted(towns)})
    return {(town, station): voters for town, station, voters in rows}


def streets_on(connection: Connection, day: date, town: str) -> dict[str, list[StreetCount]]:
    """By station of a municipality, how many of its voters live in which street, as known now."""
    query = (
        f"{_AT_ADDRESSES} SELECT c.station, v.settlement, v.street, sum(v.voters)::int8 {_AT_STATIONS} GROUP BY 1, 2, 3"
    )
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
