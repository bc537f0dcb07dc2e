"""Finds who holds an office at the company of a document: the name that stands beside the title most often.

Tables of executive officers ("Michael F. Roman 59 Chief Executive Officer"), signatures and sentences each give a
vote; titles after a date, of other companies and of divisions give none.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from rag.answer.facts.search import PageText, Place, Stated
from rag.answer.phrases.offices import NAME, is_anothers, name_beside

_AGE: Final = r"\(?(?:[Aa]ge[d]? )?(?:[3-8]\d)\)?"
_ROW: Final = re.compile(
    rf"^[ \t]*(?P<name>{NAME}),?\s{{1,3}}{_AGE},?\s{{1,3}}(?P<titles>[A-Z][^\n]{{2,200}})", re.MULTILINE
)
_SIGNED: Final = re.compile(
    r"/s/\s*(?P<name>[A-Z][\w.’'-]+(?: [A-Z][\w.’'-]*){1,3})\s*\n(?P<titles>(?:[^\n]{2,90}\n?){1,3})"
)
_LISTED: Final = re.compile(
    rf"^[ \t]*(?:(?:Mr|Ms|Mrs|Dr)\. )?(?P<name>{NAME})(?: ?[,:]| ?[–—]| -) (?P<titles>[A-Z][^\n]{{2,120}})",
    re.MULTILINE,
)
_HELD_BEFORE: Final = re.compile(
    r"\b(?:19|20)\d\d\b|\bsince\b|\bfrom\b|\.\s|;|\bformer|\bprevious|\bprior\b|\buntil\b", re.IGNORECASE
)
_ROW_VOTES, _SIGNED_VOTES, _LISTED_VOTES, _SENTENCE_VOTES = 4.0, 2.0, 2.0, 1.0
_MAX_LINE: Final = 600  # characters of a line that is looked at as a sentence
_MIN_LEAD: Final = 1.5  # votes of the first over the second, from which it is certain


@dataclass(frozen=True, slots=True)
class _Vote:
    name: Place
    evidence: Place
    weight: float


def find_holder_in(question: str, office: re.Pattern[str], pages: Sequence[PageText]) -> Stated | None:
    """The name with the most votes; None if there are no votes."""
    votes: dict[str, list[_Vote]] = defaultdict(list)
    for page in pages:
        if office.search(page.text):
            for vote in _votes(question, office, page):
                votes[vote.name.text.split()[-1].casefold()].append(vote)
    ranked = sorted(votes.values(), key=lambda one: -sum(vote.weight for vote in one))
    if not ranked:
        return None
    first, second = (sum(vote.weight for vote in one) for one in (ranked[0], ranked[1] if len(ranked) > 1 else []))
    best = max(ranked[0], key=lambda vote: (not vote.name.text.isupper(), vote.weight))
    return Stated((best.name.text,), (best.name,), (best.evidence,), certain=first >= _MIN_LEAD * second)


def _votes(question: str, office: re.Pattern[str], page: PageText) -> Iterator[_Vote]:
    seen: set[int] = set()
    for pattern, weight in ((_ROW, _ROW_VOTES), (_SIGNED, _SIGNED_VOTES), (_LISTED, _LISTED_VOTES)):
        for match in pattern.finditer(page.text):
            titles = _now(match["titles"]) if pattern is not _SIGNED else match["titles"]
            title = office.search(titles)
            if title and not is_anothers(question, titles, title) and match.start() not in seen:
                seen.add(match.start())
                end = match.start("titles") + len(titles)
                yield _Vote(Place(page, *match.span("name")), Place(page, match.start("name"), end), weight)
    at = 0
    for line in page.text.split("\n"):
        for title in office.finditer(line[:_MAX_LINE]):
            if not is_anothers(question, line, title) and (name := name_beside(line[:_MAX_LINE], title, question)):
                end = min(len(line), max(name[1], title.end()) + 120)
                yield _Vote(Place(page, at + name[0], at + name[1]), Place(page, at, at + end), _SENTENCE_VOTES)
        at += len(line) + 1


def _now(titles: str) -> str:
    """The titles before the first date or the end of the first sentence: those held now."""
    past = _HELD_BEFORE.search(titles)
    return titles[: past.start()] if past else titles
