"""The order of names, and the two scripts.

Bosnian, Croatian and Serbian share one Latin order (the ``hr`` rules of CLDR, which ``bs`` and ``sr-Latn`` import)::

    A B C Č Ć D Dž Đ E F G H I J K L Lj M N Nj O P (Q) R S Š T U V (W X Y) Z Ž

and Cyrillic has another, the azbuka (``sr``): А Б В Г Д Ђ Е Ж З И Ј К Л Љ М Н Њ О П Р С Т Ћ У Ф Х Ц Ч Џ Ш. A list
therefore has one declared script. In names dž, lj and nj are always letters. Space, hyphen and apostrophe come before
letters. Case never decides before everything else is equal.

The key is stored beside the name, so that the order depends neither on a server's locale nor on a version of ICU.
One name gives (all bytes of a name are 0x02 or greater, so a name sorts before any longer one)::

    weights of the letters  [0x01  marks of foreign letters]  0x00

and the key of a person is surname, given name, parent's name, three bytes of the date of birth, and, only where a
name is not plainly written (title case, the list's own script, no foreign letter), the names as they stand.
"""

from __future__ import annotations

import re
from datetime import date
from functools import lru_cache
from typing import Final, Literal
from unicodedata import category, normalize

Script = Literal["Latn", "Cyrl"]

_LATIN_ORDER: Final = (*"abcčćd", "dž", *"đefghijkl", "lj", *"mn", "nj", *"opqrsštuvwxyzž")
_CYRILLIC_ORDER: Final = "абвгдђежзијклљмнњопрстћуфхцчџш"
#: The letters that are one letter in both scripts.
_PAIRS: Final = tuple(zip("абвгдђежзијклмнопрстћуфхцчш", "abvgdđežzijklmnoprstćufhcčš", strict=True))
_DIGRAPHS: Final = {"љ": "lj", "њ": "nj", "џ": "dž"}
#: The one-character forms of Unicode, kept for round trips with old code pages; they are the two letters.
_LIGATURES: Final = str.maketrans(
    {"Ǆ": "DŽ", "ǅ": "Dž", "ǆ": "dž", "Ǉ": "LJ", "ǈ": "Lj", "ǉ": "lj", "Ǌ": "NJ", "ǋ": "Nj", "ǌ": "nj"}
)
#: Letters that Unicode does not decompose, with the letters they are filed under.
_FOREIGN: Final = {"æ": "ae", "ø": "o", "ł": "l", "ı": "i", "œ": "oe", "ð": "d", "þ": "t", "ħ": "h"}
#: Latin letters without a Cyrillic counterpart, with the letters they are filed under in a Cyrillic list.
_FOREIGN_IN_CYRILLIC: Final = {"q": "к", "w": "в", "x": "кс", "y": "и"}
#: Words of addresses in which nj and dž are two letters. No rule can know them; names have none.
_PARTED: Final = re.compile(
    r"(?i)(?<=\btan)(?=jug)|(?<=\bkon)(?=junkt)|(?<=\bin)(?=jek)|(?<=\bnad)(?=ž[iru])|(?<=\bpod)(?=žup)"
)

_FIRST_LETTER: Final = 0x20
_PUNCTUATION: Final = {" ": b"\x02", "-": b"\x03", "'": b"\x04"}
_PUNCTUATION_ALIKE: Final = str.maketrans(
    {"\u00a0": " ", "\u2010": "-", "\u2011": "-", "\u2012": "-", "\u2013": "-", "\u2019": "'", "\u02bc": "'"}
)
_OTHER_SIGN, _FIRST_DIGIT, _OTHER_LETTER = 0x05, 0x10, 0xF0

_TO_LATIN: Final = dict(_PAIRS) | _DIGRAPHS
_LOWER_TO_LATIN: Final = str.maketrans(_TO_LATIN)
_UPPER_DIGRAPHS: Final = {letter.upper(): pair for letter, pair in _DIGRAPHS.items()}
_SINGLE_TO_LATIN: Final = str.maketrans(
    {**_TO_LATIN, **{cyrillic.upper(): latin.upper() for cyrillic, latin in _PAIRS}}
)
_SINGLE_TO_CYRILLIC: Final = str.maketrans(
    {k: v for cyrillic, latin in _PAIRS for k, v in ((latin, cyrillic), (latin.upper(), cyrillic.upper()))}
)
_LATIN_DIGRAPH: Final = re.compile("(?i)lj|nj|dž")
_FROM_DIGRAPH: Final = {latin: letter for letter, latin in _DIGRAPHS.items()}

_LATIN_WEIGHT: Final = {letter: bytes([_FIRST_LETTER + n]) for n, letter in enumerate(_LATIN_ORDER)}
_CYRILLIC_WEIGHT: Final = {letter: bytes([_FIRST_LETTER + n]) for n, letter in enumerate(_CYRILLIC_ORDER)}
_PLAIN: Final[dict[Script, re.Pattern[str]]] = {
    "Latn": re.compile(r"[A-PR-VZČĆĐŠŽ][a-pr-vzčćđšž]*(?:[ -][A-PR-VZČĆĐŠŽ][a-pr-vzčćđšž]*)*"),
    "Cyrl": re.compile(r"[ЂЈ-ЋЏ-ИК-Ш][а-ик-шђј-ћџ]*(?:[ -][ЂЈ-ЋЏ-ИК-Ш][а-ик-шђј-ћџ]*)*"),
}


def sort_key(surname: str, given_name: str, parent_name: str, born_on: date, script: Script = "Latn") -> bytes:
    """Return the bytes by which a list in ``script`` is sorted: surname, given name, parent's name, date of birth.

    Equal only for the same names (after NFC) and the same day. Names in the other script are transliterated first.
    """
    names = (_name_key(surname, script), _name_key(given_name, script), _name_key(parent_name, script))
    key = names[0][0] + names[1][0] + names[2][0] + born_on.toordinal().to_bytes(3, "big")
    if names[0][1] or names[1][1] or names[2][1]:
        return key + b"\0".join((names[0][1], names[1][1], names[2][1]))
    return key


def fold(text: str) -> str:
    """Return ``text`` as it is compared: NFC, without case, in Latin. Diacritics count, and đ is not dj."""
    return normalize("NFC", normalize("NFC", text).translate(_LIGATURES).casefold().translate(_LOWER_TO_LATIN))


def to_latin(text: str) -> str:
    """Return Cyrillic ``text`` in Latin, in NFC; loses nothing. What is not Serbian Cyrillic stays as it is."""
    text = normalize("NFC", text)
    if text.isascii():
        return text
    parts = [
        _cased_digraph(text, place, _UPPER_DIGRAPHS[letter]) if letter in _UPPER_DIGRAPHS else letter
        for place, letter in enumerate(text)
    ]
    return "".join(parts).translate(_SINGLE_TO_LATIN).translate(_LIGATURES)


def to_cyrillic(text: str) -> str:
    """Return Latin ``text`` in Serbian Cyrillic, in NFC.

    dž, lj and nj become one letter, save in the few words of addresses where they are two. Letters without a
    counterpart (q, w, x, y and foreign ones) stay as they are.
    """
    text = normalize("NFC", text).translate(_LIGATURES)
    parts = _PARTED.split(text) if _PARTED.search(text) else [text]
    return "".join(_LATIN_DIGRAPH.sub(_one_letter, part).translate(_SINGLE_TO_CYRILLIC) for part in parts)


def _one_letter(match: re.Match[str]) -> str:
    letter = _FROM_DIGRAPH[match[0].lower()]
    return letter.upper() if match[0][0].isupper() else letter


def _cased_digraph(text: str, place: int, pair: str) -> str:
    """Write the capital at ``place`` as LJ in a word of capitals and as Lj elsewhere."""
    after, before = text[place + 1 : place + 2], text[max(place - 1, 0) : place]
    capitals = after.isupper() or (not after.isalpha() and before.isupper())
    return pair.upper() if capitals else pair[0].upper() + pair[1]


@lru_cache(maxsize=1 << 17)
def _name_key(name: str, script: Script) -> tuple[bytes, bytes]:
    """Return the key of one name, and the name itself as bytes where it is not plainly written (else nothing)."""
    text = normalize("NFC", name)
    written = b"" if _PLAIN[script].fullmatch(text) else text.encode()
    own = fold(text) if script == "Latn" else to_cyrillic(fold(text))
    weights, marks = _weights(own.translate(_PUNCTUATION_ALIKE), script)
    return weights + (b"\x01" + marks if marks else b"") + b"\0", written


def _weights(text: str, script: Script) -> tuple[bytes, bytes]:
    """Return the weights of a folded text, and the marks of its foreign letters: (place of the letter, mark) pairs."""
    table = _LATIN_WEIGHT if script == "Latn" else _CYRILLIC_WEIGHT
    weights: list[bytes] = []
    marks: list[bytes] = []
    place = 0
    while place < len(text):
        pair = text[place : place + 2]
        if pair in table and len(pair) == 2:
            weights.append(table[pair])
            place += 2
            continue
        letter = text[place]
        if letter in table:
            weights.append(table[letter])
        else:
            _foreign(letter, script, weights, marks)
        place += 1
    return b"".join(weights), b"".join(marks)


def _foreign(sign: str, script: Script, weights: list[bytes], marks: list[bytes]) -> None:
    """File a sign that is no letter of the alphabet under its base letter, and note its mark."""
    table = _LATIN_WEIGHT if script == "Latn" else _CYRILLIC_WEIGHT
    bases = _bases(sign, script)
    if sign in _PUNCTUATION:
        weights.append(_PUNCTUATION[sign])
    elif "0" <= sign <= "9":
        weights.append(bytes([_FIRST_DIGIT + int(sign)]))
    elif bases and all(base in table for base in bases):
        weights.extend(table[base] for base in bases)
        marks.append(_number(len(weights)) + _number(ord(sign)))
    elif category(sign)[0] in "MC":
        marks.append(_number(len(weights)) + _number(ord(sign)))
    else:
        weights.append(bytes([_OTHER_LETTER if sign.isalpha() else _OTHER_SIGN]) + _number(ord(sign)))


def _bases(sign: str, script: Script) -> str:
    """Return the letters of the list's script under which a foreign letter is filed, "" if none are known."""
    bases = _FOREIGN.get(sign) or "".join(base for base in normalize("NFD", sign) if category(base)[0] != "M")
    if script == "Latn":
        return bases.translate(_LOWER_TO_LATIN)
    return "".join(_FOREIGN_IN_CYRILLIC.get(base, base) for base in bases).translate(_SINGLE_TO_CYRILLIC)


def _number(value: int) -> bytes:
    """Write a number below 2**21 as three bytes that are all 0x80 or greater and sort as the number does."""
    return bytes([0x80 | value >> 14 & 0x7F, 0x80 | value >> 7 & 0x7F, 0x80 | value & 0x7F])
