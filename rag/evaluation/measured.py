"""Asks and measures one saved question: where its page was found, how correct the answer was, how long it took."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from rag.errors import QuestionRefused
from rag.evaluation.answer_scores import NO_SCORE
from rag.evaluation.expected import MAX_GIVEN_CHARACTERS, given_text, score_answer, supported_claims
from rag.evaluation.metrics import first_right
from rag.evaluation.runs import AnswerResult, Result, SavedQuestion
from rag.records import Answer, AskOptions, Event, Found


class Ask(Protocol):
    """Asks the library, outside any conversation. Raises AskError."""

    def __call__(self, owner: str, question: str, *, stop: threading.Event, options: AskOptions) -> Iterator[Event]:
        """The events of an answer, as returned by `rag.engine.Engine.ask`."""
        ...


@dataclass(frozen=True, slots=True)
class Measured:
    """The result of a question, and the answer given."""

    result: Result
    given: str  # "" for a refusal


def measure(question: SavedQuestion, events: Iterator[Event], given_characters: int = MAX_GIVEN_CHARACTERS) -> Measured:
    """Follow the events of an answer. A question that is refused, such as one without words, has found nothing."""
    began = time.perf_counter()
    rank, searched, answer = None, 0.0, None
    try:
        for event in events:
            if isinstance(event, Found):
                searched = time.perf_counter() - began
                rank = first_right(event.sources, question.is_right)
            elif isinstance(event, Answer):
                answer = event
    except QuestionRefused:
        searched = searched or time.perf_counter() - began
    seconds = time.perf_counter() - began
    result = Result(rank, searched, question.pages_digest, _scored(question, answer, seconds))
    return Measured(result, given_text(answer, given_characters) if answer else "")


def _scored(question: SavedQuestion, answer: Answer | None, seconds: float) -> AnswerResult:
    supported, claims = supported_claims(answer) if answer else (0, 0)
    if not question.answer:
        return AnswerResult(None, None, "", supported, claims, seconds)
    scores = score_answer(answer, question.answer) if answer else NO_SCORE
    return AnswerResult(scores.exact, scores.f1, question.answer_digest, supported, claims, seconds)


def warm_up(events: Iterator[Event]) -> None:
    """Search without answering, because the first search after a change is slower than others."""
    with contextlib.suppress(QuestionRefused):
        next(events, None)
