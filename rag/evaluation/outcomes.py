"""The outcome of a question, and whether its answer contains a reference answer."""

from __future__ import annotations

import re
import string
from collections.abc import Sequence
from dataclasses import dataclass

from rag.evaluation.question_file import Question
from rag.language import mainly_chinese
from rag.records import Answer, Source


@dataclass(frozen=True)
class Outcome:
    """The result of one question."""

    question: Question
    rank: int | None  # of the first source on a correct page, from 1; None if there is none
    seconds: float  # to the sources, or to the end of the answer if there is one
    answer: Answer | None = None  # None if no answer was asked for
    sources: tuple[Source, ...] = ()  # of the answer

    @property
    def contains(self) -> tuple[bool, bool] | None:
        """The result of `contains_reference`; None without an answer, or without a reference to look for."""
        if self.answer is None or not self.question.answers:
            return None
        return contains_reference(self.answer, self.question.answers)


def contains_reference(answer: Answer, references: Sequence[str]) -> tuple[bool, bool]:
    """Whether a reference answer occurs in the answer, and in its first sentence, after normalising both."""
    wanted = [normalise(text) for text in references]
    whole = normalise(" ".join(sentence.text for sentence in answer.sentences))
    first = [normalise(sentence.text) for sentence in answer.sentences[:1]]
    return any(text in whole for text in wanted), any(text in sentence for text in wanted for sentence in first)


def normalise(text: str) -> str:
    """Lower case without punctuation, articles and repeated spaces; Chinese without any spaces.

    English as in SQuAD's official evaluation script (Rajpurkar et al. 2016).
    """
    if mainly_chinese(text):
        return "".join(character for character in text.lower() if character.isalnum())
    words = "".join(character for character in text.lower() if character not in string.punctuation)
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", words).split())
