"""Counts what the engine does, for Prometheus: questions by outcome and their seconds, and files and their seconds.

Neither these numbers nor the line logged for each question contain any text, name or owner.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from rag.errors import QuestionRefused, TooManyWaiting
from rag.reader import PromptCacheUsage
from rag.records import Answer, AnswerState, Event, Found

log = logging.getLogger(__name__)

# Upper bounds in seconds, from quick answers on a CPU to those of a large model.
QUESTION_SECONDS: Final = (0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 30, 60, 120, 300)
DOCUMENT_SECONDS: Final = (1, 3, 10, 30, 60, 180, 600, 1_800, 3_600, 14_400)
_OUTCOMES: Final = {
    AnswerState.ANSWER: "answered",
    AnswerState.CLOSEST: "closest",
    AnswerState.NONE: "not_in_documents",
}


class Activity:
    """The counters of one engine, in their own registry. Thread-safe."""

    def __init__(self, prompt_cache: Callable[[], PromptCacheUsage | None] = lambda: None) -> None:
        """`prompt_cache`: returns that of the model in use; None without one."""
        self.registry = CollectorRegistry()
        self.registry.register(_PromptCache(prompt_cache))
        self._asked = Counter("ask_questions", "Questions by how they ended", ["outcome"], registry=self.registry)
        self._in_progress = Gauge(
            "ask_questions_in_progress", "Questions asked and not answered yet", registry=self.registry
        )
        self._seconds = Histogram(
            "ask_question_seconds", "From question to complete answer", buckets=QUESTION_SECONDS, registry=self.registry
        )
        self._search_seconds = Histogram(
            "ask_search_seconds", "From question to its sources", buckets=QUESTION_SECONDS, registry=self.registry
        )
        self._document_seconds = Histogram(
            "ask_document_seconds",
            "From upload to a document that can be asked",
            buckets=DOCUMENT_SECONDS,
            registry=self.registry,
        )
        for outcome in (*_OUTCOMES.values(), "stopped", "refused", "failed"):
            self._asked.labels(outcome)  # so that rates start at zero

    def answering(self, events: Iterator[Event]) -> Iterator[Event]:
        """Pass on the events of an answer, and count the answer and the seconds it took."""
        began, answered, outcome = time.monotonic(), "stopped", "failed"
        self._in_progress.inc()
        try:
            for event in events:
                if isinstance(event, Found):
                    self._search_seconds.observe(time.monotonic() - began)
                elif isinstance(event, Answer):
                    answered = "stopped" if event.stopped else _OUTCOMES[event.state]
                yield event
            outcome = answered
        except GeneratorExit:  # the person who asked has left
            outcome = answered
            raise
        except (QuestionRefused, TooManyWaiting):
            outcome = "refused"
            raise
        finally:
            self._in_progress.dec()
            self._ended(outcome, time.monotonic() - began)

    def _ended(self, outcome: str, seconds: float) -> None:
        self._asked.labels(outcome).inc()
        self._seconds.observe(seconds)
        log.info("Question: %s after %.2f s", outcome, seconds)

    def document_added(self, seconds: float) -> None:
        """Count a document that was complete this many seconds after its upload."""
        self._document_seconds.observe(seconds)


class _PromptCache(Collector):
    """The prompt cache of the model in use, measured whenever Prometheus asks."""

    def __init__(self, usage: Callable[[], PromptCacheUsage | None]) -> None:
        self._usage = usage

    def collect(self) -> Iterator[GaugeMetricFamily | CounterMetricFamily]:
        usage = self._usage() or PromptCacheUsage(0, 0, 0, 0)
        yield GaugeMetricFamily("ask_prompt_cache_bytes", "What a model keeps of prompts that it has read", usage.bytes)
        yield GaugeMetricFamily("ask_prompt_cache_limit_bytes", "What it may keep", usage.most_bytes)
        tokens = CounterMetricFamily("ask_prompt_tokens", "Tokens of prompts, read or kept", labels=["from"])
        tokens.add_metric(["read"], usage.read_tokens)
        tokens.add_metric(["cache"], usage.cached_tokens)
        yield tokens
