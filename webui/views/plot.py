"""Line plots as SVG, drawn here so that the page needs no plotting library. Does not know what the numbers mean."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, zip_longest

from markupsafe import Markup

from webui.views.render import render

WIDTH, HEIGHT = 420, 200  # of the drawing, in its own units; it scales with the page
LEFT, RIGHT, TOP, BOTTOM = 56, 14, 12, 28  # margins; "4,000 ms" fits on the left
STEPS = 4  # grid lines above the baseline


@dataclass(frozen=True, slots=True)
class Line:
    """A line with one value per moment, None where there is none."""

    name: str
    kind: str  # its class
    values: Sequence[float | None]


@dataclass(frozen=True, slots=True)
class _Level:
    """A horizontal grid line and its label."""

    y: str
    text_y: str
    text: str


@dataclass(frozen=True, slots=True)
class _Dot:
    """A value, which shows its title when pointed at."""

    x: str
    y: str
    title: str


@dataclass(frozen=True, slots=True)
class _Line:
    """A line as SVG: the path's data, and its dots."""

    kind: str
    path: str
    dots: list[_Dot]


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
) -> Markup:
    """Lines over `moments`, oldest first, with values from 0 to `top`. `told` describes the plot in words.

    `written` formats a value. `notes`: what to add to the titles of each moment's dots, "" for nothing.
    """
    titles = [" · ".join(filter(None, both)) for both in zip_longest(moments, notes, fillvalue="")]
    return render(
        "plot.html",
        "en",  # contains none of the page's own words
        key=key,
        name=name,
        told=told,
        width=WIDTH,
        height=HEIGHT,
        left=LEFT,
        right=WIDTH - RIGHT,
        middle=f"{_x(0, 1):.1f}",
        levels=[_level(top * step / STEPS, top, written) for step in range(STEPS + 1)],
        moments=moments,
        lines=[_line(line, titles, top, written) for line in lines],
    )


def round_top(highest: float) -> float:
    """The smallest of 1, 2, 4 or 8 times a power of ten that is at least `highest`: a scale with round steps."""
    power = 1.0
    while power < highest:
        power *= 10
    while power / 10 >= highest > 0:
        power /= 10
    return next(power * part for part in (0.2, 0.4, 0.8, 1.0) if power * part >= highest)


def _level(value: float, top: float, written: Callable[[float], str]) -> _Level:
    y = _y(value, top)
    return _Level(f"{y:.1f}", f"{y + 4:.1f}", written(value))


def _line(line: Line, titles: Sequence[str], top: float, written: Callable[[float], str]) -> _Line:
    points = [
        None if value is None else (_x(at, len(line.values)), _y(value, top)) for at, value in enumerate(line.values)
    ]
    path = " ".join(f"{step}{x:.1f} {y:.1f}" for step, x, y in _steps(points))
    dots = [
        _Dot(f"{point[0]:.1f}", f"{point[1]:.1f}", f"{line.name} {written(value)} · {title}")
        for point, value, title in zip(points, line.values, titles, strict=True)
        if point is not None and value is not None
    ]
    return _Line(line.kind, path, dots)


def _steps(points: Sequence[tuple[float, float] | None]) -> Iterator[tuple[str, float, float]]:
    """SVG path commands: move to the start of a stretch of values, then draw lines within it."""
    for before, point in pairwise([None, *points]):
        if point is not None:
            yield ("L" if before is not None else "M", *point)


def _x(at: int, count: int) -> float:
    share = at / (count - 1) if count > 1 else 0.5
    return LEFT + share * (WIDTH - LEFT - RIGHT)


def _y(value: float, top: float) -> float:
    share = min(max(value / top, 0.0), 1.0) if top > 0 else 0.0
    return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)
