"""What a check found: where, what, and how much more; and the report of all checks."""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable
from typing import Any, Final, Literal

import msgspec

#: Findings kept of each check; of the others only the number is told.
KEPT: Final = 20

Verdict = Literal["ok", "found", "not-checked"]


class Finding(msgspec.Struct, frozen=True, omit_defaults=True):
    """Something that is not as it must be. ``position`` when one event can be named, ``person`` when one person can.

    ``what`` never holds anything personal.
    """

    what: str
    position: int | None = None
    person: str | None = None


class Findings:
    """The first findings by position, and how many there are in all."""

    def __init__(self) -> None:
        self.total = 0
        self._kept: list[tuple[float, int, Finding]] = []

    def __bool__(self) -> bool:
        return self.total > 0

    def add(self, what: str, position: int | None = None, person: object = None) -> None:
        """Note one."""
        self._add(Finding(what, position, None if person is None else str(person)))
        self.total += 1

    def extend(self, other: Findings) -> None:
        """Take over those of another part of the work."""
        for finding in other.first():
            self._add(finding)
        self.total += other.total

    def first(self) -> list[Finding]:
        """The findings kept: those at the least positions, then those without one."""
        return [finding for _, _, finding in self._kept]

    def _add(self, finding: Finding) -> None:
        place = float("inf") if finding.position is None else float(finding.position)
        if len(self._kept) == KEPT and place >= self._kept[-1][0]:
            return
        insort(self._kept, (place, self.total + len(self._kept), finding), key=lambda kept: kept[0])
        del self._kept[KEPT:]


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One check: what was compared, how much of it, the verdict, and for a failure where it begins."""

    name: str
    what: str
    count: int
    unit: str
    verdict: Verdict
    findings: list[Finding]
    found: int
    notes: list[str]
    detail: list[dict[str, Any]] = []

    @property
    def first_position(self) -> int | None:
        """The first bad position, if one can be named."""
        return next((f.position for f in self.findings if f.position is not None), None)


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """All checks. ``head`` is the last position of the event store, ``position`` the one the register rests on."""

    head: int
    position: int
    sealed: int
    checks: list[Check]

    @property
    def ok(self) -> bool:
        """Whether no check found anything."""
        return all(check.verdict != "found" for check in self.checks)

    def check(self, name: str) -> Check:
        """The check of a name. Raises KeyError."""
        for check in self.checks:
            if check.name == name:
                return check
        raise KeyError(name)


def concluded(
    name: str,
    what: str,
    count: int,
    unit: str,
    findings: Findings,
    *,
    notes: Iterable[str] = (),
    detail: Iterable[dict[str, Any]] = (),
) -> Check:
    """A check that was carried out."""
    return Check(
        name=name,
        what=what,
        count=count,
        unit=unit,
        verdict="found" if findings else "ok",
        findings=findings.first(),
        found=findings.total,
        notes=list(notes),
        detail=list(detail),
    )


def not_checked(name: str, what: str, unit: str, why: str) -> Check:
    """A check that could not be carried out, and why; it says nothing against what was to be checked."""
    return Check(name=name, what=what, count=0, unit=unit, verdict="not-checked", findings=[], found=0, notes=[why])
