"""What is done with the values of a formula, and for which years."""

from __future__ import annotations

from collections.abc import Sequence

from rag.answer.metrics import wording
from rag.answer.metrics.formula import Kind, Node, Token, years_in
from rag.answer.metrics.request import OF_ONE_YEAR, Comparison, Operation
from rag.answer.metrics.vocabulary import Unit

MAX_YEARS = 12  # that a period may have


def around(tokens: Sequence[Token]) -> list[Token]:
    """The tokens but for averages within a formula, which are part of it."""
    named = [n for n, token in enumerate(tokens) if token.kind is Kind.NAME]
    return [token for n, token in enumerate(tokens) if token.kind is not Kind.AVERAGE or not named[0] < n < named[-1]]


def operation_of(core: str, tokens: Sequence[Token], unit: Unit, form: wording.Form) -> tuple[Operation | None, str]:
    """The operation, None for one that is not understood; and for a yes or no, what is a yes."""
    kinds = {token.kind for token in tokens}
    is_money = unit in (Unit.MONEY, Unit.PER_SHARE)
    if wording.YES_NO.search(core):
        return _yes_or_no(core)
    if wording.CAGR.search(core):
        return Operation.CAGR, ""
    growth = Kind.GROWTH in kinds
    changed = Kind.CHANGE in kinds or bool(wording.HOW_CHANGED.search(core))
    if growth and Kind.AVERAGE in kinds:
        return None, ""
    if growth or (changed and form.percent and is_money):
        return (Operation.GROWTH if is_money or "percent" in core else Operation.CHANGE), ""
    if changed:
        return Operation.CHANGE, ""
    return (Operation.AVERAGE if Kind.AVERAGE in kinds else Operation.VALUE), ""


def comparison_of(core: str) -> Comparison:
    """Whether the question compares, and what it asks of the two; two years are compared by operations."""
    if not wording.COMPARED.search(core):
        return Comparison.NONE
    if wording.WHICH.search(core) or wording.EITHER.search(core):
        return Comparison.WHICH
    return Comparison.WHETHER if wording.YES_NO.search(core) else Comparison.DIFFERENCE


def _yes_or_no(core: str) -> tuple[Operation | None, str]:
    up, down = bool(wording.UP.search(core)), bool(wording.DOWN.search(core))
    if wording.HEALTHY.search(core):
        return Operation.HEALTH, ""
    if wording.POSITIVE.search(core) or wording.NEGATIVE.search(core):
        return Operation.SIGN, "up" if wording.POSITIVE.search(core) else "down"
    if up or down:
        return Operation.DIRECTION, "" if up and down else "up" if up else "down"
    return None, ""


def years_of(
    tokens: Sequence[Token], core: str, operation: Operation | None, node: Node
) -> tuple[Operation | None, tuple[int, ...] | None]:
    """The operation, SERIES for a value of several years, and the years asked for, ascending; None for too many."""
    said = [token for token in tokens if token.kind is Kind.YEARS]
    found = sorted({year for token in said for year in token.years})
    if len(found) == 1 and operation is not Operation.VALUE and wording.SINCE.search(core):
        return operation, None  # the year it is compared with is not named
    spanned = wording.SPAN.search(core)
    count = _count(spanned[1] or spanned[2]) if spanned else 0
    if operation is Operation.AVERAGE:
        if len(found) == 1 and count > 1:
            found = list(range(found[0] - count + 1, found[0] + 1))
        elif len(found) == 2 and (count > 2 or any(token.text == "range" for token in said)):
            found = list(range(found[0], found[1] + 1))
        elif len(found) == 1:
            found = [found[0] - 1, found[0]]
    elif operation in (Operation.GROWTH, Operation.CAGR, Operation.CHANGE, Operation.DIRECTION) and len(found) == 1:
        before = count if operation is Operation.CAGR and count > 1 else 1
        found = [found[0] - before, found[0]]
    elif operation is Operation.VALUE and len(found) > 1 and not years_in(node):
        operation = Operation.SERIES
        if any(token.text == "range" for token in said):
            found = list(range(found[0], found[-1] + 1))
    elif operation in OF_ONE_YEAR:
        found = (found or sorted(years_in(node)))[-1:]
    return operation, tuple(found) if len(found) <= MAX_YEARS else None


def _count(word: str) -> int:
    words = {"two": 2, "three": 3, "four": 4, "five": 5, "两": 2, "二": 2, "三": 3, "四": 4, "五": 5}
    return words.get(word.lower()) or (int(word) if word.isdigit() and len(word) < 3 else 0)
