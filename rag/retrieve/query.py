"""Questions as they are asked: fit to be worked with, cut into the parts they have, what one leaves out supplied.

No model is asked: a question that points back ("and in 2023?", "它的收入呢？") is searched together with the one it
points to. The person sees what was searched.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass

from rag.errors import QuestionRefused
from rag.index.tokenize import terms
from rag.reader import Turn
from rag.retrieve.expand import TELLING

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
MOST_PARTS = 3  # of one question that are searched apart
MOST_SEAMS = 50  # places looked at where a question may be cut
PART_TERMS = 2  # a clause with fewer terms belongs to the one before; behind a question mark one is enough
HAN_TERMS = 6  # a Chinese clause of at most so many terms goes on about what the clause before names

_INTERROGATIVE = r"(?:(?:in|on|at|by|for|from|to|of|with|about)\s+)?(?:what|whom?|whose|when|where|which|why|how)"
_INVERTED = r"(?:is|are|was|were|has|have|had|can|could|should|must|will|would|may)\s+(?:it|they|he|she|we|i|you|there)"
_AUXILIARY = "do|does|did|is|are|was|were|has|have|had|can|could|should|must|will|would|may"
# Where one question may end and the next begin: behind a sentence, or between clauses that both ask.
_SEAM = re.compile(
    r"(?P<asked>(?<=[?？])(?![”」』’\"')）\]]))|(?<=[!！。；;])|(?<=(?-i:[a-z0-9]{3})\.)\s+(?=(?-i:[A-Z]))"
    r"|(?P<han>(?<=，)|，?(?:以及|并且|还有|同时))"
    rf"|(?<!\s),?\s+(?:and|or|but|as well as)\s+(?:also\s+)?"
    rf"(?=(?:{_INTERROGATIVE}|do|does|did|{_INVERTED}|explain|describe|summari[sz]e)\b)",
    re.IGNORECASE,
)
_ASKS = re.compile(
    rf"^(?:[^,?]+,\s+)?(?:(?:and|also|please|then)\s+)*(?:{_INTERROGATIVE}|{_AUXILIARY}"
    r"|list|name|explain|describe|summari[sz]e|tell|show)\b"
    r"|什么|谁|哪|何[时地处为]|[为如]何|(?<![近前过去上这那好])几[个年月天次种人所家]|(?<![很许])多[少大长久高远重]"
    r"|怎么|怎样|是否|能否|[吗么][？?]?$|^(?:请|并|再|然后)*(?:列[出举]|说[出明]|解释|总结|概括|介绍)",
    re.IGNORECASE,
)
# What only says under which condition, or ends before it has asked.
_CONDITION = re.compile(
    rf"^(?:if|while|assum\w+|given|unless|otherwise|when(?! (?:{_AUXILIARY})))\b(?!.*\?)"
    r"|\b(?:what|who|when|where|which|why|how)$|^(?:哪怕|无论|不管|不论|关于)|^(?:如果|假设|若)(?!.*[?？])"
    r"|(?<!何)[时后前中]$|如何$",
    re.IGNORECASE,
)
_ONE_THING = re.compile(r"\b(?:between|of the two|of these|either|neither|whether)\b", re.IGNORECASE)
# Courtesies, and what asks for nothing but an answer.
_SMALL_TALK = TELLING.union(
    terms(
        "yes no true false right correct ok okay hi hello dear thank thanks can could you me i we know tell help sure"
    )
)
_SMALL_TALK_HAN = re.compile(r"^(?:你好|您好|请问|谢谢|可以|能|告诉我|帮我|帮忙|[对是好行吗吧])+[？?。！!，]*$")
_QUOTED = (("“", "”"), ("「", "」"), ("(", ")"), ("（", "）"))


@dataclass(frozen=True, slots=True)
class Query:
    """What a question is searched as."""

    typed: str
    whole: str  # completed by the conversation
    parts: tuple[str, ...] = ()  # of several questions in one, each completed

    @property
    def texts(self) -> tuple[str, ...]:
        """The whole, then its parts."""
        return (self.whole, *self.parts)


def searched(question: str, history: Sequence[Turn], limit: int, *, parts: bool = True) -> Query:
    """What to search for a question, each text of at most `limit` characters, the last ones."""
    found = parts_of(question, history) if parts else ()
    return Query(question, complete(question, history)[-limit:], tuple(part[-limit:] for part in found))


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

    Each is completed by the parts before it and, like any question, by the conversation.
    """
    found: list[tuple[str, bool]] = []  # text, whether it is a Chinese clause behind another
    start, clause = 0, False
    for seam in itertools.islice(_SEAM.finditer(question), MOST_SEAMS):
        before, after = question[start : seam.start()].strip(" ,，"), question[seam.end() :].strip()
        asked = seam["asked"] is not None
        if _is_part(before, asked=asked) and _is_part(after, asked=asked and ("?" in after or "？" in after)):
            found.append((before, clause))
            start, clause = seam.end(), seam["han"] is not None
        if len(found) == MOST_PARTS:
            return ()
    if not found:
        return ()
    found.append((question[start:].strip(), clause))
    whole, parts = complete(question, history), list[str]()
    for n, (part, clause) in enumerate(found):
        if clause and len(terms(part)) <= HAN_TERMS:
            parts.append(f"{parts[-1]}，{part}")
        elif n == 0 or len(terms(part)) < PART_TERMS or _has_pronoun(part):
            parts.append(complete(part, [*history, *(Turn(text, "") for text, _ in found[:n])]))
        else:
            parts.append(part)
        if parts[-1] == whole and not clause:
            return ()  # a question and the one it points back to
    return tuple(parts)


def _is_part(text: str, *, asked: bool) -> bool:
    """Whether a stretch of a question asks for something by itself; `asked`: a question mark says so already."""
    own = terms(text)
    if len(own) < (1 if asked else PART_TERMS) or _SMALL_TALK.issuperset(own) or _SMALL_TALK_HAN.search(text):
        return False
    if _CONDITION.search(text) or (not asked and _ONE_THING.search(text)):
        return False
    if text.count('"') % 2 or any(text.count(opening) != text.count(closing) for opening, closing in _QUOTED):
        return False
    return asked or bool(_ASKS.search(text))


def points_back(question: str) -> bool:
    """Whether a question cannot be understood without the one before."""
    text = question.strip()
    return len(terms(text)) < FEW_TERMS or _has_pronoun(text)


def _has_pronoun(text: str) -> bool:
    return bool(_POINTS_BACK.search(text)) or bool(_POINTS_BACK_HAN.search(text))
