"""How correct an answer is, given the expected one; numbers are compared after applying their scale."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from rag.answer.scales import in_one_line, printed_values
from rag.evaluation.answer_scores import NO_SCORE, text_scores
from rag.evaluation.outcomes import normalise
from rag.evaluation.short_answers import Scores, number_of, short_answer_scores
from rag.records import Answer, AnswerState, ClaimState, ShortAnswer

MAX_GIVEN_CHARACTERS: Final = 200  # of an answer shown next to the expected one

_SEPARATORS = re.compile(r"[;；\n]")  # between several values that are all expected
_CHINESE_SCALES: Final = {"百万": "million", "万": "ten thousand", "亿": "hundred million", "千": "thousand"}
_CHINESE_NUMBER = re.compile(r"(\d)\s?(百万|万|亿|千)")
_CURRENCY = re.compile(
    r"(?<=[\d a-z%])\s?(?:euros?|dollars?|pounds?|yuan|yen|usd|eur|gbp|rmb|cny|人民币|美元|欧元|港元|日元|元)\Z",
    re.IGNORECASE,
)
_NUMBER = re.compile(
    r"[$€£¥￥]?\d[\d,]*(?:\.\d+)?"
    r"(?:\s?(?:%|percent\b|hundred million\b|ten thousand\b|thousand\b|million\b|billion\b))?"
)


def score_answer(answer: Answer, expected: str) -> Scores:
    """Exact match and F1 of an answer. Several expected values, separated by semicolons, are all wanted.

    The short answer counts if there is one. Otherwise the sentences do: they are correct if they contain every expected
    value. A number expected without a scale equals one printed with the same digits in any scale.
    """
    wanted = expected_values(expected)
    if answer.state is AnswerState.NONE or not wanted:
        return NO_SCORE
    if answer.short is not None:
        return _short_scores(answer.short, wanted)
    return _sentence_scores([sentence.text for sentence in answer.sentences], wanted)


def expected_values(expected: str) -> list[str]:
    """The values in an expected answer."""
    return [value for part in _SEPARATORS.split(expected) if (value := part.strip())]


def given_text(answer: Answer, characters: int = MAX_GIVEN_CHARACTERS) -> str:
    """An answer in one line: the short answer, else the beginning of its sentences; "" for a refusal."""
    if answer.state is AnswerState.NONE:
        return ""
    if answer.short is not None:
        return in_one_line(printed_values(answer.short))[:characters]
    text = " ".join("".join(sentence.lead + sentence.text for sentence in answer.sentences).split())
    return text if len(text) <= characters else text[: characters - 1] + "…"


def supported_claims(answer: Answer) -> tuple[int, int]:
    """How many claims of an answer its sources support, and how many it makes."""
    claims = [sentence.claim for sentence in answer.sentences if sentence.claim is not None]
    return claims.count(ClaimState.SUPPORTED), len(claims)


def _short_scores(short: ShortAnswer, wanted: Sequence[str]) -> Scores:
    values = [_plain(value) for value in wanted]
    given = [_plain(value) for value in short.values]
    found = [short_answer_scores(given, short.scale, values, scale) for scale in ("", short.scale)]
    if not any(number_of(value, "") is not None for value in values):  # in which the sign is not punctuation
        found.append(text_scores(" ".join(short.values), " ".join(wanted)))
    return max(found, key=lambda scores: (scores.exact, scores.f1))


def _sentence_scores(sentences: Sequence[str], wanted: Sequence[str]) -> Scores:
    text = " ".join(sentences)
    numbers, words = _numbers_in(text), f" {normalise(text)} "
    if all(_is_in(value, numbers, words, text) for value in wanted):
        return Scores(1.0, 1.0)
    return Scores(0.0, max((text_scores(sentence, " ".join(wanted)).f1 for sentence in sentences), default=0.0))


def _is_in(value: str, numbers: set[float], words: str, text: str) -> bool:
    """Whether a text contains a value, given the text's numbers and normalised words."""
    number = number_of(_plain(value), "")
    if number is not None:
        return abs(number) in numbers
    wanted = normalise(value)
    return bool(wanted) and (f" {wanted} " in words if wanted.isascii() else wanted in normalise(text))


def _numbers_in(text: str) -> set[float]:
    """The numbers in a text without signs, each with its scale applied and as printed."""
    found = set()
    for match in _NUMBER.finditer(_with_english_scales(text.lower())):
        printed = re.match(r"[^\d]?[\d,]*(?:\.\d+)?", match[0])
        for written in (match[0], printed[0] if printed else ""):
            value = number_of(written.strip(), "")
            if value is not None:
                found.add(abs(value))
    return found


def _plain(value: str) -> str:
    """A value in lower case, its scale in English, and without a currency after it."""
    return _CURRENCY.sub("", _with_english_scales(" ".join(value.lower().split()))).strip()


def _with_english_scales(text: str) -> str:
    return _CHINESE_NUMBER.sub(lambda match: f"{match[1]} {_CHINESE_SCALES[match[2]]} ", text.replace("％", "%"))
