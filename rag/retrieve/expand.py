"""What a question needs: its words, those that only say how to answer held back, and the line items of its figures.

"What is the FY2022 quick ratio? Round to two decimals." is answered by a balance sheet that never says "quick ratio":
what stands there are total current assets and total current liabilities. `line_items.txt` names, for the usual figures
of accounts, the lines they are worked out from and the statement that holds them, in English and in Chinese; and what
a report or a quarter is called otherwise. It knows no company and no document. Words that mean something else in
other fields count only in questions that speak of money or of a year.
"""

from __future__ import annotations

import functools
import itertools
import re
from dataclasses import dataclass
from pathlib import Path

from rag.index.tokenize import terms

Pair = tuple[str, str]  # neighbouring terms

ONLY_OF_MONEY = "$ "  # before a pattern that counts only in a question about money
_OF_MONEY = re.compile(
    r"[$€£¥]\s?\d|\b(?:fy|cy)?(?:19|20)\d\d\b|\bfy\d\d\b|\b(?:fiscal|financial|quarter(?:ly)?|annual|10-?[kq]|q[1-4]"
    r"|company|earnings|revenues?|sales|profits?|margins?|income|assets?|balance sheet|cash|shares?|stock|dividends?"
    r"|investors?|shareholders?)\b"
    r"|公司|年报|季报|财年|财务|季度|年度|营收|收入|利润|资产|现金|股|亿|万元|(?:19|20)\d\d年",
    re.IGNORECASE,
)

TOLD = 0.3  # what a word counts that says how to answer, beside one that is asked about

# Words of questions that say how to answer, not what about.
TELLING = frozenset(
    terms(
        "answer question please state explain give round decimal places units percents usd million billion respond"
        " response rely relying base basing judgments information provided primarily define defined definition"
        " calculate compute extract outlined details shown using use used utilizing perspective investment analyst"
        " assume assuming only something like company whether relevant useful metric ask then than number amount want"
        " help let know based data clearly directly within between among under according"
    )
) | frozenset(("请回", "回答", "根据", "保留", "小数", "四舍", "舍五", "五入", "说明", "解释"))


@dataclass(frozen=True, slots=True)
class ExpandedQuery:
    """What is looked for."""

    texts: tuple[str, ...]  # for the embedder: the question, and the line items in one text where there are any
    terms: dict[str, float]  # what each counts, 0..1
    pairs: frozenset[Pair]  # neighbouring terms that are asked about


def expand_query(question: str, *, items: bool = True) -> ExpandedQuery:
    """What to look for to answer a question, with or without the line items of its figures."""
    own = terms(question)
    looked_for = line_items(question) if items else []
    counts = {term: TOLD if term in TELLING else 1.0 for term in own}
    found = [pair for pair in itertools.pairwise(own) if TELLING.isdisjoint(pair)]
    for item in looked_for:
        parts = terms(item)
        counts.update(dict.fromkeys(parts, 1.0))
        found.extend(itertools.pairwise(parts))
    return ExpandedQuery((question, " ".join(looked_for)) if looked_for else (question,), counts, frozenset(found))


def line_items(question: str) -> list[str]:
    """The lines and statements that the figures in a question are worked out from, each once."""
    of_money = bool(_OF_MONEY.search(question))
    found = (
        item
        for pattern, items, only_of_money in _known()
        if (of_money or not only_of_money) and pattern.search(question)
        for item in items
    )
    return list(dict.fromkeys(found))


@functools.cache
def _known() -> tuple[tuple[re.Pattern[str], tuple[str, ...], bool], ...]:
    """(pattern, items, whether only of money) of every line of `line_items.txt`."""
    names: dict[str, str] = {}
    known = []
    for line in Path(__file__).with_name("line_items.txt").read_text("utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        if " | " in line:
            pattern, _, right = line.rpartition(" | ")
            items = tuple(names.get(item.strip(), item.strip()) for item in right.split(";"))
            only_of_money = pattern.startswith(ONLY_OF_MONEY)
            pattern = pattern.removeprefix(ONLY_OF_MONEY).strip()
            known.append((re.compile(pattern, re.IGNORECASE), items, only_of_money))
        else:
            name, _, item = line.partition(" = ")
            names[name] = item
    return tuple(known)
