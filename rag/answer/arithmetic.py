"""Plain arithmetic in a question ("1+1?", "15% of 80", "三乘以四"), computed by a parser that executes nothing."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from decimal import Context, Decimal, DecimalException
from typing import Final

from rag.answer.claims.numerals import HAN_NUMERALS, whole_of_han

MAX_DEPTH: Final = 20  # of parentheses and signs
MAX_EXPONENT: Final = 400
MAX_MAGNITUDE: Final = 30  # digits before the decimal point of a result

DIGITS: Final = "0123456789."  # what a number begins with
CONTEXT: Final = Context(prec=50)  # of all results
_TOKEN = re.compile(r"\s*(\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+|\*\*|mod|[-+*/^%()])")
MAX_CHARACTERS: Final = 200  # of a question that is tried
DECIMALS: Final = 10  # shown at most

_LEAD = re.compile(
    r"^(?:(?:please|hey|hi|ok|so)[,\s]+)*(?:what\s+is|what['’]?s|how\s+much\s+(?:is|are)|how\s+many\s+(?:is|are)|calculate|compute|solve"
    r"|evaluate|work\s+out|请?计算(?:一下)?|请?算(?:一?下|一算)?|请问)[:：\s]*",
    re.IGNORECASE,
)
_TAIL = re.compile(
    r"[\s=?？!！.。]*(?:(?:等于|是|得)(?:多少|几|什么)?|equals?|得多少|多少|呢)?[\s=?？!！.。]*$", re.IGNORECASE
)
_WORDS: Final = {
    "zero": "0", "one": "1", "two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7",
    "eight": "8", "nine": "9", "ten": "10", "eleven": "11", "twelve": "12", "thirteen": "13", "fourteen": "14",
    "fifteen": "15", "sixteen": "16", "seventeen": "17", "eighteen": "18", "nineteen": "19", "twenty": "20",
    "thirty": "30", "forty": "40", "fifty": "50", "sixty": "60", "seventy": "70", "eighty": "80", "ninety": "90",
    "hundred": "100", "plus": "+", "minus": "-", "times": "*", "multiplied by": "*", "divided by": "/", "x": "*",
    "modulo": "mod", "mod": "mod", "to the power of": "^", "squared": "^2", "cubed": "^3", "percent of": "% *",
    "per cent of": "% *", "% of": "% *", "percent": "%", "per cent": "%",
}  # fmt: skip
_WORD = re.compile("|".join(rf"(?<![a-z]){word}(?![a-z])" for word in sorted(_WORDS, key=len, reverse=True)))
_HAN_NUMBER = re.compile(f"(?!百分之)[{HAN_NUMERALS}]+")
_HAN_WORDS: Final = (
    (re.compile(r"百分之(\d+(?:\.\d+)?)"), r"\1%"),
    (re.compile(r"(\d+(?:\.\d+)?)\s*的\s*(\d+(?:\.\d+)?%)"), r"\1*\2"),
    (re.compile(r"(\d+(?:\.\d+)?)\s*的平方"), r"\1^2"),
    (re.compile(r"(\d+(?:\.\d+)?)\s*的立方"), r"\1^3"),
    (re.compile(r"加上?"), "+"),
    (re.compile(r"减去?|減去?"), "-"),
    (re.compile(r"乘以?"), "*"),
    (re.compile(r"除以"), "/"),
)
_SIGNS: Final = str.maketrans({"×": "*", "÷": "/", "−": "-", "–": "-", "·": "*", "{": "(", "}": ")"})
# Years, dates and numbers such as "10-4" that a document may contain.
_DATE = re.compile(r"(?:19|20)\d\d\s*[-/]\s*\d{1,4}|\d+(?:[-/]\d+){2,}|0\d*[-/]\d+")


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


def compute(question: str) -> tuple[str, str] | None:
    """The expression that a question consists of and its result, both as shown; None if it is no arithmetic.

    A result that cannot be computed is "": a division by zero, or a number beyond all bounds.
    """
    if len(question) > MAX_CHARACTERS or not re.search(
        r"\d|[零〇一二两兩三四五六七八九十]|[a-z]{3}", question, re.IGNORECASE
    ):
        return None
    text = _TAIL.sub("", _LEAD.sub("", unicodedata.normalize("NFKC", question).strip()))
    expression = _to_signs(text)
    asked = expression != unicodedata.normalize("NFKC", question).strip().casefold()
    try:
        tokens = tokens_of(expression)
        if len(tokens) < 2 or _is_no_sum(expression, tokens, asked=asked):
            return None
        value = value_of(tokens)
    except NoExpression:
        return None
    except (DecimalException, OverflowError):
        return _shown(expression), ""
    return _shown(expression), _formatted(value)


def _to_signs(text: str) -> str:
    """An expression in words, English or Chinese, in digits and signs."""
    text = _HAN_NUMBER.sub(_in_digits, text.translate(_SIGNS).casefold())
    for pattern, sign in _HAN_WORDS:
        text = pattern.sub(sign, text)
    return _WORD.sub(lambda match: f" {_WORDS[match.group()]} ", text).strip()


def _in_digits(match: re.Match[str]) -> str:
    """A Chinese numeral in digits; other text unchanged."""
    value = whole_of_han(match.group())
    return match.group() if value is None else str(value)


def _is_no_sum(expression: str, tokens: list[str], *, asked: bool) -> bool:
    """Whether signs between numbers are more likely a year, a date or a code than a calculation."""
    signs = [token for token in tokens if token in ("+", "-", "*", "/", "^", "**", "mod", "%")]
    if not signs or _DATE.fullmatch(expression) or tokens[1:] == ["%"]:
        return True
    return not asked and set(signs) <= {"-", "/", "%"} and " " not in expression


def _shown(expression: str) -> str:
    spaced = re.sub(r"\s*(\*\*|[-+*/^])\s*", r" \1 ", " ".join(expression.split()))
    return spaced.replace(" ^ ", "^").replace(" % ×", "% ×").replace("*", "×").replace(" % ×", "% ×").strip()


def _formatted(value: Decimal) -> str:
    """With thousands separators, at most DECIMALS decimals, and no zeros at the end."""
    rounded = value.quantize(Decimal(1).scaleb(-DECIMALS), context=CONTEXT)
    text = f"{rounded:,f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text) or "0"
