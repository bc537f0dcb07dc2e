"""The reader without a model: quotes the sentences that answer best, word for word, each with its citation.

It runs where no GLM does, starts at once and invents nothing. If no sentence counts as an answer, it gives none.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator

from rag.reader import ANSWERABLE, ReadRequest
from rag.settings import AnswerSettings


class QuoteReader:
    """Quotes the evidence of a request."""

    name = "Quote reader · no model"
    context_tokens = 1_000_000
    uses_evidence = True
    writes_markdown = False

    def __init__(self, settings: AnswerSettings | None = None) -> None:
        self._settings = settings or AnswerSettings()

    def count_tokens(self, text: str) -> int:
        """Characters: without a model there are no tokens."""
        return len(text)

    def answer(self, request: ReadRequest, stop: threading.Event) -> Iterator[str]:
        """Yield the best sentences, each in a paragraph of its own; nothing if none counts as an answer."""
        if max((found.answerability for found in request.evidence), default=0.0) < ANSWERABLE:
            return
        threshold = self._settings.quote_threshold * ANSWERABLE
        quoted = [found for found in request.evidence if found.answerability >= threshold]
        for n, found in enumerate(quoted[: self._settings.quoted_sentences]):
            if stop.is_set():
                return
            yield ("\n\n" if n else "") + f"{found.text} [{found.number}]"
