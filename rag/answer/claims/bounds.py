"""Words that make a number a bound: "more than", "at most", "about", 超过, 不足, 以上."""

from __future__ import annotations

import re
from typing import Final

from rag.answer.claims.numerals import NUMBER_WORDS

_REACH = 28  # characters before a number that a bound is looked for in
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


def bound_of(text: str, start: int, end: int) -> str:
    """The bound, "<", ">" or "~", if words before or behind the number text[start:end] say so, else ""."""
    before = _IN_WORDS.sub("", text[max(0, start - _REACH) : start])
    for sign, pattern in _BEFORE:
        if pattern.search(before):
            return sign
    for sign, pattern in _AFTER:
        if pattern.match(text, end):
            return sign
    return ""
