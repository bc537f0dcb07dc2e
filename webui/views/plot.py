"""Numbers over time as SVG: lines with a dot for each value, drawn here so that the page needs no library for it.

Colours come from the style sheet by the class of each line. Knows nothing of what the numbers mean.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, zip_longest

from webui.views.markup import escape

WIDTH, HEIGHT = 420, 200  # of the drawing, in its own units; it scales with the page
LEFT, RIGHT, TOP, BOTTOM = 56, 14, 12, 28  # margins; "4,000 ms" fits on the left
STEPS = 4  # lines of the grid above the ground


@dataclass(frozen=True, slots=True)
class Line:
    """One line: a value for each moment, None where there is none."""

    name: str
    kind: str  # its class
    values: Sequence[float | None]


def plot(
    name: str,
    lines: Sequence[Line],
    moments: Sequence[str],
    *,
    key: str,
    told: str,
    top: float,
    written: Callable[[float], str],
    notes: Sequence[str] = (),
) -> str:
    """Lines over `moments`, oldest first, from 0 to `top`; `told` says in words what is to be seen.

    `notes` has what the titles of the dots of each moment say besides, "" for nothing.
    """
    titles = [" · ".join(filter(None, both)) for both in zip_longest(moments, notes, fillvalue="")]
    grid = "".join(_level(top * step / STEPS, top, written) for step in range(STEPS + 1))
    drawn = "".join(_line(line, titles, top, written) for line in lines)
    return (
        f'<svg class="plot" data-key="{escape(key)}" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"'
        f' aria-labelledby="{escape(key)}-name {escape(key)}-told"><title id="{escape(key)}-name">{escape(name)}'
        f'</title><desc id="{escape(key)}-told">{escape(told)}</desc>{grid}{_ends(moments)}{drawn}</svg>'
    )


def round_top(highest: float) -> float:
    """The least of 1, 2, 4, 8 times a power of ten that is not below `highest`: a scale with round steps."""
    power = 1.0
    while power < highest:
        power *= 10
    while power / 10 >= highest > 0:
        power /= 10
    return next(power * part for part in (0.2, 0.4, 0.8, 1.0) if power * part >= highest)


def _level(value: float, top: float, written: Callable[[float], str]) -> str:
    y = _y(value, top)
    return (
        f'<path class="grid" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>'
        f'<text x="{LEFT - 7}" y="{y + 4:.1f}" text-anchor="end">{escape(written(value))}</text>'
    )


def _ends(moments: Sequence[str]) -> str:
    """The first and the last moment below the ground."""
    if not moments:
        return ""
    if len(moments) == 1:
        return f'<text x="{_x(0, 1):.1f}" y="{HEIGHT - 8}" text-anchor="middle">{escape(moments[0])}</text>'
    return (
        f'<text x="{LEFT}" y="{HEIGHT - 8}">{escape(moments[0])}</text>'
        f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 8}" text-anchor="end">{escape(moments[-1])}</text>'
    )


def _line(line: Line, titles: Sequence[str], top: float, written: Callable[[float], str]) -> str:
    points = [
        None if value is None else (_x(at, len(line.values)), _y(value, top)) for at, value in enumerate(line.values)
    ]
    path = " ".join(f"{step}{x:.1f} {y:.1f}" for step, x, y in _steps(points))
    dots = "".join(
        f'<circle cx="{point[0]:.1f}" cy="{point[1]:.1f}" r="3"><title>{escape(line.name)} {escape(written(value))} · '
        f"{escape(title)}</title></circle>"
        for point, value, title in zip(points, line.values, titles, strict=True)
        if point is not None and value is not None
    )
    return f'<g class="line {escape(line.kind)}"><path d="{path}"/>{dots}</g>'


def _steps(points: Sequence[tuple[float, float] | None]) -> Iterator[tuple[str, float, float]]:
    """Move where a stretch begins, draw a line inside it."""
    for before, point in pairwise([None, *points]):
        if point is not None:
            yield ("L" if before is not None else "M", *point)


def _x(at: int, count: int) -> float:
    share = at / (count - 1) if count > 1 else 0.5
    return LEFT + share * (WIDTH - LEFT - RIGHT)


def _y(value: float, top: float) -> float:
    share = min(max(value / top, 0.0), 1.0) if top > 0 else 0.0
    return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)
