"""How many voters a polling station has, and how a large one could be divided (Art. 5.1, later law).

Counts only: a proposal names streets and how many voters live in each, and nobody.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import date
from itertools import accumulate, pairwise
from typing import Final

import msgspec

from register.law.alphabet import fold, sort_key
from register.law.deficiencies.kinds import Finding
from register.law.parameters import RuleSet

#: A station is not divided into more parts than this; one that large is a mistake of its catchment.
PARTS_MOST: Final = 50


class StationSize(msgspec.Struct, frozen=True, gc=False):
    """A polling station in force and its ``voters``; ``position``: of the last that its commission said of it."""

    municipality: str
    station: str
    voters: int
    position: int


class StreetCount(msgspec.Struct, frozen=True, gc=False):
    """How many of a station's voters live in a street; ``street`` None: in the settlement, at addresses without one."""

    settlement: str | None
    street: str | None
    voters: int


class SplitPart(msgspec.Struct, frozen=True):
    """One of the stations that a large one could become: its voters, and its streets in order."""

    voters: int
    streets: tuple[StreetCount, ...]


def gathered(counts: Iterable[StreetCount]) -> list[StreetCount]:
    """One count for each street, however its name was written; the way most of its voters have it stands for all."""
    written: defaultdict[tuple[str, str], Counter[tuple[str | None, str | None]]] = defaultdict(Counter)
    for one in counts:
        written[fold(one.settlement or ""), fold(one.street or "")][one.settlement, one.street] += one.voters
    found = []
    for ways in written.values():
        settlement, street = min(ways, key=lambda way: (-ways[way], way[0] or "", way[1] or ""))
        found.append(StreetCount(settlement, street, ways.total()))
    return sorted(found, key=_place)


def outside(sizes: Iterable[StationSize], rules: RuleSet) -> list[Finding]:
    """Stations with fewer or more voters than a station generally has, by key (Art. 5.1, later law: 300 to 1,000).

    For the municipal commission. A remote village may need a small station: the CEC then dismisses the deficiency,
    with its reason.
    """
    least, most = rules.station_voters_least, rules.station_voters_most
    found = []
    for one in sizes:
        if not least <= one.voters <= most:
            key = f"{one.municipality}:{one.station}"
            authority = f"municipal-commission:{one.municipality}"
            figures = {"voters": one.voters, "least": least, "most": most}
            finding = Finding("station-size", key, authority, one.municipality, (), (one.position,), figures)
            found.append(finding)
    return sorted(found, key=lambda finding: finding.key)


def proposed_split(streets: Iterable[StreetCount], rules: RuleSet) -> tuple[SplitPart, ...] | None:
    """How a station with too many voters could be divided by streets (Art. 5.1, later law); None for one that has not.

    Streets stay whole and in order (settlement, then street, by the alphabet), so that parts hang together on paper.
    Of the numbers of parts that could do, the least is taken for which every part is of a usual size; where there is
    none, the least number, whose parts are then as even as whole streets allow. Depends on the counts alone.
    """
    ordered = sorted((one for one in streets if one.voters > 0), key=_place)
    total = sum(one.voters for one in ordered)
    least, most = rules.station_voters_least, rules.station_voters_most
    if total <= most:
        return None
    fewest = -(-total // most)
    tries = range(fewest, max(fewest, min(total // least, PARTS_MOST)) + 1)
    splits = (_divided(ordered, parts) for parts in tries)
    first: tuple[SplitPart, ...] | None = None
    for split in splits:
        first = split if first is None else first
        if all(least <= part.voters <= most for part in split):
            return split
    return first


def _divided(ordered: Sequence[StreetCount], parts: int) -> tuple[SplitPart, ...]:
    """The streets cut into at most so many runs: each cut where it comes nearest to an even share."""
    upto = list(accumulate(one.voters for one in ordered))
    cuts = [0]
    for number in range(1, parts):
        share = upto[-1] * number / parts
        after = bisect_left(upto, share)  # the first street with which the share is reached
        before_it = upto[after - 1] if after else 0
        nearer = after if share - before_it < upto[after] - share else after + 1
        if cuts[-1] < nearer < len(ordered):
            cuts.append(nearer)
    runs = (tuple(ordered[first:last]) for first, last in pairwise([*cuts, len(ordered)]))
    return tuple(SplitPart(sum(one.voters for one in run), run) for run in runs)


def _place(one: StreetCount) -> bytes:
    return sort_key(one.settlement or "", one.street or "", "", date.min)
