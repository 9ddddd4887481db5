"""What a bench measured, for people and for programs."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec

#: Each figure is the median of so many rounds; target and ceiling take turns within each round.
ROUNDS: Final = 3
_MIB: Final = 1 << 20


class BenchError(Exception):
    """A bench could not measure: what it rests on did not do its work. The message says what."""


class Goal(msgspec.Struct, frozen=True):
    """What a ratio must reach (``at_least``) or may be at most; of a bench without a ceiling, the value itself."""

    bound: float
    at_least: bool = True

    def met(self, figure: float) -> bool:
        """Whether a figure meets it."""
        return figure >= self.bound if self.at_least else figure <= self.bound

    def __str__(self) -> str:
        return f"{'>=' if self.at_least else '<='} {self.bound:g}"


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """One measured target beside its ceiling, both in ``unit`` (a rate or seconds), and what else is worth knowing.

    ``ceiling`` and with it the ratio are None where nothing but the value is judged. ``parts`` are judged too.
    ``peak_rss_mib`` is the most memory the process that did the work held.
    """

    name: str
    unit: str
    value: float
    ceiling: float | None
    goal: Goal
    size: int
    peak_rss_mib: float
    beside: dict[str, float] = {}
    parts: tuple[Result, ...] = ()

    @property
    def ratio(self) -> float | None:
        """Value over ceiling."""
        return None if self.ceiling is None else self.value / self.ceiling

    @property
    def met(self) -> bool:
        """Whether it meets its goal, and every part its own."""
        ratio = self.ratio
        return self.goal.met(self.value if ratio is None else ratio) and all(part.met for part in self.parts)

    def plain(self) -> dict[str, object]:
        """The members of the JSON object."""
        members: dict[str, object] = {
            "name": self.name,
            "unit": self.unit,
            "value": _short(self.value),
            "ceiling": None if self.ceiling is None else _short(self.ceiling),
            "ratio": None if self.ratio is None else round(self.ratio, 4),
            "goal": self.goal.bound,
            "goal_is": "at least" if self.goal.at_least else "at most",
            "met": self.met,
            "size": self.size,
            "peak_rss_mib": round(self.peak_rss_mib, 1),
        }
        members |= {name: _short(figure) for name, figure in self.beside.items()}
        if self.parts:
            members["parts"] = [part.plain() for part in self.parts]
        return members

    def json(self) -> str:
        """One line of JSON."""
        return msgspec.json.encode(self.plain()).decode()

    def lines(self) -> list[str]:
        """The same for people."""
        said = "met" if self.met else "MISSED"
        if self.ratio is None:
            told = f"{_figure(self.value, self.unit)}; goal {self.goal}: {said}"
        else:
            told = (
                f"{_figure(self.value, self.unit)} beside {_figure(self.ceiling or 0.0, self.unit)}: "
                f"ratio {self.ratio:.3f}, goal {self.goal}: {said}"
            )
        lines = [f"{self.name}: {told} (size {self.size:,}, peak memory {self.peak_rss_mib:.0f} MiB)"]
        lines += [f"  {name}: {_short(figure):,}" for name, figure in self.beside.items()]
        return lines + [f"  {line}" for part in self.parts for line in part.lines()]


def median(figures: Sequence[float]) -> float:
    """The median of the rounds."""
    return statistics.median(figures)


def p95(seconds: Sequence[float]) -> float:
    """The 95th percentile of many measured times."""
    return statistics.quantiles(seconds, n=20)[-1] if len(seconds) > 1 else seconds[0]


def forget_peak(process: int | str = "self") -> None:
    """Let the kernel count a process's peak memory from now on (proc(5), ``clear_refs``)."""
    Path(f"/proc/{process}/clear_refs").write_text("5")


def peak_rss_mib(process: int | str = "self") -> float:
    """The most memory a process held since it began, or since :func:`forget_peak`, in MiB."""
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / _MIB
    raise LookupError("the kernel does not tell a process's peak memory")


Say = Callable[[str], None]


def _short(figure: float) -> float:
    """A figure with as many digits as a measurement has."""
    return float(f"{figure:.5g}")


def _figure(figure: float, unit: str) -> str:
    return f"{figure:,.0f} {unit}" if figure >= 100 else f"{figure:.4g} {unit}"
