"""The page of a roll tells nothing that its accounts withhold: it shows sums of what they show, and no others."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from register.projection.roll_accounts import Cell, guarded
from register.projection.rolls import LIST_ORDER
from register.web.elections import by_list

CELLS = st.dictionaries(
    st.builds(
        Cell,
        st.sampled_from(("10014", "10049", "20567")),
        st.sampled_from(LIST_ORDER[:3]),
        st.sampled_from(("001", "002", None)),
        st.just("regular"),
        st.sampled_from(("FBiH", "RS")),
    ),
    st.integers(1, 12),
    min_size=1,
    max_size=12,
)


def test_a_small_station_is_not_the_rest_of_its_municipalitys_list() -> None:
    first, second, third = (Cell("10049", "polling-station", code, "regular", "FBiH") for code in ("001", "002", "003"))
    elsewhere = Cell("10014", "polling-station", "001", "regular", "FBiH")
    shown = guarded({first: 100, second: 3, elsewhere: 7, third: 200})
    assert (shown[first], shown[second], shown[elsewhere], shown[third]) == (100, "<5", None, 200)
    lists, places = by_list(shown)
    assert places == {"10014": {"polling-station": None}, "10049": {"polling-station": None}}
    assert lists == {"polling-station": None}


@given(CELLS)
def test_what_the_page_shows_is_made_from_what_the_accounts_show(cells: dict[Cell, int]) -> None:
    shown = guarded(cells)
    lists, places = by_list(shown)
    of_places = [({cell for cell in cells if cell[:2] == (p, k)}, n) for p, ks in places.items() for k, n in ks.items()]
    of_lists = [({cell for cell in cells if cell.list == kind}, count) for kind, count in lists.items()]
    for members, count in of_places + of_lists:
        parts = [shown[cell] for cell in members]
        if all(isinstance(part, int) for part in parts):
            assert count == sum(cells[cell] for cell in members)
        else:
            assert count == (parts[0] if len(parts) == 1 else None)
    assert set().union(*(members for members, _ in of_places)) == cells.keys()
