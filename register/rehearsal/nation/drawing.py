"""The growth picture: what each step costs for each event, by the number of events; SVG, by hand."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from math import ceil, floor, log10
from typing import Final

from .figures import Figures

#: Size of a step's panel, and what of it the plot takes, in pixels.
_WIDE, _HIGH = 230, 170
_LEFT, _TOP, _RIGHT, _BOTTOM = 40, 40, 14, 30
_COLUMNS: Final = 4
_HEAD: Final = 56
_LINE, _GREY, _FAINT, _INK = "#1f5fa8", "#6b7280", "#d1d5db", "#111827"
_STEPS_OF_SCALE: Final = (1, 2, 2.5, 4, 5, 8, 10)


def draw(figures: Sequence[Figures]) -> str:
    """Draw the cost of each step beside its size, a panel a step, as SVG.

    A step is drawn that was measured in one go with more and with less to do. A panel's scale begins at zero:
    a level line says that so many times the events take so many times the work.
    """
    whole = [each for each in figures if each.attempts == 1 and each.count]
    steps = [step for step in dict.fromkeys(each.step for each in whole) if _grows(whole, step)]
    if not steps:
        raise ValueError("nothing was measured at two sizes")
    events = [_size(each) for each in whole]
    low, high = floor(log10(min(events)) * 2) / 2, ceil(log10(max(events)) * 2) / 2
    rows = -(-len(steps) // _COLUMNS)
    width, height = _COLUMNS * _WIDE + 20, _HEAD + rows * _HIGH + 10
    font = f'font-family="system-ui, sans-serif" font-size="11" fill="{_INK}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" {font}>',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        f'<text x="14" y="22" font-size="15" font-weight="600">{_TITLE}</text>',
        f'<text x="14" y="40" fill="{_GREY}">{_SUBTITLE}</text>',
    ]
    for number, step in enumerate(steps):
        row, column = divmod(number, _COLUMNS)
        points = sorted((_size(each), each.cost) for each in whole if each.step == step)
        unit = next(each.unit for each in whole if each.step == step)
        parts.append(f'<g transform="translate({10 + column * _WIDE},{_HEAD + row * _HIGH})">')
        parts += _panel(step, unit, points, low, high)
        parts.append("</g>")
    return "\n".join([*parts, "</svg>"]) + "\n"


_TITLE: Final = "What each step costs, by the size of the register"
_SUBTITLE: Final = (
    "Microseconds of processor time, program and database together, for each of what is counted; "
    "across: events in the store"
)


def _grows(figures: Sequence[Figures], step: str) -> bool:
    """Whether a step was measured with more and with less to do."""
    return len({each.count for each in figures if each.step == step}) > 1


def _size(figures: Figures) -> int:
    """Events in the store after a step; before there are any, what the step counted."""
    return figures.events or figures.count


def _panel(step: str, unit: str, points: Sequence[tuple[int, float]], low: float, high: float) -> list[str]:
    top = _round_up(max(cost for _, cost in points))
    right, bottom = _WIDE - _RIGHT, _HIGH - _BOTTOM

    def at(events: float, cost: float) -> tuple[float, float]:
        across = _LEFT + (log10(events) - low) / (high - low) * (right - _LEFT)
        return round(across, 1), round(bottom - cost / top * (bottom - _TOP), 1)

    said = [f'<text x="{_LEFT}" y="{_TOP - 12}" font-weight="600">{escape(step)}</text>']
    said.append(f'<text x="{right}" y="{_TOP - 12}" text-anchor="end" fill="{_GREY}">µs {escape(_one(unit))}</text>')
    for share in (0.0, 0.5, 1.0):
        _, y = at(10**low, top * share)
        said.append(f'<line x1="{_LEFT}" x2="{right}" y1="{y}" y2="{y}" stroke="{_FAINT}" stroke-width="1"/>')
        said.append(f'<text x="{_LEFT - 5}" y="{y + 4}" text-anchor="end" fill="{_GREY}">{top * share:,.4g}</text>')
    for power in range(ceil(low), floor(high) + 1):
        x, _ = at(10**power, 0)
        said.append(f'<line x1="{x}" x2="{x}" y1="{bottom}" y2="{bottom + 4}" stroke="{_GREY}"/>')
        said.append(f'<text x="{x}" y="{bottom + 17}" text-anchor="middle" fill="{_GREY}">{_power(power)}</text>')
    line = " ".join(f"{x},{y}" for x, y in (at(*point) for point in points))
    said.append(f'<polyline points="{line}" fill="none" stroke="{_LINE}" stroke-width="2"/>')
    for events, cost in points:
        x, y = at(events, cost)
        said.append(f'<circle cx="{x}" cy="{y}" r="3.5" fill="{_LINE}" stroke="#ffffff" stroke-width="1.5">')
        said.append(f"<title>{events:,} events: {cost:,.1f} µs {escape(_one(unit))}</title></circle>")
    x, y = at(*points[-1])
    halo = 'stroke="#ffffff" stroke-width="3" paint-order="stroke"'
    said.append(f'<text x="{x}" y="{y - 8}" text-anchor="end" {halo}>{_short(points[-1][1])}</text>')
    return said


def _one(unit: str) -> str:
    """One of what is counted, with its article."""
    return f"{'an' if unit[0] in 'aeiou' else 'a'} {unit.removesuffix('s')}"


def _short(figure: float) -> str:
    return f"{figure:,.0f}" if figure >= 99.5 else f"{figure:.2g}"


def _power(power: int) -> str:
    return f'10<tspan dy="-4" font-size="8">{power}</tspan>'


def _round_up(figure: float) -> float:
    """The least round number that is not below a figure."""
    power = 10.0 ** floor(log10(max(figure, 1e-9)))
    return next(step * power for step in _STEPS_OF_SCALE if step * power >= figure)
