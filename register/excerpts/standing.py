"""That a voter stands on a list: the line and its proof, and nothing of anybody else's (Art. 3.3, 3.6).

The lines are made again from the frozen roll, which gives the same bytes in any year, and compared with the digest on
record before anything is proved of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Final, NamedTuple
from uuid import UUID

import sqlalchemy as sa

from register.excerpts import from_roll
from register.excerpts.from_roll import DRAWN_KINDS, Basis, ListScope
from register.excerpts.proofs import LineProof, lines_of, prove
from register.excerpts.render_csv import render_csv
from register.excerpts.roots import Drawing, best_of
from register.excerpts.rows import Script
from register.projection.tables import roll

#: Kinds of which each voter stands on exactly one list, by what of the roll its lists cover.
_COVERS: Final[Mapping[str, tuple[str, ...]]] = {
    "polling-station": ("municipality", "station"),
    "in-person-1991": ("municipality",),
    "absentee-1991": ("municipality",),
    "mail": ("municipality",),
}


class NotDrawnError(Exception):
    """No list is drawn on which the voter stands."""


class ChangedListError(Exception):
    """The roll no longer gives the list that is on record."""


class Place(NamedTuple):
    """Where a voter stands on a roll: the municipality in which the vote counts, the kind of list, the lists."""

    municipality: str
    kind: str
    scopes: tuple[ListScope, ...]
    jmb: str


class Proved(NamedTuple):
    """The proof of a line of a list, and the drawing that put the list's root on record."""

    name: str
    line: LineProof
    drawing: Drawing


def place_of(connection: sa.Connection, election: str, person: UUID) -> Place | None:
    """Where a person (as known at the conclusion) stands on an election's roll; None when not on it."""
    query = sa.select(roll).where(roll.c.election == election, roll.c.person == person)
    row = connection.execute(query).mappings().one_or_none()
    if row is None:
        return None
    kind = row["list_kind"]
    scopes: tuple[ListScope, ...] = ()
    if kind == "diplomatic-mission":  # drawn for the country or for a municipality
        mission = row["mission"]
        scopes = (ListScope(mission=mission), ListScope(municipality=row["municipality"], mission=mission))
    elif kind in _COVERS:
        scopes = (ListScope(**{name: row[name] for name in _COVERS[kind]}),)
    return Place(row["municipality"], kind, scopes, row["jmb"])


def prove_line(
    connection: sa.Connection,
    basis: Basis,
    made: list[Drawing],
    place: Place,
    script: Script,
    names: Mapping[str, str],
) -> Proved:
    """The proof that a voter stands on the list drawn for that place. ``names``: of municipalities, by code.

    Raises :class:`NotDrawnError`, :class:`ChangedListError`.
    """
    kind = next((each for each in DRAWN_KINDS if each == place.kind), None)
    if kind is None:
        raise NotDrawnError
    for scope in place.scopes:
        name = from_roll.head_of(basis, kind, scope, script, names).name
        best = best_of(made, name)
        if best is None:
            continue
        drawing, each = best
        rows = list(from_roll.rows_of(connection, basis.called.election, kind, scope, script))
        csv = b"".join(render_csv(kind, script, rows))
        if hashlib.sha256(csv).hexdigest() != each.sha256 or each.secret is None:
            raise ChangedListError(name)
        no = next(row.no for row in rows if row.jmb == place.jmb)
        return Proved(name, prove(bytes.fromhex(each.secret), lines_of(csv), no), drawing)
    raise NotDrawnError
