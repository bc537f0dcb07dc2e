"""Why a figure of the company rose or fell: the sentence in its report that says so about the whole company.

"Why did net sales fall in fiscal 2023?" is answered by "Net sales decreased 5% in fiscal 2023, primarily due to …", and
not by sentences about a segment, another year, or another figure that fell.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from rag.answer.facts.items import items_after
from rag.answer.facts.question import FUNCTION_TERMS, is_part, years_of
from rag.answer.facts.search import PageText, Place, Stated
from rag.answer.phrases.kind import Kind, kind_of
from rag.answer.sentences import sentence_spans
from rag.index.tokenize import terms

_UP: Final = r"\b(?:increas\w+|ris(?:e|es|ing|en)|rose|gr[eo]w\w*|higher|improv\w+|expan[ds]\w*|gain(?:ed|s)?|up)\b"
_DOWN: Final = (
    r"\b(?:decreas\w+|declin\w+|fall(?:s|en|ing)?|fell|drop\w*|lower\w*|reduc\w+|shr[ai]nk|contract(?:ed|ion)|down)\b"
)
_DIRECTIONS: Final = tuple(re.compile(one, re.IGNORECASE) for one in (_UP, _DOWN))
_EITHER: Final = re.compile(f"{_UP}|{_DOWN}", re.IGNORECASE)
_SIGN: Final = re.compile(
    r"\b(?:(?:primarily|predominantly|mainly|largely|principally|mostly|partly|partially|was|were|is) ){0,4}"
    r"(?:due to|driven by|because(?: of)?|attributable to|attributed to|as a result of|result(?:ed|ing) from"
    r"|reflect(?:s|ed|ing)|caused by|owing to|led by|on (?:higher|lower|strong|weak\w*))\b",
    re.IGNORECASE,
)
_LEAD: Final = re.compile(r"(?:was|were|is)\s+", re.IGNORECASE)
_REFERS: Final = re.compile(
    r"^(?:The|This|These) (?:\w+ ){0,2}?"
    r"(?:increases?|decreases?|declines?|growth|change|improvement|reduction|drop|rise)\b"
)
_NOT_ITEM: Final = frozenset(
    term
    for word in (
        "why cause caused causes drove driven drive drives reason reasons explain explains explained behind led"
        " compared versus previous prior last preceding total overall consolidated net main primary reported result"
        " results account accounts accounted there change changed come so per cent percent"
    ).split()
    for term in terms(word)
)
_SAME: Final = tuple(frozenset(one.split()) for one in ("revenue sale", "profit earning income", "cost expense"))
_BULLET: Final = re.compile(r"\s*[•●▪·*–—-]")
_WORD: Final = re.compile(r"[^\W\d_][\w’'&-]*")
_PROPER: Final = re.compile(r"(?<=[\w,;)] )(?!(?:Company|Corporation|Inc|U)\b)[A-Z][\w&.-]*")
_OF_A_PART: Final = re.compile(  # "Aeronautics’ net sales": of a segment, where it is not the company
    r"(?:^|[.] |\n)\W{0,3}(?!(?:The |the )?(?:Company|Corporation|Registrant|Group)\b)"
    r"([A-Z][\w&.-]*(?: [A-Z&][\w&.-]*){0,3})[’'](?:s\b|(?= ))"
)
_MONTHS: Final = re.compile(
    r"^(?:January|February|March|April|May|June|July|August|September|October|November|December)$"
)
_BEFORE: Final = re.compile(
    r"(?:^|[,;:(·•*]|\b(?:the|our|its|in|and|net|total|consolidated|company[’']s|overall))\s*$", re.IGNORECASE
)
_AFTER: Final = re.compile(
    r"\s*(?:$|[,;.(%$–—]|(?:in|of|for|at|from|was|were|is|are|has|have|had|as|by|during|to|also|and|per|net)\b)",
    re.IGNORECASE,
)
_LAST_WORD: Final = re.compile(r"[\w’'&-]{1,60}\s{0,9}$")
_LONGEST: Final = 1_500  # characters of a sentence
_MAX_REASON: Final = 240
_JOINING: Final = re.compile(  # at the end of what is cut
    r"[\s,;]{1,9}(?:and|or|but|nor|the|an?|of|for|from|with|than|that|which|who|its|their|our|to|in|on|at|by|as|into|due"
    r"|driven|partially|partly|offset|including|such|other|both|more|less|higher|lower|increased|decreased)?$",
    re.IGNORECASE,
)
_FOREIGN, _OTHER, _YEAR = 0.2, 0.05, 0.4  # what lowers, and a year that agrees raises, the score
_LEAST, _CERTAIN = 0.3, 0.7  # scores


@dataclass(frozen=True, slots=True)
class _Asked:
    items: frozenset[str]  # terms of what rose or fell
    rises: bool
    years: frozenset[str]
    company: frozenset[str]


def asks_for_reason(question: str) -> bool:
    """Whether a question asks why something rose or fell."""
    return kind_of(question) is Kind.WHY and _EITHER.search(question) is not None


def find_reason(question: str, pages: Sequence[PageText], names: Collection[str]) -> Stated | None:
    """The sentence that gives the reason best; None if no sentence gives one for what is asked."""
    asked = _asked(question, pages, names)
    if asked is None:
        return None
    best: tuple[float, tuple[Place, ...], Place] | None = None
    for score, reasons, sentence in (found for page in pages for found in _reasons(asked, page)):
        if score >= _LEAST and (best is None or score > best[0]):
            best = score, reasons, sentence
    if best is None:
        return None
    return Stated(tuple(one.text for one in best[1]), best[1], (best[2],), certain=best[0] >= _CERTAIN, quoted=True)


def _asked(question: str, pages: Sequence[PageText], names: Collection[str]) -> _Asked | None:
    direction = _EITHER.search(question)
    left = [term for term in terms(_EITHER.sub(" ", question)) if term not in FUNCTION_TERMS | _NOT_ITEM]
    items = frozenset(one for one in left if not one.isdigit() and one not in names and not is_part(one, names))
    if direction is None or not items:
        return None
    years = years_of(question) or sorted(years_of(" ".join(page.text for page in pages[:1])))[-1:]
    rises = _DIRECTIONS[0].match(direction.group()) is not None
    return _Asked(items, rises, frozenset(years), frozenset(names))


def _reasons(asked: _Asked, page: PageText) -> Iterator[tuple[float, tuple[Place, ...], Place]]:
    """For each sentence on a page that may give the reason: its score, the reasons, and the sentence."""
    if not _SIGN.search(page.text):
        return
    before = (0, 0)
    for start, end in sentence_spans(page.text):
        text = page.text[start:end]
        sign = _SIGN.search(text) if end - start <= _LONGEST else None
        if sign:
            subject, first = text[: sign.start()], start
            if not _is_of(asked, subject) and _REFERS.match(text):
                subject, first = f"{page.text[slice(*before)]} {subject}", before[0]
            if _is_of(asked, subject):
                for reasons in _given(page, start + sign.start(), end):
                    yield _score(asked, subject), reasons, Place(page, first, max(reasons[-1].end, end))
        before = start, end


def _given(page: PageText, start: int, end: int) -> Iterator[tuple[Place, ...]]:
    """The reason in [start, end), or the list that it announces."""
    text = page.text[start:end].rstrip()
    if not text.endswith(":"):
        lead = _LEAD.match(text)
        skip = lead.end() if lead else 0
        yield (Place(page, start + skip, start + skip + _whole_clauses(text[skip:].rstrip(" ."))),)
    elif items := items_after(page.text, end, names=False):
        yield tuple(Place(page, *span) for span in items.spans)


def _whole_clauses(reason: str) -> int:
    """How many characters of a reason to give: all of them, or what ends with a clause or phrase within the limit."""
    if len(reason) <= _MAX_REASON:
        return len(reason)
    kept = reason[:_MAX_REASON]
    clause = max(kept.rfind(sign) for sign in ",;")
    end = clause if clause > _MAX_REASON // 2 else max(kept.rfind(" "), _MAX_REASON // 2)
    while joining := _JOINING.search(kept, 0, end):
        end = joining.start()
    return end


def _is_of(asked: _Asked, subject: str) -> bool:
    """Whether a clause says that the figure moved in the direction asked about."""
    direction = _EITHER.search(subject)
    if direction is None or (_DIRECTIONS[0].match(direction.group()) is not None) != asked.rises:
        return False
    held = set(terms(subject))
    if not all(item in held or any(item in same and same & held for same in _SAME) for item in asked.items):
        return False
    return any(_stands_alone(asked, subject, match) for match in _WORD.finditer(subject))


def _score(asked: _Asked, subject: str) -> float:
    """1 for a clause about nothing else, less for names of parts of the company and for other words."""
    proper = [one for one in _PROPER.findall(subject) if not _MONTHS.match(one.strip("."))]
    foreign = [one for one in proper if not set(terms(one)) <= asked.items | asked.company]
    others = set(terms(_EITHER.sub(" ", subject))) - asked.items - asked.company - FUNCTION_TERMS - _NOT_ITEM
    others = {one for one in others if not re.fullmatch(r"[\d.,]+|million|billion|basis|point", one)}
    score = 1.0 - _FOREIGN * min(len(foreign), 4) - _OTHER * min(len(others), 8)
    if any(not set(terms(one)) <= asked.items | asked.company for one in _OF_A_PART.findall(subject)):
        score -= 2 * _YEAR
    if _BULLET.match(subject):  # an item of a list is about a part of the company
        score -= _YEAR
    years = years_of(subject)
    if years and asked.years:
        score += _YEAR if years[0] in asked.years else -_YEAR
    return score


def _stands_alone(asked: _Asked, subject: str, word: re.Match[str]) -> bool:
    """Whether a word is the figure asked about, and not part of another one's name ("income" in "income tax").

    Nor that of a part: "International marketing expenses", if the question is about marketing expenses.
    """
    held = set(terms(word.group()))
    if not (held & asked.items or any(held & same and same & asked.items for same in _SAME)):
        return False
    before, after = subject[: word.start()], subject[word.end() :]
    known = asked.items | asked.company
    while (last := _LAST_WORD.search(before)) and set(terms(last.group())) & known:
        before = before[: last.start()]
    following = re.match(r"\s*[\w’'&-]+", after)
    ends = _AFTER.match(after) or _EITHER.match(after.lstrip()) or (following and set(terms(following.group())) & known)
    return bool(_BEFORE.search(before) and ends)
