"""What is asked for, and the run that comes of it: judged, named, and told apart from every other."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final, Literal, cast, get_args
from unicodedata import category, normalize
from uuid import UUID

import msgspec

from register.excerpts.formats import FORMATS, Format, why_not
from register.excerpts.from_roll import DRAWN_KINDS, DrawnKind
from register.excerpts.rows import Script
from register.law import alphabet
from register.law.provisions import Fault, Refusal

#: Lists of one job where PDFs are set, and where none are.
BATCH: Final = 25
BATCH_WITHOUT_PDF: Final = 500
SCRIPTS: Final[tuple[Script, ...]] = get_args(Script)
PROVISION: Final = "Art. 3.6"
#: All kinds that are drawn by runs: those of a concluded roll, its statistics, and the register's own.
RunKind = DrawnKind | Literal["provisional"]
RUN_KINDS: Final[tuple[RunKind, ...]] = (*DRAWN_KINDS, "provisional")
_ON_REQUEST: Final = (
    "A political entity is given a numbered copy at its own request (POST /v1/elections/{id}/excerpt-requests),"
    " and none is drawn without one"
)


class Wanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is asked for; see the contract, section 3, ``POST /v1/excerpts``.

    ``as_of`` belongs to provisional excerpts without an election: the day whose register they show.
    """

    election: str | None = None
    as_of: date | None = None
    kind: str
    municipality: str | None = None
    polling_station: str | None = None
    formats: tuple[str, ...] = ("pdf", "csv")
    scripts: tuple[str, ...] = ("latin",)


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """A run and how far it is. ``conclusion`` is the position its lists rest on; ``election`` is empty without one.

    ``state`` is queued, drawing, drawn, failed, cancelled, or reissued: drawn again of the run ``reissue_of``, for
    ``asked_by``. ``failure`` says why it failed, naming no voter.
    """

    id: UUID
    election: str
    conclusion: int
    kind: RunKind
    municipality: str | None
    polling_station: str | None
    formats: tuple[Format, ...]
    scripts: tuple[Script, ...]
    format_version: int
    folder: Path
    requested_at: datetime
    state: str
    failure: str | None
    total: int
    done: int
    as_of: date | None = None
    reissue_of: UUID | None = None
    asked_by: str | None = None

    @property
    def batch(self) -> int:
        """Lists of one job."""
        return BATCH if "pdf" in self.formats else BATCH_WITHOUT_PDF

    @property
    def batches(self) -> range:
        """The number of the first list of each job."""
        return range(0, self.total, self.batch)


def judged(wanted: Wanted) -> tuple[RunKind, tuple[Format, ...], tuple[Script, ...]]:
    """Kind, formats and scripts, in a fixed order. Raises ``Refusal("schema")`` naming what can be drawn."""
    kind = next((kind for kind in RUN_KINDS if kind == wanted.kind), None)
    if wanted.kind == "political-entity":
        raise refusal("/kind", _ON_REQUEST, provision="Art. 3.1")
    if kind is None:
        raise refusal("/kind", f"Excerpts are drawn of these kinds: {', '.join(RUN_KINDS)}")
    formats = tuple(each for each in FORMATS if each in wanted.formats)
    if not formats or len(formats) != len(set(wanted.formats)):
        raise refusal("/formats", f"Lists are drawn as: {', '.join(FORMATS)}")
    hindered = next((why for each in formats if (why := why_not(each, kind))), None)
    if hindered is not None:
        raise refusal("/formats", hindered)
    scripts = tuple(each for each in SCRIPTS if each in wanted.scripts)
    if not scripts or len(scripts) != len(set(wanted.scripts)):
        raise refusal("/scripts", f"Lists are drawn in: {', '.join(SCRIPTS)}")
    stations = kind in ("polling-station", "provisional")
    if wanted.polling_station is not None and (not stations or wanted.municipality is None):
        raise refusal("/polling_station", "A polling station is named with its municipality, for its own list")
    if (wanted.election is None) == (wanted.as_of is None) or (wanted.as_of is not None and kind != "provisional"):
        raise refusal(
            "/as_of" if wanted.as_of is not None else "/election",
            "An excerpt is of an election; only a provisional one may name a day (as_of) in its place",
        )
    return kind, formats, scripts


def refusal(pointer: str, sentence: str, *, code: str = "schema", provision: str = PROVISION) -> Refusal:
    """A refusal that points at one member of what is asked for."""
    return Refusal(cast("Any", code), sentence, provision=provision, faults=(Fault(pointer, sentence),))


def folder_name(wanted: Wanted, kind: str, names: Mapping[str, str], which: UUID) -> str:
    """A folder's name that says what is in it: ``polling-station_10049-bihac_003A001_1f0c2b7a``."""
    parts = [kind]
    if wanted.municipality is not None:
        parts.append(f"{wanted.municipality}-{plain(names[wanted.municipality])}")
    if wanted.polling_station is not None:
        parts.append(plain(wanted.polling_station).upper())
    return "_".join([*parts, which.hex[:8]])


def plain(text: str) -> str:
    """A text in small letters without accents, fit for a file's name; nothing of it where nothing is left."""
    latin = normalize("NFD", alphabet.to_latin(normalize("NFC", text)).translate({0x111: "dj", 0x110: "Dj"}))
    letters = "".join(sign for sign in latin if category(sign)[0] != "M").lower()
    return re.sub(r"[^a-z0-9]+", "-", letters).strip("-")[:40].strip("-")
