"""Lists to draw: a head and rows with the names that are hard to order, to set and to read back."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from register.excerpts.rows import ListHead, ListRow

SURNAMES = (
    "Čekić", "Ćatić", "Đurđević", "Šljivić-Hadžiabdić", "Žunić", "Džaferović", "Ljubičić", "Njegovan", "Tomić",
    "Petrović Njegoš", "Hadžihafizbegović", "Hadžimuhamedović-Šehović",
)  # fmt: skip
GIVEN = ("Čedomir", "Ćamila", "Đenana", "Šefika", "Željko", "Dženana", "Ljiljana", "Njegoš", "Ana-Marija")
PARENTS = ("Ibrahim", "Žarko", "Đorđe", "Mehmedalija", "Muhamed-Emin")
CYRILLIC = (("Ђурђевић", "Џејлана", "Љубомир"), ("Шљивић", "Његош", "Ђорђе"), ("Чекић", "Живојин", "Ћиро"))


def a_head(**changes: Any) -> ListHead:
    cyrillic = changes.get("script") == "cyrillic"
    members: dict[str, Any] = {
        "election": "2026-general",
        "title": "Општи избори 2026" if cyrillic else "Opći izbori 2026",
        "day": date(2026, 10, 4),
        "kind": "polling-station",
        "script": "latin",
        "position": 1234567,
        "log_size": 1234567,
        "log_root": base64.b64encode(hashlib.sha256(b"root").digest()).decode(),
        "log_origin": "cvr.example/log",
        "municipality": "10049",
        "municipality_name": "Бихаћ" if cyrillic else "Bihać",
        "station_code": "003A049",
        "station_name": "Основна школа „Хармани I“" if cyrillic else "Osnovna škola „Harmani I“",
        "station_address": "Бихаћ" if cyrillic else "Ulica Ćehajića 15, Bihać",
        "concluded_on": date(2026, 8, 20),
    }
    return ListHead(**{**members, **changes})


def a_row(no: int, **changes: Any) -> ListRow:
    members: dict[str, Any] = {
        "no": no,
        "surname": SURNAMES[no * 7 % len(SURNAMES)],
        "given_name": GIVEN[no * 5 % len(GIVEN)],
        "parent_name": PARENTS[no % len(PARENTS)],
        "born_on": date(1930 + no % 75, 1 + no % 12, 1 + no % 28),
        "remark": "*" if no % 17 == 5 else "M" if no % 23 == 7 else "",
    }
    return ListRow(**{**members, **changes})


def some_rows(count: int, *, cyrillic: bool = False) -> list[ListRow]:
    """``count`` rows; with ``cyrillic`` three in four have their names recorded in Cyrillic too."""
    return [a_row(no, name_cyrillic=CYRILLIC[no % 3] if cyrillic and no % 4 else None) for no in range(1, count + 1)]


@pytest.fixture
def head() -> Callable[..., ListHead]:
    return a_head


@pytest.fixture
def row() -> Callable[..., ListRow]:
    return a_row


@pytest.fixture
def rows() -> Callable[..., list[ListRow]]:
    return some_rows
