"""Provisional excerpts: the register as it stood on a day, as known at a fixed position; no roll has a part in it.

With an election they show the day before its call, by everything recorded before the call, and are drawn while they
are on display (E-120 to E-90, later law). Without one they show a day the CEC names, twice a year.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any, Final
from uuid import UUID

import msgspec
import sqlalchemy as sa

from register.excerpts.from_roll import ListScope, NotReadyError, title_of
from register.excerpts.rows import ListHead, ListRow, Script
from register.law import alphabet
from register.law.calendar import calendar_of
from register.law.events import ElectionCalled
from register.law.provisions import Refusal
from register.log.tables import CHECKPOINT
from register.projection import queries
from register.store import Store

PROVISION: Final = "Art. 3.6 b; later law, E-120 to E-90"
#: Without an election, so many days of a year may be shown.
DAYS_A_YEAR: Final = 2
_ALPHABET: Final[dict[Script, alphabet.Script]] = {"latin": "Latn", "cyrillic": "Cyrl"}
#: Entered on a day, as known at a position, each with the station that covers the address if the voter votes there.
_VOTERS: Final = """
    SELECT s.person, s.sort_key, s.surname, s.given_name, s.parent_name, s.born_on, s.counts_in,
           CASE WHEN s.voting_option = 'regular' AND s.counts_in = s.municipality THEN c.station END AS station
    FROM projection.stretch s
    LEFT JOIN projection.coverage c ON c.municipality = s.municipality AND c.address_key = s.address_key
         AND c.days @> CAST(:on AS date) AND c.known @> CAST(:known AS bigint)
    WHERE s.entered AND s.days @> CAST(:on AS date) AND s.known @> CAST(:known AS bigint)
          AND (CAST(:municipality AS text) IS NULL OR s.counts_in = :municipality)
"""


class Standing(msgspec.Struct, frozen=True):
    """What a provisional excerpt rests on: the day, the position, and a signed tree head that covers it.

    ``called`` is the call of the election it is for, None without one.
    """

    called: ElectionCalled | None
    as_of: date
    position: int
    log_size: int
    log_origin: str
    log_root: bytes


def settle(
    connection: sa.Connection, store: Store, election: str | None, as_of: date | None, today: date
) -> tuple[date, int]:
    """The day and the position a provisional excerpt asked for today shows.

    Raises ``LookupError`` for an election that was never called, ``Refusal("calendar")`` outside the days of display
    or for a day to come, :class:`NotReadyError` while nothing is sealed yet.
    """
    if election is not None:
        called, called_at = call_of(store, election)
        return _display(called, today), called_at - 1
    if as_of is None or as_of > today:
        raise Refusal("calendar", "The register is shown as of a day that has come", provision=PROVISION)
    here = queries.position(connection)
    sealed = connection.scalar(sa.select(sa.func.max(CHECKPOINT.c.size)).where(CHECKPOINT.c.size <= here))
    if sealed is None:
        raise NotReadyError("the log is not sealed yet")
    return as_of, int(sealed)


def _display(called: ElectionCalled, today: date) -> date:
    days = calendar_of(called)
    if days.display_from is None or days.display_to is None or days.provisional_as_of is None:
        raise Refusal("calendar", "An early election has no display of provisional excerpts", provision=PROVISION)
    if not days.display_from <= today <= days.display_to:
        span = f"from {days.display_from} to {days.display_to}"
        sentence = f"Provisional excerpts of this election are drawn and displayed {span}"
        raise Refusal("calendar", sentence, provision=PROVISION)
    return days.provisional_as_of


def call_of(store: Store, election: str) -> tuple[ElectionCalled, int]:
    """The call of an election and its position. Raises ``LookupError`` for one that was never called."""
    stream = store.stream_of(f"election:{election}")
    for event in [] if stream is None else store.stream(stream):
        if isinstance(event.data, ElectionCalled):
            return event.data, event.position
    raise LookupError(election)


def standing_of(connection: sa.Connection, store: Store, election: str, as_of: date, position: int) -> Standing:
    """What an excerpt settled on rests on: its tree head is the first signed one that covers the position.

    Raises :class:`NotReadyError` while there is none, or the register's tables are behind.
    """
    if queries.position(connection) < position:
        raise NotReadyError("the register's tables are behind")
    covering = sa.select(CHECKPOINT).where(CHECKPOINT.c.size >= position).order_by(CHECKPOINT.c.size).limit(1)
    sealed = connection.execute(covering).one_or_none()
    if sealed is None:
        raise NotReadyError("the log is not sealed at this position yet")
    return Standing(
        called=call_of(store, election)[0] if election else None,
        as_of=as_of,
        position=position,
        log_size=int(sealed.size),
        log_origin=sealed.note.partition("\n")[0],
        log_root=bytes(sealed.root),
    )


def lists_of(connection: sa.Connection, as_of: date, position: int, within: ListScope) -> list[ListScope]:
    """A list for each polling station, and one for those of a municipality who vote at none of its stations."""
    query = sa.text(f"SELECT DISTINCT v.counts_in, v.station FROM ({_VOTERS}) v")
    found = connection.execute(query, _terms(as_of, position, within.municipality))
    scopes = {ListScope(municipality=code, station=station) for code, station in found}
    if within.station is not None:
        scopes = {scope for scope in scopes if scope.station == within.station}
    return sorted(scopes, key=lambda s: (s.municipality or "", s.station or ""))


def head_of(standing: Standing, scope: ListScope, script: Script, names: Mapping[str, str]) -> ListHead:
    """The identity of one list; ``names`` are the municipalities' names by code."""
    return ListHead(
        election="" if standing.called is None else standing.called.election,
        title="" if standing.called is None else title_of(standing.called, script),
        day=standing.as_of,
        kind="provisional",
        script=script,
        position=standing.position,
        log_size=standing.log_size,
        log_root=base64.b64encode(standing.log_root).decode(),
        log_origin=standing.log_origin,
        municipality=scope.municipality,
        municipality_name=None if scope.municipality is None else names[scope.municipality],
        station_code=scope.station,
    )


def rows_of(
    connection: sa.Connection, standing: Standing, municipality: str, stations: Sequence[str | None], script: Script
) -> dict[str | None, list[ListRow]]:
    """The rows of these stations of a municipality, each in the order of the script's alphabet, then by person."""
    query = sa.text(
        f"SELECT * FROM ({_VOTERS}) v WHERE v.station = ANY(:stations) OR (v.station IS NULL AND :without)"
        " ORDER BY v.sort_key, v.person"
    )
    terms = _terms(standing.as_of, standing.position, municipality)
    terms |= {"stations": [station for station in stations if station is not None], "without": None in stations}
    found: dict[str | None, list[Mapping[str, Any]]] = {station: [] for station in stations}
    for row in connection.execute(query, terms).mappings():
        found[row["station"]].append(dict(row))
    return {station: list(_rows(rows, script)) for station, rows in found.items()}


def _rows(found: list[Mapping[str, Any]], script: Script) -> Iterator[ListRow]:
    if script != "latin":
        found.sort(key=lambda row: _place(row, script))
    for no, row in enumerate(found, 1):
        names = (row["surname"], row["given_name"], row["parent_name"])
        surname, given_name, parent_name = map(alphabet.to_latin, names) if script == "latin" else names
        yield ListRow(
            no=no,
            surname=surname,
            given_name=given_name,
            parent_name=parent_name,
            born_on=row["born_on"],
            municipality=row["counts_in"],
            polling_station=row["station"] or "",
        )


def _place(row: Mapping[str, Any], script: Script) -> tuple[bytes, UUID]:
    key = alphabet.sort_key(row["surname"], row["given_name"], row["parent_name"], row["born_on"], _ALPHABET[script])
    return key, row["person"]


def _terms(as_of: date, position: int, municipality: str | None) -> dict[str, Any]:
    return {"on": as_of, "known": position, "municipality": municipality}
