"""Exact match and F1 of short answers, by the metric of TAT-QA: numbers count after scale, spans by their words.

Zhu et al., "TAT-QA: A Question Answering Benchmark on a Hybrid of Tabular and Textual Content in Finance", ACL 2021,
whose F1 is that of DROP (Dua et al., NAACL 2019): spans are paired so that the sum of their F1 is the largest.
"""

from __future__ import annotations

import re
import string
from collections.abc import Sequence
from dataclasses import dataclass

from rag.answer.scales import FACTORS

_FACTORS = {"": 1.0, "percent": 0.01, **FACTORS}
MAX_SPANS = 200  # of an answer that are compared; pairing takes cubic time

_NUMBER = re.compile(
    r"(?P<before>[(\[]?[-–—−+]?(?:[A-Z]{2,3}\s?)?[$£€¥￥]?\s?[(\[]?[-–—−]?)\s?"
    r"(?P<number>\d[\d,]*(?:\.\d+)?|\.\d+)\s?[)\]]?\s?(?P<unit>%|[a-z]+(?: [a-z]+)?)?[)\]]?"
)
_ARTICLES = frozenset(("a", "an", "the"))
_WITHOUT_PUNCTUATION = str.maketrans("", "", string.punctuation)


@dataclass(frozen=True, slots=True)
class Scores:
    """How correct a short answer is."""

    exact: float  # 1.0 or 0.0
    f1: float  # 0..1


def short_answer_scores(
    given: Sequence[str], scale: str, wanted: Sequence[str], wanted_scale: str, kind: str = ""
) -> Scores:
    """The scores of the given spans, or of a given number, with a scale ("million", "percent", "" for none).

    For questions whose `kind` is "arithmetic" or "count" the F1 is the exact match, as in the paper's script. A wrong
    scale makes a number wrong. If nothing is given, or nothing wanted, the scores are 0.
    """
    had = [span for text in given[:MAX_SPANS] if (span := _normalised(text, scale))]
    gold = [span for text in wanted[:MAX_SPANS] if (span := _normalised(text, wanted_scale))]
    if not had or not gold:
        return Scores(0.0, 0.0)
    exact = float(sorted(had) == sorted(gold))
    return Scores(exact, exact if kind in ("arithmetic", "count") else _aligned_f1(had, gold))


def _normalised(text: str, scale: str) -> tuple[str, ...]:
    """The words of a span: one word for a number, after scaling; else without case, punctuation and articles."""
    text = " ".join(text.lower().split())
    value = number_of(text, scale)
    if value is not None:
        return (f"{value:.4f}",)
    words = (_word(word) for word in f"{text} {scale}".split(" "))
    return tuple(word for word in words if word and word not in _ARTICLES)


def _word(word: str) -> str:
    value = number_of(word, "")
    return word.translate(_WITHOUT_PUNCTUATION) if value is None else f"{value:.4f}"


def number_of(text: str, scale: str) -> float | None:
    """The value of a text that is a number, using its own scale ("12%", "$417 million") or else the given one."""
    match = _NUMBER.fullmatch(text)
    if match is None:
        return None
    unit = (match["unit"] or "").removesuffix("s")
    own = "percent" if unit == "%" else unit
    if own not in _FACTORS:
        return None
    sign = -1.0 if any(sign in match["before"] for sign in "([-–—−") else 1.0
    number = float(match["number"].replace(",", ""))
    # Two decimals count; with a percent sign four decimals of the fraction, which is the same.
    return round(sign * round(number, 2) * _FACTORS[own or scale], 4)


def _aligned_f1(given: Sequence[tuple[str, ...]], wanted: Sequence[tuple[str, ...]]) -> float:
    """Mean F1 of the spans paired with one another; a span without a partner counts 0."""
    fewer, more = sorted((given, wanted), key=len)
    return best_pairing([[_word_f1(set(one), set(other)) for other in more] for one in fewer]) / len(more)


def _word_f1(given: set[str], wanted: set[str]) -> float:
    common = len(given & wanted)
    return 2 * common / (len(given) + len(wanted)) if common else 0.0


def best_pairing(scores: Sequence[Sequence[float]]) -> float:
    """The largest sum of scores that pairs each row with its own column; there are at least as many columns as rows.

    The Hungarian method with potentials (Kuhn 1955), which adds the rows one by one along a shortest path.
    """
    columns = len(scores[0])
    of_row, of_column = [0.0] * len(scores), [0.0] * (columns + 1)  # potentials
    row_of = [-1] * (columns + 1)  # for each column; the last one stands for the row that is being added
    for new in range(len(scores)):
        row_of[columns], column = new, columns
        slack, before = [float("inf")] * (columns + 1), [columns] * (columns + 1)
        seen = [False] * (columns + 1)
        while row_of[column] >= 0:
            seen[column] = True
            row = row_of[column]
            # Find the column that is reached at the lowest cost.
            for other in range(columns):
                cost = -scores[row][other] - of_row[row] - of_column[other]
                if not seen[other] and cost < slack[other]:
                    slack[other], before[other] = cost, column
            following = min((one for one in range(columns) if not seen[one]), key=slack.__getitem__)
            # Move the potentials by that cost.
            step = slack[following]
            for other in range(columns + 1):
                if seen[other]:
                    of_row[row_of[other]] += step
                    of_column[other] -= step
                else:
                    slack[other] -= step
            column = following
        # Flip the pairs along the path.
        while column != columns:
            row_of[column], column = row_of[before[column]], before[column]
    return sum(scores[row][column] for column, row in enumerate(row_of[:columns]) if row >= 0)
