"""What a person prefers for sources and answers, and the settings that result for their questions."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from rag.manner import DEFAULT_MANNER, AnswerLength, Manner
from rag.reader import Sampling
from rag.settings import AnswerSettings, DoubtGates, DoubtSettings

MAX_SOURCES: Final = 20
MAX_TEMPERATURE: Final = 1.0

# By answer length: a model's longest answer relative to the usual, and at most this share of its context.
_TOKENS: Final = {AnswerLength.SHORT: 0.25, AnswerLength.NORMAL: 1.0, AnswerLength.LONG: 2.0}
_CONTEXT_SHARE: Final = 0.25
_LEAST_TOKENS: Final = 256  # of an answer, however short the context is
_SENTENCES: Final = {AnswerLength.SHORT: 1 / 3, AnswerLength.NORMAL: 1.0, AnswerLength.LONG: 2.0}  # quoted


class Strictness(StrEnum):
    """When an answer is doubted."""

    RELAXED = "relaxed"  # seldom
    NORMAL = "normal"
    STRICT = "strict"  # often


_SIGNS: Final = {Strictness.RELAXED: -1, Strictness.NORMAL: 0, Strictness.STRICT: 1}


@dataclass(frozen=True, slots=True)
class Preferences:
    """What a person prefers. The defaults leave everything as configured."""

    sources: int | None = None  # per question, at most; None: as configured
    strictness: Strictness = Strictness.NORMAL
    temperature: float | None = None  # of a model; None: as configured
    manner: Manner = DEFAULT_MANNER  # of a model; its length also applies to quotes
    follow_ups: bool = True  # whether a follow-up is completed from the conversation
    reasons: bool = True  # whether the page shows why sources were found

    def sampling(self, default: Sampling, context_tokens: int) -> Sampling:
        """How a model with this context samples its answer."""
        most = default.max_tokens * _TOKENS[self.manner.length]
        if most > default.max_tokens:
            most = max(default.max_tokens, min(most, context_tokens * _CONTEXT_SHARE))
        most = min(most, max(context_tokens * _CONTEXT_SHARE, _LEAST_TOKENS))
        temperature = default.temperature if self.temperature is None else self.temperature
        return replace(default, max_tokens=max(int(most), 1), temperature=temperature)

    def answering(self, default: AnswerSettings) -> AnswerSettings:
        """How many sentences are quoted, and when they are doubted."""
        share = _SENTENCES[self.manner.length]
        return replace(
            default,
            quoted_sentences=max(round(default.quoted_sentences * share), 1),
            summary=replace(default.summary, sentences=max(round(default.summary.sentences * share), 1)),
            doubt=_stricter(default.doubt, _SIGNS[self.strictness] * default.doubt.strictness_step),
        )


DEFAULT_PREFERENCES: Final = Preferences()


def _stricter(doubt: DoubtSettings, step: float) -> DoubtSettings:
    """The gates raised by `step`, in log-odds; lowered if it is negative."""

    def moved(probability: float) -> float:
        if not 0.0 < probability < 1.0:
            return probability
        return 1.0 / (1.0 + math.exp(-step) * (1.0 - probability) / probability)

    def gates(default: DoubtGates) -> DoubtGates:
        return DoubtGates(moved(default.answer), moved(default.closest))

    if not step:
        return doubt
    return replace(
        doubt,
        alphabetic=gates(doubt.alphabetic),
        han=gates(doubt.han),
        alphabetic_to_han=gates(doubt.alphabetic_to_han),
        han_to_alphabetic=gates(doubt.han_to_alphabetic),
        unverified_answer=moved(doubt.unverified_answer),
    )
