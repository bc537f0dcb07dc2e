"""Question files: one JSON object per line, a question with its document, correct pages and reference answers."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from rag.evaluation.metrics import covers
from rag.records import Source


@dataclass(frozen=True)
class Question:
    """A line of a question file."""

    question: str
    document: str  # file name
    pages: frozenset[int]  # correct pages, from 0
    answers: tuple[str, ...]  # reference answers; may be empty
    language: str  # such as "en"; "" if not given

    @classmethod
    def parse(cls, line: str) -> Question:
        """Raises ValueError if the line is not JSON or a field is missing."""
        row = json.loads(line)
        try:
            answer = row.get("answer", [])
            answers = (answer,) if isinstance(answer, str) else tuple(answer)
            return cls(row["question"], row["document"], frozenset(row["pages"]), answers, row.get("language", ""))
        except KeyError as exc:
            raise ValueError(f"the field {exc} is missing in {line[:80]!r}") from exc

    def is_right(self, source: Source) -> bool:
        """Whether a source covers a correct page."""
        return source.document == self.document and covers(source, self.pages)


def read_questions(file: Path) -> list[Question]:
    """All questions of a file. Raises ValueError for a malformed line."""
    return [Question.parse(line) for line in file.read_text("utf-8").split("\n") if line.strip()]
