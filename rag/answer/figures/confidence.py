"""How likely an answer from tables is right: a logistic function of how well its cells match the question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import exp

from rag.answer.figures.figure import Figure, FigureAnswer, same_amount
from rag.answer.figures.periods import Period
from rag.answer.figures.question import Operation
from rag.settings import FigureConfidence

_NAMES = (Operation.WHICH, Operation.COUNT, Operation.ITEMS, Operation.PERIODS)
_CHANGES = (Operation.CHANGE, Operation.PERCENT_CHANGE)
_COMPUTED = (Operation.SHARE, Operation.RATIO, Operation.SUM, Operation.AVERAGE)
_MAX_MARGIN = 0.5  # between scores; a larger one says no more
_MANY_TERMS = 6


def confidence_of(features: Mapping[str, float], settings: FigureConfidence) -> float:
    """0..1."""
    total = settings.bias + sum(getattr(settings, name) * value for name, value in features.items())
    return 1 / (1 + exp(-total))


def features_of(
    answer: FigureAnswer, periods: Sequence[Period], ranked: Sequence[Figure], terms: int
) -> dict[str, float]:
    """What tells right answers from wrong ones, by the names of `FigureConfidence`.

    `ranked`: the cells by how well they match the whole question; `terms`: its words that say which item is meant.
    """
    figures, operation = answer.figures, answer.operation
    first, named = figures[0], answer.operation in _NAMES
    right = sum(one.when is not None and any(one.when.agrees(period) for period in periods) for one in figures)
    unknown = sum(one.when is None for one in figures)
    coverage = min(one.coverage for one in figures)
    return {
        "coverage": coverage,
        "full_coverage": coverage**4,
        "extra": max(one.extra for one in figures),
        "odd": float(any(one.odd for one in figures)),
        "row_margin": _row_margin(ranked),
        "column_margin": _column_margin(ranked),
        "right_period": right / len(figures) if periods else 0.0,
        "unknown_period": unknown / len(figures) if periods else 0.0,
        "no_period_asked": float(not periods),
        "change": float(operation in _CHANGES),
        "computed": float(operation in _COMPUTED),
        "names": float(named),
        "series": float(operation is Operation.SERIES),
        "no_header": float(not first.header),
        "no_label": float(not first.row.label),
        "no_scale": float(not first.scale and not named),
        "terms": min(terms, _MANY_TERMS) / _MANY_TERMS,
    }


def _row_margin(ranked: Sequence[Figure]) -> float:
    """How far the best row stands before the next one with another amount."""
    if not ranked:
        return 0.0
    best = ranked[0]
    others = (one for one in ranked if one.row is not best.row and not same_amount(one, best))
    return min(best.score - next((one.score for one in others), 0.0), _MAX_MARGIN)


def _column_margin(ranked: Sequence[Figure]) -> float:
    """How far the best cell stands before the next one of its row."""
    if not ranked:
        return 0.0
    best = ranked[0]
    others = (one for one in ranked if one.row is best.row and one.column != best.column)
    return min(best.score - next((one.score for one in others), 0.0), _MAX_MARGIN)
