"""The reader without weights: the sentences that answer best, word for word, each with its citation.

It runs where no GLM can be had, starts at once and invents nothing. When no sentence comes near enough to be an
answer it says nothing, which is a refusal.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator

from rag.reader import ReadRequest
from rag.settings import AnswerSettings


class QuoteReader:
    """Quotes the evidence it is given."""

    name = "Quote reader · no model"
    context_tokens = 1_000_000
    uses_evidence = True
    writes_markdown = False

    def __init__(self, settings: AnswerSettings | None = None) -> None:
        self._settings = settings or AnswerSettings()

    def count_tokens(self, text: str) -> int:
        """Characters: nothing here has a limit in tokens."""
        return len(text)

    def answer(self, request: ReadRequest, stop: threading.Event) -> Iterator[str]:
        """Yield up to three sentences, one a paragraph; none where even the best is no answer."""
        if max((found.score for found in request.evidence), default=0.0) < 1.0:
            return
        for n, found in enumerate(self._chosen(request)):
            if stop.is_set():
                return
            yield ("\n\n" if n else "") + f"{found[1]} [{found[0]}]"

    def _chosen(self, request: ReadRequest) -> list[tuple[int, str]]:
        """(source, sentence) in the order of evidence: those that are an answer, or near one."""
        near = [found for found in request.evidence if found.score >= self._settings.quote_threshold]
        return [(found.number, found.text) for found in near[: self._settings.quoted_sentences]]
