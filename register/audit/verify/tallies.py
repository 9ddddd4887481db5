"""What the events give and what the tables hold, counted and added up by municipality; flat, whatever the size."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec

_MODULUS: Final = 2**256
_encode: Final = msgspec.json.Encoder().encode


class Tally(msgspec.Struct):
    """Rows of one municipality, replayed and found, and the sums of their SHA-256 modulo 2^256 (in any order)."""

    replayed: int = 0
    found: int = 0
    replayed_sum: int = 0
    found_sum: int = 0

    def add(self, other: Tally) -> None:
        """Take over those of another range."""
        self.replayed += other.replayed
        self.found += other.found
        self.replayed_sum += other.replayed_sum
        self.found_sum += other.found_sum

    @property
    def equal(self) -> bool:
        """Whether the same rows were found that were replayed."""
        return (self.replayed, self.replayed_sum % _MODULUS) == (self.found, self.found_sum % _MODULUS)


class Tallies(msgspec.Struct):
    """Rows of one table by municipality; "" where none is known."""

    by_municipality: dict[str, Tally] = {}

    def add(self, other: Tallies) -> None:
        """Take over those of another range."""
        for municipality, tally in other.by_municipality.items():
            self.by_municipality.setdefault(municipality, Tally()).add(tally)

    def count(self, expected: Iterable[Any], found: Iterable[Any], municipality: Callable[[Any], str]) -> None:
        """Count the rows of a person, those that the events give and those of the table."""
        for row in expected:
            tally = self.by_municipality.setdefault(municipality(row), Tally())
            tally.replayed += 1
            tally.replayed_sum += _digest(row)
        for row in found:
            tally = self.by_municipality.setdefault(municipality(row), Tally())
            tally.found += 1
            tally.found_sum += _digest(row)

    def same(self, rows: Iterable[Any], municipality: Callable[[Any], str]) -> None:
        """Count the rows of a person that the events give and the table has."""
        for row in rows:
            tally = self.by_municipality.setdefault(municipality(row), Tally())
            digest = _digest(row)
            tally.replayed += 1
            tally.found += 1
            tally.replayed_sum += digest
            tally.found_sum += digest

    def said(self, unit: str) -> list[str]:
        """In words: which municipalities differ, and in how many rows; or that none does."""
        named = sorted(self.by_municipality.items())
        differing = [
            f"municipality {name or '(none)'}: the events give {tally.replayed:,} {unit}, the tables hold"
            f" {'as many others' if tally.replayed == tally.found else format(tally.found, ',')}"
            for name, tally in named
            if not tally.equal
        ]
        if differing or not named:
            return differing
        places = sum(1 for name, _ in named if name)
        return [f"the same in each of {places:,} municipalities, by number and digest of {unit}"]

    def plain(self) -> list[dict[str, Any]]:
        """Rows and digests by municipality, for machines."""
        return [
            {
                "municipality": municipality,
                "replayed": tally.replayed,
                "found": tally.found,
                "replayed_digest": _hex(tally.replayed_sum),
                "found_digest": _hex(tally.found_sum),
            }
            for municipality, tally in sorted(self.by_municipality.items())
        ]


def _hex(total: int) -> str:
    return f"{total % _MODULUS:064x}"


def _digest(row: Any) -> int:
    return int.from_bytes(hashlib.sha256(_encode(row)).digest())
