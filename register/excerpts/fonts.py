"""The typeface of the lists, its measures, and whether a text fits its cell.

Fira Sans (SIL Open Font License) comes from a package, so that no list depends on what a machine has installed. The
widths are read from the font itself, before typesetting: a name that would run out of its cell is set smaller, then on
two lines, then with its words broken, and at last on as many lines as it takes. Every text can be printed, whatever it
holds: what the typeface lacks stands there by its number in Unicode.
"""

from __future__ import annotations

import hashlib
import re
import struct
from functools import lru_cache
from importlib import resources
from itertools import groupby
from pathlib import Path
from typing import Final, Literal
from unicodedata import category, normalize

import msgspec

Weight = Literal["regular", "semibold"]
FAMILY: Final = "Fira Sans"

_FILES: Final[dict[Weight, str]] = {"regular": "FiraSans-Regular.ttf", "semibold": "FiraSans-SemiBold.ttf"}
#: Kerning and hinting may add a little to the sum of the advances.
_MARGIN: Final = 1.01
#: A line breaks after these.
_BREAKS: Final = (" ", "-", "/", ",")
#: Ends a line in the middle of a word. Not a hyphen, which a double name may have in that place.
BROKEN: Final = "¬"
#: What an unprintable sign begins with: ``[U+0639]``, or several ``[U+0639 0645]``.
NUMBERED: Final = "[U+"
#: Hyphens by other names, which look no different.
_HYPHENS: Final = frozenset("\u2010\u2011")
#: Accents on one letter; more would run into the row above.
_ACCENTS: Final = 2
_ACCENT: Final = r"[\u0300-\u036f\u1dc0-\u1dff]"
_TOO_MANY_ACCENTS: Final = re.compile(_ACCENT * (_ACCENTS + 1))
_LETTER: Final = re.compile(f".{_ACCENT}*", re.DOTALL)
_WORD: Final = re.compile(r"[^ /,-]*[ /,-]+|[^ /,-]+")
#: A row is high enough for so many small lines.
_SMALL_LINES: Final = 2
#: The size of a text that needs more of them: its row grows, so it need not be so small.
_TALL: Final = 8.0


class LayoutError(ValueError):
    """A list cannot be printed. Says why, and names no voter."""


class Fit(msgspec.Struct, frozen=True):
    """How a text is set in its cell: the size in points, and its lines; of more than two the row must grow."""

    size: float
    lines: tuple[str, ...]


class Face:
    """Advance widths of one font file, by character; characters that show nothing count as missing."""

    def __init__(self, data: bytes) -> None:
        """Read ``head``, ``hhea``, ``hmtx`` and ``cmap`` of a TrueType file (OpenType 1.9, chapters of these names)."""
        tables = _tables(data)
        units = struct.unpack_from(">H", data, tables["head"] + 18)[0]
        count = struct.unpack_from(">H", data, tables["hhea"] + 34)[0]
        advances = struct.unpack_from(">" + "Hh" * count, data, tables["hmtx"])[::2]
        glyphs = _characters(data, tables["cmap"])
        widths = {char: advances[min(gid, count - 1)] / units for char, gid in glyphs.items()}
        # Lists are set in tabular figures, all as wide as the figure space.
        widths |= dict.fromkeys(range(ord("0"), ord("9") + 1), widths[0x2007])
        self.em: dict[int, float] = {char: em for char, em in widths.items() if category(chr(char))[0] != "C"}

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
def printable(text: str) -> str:
    """``text`` (NFC) in signs that the typeface has and that show.

    Letters it lacks are put together of letter and accents where it has these, hyphens and spaces are the usual ones;
    of anything else (other scripts, line separators, what turns the direction of writing) the number is shown.
    """
    em = faces()["regular"].em
    if all(ord(char) in em for char in text) and not _TOO_MANY_ACCENTS.search(text):
        return text
    signs: list[str | int] = []
    accents = 0
    for char in "".join(_alike(char) for char in text):
        accents = accents + 1 if category(char)[0] == "M" else 0
        signs.append(char if ord(char) in em and accents <= _ACCENTS else ord(char))
    shown = []
    for numbers, group in groupby(signs, lambda sign: isinstance(sign, int)):
        if numbers:
            shown.append(NUMBERED + " ".join(f"{number:04X}" for number in group) + "]")
        else:
            shown.extend(map(str, group))
    return "".join(shown)


@lru_cache(maxsize=100_000)
def fit(text: str, width: float, weight: Weight, sizes: tuple[float, ...], small: tuple[float, ...]) -> Fit:
    """``text``, which must be printable, in ``width`` points: on one line at one of ``sizes``, else at one of ``small``
    on one or two lines, if need be with words broken, else on as many lines as it takes.
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
    for size in small:
        filled = wrapped(text, width, weight, size)
        if len(filled) <= _SMALL_LINES:
            return Fit(size, filled)
    return Fit(_TALL, wrapped(text, width, weight, _TALL))


def wrapped(text: str, width: float, weight: Weight, size: float) -> tuple[str, ...]:
    """``text``, which must be printable, in lines of at most ``width`` points, filled one after the other.

    A word wider than that is broken, with a mark at the end of each line that it fills.
    """
    face = faces()[weight]
    lines, line = [], ""
    for word in _WORD.findall(text):
        if face.width((line + word).rstrip(), size) <= width:
            line += word
            continue
        lines.append(line)
        line = word
        while face.width(line.rstrip(), size) > width:
            at = _longest(line, width - face.width(BROKEN, size), face, size)
            lines.append(line[:at] + BROKEN)
            line = line[at:]
    return tuple(each for each in (line.strip() for line in [*lines, line]) if each) or ("",)


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


def _longest(line: str, width: float, face: Face, size: float) -> int:
    """How much of a line, in characters, is at most so wide: at least one letter, and each with its accents."""
    end = 0
    for letter in _LETTER.finditer(line):
        if end and face.width(line[: letter.end()], size) > width:
            break
        end = letter.end()
    return end


def _alike(char: str) -> str:
    """What looks the same as a character and the typeface may have."""
    em = faces()["regular"].em
    if ord(char) in em:
        return char
    if char in _HYPHENS:
        return "-"
    if category(char) == "Zs":
        return " "
    parts = normalize("NFD", char)
    return parts if all(ord(part) in em for part in parts) else char


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
