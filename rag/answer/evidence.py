"""What a model is shown before the sources: the short answer found without it, and the sentences that may answer."""

from __future__ import annotations

from collections.abc import Sequence

from rag.answer.scales import named_values
from rag.reader import ANSWERABLE, Evidence
from rag.records import ShortAnswer


def prompt_evidence(short: ShortAnswer | None, quoted: Sequence[Evidence]) -> list[Evidence]:
    """The short answer with its labels and formula, then the sentences."""
    if short is None or not short.citations:
        return list(quoted)
    formula = f" = {short.formula}" if short.formula else ""
    labels = f"{' · '.join(short.labels)}: " if short.labels else ""
    text = f"{labels}{', '.join(named_values(short))}{formula}"
    return [Evidence(short.citations[0].number, text, ANSWERABLE), *quoted]
