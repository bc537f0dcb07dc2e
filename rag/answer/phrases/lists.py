"""Lists: the items below a sentence that introduces them, or within one sentence."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from rag.answer.phrases.kind import content
from rag.index.tokenize import terms
from rag.records import Source
from rag.settings import PhraseSettings

BULLET: Final = re.compile(
    r"(?<!\s)\s*(?:[•●▪◦‣·∙■□◆○►▶➢✓*–—-]\s*|\(?\d{1,2}[.)、）](?!\d)\s*|\(?[a-zA-Z][.)）]\s+"
    r"|\([ivxIVX]{1,5}\)\s*|[ivx]{1,5}[.)]\s+"
    r"|[（(]?[一二三四五六七八九十]{1,3}[、.）)]\s*|第[一二三四五六七八九十]{1,3}[，、：]\s*|[①-⑳]\s*"
    r"|Step \d+[:.]\s*)(?=\S)"
)
_INTRODUCES: Final = re.compile(
    r"[:：]\s*$|\b(?:as follows|the following|listed below|set forth below)\b[^.]*[.:]?\s*$|如下[^。]*[。：:]?\s*$",
    re.IGNORECASE,
)
_SEPARATORS: Final = tuple(re.compile(one) for one in (r"(?<!\s)\s*[;；]\s*", r"(?<!\s)\s*、\s*", r",\s+|，\s*"))
_CLAUSE: Final = re.compile(  # "; it's used to …", "，它变异很快"
    r"(?<!\s)\s{0,9}(?:[;；,]\s{0,9}(?:and |but )?(?:it|they|he|she|we|you)|[;；]\s{0,9}(?:there|which))"
    r"(?:['’]s|['’]re|\s[a-z]+s?)\b.*|[，；](?:它们?|他们?|她们?|所以|因此|但是?|而且|从而).*",
    re.IGNORECASE | re.DOTALL,
)
_AND_BEFORE: Final = re.compile(r"\s*(?:and|or|as well as)\s+|\s*(?:以及|和|及)")
_AND: Final = re.compile(r"(?<!\s)\s+(?:and|or|as well as)\s+|(?<=[^\s])(?:以及|和|及|与)(?=[^\s])")
_STOP: Final = re.compile(r"[.。;；!！?？:：]")
_LIST_START: Final = re.compile(
    r"[:：]\s*|\b(?:includ(?:e|es|ed|ing)|such as|consist(?:s|ed|ing)? of|compris(?:e|es|ed|ing)|namely|are|were)\b\s*"
    r"|包括|包含|分为|涵盖|即|分别[是为]|有(?=[^，。]*、)",
    re.IGNORECASE,
)
_LIST_END: Final = re.compile(r"等[^、]{0,6}$|(?<=\w)[一二三四五六七八九十两]个?[^、]{0,3}$")
_TABLE_ROW: Final = re.compile(r"(?:\s[$£€¥]?\s?\(?\d[\d,.]{0,15}[%)]{0,2}){2}$")
_NAME: Final = re.compile(r"[A-Z][\w&’'.-]{1,30}(?: (?:of |the |de )?[A-Z&][\w&’'.-]{0,30}){0,4}")
_NAMES: Final = re.compile(rf"{_NAME.pattern}(?:, {_NAME.pattern}){{0,25}},? (?:and|or) {_NAME.pattern}")
MAX_ITEMS: Final = 30
MAX_INLINE_ITEM: Final = 60  # characters of an item within a sentence
MAX_ITEM_CHARACTERS: Final = 240  # of an item as it is shown; a longer one is cut at its first sentence
_MAX_HEADING: Final = 100  # characters of a heading that introduces a list
_MAX_PLAIN_ITEM: Final = 90  # characters of an item without a bullet


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a source, [start, end) in its text, without white space around it."""

    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class FoundList:
    """The items of a list in a source."""

    number: int  # of the source
    items: tuple[tuple[int, int], ...]  # [start, end) in the source's text, without bullets
    start: int  # of the introducing line
    end: int  # of the last item
    share: float  # of the question's terms that introduce it, 0..1


def find_list(
    question: str, sources: Sequence[Source], weight: Callable[[str], float], settings: PhraseSettings
) -> FoundList | None:
    """The list whose introduction, with the heading above it, repeats most of the question; None below a minimum share.

    `weight`: the inverse document frequency of a term.
    """
    asked = {term: weight(term) for term in terms(content(question))}
    total = sum(asked.values())
    best: FoundList | None = None
    for source in sources[: settings.list_sources]:
        lines = lines_of(source.text)
        for n in range(len(lines)):
            items = _items_below(lines, n)
            if len(items) < 2 or total <= 0:
                continue
            share = _share(asked, lines, n, source) / total
            if share >= settings.list_share and (best is None or share > best.share + settings.list_margin):
                spans = tuple(_item_span(line) for line in items[:MAX_ITEMS])
                best = FoundList(source.number, spans, lines[n].start, items[-1].end, min(share, 1.0))
    return best


def lines_of(text: str) -> list[Line]:
    """The lines of a text, except blank ones."""
    found: list[Line] = []
    start = 0
    for line in text.split("\n"):
        stripped = line.strip()
        if stripped:
            left = start + line.index(stripped[0])
            found.append(Line(stripped, left, left + len(stripped)))
        start += len(line) + 1
    return found


def _items_below(lines: Sequence[Line], n: int) -> list[Line]:
    """The items that line n introduces: bulleted lines, or short lines after a colon that are no rows of a table."""
    intro = lines[n].text
    introduces = bool(_INTRODUCES.search(intro))
    if BULLET.match(intro) and not introduces:
        return []
    heading = len(intro) <= _MAX_HEADING and not intro.endswith((".", "。", ",", "，"))
    found: list[Line] = []
    if introduces or heading:
        for line in lines[n + 1 :]:
            if not BULLET.match(line.text):
                break
            found.append(line)
    if found or not introduces:
        return found
    for line in lines[n + 1 : n + 1 + MAX_ITEMS]:
        if len(line.text) > _MAX_PLAIN_ITEM or _INTRODUCES.search(line.text) or line.text.endswith((".", "。")):
            break
        found.append(line)
    return [] if sum(_TABLE_ROW.search(line.text) is not None for line in found) > 1 else found


def _item_span(line: Line) -> tuple[int, int]:
    """An item without its bullet; a long one up to the end of its first sentence."""
    bullet = BULLET.match(line.text)
    start = line.start + (bullet.end() if bullet else 0)
    text = line.text[start - line.start :]
    if len(text) > MAX_ITEM_CHARACTERS and (stop := _STOP.search(text)):
        text = text[: stop.start()]
    return start, start + len(text[:MAX_ITEM_CHARACTERS].rstrip(" ;；,，.。、"))


def _share(asked: dict[str, float], lines: Sequence[Line], n: int, source: Source) -> float:
    """Weight of the question's terms in the line; those in the line before, or the source's headings, count half."""
    own = set(terms(lines[n].text))
    near = set(terms(" ".join([*(line.text for line in lines[max(n - 2, 0) : n]), *source.heading, source.document])))
    return sum(weight if term in own else weight / 2 if term in near else 0.0 for term, weight in asked.items())


def split_items(text: str) -> list[tuple[int, int]]:
    """The items of "A, B and C" as spans; all of it if it is not an enumeration.

    Semicolons separate items if there are any, else enumeration commas, else commas; "and" separates only within the
    last part, and not after a comma, where the last item starts: "Safety and Graphics, and Energy". A clause is not an
    item, nor is what follows it: "a node; it is used to keep the parsed tree".
    """
    if clause := _CLAUSE.search(text):
        return split_items(text[: clause.start()]) if clause.start() else [(0, len(text))]
    separator = next((one for one in _SEPARATORS if one.search(text)), None)
    pieces = _cut(text, separator) if separator else [(0, len(text))]
    start, end = pieces[-1]
    if led := _AND_BEFORE.match(text, start, end):
        pieces[-1] = (led.end(), end)
    elif (last := _last(_AND, text, start, end)) and (separator is None or last.start() > start):
        pieces[-1:] = [(start, last.start()), (last.end(), end)]
    whole = [(0, len(text))]
    if not 2 <= len(pieces) <= MAX_ITEMS:
        return whole
    return pieces if all(sum(map(str.isalnum, text[a:b])) > 1 for a, b in pieces) else whole


def _cut(text: str, separator: re.Pattern[str]) -> list[tuple[int, int]]:
    edges = [(0, 0), *(match.span() for match in separator.finditer(text)), (len(text), len(text))]
    return [(left, right) for (_, left), (right, _) in pairwise(edges) if text[left:right].strip()] or [(0, len(text))]


def _last(pattern: re.Pattern[str], text: str, start: int, end: int) -> re.Match[str] | None:
    return max(pattern.finditer(text, start, end), key=lambda match: match.start(), default=None)


def enumeration_around(sentence: str, start: int, end: int) -> list[tuple[int, int]]:
    """The items of the enumeration around the item [start, end): "A, B and C"; without one, the span itself."""
    before = max((match.end() for match in _LIST_START.finditer(sentence, 0, start)), default=0)
    stop = _STOP.search(sentence, end)
    after = stop.start() if stop else len(sentence)
    items = [(before + a, before + b) for a, b in split_items(sentence[before:after])]
    inside = any(a <= start and end <= b for a, b in items)
    short = all(b - a <= MAX_INLINE_ITEM for a, b in items)
    return [_without_end(sentence, *one) for one in items] if inside and short and len(items) > 2 else [(start, end)]


def names_around(sentence: str, start: int, end: int) -> list[tuple[int, int]]:
    """The names of the enumeration that the span [start, end) is in: "France, Germany, and Spain"; [] without one."""
    around = next((one for one in _NAMES.finditer(sentence) if one.start() <= start and end <= one.end()), None)
    return [one.span() for one in _NAME.finditer(sentence, *around.span())] if around else []


def _without_end(sentence: str, start: int, end: int) -> tuple[int, int]:
    """An item without the word that ends an enumeration: "等"."""
    match = _LIST_END.search(sentence, start, end)
    return start, match.start() if match and match.start() > start else end
