"""Sentences that may answer: where they stand in their sources, and how a model is shown them before the sources."""

from __future__ import annotations

from collections.abc import Sequence

from rag.answer.scales import named_values
from rag.reader import ANSWERABLE, Evidence
from rag.records import Citation, ShortAnswer, Source


def prompt_evidence(short: ShortAnswer | None, quoted: Sequence[Evidence]) -> list[Evidence]:
    """The short answer with its labels and formula, then the sentences."""
    if short is None or not short.citations:
        return list(quoted)
    formula = f" = {short.formula}" if short.formula else ""
    labels = f"{' · '.join(short.labels)}: " if short.labels else ""
    text = f"{labels}{', '.join(named_values(short))}{formula}"
    return [Evidence(short.citations[0].number, text, ANSWERABLE), *quoted]


def citation_of(found: Evidence, start: int, end: int, sources: Sequence[Source]) -> Citation:
    """[start, end) of a sentence as a citation of its source."""
    text = next((source.text for source in sources if source.number == found.number), "")
    moved = max(text.find(found.text), 0)
    return Citation(found.number, moved + start, moved + end)
