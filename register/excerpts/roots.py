"""The secret and the root of each drawn list, as the event says them; the same list has the same ones wherever it is.

A secret is made once for a list of an (election, kind, scope, script, format version, position): who draws the list
again finds it in the event of the first drawing. It is never taken from a clock, a machine or a file.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Final, NamedTuple, cast
from uuid import UUID

import psycopg
import sqlalchemy as sa

from register.excerpts.manifest import ManifestEntry
from register.excerpts.proofs import SECRET_BYTES, lines_of, tree_of
from register.law.events import DrawnList, ExcerptCertified, ExcerptDrawn, ListRoot
from register.projection.keeping import Keeper
from register.projection.roll_accounts import Cell, Shown, roll_accounts, sums
from register.store import Store
from register.store.subjects import streams_of_kind

#: Kinds of lists whose voters everyone sees counted, each by what its lists cover. The other kinds gather voters of
#: several lists (mobile teams, marks) or are counted together (missions): how many stand on one is not told.
_COUNTED: Final[frozenset[str]] = frozenset({"polling-station", "in-person-1991", "absentee-1991", "mail"})
#: First half of the advisory lock under which the secrets of an election are given ("list").
_LOCK: Final = 0x6C697374

#: Lists everyone sees, of the elections asked for last.
KEEPER: Final = Keeper(16)

#: What tells a list from every other: its name, format version, position, and the digest of its rows.
_Identity = tuple[str, int, int, str]


class ListName(NamedTuple):
    """A list's name taken apart; ``station`` holds a mission's code where the list is a mission's."""

    kind: str
    municipality: str | None
    station: str | None


def parts_of(name: str) -> ListName:
    """What a list covers, by its name (``ListHead.name``); the script is left out."""
    kind, *rest = name.removesuffix("_cyrillic").split("_", 2)
    municipality = rest.pop(0) if rest and len(rest[0]) == 5 and rest[0].isdigit() else None
    return ListName(kind, municipality, "_".join(rest) or None)


class Drawing(NamedTuple):
    """One drawing of lists: at which position it was put on record, what of, and whether it was certified since."""

    position: int
    data: ExcerptDrawn
    certified: bool


class ShownList(NamedTuple):
    """A drawn list as everyone sees it; ``rows`` None where the number is not told."""

    name: str
    kind: str
    municipality: str | None
    station: str | None
    rows: int | None
    root: str
    position: int


def drawings(connection: sa.Connection, store: Store, election: str) -> list[Drawing]:
    """The drawings of an election's lists, in order."""
    return _drawings(store, election, _streams(connection))


def _drawings(store: Store, election: str, streams: Collection[UUID]) -> list[Drawing]:
    found: list[Drawing] = []
    for events in store.streams(streams).values():
        certified = any(isinstance(event.data, ExcerptCertified) for event in events)
        drawn = ((event.position, event.data) for event in events if isinstance(event.data, ExcerptDrawn))
        found += [Drawing(position, data, certified) for position, data in drawn if data.election == election]
    return sorted(found, key=lambda drawing: drawing.position)


def drawn_lists(connection: sa.Connection, store: Store, election: str) -> list[ShownList]:
    """The lists drawn for an election by name, each with its root and where it was first put on record.

    Raises ``keeping.BusyError``: everyone may ask.
    """
    # Every drawing has a stream of its own, so that these tell whether any came since; they are never given twice.
    return KEEPER.once((election, *_streams(connection)), lambda: _drawn_lists(drawings(connection, store, election)))


def _drawn_lists(made: Iterable[Drawing]) -> list[ShownList]:
    found: dict[tuple[str, str], ShownList] = {}
    for drawing in made:
        for each in drawing.data.roots or ():
            first = ShownList(each.name, *parts_of(each.name), each.rows, each.root, drawing.position)
            found.setdefault((each.name, each.root), first)
    return [found[key] for key in sorted(found)]


def _streams(connection: sa.Connection) -> list[UUID]:
    raw = cast("psycopg.Connection[Any]", connection.connection.driver_connection)
    return streams_of_kind(raw, "excerpt")


def best_of(made: Iterable[Drawing], name: str) -> tuple[Drawing, DrawnList] | None:
    """The drawing by which to prove something of a list: certified rather than not, then the one with fewest lists."""
    found = [
        (not drawing.certified, len(drawing.data.lists), drawing.position, drawing, each)
        for drawing in made
        for each in drawing.data.lists
        if each.name == name and each.secret is not None
    ]
    return min(found, key=lambda one: one[:3])[3:] if found else None


def settle(
    connection: sa.Connection,
    store: Store,
    drawn: ExcerptDrawn,
    csv_of: Callable[[DrawnList], bytes],
    entropy: Callable[[int], bytes],
) -> ExcerptDrawn:
    """The same drawing with the secret and the root of each of its lists.

    ``csv_of`` gives a list's CSV file. Whoever appends the event does so in this transaction: until its end nobody
    else gives secrets to lists of the election. Raises ``keeping.BusyError`` as :func:`roll_accounts` does.
    """
    counts = _counts(connection, drawn.election)
    made: dict[str, tuple[DrawnList, ListRoot]] = {}

    def plant(secrets: Mapping[_Identity, str]) -> None:
        for each in drawn.lists:
            known = secrets.get(_identity(drawn, each))
            if each.name not in made or known not in (None, made[each.name][0].secret):
                made[each.name] = _planted(each, known or entropy(SECRET_BYTES).hex(), csv_of(each), counts)

    before = set(_streams(connection))
    plant(_secrets(_drawings(store, drawn.election, before)))  # the long part, before others have to wait
    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK, sa.func.hashtext(drawn.election))))
    plant(_secrets(_drawings(store, drawn.election, set(_streams(connection)) - before)))
    return ExcerptDrawn(
        excerpt=drawn.excerpt,
        election=drawn.election,
        kind=drawn.kind,
        conclusion=drawn.conclusion,
        format_version=drawn.format_version,
        lists=tuple(made[each.name][0] for each in drawn.lists),
        roots=tuple(made[each.name][1] for each in drawn.lists),
    )


def csv_on_disk(read: Callable[[str], bytes], files: Iterable[ManifestEntry]) -> bytes | None:
    """The list's CSV file if it was drawn as one; None otherwise."""
    name = next((entry.file for entry in files if entry.sha256 == entry.rows_sha256), None)
    return None if name is None else read(name)


def _planted(
    each: DrawnList, secret: str, csv: bytes, counts: Mapping[ListName, Shown] | None
) -> tuple[DrawnList, ListRoot]:
    size, root = tree_of(bytes.fromhex(secret), lines_of(csv))
    if size != each.rows:
        raise ValueError("a list has as many lines as rows")
    shown = shown_rows(each.name, each.rows, counts)
    return (
        DrawnList(name=each.name, rows=each.rows, sha256=each.sha256, secret=secret),
        ListRoot(name=each.name, root=root.hex(), rows=shown),
    )


def shown_rows(name: str, rows: int, counts: Mapping[ListName, Shown] | None) -> int | None:
    """How many voters stand on a list, if everyone may know: where the accounts of the roll tell everyone the same."""
    place = parts_of(name)
    if place.kind not in _COUNTED or counts is None:
        return None
    return rows if counts.get(place, 0) == rows else None


def _counts(connection: sa.Connection, election: str) -> dict[ListName, Shown] | None:
    """What everyone sees of each list that is counted by itself; empty while the roll is not frozen.

    None of a run-off, of whose lists nobody is told how many voters they have.
    """
    accounts = roll_accounts(connection, election)
    if accounts is None:
        return {}
    return None if accounts.shown is None else sums(accounts.shown, _list_of)


def _list_of(cell: Cell) -> ListName:
    return ListName(cell.list, cell.municipality, cell.station if cell.list == "polling-station" else None)


def _secrets(made: Iterable[Drawing]) -> dict[_Identity, str]:
    """The secret of each list that has one, by what the list is."""
    found: dict[_Identity, str] = {}
    for drawing in made:
        for each in drawing.data.lists:
            if each.secret is not None:
                found.setdefault(_identity(drawing.data, each), each.secret)
    return found


def _identity(drawn: ExcerptDrawn, each: DrawnList) -> _Identity:
    return each.name, drawn.format_version, drawn.conclusion, each.sha256
