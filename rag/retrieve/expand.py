"""Query expansion: weighted terms and bigrams of a question, and the line items that financial figures come from.

"What is the FY2022 quick ratio? Round to two decimals." is answered by a balance sheet that never says "quick ratio":
it lists total current assets and total current liabilities. `line_items.txt` maps the usual figures in financial
reports to the line items they are computed from and the statement that lists them, in English and Chinese;
`other_names.txt` maps subjects to the headings of their sections, and quarters to their other names. They know no
company and no document. Ambiguous words expand only in questions about money or a year.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rag.index.tokenize import terms
from rag.retrieve.statements import Statement
from rag.settings import QuerySettings

Bigram = tuple[str, str]  # neighbouring terms
LineItem = tuple[str, ...]  # names of one figure: ("net income", "net earnings")

FINANCIAL_ONLY = "$ "  # prefix of a pattern that applies only to questions about money or a year
_FINANCIAL = re.compile(
    r"[$€£¥]\s?\d|\b(?:fy|cy)?(?:19|20)\d\d\b|\bfy\d\d\b|\b(?:fiscal|financial|quarter(?:ly)?|annual|10-?[kq]|q[1-4]"
    r"|company|earnings|revenues?|sales|profits?|margins?|income|assets?|balance sheet|cash|shares?|stock|dividends?"
    r"|investors?|shareholders?)\b"
    r"|公司|年报|季报|财年|财务|季度|年度|营收|收入|利润|资产|现金|股|亿|万元|(?:19|20)\d\d年",
    re.IGNORECASE,
)

# Words that say how to answer ("round", "explain"), not what is asked about.
INSTRUCTION_TERMS = frozenset(
    terms(
        "answer question please state explain give round decimal places units percents usd million billion respond"
        " response rely relying base basing judgments information provided primarily define defined definition"
        " calculate compute extract outlined details shown using use used utilizing perspective investment analyst"
        " assume assuming only something like company whether relevant useful metric ask then than number amount want"
        " help let know based data clearly directly within between among under according report mentioned 10k 10-k 10q"
        " 10-q filing"
    )
) | frozenset(("请回", "回答", "根据", "保留", "小数", "四舍", "舍五", "五入", "说明", "解释"))


@dataclass(frozen=True, slots=True)
class ExpandedQuery:
    """What is searched for a question or part of one."""

    texts: tuple[str, ...]  # text to embed: the question, followed by its line items if it has any
    terms: dict[str, float]  # weight of each term, 0..1
    bigrams: frozenset[Bigram]  # pairs of neighbouring terms, without instructions
    line_items: tuple[LineItem, ...] = ()  # of the figures asked for, each by its names
    statements: frozenset[Statement] = frozenset()  # that list them, or that the question names
    headings: tuple[str, ...] = ()  # of sections about the subjects asked for


def expand_query(question: str, settings: QuerySettings) -> ExpandedQuery:
    """Weigh the terms of a question and add the line items of the figures it asks for."""
    own = terms(question)
    rules = _matching_rules(question) if settings.line_items else []
    items = _texts(rules)
    weights = {term: settings.instruction_term_weight if term in INSTRUCTION_TERMS else 1.0 for term in own}
    bigrams = [pair for pair in itertools.pairwise(own) if INSTRUCTION_TERMS.isdisjoint(pair)]
    for item in items:
        item_terms = terms(item)
        weights.update(dict.fromkeys(item_terms, 1.0))
        bigrams.extend(itertools.pairwise(item_terms))
    return ExpandedQuery(
        (question, " ".join(items)) if items else (question,),
        weights,
        frozenset(bigrams),
        tuple(dict.fromkeys(item for rule in rules for item in rule.items)),
        frozenset(statement for rule in rules for statement in rule.statements),
        tuple(dict.fromkeys(heading for rule in rules for heading in rule.headings)),
    )


def line_items(question: str) -> list[str]:
    """Line items and statements from which the figures in a question are computed, each once."""
    return _texts(_matching_rules(question))


@dataclass(frozen=True, slots=True)
class _Rule:
    """A line of `line_items.txt` or `other_names.txt`."""

    pattern: re.Pattern[str]
    items: tuple[LineItem, ...]
    statements: tuple[Statement, ...]
    headings: tuple[str, ...]
    texts: tuple[str, ...]  # line items and statements, or headings, as they are searched
    financial_only: bool


def _matching_rules(question: str) -> list[_Rule]:
    financial = bool(_FINANCIAL.search(question))
    return [rule for rule in _rules() if (financial or not rule.financial_only) and rule.pattern.search(question)]


def _texts(rules: Sequence[_Rule]) -> list[str]:
    return list(dict.fromkeys(text for rule in rules for text in rule.texts))


@functools.cache
def _rules() -> tuple[_Rule, ...]:
    """The rules of both files, statements written out; what `other_names.txt` lists are headings, not line items."""
    folder = Path(__file__).parent
    figures = _read_rules((folder / "line_items.txt").read_text("utf-8"))
    others = _read_rules((folder / "other_names.txt").read_text("utf-8"))
    return (*figures, *(replace(rule, items=(), headings=tuple(itertools.chain(*rule.items))) for rule in others))


def _read_rules(text: str) -> list[_Rule]:
    statements: dict[str, tuple[Statement, str]] = {}
    rules = []
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        if " | " in line:
            pattern, _, right = line.rpartition(" | ")
            rules.append(_rule(pattern, [item.strip() for item in right.split(";")], statements))
        else:
            name, _, statement = line.partition(" = ")
            kind, _, searched = statement.partition(": ")
            statements[name] = Statement(kind), searched
    return rules


def _rule(pattern: str, items: Sequence[str], statements: Mapping[str, tuple[Statement, str]]) -> _Rule:
    return _Rule(
        re.compile(pattern.removeprefix(FINANCIAL_ONLY).strip(), re.IGNORECASE),
        items=tuple(tuple(item.split(" / ")) for item in items if item not in statements),
        statements=tuple(statements[item][0] for item in items if item in statements),
        headings=(),
        texts=tuple(statements[item][1] if item in statements else item.replace(" / ", " ") for item in items),
        financial_only=pattern.startswith(FINANCIAL_ONLY),
    )
