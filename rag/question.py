"""Questions as they are asked: fit to be worked with, and what one leaves out supplied by the one before.

No model is asked: a question that points back ("and in 2023?", "它的收入呢？") is searched together with the one it
points to. The person sees what was searched.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from rag.errors import QuestionRefused
from rag.reader import Turn
from rag.terms import terms

_POINTS_BACK = re.compile(
    r"^(and|or|but|so|also|then|what about|how about|what else|why|how come|which one)\b"
    r"|\b(it|its|they|them|their|theirs|he|him|his|she|her|hers|this|that|these|those|there|the same|the former"
    r"|the latter|such)\b",
    re.IGNORECASE,
)
_POINTS_BACK_HAN = re.compile(
    r"^(那|那么|还有|以及|而|另外|其中|为什么[？?]?$)|[它他她其该此]|这[个种家些一]|那[个种家些]|上述|前者|后者|[呢][？?]?$"
)
FEW_TERMS = 3  # a question with fewer terms of its own names too little


def checked(question: str, limit: int) -> str:
    """The question without what cannot be stored, of at most `limit` characters. Raises QuestionRefused."""
    question = question.encode("utf-8", "replace").decode().strip()
    if not question:
        raise QuestionRefused("The question is empty: type one first.")
    if len(question) > limit:
        raise QuestionRefused(
            f"The question has {len(question):,} characters, the limit is {limit:,}: shorten it, "
            "or add the text as a PDF."
        )
    return question


def complete(question: str, history: Sequence[Turn]) -> str:
    """The question to search: with the question before in front where it points back to it, else as it is."""
    if not history or not points_back(question):
        return question
    before = history[-1].question
    if len(history) > 1 and points_back(before):
        before = f"{history[-2].question} {before}"
    return f"{before} {question}"


def points_back(question: str) -> bool:
    """Whether a question cannot be understood without the one before."""
    text = question.strip()
    return len(terms(text)) < FEW_TERMS or bool(_POINTS_BACK.search(text)) or bool(_POINTS_BACK_HAN.search(text))
