"""Which columns lists of each kind print, how wide they are, and how their cells are set."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from register.excerpts import fonts
from register.excerpts.rows import Kind


class Column(msgspec.Struct, frozen=True):
    """One printed column: what of the row, its label (English message), alignment, weight, millimetres."""

    key: str
    label: str
    align: Literal["left", "center", "right"] = "left"
    weight: fonts.Weight = "regular"
    width: float = 0.0


_LOOK: Final[dict[str, Column]] = {
    column.key: column
    for column in (
        Column("no", "No.", "right"),
        Column("surname", "Surname", weight="semibold"),
        Column("given_name", "Given name"),
        Column("parent_name", "Name of one parent"),
        Column("born_on", "Date of birth", "center"),
        Column("signature", "Signature"),
        Column("remark", "Remark", "center", "semibold"),
        Column("municipality", "Municipality", "center"),
        Column("polling_station", "Polling station", "center"),
        Column("address", "Address"),
        Column("code", "Code", "center", "semibold"),
        Column("country", "Country", "center"),
        Column("foreign_address", "Address abroad"),
        Column("level", "Counted by"),
        Column("unit", "Electoral unit", "center"),
        Column("list", "List"),
        Column("women", "Women", "right"),
        Column("men", "Men", "right"),
        Column("voters", "Voters", "right", "semibold"),
    )
}


def _columns(**widths: float) -> tuple[Column, ...]:
    """The columns in this order, with these widths in millimetres; together the 182 mm between the margins."""
    if abs(sum(widths.values()) - 182) > 1e-6:
        raise ValueError("columns do not fill the page")
    return tuple(msgspec.structs.replace(_LOOK[key], width=width) for key, width in widths.items())


_SIGNED: Final = _columns(no=11, surname=43, given_name=28, parent_name=26, born_on=24, signature=38, remark=12)
_PLACED: Final = _columns(
    no=13, surname=44, given_name=30, parent_name=28, born_on=24, municipality=20, polling_station=23
)
LAYOUT: Final[dict[Kind, tuple[Column, ...]]] = {
    "provisional": _PLACED,
    "polling-station": _SIGNED,
    "in-person-1991": _SIGNED,
    "absentee-1991": _SIGNED,
    "mail": _columns(
        no=10, surname=32, given_name=23, parent_name=23, born_on=22, country=14, foreign_address=47, remark=11
    ),
    "diplomatic-mission": _SIGNED,
    "mobile-team": _columns(
        no=10, surname=33, given_name=22, parent_name=21, born_on=22, address=34, signature=30, remark=10
    ),
    "political-entity": _columns(
        no=13, surname=40, given_name=27, parent_name=26, born_on=23, municipality=17, polling_station=20, code=16
    ),
    "marked-deceased": _columns(
        no=12, surname=42, given_name=27, parent_name=26, born_on=23, municipality=19, polling_station=22, remark=11
    ),
    "statistics": _columns(
        no=12, level=26, unit=16, municipality=19, polling_station=22, list=33, women=18, men=18, voters=18
    ),
}
