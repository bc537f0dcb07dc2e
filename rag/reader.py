"""What a reader is: the one seam between `rag` and `model`. Plain data and a protocol; imports nothing of ours.

A reader turns a question and its sources into an answer, piece by piece. The caller has packed the sources to fit
`context_tokens` already; the reader builds its own prompt from the plain text given here, so that nothing in a
document can become a control token.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class ReadSource:
    """One numbered source as the reader sees it. All fields are untrusted text except `number`."""

    number: int  # from 1, as cited: [1]
    document: str  # the document's name
    page: str  # label of its first page, "iv" or "12"
    heading: str  # heading path, " > " between levels; may be empty
    text: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """A sentence of a source that may answer the question, word for word."""

    number: int  # of the ReadSource it stands in
    text: str
    score: float  # 1.0 and more: at least as near as a real answer usually is; below: probably no answer


@dataclass(frozen=True, slots=True)
class Turn:
    """An earlier question of the conversation and its answer, citation marks taken out."""

    question: str
    answer: str


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next token is chosen. A temperature of 0 is greedy, and then the seed means nothing."""

    max_tokens: int = 1024  # longest answer, tokens
    temperature: float = 0.2
    top_p: float = 0.8  # smallest set of tokens with this probability mass
    seed: int | None = None


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """Everything a reader needs for one answer."""

    question: str
    sources: tuple[ReadSource, ...]
    history: tuple[Turn, ...] = ()
    sampling: Sampling = Sampling()
    evidence: tuple[Evidence, ...] = ()  # sentences of the sources, the best answer first


class Reader(Protocol):
    """A GLM on this machine, a GLM on a server, or the quote reader."""

    name: str  # shown to people, e.g. "GLM-4-9B-0414 · INT4 · cuda:0"
    context_tokens: int  # prompt + answer
    uses_evidence: bool  # whether `ReadRequest.evidence` is wanted: it takes time to collect

    def count_tokens(self, text: str) -> int:
        """Length of `text` in the reader's own tokens."""
        ...

    def answer(self, request: ReadRequest, stop: threading.Event) -> Iterator[str]:
        """Yield the answer in pieces, with marks `[n]` for the sources it rests on; nothing at all is a refusal.

        Ends early and without error once `stop` is set. Raises ReaderError with one sentence for the person.
        """
        ...
