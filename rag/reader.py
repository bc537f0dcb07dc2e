"""The Reader protocol and its request: everything that `rag` knows about a model. Plain data.

A reader streams an answer to a question from the sources it is given. The caller has already packed the sources to fit
`context_tokens`. The reader builds its own prompt from the plain text given here, so that no document can inject a
control token.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Protocol, runtime_checkable

from rag.manner import DEFAULT_MANNER, Manner

ANSWERABLE: Final = 1.0  # answerability of the least convincing sentence that still counts as an answer


@dataclass(frozen=True, slots=True)
class ReadSource:
    """One numbered source as the reader sees it. All fields except `number` are untrusted text."""

    number: int  # from 1, as cited: [1]
    document: str  # the document's name
    page: str  # label of its first page, such as "iv" or "12"; may be empty
    heading: str  # heading path, levels joined by " > "; may be empty
    text: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """A sentence or row of a source that may answer the question, word for word, or a figure computed from cells."""

    number: int  # of its source
    text: str
    answerability: float  # from ANSWERABLE on it counts as an answer
    closeness: float | None = None  # to the question, by vectors: 0 unrelated, 1 an answer; None: not compared


@dataclass(frozen=True, slots=True)
class Turn:
    """An earlier question of the conversation and its answer, without citation marks."""

    question: str
    answer: str
    completed: str = ""  # the question as it was understood, without a conversation; "" if not known


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next token is sampled; None: as the model's makers recommend."""

    max_tokens: int = 1024  # longest answer
    temperature: float | None = None  # 0: greedy decoding, which ignores top_p, top_k and seed
    top_p: float | None = None  # nucleus sampling: the smallest set of tokens with this probability mass
    seed: int | None = None  # None: a different one each time
    top_k: int | None = None  # how many of the most probable tokens to choose from; 0: all
    repetition_penalty: float | None = None  # for tokens that are already in the prompt or the answer; 1: none


@dataclass(frozen=True, slots=True)
class PromptScopes:
    """Who may share what a model computes for a prompt; another prompt that starts the same is then answered sooner.

    A part is shared only among requests that give it the same scope, because the time to an answer would tell one
    person what another has asked. None: it is not kept at all.
    """

    sources: str | None = None  # instruction and sources
    conversation: str | None = None  # everything after them: earlier turns, question and answer
    documents: frozenset[str] = frozenset()  # ids of the documents that the sources are from


NOT_SHARED: Final = PromptScopes()


@dataclass(frozen=True, slots=True)
class PromptCacheUsage:
    """How much a model's prompt cache holds, and how much it has saved."""

    bytes: int
    most_bytes: int  # that it may use
    read_tokens: int  # of all prompts so far, that had to be read
    cached_tokens: int  # of all prompts so far, that did not


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """Everything a reader needs for one answer."""

    question: str
    sources: tuple[ReadSource, ...]  # in the order in which they are read
    history: tuple[Turn, ...] = ()
    sampling: Sampling = Sampling()
    evidence: tuple[Evidence, ...] = ()  # best answer first; may be empty
    manner: Manner = DEFAULT_MANNER  # for a model's answer; a reader that quotes ignores it
    notes: tuple[str, ...] = ()  # with marks; takes the place of sources that were read before
    scopes: PromptScopes = NOT_SHARED


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a model reads for a request, including control tokens."""

    text: str
    tokens: int  # as the reader counts them
    cached_tokens: int = 0  # of these, that need not be read again


class Reader(Protocol):
    """A GLM on this machine, a GLM on a server, or the quote reader."""

    name: str  # as people see it, for example "GLM-4-9B-0414 · INT4 · cuda:0"
    context_tokens: int  # longest prompt and answer together, in the reader's own tokens
    quotes_evidence: bool  # whether its answer is `ReadRequest.evidence`, word for word
    writes_markdown: bool  # whether answers are Markdown; otherwise they are plain text

    def count_tokens(self, text: str) -> int:
        """Length of `text` in the reader's own tokens."""
        ...

    def prompt(self, request: ReadRequest) -> Prompt:
        """The prompt that `answer` reads for a request; empty for the quote reader."""
        ...

    def answer(self, request: ReadRequest, stop: threading.Event) -> Iterator[str]:
        """Yield the answer in pieces, with marks `[n]` for the sources it rests on. An empty answer is a refusal.

        Ends early, without an error, once `stop` is set. Raises ReaderError, and AnswerCut after the last piece of an
        incomplete answer.
        """
        ...


@runtime_checkable
class CachesPrompts(Protocol):
    """A reader that keeps what it has computed for prompts."""

    @property
    def prompt_cache_usage(self) -> PromptCacheUsage:
        """How much it keeps."""
        ...

    def forget_document(self, document_id: str) -> None:
        """Drop what is kept of a document's sources, and of all conversations, since they may repeat its words."""
        ...
