"""The value of an expression in digits and signs, by a parser that executes nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Context, Decimal
from typing import Final

MAX_DEPTH: Final = 20  # of parentheses and signs
MAX_EXPONENT: Final = 400
MAX_MAGNITUDE: Final = 30  # digits before the decimal point of a result

DIGITS: Final = "0123456789."  # what a number begins with
CONTEXT: Final = Context(prec=50)  # of all results
_TOKEN = re.compile(r"\s*(\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+|\*\*|mod|[-+*/^%()])")


class NoExpression(ValueError):
    """The text is no expression."""


def tokens_of(expression: str) -> list[str]:
    """Numbers, without the commas between their digits, and signs. Raises NoExpression."""
    return list(_tokens(expression))


def value_of(tokens: list[str]) -> Decimal:
    """The value of + - * / % mod ^ and parentheses over numbers; "%" means percent where no operand follows it.

    Raises NoExpression, OverflowError beyond the limits above, and DecimalException (a division by zero).
    """
    return _Parser(tokens).parse()


def _tokens(expression: str) -> Iterator[str]:
    position, end = 0, len(expression.rstrip())
    while position < end:
        match = _TOKEN.match(expression, position)
        if match is None:
            raise NoExpression
        yield match[1].replace(",", "")
        position = match.end()


class _Parser:
    """Recursive descent: sums of products of powers of signed numbers, percentages and parentheses."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens, self._at, self._depth = tokens, 0, 0

    def parse(self) -> Decimal:
        """The value of all tokens. As `value_of`."""
        value = self._sum()
        if self._at < len(self._tokens):
            raise NoExpression
        if value and value.adjusted() >= MAX_MAGNITUDE:
            raise OverflowError
        return value

    def _next(self, *signs: str) -> str:
        """Take the next token if it is one of the signs; "" otherwise."""
        if self._at < len(self._tokens) and self._tokens[self._at] in signs:
            self._at += 1
            return self._tokens[self._at - 1]
        return ""

    def _sum(self) -> Decimal:
        value = self._product()
        while sign := self._next("+", "-"):
            other = self._product()
            value = CONTEXT.add(value, other) if sign == "+" else CONTEXT.subtract(value, other)
        return value

    def _product(self) -> Decimal:
        value = self._signed()
        while sign := self._next("*", "/", "mod", "%"):
            other = self._signed()
            if sign == "*":
                value = CONTEXT.multiply(value, other)
            elif sign == "/":
                value = CONTEXT.divide(value, other)
            else:
                value = CONTEXT.remainder(value, other)
        return value

    def _signed(self) -> Decimal:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise NoExpression
        if sign := self._next("+", "-"):
            value = self._signed()
            value = -value if sign == "-" else value
        else:
            value = self._power()
        self._depth -= 1
        return value

    def _power(self) -> Decimal:
        base = self._atom()
        if not self._next("^", "**"):
            return base
        exponent = self._signed()
        if abs(exponent) > MAX_EXPONENT:
            raise OverflowError
        return CONTEXT.power(base, exponent)

    def _atom(self) -> Decimal:
        if self._next("("):
            value = self._sum()
            if not self._next(")"):
                raise NoExpression
        elif self._at < len(self._tokens) and self._tokens[self._at][0] in DIGITS:
            value = Decimal(self._tokens[self._at])
            self._at += 1
        else:
            raise NoExpression
        return value / 100 if self._is_percent() and self._next("%") else value

    def _is_percent(self) -> bool:
        """Whether a "%" here means percent: no number or parenthesis follows it."""
        after = self._tokens[self._at + 1] if self._at + 1 < len(self._tokens) else ""
        return not after or not (after[0] in DIGITS or after[0] == "(")
