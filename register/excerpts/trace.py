"""Whose copy rows are from: by the codes behind them, whatever else of the rows is left (Art. 3.1).

Nothing is read out of the rows themselves but words. The rows of each copy are made again from the frozen roll, coded
with the copy's key, and compared. What is found is told with the chance that a wrong copy fits as well: of a code
alone, that any row of the copy has it; of a code beside words, that one of the rows which these words fit has it.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

import msgspec

from register.excerpts.codes import ALPHABET, COLUMNS, LENGTH, code_of, key_of
from register.excerpts.render_csv import line_of
from register.excerpts.rows import ListRow, Script, texts_maker
from register.law.alphabet import fold
from register.law.events import CopyGranted

#: What a code could be in a line: signs of it, and those it is taken for.
_CODE: Final = re.compile(rf"(?<!\w)[0-9A-Z]{{{LENGTH}}}(?!\w)")
_WORD: Final = re.compile(r"\w+")
#: Codes that differ from a given one in one sign, and those there are.
NEAR: Final = LENGTH * (len(ALPHABET) - 1)
ALL: Final = len(ALPHABET) ** LENGTH
#: So likely, at most, is it that a copy named is the wrong one.
CERTAIN: Final = 1e-6


class Line(msgspec.Struct, frozen=True):
    """One line of a fragment: what could be codes in it, and its other words, folded."""

    codes: tuple[str, ...]
    words: frozenset[str]


class Trace(msgspec.Struct, frozen=True, kw_only=True):
    """A copy that lines of a fragment fit: how many to the letter, how many but for one sign, of how many in all.

    ``chance``: an upper bound of the chance that any of the wrong copies would fit so many lines so well.
    """

    granted: CopyGranted
    exact: int
    near: int
    lines: int
    chance: float

    @property
    def certain(self) -> bool:
        """Whether the copy can be named."""
        return self.chance <= CERTAIN


def read_line(text: str) -> Line:
    """A line of a fragment, as it stands in a file, is printed or was typed from a photograph.

    A code is a word of six capital letters and digits; a typed line may have it in small letters at its end.
    """
    words = _WORD.findall(text)
    codes = _CODE.findall(text)
    if not codes and words and _CODE.fullmatch(words[-1].upper()):
        codes = [words[-1].upper()]
    taken = {code.lower() for code in codes}
    return Line(tuple(dict.fromkeys(codes)), frozenset(fold(w) for w in words if w.lower() not in taken))


def variants(code: str) -> dict[str, bool]:
    """Every code that what was read could be, one sign misread at most: to the letter (True) or not."""
    strange = [at for at, sign in enumerate(code) if sign not in ALPHABET]
    if len(strange) > 1:
        return {}
    places = strange or range(LENGTH)
    found = {code[:at] + sign + code[at + 1 :]: False for at in places for sign in ALPHABET}
    return found if strange else found | {code: True}


def chance_of(hits: Iterable[float], lines: int, copies: int) -> float:
    """An upper bound of the chance that any of so many wrong copies fits so well: each hit's own, in any of the lines.

    The lines of a wrong copy fit independently of each other, as its codes are.
    """
    each = list(hits)
    return min(1.0, copies * math.comb(lines, len(each)) * math.prod(min(1.0, chance) for chance in each))


def trace(lines: Sequence[Line], copies: Iterable[tuple[Sequence[CopyGranted], Iterable[ListRow]]]) -> Iterator[Trace]:
    """The copies that any of these lines fit. ``copies``: those of the same rows together, with these rows.

    A line with words counts where they fit as well: half of them at least must stand in the row. Of a line without,
    the code alone decides.
    """
    usable = [line for line in lines if any(variants(code) for code in line.codes)]
    found: list[tuple[CopyGranted, _Hits]] = []
    total = 0
    for same, rows in copies:
        total += len(same)
        found += _trace_rows(usable, same, rows)
    for granted, hits in found:
        if hits:
            chance = chance_of((hit.chance for hit in hits.values()), len(usable), total)
            exact = sum(hit.exact for hit in hits.values())
            yield Trace(granted=granted, exact=exact, near=len(hits) - exact, lines=len(usable), chance=chance)


class _Hit(msgspec.Struct, frozen=True):
    exact: bool
    chance: float


#: By the number of the line.
_Hits = Mapping[int, _Hit]


class _Readings:
    """What lines could be: code -> the lines that have it, and whether to the letter."""

    def __init__(self, lines: Sequence[Line], which: Iterable[int]) -> None:
        self._by_code: dict[str, dict[int, bool]] = defaultdict(dict)
        for number in which:
            for read in lines[number].codes:
                for code, exact in variants(read).items():
                    here = self._by_code[code]
                    here[number] = here.get(number, False) or exact

    def of(self, code: str) -> Mapping[int, bool]:
        return self._by_code.get(code, {})

    def __bool__(self) -> bool:
        return bool(self._by_code)


def _trace_rows(
    lines: Sequence[Line], same: Sequence[CopyGranted], rows: Iterable[ListRow]
) -> list[tuple[CopyGranted, _Hits]]:
    """The hits of copies of the same rows."""
    bare = _Readings(lines, (n for n, line in enumerate(lines) if not line.words))
    worded = {n: line.words for n, line in enumerate(lines) if line.words}
    readings = {n: _Readings(lines, [n]) for n in worded}
    keys = [key_of(granted) for granted in same]
    exactly: list[dict[int, bool]] = [{} for _ in same]
    fitting = dict.fromkeys(worded, 0)
    script: Script = same[0].script if same else "latin"
    texts_of, count = texts_maker(COLUMNS, script), 0
    for row in rows:
        count += 1
        texts = texts_of(row)
        fits = _fits(worded, texts) if worded else ()
        if not fits and not bare:
            continue
        line = line_of(texts)
        for number in fits:
            fitting[number] += 1
        for key, hits in zip(keys, exactly, strict=True):
            code = code_of(key, line)
            for number, exact in bare.of(code).items():
                hits[number] = hits.get(number, False) or exact
            for number in fits:
                for exact in readings[number].of(code).values():
                    hits[number] = hits.get(number, False) or exact
    tries = {n: len(line.codes) * fitting.get(n, count) for n, line in enumerate(lines)}
    return [
        (granted, {n: _Hit(exact, tries[n] * (1 if exact else 1 + NEAR) / ALL) for n, exact in hits.items()})
        for granted, hits in zip(same, exactly, strict=True)
    ]


def _fits(worded: Mapping[int, frozenset[str]], texts: Sequence[str]) -> tuple[int, ...]:
    """The lines whose words fit a row."""
    own = {fold(word) for text in texts for word in _WORD.findall(text)}
    return tuple(number for number, words in worded.items() if 2 * len(words & own) >= len(words))
