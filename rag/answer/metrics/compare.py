"""A figure of one company compared with that of another: the difference, which is higher, or whether it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from rag.answer.metrics.compute import FACTORS_OF_STATEMENTS, Calculation, Value, distinct
from rag.answer.metrics.request import Comparison, Operation, Request
from rag.answer.metrics.vocabulary import Unit
from rag.answer.metrics.written import Result, change, each_of, yes_or_no


@dataclass(frozen=True, slots=True)
class Side:
    """One of two companies: its name, its figure, and the calculation that gave it."""

    name: str
    value: Value
    calculation: Calculation


def compared(request: Request, first: Side, second: Side, *, chinese: bool) -> Result | None:
    """What the question asks of two figures; None for different currencies, or a scale that is not known."""
    sides = _in_one_scale(request, first, second)
    if sides is None:
        return None
    one, other = sides
    values, names = (other.value, one.value), (other.name, one.name)
    used = distinct(one.value.used + other.value.used)
    higher = one if one.value.amount > other.value.amount else other
    if one.value.amount == other.value.amount:
        return None
    match request.comparison:
        case Comparison.DIFFERENCE:
            money = one.calculation.scale or "", one.calculation.currency
            asked = replace(request, operation=Operation.CHANGE)
            positive = (values, names) if request.wants != "down" else (values[::-1], names[::-1])
            return change(asked, *positive, money, chinese=chinese)
        case Comparison.WHICH:
            chosen = higher if request.wants != "down" else (one if higher is other else other)
            return Result((chosen.name,), "", each_of(request, values, names), used)
        case _:
            yes = (higher is one) == (request.wants != "down")
            return Result((yes_or_no(yes, chinese=chinese),), "", each_of(request, values, names), used)


def _in_one_scale(request: Request, first: Side, second: Side) -> Sequence[Side] | None:
    """Both figures in the scale of the first."""
    if request.unit not in (Unit.MONEY, Unit.PER_SHARE):
        return first, second
    one, other = first.calculation, second.calculation
    if one.currency != other.currency or bool(one.scale) != bool(other.scale):
        return None
    factor = FACTORS_OF_STATEMENTS[other.scale or ""] / FACTORS_OF_STATEMENTS[one.scale or ""]
    if factor == 1.0:
        return first, second
    amount = second.value.amount * factor
    moved = replace(second.value, amount=amount, text=f"{amount:,.10g}", binding=3, plain=None)
    return first, replace(second, value=moved)
