"""The main risks of a company: the headings, or the first sentences, of its report's section on risk factors."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from rag.answer.facts.search import PageText, Place, Stated
from rag.answer.sentences import sentence_spans

ASKS: Final = re.compile(
    r"\b(?:what|which|list|name)\b.{0,60}\brisks?(?: factors?)?\b|\brisk factors\b"
    r"|(?:哪些|主要|什么)的?风险|风险(?:因素|有哪些)",
    re.IGNORECASE,
)
WORDS: Final = (
    "risk risks factors factor main principal key major biggest most important top greatest significant primary"
    " face faces facing exposed exposure list business different kinds types"
)
_SECTION: Final = re.compile(
    r"^\W*(?:item\s*1a\.?\W*)?(?:principal |key )?risk factors\.?\s*(?:\([^)\n]{0,20}\))?$", re.IGNORECASE
)
_NEXT: Final = re.compile(r"^\W*item\s*1b\b|^\W*unresolved staff comments\W*$|^\W*item\s*2\b", re.IGNORECASE)
_RISKY: Final = re.compile(
    r"\b(?:could|may|might|can|risks?|adverse(?:ly)?|depends?|dependent|subject to|fail(?:ure|s)?|compet\w+"
    r"|uncertain\w*|unable|inability|volatil\w+|disrupt\w*|harm\w*|threat\w*|vulnerab\w+|impact(?:s|ed)?"
    r"|affect(?:s|ed)?|exposed)\b",
    re.IGNORECASE,
)
_ABOUT_IT: Final = re.compile(
    r"\b(?:following|these|such|this) (?:risks?|factors|section)|\bforward-looking\b|\bcautionary\b"
    r"|\badditional information\b|^risks? (?:relat\w+|associated|factors)\b",
    re.IGNORECASE,
)
_BULLET: Final = re.compile(r"^[\s*•●▪·–—-]+")
_GLUED: Final = re.compile(r"(?<=[a-z])\.(?=[A-Z])")  # "market conditions.The Company": a heading in the same line
MAX_RISKS: Final = 8
_MIN_RISKS: Final = 3
_MAX_SECTION: Final = 60  # pages
_SHORTEST, _LONGEST = 30, 330  # characters of a heading
_PARAGRAPH: Final = 200  # characters from which a line is a paragraph


def find_risks(pages: Sequence[PageText]) -> Stated | None:
    """The first headings of the section; None without a section or with too few headings."""
    section = list(_section(pages))
    found = list(_headings(section))
    single = [one for one in found if len(sentence_spans(one.text)) == 1]
    if len(single) >= MAX_RISKS:  # of two sentences some are short paragraphs
        found = single
    if len(found) < _MIN_RISKS:
        found = list(_first_sentences(section))
    if len(found) < _MIN_RISKS:
        return None
    risks = tuple(found[:MAX_RISKS])
    return Stated(tuple(one.text for one in risks), risks, risks[:_MIN_RISKS])


def _section(pages: Sequence[PageText]) -> Iterator[Place]:
    """The lines of the section that is more than an entry in a table of contents."""
    lines = [line for page in pages for line in _lines(page)]
    starts = [n for n, line in enumerate(lines) if _SECTION.match(line.text)]
    for start in starts:
        stop = next((n for n in range(start + 1, len(lines)) if _NEXT.match(lines[n].text)), len(lines))
        body = lines[start + 1 : stop]
        if sum(len(line.text) >= _PARAGRAPH for line in body) >= _MIN_RISKS:
            first = body[0].page.number
            yield from (line for line in body if line.page.number < first + _MAX_SECTION)
            return


def _lines(page: PageText) -> Iterator[Place]:
    at = 0
    for line in page.text.split("\n"):
        if line.strip():
            yield Place(page, at, at + len(line.rstrip()))
        at += len(line) + 1


def _headings(lines: Sequence[Place]) -> Iterator[Place]:
    """Short lines that name a risk, with a paragraph below."""
    for n in range(len(lines) - 1):
        text, below = lines[n].text, lines[n + 1].text
        ends = text.endswith((".", "。")) or not re.search(r"[,;:，；：]$", text)
        opens = n == 0 or lines[n - 1].text.endswith((".", "。", ":", ")", "”")) or len(lines[n - 1].text) < _PARAGRAPH
        if _SHORTEST <= len(text) <= _LONGEST and ends and opens and _is_risk(text) and len(below) >= _PARAGRAPH:
            yield lines[n]


def _first_sentences(lines: Sequence[Place]) -> Iterator[Place]:
    """The first sentence of each paragraph that names a risk."""
    for line in lines:
        raw = line.page.text[line.start : line.end]
        lead = _BULLET.match(raw)
        skip = lead.end() if lead else 0
        if len(raw) - skip < _PARAGRAPH or not raw[skip : skip + 1].isupper():
            continue
        first, last = sentence_spans(raw[skip:])[0]
        if glued := _GLUED.search(raw, skip, skip + last):
            last = glued.end() - skip
        text = raw[skip + first : skip + last]
        if _SHORTEST <= len(text) <= _LONGEST and _is_risk(text):
            yield Place(line.page, line.start + skip + first, line.start + skip + last)


def _is_risk(text: str) -> bool:
    return text[:1].isupper() and not text.isupper() and bool(_RISKY.search(text)) and not _ABOUT_IT.search(text)
