"""Questions as they are asked: fit to be worked with, cut into the parts they have, what one leaves out supplied.

No model is asked: a question that points back ("and in 2023?", "它的收入呢？") is searched together with the one it
points to. The person sees what was searched.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from rag.errors import QuestionRefused
from rag.needs import TELLING
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
MOST_PARTS = 4  # of one question that are searched apart
PART_TERMS = 2  # a part with fewer terms belongs to the one before

_INTERROGATIVE = r"(?:(?:in|on|at|by|for|from|to|of|with|about)\s+)?(?:what|whom?|whose|when|where|which|why|how)"
_INVERTED = r"(?:is|are|was|were|has|have|had|can|could|should|must|will|would|may)\s+(?:it|they|he|she|we|i|you|there)"
# Where one question may end and the next begin: behind a sentence, or between clauses that both ask.
_SENTENCE_END = r"(?<=[?!？！。；;\n])|(?<=(?-i:[a-z0-9]{3})\.)\s+(?=(?-i:[A-Z]))"
_SEAM = re.compile(
    rf"(?P<sentence>{_SENTENCE_END})|(?<=，)|，?(?:以及|并且|还有|同时)"
    rf"|,?\s+(?:and|or|but|as well as)\s+(?:also\s+)?(?=(?:{_INTERROGATIVE}|do|does|did|{_INVERTED})\b)",
    re.IGNORECASE,
)
_ASKS = re.compile(
    rf"^(?:[^,?]+,\s+)?(?:and\s+)?(?:{_INTERROGATIVE}|do|does|did|is|are|was|were|has|have|can|could|should|must|will|may"
    r"|list|name|explain|describe|summari[sz]e|tell|show)\b"
    r"|什么|谁|哪|何[时地处为]|[为如]何|几[个年月天次种人所家]|多[少大长久高远重]|怎么|怎样|是否|能否|[吗么][？?]?$"
    r"|^(?:列[出举]|说出|解释|总结|介绍)",
    re.IGNORECASE,
)
_CONDITION = re.compile(
    r"^(?:if|while|assum\w+|given|unless|otherwise"
    r"|when(?! (?:do|does|did|is|are|was|were|has|have|had|will|can|should|must)))\b(?!.*\?)"
    r"|^(?:如果|假设|若)|[时后前中][，,]?$",
    re.IGNORECASE,
)


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


def parts_of(question: str, history: Sequence[Turn] = ()) -> tuple[str, ...]:
    """The questions that one question puts ("who built it, and what did it cost?"), as they are searched; () for one.

    Each is completed by the part before it, and like any question by the conversation.
    """
    found: list[str] = []
    start = 0
    for seam in _SEAM.finditer(question):
        before, after = question[start : seam.start()].strip(" ,，"), question[seam.end() :].strip()
        if _is_part(before, "?？") and _is_part(after, "?？" if seam["sentence"] is not None else ""):
            found.append(before)
            start = seam.end()
        if len(found) == MOST_PARTS:
            return ()
    if not found:
        return ()
    found.append(question[start:].strip())
    turns = [Turn(part, "") for part in found]
    return tuple(complete(part, turns[n - 1 : n] if n else history) for n, part in enumerate(found))


def _is_part(text: str, marks: str) -> bool:
    """Whether a stretch of a question asks for something by itself; any of `marks` in it says so."""
    own = terms(text)
    asks = bool(_ASKS.search(text)) or any(mark in text for mark in marks)
    return asks and len(own) >= PART_TERMS and not TELLING.issuperset(own) and not _CONDITION.search(text)


def points_back(question: str) -> bool:
    """Whether a question cannot be understood without the one before."""
    text = question.strip()
    return len(terms(text)) < FEW_TERMS or bool(_POINTS_BACK.search(text)) or bool(_POINTS_BACK_HAN.search(text))
