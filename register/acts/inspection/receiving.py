"""Kinds about what did not arrive: by authority and day."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from register.acts.inspection.looking import Examined, Sight


def examine(_: Sight) -> Iterator[Examined]:
    """What did not arrive, and what stands of it."""
    yield from ()


def examine_day(_: Sight, __: str, ___: date) -> Examined:
    """The same of one authority and day."""
    return Examined()
