"""Numbers written in words or in Chinese characters -> values."""

from __future__ import annotations

import re
from typing import Final

HAN_DIGITS: Final = {
    "零": 0, "〇": 0, "一": 1, "二": 2, "两": 2, "兩": 2, "三": 3, "四": 4, "五": 5, "六": 6, "七": 7, "八": 8, "九": 9,
    "壹": 1, "贰": 2, "叁": 3, "肆": 4, "伍": 5, "陆": 6, "柒": 7, "捌": 8, "玖": 9,
}  # fmt: skip
_HAN_TENS: Final = {"十": 10, "百": 100, "千": 1000, "拾": 10, "佰": 100, "仟": 1000}
_HAN_MYRIADS: Final = {"万": 10**4, "萬": 10**4, "亿": 10**8, "億": 10**8}
HAN_NUMERALS: Final = "".join((*HAN_DIGITS, *_HAN_TENS, *_HAN_MYRIADS))

_ONES: Final = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
    " eighteen nineteen"
).split()
_TENS: Final = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_WORDS: Final = {word: n for n, word in enumerate(_ONES)} | {word: 20 + 10 * n for n, word in enumerate(_TENS)}
_FACTORS: Final = {"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_ORDINALS: Final = {
    word: n + 1
    for n, word in enumerate(
        "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth"
        " fifteenth sixteenth seventeenth eighteenth nineteenth twentieth".split()
    )
}

_ANY = "|".join(sorted(_WORDS, key=len, reverse=True))
_JOIN = r"(?:[\s-]{1,2}(?:and\s)?)"
NUMBER_WORDS: Final = rf"(?:{_ANY})(?:{_JOIN}(?:{_ANY}|{'|'.join(_FACTORS)})\b){{0,10}}"
ORDINAL_WORDS: Final = "|".join(sorted(_ORDINALS, key=len, reverse=True))


def value_of_words(text: str) -> float:
    """The value of English number words, such as "one hundred and twenty" -> 120."""
    total = current = 0.0
    for word in re.findall(r"[a-z]+", text.lower()):
        if word in _WORDS:
            current += _WORDS[word]
        elif word == "hundred":
            current = max(current, 1.0) * 100
        elif word in _FACTORS:
            total += max(current, 1.0) * _FACTORS[word]
            current = 0.0
    return total + current


def value_of_ordinal(text: str) -> int:
    """The value of an English ordinal word."""
    return _ORDINALS[text.lower()]


def value_of_han(text: str) -> float | None:
    """The value of a Chinese numeral, such as 一百二十 -> 120, 三点五 -> 3.5, 二〇二三 -> 2023; else None."""
    whole, _, decimals = text.partition("点")
    value = whole_of_han(whole)
    if value is None or not decimals:
        return None if value is None else float(value)
    if not all(character in HAN_DIGITS for character in decimals):
        return None
    return value + float("0." + "".join(str(HAN_DIGITS[character]) for character in decimals))


def whole_of_han(text: str) -> int | None:
    """The value of a Chinese numeral without decimals; None if it is not one."""
    if len(text) > 1 and all(character in HAN_DIGITS for character in text):  # digit by digit, as years are written
        return int("".join(str(HAN_DIGITS[character]) for character in text[:16]))
    total = section = digit = 0
    seen = False
    for character in text:
        if character in HAN_DIGITS:
            digit, seen = HAN_DIGITS[character], True
        elif character in _HAN_TENS:
            section += (digit or 1) * _HAN_TENS[character]
            digit, seen = 0, True
        elif character in _HAN_MYRIADS and seen:
            total = (total + section + digit) * _HAN_MYRIADS[character]
            section = digit = 0
        else:
            return None
    return total + section + digit if seen else None
