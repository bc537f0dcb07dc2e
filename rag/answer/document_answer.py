"""An answer found in a document itself, whose pages need not be among the sources of the question."""

from __future__ import annotations

from dataclasses import dataclass

from rag.reader import Evidence
from rag.records import ShortAnswer, Source


@dataclass(frozen=True, slots=True)
class DocumentAnswer:
    """A short answer, the rows or sentences it rests on, and the sources, those it cites first."""

    short: ShortAnswer
    rows: list[Evidence]
    sources: tuple[Source, ...]
