"""The typesetter of a process, and how much it remembers: of each list set lately, some 80 KiB a row.

It forgets a list once ten others were set. Lists of a polling station's size make half a gigabyte; two of mail would
make twice that. So what it may remember is counted in rows, and beyond them it is made to forget. While a list is set
nothing of it can be forgotten: one of 9,000 rows takes 785 MiB with all there was before it, one of 20,000 twice that.
"""

from __future__ import annotations

import ctypes
import sys
import threading
from collections import deque
from datetime import UTC, date, datetime, time
from functools import lru_cache
from pathlib import Path
from typing import Final

import typst

from register.excerpts import fonts

_TEMPLATE: Final = Path(__file__).with_name("list.typ")
_EMPTY: Final = Path(__file__).with_name("empty.typ")
#: Documents after which the typesetter forgets one.
_KEPT: Final = 11
#: Rows it may remember: a process then takes less than 800 MiB. Eleven lists of 600 rows are fewer.
REMEMBERED: Final = 7_000


class Typesetter:
    """Sets lists with the template; one a process, since what the library remembers is the process's."""

    def __init__(self) -> None:
        family = typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=[str(fonts.folder())])
        root = str(_TEMPLATE.parent)
        self._list = typst.Compiler(input=str(_TEMPLATE), root=root, font_paths=family)
        self._empty = typst.Compiler(input=str(_EMPTY), root=root, font_paths=family)
        self._rows: deque[int] = deque(maxlen=_KEPT)
        self._turn = threading.Lock()

    def set(self, prepared: str, dated: date, rows: int) -> bytes:
        """The PDF of what ``prepare`` gave; ``dated``: the day it says it was made. ``rows``: how long the list is.

        A compiler must not be used by two threads at once: they wait for each other.
        """
        with self._turn:
            if self._rows and sum(self._rows) + rows > REMEMBERED:
                self._forget()
            self._rows.append(rows)
            pdf = self._list.compile(
                format="pdf",
                sys_inputs={"data": prepared},
                pdf_standards=["a-2a", "ua-1"],
                timestamp=datetime.combine(dated, time(), tzinfo=UTC),
            )
        if not isinstance(pdf, bytes):
            raise TypeError("typst gave no single PDF file")
        return pdf

    def _forget(self) -> None:
        """Set nothing so often that all lists are forgotten, and give the memory back."""
        for _ in range(_KEPT + 1):
            self._empty.compile(format="pdf")
        self._rows.clear()
        if _TRIM is not None:
            _TRIM(0)


@lru_cache(maxsize=1)
def typesetter() -> Typesetter:
    """The one of this process."""
    return Typesetter()


_TRIM: Final = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
