"""The losses of a training run as a picture: SVG, two lines over the epochs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from model.finetune.train import Epoch

WIDTH, HEIGHT, MARGIN = 640, 360, 48  # units of the picture
COLOURS: Final = {"learned from": "#2563eb", "held out": "#d97706"}


def loss_plot(epochs: Sequence[Epoch]) -> str:
    """An SVG of the mean losses per token, from 0 to the largest, against the number of the epoch."""
    series = {
        "learned from": [(at, one.loss) for at, one in enumerate(epochs, 1)],
        "held out": [(at, one.held_out) for at, one in enumerate(epochs, 1) if one.held_out is not None],
    }
    highest = max((loss for points in series.values() for _, loss in points), default=0.0) or 1.0
    across = (WIDTH - 2 * MARGIN) / max(len(epochs) - 1, 1)
    up = (HEIGHT - 2 * MARGIN) / highest
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}"',
        ' font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        f'<path d="M{MARGIN} {MARGIN}V{HEIGHT - MARGIN}H{WIDTH - MARGIN}" fill="none" stroke="#64748b"/>',
        _text(MARGIN - 6, MARGIN + 4, f"{highest:.2f}", "end"),
        _text(MARGIN - 6, HEIGHT - MARGIN + 4, "0", "end"),
        _text(WIDTH / 2, HEIGHT - 12, f"epoch 1 to {len(epochs)}; loss per token in nats", "middle"),
    ]
    for row, (name, points) in enumerate(series.items()):
        if points:
            placed = [(MARGIN + (at - 1) * across, HEIGHT - MARGIN - loss * up) for at, loss in points]
            parts.append(_line(placed, COLOURS[name]))
            parts.append(_text(WIDTH - MARGIN, MARGIN + 16 * row, f"{name}: {points[-1][1]:.3f}", "end", COLOURS[name]))
    return "\n".join([*parts, "</svg>\n"])


def _line(points: Iterable[tuple[float, float]], colour: str) -> str:
    placed = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{placed}" fill="none" stroke="{colour}" stroke-width="2"/>'


def _text(x: float, y: float, text: str, anchor: str, colour: str = "#334155") -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}" fill="{colour}">{text}</text>'
