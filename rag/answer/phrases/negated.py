"""Recognises questions about what is not so, sentences that deny something, and how often a text denies."""

from __future__ import annotations

import re
from typing import Final

from rag.answer.claims.polarity import DENYING, find_negations
from rag.answer.claims.tokens import analyse

_MAX_CHARACTERS: Final = 1_000  # of a text that are looked at
# In a question: what negates its verb. "With no husband present" or "without a permit" only describe a thing.
_NEGATED: Final = re.compile(
    r"\b(?:not|never|cannot|no longer|(?:do|does|did|is|are|was|were|has|have|had|ca|could|wo|would|should|may|might"
    r"|must)n['’]t)\b|没有|不能|不会|不再|不是|不需要|不支持|不包括|不适用|未能|无法|不得",
    re.IGNORECASE,
)
_NOT_ONLY: Final = re.compile(
    r"\bnot (?:only|just|less than|more than)\b|\bor not\b|是不是|有没有|能不能|会不会", re.IGNORECASE
)
# With a prefix, or by a noun; the verbs that negate are kept with the claims.
_WITHOUT: Final = re.compile(
    r"\b(?:failure|un[a-z]{4,}|in(?:eligible|applicable|complete|capable)|non-?\w+)\b", re.IGNORECASE
)
# Besides the negations themselves, what turns a sentence's yes into a no.
_REVERSES: Final = re.compile(
    r"\b(?:unable|fail(?:s|ed)? to|declin\w+ to|exempt\w*|ineligible|unavailable|void)\b|禁止|严禁|拒绝|除外|免除|否决",
    re.IGNORECASE,
)


def count_denials(text: str) -> int:
    """How often a text negates: an even number is a yes."""
    analysed = analyse(text[:_MAX_CHARACTERS])
    places = [analysed.tokens[one.token].start for one in find_negations(analysed) if not one.restricts]
    reversing = [one.span() for one in _REVERSES.finditer(analysed.text)]
    return len(reversing) + sum(not any(start <= place < end for start, end in reversing) for place in places)


def is_negated(question: str) -> bool:
    """Whether a question asks about what is not so: "Which types does it not handle?"."""
    return _NEGATED.search(_NOT_ONLY.sub(" ", question[:_MAX_CHARACTERS])) is not None


def denies(text: str) -> bool:
    """Whether a sentence says of anything that it is not so."""
    text = text[:_MAX_CHARACTERS]
    return bool(find_negations(analyse(text))) or any(words.search(text) for words in (DENYING, _WITHOUT))
