"""Recalculates arithmetic that an answer states: "12.3 + 4.5 = 16.8" or "the sum of 3 and 4 is 7"."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import DecimalException
from itertools import pairwise
from typing import Final

from rag.answer.arithmetic import NoExpression, tokens_of, value_of
from rag.answer.claims.lexicon import han_words, opposites, stem
from rag.answer.claims.quantities import Kind, Quantity, find_quantities
from rag.answer.scales import FACTORS

SCALES: Final = (1.0, *FACTORS.values())  # that a number in a formula may leave out
MAX_FORMULA = 200  # characters of a formula
_CHARACTERS: Final = r"[\d.,+\-−–×x*/÷() $€£¥%]"
_FORMULA = re.compile(
    rf"({_CHARACTERS}{{3,{MAX_FORMULA}}}?)\s{{0,2}}(?:=|≈|equals?|等于|约等于)\s{{0,2}}(?=[-−(]?\s?[$€£¥]?\s?\d)"
)
_OPERATOR = re.compile(r"[+×x*/÷]|[-−–]\s?[\d($]")
_CLEAN: Final = str.maketrans(
    {"−": "-", "–": "-", "×": "*", "x": "*", "÷": "/", ",": "", "$": "", "€": "", "£": "", "¥": ""}
)
_NUMBER = r"(?P<{}>\S{{1,30}}(?:\s(?:million|billion|thousand|trillion))?)"
_HAN_NUMBER = r"(?P<{}>[^，。；\s和与减除乘加之的]{{1,20}})"


@dataclass(frozen=True, slots=True)
class Sum:
    """A calculation found in a text."""

    start: int  # [start, end) of its result in the text
    end: int
    right: bool
    formula: tuple[int, int]  # [start, end) of all of it, where numbers may lack their unit and scale
    result: float  # as printed, with its scale

    def covers(self, quantity: Quantity) -> bool:
        """Whether a quantity is part of the calculation, or repeats its result."""
        inside = self.formula[0] <= quantity.start < self.formula[1]
        return inside or any(math.isclose(quantity.value, self.result * factor) for factor in SCALES)


_SPOKEN: Final[tuple[tuple[re.Pattern[str], Callable[[float, float], float]], ...]] = tuple(
    (re.compile(pattern.format(a=_NUMBER.format("a"), b=_NUMBER.format("b")), re.IGNORECASE), operation)
    for pattern, operation in (
        (r"\bsum of {a} and {b} (?:is|was|equals|=) ", lambda a, b: a + b),
        (r"\bdifference between {a} and {b} (?:is|was|equals) ", lambda a, b: abs(a - b)),
        (r"\baverage of {a} and {b} (?:is|was|equals) ", lambda a, b: (a + b) / 2),
        (r"(?<!\S){a} plus {b} (?:is|equals|makes) ", lambda a, b: a + b),
        (r"(?<!\S){a} minus {b} (?:is|equals|leaves) ", lambda a, b: a - b),
        (r"(?<!\S){a} times {b} (?:is|equals) ", lambda a, b: a * b),
        (r"(?<!\S){a} divided by {b} (?:is|equals) ", lambda a, b: a / b if b else float("nan")),
    )
) + tuple(
    (re.compile(pattern.format(a=_HAN_NUMBER.format("a"), b=_HAN_NUMBER.format("b"))), operation)
    for pattern, operation in (
        (r"{a}(?:和|与|加上?){b}(?:之和|的和|相加|合计)?(?:为|是|等于|得)", lambda a, b: a + b),
        (r"{a}(?:减去?){b}(?:等于|得|为|是)", lambda a, b: a - b),
        (r"{a}(?:乘以?){b}(?:等于|得|为|是)", lambda a, b: a * b),
        (r"{a}(?:除以){b}(?:等于|得|为|是)", lambda a, b: a / b if b else float("nan")),
        (r"{a}(?:与|和){b}(?:之差|的差)(?:为|是)", lambda a, b: abs(a - b)),
        (r"{a}(?:与|和){b}的平均(?:值|数)?(?:为|是)", lambda a, b: (a + b) / 2),
    )
)
_FROM = re.compile(r"(?:\bfrom\b|由|从)[^,，。;；]{0,14}\Z", re.IGNORECASE)
_TO = re.compile(r"\bto\b|到|至")
_CHANGE = re.compile(r"\b(?:from|由|从)\s?|从|由", re.IGNORECASE)


def find_sums(text: str, quantities: tuple[Quantity, ...]) -> list[Sum]:
    """The calculations in a text that are stated with their result, and whether the result is correct."""
    found = [*_formulas(text, quantities), *_spoken(text, quantities)]
    return [*found, *_directions(text, quantities)] or list(_changes(text, quantities))


def _result(quantities: tuple[Quantity, ...], start: int) -> Quantity | None:
    """The number that starts at a character, or just after it."""
    return next((one for one in quantities if start - 1 <= one.start <= start + 3), None)


def _sum_of(start: int, result: Quantity, right: bool) -> Sum:
    return Sum(result.start, result.end, right, (start, result.end), result.value)


def _formulas(text: str, quantities: tuple[Quantity, ...]) -> Iterator[Sum]:
    for match in _FORMULA.finditer(text):
        result = _result(quantities, match.end())
        formula = match[1].strip(" .,")
        if result is None or not _OPERATOR.search(formula[1:]):
            continue
        value = evaluate(formula)
        if value is not None:
            yield _sum_of(match.start(), result, _equals(result, value))


def _spoken(text: str, quantities: tuple[Quantity, ...]) -> Iterator[Sum]:
    for pattern, operation in _SPOKEN:
        for match in pattern.finditer(text):
            operands = [find_quantities(match[name]) for name in ("a", "b")]
            result = _result(quantities, match.end())
            if result and all(len(one) == 1 and one[0].kind is not Kind.ORDINAL for one in operands):
                value = operation(operands[0][0].value, operands[1][0].value)
                yield _sum_of(match.start(), result, _equals(result, value))


def _changes(text: str, quantities: tuple[Quantity, ...]) -> Iterator[Sum]:
    """A percentage next to "from A to B", if it is the change between them."""
    numbers = [one for one in quantities if one.kind is Kind.NUMBER]
    percentages = [one for one in quantities if one.kind is Kind.PERCENT and one.unit == "%"]
    if len(numbers) != 2 or len(percentages) != 1 or not _CHANGE.search(text):
        return
    first, second = (one.value for one in numbers)
    for old, new in ((first, second), (second, first)):
        if old and _equals(percentages[0], 100 * abs(new - old) / old, percent=False):
            yield _sum_of(percentages[0].start, percentages[0], right=True)
            return


def _directions(text: str, quantities: tuple[Quantity, ...]) -> Iterator[Sum]:
    """A rise or fall "from A to B" that A and B contradict."""
    values = [one for one in quantities if one.kind in (Kind.NUMBER, Kind.PERCENT)]
    for first, second in pairwise(values[:20]):
        between = text[first.end : second.start]
        after_from = _FROM.search(text, max(0, first.start - 20), first.start)
        same = first.kind is second.kind and first.unit == second.unit
        if not (after_from and same and _TO.search(between)) or first.negative or second.negative:
            continue
        clause = max(text.rfind(mark, 0, first.start) for mark in ",;，；。") + 1
        words = {stem(word) for word in re.findall("[a-z]+", text[clause : first.start].lower())}
        words |= {word for _, word in han_words(text[clause : second.start])}
        sides = {side for word in words for line, side in opposites().get(word, ()) if line == 0}
        if len(sides) == 1 and first.value != second.value and (second.value > first.value) == (sides == {1}):
            yield Sum(second.start, second.end, False, (first.start, second.end), second.value)


def _equals(result: Quantity, value: float, *, percent: bool = True) -> bool:
    """Whether a printed result is the value, rounded as it is printed; a percentage may stand for its hundredth."""
    tolerance = result.step * 0.5 * (1 + 1e-9) + 1e-9
    values = [value, 100 * value] if percent and result.kind is Kind.PERCENT else [value]
    printed = result.value
    scaled = [printed / factor for factor in SCALES] if result.scaled else [printed]
    return any(
        abs(abs(one) - abs(target)) <= (tolerance * one / printed if printed else tolerance)
        for one in scaled
        for target in values
    )


def evaluate(formula: str) -> float | None:
    """The value of a formula as an answer prints it; None if it is not a formula, or cannot be computed."""
    try:
        return float(value_of(tokens_of(formula.translate(_CLEAN))))
    except (NoExpression, DecimalException, OverflowError):
        return None
