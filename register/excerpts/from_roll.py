"""From the frozen roll of a concluded election to its lists: which lists there are, their heads, their rows.

Everything is a function of the frozen roll, the events up to the conclusion and the log's tree head of exactly the
conclusion's size, so that the same list has the same bytes whenever it is drawn (Election Law, Art. 3.6 b, c, e).
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from typing import Any, Final, Literal, cast
from unicodedata import category, normalize
from uuid import UUID

import msgspec
import psycopg
import sqlalchemy as sa

from register.excerpts.render_pdf import LANGUAGE
from register.excerpts.rows import Kind, ListHead, ListRow, Remark, Script
from register.excerpts.words import translations
from register.law import alphabet
from register.law.calendar import calendar_of, civil_day
from register.law.dossier import live
from register.law.events import ElectionCalled, ElectionConcluded, Event, PollingStation
from register.law.provisions import Refusal
from register.law.territory import stations_on
from register.log.tables import CHECKPOINT
from register.projection.tables import frozen_roll, roll
from register.store import Store
from register.store.subjects import streams_of_kind

#: What is drawn from a concluded roll, each kind by the lists of its own.
DrawnKind = Literal[
    "polling-station",
    "in-person-1991",
    "absentee-1991",
    "mail",
    "diplomatic-mission",
    "mobile-team",
    "marked-deceased",
    "statistics",
]
DRAWN_KINDS: Final[tuple[DrawnKind, ...]] = (
    "polling-station",
    "in-person-1991",
    "absentee-1991",
    "mail",
    "diplomatic-mission",
    "mobile-team",
    "marked-deceased",
    "statistics",
)
#: Kinds that gather voters of several lists of the roll, and therefore bring them into an order of their own.
OVERLAYS: Final[frozenset[DrawnKind]] = frozenset({"mobile-team", "marked-deceased"})
_ALPHABET: Final[dict[Script, alphabet.Script]] = {"latin": "Latn", "cyrillic": "Cyrl"}
#: (kind, early) -> English message of the catalogue.
_TITLE: Final = {
    ("general", False): "General elections {day}",
    ("general", True): "Early general elections {day}",
    ("local", False): "Local elections {day}",
    ("local", True): "Early local elections {day}",
}
_RUNOFF: Final = "Second round of elections {day}"


class NotReadyError(Exception):
    """The roll is not frozen yet, or the log not sealed at the conclusion: ask again in a moment."""


class ListScope(msgspec.Struct, frozen=True, order=True):
    """What one list covers: a municipality, one of its polling stations, or a diplomatic mission."""

    municipality: str | None = None
    station: str | None = None
    mission: str | None = None


class Basis(msgspec.Struct, frozen=True):
    """What every list of an election rests on; ``root`` is that of the tree of exactly ``conclusion`` events.

    ``stations`` are those of kind ``regular`` in force on the day of the conclusion, by municipality and code.
    """

    called: ElectionCalled
    conclusion: int
    concluded_on: date
    log_origin: str
    log_root: bytes
    stations: Mapping[tuple[str, str], PollingStation]


def basis_of(connection: sa.Connection, store: Store, election: str) -> Basis:
    """What the lists of an election rest on.

    Raises ``LookupError`` for an election that was never called, ``Refusal("calendar")`` (Art. 3.6 e) before its
    conclusion, :class:`NotReadyError` while the roll is not frozen or the log not sealed at the conclusion.
    """
    called, conclusion, concluded_at = _election(store, election)
    frozen = connection.scalar(sa.select(frozen_roll.c.conclusion).where(frozen_roll.c.election == election))
    if frozen != conclusion:
        raise NotReadyError("the roll is being frozen")
    sealed = connection.execute(
        sa.select(CHECKPOINT.c.root, CHECKPOINT.c.note).where(CHECKPOINT.c.size == conclusion)
    ).one_or_none()
    if sealed is None:
        raise NotReadyError("the log is not sealed at the conclusion yet")
    return Basis(
        called=called,
        conclusion=conclusion,
        concluded_on=civil_day(concluded_at),
        log_origin=sealed.note.partition("\n")[0],
        log_root=bytes(sealed.root),
        stations=_stations(connection, store, called, conclusion - 1),
    )


def lists_of(connection: sa.Connection, basis: Basis, kind: DrawnKind, within: ListScope) -> list[ListScope]:
    """The lists of a kind within a scope, in a fixed order.

    A polling station in force has a list even if nobody votes there; other lists are there if they have voters. By
    mail a municipality's voters make a list, at a mission the whole country's (or those of the scope's municipality).
    """
    if kind == "statistics":
        return [ListScope(municipality=within.municipality)]
    where = _voters(basis.called.election, kind, within)
    if kind == "diplomatic-mission":
        found = connection.scalars(sa.select(roll.c.mission).where(*where).distinct())
        scopes = {ListScope(municipality=within.municipality, mission=mission) for mission in found}
    elif kind == "polling-station":
        pairs = connection.execute(sa.select(roll.c.municipality, roll.c.station).where(*where).distinct())
        scopes = {ListScope(municipality=code, station=station) for code, station in pairs}
        scopes |= {
            ListScope(municipality=code, station=station)
            for code, station in basis.stations
            if within.municipality in (None, code) and within.station in (None, station)
        }
    else:
        found = connection.scalars(sa.select(roll.c.municipality).where(*where).distinct())
        scopes = {ListScope(municipality=code) for code in found}
    return sorted(scopes, key=lambda s: (s.municipality or "", s.station or "", s.mission or ""))


def head_of(basis: Basis, kind: Kind, scope: ListScope, script: Script, names: Mapping[str, str]) -> ListHead:
    """The identity of one list. ``names`` are the municipalities' names by code; they stand as they are recorded."""
    station = basis.stations.get((scope.municipality or "", scope.station or ""))
    code, name = scope.station, None if station is None else station.name
    if scope.mission is not None:
        code, name = mission_code(scope.mission), scope.mission
    return ListHead(
        election=basis.called.election,
        title=title_of(basis.called, script),
        day=basis.called.day,
        kind=kind,
        script=script,
        position=basis.conclusion,
        log_size=basis.conclusion,
        log_root=base64.b64encode(basis.log_root).decode(),
        log_origin=basis.log_origin,
        municipality=scope.municipality,
        municipality_name=None if scope.municipality is None else names[scope.municipality],
        station_code=code,
        station_name=name,
        station_address=None if station is None else station.address,
        concluded_on=basis.concluded_on,
    )


def rows_of(
    connection: sa.Connection, election: str, kind: DrawnKind, scope: ListScope, script: Script
) -> Iterator[ListRow]:
    """The rows of one list, in the order of its script's alphabet, then by the person's least stream."""
    query = sa.select(roll).where(*_voters(election, kind, scope)).order_by(roll.c.no)
    found: list[Any] = list(connection.execute(query).mappings())
    if script != "latin" or kind in OVERLAYS or (kind == "diplomatic-mission" and scope.municipality is None):
        found.sort(key=lambda row: placed_in(row, script))  # the roll's own order is the Latin one, by list
    for no, row in enumerate(found, 1):
        yield row_of(no, row, script)


def title_of(called: ElectionCalled, script: Script) -> str:
    """What the election is called on a list, in the list's language: "Opći izbori 4. 10. 2026."."""
    day = f"{called.day.day}. {called.day.month}. {called.day.year}."
    said = _TITLE[called.kind, called.early] if called.runoff_of is None else _RUNOFF
    return translations(LANGUAGE[script]).gettext(said).format(day=day)


def mission_code(mission: str) -> str:
    """A code for a mission that commissions name in free text: safe in a file name, different for different names."""
    name = normalize("NFC", mission)
    plain = normalize("NFD", alphabet.to_latin(name).translate({0x111: "dj", 0x110: "Dj"}))
    letters = "".join(sign for sign in plain if category(sign)[0] != "M").lower()
    slug = re.sub(r"[^a-z0-9]+", "-", letters).strip("-")[:40].strip("-")
    return f"{slug or 'mission'}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def _election(store: Store, election: str) -> tuple[ElectionCalled, int, datetime]:
    stream = store.stream_of(f"election:{election}")
    events = [] if stream is None else store.stream(stream)
    called = next((e.data for e in events if isinstance(e.data, ElectionCalled)), None)
    if called is None:
        raise LookupError(election)
    concluded = next((e for e in events if isinstance(e.data, ElectionConcluded)), None)
    if concluded is None:
        sentence = "Excerpts are drawn from the concluded roll; this election's roll is not concluded"
        raise Refusal("calendar", sentence, provision="Art. 3.6 e")
    return called, concluded.position, concluded.recorded_at


def _stations(
    connection: sa.Connection, store: Store, called: ElectionCalled, upto: int
) -> dict[tuple[str, str], PollingStation]:
    raw = cast("psycopg.Connection[Any]", connection.connection.driver_connection)
    streams = store.streams(streams_of_kind(raw, "station"), upto=upto)
    return stations_of(called, (event for events in streams.values() for event in live(events)))


def stations_of(called: ElectionCalled, events: Iterable[Event]) -> dict[tuple[str, str], PollingStation]:
    """The stations of an election by municipality and code. ``events``: the live ones up to its conclusion."""
    found = stations_on(events, calendar_of(called).conclusion_day)
    held_in = set(called.municipalities)
    return {key: data for key, data in found.items() if not held_in or key[0] in held_in}


def _voters(election: str, kind: DrawnKind, scope: ListScope) -> list[sa.ColumnElement[bool]]:
    """Which rows of the roll a list, or all lists of a kind, hold."""
    where = [roll.c.election == election]
    match kind:
        case "mobile-team":
            where.append(roll.c.mobile_team)
        case "marked-deceased":
            where.append(roll.c.marked_deceased)
        case _:
            where.append(roll.c.list_kind == kind)
    for column, value in (
        (roll.c.municipality, scope.municipality),
        (roll.c.station, scope.station),
        (roll.c.mission, scope.mission),
    ):
        if value is not None:
            where.append(column == value)
    return where


def placed_in(row: Mapping[str, Any], script: Script) -> tuple[bytes, UUID]:
    """Where a row of the roll stands on a list of a script: by its alphabet, then by the person's least stream."""
    key = alphabet.sort_key(row["surname"], row["given_name"], row["parent_name"], row["born_on"], _ALPHABET[script])
    return key, row["person"]


def row_of(no: int, row: Mapping[str, Any], script: Script) -> ListRow:
    """One voter. A Latin list prints a name recorded in Cyrillic in Latin letters, which loses nothing; the other way
    would be a guess (nj, lj, dž), so that a Cyrillic list prints names as they were recorded.
    """
    names = (row["surname"], row["given_name"], row["parent_name"])
    surname, given_name, parent_name = map(alphabet.to_latin, names) if script == "latin" else names
    remark: Remark = "*M" if row["marked_deceased"] and row["mobile_team"] else "M" if row["mobile_team"] else ""
    return ListRow(
        no=no,
        surname=surname,
        given_name=given_name,
        parent_name=parent_name,
        born_on=row["born_on"],
        remark="*" if row["marked_deceased"] and not remark else remark,
        municipality=row["municipality"],
        polling_station=row["station"] or "",
        settlement=row["settlement"] or "",
        street=row["street"] or "",
        house_number=row["house_number"] or "",
        country=row["country"] or "",
        foreign_address=row["foreign_address"] or "",
        mission=row["mission"] or "",
        jmb=row["jmb"],
        sex=row["sex"] or "",
        voting_option=row["voting_option"],
    )
