"""What everyone may be shown of counts, so that nobody reads one person out of two totals (Art. 3.1; contract).

Counts of 1 to 4 are shown as ``<5``. That alone would not do: a single such cell is the total less the others. So a
table with small cells also withholds its least larger cell, and what is tied to it (municipalities add up to entities,
every table to the total) is withheld where it would give one of them away.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Final, Literal

import msgspec

from register.law.territory import entity_of

#: Counts from 1 to this many less one are not shown.
SMALLEST: Final = 5
SMALL: Final = "<5"
#: A count withheld beside small ones must be so large that less it by any of theirs could still be no small one.
LARGE: Final = 2 * SMALLEST - 1

By = Literal["municipality", "entity", "sex", "age"]
Key = str | int | None
#: A count as everyone sees it: exact, ``<5``, or None where it is withheld because others could be computed from it.
Shown = int | str | None
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


def small(count: int) -> Shown:
    """A count that stands by itself, as everyone sees it."""
    return _shown(count, hidden=False)


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


def _small(table: Table) -> set[Key]:
    return {key for key, n in table.items() if n < SMALLEST}


def _of_region(municipality: Table, region: Key) -> Table:
    return {code: n for code, n in municipality.items() if _region(code) == region}


def _region(code: Key) -> Key:
    return entity_of(str(code))
