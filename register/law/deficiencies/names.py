"""Names and addresses as deficiencies compare them: more leniently than lists do.

Offices leave out diacritics, write đ as dj, put surname and given name in each other's place and double surnames with
or without a hyphen. None of this makes another person, or another address.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final
from unicodedata import category, normalize

from register.law.alphabet import fold

#: What Unicode does not decompose, and what offices without diacritics write for it.
_WRITTEN_AS: Final = str.maketrans({"đ": "dj", "ł": "l", "ø": "o", "æ": "ae", "œ": "oe"})


@lru_cache(maxsize=1 << 16)
def words(text: str) -> tuple[str, ...]:
    """The words of a name or an address, in order: in Latin, without case, diacritics, and signs between words."""
    plain = normalize("NFD", fold(text).translate(_WRITTEN_AS))
    spaced = "".join(c if c.isalnum() else " " for c in plain if category(c) != "Mn")
    return tuple(spaced.split())


def alike(*texts: str) -> str:
    """What names or addresses that are written alike share; the parts are kept apart by U+001F."""
    return "\x1f".join(" ".join(words(text)) for text in texts)
