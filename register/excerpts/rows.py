"""What stands on a list: its head, its rows, its columns, and the one digest that all its formats share.

Pure: no clock, no database, no locale. The same head and rows give the same bytes in any year (Election Law, Art. 3.6;
a repeated vote reuses the concluded excerpts).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import date
from operator import attrgetter
from typing import Final, Literal, TypeVar
from unicodedata import normalize

import msgspec

#: Version of columns, layout, fonts and QR text. Whatever changes a byte of CSV or PDF needs a new number.
FORMAT_VERSION: Final = 1

Kind = Literal[
    "provisional",
    "polling-station",
    "in-person-1991",
    "absentee-1991",
    "mail",
    "diplomatic-mission",
    "mobile-team",
    "political-entity",
    "marked-deceased",
    "statistics",
]
Script = Literal["latin", "cyrillic"]
#: ``*`` reported deceased, ``M`` votes with the mobile team, ``*M`` both, or nothing.
Remark = Literal["", "*", "M", "*M"]
Names = tuple[str, str, str]
_NAME: Final = re.compile(r"[A-Za-z0-9._-]+")


class ListHead(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The identity of one list and what its rows rest on.

    ``day`` is election day (provisional: the day the register is shown as of). ``position`` is the event store's
    position the rows rest on, ``log_size`` and ``log_root`` (32 bytes in base64) the tree head that covers it, and
    ``log_origin`` the log's name. ``copy`` numbers a political entity's copy (Art. 3.1), ``recipient`` names who
    gets it. ``station_code`` holds the mission's or team's code where the list is one of those.
    """

    election: str
    title: str
    day: date
    kind: Kind
    script: Script
    position: int
    log_size: int
    log_root: str
    log_origin: str
    municipality: str | None = None
    municipality_name: str | None = None
    station_code: str | None = None
    station_name: str | None = None
    station_address: str | None = None
    concluded_on: date | None = None
    copy: int | None = None
    recipient: str | None = None
    format_version: int = FORMAT_VERSION

    @property
    def name(self) -> str:
        """The list's name within its run: the stem of its file names, and the name in ``excerpt-drawn``.

        Raises ValueError when a code holds what a file name may not.
        """
        parts = [self.kind, self.municipality, self.station_code, "cyrillic" if self.script == "cyrillic" else None]
        copy = None if self.copy is None else f"copy{self.copy}"
        name = "_".join(part for part in (*parts, copy) if part)
        if not _NAME.fullmatch(name):
            raise ValueError("codes of a list are letters without accents, digits, dots, hyphens and underscores")
        return name


class ListRow(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One voter on one list. ``no`` counts 1, 2, 3 … in the list's order.

    ``name_cyrillic`` (surname, given name, parent's name) is there when the names are recorded in both scripts; a
    Cyrillic list prints it. Names are never transliterated here: no rule knows that the nj of "konjunktura"
    is two letters. ``code`` tells whose copy the row is from, on a political entity's copy (see ``codes``).
    """

    no: int
    surname: str
    given_name: str
    parent_name: str
    born_on: date
    remark: Remark = ""
    code: str = ""
    name_cyrillic: Names | None = None
    municipality: str = ""
    polling_station: str = ""
    settlement: str = ""
    street: str = ""
    house_number: str = ""
    country: str = ""
    foreign_address: str = ""
    mission: str = ""
    jmb: str = ""
    sex: Literal["F", "M", ""] = ""
    voting_option: str = ""

    def names(self, script: Script) -> Names:
        """Surname, given name and parent's name as a list in ``script`` prints them."""
        if script == "cyrillic" and self.name_cyrillic is not None:
            return self.name_cyrillic
        return (self.surname, self.given_name, self.parent_name)


class CountRow(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One line of statistics: how many voters, by sex (Art. 2.9(1)4.a), as everyone may see them.

    ``level`` is country, unit, municipality or list; ``list`` is the kind of the roll's list. A count is a number,
    ``<5`` (1 to 4), or empty where it is withheld because one of those could be computed from it.
    """

    no: int
    level: Literal["country", "unit", "municipality", "list"]
    unit: str = ""
    municipality: str = ""
    polling_station: str = ""
    list: str = ""
    women: str = ""
    men: str = ""
    voters: str = ""


Row = ListRow | CountRow
R = TypeVar("R", bound=Row)


class Form(msgspec.Struct, frozen=True):
    """What lists of one kind look like: their columns, whether voters sign, whether names may be signed for."""

    columns: tuple[str, ...]
    signed: bool


_VOTER: Final = ("no", "surname", "given_name", "parent_name", "born_on")
_LIST: Final = (*_VOTER, "remark")
_PLACE: Final = ("municipality", "polling_station")
_ADDRESS: Final = ("settlement", "street", "house_number")
#: What the commissions' own electronic copy adds; never given to anybody else (Art. 3.1; data protection).
INTERNAL_COLUMNS: Final = ("jmb", "sex", *_ADDRESS, "voting_option")

#: The kinds of lists, Art. 3.6 b, c; statistics are counts, and no list of voters.
FORMS: Final[dict[Kind, Form]] = {
    "provisional": Form((*_VOTER, *_PLACE), signed=False),
    "polling-station": Form(_LIST, signed=True),
    "in-person-1991": Form(_LIST, signed=True),
    "absentee-1991": Form(_LIST, signed=True),
    "mail": Form((*_LIST, "country", "foreign_address"), signed=False),
    "diplomatic-mission": Form((*_LIST, "mission"), signed=True),
    "mobile-team": Form((*_LIST, *_ADDRESS), signed=True),
    "political-entity": Form((*_VOTER, *_PLACE, "code"), signed=False),
    "marked-deceased": Form((*_VOTER, *_PLACE, "remark"), signed=False),
    "statistics": Form(
        ("no", "level", "unit", "municipality", "polling_station", "list", "women", "men", "voters"), signed=False
    ),
}
#: Kinds that leave the commissions and therefore have no internal electronic variant.
OUTWARD: Final[frozenset[Kind]] = frozenset({"provisional", "political-entity", "statistics"})
_NAMES: Final = ("surname", "given_name", "parent_name")


def columns_of(kind: Kind, *, internal: bool = False) -> tuple[str, ...]:
    """The columns of a list of ``kind``; ``internal`` adds those of the commissions' electronic copy.

    Raises ValueError for an internal copy of a kind that is made to be given away.
    """
    columns = FORMS[kind].columns
    if not internal:
        return columns
    if kind in OUTWARD:
        raise ValueError(f"a list of kind {kind} has no internal copy")
    return (*columns, *(column for column in INTERNAL_COLUMNS if column not in columns))


def texts_maker(columns: tuple[str, ...], script: Script) -> Callable[[Row], list[str]]:
    """A function from a row to its texts, one a column, as every format holds them: names in this script, in NFC."""
    if columns[1:4] != _NAMES:
        counted = attrgetter(*columns)
        return lambda row: [normalize("NFC", str(value)) for value in counted(row)]
    get = attrgetter("no", *columns[4:])

    def texts(row: Row) -> list[str]:
        if not isinstance(row, ListRow):
            raise TypeError("this list is one of voters")
        values = get(row)
        return [normalize("NFC", text) for text in (str(values[0]), *row.names(script), *map(str, values[1:]))]

    return texts


def numbered(rows: Iterable[R]) -> Iterator[R]:
    """The same rows, checked to be numbered 1, 2, 3 … without a gap. Raises ValueError where they are not."""
    for expected, row in enumerate(rows, 1):
        if row.no != expected:
            raise ValueError(f"row {expected} of the list is numbered {row.no}")
        yield row
