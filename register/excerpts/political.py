"""Excerpts for certified political entities: the voters of one electoral unit, without personal number and address.

Pure drawing (Art. 3.1): whether an entity may have a unit, which number its copy has and that it was given out is for
the acts. A copy is told from the next one by its number, in the head of every page and in the QR code.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Final

import msgspec
import sqlalchemy as sa

from register.excerpts.draw import draw_list
from register.excerpts.formats import Format, why_not
from register.excerpts.from_roll import Basis, ListScope, head_of, row_of
from register.excerpts.manifest import ManifestEntry
from register.excerpts.rows import ListHead, ListRow, Script
from register.law import alphabet
from register.law.events import Entity
from register.law.territory import Municipality, electoral_units
from register.projection.tables import roll

#: Levels above the units: who takes part at one of them gets its whole territory.
LEVELS: Final[dict[str, tuple[Entity, ...]]] = {"BiH": ("FBiH", "RS"), "FBiH": ("FBiH",), "RS": ("RS",)}
#: Lists of the roll whose voters are on no printed list, and on no entity's copy.
_ON_NO_LIST: Final = ("no-entity-option", "unallocated")
#: Rows read at a time.
_PAGE: Final = 5_000


class Unit(msgspec.Struct, frozen=True):
    """Where a unit's voters count: municipalities, each with the entity option that its voters must have, or any."""

    code: str
    places: tuple[tuple[str, Entity | None], ...]


def unit_of(code: str, municipalities: Mapping[str, Municipality]) -> Unit:
    """A level (``BiH``, ``FBiH``, ``RS``), an electoral unit (``511``, ``401``, ``301``, ``201`` …) or a municipality.

    Brčko lies in units of both entities, by the voter's option (U4). Raises ``LookupError`` for an unknown code.
    """
    if code in municipalities:
        return Unit(code, ((code, None),))
    entities: tuple[Entity, ...] = LEVELS.get(code, ("FBiH", "RS"))
    places = tuple(
        (place.code, None if place.entity is not None else entity)
        for place in municipalities.values()
        for entity in entities
        if place.entity in (None, entity) and (code in LEVELS or code in electoral_units(place, entity))
    )
    if not places:
        raise LookupError(code)
    return Unit(code, tuple(sorted(places, key=str)))


def political_head(
    basis: Basis, unit: Unit, copy: int, recipient: str, script: Script, municipalities: Mapping[str, Municipality]
) -> ListHead:
    """The identity of an entity's copy: which unit (in place of a station), whose, and its number."""
    names = {code: place.name for code, place in municipalities.items()}
    own = unit.code if unit.code in municipalities else None
    head = head_of(basis, "political-entity", ListScope(municipality=own), script, names)
    return msgspec.structs.replace(head, station_code=None if own else unit.code, copy=copy, recipient=recipient)


def political_rows(connection: sa.Connection, election: str, unit: Unit, script: Script) -> Iterator[ListRow]:
    """The unit's voters in the order of the script's alphabet, then by the person's least stream.

    One pass sorts them by name and keeps only keys and numbers; the rows themselves are read page by page.
    """
    here = sa.or_(
        *(
            roll.c.municipality == code if entity is None else sa.and_(roll.c.municipality == code, _option(entity))
            for code, entity in unit.places
        )
    )
    names = (roll.c.surname, roll.c.given_name, roll.c.parent_name, roll.c.born_on)
    wanted = sa.select(roll.c.no, roll.c.person, *names).where(
        roll.c.election == election, roll.c.list_kind.not_in(_ON_NO_LIST), here
    )
    letters: alphabet.Script = "Latn" if script == "latin" else "Cyrl"
    read = connection.execution_options(yield_per=_PAGE).execute(wanted)
    order = sorted((alphabet.sort_key(*row[2:6], letters), row[1], row[0]) for row in read)
    for at in range(0, len(order), _PAGE):
        numbers = [number for _, _, number in order[at : at + _PAGE]]
        page = sa.select(roll).where(roll.c.election == election, roll.c.no == sa.any_(sa.literal(numbers, _BIGINTS)))
        found = {row["no"]: dict(row) for row in connection.execute(page).mappings()}
        for no, number in enumerate(numbers, at + 1):
            yield row_of(no, found[number], script)


def draw_political(
    connection: sa.Connection,
    basis: Basis,
    unit: Unit,
    *,
    copy: int,
    recipient: str,
    formats: Collection[Format],
    script: Script,
    municipalities: Mapping[str, Municipality],
    folder: Path,
) -> list[ManifestEntry]:
    """Draw one numbered copy of a unit's voters for one entity into a folder; the entries for the manifest.

    Raises ValueError for the internal format, LayoutError where a PDF would have more rows than one may
    (``render_pdf.MAX_ROWS``): the whole of a large unit is given electronically.
    """
    for format_ in formats:
        if (why := why_not(format_, "political-entity")) is not None:
            raise ValueError(why)
    head = political_head(basis, unit, copy, recipient, script, municipalities)
    rows = political_rows(connection, basis.called.election, unit, script)
    return draw_list(head, rows, formats, folder)


def _option(entity: Entity) -> sa.ColumnElement[bool]:
    return roll.c.entity == entity


_BIGINTS: Final = sa.ARRAY(sa.BigInteger)
