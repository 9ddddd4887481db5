"""The counts of a roll give no count of one to four away by a sum."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from register.projection.rolls import LIST_ORDER
from register.web.elections import guarded

CELLS = st.dictionaries(
    st.tuples(st.sampled_from(("10014", "10049", "20567", "30163")), st.sampled_from(LIST_ORDER)),
    st.integers(1, 12),
    min_size=1,
    max_size=12,
)


@given(CELLS)
def test_a_small_count_of_a_roll_is_never_the_rest_of_a_sum(cells: dict[tuple[str, str], int]) -> None:
    lists, places = guarded(cells)
    shown = {(place, kind): count for place, kinds in places.items() for kind, count in kinds.items()}
    assert shown.keys() == cells.keys()
    for cell, count in cells.items():
        assert shown[cell] == ("<5" if count < 5 else count) or (count >= 5 and shown[cell] is None)
    for kind, total in lists.items():
        of_kind = {cell: count for cell, count in cells.items() if cell[1] == kind}
        assert total in (sum(of_kind.values()), None, "<5")
        secret = [count for cell, count in of_kind.items() if not isinstance(shown[cell], int)]
        if isinstance(total, int) and min(of_kind.values()) < 5:
            # The sum is known, so a larger count is withheld beside the small ones: the rest tells neither.
            assert max(secret) >= 5
        if total is None and min(of_kind.values()) >= 5:
            assert secret, "a withheld sum can be added up from its own counts"
    unknown = [kind for kind, total in lists.items() if not isinstance(total, int)]
    if len(unknown) == 1:
        # The roll's size is known: one unknown sum alone would be the rest of it.
        assert unknown == list(lists), "a single list's sum can be computed from the others"
