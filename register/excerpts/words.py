"""Words on pages and lists, from the gettext catalogues of domain ``cvr``.

The catalogues are kept as their ``.po`` sources only and compiled in memory at first use: nothing to build, and
nothing compiled that could differ from its source.
"""

from __future__ import annotations

import gettext
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Final, Literal, get_args

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

DOMAIN: Final = "cvr"
FOLDER: Final = Path(__file__).parents[1] / "locale"
Language = Literal["bs", "hr", "sr_Latn", "sr_Cyrl", "en"]
LANGUAGES: Final[tuple[Language, ...]] = get_args(Language)


@lru_cache
def translations(language: Language) -> gettext.GNUTranslations:
    """The catalogue of ``language``; messages are in English. Raises FileNotFoundError for a missing catalogue."""
    path = FOLDER / language / "LC_MESSAGES" / f"{DOMAIN}.po"
    with path.open("rb") as source:
        catalogue = read_po(source, locale=language, domain=DOMAIN, abort_invalid=True)
    compiled = BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)
