"""Which language a page speaks, and how it writes days and numbers."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Final

from babel.dates import format_date, format_time
from babel.numbers import format_decimal

from register.excerpts.words import LANGUAGES, Language, translations
from register.law.alphabet import to_cyrillic
from register.settings import CIVIL_ZONE

#: BCP 47 tag of each language, and its own name in its own script. The order is that of the links on every page.
TAGS: Final[dict[Language, str]] = {"bs": "bs", "hr": "hr", "sr_Cyrl": "sr-Cyrl", "sr_Latn": "sr-Latn", "en": "en"}
OWN_NAMES: Final[dict[Language, str]] = {
    "bs": "Bosanski",
    "hr": "Hrvatski",
    "sr_Cyrl": "Српски",
    "sr_Latn": "Srpski",
    "en": "English",
}
DEFAULT: Final[Language] = "bs"

#: How each language writes days and numbers, in the country's own manner where that is known.
_LOCALES: Final[dict[Language, str]] = {
    "bs": "bs_Latn_BA",
    "hr": "hr_BA",
    "sr_Cyrl": "sr_Cyrl_BA",
    "sr_Latn": "sr_Latn_BA",
    "en": "en_GB",
}
_BY_TAG: Final[dict[str, Language]] = {tag.lower(): language for language, tag in TAGS.items()}
#: Other tags a browser may send for these languages: Serbian without a script is Cyrillic (CLDR, likely subtags).
_ALSO: Final[dict[str, Language]] = {"sr": "sr_Cyrl", "sh": "sr_Latn", "bs-latn": "bs", "cnr": "sr_Latn"}
_QUALITY: Final = re.compile(r"q=([01](?:\.[0-9]{0,3})?)")


def choose(asked: str | None, accepted: str | None) -> Language:
    """The language of a page: the one asked for by ``?lang=``, else the best of ``Accept-Language`` (RFC 9110)."""
    found = _meant(asked or "")
    return found or _best(accepted or "") or DEFAULT


def _best(accepted: str) -> Language | None:
    ranked: list[tuple[float, int, Language]] = []
    for place, item in enumerate(accepted.split(",")[:32]):
        tag, *parameters = (part.strip() for part in item.split(";"))
        weight = next((float(q[1]) for p in parameters if (q := _QUALITY.fullmatch(p))), 1.0)
        language = _meant(tag)
        if language is not None and weight > 0:
            ranked.append((-weight, place, language))
    return min(ranked)[2] if ranked else None


def _meant(tag: str) -> Language | None:
    """The language of a tag, region left out: ``sr-Latn-BA`` is ``sr_Latn``."""
    parts = tag.lower().replace("_", "-").split("-")
    for length in (2, 1):
        wanted = "-".join(parts[:length])
        if wanted in _BY_TAG or wanted in _ALSO:
            return _BY_TAG.get(wanted) or _ALSO[wanted]
    return None


class Speech:
    """One language as the templates use it: ``_``, days, instants, numbers, names of places."""

    def __init__(self, language: Language) -> None:
        self.language: Final = language
        self.tag: Final = TAGS[language]
        self._locale: Final = _LOCALES[language]

    def say(self, message: str, **values: object) -> str:
        """The message in this language, its places filled in."""
        said = translations(self.language).gettext(message)
        return said.format(**values) if values else said

    def day(self, day: date) -> str:
        """A day in full."""
        return format_date(day, "long", locale=self._locale)

    def days(self, first: date, last: date) -> str:
        """A span of days, both ends included."""
        return self.day(first) if first == last else f"{self.day(first)} – {self.day(last)}"

    def instant(self, instant: datetime) -> str:
        """An instant to the minute, as clocks in the country show it."""
        local = instant.astimezone(CIVIL_ZONE)
        return f"{self.day(local.date())}, {format_time(local, 'HH:mm', locale=self._locale)}"

    def number(self, number: int) -> str:
        """A whole number with its thousands apart."""
        return format_decimal(number, locale=self._locale)

    def count(self, count: int | str | None) -> str:
        """A count as everyone sees it: exact, ``<5``, or an asterisk where it is withheld."""
        if count is None:
            return "*"
        return self.number(count) if isinstance(count, int) else count

    def place(self, name: str) -> str:
        """A name of the reference data or an article's number, in the script of the language."""
        return to_cyrillic(name) if self.language == "sr_Cyrl" else name


SPEECH: Final[dict[Language, Speech]] = {language: Speech(language) for language in LANGUAGES}
