"""The accounts of a frozen roll: its voters in cells, as they are, and as everyone may see them (Art. 3.1, 3.6 e).

One function guards one set of cells. Whatever else is shown of a roll is a sum of cells as everyone sees them, or one
that :func:`told_regions` lets be told, so that no two places together tell what each of them withholds. Of a run-off
everyone sees the sum alone: its roll is the first round's but for a few voters, so that cell by cell, two guarded
accounts beside each other would tell of one person's death or loss of capacity.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any, Final, NamedTuple, TypeVar

import sqlalchemy as sa

from register.law.events import ElectionCalled, Entity
from register.law.territory import LEVELS, Level, Municipality, unit_at
from register.projection.keeping import Keeper
from register.projection.roll_regions import told
from register.projection.tables import election as called_elections
from register.projection.tables import frozen_roll, roll

#: Counts from 1 to this many less one are not shown.
SMALLEST: Final = 5
SMALL: Final = "<5"
#: A count as everyone sees it: exact, ``<5``, or None where it is withheld because others could be computed from it.
Shown = int | str | None
K = TypeVar("K", bound=Hashable)
G = TypeVar("G", bound=Hashable)

_ENTITIES: Final[Mapping[str, Entity]] = {"FBiH": "FBiH", "RS": "RS"}

#: A frozen roll never changes: it is counted once.
KEEPER: Final = Keeper(32)


class Cell(NamedTuple):
    """What the voters of one cell have in common."""

    municipality: str
    list: str
    station: str | None
    option: str
    entity: str | None


class RollAccounts(NamedTuple):
    """The cells of a roll in order, as they are and as everyone sees them; ``voters``: the rows of the roll.

    ``shown`` is None of a run-off, of which everyone sees ``voters`` alone.
    """

    conclusion: int
    voters: int
    cells: Mapping[Cell, int]
    shown: Mapping[Cell, Shown] | None


def roll_accounts(connection: sa.Connection, election: str) -> RollAccounts | None:
    """The accounts of an election's roll; None while it is not frozen. Raises ``keeping.BusyError``."""
    wanted = sa.select(frozen_roll.c.conclusion, frozen_roll.c.voters, frozen_roll.c.sha256)
    row = connection.execute(wanted.where(frozen_roll.c.election == election)).one_or_none()
    if row is None:
        return None

    def count() -> RollAccounts:
        cells = _cells(connection, election)
        shown = None if _is_runoff(connection, election) else guarded(cells)
        return RollAccounts(int(row.conclusion), int(row.voters), cells, shown)

    # The digest is over all rows: whichever register they stand in, the counts are the same.
    return KEEPER.once((election, row.conclusion, row.sha256), count)


def _cells(connection: sa.Connection, election: str) -> dict[Cell, int]:
    columns = (roll.c.municipality, roll.c.list_kind, roll.c.station, roll.c.voting_option, roll.c.entity)
    query = sa.select(*columns, sa.func.count()).where(roll.c.election == election)
    rows = connection.execute(query.group_by(*columns).order_by(*(c.nulls_first() for c in columns)))
    return {Cell(*row[:-1]): int(row[-1]) for row in rows}


def _is_runoff(connection: sa.Connection, election: str) -> bool:
    called = called_elections.c
    return (
        connection.scalar(sa.select(called.called["runoff_of"].astext).where(called.election == election)) is not None
    )


def guarded(counts: Mapping[K, int]) -> dict[K, Shown]:
    """Counts as everyone sees them, whose sum everyone knows: 1 to 4 as ``<5``, and larger ones withheld (None).

    As many of the least larger ones are withheld as it takes for the hidden ones' sum to leave each of them open: the
    sum must be neither the least nor the greatest that the hidden cells could have.
    """
    hidden = {key for key, count in counts.items() if 0 < count < SMALLEST}
    larger = sorted((count, str(key), key) for key, count in counts.items() if count >= SMALLEST)
    withheld: set[Any] = set()
    while hidden and larger and not _open(counts, hidden, withheld):
        withheld.add(larger.pop(0)[2])
    return {key: SMALL if key in hidden else None if key in withheld else count for key, count in counts.items()}


def sums(shown: Mapping[K, Shown], group: Callable[[K], G]) -> dict[G, Shown]:
    """Sums of counts as everyone sees them: None where a part is hidden, a part alone as it is shown itself."""
    parts: dict[G, list[Shown]] = {}
    for key, count in shown.items():
        parts.setdefault(group(key), []).append(count)
    return {of: counts[0] if len(counts) == 1 else _sum(counts) for of, counts in parts.items()}


def told_regions(regions: Mapping[G, set[K]], counts: Mapping[K, int], shown: Mapping[K, Shown]) -> dict[G, int]:
    """The sums over those regions that everyone may be told as they are, beside ``shown`` and the sum of all."""
    totals = {region: sum(counts[key] for key in keys) for region, keys in regions.items()}
    hidden = {key for key, count in shown.items() if not isinstance(count, int)}

    def leaves_open(some: frozenset[K]) -> bool:
        small = {key for key in some if counts[key] < SMALLEST}
        return not small or _open(counts, small, set(some - small))

    large = {region: keys for region, keys in regions.items() if not 0 < totals[region] < SMALLEST}
    return {region: totals[region] for region in told(large, hidden, leaves_open, [counts])}


class UnitCell(NamedTuple):
    """What the voters of one count by units have in common; ``unit`` None: they vote in no unit of the level."""

    level: Level
    unit: str | None
    option: str


def by_units(
    shown: Mapping[Cell, Shown], called: ElectionCalled, municipalities: Mapping[str, Municipality]
) -> dict[UnitCell, Shown]:
    """Sums by level, unit and option, in this order; those of each level add up to the roll (Art. 1.1a).

    In Brčko the unit is that of the voter's entity option: 515 and 402 with the Federation, 522 and 306 with Republika
    Srpska. A local election has the one level of municipalities.
    """
    levels = LEVELS if called.kind == "general" else LEVELS[-1:]
    counted: dict[tuple[UnitCell, Cell], Shown] = {}
    for cell, count in shown.items():
        option = _ENTITIES.get(cell.entity or "")
        for level in levels:
            unit = unit_at(municipalities[cell.municipality], option, level)
            counted[UnitCell(level, unit, cell.option), cell] = count
    found = sums(counted, lambda key: key[0])
    place = {level: number for number, level in enumerate(levels)}
    return dict(sorted(found.items(), key=lambda item: (place[item[0].level], item[0].unit or "", item[0].option)))


def _sum(counts: list[Shown]) -> Shown:
    exact = [count for count in counts if isinstance(count, int)]
    return sum(exact) if len(exact) == len(counts) else None


def _open(counts: Mapping[Any, int], hidden: set[Any], withheld: set[Any]) -> bool:
    total = sum(counts[key] for key in hidden | withheld)
    least = len(hidden) + SMALLEST * len(withheld)
    if withheld:
        return total > least
    return len(hidden) > 1 and least < total < (SMALLEST - 1) * len(hidden)
