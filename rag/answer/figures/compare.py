"""A figure of one document compared with that of another: the difference, which is higher, or both."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

from rag.answer.figures.figure import Figure, FigureAnswer, plain_number, printed_answer
from rag.answer.figures.question import Operation, asks_for_difference, asks_for_smallest
from rag.answer.scales import FACTORS
from rag.index.tokenize import terms

_WHICH = re.compile(
    r"\bwhich\b|\bwhose\b|\b(?:did|does|do|is|was|are|were|has|have|had) .{1,80}\bor\b"
    r"|\b(?:higher|larger|greater|more|bigger|lower|smaller|less|fewer)\b.{0,80}\bor\b|谁|哪[个家]|更[高大多低小少]",
    re.IGNORECASE,
)
_WORD = re.compile(r"[^\s,，。?？、]+")
_POSSESSIVE = re.compile(r"['’]s?$")


def document_groups(named: Mapping[str, Collection[str]]) -> list[tuple[frozenset[str], frozenset[str]]]:
    """For each company named, the terms that name it, and the ids of its documents."""
    groups: dict[frozenset[str], set[str]] = {}
    for document, names in named.items():
        # The reports of one company, in whose names a year may stand.
        words = frozenset(name for name in names if not name.isdigit())
        groups.setdefault(words, set()).add(document)
    return [(names, frozenset(documents)) for names, documents in groups.items() if names]


def compared(question: str, names: Sequence[frozenset[str]], figures: Sequence[Figure]) -> FigureAnswer | None:
    """The answer from the same figure of two companies, in the order of `names`; None for units that do not compare."""
    first, second = figures
    if (first.scale == "percent") != (second.scale == "percent"):
        return None
    a, b = first.amount, second.amount * FACTORS.get(second.scale, 1.0) / FACTORS.get(first.scale, 1.0)
    if asks_for_difference(question):
        high, low = max(a, b), min(a, b)
        text = f"{high - low:,.2f}".rstrip("0").rstrip(".")
        formula = f"{plain_number(high)} − {plain_number(low)}"
        return FigureAnswer((text,), first.scale, (first, second), formula, Operation.CHANGE)
    if _WHICH.search(question):
        chosen = names[(a < b) != asks_for_smallest(question)]
        sign = ">" if a > b else "<" if a < b else "="
        formula = f"{plain_number(a)} {sign} {plain_number(b)}"
        return FigureAnswer((_written(question, chosen),), "", (first, second), formula, Operation.WHICH)
    return printed_answer(figures, Operation.SERIES) if first.scale == second.scale else None


def _written(question: str, names: frozenset[str]) -> str:
    """The name of a company as the question writes it."""
    words = (_POSSESSIVE.sub("", word) for word in _WORD.findall(question))
    return " ".join(word for word in words if not names.isdisjoint(terms(word)))
