"""The names in a question -> the formula that is asked for, and its unit."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from rag.answer.metrics.definitions import FORMULA_FILLERS, is_filler, written_out
from rag.answer.metrics.formula import Binary, Kind, Name, Node, Token, parse_tokens
from rag.answer.metrics.vocabulary import Unit, Vocabulary
from rag.answer.metrics.wording import Form

_FILLERS = frozenset(
    "the of for in its their that year years end fiscal at as from a an to amount balance unadjusted reported"
    " total company's between"
    " 的 年 , during both is and".split()
)
_OF_FORMULA = (Kind.NAME, Kind.SIGN, Kind.NUMBER, Kind.AVERAGE)
_OPEN, _CLOSED = Token(Kind.SIGN, "("), Token(Kind.SIGN, ")")
_SUM = re.compile(r"\b(?:sum of|combined|together)\b|之和", re.IGNORECASE)
_RATIO = re.compile(r"\bratio\b|比率", re.IGNORECASE)


def expression_of(tokens: Sequence[Token], core: str) -> list[Token] | None:
    """The tokens from the first name to the last, joined by signs; None if they are not one formula."""
    tokens = _without_asides(tokens)
    named = [n for n, token in enumerate(tokens) if token.kind is Kind.NAME]
    if not named:
        return None
    first, last = named[0], named[-1]
    while first and tokens[first - 1] == _OPEN:
        first -= 1
    while last + 1 < len(tokens) and tokens[last + 1] == _CLOSED:
        last += 1
    inside = tokens[first : last + 1]
    if len({token.text for token in inside if token.kind is Kind.NAME}) == 1 and len(named) > 1:
        return [next(token for token in inside if token.kind is Kind.NAME)]  # the same thing said twice
    if len(named) == 2 and _RATIO.search(core):
        between = [
            token
            for token in tokens[named[0] + 1 : named[1]]
            if not is_filler(token, frozenset(("the", "total", "的")))
        ]
        if len(between) == 1 and between[0].text.lower() in ("to", "over", "与", "和", "对"):
            return [tokens[named[0]], Token(Kind.SIGN, "/"), tokens[named[1]]]
    if _SUM.search(core):
        two = len(named) == 2 and tokens[named[0] + 1 : named[1]]
        joined = bool(two) and [token.text.lower() for token in two or ()] in (["and"], ["plus"], ["和"], ["与"])
        return [tokens[named[0]], Token(Kind.SIGN, "+"), tokens[named[1]]] if joined else None
    if len(named) == 2 and any(token.kind is Kind.SHARE for token in tokens[: named[0]]):
        return [tokens[named[1]], Token(Kind.SIGN, "/"), tokens[named[0]]]
    return [token for token in inside if token.kind in _OF_FORMULA or _breaks(token)]


def _breaks(token: Token) -> bool:
    """Whether a word between two names keeps them from being one formula."""
    return token.kind is Kind.WORD and token.text.lower() not in _FILLERS - {"and", ",", "to", "for", "between"}


def _without_asides(tokens: Sequence[Token]) -> list[Token]:
    """The tokens without parentheses behind a name: another name, or a formula, which takes the name's place.

    "operating income + D&A (unadjusted EBITDA)", "asset turnover (revenue / average total assets)".
    """
    kept: list[Token] = []
    position = 0
    while position < len(tokens):
        end = next((n for n in range(position + 1, len(tokens)) if tokens[n] == _CLOSED), 0)
        inside = [token for token in tokens[position + 1 : end] if not is_filler(token, FORMULA_FILLERS)]
        if tokens[position] == _OPEN and kept and kept[-1].kind is Kind.NAME and parse_tokens(inside):
            if len(inside) > 1:
                kept[-1:] = [_OPEN, *inside, _CLOSED]
            position = end + 1
            continue
        kept.append(tokens[position])
        position += 1
    return kept


def with_unit(
    expression: Sequence[Token],
    tokens: Sequence[Token],
    core: str,
    vocabulary: Vocabulary,
    formulas: Mapping[str, Node],
    form: Form,
) -> tuple[Node | None, Unit]:
    """The formula over items, and its unit."""
    node = parse_tokens(expression)
    if node is None:
        return None, Unit.MONEY
    unit = Unit.MONEY
    if isinstance(node, Name):
        entry = vocabulary.entries.get(node.id)
        unit = entry.unit if entry else (Unit.TIMES if _divides(formulas.get(node.id)) else Unit.MONEY)
        own = formulas.get(node.id)
        if _divides(own) and (unit is Unit.MONEY or (unit is Unit.PERCENT and form.decimals is not None)):
            unit = Unit.TIMES  # "ROA is defined as: … Round to two decimals." asks for 0.07, not for 7%
    elif _divides(node):
        unit = Unit.PERCENT if re.search(r"%|percent|share|portion|占", core, re.IGNORECASE) else Unit.TIMES
    if any(token.kind is Kind.MARGIN for token in tokens):
        if unit is not Unit.MONEY:
            return None, unit
        node, unit = Binary("/", node, Name("revenue")), Unit.PERCENT
    return written_out(node, vocabulary, formulas), unit


def _divides(node: Node | None) -> bool:
    """Whether a formula divides amounts by amounts."""
    match node:
        case Binary(operator="/"):
            return True
        case Binary(operator="*" | "+" | "-", left=left, right=right):
            return _divides(left) or _divides(right)
        case _:
            return False


def name_of(expression: Sequence[Token], tokens: Sequence[Token]) -> str:
    """What is asked for, as the question words it."""
    named = next((n for n, token in enumerate(tokens) if token.kind is Kind.NAME), 0)
    if expression[0] == _OPEN and tokens[named + 1 : named + 2] == [_OPEN]:
        return tokens[named].said  # its formula stands in parentheses behind it
    margin = any(token.kind is Kind.MARGIN for token in tokens)
    return " ".join([*(token.said or token.text for token in expression), *(["margin"] if margin else [])])
