"""Query preparation: validates a question, completes a follow-up from the conversation, splits a compound question.

No model is involved. The page shows what was searched.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from rag.errors import QuestionRefused
from rag.index.tokenize import terms
from rag.reader import Turn
from rag.retrieve.expand import INSTRUCTION_TERMS, line_items
from rag.retrieve.follow_up import complete_question
from rag.retrieve.without_name import without_name
from rag.settings import QuerySettings

MAX_SPLIT_POINTS: Final = 50  # per question; later ones are ignored
MIN_TERMS: Final = 2  # remembered questions without the name of their documents
_DEFAULTS: Final = QuerySettings()

# Words that refer to an earlier part of a question: conjunctions at its start, pronouns anywhere.
_REFERS_BACK = re.compile(
    r"^(and|or|but|so|also|then|what about|how about|what else|why|how come|which one)\b"
    r"|\b(it|its|they|them|their|theirs|he|him|his|she|her|hers|this|that|these|those|there|the same|the former"
    r"|the latter|such)\b",
    re.IGNORECASE,
)
_REFERS_BACK_HAN = re.compile(
    r"^(那|那么|还有|以及|而|另外|其中|为什么[？?]?$)|[它他她其该此]|这[个种家些一]|那[个种家些]|上述|前者|后者|[呢][？?]?$"
)

_INTERROGATIVE = r"(?:(?:in|on|at|by|for|from|to|of|with|about)\s+)?(?:what|whom?|whose|when|where|which|why|how)"
_INVERTED = r"(?:is|are|was|were|has|have|had|can|could|should|must|will|would|may)\s+(?:it|they|he|she|we|i|you|there)"
_AUXILIARY = "do|does|did|is|are|was|were|has|have|had|can|could|should|must|will|would|may"
# Where one question may end and the next start: after a sentence, or between two clauses. Group "asked": after a
# question mark; group "han": between two Chinese clauses.
_SPLIT_POINT = re.compile(
    r"(?P<asked>(?<=[?？])(?![”」』’\"')）\]]))|(?<=[!！。；;])|(?<=(?-i:[a-z0-9]{3})\.)\s+(?=(?-i:[A-Z]))"
    r"|(?P<han>(?<=，)|，?(?:以及|并且|还有|同时))"
    rf"|(?<!\s),?\s+(?:and|or|but|as well as)\s+(?:also\s+)?"
    rf"(?=(?:{_INTERROGATIVE}|do|does|did|{_INVERTED}|explain|describe|summari[sz]e)\b)",
    re.IGNORECASE,
)
# A stretch of text that asks or requests something.
_ASKS = re.compile(
    rf"^(?:[^,?]+,\s+)?(?:(?:and|also|please|then)\s+)*(?:{_INTERROGATIVE}|{_AUXILIARY}"
    r"|list|name|explain|describe|summari[sz]e|tell|show)\b"
    r"|什么|谁|哪|何[时地处为]|[为如]何|(?<![近前过去上这那好])几[个年月天次种人所家]|(?<![很许])多[少大长久高远重]"
    r"|怎么|怎样|是否|能否|[吗么][？?]?$|^(?:请|并|再|然后)*(?:列[出举]|说[出明]|解释|总结|概括|介绍)",
    re.IGNORECASE,
)
# A clause that only states a condition, or breaks off before asking anything.
_CONDITION = re.compile(
    rf"^(?:if|while|assum\w+|given|unless|otherwise|when(?! (?:{_AUXILIARY})))\b(?!.*\?)"
    r"|\b(?:what|who|when|where|which|why|how)$|^(?:哪怕|无论|不管|不论|关于)|^(?:如果|假设|若)(?!.*[?？])"
    r"|(?<!何)[时后前中]$|如何$",
    re.IGNORECASE,
)
# Words that need two things to choose between, so the clauses around them are one question.
_CHOICE = re.compile(r"\b(?:between|of the two|of these|either|neither|whether)\b", re.IGNORECASE)
# Courtesies, and requests that name no subject.
_SMALL_TALK = INSTRUCTION_TERMS.union(
    terms(
        "yes no true false right correct ok okay hi hello dear thank thanks can could you me i we know tell help sure"
    )
)
_SMALL_TALK_HAN = re.compile(r"^(?:你好|您好|请问|谢谢|可以|能|告诉我|帮我|帮忙|[对是好行吗吧])+[？?。！!，]*$")
_BRACKETS = (("“", "”"), ("「", "」"), ("(", ")"), ("（", "）"))


@dataclass(frozen=True, slots=True)
class Query:
    """A question, and the texts to search it with."""

    question: str  # as typed
    completed: str  # completed from the conversation
    parts: tuple[str, ...] = ()  # parts of a compound question, each completed; () for a single question
    own_name: frozenset[str] = frozenset()  # terms of its documents' name, if they call themselves something else

    @property
    def texts(self) -> tuple[str, ...]:
        """The completed question, then its parts."""
        return (self.completed, *self.parts)

    @property
    def searched(self) -> tuple[str, ...]:
        """The texts as they are searched: without the documents' own name.

        A question for figures of accounts keeps the name, because it is searched with their line items, which say
        enough. So does one that says nothing without it ("Who runs Boeing?").
        """
        return tuple(map(self._searched, self.texts)) if self.own_name else self.texts

    def _searched(self, text: str) -> str:
        unnamed = without_name(text, self.own_name)
        return text if len(terms(unnamed)) < MIN_TERMS or line_items(text) else unnamed


def validate_question(question: str, limit: int) -> str:
    """The question without surrounding space and lone surrogates.

    Raises QuestionRefused if it is empty or has more than `limit` characters.
    """
    question = question.encode("utf-8", "replace").decode().strip()
    if not question:
        raise QuestionRefused("The question is empty: type one first.")
    if len(question) > limit:
        raise QuestionRefused(
            "The question has {characters:,} characters, the limit is {limit:,}: shorten it, or add the text as a PDF.",
            characters=len(question),
            limit=limit,
        )
    return question


def build_query(
    question: str, history: Sequence[Turn], limit: int, settings: QuerySettings, *, complete: bool = True
) -> Query:
    """Complete and split a question; each text is cut to its last `limit` characters.

    Without `complete`, the question is taken as it is, whatever was asked before.
    """
    history = history if complete else ()
    parts = split_question(question, history, settings) if settings.split_questions else ()
    completed = complete_question(question, history)
    return Query(question, completed[-limit:], tuple(part[-limit:] for part in parts))


def split_question(question: str, history: Sequence[Turn] = (), settings: QuerySettings = _DEFAULTS) -> tuple[str, ...]:
    """The parts of a compound question ("who built it, and what did it cost?"), each completed; () for a single one.

    A part that refers back is completed from the parts before it and, like any question, from the conversation.
    """
    clauses = _clauses(question, settings)
    if len(clauses) < 2:
        return ()
    completed = complete_question(question, history)
    parts: list[str] = []
    for n, clause in enumerate(clauses):
        # A short Chinese clause continues the clause before it.
        if clause.continues and len(terms(clause.text)) <= settings.max_dependent_han_terms:
            parts.append(f"{parts[-1]}，{clause.text}")
        # The first part, a very short one and one with a pronoun are completed like follow-ups.
        elif n == 0 or len(terms(clause.text)) < settings.min_part_terms or _refers_back(clause.text):
            earlier = [*history, *(Turn(one.text, "") for one in clauses[:n])]
            parts.append(complete_question(clause.text, earlier))
        else:
            parts.append(clause.text)
        # If a part equals the completed question, this is one question, preceded by the one it refers to.
        if parts[-1] == completed and not clause.continues:
            return ()
    return tuple(parts)


@dataclass(frozen=True, slots=True)
class _Clause:
    """A stretch of a question that can be asked on its own."""

    text: str
    continues: bool  # a Chinese clause right after another one


def _clauses(question: str, settings: QuerySettings) -> list[_Clause]:
    """The clauses of a compound question; fewer than two for a single question, or one with too many parts."""
    clauses: list[_Clause] = []
    start, continues = 0, False
    for point in itertools.islice(_SPLIT_POINT.finditer(question), MAX_SPLIT_POINTS):
        # Split only where both sides can be asked on their own.
        before, after = question[start : point.start()].strip(" ,，"), question[point.end() :].strip()
        asked = point["asked"] is not None
        after_asked = asked and ("?" in after or "？" in after)
        if _is_part(before, settings, asked=asked) and _is_part(after, settings, asked=after_asked):
            clauses.append(_Clause(before, continues))
            start, continues = point.end(), point["han"] is not None
        if len(clauses) == settings.max_parts:
            return []
    return [*clauses, _Clause(question[start:].strip(), continues)]


def _is_part(text: str, settings: QuerySettings, *, asked: bool) -> bool:
    """Whether a stretch of a question can be asked on its own. `asked`: a question mark already says so."""
    own = terms(text)
    # It must name a subject.
    if len(own) < (1 if asked else settings.min_part_terms):
        return False
    if _SMALL_TALK.issuperset(own) or _SMALL_TALK_HAN.search(text):
        return False
    # It must not be a mere condition, or half of a choice.
    if _CONDITION.search(text) or (not asked and _CHOICE.search(text)):
        return False
    # It must not start or end inside quotation marks or parentheses.
    if text.count('"') % 2 or any(text.count(opening) != text.count(closing) for opening, closing in _BRACKETS):
        return False
    return asked or bool(_ASKS.search(text))


def _refers_back(text: str) -> bool:
    return bool(_REFERS_BACK.search(text)) or bool(_REFERS_BACK_HAN.search(text))
