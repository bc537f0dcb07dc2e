"""Formulas over items and metrics: what they are made of, and a parser for their tokens.

A formula is evaluated for a year. `avg(x)` is the mean of that year and the one before, `change(x)` the difference; a
formula that a question spells out can give years of its own: "average inventory between FY2018 and FY2019".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

MAX_DEPTH = 20  # of parentheses within one another
MAX_TOKENS = 200  # of one formula


@dataclass(frozen=True, slots=True)
class Number:
    """A constant."""

    value: float


@dataclass(frozen=True, slots=True)
class Name:
    """An item or a metric, by its id."""

    id: str
    optional: bool = False  # counts as 0 if there is none


@dataclass(frozen=True, slots=True)
class In:
    """A formula in a year of its own."""

    body: Node
    year: int


@dataclass(frozen=True, slots=True)
class Over:
    """The mean of a formula over years, or its change from the first to the last."""

    body: Node
    years: tuple[int, ...]  # (): the year asked for and the one before
    change: bool = False


@dataclass(frozen=True, slots=True)
class Binary:
    """Two formulas joined by +, -, * or /."""

    operator: str
    left: Node
    right: Node


Node = Number | Name | In | Over | Binary


class Kind(StrEnum):
    """What a token is."""

    NUMBER = "number"
    NAME = "name"
    SIGN = "sign"  # + - * / ( )
    YEARS = "years"
    AVERAGE = "average"
    CHANGE = "change"
    GROWTH = "growth"
    MARGIN = "margin"  # of sales: "EBITDA % margin"
    SPAN = "span"  # "2 year", of a growth rate
    SHARE = "share"  # "what share of", before the whole
    WORD = "word"  # anything else


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a formula, or of a question."""

    kind: Kind
    text: str
    years: tuple[int, ...] = ()
    value: float = 0.0
    optional: bool = False
    said: str = ""  # a NAME as it is worded


_PIECE = re.compile(r"\s*(?:(?P<number>\d+(?:\.\d+)?)|(?P<name>[a-z_]+)(?P<optional>\??)|(?P<sign>[-+*/()]))")


def parse_formula(text: str) -> Node:
    """A formula as `accounts.toml` writes it. Raises ValueError if it is none."""
    tokens: list[Token] = []
    position = 0
    text = text.strip()
    while position < len(text):
        match = _PIECE.match(text, position)
        if match is None:
            raise ValueError(text)
        position = match.end()
        if match["number"]:
            tokens.append(Token(Kind.NUMBER, match["number"], value=float(match["number"])))
        elif match["sign"]:
            tokens.append(Token(Kind.SIGN, match["sign"]))
        elif match["name"] in ("avg", "change"):
            tokens.append(Token(Kind.AVERAGE if match["name"] == "avg" else Kind.CHANGE, match["name"]))
        else:
            tokens.append(Token(Kind.NAME, match["name"], optional=bool(match["optional"])))
    node = parse_tokens(tokens)
    if node is None:
        raise ValueError(text)
    return node


def parse_tokens(tokens: Sequence[Token]) -> Node | None:
    """The formula that tokens make up; None if they make up none."""
    if not 1 <= len(tokens) <= MAX_TOKENS:
        return None
    parser = _Parser(tokens)
    node = parser.sum(0)
    return node if parser.at_end else None


def names_in(node: Node) -> list[str]:
    """The ids of a formula, from left to right."""
    match node:
        case Name():
            return [node.id]
        case In(body=body) | Over(body=body):
            return names_in(body)
        case Binary(left=left, right=right):
            return names_in(left) + names_in(right)
        case _:
            return []


def years_in(node: Node) -> set[int]:
    """The years that a formula names."""
    match node:
        case In(body=body, year=own):
            return {own} | years_in(body)
        case Over(body=body, years=years):
            return {*years} | years_in(body)
        case Binary(left=left, right=right):
            return years_in(left) | years_in(right)
        case _:
            return set()


class _Parser:
    """Recursive descent; each method returns None if the tokens do not fit."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self._tokens, self._next = tokens, 0

    @property
    def at_end(self) -> bool:
        return self._next == len(self._tokens)

    def _peek(self) -> Token:
        return Token(Kind.WORD, "") if self.at_end else self._tokens[self._next]

    def _take_sign(self, signs: str) -> str:
        token = self._peek()
        if token.kind is not Kind.SIGN or token.text not in signs:
            return ""
        self._next += 1
        return token.text

    def _take_years(self) -> tuple[int, ...]:
        token = self._peek()
        if token.kind is not Kind.YEARS:
            return ()
        self._next += 1
        return token.years

    def sum(self, depth: int) -> Node | None:
        left = self._product(depth)
        while left and (sign := self._take_sign("+-")):
            right = self._product(depth)
            left = Binary(sign, left, right) if right else None
        return left

    def _product(self, depth: int) -> Node | None:
        left = self._factor(depth)
        while left and (sign := self._take_sign("*/")):
            right = self._factor(depth)
            left = Binary(sign, left, right) if right else None
        return left

    def _factor(self, depth: int) -> Node | None:
        """A number, a name or a formula in parentheses, with the years before or behind it."""
        before = self._take_years()
        token = self._peek()
        if token.kind in (Kind.AVERAGE, Kind.CHANGE):
            self._next += 1
            body = self._factor(depth + 1) if depth < MAX_DEPTH else None
            if isinstance(body, Over) and not body.years:
                return None
            years = before or self._take_years()
            if isinstance(body, In) and not years:
                years, body = (body.year,), body.body
            return Over(body, _pair(years), token.kind is Kind.CHANGE) if body else None
        body = self._atom(depth)
        if body is None or isinstance(body, Number):
            return body
        years = before or (self._take_years() if self._is_one_year() else ())
        return In(body, years[0]) if len(years) == 1 else (None if years else body)

    def _is_one_year(self) -> bool:
        return self._peek().kind is Kind.YEARS and len(self._peek().years) == 1

    def _atom(self, depth: int) -> Node | None:
        token = self._peek()
        if token.kind is Kind.NUMBER:
            self._next += 1
            return Number(token.value)
        if token.kind is Kind.NAME:
            self._next += 1
            return Name(token.text, token.optional)
        if depth < MAX_DEPTH and self._take_sign("("):
            body = self.sum(depth + 1)
            return body if self._take_sign(")") else None
        return None


def _pair(years: tuple[int, ...]) -> tuple[int, ...]:
    """The years that an average or a change is taken over; a single one means it and the one before."""
    return (years[0] - 1, years[0]) if len(years) == 1 else years
