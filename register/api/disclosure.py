"""What everyone may be shown of counts, so that nobody reads one person out of two totals (Art. 3.1; contract).

Counts of 1 to 4 are shown as ``<5``. That alone would not do: a single such cell is the total less the others. So a
table with small cells also withholds its least larger cell, and what is tied to it (municipalities add up to entities,
every table to the total) is withheld where it would give one of them away.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Final, Literal, NamedTuple

import msgspec

from register.law.territory import entity_of
from register.projection.roll_accounts import SMALL, SMALLEST, Shown

#: A count withheld beside small ones must be so large that less it by any of theirs could still be no small one.
LARGE: Final = 2 * SMALLEST - 1

By = Literal["municipality", "entity", "sex", "age"]
Key = str | int | None
Table = Mapping[Key, int]


class Published(msgspec.Struct, frozen=True):
    """The counts of a day as everyone sees them; all tables of one day and position are guarded together."""

    tables: dict[By, dict[Key, Shown]]
    total: Shown


def publish(municipality: Table, entity: Table, sex: Table, age: Table) -> Published:
    """Guard the four tables of one day: each counts the same voters, keyed by code, entity or None, sex, age."""
    tables: dict[By, Table] = {"municipality": municipality, "entity": entity, "sex": sex, "age": age}
    hidden: dict[By, set[Key]] = {by: _small(table) for by, table in tables.items()}
    guarded = [not hidden[by] or _widen(tables[by], hidden[by]) for by in ("sex", "age")]
    guarded.append(_guard_places(municipality, entity, hidden))
    if not all(guarded):  # the total would give something away, and so would whatever adds up to it
        hidden = {by: set(table) for by, table in tables.items()}
        if _total_is_forced(tables.values()):
            return Published({by: dict.fromkeys(table) for by, table in tables.items()}, None)
    shown = {by: {key: _shown(n, key in hidden[by]) for key, n in table.items()} for by, table in tables.items()}
    for region in ("FBiH", "RS"):  # so many small municipalities under so few voters can only be ones
        if shown["entity"].get(region) == SMALL and len(_small(_of_region(municipality, region))) >= SMALLEST - 1:
            shown["entity"][region] = None
    return Published(shown, _shown(sum(sex.values()), not all(guarded)))


class Flows(NamedTuple):
    """What came and went of a municipality's voters between two positions."""

    entered: int = 0
    reinstated: int = 0
    deleted: int = 0
    moved_in: int = 0
    moved_out: int = 0

    @property
    def moved(self) -> int:
        """By how many more came than went to other municipalities."""
        return self.moved_in - self.moved_out

    @property
    def net(self) -> int:
        """By how many the municipality's voters became more."""
        return self.entered + self.reinstated - self.deleted + self.moved


class Disclosed(NamedTuple):
    """Accounts as everyone sees them; ``others``: there are municipalities of which nothing is told."""

    lines: dict[Key, Flows]
    others: bool
    before: Shown
    after: Shown


def disclose(lines: Mapping[Key, Flows], before: Published, after: Published) -> Disclosed:
    """Guard the accounts between two positions, of which everyone sees the published tables too.

    A municipality's line is shown whole or not at all: where it counts exactly at both positions, and none of its
    members is small. All moves add up to nothing, so that lines with moves are withheld, the least first, until those
    withheld have no small sum of moves. The totals are withheld where with the shown lines they would give a small
    sum of the lines withheld.
    """
    tables = [published.tables["municipality"] for published in (before, after)]
    shown = {
        place: line
        for place, line in sorted(lines.items(), key=lambda item: str(item[0]))
        if all(isinstance(table.get(place, 0), int) for table in tables) and not any(map(_is_small, line))
    }
    while _is_small(abs(sum(line.moved for line in shown.values()))):
        shown.pop(min((abs(line.moved), str(place), place) for place, line in shown.items() if line.moved)[2])
    totals = (before.total, after.total)
    rest = sum(line.net for place, line in lines.items() if place not in shown)
    if _is_small(abs(rest)):
        totals = (None, None)
    return Disclosed(shown, len(shown) < len(lines), *totals)


def _shown(count: int, hidden: bool) -> Shown:
    if 0 < count < SMALLEST:
        return SMALL
    return None if hidden else count


def _guard_places(municipality: Table, entity: Table, hidden: dict[By, set[Key]]) -> bool:
    """Municipalities add up to entities (Brčko's voters to both), entities to the total; may the total be known?

    Where a region's small municipalities cannot be guarded within it, no entity is shown.
    """
    places, regions = hidden["municipality"], hidden["entity"]
    within = [_widen(_of_region(municipality, region), places) for region in sorted({*map(_region, places)}, key=str)]
    if all(within) and not regions:
        return True
    regions.update(entity)
    guarded = not places or any(within) or _widen(municipality, places)
    return guarded and (not _small(entity) or max(entity.values()) >= LARGE)


def _total_is_forced(tables: Iterable[Table]) -> bool:
    """Whether, with all large counts withheld, the number of cells alone leaves the total but one value."""
    least, most = 0, math.inf
    for table in tables:
        few = len(_small(table))
        many = len(table) - few
        least = max(least, few + SMALLEST * many)
        most = min(most, math.inf if many else (SMALLEST - 1) * few)
    return least >= most


def _widen(table: Table, hidden: set[Key]) -> bool:
    """Withhold the least count of a table that is large enough to guard small ones; tells whether there was one."""
    large = [(n, str(key), key) for key, n in table.items() if n >= LARGE]
    if large:
        hidden.add(min(large)[2])
    return bool(large)


def _is_small(count: int) -> bool:
    return 0 < count < SMALLEST


def _small(table: Table) -> set[Key]:
    return {key for key, n in table.items() if n < SMALLEST}


def _of_region(municipality: Table, region: Key) -> Table:
    return {code: n for code, n in municipality.items() if _region(code) == region}


def _region(code: Key) -> Key:
    return entity_of(str(code))
