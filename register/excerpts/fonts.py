"""The typeface of the lists, its measures, and whether a text fits its cell.

Fira Sans (SIL Open Font License) comes from a package, so that no list depends on what a machine has installed. The
widths are read from the font itself, before typesetting: a name that would run out of its cell is set smaller, then on
two lines, and if even that does not do, the run stops (a list with a cut name is worse than no list).
"""

from __future__ import annotations

import hashlib
import struct
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Final, Literal

import msgspec

Weight = Literal["regular", "semibold"]
FAMILY: Final = "Fira Sans"

_FILES: Final[dict[Weight, str]] = {"regular": "FiraSans-Regular.ttf", "semibold": "FiraSans-SemiBold.ttf"}
#: Kerning and hinting may add a little to the sum of the advances.
_MARGIN: Final = 1.01
#: A line breaks after these.
_BREAKS: Final = (" ", "-", "/", ",")


class LayoutError(ValueError):
    """Something cannot be printed as it must be. Names list, row and column, never what stands there."""


class Fit(msgspec.Struct, frozen=True):
    """How a text is set in its cell: the size in points, and one line or two."""

    size: float
    lines: tuple[str, ...]


class Face:
    """Advance widths of one font file, by character."""

    def __init__(self, data: bytes) -> None:
        """Read ``head``, ``hhea``, ``hmtx`` and ``cmap`` of a TrueType file (OpenType 1.9, chapters of these names)."""
        tables = _tables(data)
        units = struct.unpack_from(">H", data, tables["head"] + 18)[0]
        count = struct.unpack_from(">H", data, tables["hhea"] + 34)[0]
        advances = struct.unpack_from(">" + "Hh" * count, data, tables["hmtx"])[::2]
        glyphs = _characters(data, tables["cmap"])
        self.em: dict[int, float] = {char: advances[min(gid, count - 1)] / units for char, gid in glyphs.items()}

    def width(self, text: str, size: float) -> float:
        """The width of ``text`` in points at ``size`` points. Raises KeyError(code point) without a glyph for it."""
        return sum(self.em[ord(char)] for char in text) * size * _MARGIN


@lru_cache(maxsize=1)
def folder() -> Path:
    """Where the fonts lie."""
    return Path(str(resources.files("fontpkg_fira_sans") / "files"))


@lru_cache(maxsize=1)
def faces() -> dict[Weight, Face]:
    """The faces in use, read once a process."""
    return {weight: Face((folder() / file).read_bytes()) for weight, file in _FILES.items()}


@lru_cache(maxsize=1)
def digest() -> str:
    """SHA-256 over the font files in use: other fonts, other bytes."""
    return hashlib.sha256(b"".join((folder() / file).read_bytes() for file in _FILES.values())).hexdigest()


@lru_cache(maxsize=100_000)
def fit(text: str, width: float, weight: Weight, sizes: tuple[float, ...], small: tuple[float, ...]) -> Fit | None:
    """``text`` in ``width`` points: on one line at one of ``sizes``, else on one or two lines at one of ``small``.

    None when it fits nowhere. Raises KeyError(code point) when the font lacks a character.
    """
    face = faces()[weight]
    for size in sizes:
        if face.width(text, size) <= width:
            return Fit(size, (text,))
    for size in small:
        if face.width(text, size) <= width:
            return Fit(size, (text,))
        for at in _break_points(text):
            lines = (text[:at].rstrip(), text[at:].lstrip())
            if all(face.width(line, size) <= width for line in lines):
                return Fit(size, lines)
    return None


def shorten(text: str, width: float, weight: Weight, size: float) -> str:
    """``text``, or as much of it as fits ``width`` points with an ellipsis that shows it goes on."""
    face = faces()[weight]
    if face.width(text, size) <= width:
        return text
    while text and face.width(text + "…", size) > width:
        text = text[:-1]
    return text.rstrip() + "…"


def _break_points(text: str) -> list[int]:
    """Where a second line may begin, the most even break first."""
    points = [index + 1 for index, char in enumerate(text[:-1]) if char in _BREAKS]
    return sorted(points, key=lambda at: (abs(2 * at - len(text)), at))


def _tables(data: bytes) -> dict[str, int]:
    count = struct.unpack_from(">H", data, 4)[0]
    records = (struct.unpack_from(">4sIII", data, 12 + 16 * i) for i in range(count))
    return {tag.decode("ascii"): offset for tag, _, offset, _ in records}


def _characters(data: bytes, cmap: int) -> dict[int, int]:
    """Character to glyph, of the first Unicode subtable of format 12 or 4."""
    count = struct.unpack_from(">H", data, cmap + 2)[0]
    records = (struct.unpack_from(">HHI", data, cmap + 4 + 8 * i) for i in range(count))
    offsets = [cmap + offset for platform, _, offset in records if platform in (0, 3)]
    by_format = {struct.unpack_from(">H", data, offset)[0]: offset for offset in offsets}
    if 12 in by_format:
        return _format_12(data, by_format[12])
    return _format_4(data, by_format[4])


def _format_12(data: bytes, at: int) -> dict[int, int]:
    count = struct.unpack_from(">I", data, at + 12)[0]
    found: dict[int, int] = {}
    for i in range(count):
        first, last, glyph = struct.unpack_from(">III", data, at + 16 + 12 * i)
        found.update({char: glyph + char - first for char in range(first, last + 1)})
    return found


def _format_4(data: bytes, at: int) -> dict[int, int]:
    count = struct.unpack_from(">H", data, at + 6)[0] // 2
    row = ">" + "H" * count
    ends = struct.unpack_from(row, data, at + 14)
    starts = struct.unpack_from(row, data, at + 16 + 2 * count)
    deltas = struct.unpack_from(row, data, at + 16 + 4 * count)
    offsets = struct.unpack_from(row, data, at + 16 + 6 * count)
    found: dict[int, int] = {}
    for i, (end, start, delta, offset) in enumerate(zip(ends, starts, deltas, offsets, strict=True)):
        for char in range(start, end + 1):
            glyph = char
            if offset:
                place = at + 16 + 6 * count + 2 * i + offset + 2 * (char - start)
                glyph = struct.unpack_from(">H", data, place)[0]
            if (glyph or not offset) and char != 0xFFFF:
                found[char] = (glyph + delta) & 0xFFFF
    return {char: glyph for char, glyph in found.items() if glyph}
