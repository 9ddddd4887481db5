"""Statistics of a roll: voters by sex, on each list, in each municipality and electoral unit (Art. 2.9(1)4.a).

Counts only, and only such as everyone may see: the totals are those of the accounts of the roll, and what these
withhold is withheld here too, so that the two together tell no more than each alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Literal, NamedTuple

import sqlalchemy as sa

from register.excerpts.rows import CountRow
from register.law.events import ElectionCalled
from register.law.territory import Municipality, electoral_units
from register.projection.roll_accounts import SMALL, SMALLEST, Cell, Shown, roll_accounts, sums
from register.projection.tables import roll


class Counted(NamedTuple):
    """What the voters of one count have in common; ``entity`` matters where the municipality has none (Brčko)."""

    municipality: str
    list: str
    station: str | None
    entity: str | None


class BySex(NamedTuple):
    """A count and its two parts, as everyone may see them."""

    women: Shown
    men: Shown
    voters: Shown


#: What the lines of one level are counted by: unit, municipality, polling station, list.
_Place = tuple[str, str, str, str]


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
    return counted_rows(called, municipalities, within, accounts.shown or {}, _exact(connection, called.election))


def counted_rows(
    called: ElectionCalled,
    municipalities: Mapping[str, Municipality],
    within: str | None,
    accounts: Mapping[Cell, Shown],
    exact: Mapping[Counted, tuple[int, int]],
) -> Iterator[CountRow]:
    """The same lines. ``accounts``: cells as everyone sees them; ``exact``: women and men as they are.

    Of a run-off, whose cells nobody is shown, the one line of the country, with the voters alone.
    """
    if called.runoff_of is not None:
        if within is None:
            yield _whole(sum(women + men for women, men in exact.values()))
        return
    totals = sums(accounts, counted)
    shown = {of: _by_sex(total, exact.get(of, (0, 0))) for of, total in totals.items()}
    here = {of: cell for of, cell in shown.items() if within in (None, of.municipality)}
    levels: list[tuple[Literal["country", "unit", "municipality", "list"], dict[_Place, BySex]]] = []
    if within is None:
        levels.append(("country", _summed(here, lambda _: [("", "", "", "")])))
        if called.kind == "general":
            levels.append(("unit", _summed(here, lambda of: _units(of, municipalities))))
    levels.append(("municipality", _summed(here, lambda of: [("", of.municipality, "", "")])))
    levels.append(("list", _summed(here, lambda of: [("", of.municipality, of.station or "", of.list)])))
    no = 0
    for level, lines in levels:
        for unit, municipality, station, kind in sorted(lines):
            no += 1
            count = lines[unit, municipality, station, kind]
            yield CountRow(
                no=no,
                level=level,
                unit=unit,
                municipality=municipality,
                polling_station=station,
                list=kind,
                women=_text(count.women),
                men=_text(count.men),
                voters=_text(count.voters),
            )


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
    """A count by sex: told where the whole is told, and neither part so small that it could be a known person."""
    if not isinstance(total, int):
        return BySex(None, None, total)
    women, men = exact
    if not any(0 < part < SMALLEST for part in exact):
        return BySex(women, men, total)
    shown: list[Shown] = [SMALL if 0 < part < SMALLEST else None for part in exact]
    return BySex(shown[0], shown[1], total)


def _summed(shown: Mapping[Counted, BySex], places: Callable[[Counted], list[_Place]]) -> dict[_Place, BySex]:
    """Sums of counts as everyone sees them, part by part; a sum with a hidden part is withheld."""
    parts: list[dict[tuple[Counted, _Place], Shown]] = [{}, {}, {}]
    for of, count in shown.items():
        for place in places(of):
            for part, value in zip(parts, count, strict=True):
                part[of, place] = value
    women, men, voters = (sums(part, lambda key: key[1]) for part in parts)
    return {place: BySex(women[place], men[place], voters[place]) for place in voters}


def _units(of: Counted, municipalities: Mapping[str, Municipality]) -> list[_Place]:
    own = municipalities[of.municipality]
    option = of.entity if of.entity in ("FBiH", "RS") else None
    units = electoral_units(own, option) - {of.municipality}  # type: ignore[arg-type] # one of the two, or none
    return [(unit, "", "", "") for unit in sorted(units)]


def _text(count: Shown) -> str:
    return "" if count is None else str(count)
