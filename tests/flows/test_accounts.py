"""Whoever knows the accounts as everyone sees them, and the roll's total, cannot compute a small cell."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from register.projection.roll_accounts import guarded


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
