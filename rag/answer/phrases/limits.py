"""Whether a sentence is about the very thing asked for: the bound of a number, the most of all, the whole."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from rag.answer.claims.lexicon import are_synonyms, stem, stems_of_deeds
from rag.answer.claims.quantities import bound_of
from rag.index.tokenize import terms

_MOST: Final = re.compile(r"\b(?:can|may|could|maximum|max|at most|up to|limit)\b|最多|最大|上限|至多", re.IGNORECASE)
_LEAST: Final = re.compile(r"\b(?:minimum|min|at least|must|needs?|required?)\b|最少|最小|下限|至少", re.IGNORECASE)
_NUMBER: Final = re.compile(
    r"(?<![A-Za-z0-9.,])\d(?:[\d,.]{0,20}\d)?(?![A-Za-z0-9%])|\b(?:two|three|four|five|six|seven|eight|nine|ten|twelve)\b",
    re.IGNORECASE,
)
_WHO_WITH: Final = re.compile(
    r"\bwho (?:does|did|do)\b.{1,100} (?P<verb>[a-z]{4,20}) (?:with|for|against|to|from)"
    r"(?: (?:in|at|on|during) .{1,60})?\W{0,10}$",
    re.IGNORECASE,
)
_WHO_DID: Final = re.compile(
    r"\bwho (?:(?:was|were|is|are|has|have|had) (?=\w+ed\b))?(?P<verb>[a-z]{2,30})\b", re.IGNORECASE
)
_NO_VERB: Final = frozenset(
    "is are was were be did does do has have had will would can could may might shall should must else all"
    " give gives gave make makes made take takes took get gets got hold holds held".split()  # deeds of any kind
)
_ASKED_NOUN: Final = re.compile(
    r"\b(?:what|how (?:much|large|big|high)) (?:was|is|were|are) (?:the|its|their) (?:[\w-]{1,30} ){0,3}?"
    r"(?P<noun>[a-z]{4,30}) (?:of|on|for|in|at|to)\b",
    re.IGNORECASE,
)
_CALLED: Final = re.compile(r"(?P<words>(?:[A-Za-z-]{1,30} ){1,4})(?:of|was|were|is) (?:about |approximately )?$")
_NOUN_OF_AMOUNT: Final = re.compile(
    r"(?<![\w-])(?P<noun>[A-Za-z]{4,30})(?: (?:charges?|loss(?:es)?|costs?))? (?:of|was|were)"
    r" (?:about |approximately )?[$£€¥￥]? ?\d"
)
_NOUN_BEFORE: Final = 80  # characters before an amount in which it is called something
_ASKED_ORDER: Final = re.compile(
    r"\b(?:who|which)\b.{1,80}\b(?:before|after|preced\w+|predecessor|succeed\w*|successor|replac\w+)"
    r" (?:of |to )?(?-i:[A-Z])",
    re.IGNORECASE,
)
_ORDER: Final = re.compile(
    r"\b(?:before|after|former\w*|previous\w*|preced\w+|predecessor|succe(?:ed|ss)\w*|replac\w+|took over"
    r"|take[sn]? over|step(?:s|ped|ping) down|resign\w*|retir\w+|until|left|follow\w*|next|then|later|first|second"
    r"|third|new|depart\w*)\b",
    re.IGNORECASE,
)
_ASKED_EXTREME: Final = re.compile(
    r"\b(?:most|least|fewest|(?:bigg|larg|high|low|small|long|short|old|young|fast|strong|weak|rich|cheap)est"
    r"|(?:bigger|larger|higher|lower|smaller)(?! than\b))\b",
    re.IGNORECASE,
)
_EXTREME: Final = re.compile(
    r"\b(?:most|least|fewest|\w{3,20}est|primar\w{2,5}(?! due\b)|principal\w*|major\w*|main\w*|top|leading|record"
    r"|predominant\w*|maximum|minimum|peak\w*|half|(?:more|less|fewer|\w{3,20}er) than|only|all|none)\b",
    re.IGNORECASE,
)
_PART: Final = re.compile(r"\b(?:including|includes?|of (?:which|whom))\b[^,;]{0,80}$", re.IGNORECASE)


def bound_asked_for(question: str, text: str, start: int, end: int) -> tuple[int, int]:
    """The number in the sentence that is the bound asked for, if the span text[start:end] is the other one."""
    most, least = _MOST.search(question) is not None, _LEAST.search(question) is not None
    number = _NUMBER.search(text, start, end)
    if most == least or number is None or bound_of(text, *number.span()) != (">" if most else "<"):
        return start, end
    others = (one.span() for one in _NUMBER.finditer(text))
    return next((one for one in others if bound_of(text, *one) == ("<" if most else ">")), (start, end))


def is_of_other_noun(question: str, text: str, start: int, texts: Sequence[str]) -> bool:
    """Whether the amount at text[start:] has another name than what is asked for, while another amount has that name.

    "The carrying value of £41 million" if asked for the impairment, and one of `texts` has "impairment of £7 million".
    """
    asked, called = _ASKED_NOUN.search(question), _CALLED.search(text[max(start - _NOUN_BEFORE, 0) : start])
    if asked is None or called is None:
        return False
    noun = stem(asked["noun"])
    if noun in map(stem, called["words"].split()):
        return False
    return any(stem(one["noun"]) == noun for other in texts for one in _NOUN_OF_AMOUNT.finditer(other))


def lacks_order(question: str, text: str) -> bool:
    """Whether a question asks who or what came before or after another, but a text gives no order."""
    return _ASKED_ORDER.search(question) is not None and _ORDER.search(text) is None


def lacks_extreme(question: str, text: str) -> bool:
    """Whether a question asks for the most or least of several, but a text does not compare."""
    return _ASKED_EXTREME.search(question) is not None and _EXTREME.search(text) is None


def is_part(question: str, text: str, start: int) -> bool:
    """Whether the number at text[start:] is of a part of what the question asks for: "90 shops, including 12 here".

    The part is what is asked for if the question has a word of its clause that stands nowhere before it.
    """
    part = _PART.search(text, 0, start)
    if part is None:
        return False
    behind = re.split(r"[,;.]\s", text[part.start() :], maxsplit=1)[0]
    own = {stem(term) for term in terms(behind)} - {stem(term) for term in terms(text[: part.start()])}
    return own.isdisjoint(stem(term) for term in terms(question))


def lacks_verb(question: str, text: str) -> bool:
    """Whether a question asks who did something, or with whom, but a text has no word for the deed.

    "Who bought it?", "Who does it compete with?"
    """
    asked = _WHO_WITH.search(question) or _WHO_DID.search(question)
    if asked is None or asked["verb"].lower() in _NO_VERB:
        return False
    verb = stem(asked["verb"])
    words = {*map(stem, re.findall(r"[A-Za-z]{2,40}", text)), *stems_of_deeds(text)}
    return not any(word.startswith(verb) or are_synonyms(verb, word) for word in words)
