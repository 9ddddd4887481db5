"""What changed in the register of a day between two positions, and at which positions: the events that did it.

Who may have changed is found from the events between, in their order: the persons whose streams they are in, all whom
links may connect with these, and the voters at addresses that a station began or ceased to cover. What of them did
change is read from the stretches of these persons alone. No page looks at anybody else, however large the register.

An entry stands at the first position at which the person's answer changed; the order is by that, then by person.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date
from itertools import pairwise
from typing import Any, Final, Literal, NamedTuple
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from register.law.events import Event
from register.store.reading import decode_rows

#: What of a stretch is compared, with ``polling_station`` and the days: what the register shows of an entry.
SHOWN: Final = (
    "jmb",
    "entered",
    "grounds",
    "surname",
    "given_name",
    "parent_name",
    "sex",
    "born_on",
    "municipality",
    "settlement",
    "street",
    "house_number",
    "counts_in",
    "entity",
    "voting_option",
    "mobile_team",
    "marked_deceased",
)
#: Events, and persons they touch, looked at in one go: three to an item asked for, but not fewer than this.
AT_ONCE: Final = 300
#: Events, or persons, looked at for one page: it may hold fewer items than asked for, and still have a next.
LOOKED_AT: Final = 6_000

_NOBODY: Final = UUID(int=0)
_LAST_PERSON: Final = UUID(int=2**128 - 1)

#: An answer of the register about a person: :data:`SHOWN`, ``polling_station``, and the days ``from``, ``to``.
Answer = Mapping[str, Any]


class Span(NamedTuple):
    """Positions after ``first`` up to ``last``, and the day that is asked about."""

    first: int
    last: int
    on: date


class Place(NamedTuple):
    """Where in the order something stands."""

    position: int
    person: UUID


class Link(NamedTuple):
    """At a position a person's number was joined to another person, or parted from it; ``with_``: that other one."""

    action: Literal["joined", "parted"]
    with_: UUID
    position: int


class Difference(msgspec.Struct, frozen=True):
    """A person whose entry is not the same at both ends; ``before`` and ``after`` None: not entered there.

    ``positions``: exactly those at which the person's answer for the day changed, entered or not.
    """

    person: UUID
    before: Answer | None
    after: Answer | None
    positions: Sequence[int]
    links: Sequence[Link] = ()

    @property
    def place(self) -> Place:
        """Where it stands in the order."""
        return Place(self.positions[0], self.person)


def differences(
    connection: sa.Connection, span: Span, *, municipality: str | None, after: Place | None, limit: int
) -> tuple[list[Difference], Place | None]:
    """Differences in order behind a place, and the place the next page begins behind; None: there are no more.

    With ``municipality``: entries that count there at one end at least.
    """
    place = after or Place(span.first, _LAST_PERSON)
    found: list[Difference] = []
    size, looked = max(AT_ONCE, 3 * limit), 0
    while place.position <= span.last and looked < LOOKED_AT:
        touched = _touched(connection, span, place, size)
        looked += size
        changed = {d.place: d for d in _compared(connection, span, {t.person for t in touched})}
        for each in touched:
            difference = changed.get(each)
            if difference is None or not _counts(difference, municipality):
                continue
            if len(found) == limit:
                return _with_links(connection, span, found), found[-1].place
            found.append(difference)
        # Fewer persons than asked for: these were all up to the end of the events looked at.
        place = touched[-1] if len(touched) == size else Place(min(place.position + size, span.last + 1), _NOBODY)
    return _with_links(connection, span, found), place if place.position <= span.last else None


def _counts(difference: Difference, municipality: str | None) -> bool:
    ends = (difference.before, difference.after)
    return municipality is None or any(end is not None and end["counts_in"] == municipality for end in ends)


# --- whom the events touch ------------------------------------------------------------------------------------------

#: The streams of events, and those that links, live or not, connect with them: a link that is taken back may part
#: persons in whose streams nothing was recorded. A number nobody reported on has no stream, and yet connects.
_REACHED: Final = """
    WITH RECURSIVE span(position, stream) AS (
        SELECT notification_id, originator_id FROM store.event
        WHERE notification_id >= :from AND notification_id <= :upto
    ), reached(position, stream) AS (
        SELECT position, stream FROM span
        UNION
        SELECT r.position, n.stream FROM reached r CROSS JOIN LATERAL (
            SELECT s.stream FROM projection.link l JOIN store.subject s ON s.subject = 'jmb:' || l.new_jmb
            WHERE l.stream = r.stream
            UNION ALL
            SELECT o.stream FROM projection.link l JOIN projection.link o ON o.new_jmb = l.new_jmb
            WHERE l.stream = r.stream
            UNION ALL
            SELECT o.stream FROM store.subject s JOIN projection.link o ON o.new_jmb = substr(s.subject, 5)
            WHERE s.stream = r.stream
        ) n
    )
    SELECT r.position, r.stream, t.municipality, t.code
    FROM reached r LEFT JOIN projection.station t ON t.stream = r.stream
"""

#: Addresses that one of some stations began or ceased to cover on a day, at a position of its own events.
_COVERED: Final = """
    SELECT DISTINCT e.position, c.municipality, c.address_key
    FROM unnest(:positions, :municipalities, :codes) AS e(position, municipality, code)
    JOIN projection.coverage c ON c.municipality = e.municipality AND c.station = e.code
    WHERE c.days @> :on AND (lower(c.known) = e.position OR upper(c.known) = e.position)
"""

#: Those who vote at these addresses, as known at the positions.
_VOTERS: Final = """
    SELECT v.position, s.person
    FROM unnest(:positions, :municipalities, :keys) AS v(position, municipality, address_key)
    JOIN projection.stretch s ON s.counts_in = v.municipality AND s.municipality = v.municipality
        AND s.address_key = v.address_key
    WHERE s.entered AND s.voting_option = 'regular' AND s.days @> :on AND s.known @> v.position
        AND s.counts_in = ANY(:places) AND (v.position, s.person) > (:after, :person)
    ORDER BY v.position, s.person LIMIT :size
"""


def _touched(connection: sa.Connection, span: Span, after: Place, size: int) -> list[Place]:
    """Persons whom the next events (``size`` positions, the one of ``after`` included) may have changed, in order.

    At most ``size`` of them, behind ``after``; a person may come at several positions.
    """
    upto = min(after.position + size - 1, span.last)
    rows = connection.execute(sa.text(_REACHED), {"from": max(after.position, span.first + 1), "upto": upto}).all()
    places = {Place(row.position, row.stream) for row in rows if row.code is None}
    stations = [row for row in rows if row.code is not None]
    if stations:
        places.update(_voters(connection, span, stations, after, size))
    return sorted(place for place in places if place > after)[:size]


def _voters(
    connection: sa.Connection, span: Span, stations: Sequence[sa.Row[Any]], after: Place, size: int
) -> Iterator[Place]:
    """Voters whom events about polling stations may have given another one."""
    asked = {
        "positions": [row.position for row in stations],
        "municipalities": [row.municipality for row in stations],
        "codes": [row.code for row in stations],
        "on": span.on,
    }
    addresses = connection.execute(_COVERED_QUERY, asked).all()
    if not addresses:
        return
    asked = {
        "positions": [row.position for row in addresses],
        "municipalities": [row.municipality for row in addresses],
        "keys": [row.address_key for row in addresses],
        "places": sorted({row.municipality for row in addresses}),
        "on": span.on,
        "after": after.position,
        "person": after.person,
        "size": size,
    }
    for position, person in connection.execute(_VOTERS_QUERY, asked):
        yield Place(position, person)


def _typed(query: str, **types: sa.types.TypeEngine[Any]) -> sa.TextClause:
    return sa.text(query).bindparams(*(sa.bindparam(name, type_=kind) for name, kind in types.items()))


_TEXTS: Final = ARRAY(sa.Text)
_POSITIONS: Final = ARRAY(sa.BigInteger)
_COVERED_QUERY: Final = _typed(_COVERED, positions=_POSITIONS, municipalities=_TEXTS, codes=_TEXTS, on=sa.Date())
_VOTERS_QUERY: Final = _typed(
    _VOTERS, positions=_POSITIONS, municipalities=_TEXTS, keys=_TEXTS, places=_TEXTS, on=sa.Date(), person=sa.Uuid()
)


# --- what became of them --------------------------------------------------------------------------------------------

_STRETCHES: Final = _typed(
    f"""
    SELECT person, lower(days) AS "from", upper(days) AS "to", lower(known) AS since, upper(known) AS until,
           address_key, {", ".join(SHOWN)}
    FROM projection.stretch
    WHERE person = ANY(:persons) AND days @> :on AND known && int8range(:first, :last, '[]')
    """,
    persons=ARRAY(sa.Uuid),
    on=sa.Date(),
)

_STATIONS: Final = _typed(
    """
    SELECT c.municipality, c.address_key, lower(c.known) AS since, upper(c.known) AS until, c.station
    FROM unnest(:municipalities, :keys) AS v(municipality, address_key)
    JOIN projection.coverage c ON c.municipality = v.municipality AND c.address_key = v.address_key
    WHERE c.days @> :on AND c.known && int8range(:first, :last, '[]')
    """,
    municipalities=_TEXTS,
    keys=_TEXTS,
    on=sa.Date(),
)

_JOINED: Final = _typed(
    """
    SELECT stream, person, lower(known) AS since, upper(known) AS until FROM projection.joined
    WHERE (stream = ANY(:persons) OR person = ANY(:persons)) AND known && int8range(:first, :last, '[]')
    """,
    persons=ARRAY(sa.Uuid),
)

Rows = Sequence[Mapping[str, Any]]
#: (municipality, address key) -> which station covers the address, over positions.
Stations = Mapping[tuple[str, str], Rows]


def _compared(connection: sa.Connection, span: Span, persons: Collection[UUID]) -> Iterator[Difference]:
    """Those of some persons whose entry is not the same at both ends."""
    stretches = _grouped(connection, _STRETCHES, ("person",), span, persons=sorted(persons))
    homes = sorted({_home(row) for rows in stretches.values() for row in rows if _votes_at_home(row)})
    asked = {"municipalities": [place for place, _ in homes], "keys": [key for _, key in homes]}
    stations = _grouped(connection, _STATIONS, ("municipality", "address_key"), span, **asked) if homes else {}
    for (person,), rows in stretches.items():
        answers = list(_answers(rows, stations, span))
        positions = [now[0] for was, now in pairwise(answers) if was[1] != now[1]]
        before, after = (_entry(answer) for _, answer in (answers[0], answers[-1]))
        if before != after:
            yield Difference(person, before, after, positions)


def _grouped(
    connection: sa.Connection, query: sa.TextClause, by: tuple[str, ...], span: Span, **asked: Sequence[Any]
) -> dict[tuple[Any, ...], list[Mapping[str, Any]]]:
    """The rows of a query that were known somewhere in the span."""
    found: dict[tuple[Any, ...], list[Mapping[str, Any]]] = defaultdict(list)
    for row in connection.execute(query, {"on": span.on, "first": span.first, "last": span.last, **asked}).mappings():
        found[tuple(row[name] for name in by)].append(dict(row))
    return found


def _answers(rows: Rows, stations: Stations, span: Span) -> Iterator[tuple[int, Answer | None]]:
    """A person's answer at the first position, and at each at which it may have become another."""
    seen = [*rows, *(row for home in {_home(row) for row in rows} for row in stations.get(home, ()))]
    cuts = {cut for row in seen for cut in (row["since"], row["until"]) if cut is not None}
    for position in (span.first, *sorted(cut for cut in cuts if span.first < cut <= span.last)):
        row = _known(rows, position)
        if row is None:
            yield position, None
            continue
        covering = _known(stations.get(_home(row), ()), position) if _votes_at_home(row) else None
        station = None if covering is None else covering["station"]
        yield position, {name: row[name] for name in (*SHOWN, "from", "to")} | {"polling_station": station}


def _known(rows: Iterable[Mapping[str, Any]], position: int) -> Mapping[str, Any] | None:
    """The one of some rows that is known at a position."""
    for row in rows:
        if row["since"] <= position and (row["until"] is None or position < row["until"]):
            return row
    return None


def _entry(answer: Answer | None) -> Answer | None:
    return answer if answer is not None and answer["entered"] else None


def _home(row: Mapping[str, Any]) -> tuple[str, str]:
    return row["municipality"], row["address_key"]


def _votes_at_home(row: Mapping[str, Any]) -> bool:
    """Whether the voter votes at the station of the address."""
    return bool(row["entered"] and row["voting_option"] == "regular" and row["counts_in"] == row["municipality"])


def _with_links(connection: sa.Connection, span: Span, found: list[Difference]) -> list[Difference]:
    """The same, each with the numbers joined to it or parted from it between the ends."""
    links: dict[UUID, list[Link]] = defaultdict(list)
    asked = {"persons": [each.person for each in found], "first": span.first, "last": span.last}
    for stream, person, since, until in connection.execute(_JOINED, asked):
        steps: list[tuple[Literal["joined", "parted"], int | None]] = [("joined", since), ("parted", until)]
        for action, position in steps:
            if position is not None and span.first < position <= span.last:
                links[stream].append(Link(action, person, position))
                links[person].append(Link(action, stream, position))
    by_position = {
        who: sorted(of_person, key=lambda link: (link.position, link.with_)) for who, of_person in links.items()
    }
    return [msgspec.structs.replace(each, links=by_position.get(each.person, ())) for each in found]


# --- the events that did it -----------------------------------------------------------------------------------------


def events_at(connection: sa.Connection, positions: Collection[int]) -> dict[int, Event]:
    """The events at some positions."""
    rows = connection.execute(_EVENTS, {"positions": sorted(positions)}).all()
    return {event.position: event for event in decode_rows([tuple(row) for row in rows])}


_EVENTS: Final = _typed(
    """
    SELECT notification_id, originator_id, originator_version, recorded_at, topic, state FROM store.event
    WHERE notification_id = ANY(:positions)
    """,
    positions=_POSITIONS,
)
