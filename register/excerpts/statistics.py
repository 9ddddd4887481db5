"""Statistics of a roll: voters by sex, on each list, in each municipality and electoral unit (Art. 2.9(1)4.a).

Counts only, and only such as everyone may see: what the accounts of the roll withhold of a list is withheld here too.
Municipalities, units and the country are told where their sums leave every hidden count open, beside each other and
beside the accounts. Where a municipality has a list whose women or men are withheld, they are withheld of one large
list as well, which takes up whatever these could be; so the sums by sex can be told.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, Literal, NamedTuple, get_args

import sqlalchemy as sa

from register.excerpts.rows import CountRow
from register.law.events import ElectionCalled
from register.law.territory import Municipality, electoral_units
from register.projection.roll_accounts import SMALLEST, Cell, Shown, roll_accounts, sums, told_regions
from register.projection.roll_regions import told
from register.projection.tables import roll

#: A list's women and men may take up what others of the municipality could have, if there are as many of both.
LARGE: Final = 3 * SMALLEST


Level = Literal["country", "unit", "municipality", "list"]
_LEVELS: Final = get_args(Level)


class Counted(NamedTuple):
    """What the voters of one count have in common; ``entity`` matters where the municipality has none (Brčko)."""

    municipality: str
    list: str
    station: str | None
    entity: str | None


class BySex(NamedTuple):
    """A count and its two parts, as everyone may see them; of a hidden count both are None."""

    women: Shown
    men: Shown
    voters: Shown


class Place(NamedTuple):
    """What a line counts: the country, an electoral unit, a municipality, or a list of one."""

    level: Level
    unit: str = ""
    municipality: str = ""
    polling_station: str = ""
    list: str = ""


def statistics_rows(
    connection: sa.Connection,
    called: ElectionCalled,
    municipalities: Mapping[str, Municipality],
    within: str | None,
) -> Iterator[CountRow]:
    """The lines for the whole election, or for one municipality: country, units, municipalities, lists, in this order.

    Units are those of a general election; in a local one each municipality is its own. Raises ``LookupError`` while
    the roll is not frozen, ``keeping.BusyError`` as :func:`roll_accounts` does.
    """
    accounts = roll_accounts(connection, called.election)
    if accounts is None:
        raise LookupError(called.election)
    exact = _exact(connection, called.election)
    return counted_rows(called, municipalities, within, accounts.cells, accounts.shown or {}, exact)


def counted_rows(
    called: ElectionCalled,
    municipalities: Mapping[str, Municipality],
    within: str | None,
    cells: Mapping[Cell, int],
    shown: Mapping[Cell, Shown],
    exact: Mapping[Counted, tuple[int, int]],
) -> Iterator[CountRow]:
    """The same lines. ``cells`` as they are, ``shown`` as everyone sees them; ``exact``: women and men as they are.

    Of a run-off, whose cells nobody is shown, the one line of the country, with the voters alone.
    """
    if called.runoff_of is not None:
        if within is None:
            yield _whole(sum(women + men for women, men in exact.values()))
        return
    lists = {of: _by_sex(total, exact.get(of, (0, 0))) for of, total in sums(shown, counted).items()}
    large = _large(lists)
    lists |= {of: BySex(None, None, lists[of].voters) for of in large}
    regions = _regions(called, municipalities, cells)
    lines = _of_lists(lists) | _of_regions(regions, cells, shown)
    hidden = {of for of, count in lists.items() if not isinstance(count.women, int)}
    totals = {place for place in regions if isinstance(lines[place].voters, int)}
    by_sex = told(
        {place: set(map(counted, regions[place])) for place in totals}, hidden, lambda some: bool(some & large)
    )
    for place in by_sex:
        parts = [exact[of] for of in set(map(counted, regions[place]))]
        lines[place] = BySex(sum(w for w, _ in parts), sum(m for _, m in parts), lines[place].voters)
    wanted = [place for place in lines if within in (None, place.municipality)]
    for no, place in enumerate(sorted(wanted, key=lambda each: (_LEVELS.index(each.level), *each[1:])), 1):
        women, men, voters = map(_text, lines[place])
        yield CountRow(no=no, **place._asdict(), women=women, men=men, voters=voters)


def _whole(voters: int) -> CountRow:
    return CountRow(
        no=1,
        level="country",
        unit="",
        municipality="",
        polling_station="",
        list="",
        women="",
        men="",
        voters=str(voters),
    )


def counted(cell: Cell) -> Counted:
    """By what statistics count a cell."""
    return Counted(cell.municipality, cell.list, cell.station, cell.entity)


def _exact(connection: sa.Connection, election: str) -> dict[Counted, tuple[int, int]]:
    """Women and men, as they are."""
    of = (roll.c.municipality, roll.c.list_kind, roll.c.station, roll.c.entity)
    women = sa.func.count().filter(roll.c.sex == "F")
    query = sa.select(*of, women, sa.func.count() - women).where(roll.c.election == election).group_by(*of)
    return {Counted(*row[:4]): (int(row[4]), int(row[5])) for row in connection.execute(query)}


def _by_sex(total: Shown, exact: tuple[int, int]) -> BySex:
    """A count by sex: told where the whole is told, and neither part so small that it could be a known person.

    Beside the whole, ``<5`` of a part would say too much: of 8 voters, both under five, four are women.
    """
    if not isinstance(total, int) or any(0 < part < SMALLEST for part in exact):
        return BySex(None, None, total)
    return BySex(*exact, total)


def _large(lists: Mapping[Counted, BySex]) -> set[Counted]:
    """One list of each municipality where others have women or men withheld: of the large ones the smallest."""
    needed = {(of.municipality, of.entity) for of, count in lists.items() if not isinstance(count.women, int)}
    found: dict[tuple[str, str | None], tuple[int, str, Counted]] = {}
    for of, (women, men, voters) in lists.items():
        place = of.municipality, of.entity
        if place not in needed or not isinstance(voters, int):
            continue
        if isinstance(women, int) and isinstance(men, int) and min(women, men) >= LARGE:
            found[place] = min(found.get(place, (voters, str(of), of)), (voters, str(of), of))
    return {of for _, _, of in found.values()}


def _of_lists(lists: Mapping[Counted, BySex]) -> dict[Place, BySex]:
    """A line for each list, part by part; a sum with a hidden part is withheld."""
    places = {of: Place("list", "", of.municipality, of.station or "", of.list) for of in lists}
    women, men, voters = (
        sums({of: count[part] for of, count in lists.items()}, places.__getitem__) for part in range(3)
    )
    return {place: BySex(women[place], men[place], voters[place]) for place in voters}


def _of_regions(
    regions: Mapping[Place, set[Cell]], cells: Mapping[Cell, int], shown: Mapping[Cell, Shown]
) -> dict[Place, BySex]:
    """A line for each region, with its voters alone."""
    totals: dict[Place, Shown] = dict(told_regions(regions, cells, shown))
    for place in regions.keys() - totals.keys():
        totals |= sums({cell: shown[cell] for cell in regions[place]}, lambda _, place=place: place)  # type: ignore[misc]
    return {place: BySex(None, None, total) for place, total in totals.items()}


def _regions(
    called: ElectionCalled, municipalities: Mapping[str, Municipality], cells: Iterable[Cell]
) -> dict[Place, set[Cell]]:
    """The cells of the country, of each unit (in a local election there are none), and of each municipality."""
    found: defaultdict[Place, set[Cell]] = defaultdict(set)
    for cell in cells:
        found[Place("country")].add(cell)
        found[Place("municipality", "", cell.municipality)].add(cell)
        for unit in _units(cell, municipalities) if called.kind == "general" else ():
            found[Place("unit", unit)].add(cell)
    return found


def _units(cell: Cell, municipalities: Mapping[str, Municipality]) -> Iterable[str]:
    own = municipalities[cell.municipality]
    option = cell.entity if cell.entity in ("FBiH", "RS") else None
    return electoral_units(own, option) - {cell.municipality}  # type: ignore[arg-type] # one of the two, or none


def _text(count: Shown) -> str:
    return "" if count is None else str(count)
