"""Outcomes of answered questions as JSON lines, for programs that judge answers."""

from __future__ import annotations

import json
from typing import Any

from rag.answer.scales import in_one_line, printed_values
from rag.evaluation.outcomes import Outcome
from rag.records import Source


def answer_line(outcome: Outcome) -> str:
    """A JSON line.

    `question`; `state`: "answer", "closest" or "none"; `short`: the short answer with its scale as one text, its values
    joined by "; ", or null; `values` and `scale`: the same separately; `formula`; `answer`: the sentences, without
    citation marks; `missing`: what the question names but no source contains; `sources`: `document` and `page` (from 0)
    of each source, best first; `rank` of the first source on a correct page, from 1, or null; `seconds`.
    """
    answer = outcome.answer
    if answer is None:
        raise ValueError("the question was not answered")
    short = answer.short
    row: dict[str, Any] = {
        "question": outcome.question.question,
        "state": answer.state.value,
        "short": in_one_line(printed_values(short)) if short else None,
        "values": list(short.values) if short else [],
        "scale": short.scale if short else "",
        "formula": short.formula if short else "",
        "answer": "".join(sentence.lead + sentence.text for sentence in answer.sentences).strip(),
        "missing": list(answer.missing),
        "sources": [_source(source) for source in outcome.sources],
        "rank": outcome.rank,
        "seconds": round(outcome.seconds, 3),
    }
    return json.dumps(row, ensure_ascii=False) + "\n"


def _source(source: Source) -> dict[str, Any]:
    return {"document": source.document, "page": source.first_page}
