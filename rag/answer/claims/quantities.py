"""The quantities of a text: numbers with scale, unit and bound ("at most", 超过), percentages, dates and ordinals."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import Enum, auto
from itertools import pairwise
from typing import Final

from rag.answer.claims.dates import Date, find_dates
from rag.answer.claims.numerals import (
    HAN_NUMERALS,
    NUMBER_WORDS,
    ORDINAL_WORDS,
    value_of_han,
    value_of_ordinal,
    value_of_words,
)
from rag.answer.claims.units import (
    CURRENCIES,
    CURRENCY_BEFORE,
    LETTER_SCALE_AFTER,
    PERCENT_AFTER,
    SCALE_AFTER,
    UNIT_AFTER,
    percent_named,
    scale_named,
    unit_named,
)

_REACH = 28  # characters before a number that are searched for a bound
_NEAR = r"[\s\w$€£¥%]{0,3}\Z"
_BEFORE: Final = tuple(
    (sign, re.compile(pattern + r"\s?(?:the\s|a\s|of\s)?[$€£¥]?\Z", re.IGNORECASE))
    for sign, pattern in (
        (
            "<",
            r"\b(?:no(?:t)? (?:more|greater|higher|later|longer) than|not (?:to )?exceed(?:ing)?|does not exceed"
            r"|at most|up to|a maximum of|maximum of|within|not over)",
        ),
        (
            ">",
            r"\b(?:no(?:t)? (?:less|fewer|lower|earlier|shorter|smaller) than|at least|a minimum of|minimum of"
            r"|not below|not under)",
        ),
        (
            ">",
            r"\b(?:(?:more|greater|higher|larger|longer|bigger) than|(?<!spread )(?<!divided )(?<!distributed )over"
            r"|above|exceed(?:s|ed|ing)?|in excess of|upwards of|surpass(?:es|ed|ing)?|beyond|well over)",
        ),
        ("<", r"\b(?:(?:less|fewer|lower|smaller|shorter) than|under|below|not quite)"),
        (
            "~",
            r"\b(?:about|approximately|approx\.?|around|roughly|nearly|almost|some|circa|ca\.|close to|an estimated"
            r"|estimated)",
        ),
        (
            "<",
            r"(?:不超过|不多于|不高于|不大于|至多|最多|最高|不得超过|不晚于|未超过|少于|低于|小于|不足|不到|不满|未达|短于)",
        ),
        (
            ">",
            r"(?:不少于|不低于|不小于|至少|最少|最低|不得少于|不得低于|超过|多于|高于|大于|逾|超出|突破|长于|不早于)",
        ),
        ("~", r"(?:约为?|大约|大概|近|将近|接近|左右|估计)"),
    )
)
_IN_WORDS = re.compile(rf"(?:{NUMBER_WORDS})\s?\(\Z", re.IGNORECASE)  # "thirty (30)"
_AFTER: Final = tuple(
    (sign, re.compile(pattern, re.IGNORECASE))
    for sign, pattern in (
        (">", r"\s?(?:or more|or (?:higher|greater|longer|above|over)|and (?:above|over)|plus\b|\+)"),
        ("<", r"\s?(?:or (?:less|fewer|lower|below|under|shorter)|and (?:below|under))"),
        (">", r"[\u4e00-\u9fff]{0,2}?(?:及?以上|有余|及其以上|多[个名人元次家])"),
        ("<", r"[\u4e00-\u9fff]{0,2}?(?:及?以下|以内|之内)"),
        ("~", r"[\u4e00-\u9fff]{0,2}?(?:左右|上下)"),
    )
)
MAX_CHARACTERS = 4_000  # of a text that is looked at
NO_DATE: Final = (0, 0, 0)


def bound_of(text: str, start: int, end: int) -> str:
    """The bound, "<", ">" or "~", if words before or after the number text[start:end] say so, else ""."""
    before = _IN_WORDS.sub("", text[max(0, start - _REACH) : start])
    for sign, pattern in _BEFORE:
        if pattern.search(before):
            return sign
    for sign, pattern in _AFTER:
        if pattern.match(text, end):
            return sign
    return ""


class Kind(Enum):
    """What a quantity counts."""

    NUMBER = auto()
    PERCENT = auto()  # unit: "%", percentage points or basis points
    DATE = auto()
    ORDINAL = auto()


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number, percentage, date or ordinal of a text."""

    start: int  # [start, end) in the text, unit and scale included
    end: int
    kind: Kind
    value: float = 0.0  # without sign, times its scale, in the base of its unit
    step: float = 0.0  # what one more in its last printed digit would add to the value
    unit: str = ""  # base unit or currency; "" if none is printed
    date: Date = NO_DATE
    bound: str = ""  # "<", ">" or "~" (about); "" for none
    scaled: bool = False  # a scale such as "million" is printed
    negative: bool = False
    factor: float = 1.0  # factor by which its scale and unit multiply the printed number

    @property
    def is_article(self) -> bool:
        """Whether it may be an article rather than a number, as "one" and 一 often are."""
        return self.kind is Kind.NUMBER and self.value == 1 and not self.unit and not self.scaled


_DIGITS = re.compile(r"(?<![\d.,])(?:\d{1,3}(?:[,，]\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+)(?!\d)")
_ORDINAL = re.compile(rf"\b(?:\d{{1,4}}(?:st|nd|rd|th)|{ORDINAL_WORDS})\b", re.IGNORECASE)
_HAN_ORDINAL = re.compile(rf"第\s?(?:(\d{{1,5}})|([{HAN_NUMERALS}]{{1,8}}))")
_QUARTER = re.compile(r"(?<![A-Za-z0-9])(?:Q([1-4])|([1-4])Q|H([12]))(?![A-Za-z]|\d{3,})", re.IGNORECASE)
_HAN_QUARTER = re.compile(r"(?<![\d.第])([1-4一二三四])季度")
_CENTURY = re.compile(r"(\d{1,2}|[一二三十]{1,3})\s?世纪")
_WORDS = re.compile(rf"\b(?:{NUMBER_WORDS})\b", re.IGNORECASE)
_HAN_NUMBER = re.compile(rf"[{HAN_NUMERALS}]{{1,16}}(?:点[零〇一二三四五六七八九]{{1,8}}[万亿]?)?")
_HAN_PERCENT = re.compile(
    rf"百分之\s?(?:(\d+(?:\.\d+)?)|([{HAN_NUMERALS}]{{1,6}}(?:点[零〇一二三四五六七八九]{{1,6}})?))"
)
_HAN_FRACTION = re.compile(r"([一二三四五六七八九十])分之([一二三四五六七八九十])")
_FRACTION = re.compile(
    r"\b(one|two|three|four)[\s-](third|quarter|fourth|fifth)(s?)(?![a-z])(?=\sof\b|$|[\s,.]of)", re.IGNORECASE
)
_CLOCK = re.compile(r"(?<![\d:.])([01]?\d|2[0-3]):([0-5]\d)(?![\d:])")
_IN_FIGURES = re.compile(r"\s?\(\d{1,6}\)")
_RANGE = re.compile(r"\s?(?:to|through|-|–|—|~|～|至|到)\s?|\sand\s")
_MEASURES = "个個名位人种種次家条項项座台辆件岁歲层層块塊章篇类類区區所艘架支只隻场場届本部款段票枚处户组"
_NOT_NUMERALS = (
    "十分",
    "万一",
    "千万不",
    "一一",
    "三三两两",
    "百姓",
    "千方百计",
    "四川",
    "九龙",
    "百度",
    "万科",
    "五粮液",
)
_LETTERS_BEFORE = re.compile(r"(?:[A-Za-z_]|[A-Za-z]-)\Z")
_LETTERS_AFTER = re.compile(r"-?[A-Za-z]")
_YEAR = re.compile(r"(?:1[4-9]|20)\d\d\Z")


def find_quantities(text: str) -> list[Quantity]:
    """The quantities of a text in order, none overlapping."""
    text = text[:MAX_CHARACTERS]
    taken = bytearray(len(text))
    found: list[Quantity] = []
    for finder in (_dates, _ordinals, _percentages_in_han, _clock_times, _digits, _words, _han_numbers):
        for quantity in finder(text):
            if not any(taken[quantity.start : quantity.end]):
                taken[quantity.start : quantity.end] = b"\1" * (quantity.end - quantity.start)
                found.append(quantity)
    found.sort(key=lambda quantity: quantity.start)
    return [replace(one, bound=bound_of(text, one.start, one.end)) for one in _with_ranges(text, found)]


def _with_ranges(text: str, found: list[Quantity]) -> list[Quantity]:
    """The quantities; the first number of a range gets the scale and unit of the second: "$150 to $170 million"."""
    completed = list(found)
    for n, (first, second) in enumerate(pairwise(found)):
        between = text[first.end : second.start]
        if first.kind is not Kind.NUMBER or first.scaled or second.kind not in (Kind.NUMBER, Kind.PERCENT):
            continue
        if _RANGE.fullmatch(between) is None or first.unit not in ("", second.unit):
            continue
        if between.strip() == "and" and "between" not in text[max(0, first.start - 10) : first.start].lower():
            continue
        factor = second.factor if not first.unit or second.scaled else 1.0
        completed[n] = replace(
            first,
            kind=second.kind,
            value=first.value * factor,
            step=first.step * factor,
            unit=second.unit,
            scaled=second.scaled,
        )
    return completed


def _dates(text: str) -> list[Quantity]:
    return [Quantity(start, end, Kind.DATE, float(date[0]), date=date) for start, end, date in find_dates(text)]


def _ordinals(text: str) -> list[Quantity]:
    found = [_ordinal(m, float(m[1] or m[2] or m[3])) for m in _QUARTER.finditer(text)]
    for match in _HAN_ORDINAL.finditer(text):
        value = float(match[1]) if match[1] else value_of_han(match[2])
        if value is not None:
            found.append(_ordinal(match, value))
    for match in _HAN_QUARTER.finditer(text):
        found.append(_ordinal(match, float(match[1]) if match[1].isascii() else value_of_han(match[1]) or 0.0))
    for match in _CENTURY.finditer(text):
        found.append(_ordinal(match, float(match[1]) if match[1].isascii() else value_of_han(match[1]) or 0.0))
    for match in _ORDINAL.finditer(text):
        digits = re.match(r"\d+", match[0])
        found.append(_ordinal(match, float(digits[0]) if digits else value_of_ordinal(match[0])))
    return found


def _ordinal(match: re.Match[str], value: float) -> Quantity:
    return Quantity(match.start(), match.end(), Kind.ORDINAL, value)


def _percentages_in_han(text: str) -> list[Quantity]:
    found: list[Quantity] = []
    for match in _HAN_PERCENT.finditer(text):
        value = float(match[1]) if match[1] else value_of_han(match[2])
        decimals = (match[1] or "").partition(".")[2] or (match[2] or "").partition("点")[2]
        if value is not None:
            found.append(Quantity(match.start(), match.end(), Kind.PERCENT, value, 10.0 ** -len(decimals), "%"))
    for match in _HAN_FRACTION.finditer(text):
        below, above = value_of_han(match[1]), value_of_han(match[2])
        if below and above:
            found.append(Quantity(match.start(), match.end(), Kind.PERCENT, 100 * above / below, 1.0, "%"))
    for match in _FRACTION.finditer(text):
        share = value_of_words(match[1]) / {"third": 3, "quarter": 4, "fourth": 4, "fifth": 5}[match[2].lower()]
        found.append(Quantity(match.start(), match.end(), Kind.PERCENT, 100 * share, 1.0, "%"))
    return found


def _clock_times(text: str) -> list[Quantity]:
    return [
        Quantity(m.start(), m.end(), Kind.NUMBER, int(m[1]) * 60.0 + int(m[2]), 1.0, "clock")
        for m in _CLOCK.finditer(text)
    ]


def _digits(text: str) -> list[Quantity]:
    found: list[Quantity] = []
    for match in _DIGITS.finditer(text):
        printed = match[0].replace(",", "").replace("，", "")
        quantity = _measured(text, match.start(), match.end(), float(printed), 10.0 ** -len(printed.partition(".")[2]))
        if _is_code(text, match, quantity):
            continue
        is_year = _YEAR.match(printed) and match[0] == printed and quantity.kind is Kind.NUMBER
        if is_year and not quantity.unit and not quantity.scaled and match.end() == quantity.end:
            quantity = replace(quantity, kind=Kind.DATE, date=(int(printed), 0, 0), end=_decade_end(text, match.end()))
        found.append(quantity)
    return found


def _decade_end(text: str, end: int) -> int:
    """The position after the s of "1990s"."""
    return end + 1 if text[end : end + 1] == "s" else end


def _is_code(text: str, match: re.Match[str], quantity: Quantity) -> bool:
    """Whether digits are part of a name, such as COVID-19, X200 or 10-K, rather than a number."""
    if quantity.start < match.start() or quantity.end > match.end():
        return False
    before = _LETTERS_BEFORE.search(text, max(0, match.start() - 2), match.start())
    if before and not (before[0].endswith("-") and _YEAR.match(match[0])):
        return True
    after = text[match.end() : match.end() + 2]
    return bool(_LETTERS_AFTER.match(after)) and not (after[:1] == "s" and not after[1:2].isalpha())


def _words(text: str) -> list[Quantity]:
    found: list[Quantity] = []
    for match in _WORDS.finditer(text):
        if _IN_FIGURES.match(text, match.end()):  # "thirty (30) days"
            continue
        value = value_of_words(match[0])
        found.append(_measured(text, match.start(), match.end(), value, 1.0))
    return found


def _han_numbers(text: str) -> list[Quantity]:
    found: list[Quantity] = []
    for match in _HAN_NUMBER.finditer(text):
        value = value_of_han(match[0])
        if value is None or text.startswith(_NOT_NUMERALS, match.start()):
            continue
        quantity = _measured(text, match.start(), match.end(), value, 1.0 if "点" not in match[0] else 0.1)
        measured = quantity.unit or text[match.end() : match.end() + 1] in _MEASURES
        if measured or (len(match[0]) > 1 and match[0][0] != "一"):
            found.append(quantity)
    return found


def _measured(text: str, start: int, end: int, value: float, step: float) -> Quantity:
    """A number with the currency before it, and the scale and unit after it."""
    unit, factor, scaled, printed_end = "", 1.0, False, end
    if before := CURRENCY_BEFORE.search(text, max(0, start - 20), start):
        named = before[0].strip("-− (").strip()
        letters = named[0].isascii() and named[0].isalpha()
        if not (letters and text[max(0, before.start() - 1) : before.start()].isalpha()):
            unit, factor = unit_named(named)
            start = before.start()
    if percent := PERCENT_AFTER.match(text, end):
        return Quantity(start, percent.end(), Kind.PERCENT, value, step, percent_named(percent[0]))
    scale = SCALE_AFTER.match(text, end) or (LETTER_SCALE_AFTER.match(text, end) if unit in CURRENCIES else None)
    scaled_by = 1.0
    while scale:
        scaled_by *= scale_named(scale[0])
        end, scaled = scale.end(), True
        scale = SCALE_AFTER.match(text, end)
    after = UNIT_AFTER.match(text, end)
    if after and not unit:
        unit, factor = unit_named(after[0])
        end = after.end()
    elif after and unit in CURRENCIES and unit_named(after[0])[0] == unit:
        end = after.end()
    factor *= scaled_by
    negative = _is_negative(text, start, printed_end) or text[start:printed_end].rstrip("0123456789.,")[-1:] == "("
    return Quantity(
        start,
        end,
        Kind.NUMBER,
        value * factor,
        step * factor,
        unit,
        scaled=scaled,
        negative=negative,
        factor=factor,
    )


def _is_negative(text: str, start: int, end: int) -> bool:
    """Whether a minus sign stands before, or parentheses around, as accounts print losses."""
    before = text[max(0, start - 2) : start]
    if before[-1:] in "(（" and before:
        return text[end : end + 1] in (")", "）")
    return before[-1:] in ("-", "−") and not before[:-1].isalnum()
