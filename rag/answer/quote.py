"""The reader without a model: quotes the sentences that answer best, word for word, each with its citation.

It runs where no GLM does, starts at once and invents nothing. `doubt.py` decides what it may quote; table rows come
with the headings of their columns (`row_quotes.py`).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator

from rag.reader import Prompt, ReadRequest


class QuoteReader:
    """Quotes the evidence of a request."""

    name = "Quote reader · no model"
    context_tokens = 1_000_000
    quotes_evidence = True
    writes_markdown = False

    def count_tokens(self, text: str) -> int:
        """The number of characters: without a model there are no tokens."""
        return len(text)

    def prompt(self, request: ReadRequest) -> Prompt:
        """An empty prompt: there is no model to read it."""
        return Prompt("", 0)

    def answer(self, request: ReadRequest, stop: threading.Event) -> Iterator[str]:
        """Yield the evidence, each piece as its own paragraph; nothing if there is none."""
        for n, found in enumerate(request.evidence):
            if stop.is_set():
                return
            yield ("\n\n" if n else "") + f"{found.text} [{found.number}]"
