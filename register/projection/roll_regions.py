"""Which sums of the cells of a roll may be told beside each other, although some of their cells are hidden (Art. 3.1).

A sum over a region (a municipality, an electoral unit, the country) tells what its hidden cells come to together. It is
told only where this leaves each of them open, alone and beside every other sum that is told.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import TypeVar

K = TypeVar("K", bound=Hashable)
R = TypeVar("R", bound=Hashable)


def told(
    regions: Mapping[R, set[K]],
    hidden: set[K],
    is_open: Callable[[frozenset[K]], bool],
    known: Iterable[Iterable[K]] = (),
) -> set[R]:
    """The regions whose sums may be told, of ``regions`` with their cells; the larger ones come first.

    ``is_open``: whether hidden cells of which only the sum is known leave each other open. ``known``: the cells of sums
    that everyone knows anyway.

    The hidden cells of two regions that are told are the same, or lie apart, or lie one within the other. Then all the
    sums together say no more than the sum of each region's own hidden cells, without those of the regions told within
    it; and each of these sums leaves its cells open.
    """
    family = [frozenset(hidden.intersection(cells)) for cells in known]
    found: set[R] = set()
    for region in sorted(regions, key=lambda region: (-len(regions[region]), str(region))):
        block = frozenset(regions[region] & hidden)
        if block and block not in family:
            if not _fits(block, family, is_open):
                continue
            family.append(block)
        found.add(region)
    return found


def _fits(block: frozenset[K], family: list[frozenset[K]], is_open: Callable[[frozenset[K]], bool]) -> bool:
    if any(block & other and not (block < other or other < block) for other in family):
        return False
    around = sorted((other for other in family if block < other), key=len)[:1]
    more = [*family, block]
    own = (outer.difference(*(inner for inner in more if inner < outer)) for outer in [block, *around])
    return all(not cells or is_open(cells) for cells in own)
