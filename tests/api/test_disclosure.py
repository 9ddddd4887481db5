"""What everyone is shown of counts gives no count of one to four away, not by any sum of any of the tables."""

from __future__ import annotations

from itertools import product
from typing import Any, Literal

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from register.api.disclosure import Flows, Published, disclose, publish
from register.projection.roll_accounts import Shown

PLACES = ("10014", "10022", "20010", "20028", "30163")
REGIONS: tuple[str | None, ...] = ("FBiH", "RS", None)


def region(place: Any) -> str | None:
    return {"1": "FBiH", "2": "RS"}.get(place[0])


@st.composite
def voters(draw: st.DrawFn) -> dict[str, dict[Any, int]]:
    """Tables of the same few voters; those of Brčko are split among the entities and none."""
    size = st.sampled_from((0, 0, 1, 2, 4, 5, 9, 11))
    place = {p: n for p in PLACES if (n := draw(size))}
    entity: dict[str | None, int] = {r: sum(n for p, n in place.items() if region(p) == r) for r in ("FBiH", "RS")}
    brcko = place.get("30163", 0)
    first = draw(st.integers(0, brcko))
    second = draw(st.integers(0, brcko - first))
    entity["FBiH"] += first
    entity["RS"] += second
    total = sum(place.values())
    women = draw(st.integers(0, total))
    young = draw(st.integers(0, total))
    old = draw(st.integers(0, total - young))
    return {
        "municipality": place,
        "entity": {r: n for r, n in {**entity, None: brcko - first - second}.items() if n},
        "sex": {k: n for k, n in {"F": women, "M": total - women}.items() if n},
        "age": {k: n for k, n in {18: young, 40: old, 65: total - young - old}.items() if n},
    }


def candidates(shown: Shown, most: int) -> range:
    """What a reader knows a cell may be."""
    if isinstance(shown, int):
        return range(shown, shown + 1)
    return range(1, 5) if shown == "<5" else range(5, most + 1)  # the reader knows which cells are withheld for others


def worlds(published: Published, most: int) -> list[tuple[dict[Any, int], dict[Any, int], int]]:
    """Every (municipality, entity, total) table that agrees with what is published."""
    place, entity = published.tables["municipality"], published.tables["entity"]
    totals = _sums(published.tables["sex"], most) & _sums(published.tables["age"], most)
    if published.total is not None:
        totals &= set(candidates(published.total, 5 * most))
    *others, last = entity
    found = []
    for counts in product(*(candidates(s, most) for s in place.values())):
        places = dict(zip(place, counts, strict=True))
        total = sum(counts)
        if total not in totals:
            continue
        least = {r: sum(n for p, n in places.items() if region(p) == r) for r in REGIONS}
        for shares in product(*(candidates(entity[r], 5 * most) for r in others)):
            rest = total - sum(shares)
            regions = {**dict(zip(others, shares, strict=True)), last: rest}
            if rest in candidates(entity[last], 5 * most) and all(
                regions.get(r, 0) >= least[r] for r in ("FBiH", "RS")
            ):
                found.append((places, regions, total))
    return found


def _sums(table: dict[Any, Shown], most: int) -> set[int]:
    sums = {0}
    for shown in table.values():
        sums = {a + b for a in sums for b in candidates(shown, 5 * most)}
    return sums


@settings(max_examples=25, deadline=None)
@given(voters())
def test_no_small_count_can_be_computed(tables: dict[str, dict[Any, int]]) -> None:
    assume(any(tables["municipality"].values()))
    published = publish(tables["municipality"], tables["entity"], tables["sex"], tables["age"])
    if all(shown is None for table in published.tables.values() for shown in table.values()):
        return  # nothing is told at all
    possible = worlds(published, most=12)
    assert (tables["municipality"], tables["entity"], sum(tables["sex"].values())) in possible
    for part, by in enumerate(("municipality", "entity")):
        for key, count in tables[by].items():
            assert published.tables[by][key] in ((count, None) if count >= 5 else ("<5", None))  # type: ignore[index]
            if published.tables[by][key] == "<5":  # type: ignore[index]
                assert len({world[:2][part][key] for world in possible}) > 1, (by, key, published)
    checked: tuple[Literal["sex", "age"], ...] = ("sex", "age")
    for own in checked:
        table: dict[Any, Shown] = dict(published.tables[own])
        for key in tables[own]:
            if table[key] == "<5":
                others = _sums({k: v for k, v in table.items() if k != key}, 12)
                own_counts = {t - o for _, _, t in possible for o in others} & set(range(1, 5))
                assert len(own_counts) > 1, (own, key, published)


def test_large_counts_are_shown_as_they_are() -> None:
    published = publish({"10014": 50, "20010": 70}, {"FBiH": 50, "RS": 70}, {"F": 61, "M": 59}, {18: 20, 40: 100})
    assert published.tables["municipality"] == {"10014": 50, "20010": 70}
    assert published.total == 120


def test_one_small_count_takes_another_one_with_it() -> None:
    published = publish({"10014": 3, "10022": 9, "10049": 90}, {"FBiH": 102}, {"F": 50, "M": 52}, {18: 102})
    assert published.tables["municipality"] == {"10014": "<5", "10022": None, "10049": 90}
    assert published.tables["entity"] == {"FBiH": 102}


FLOWS = st.tuples(*[st.sampled_from((0, 0, 1, 4, 5, 6, 9))] * 3)


MOVES = st.lists(st.tuples(st.sampled_from(PLACES), st.sampled_from(PLACES), st.integers(1, 7)), max_size=5)


@settings(max_examples=60, deadline=None)
@given(st.fixed_dictionaries(dict.fromkeys(PLACES, FLOWS)), MOVES)
def test_no_line_of_the_accounts_tells_a_small_flow(flows: dict[str, Any], moves: list[tuple[str, str, int]]) -> None:
    lines: dict[Any, Flows] = {place: Flows(*flow) for place, flow in flows.items()}
    for was, now, count in moves:
        lines[was] = lines[was]._replace(moved_out=lines[was].moved_out + count)
        lines[now] = lines[now]._replace(moved_in=lines[now].moved_in + count)
    start: dict[Any, int] = dict.fromkeys(PLACES, 100)
    end: dict[Any, int] = {place: 100 + line.net for place, line in lines.items()}
    tables = [
        publish(t, {"FBiH": sum(t.values())}, {"F": sum(t.values())}, {40: sum(t.values())}) for t in (start, end)
    ]
    told = disclose(lines, *tables)
    assert all(lines[place] == line for place, line in told.lines.items())
    assert told.others == (len(told.lines) < len(lines))
    assert not any(0 < count < 5 for line in told.lines.values() for count in line)
    # All moves add up to nothing: those of the lines withheld can be had from those shown.
    assert not 0 < abs(sum(line.moved for line in told.lines.values())) < 5
    if isinstance(told.before, int) and isinstance(told.after, int):
        rest = told.after - told.before - sum(line.net for line in told.lines.values())
        assert not 0 < abs(rest) < 5
