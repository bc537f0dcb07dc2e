"""Whether two short answers to a question state the same amount."""

from __future__ import annotations

from itertools import product, starmap
from math import isclose

from rag.answer.claims.quantities import Kind, Quantity, find_quantities
from rag.records import ShortAnswer


def contradict(one: ShortAnswer, other: ShortAnswer) -> bool:
    """Whether both state amounts, but none of one equals one of the other, rounded to the digits it is printed with."""
    amounts, others = _amounts(one), _amounts(other)
    return bool(amounts and others) and not any(starmap(_is_same, product(amounts, others)))


def _amounts(short: ShortAnswer) -> list[Quantity]:
    texts = [f"{value} {short.scale}" if short.scale != "percent" else f"{value}%" for value in short.values]
    return [found for text in texts for found in find_quantities(text) if found.kind in (Kind.NUMBER, Kind.PERCENT)]


def _is_same(one: Quantity, other: Quantity) -> bool:
    coarse = max(one.step, other.step)
    return isclose(one.value, other.value) or abs(one.value - other.value) <= coarse / 2
