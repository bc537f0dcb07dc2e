"""Question files: one JSON object per line, with a question and what is known about it: document, pages, answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rag.evaluation.metrics import covers
from rag.json_lines import as_text, read_lines
from rag.records import Source

# Optional fields, by the name they have in a file.
_OPTIONAL: Final = {"language": "language", "kind": "kind", "evidence": "source", "scale": "scale"}


@dataclass(frozen=True)
class Question:
    """A line of a question file."""

    question: str
    document: str = ""  # file name; "" for a question about the whole library
    pages: frozenset[int] = frozenset()  # correct pages, from 0; empty for a question without an answer
    answers: tuple[str, ...] = ()  # reference answers; may be empty
    language: str = ""  # such as "en"; "" if not given
    kind: str = ""  # in TAT-QA's terms: "span", "multi-span", "arithmetic" or "count"; "" if not given
    evidence: str = ""  # what the answer comes from: "table", "text" or "table-text"; "" if not given
    scale: str = ""  # of the answer: "thousand", "million", "billion" or "percent"; "" for none

    @classmethod
    def parse(cls, row: Mapping[str, Any]) -> Question:
        """Parse the JSON object of a line. Raises KeyError for a missing field, TypeError for a wrong type."""
        answer = row.get("answer") or []
        return cls(
            question=as_text(row["question"]),
            document=as_text(row.get("document", "")),
            pages=frozenset(map(int, row.get("pages", ()))),
            answers=(answer,) if isinstance(answer, str) else tuple(map(as_text, answer)),
            **{field: as_text(row.get(name, "")) for field, name in _OPTIONAL.items()},
        )

    def is_right(self, source: Source) -> bool:
        """Whether a source covers a correct page."""
        return source.document == self.document and covers(source, self.pages)


def read_questions(file: Path) -> list[Question]:
    """All questions of a file. Raises what `read_lines` raises."""
    return read_lines(file, Question.parse)
