"""Tables that hang together with the stretches: coverage by stations, joined numbers, no overlaps, the accounts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from typing import Any, Final
from uuid import UUID

from register.audit.reading import Connection, decoded, one, rows_of, station_streams, streamed
from register.audit.verify.findings import Check, Findings, concluded
from register.law.dossier import live
from register.law.events import Event, PollingStation, PollingStationAbolished
from register.law.territory import Address, Coverage

_OVERLAPS: Final = """
    SELECT greatest(lower(a.known), lower(b.known)), a.person FROM projection.stretch a
    JOIN projection.stretch b ON a.person = b.person AND a.ctid < b.ctid AND a.days && b.days AND a.known && b.known
    ORDER BY 1
"""
_JOINED: Final = "SELECT stream, person, lower(known), upper(known) FROM projection.joined ORDER BY lower(known)"
_ADDRESSES: Final = """
    SELECT municipality, address_key, min(lower(known)) FROM projection.stretch
    WHERE municipality IS NOT NULL AND address_key IS NOT NULL AND lower(known) <= %s GROUP BY 1, 2
    ORDER BY municipality COLLATE "C", address_key COLLATE "C"
"""
_COVERAGE: Final = """
    SELECT municipality, address_key, isempty(days), lower(days), upper(days), lower(known), upper(known), station,
        ambiguous FROM projection.coverage
    ORDER BY municipality COLLATE "C", address_key COLLATE "C", lower(known), lower(days) NULLS FIRST
"""
_ENTERED: Final = """
    SELECT count(*) FROM projection.stretch WHERE entered AND days @> %s::date AND known @> %s::int8
"""
_MOVED: Final = """
    SELECT count(*) FILTER (WHERE action = 'entered'), count(*) FILTER (WHERE action = 'reinstated'),
        count(*) FILTER (WHERE action = 'deleted')
    FROM projection.audit_entry WHERE days @> %s::date AND position <= %s
"""

#: Days empty, their ends, the ends of the positions known, station, ambiguous.
_Covered = tuple[bool, date | None, date | None, int | None, int | None, str | None, bool]
_Place = tuple[str, str]


def check_overlaps(connection: Connection, stretches: int) -> Check:
    """No two stretches of a person may hold on the same day as known at the same position."""
    findings = Findings()
    for position, person in streamed(connection, _OVERLAPS):
        findings.add("two stretches of one person hold on the same day", position, person)
    return concluded("overlaps", "no person has two answers for one day", stretches, "stretches", findings)


def check_joined(connection: Connection, expected: Iterable[tuple[UUID, UUID, int, int | None]]) -> Check:
    """Which streams belong to a person of another id, and from which position to which."""
    must = set(expected)
    held = [tuple(row) for row in streamed(connection, _JOINED)]
    findings = Findings()
    for stream, _, since, _ in must - set(held):
        findings.add("a joined number is missing or otherwise", since, stream)
    for stream, _, since, _ in set(held) - must:
        findings.add("a joined number that no event gives", since, stream)
    for _ in range(len(held) - len(set(held))):
        findings.add("a joined number stands twice")
    return concluded("joined", "numbers joined by replacements are those the events join", len(must), "rows", findings)


def check_coverage(connection: Connection, position: int) -> Check:
    """Which station covers each address of the register, for all days and at every position."""
    stations = _Stations(connection, position)
    findings, count = Findings(), 0
    held = _groups(streamed(connection, _COVERAGE))
    found = next(held, None)
    for municipality, key, since in streamed(connection, _ADDRESSES, (position,)):
        place = (municipality, key)
        while found is not None and found[0] < place:
            _strange(found, findings)
            found = next(held, None)
        expected = stations.rows(municipality, key, since)
        rows = found[1] if found is not None and found[0] == place else []
        if rows:
            found = next(held, None)
        count += len(expected)
        if rows != expected:
            differing = [row for row in expected if row not in rows] + [row for row in rows if row not in expected]
            findings.add(f"an address in {municipality} is covered otherwise", _first(differing or rows))
    while found is not None:
        _strange(found, findings)
        found = next(held, None)
    return concluded("coverage", "each address is covered by the station the events name", count, "rows", findings)


def check_accounts(connection: Connection, position: int, days: Sequence[date]) -> Check:
    """entered(position, day) = entered + reinstated - deleted, from the empty event store on."""
    findings, detail = Findings(), []
    for day in days:
        standing = one(connection, _ENTERED, (day, position))
        moved = connection.execute(_MOVED, (day, position)).fetchone() or (0, 0, 0)
        entered, reinstated, deleted = (int(count) for count in moved)
        remainder = standing - (entered + reinstated - deleted)
        detail.append(
            {
                "day": day.isoformat(), "standing": standing, "entered": entered, "reinstated": reinstated,
                "deleted": deleted, "remainder": remainder,
            }
        )  # fmt: skip
        if remainder:
            findings.add(f"on {day.isoformat()} the accounts leave a remainder of {remainder}")
    what = "who stands entered is who was entered or reinstated and not deleted since"
    return concluded("accounts", what, len(days), "days", findings, detail=detail)


class _Stations:
    """The stations of each municipality as known at every position."""

    def __init__(self, connection: Connection, position: int) -> None:
        events = decoded(rows_of(connection, station_streams(connection, position), position), [])
        home = {e.stream: e.data.municipality for e in events if isinstance(e.data, _STATION)}
        self._events: defaultdict[str, list[Event]] = defaultdict(list)
        for event in events:
            if event.stream in home:  # else the station's own notice cannot be read: then that is named elsewhere
                self._events[home[event.stream]].append(event)
        self._as_known: dict[tuple[str, int], Coverage] = {}

    def rows(self, municipality: str, key: str, since: int) -> list[_Covered]:
        """The rows of an address that the register first had at position ``since``."""
        settlement, street, number = key.split("\x1f")
        address = Address(municipality, settlement or None, street or None, number or None)
        events = self._events[municipality]
        earlier = sum(event.position <= since for event in events)
        versions: list[tuple[int, list[Any]]] = []
        for count in range(earlier, len(events) + 1):
            days = _days(self._coverage(municipality, count), address)
            if not versions or versions[-1][1] != days:
                versions.append((since if count == earlier else events[count - 1].position, days))
        ends = [from_ for from_, _ in versions[1:]]
        return [
            (False, lower, upper, from_, to, station, ambiguous)
            for (from_, days), to in zip(versions, [*ends, None], strict=True)
            for lower, upper, station, ambiguous in days
        ]

    def _coverage(self, municipality: str, count: int) -> Coverage:
        """The stations by the first so many events; those of one municipality are kept at a time."""
        found = self._as_known.get((municipality, count))
        if found is None:
            if any(kept != municipality for kept, _ in self._as_known):
                self._as_known.clear()
            found = Coverage(municipality, live(self._events[municipality][:count]))
            self._as_known[municipality, count] = found
        return found


_STATION: Final = (PollingStation, PollingStationAbolished)


def _days(coverage: Coverage, address: Address) -> list[tuple[date | None, date | None, str | None, bool]]:
    """Who covers an address, over all days: nobody before the first event about a station."""
    days: list[tuple[date | None, date | None, str | None, bool]] = [
        (each.from_, each.to, each.station, each.ambiguous) for each in coverage.resolve(address)
    ]
    if not days:
        return [(None, None, None, False)]
    if days[0][2] is None:
        return [(None, *days[0][1:]), *days[1:]]
    return [(None, days[0][0], None, False), *days]


def _groups(rows: Iterable[tuple[Any, ...]]) -> Iterator[tuple[_Place, list[_Covered]]]:
    place: _Place | None = None
    gathered: list[_Covered] = []
    for municipality, key, *rest in rows:
        if place is not None and place != (municipality, key):
            yield place, gathered
            gathered = []
        place = (municipality, key)
        gathered.append(tuple(rest))
    if place is not None:
        yield place, gathered


def _first(rows: Iterable[_Covered]) -> int | None:
    """The first position at which any of the rows is known."""
    return min((row[3] for row in rows if row[3] is not None), default=None)


def _strange(found: tuple[_Place, list[_Covered]], findings: Findings) -> None:
    (municipality, _), rows = found
    findings.add(f"an address in {municipality} is covered that no stretch has", _first(rows))
