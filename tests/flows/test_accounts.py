"""Accounts of a roll: its units add up, and whoever knows them and the total cannot compute a small cell."""

from __future__ import annotations

from collections import Counter
from datetime import date

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from register.app.parts import read_reference
from register.law.events import BRCKO, ElectionCalled
from register.law.territory import Level
from register.projection.roll_accounts import Cell, UnitCell, by_units, guarded

MUNICIPALITIES = read_reference()
GENERAL = ElectionCalled(
    election="general-2026", kind="general", early=False, day=date(2026, 10, 4), called_on=date(2026, 4, 1)
)
CELLS = st.builds(
    Cell,
    municipality=st.sampled_from(sorted(MUNICIPALITIES)) | st.just(BRCKO),
    list=st.sampled_from(["polling-station", "mail"]),
    station=st.none(),
    option=st.sampled_from(["regular", "mail"]),
    entity=st.none(),
)


@given(st.lists(st.one_of(st.integers(1, 5), st.integers(1, 60)), min_size=1, max_size=12))
def test_no_small_cell_can_be_computed_from_the_others_and_the_total(cells: list[int]) -> None:
    counts = dict(enumerate(cells))
    shown = guarded(counts)
    assert all(shown[key] in (count, "<5", None) for key, count in counts.items())
    assert {key for key, cell in shown.items() if cell == "<5"} == {key for key, count in counts.items() if count < 5}
    small, withheld = (sum(1 for cell in shown.values() if cell == what) for what in ("<5", None))
    if not small or small + withheld == len(cells):
        return  # nothing to guard; or nothing left to guard it with: all cells are hidden
    known = sum(cells) - sum(cell for cell in shown.values() if isinstance(cell, int))
    for cell in range(small):
        rest, most = small - 1 + 5 * withheld, 4 * (small - 1) if not withheld else known
        possible = [value for value in range(1, 5) if rest <= known - value <= most]
        assert len(possible) > 1, cell


def of(cell: Cell, brcko: str | None) -> Cell:
    """The cell with the entity of its municipality; in Brčko that of the option."""
    entity = MUNICIPALITIES[cell.municipality].entity
    return cell._replace(entity=entity if entity is not None else brcko)


@given(st.dictionaries(st.tuples(CELLS, st.sampled_from(["FBiH", "RS", None])), st.integers(1, 5_000), max_size=40))
def test_the_units_of_every_level_add_up_to_the_roll(cells: dict[tuple[Cell, str | None], int]) -> None:
    """Whatever the roll, each of the five levels counts every voter once, those who vote in no unit of it too."""
    counts: Counter[Cell] = Counter()
    for (cell, brcko), voters in cells.items():
        counts[of(cell, brcko)] += voters
    levels: Counter[str] = Counter()
    for unit, count in by_units(counts, GENERAL, MUNICIPALITIES).items():
        assert isinstance(count, int)
        levels[unit.level] += count
    wanted = ("hor-bih", "hor-fbih", "nsrs", "cantonal-assembly", "municipality") if counts else ()
    assert levels == dict.fromkeys(wanted, counts.total())
    local = by_units(counts, msgspec.structs.replace(GENERAL, kind="local"), MUNICIPALITIES)
    assert {cell.level for cell in local} <= {"municipality"}


def test_voters_of_brcko_count_in_the_units_of_their_entity_option() -> None:
    """515 and 402 with the Federation, 522 and 306 with Republika Srpska; without an option in none of them (U4)."""
    cells = {
        Cell(BRCKO, "polling-station", "200C001", "regular", entity): voters
        for entity, voters in (("FBiH", 400), ("RS", 300), (None, 200))
    }
    found = by_units(cells, GENERAL, MUNICIPALITIES)
    units: dict[Level, dict[str | None, int]] = {
        "hor-bih": {"515": 400, "522": 300, None: 200}, "hor-fbih": {"402": 400, None: 500},
        "nsrs": {"306": 300, None: 600}, "cantonal-assembly": {None: 900}, "municipality": {BRCKO: 900},
    }  # fmt: skip
    assert found == {
        UnitCell(level, unit, "regular"): voters for level, those in units.items() for unit, voters in those.items()
    }
