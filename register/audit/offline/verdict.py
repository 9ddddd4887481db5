"""What a check of an export says: check by check, what was to be so and what was found."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import Final

from register.audit.offline.checks import Finding

#: What a damaged gzip file raises while it is read.
DAMAGED: Final = (OSError, EOFError, zlib.error)
#: Findings kept of each check; of more only the number.
_KEPT: Final = 20


@dataclass
class Check:
    """One check: what was to be so, of how many, what was found, and how much more."""

    what: str
    count: int = 0
    findings: list[Finding] = field(default_factory=list)
    more: int = 0
    notes: list[str] = field(default_factory=list)

    def add(self, what: str, position: int | None = None) -> None:
        """Note a finding."""
        if len(self.findings) < _KEPT:
            self.findings.append(Finding(what, position))
        else:
            self.more += 1

    @property
    def ok(self) -> bool:
        """Whether nothing was found."""
        return not self.findings


@dataclass
class Verdict:
    """All checks of an export; ``size`` is that of its newest checkpoint."""

    size: int
    origin: str
    checks: list[Check]
    #: What was not to be checked, because it was not handed out.
    without: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether no check found anything."""
        return all(check.ok for check in self.checks)

    @property
    def first_position(self) -> int | None:
        """The first bad position, if one can be named."""
        return min((f.position for c in self.checks for f in c.findings if f.position is not None), default=None)

    def lines(self) -> list[str]:
        """The verdict for people."""
        said = []
        for check in self.checks:
            said.append(f"{'ok   ' if check.ok else 'WRONG'}  {check.what} ({check.count:,})")
            said += [f"         {note}" for note in check.notes]
            for found in check.findings:
                place = "" if found.position is None else f"position {found.position}: "
                said.append(f"         {place}{found.what}")
            if check.more:
                said.append(f"         and {check.more:,} more")
        if self.ok:
            said.append(f"OK: all {self.size:,} events of {self.origin} are those that were signed.")
            if self.without:
                said.append(f"    Not looked for, as it was asked: {', '.join(self.without)}.")
        elif self.first_position is not None:
            said.append(f"NOT OK: the first bad position is {self.first_position}.")
        else:
            said.append("NOT OK.")
        return said
