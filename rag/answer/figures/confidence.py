"""How likely an answer from tables is right: a logistic function of how well its cells match the question."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from math import exp

from rag.answer.figures.figure import Figure, FigureAnswer
from rag.answer.figures.periods import Period
from rag.answer.figures.question import Operation, stems
from rag.settings import FigureConfidence

_UNIT = re.compile("元|[$£€]")  # of a label that says that its values are plain amounts
_NAMES = (Operation.WHICH, Operation.COUNT, Operation.ITEMS, Operation.PERIODS)
_CHANGES = (Operation.CHANGE, Operation.PERCENT_CHANGE)
_COMPUTED = (Operation.SHARE, Operation.RATIO, Operation.SUM, Operation.AVERAGE)


def confidence_of(features: Mapping[str, float], settings: FigureConfidence) -> float:
    """0..1."""
    total = settings.bias + sum(getattr(settings, name) * value for name, value in features.items())
    return 1 / (1 + exp(-total))


def features_of(
    answer: FigureAnswer, periods: Sequence[Period], asked: Collection[str] = (), *, counts: bool = False
) -> dict[str, float]:
    """What tells right answers from wrong ones, by the names of `FigureConfidence`.

    `periods`: those asked for; `asked`: the terms that say which item is meant; `counts`: whether a number of things is
    asked for, which has no scale.
    """
    figures, operation = answer.figures, answer.operation
    first, named = figures[0], answer.operation in _NAMES
    right = sum(map(partial(_is_right, periods), figures))
    unknown = sum(one.when is None and not one.odd for one in figures)
    coverage = min(one.coverage for one in figures)
    label, header = set(stems(first.row.label)).intersection(asked), set(stems(first.header)).intersection(asked)
    chosen = operation is Operation.WHICH and bool(header) and not label  # by the header, among rows of any name
    plain = operation is Operation.LOOKUP and not (first.when or first.odd or periods)
    return {
        "coverage": coverage,
        "full_coverage": coverage**4,
        "around": min(one.in_table for one in figures) - coverage,
        "extra": 0.0 if chosen else max(one.extra for one in figures),
        "odd": float(any(one.odd for one in figures)),
        "right_period": right / len(figures) if periods else 0.0,
        "unknown_period": unknown / len(figures) if periods else 0.0,
        "no_period_asked": float(not periods),
        "change": float(operation in _CHANGES),
        "computed": float(operation in _COMPUTED),
        "names": float(named),
        "series": float(operation is Operation.SERIES),
        "no_header": float(not first.header),
        "no_label": float(not first.row.label),
        "no_scale": float(not (first.scale or named or counts or _UNIT.search(first.row.label))),
        "crossed": float(plain and coverage == 1.0 and bool(label and header - label)),
    }


def _is_right(periods: Sequence[Period], figure: Figure) -> float:
    """1 for a cell of a period asked for, 1/2 for one that may be of it, else 0."""
    when = figure.when
    agreeing = [period for period in periods if when is not None and when.agrees(period)]
    if when is None or not agreeing:
        return 0.0
    return 0.5 if all(when.may_be_fiscal(period) for period in agreeing) else 1.0
