"""A question about accounts, understood: formula, operation, years, unit, rounding and company."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from rag.answer.metrics.formula import Node
from rag.answer.metrics.vocabulary import Unit
from rag.answer.metrics.wording import Form


class Operation(StrEnum):
    """What is done with the values of the years asked for."""

    VALUE = "value"
    SERIES = "series"  # a value for each year
    AVERAGE = "average"
    GROWTH = "growth"  # in percent, from the first year to the last
    CAGR = "cagr"  # compound annual growth rate, in percent
    CHANGE = "change"
    DIRECTION = "direction"  # whether it rose or fell: yes or no
    SIGN = "sign"  # whether it is positive or negative: yes or no
    HEALTH = "health"  # whether it is at a level that textbooks call healthy: yes or no


class Comparison(StrEnum):
    """What is asked of the figures of two companies."""

    NONE = "none"
    DIFFERENCE = "difference"
    WHICH = "which"  # the company with the higher or lower one
    WHETHER = "whether"  # whether the first is higher or lower: yes or no


OF_ONE_YEAR = (Operation.VALUE, Operation.SIGN, Operation.HEALTH)
COMPARING = (Operation.CHANGE, Operation.GROWTH, Operation.DIRECTION, Operation.SIGN, Operation.HEALTH)


@dataclass(frozen=True, slots=True)
class Request:
    """A question, understood."""

    formula: Node
    name: str  # of what is asked for, as the question words it
    operation: Operation
    years: tuple[int, ...]  # ascending; () for the newest
    unit: Unit
    form: Form
    company: tuple[str, ...]  # words that nothing else explains: the name of the company
    healthy: tuple[float, float] | None = None  # HEALTH: see `Metric`
    comparison: Comparison = Comparison.NONE
    ends_early: bool = False  # the years are those that a date in January or February names
    wants: str = ""  # DIRECTION and SIGN: "up" or "down" for what is a yes; "" if either word is the answer
