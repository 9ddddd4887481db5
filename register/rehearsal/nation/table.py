"""The figures of runs of several sizes as tables in Markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from .figures import Figures

#: What is kept, by names of tables, or of schemas with a dot behind; the first that fits.
_KEPT: Final = (
    ("events", ("store.event",)),
    ("keys (sender, id)", ("store.event_key", "store.source")),
    ("subjects", ("store.subject",)),
    ("stretches", ("projection.stretch",)),
    ("audit entries", ("projection.audit_entry",)),
    ("days entered", ("projection.person",)),
    ("coverage of addresses", ("projection.coverage",)),
    ("the roll", ("projection.roll", "projection.frozen_roll")),
    ("timeliness, deficiencies and the rest of the register", ("projection.", "inspection.")),
    ("everything else", ("",)),
)


def tables(figures: Sequence[Figures]) -> str:
    """What each step took, and what is kept for each event, a column for each size."""
    sizes = sorted({each.voters for each in figures})
    steps = list(dict.fromkeys(each.step for each in figures))
    found = {(each.step, each.voters): each for each in figures}
    took = [
        [step, next(each.unit for each in figures if each.step == step)]
        + [_took(found.get((step, voters))) for voters in sizes]
        for step in steps
    ]
    lines = _table(["step", "counted", *(f"{voters:,} people" for voters in sizes)], took)
    newest = [max((each for each in figures if each.voters == voters), key=lambda e: e.events) for voters in sizes]
    lines += ["", *_table(["bytes for each event", *(f"{each.events:,} events" for each in newest)], _kept(newest))]
    return "\n".join(lines) + "\n"


def _took(figures: Figures | None) -> str:
    if figures is None:
        return ""
    resumed = f", attempt {figures.attempts}" if figures.attempts > 1 else ""
    return (
        f"{figures.count:,} in {figures.seconds:,.1f} s{resumed}; "
        f"{_short(figures.program_cost)} + {_short(figures.database_cost)} µs; {figures.peak_rss_mib:,.0f} MiB"
    )


def _kept(newest: Sequence[Figures]) -> list[list[str]]:
    rows = []
    by_size = [_grouped(each) for each in newest]
    for what, _ in _KEPT:
        rows.append([what, *(_bytes(*kept[what], each.events) for kept, each in zip(by_size, newest, strict=True))])
    files: list[tuple[str, Callable[[Figures], int]]] = [
        ("log, files", lambda each: each.files.get("log", 0)),
        ("lists, files", lambda each: each.files.get("excerpts", 0)),
    ]
    rows += [[what, *(f"{size(each) / each.events:,.0f}" for each in newest)] for what, size in files]
    return rows


def _grouped(figures: Figures) -> dict[str, tuple[int, int]]:
    own, indexes = Counter[str](), Counter[str]()
    for table, (size, index) in figures.tables.items():
        what = next(what for what, names in _KEPT if any(_is(table, name) for name in names))
        own[what] += size
        indexes[what] += index
    return {what: (own[what], indexes[what]) for what, _ in _KEPT}


def _is(table: str, name: str) -> bool:
    """Whether a table is the one of a name, or in the schema of one that ends with a dot; an empty name is any."""
    return name in (table, "") or (name.endswith(".") and table.startswith(name))


def _bytes(own: int, indexes: int, events: int) -> str:
    return f"{own / events:,.0f} + {indexes / events:,.0f}"


def _short(figure: float) -> str:
    return f"{figure:,.0f}" if figure >= 99.5 else f"{figure:.2g}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return ["| " + " | ".join(cells) + " |" for cells in (head, ["---"] * len(head), *rows)]
