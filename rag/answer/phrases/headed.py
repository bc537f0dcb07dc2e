"""What is under a heading, or after a label, that the question asks for: the "Languages" of a CV."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

from rag.answer.cells.matching import wording_of
from rag.answer.phrases.kind import Kind
from rag.answer.phrases.lists import FoundList, Line, lines_of, split_items
from rag.language import CJK, find_han, mainly_chinese
from rag.reader import Evidence
from rag.records import Source

HEADED_KINDS: Final = frozenset({Kind.LIST, Kind.THING, Kind.PERSON, Kind.PLACE})
_SOURCES: Final = 3  # from the first, that are looked through
_LINES: Final = 8  # below a heading
_MAX_ITEM: Final = 90  # characters; longer ones are prose
_MAX_WORDS, _MAX_HAN = 4, 10  # of a heading
_NUMBERING: Final = re.compile(r"^\W*(?:\d+(?:\.\d+)*[.)]?|[一二三四五六七八九十]{1,3}、)\s*")
_NO_HEADING: Final = re.compile(r"[\d,，:：;；、|()（）]|[.。!！?？]$")
_PROSE: Final = re.compile(r"[.。!！?？]$")
_NAME: Final = re.compile(
    r"[A-Z][\w&.'’-]*(?: (?:of|the|for|and|[A-Z][\w&.'’-]*)){2,}"
)  # of an institution, no heading
_LABEL: Final = re.compile(r"\W*(?P<label>[^:：\n]{2,40})[:：]\s*(?P<value>[^\s:：；;].{0,80})")
_NEXT_LABEL: Final = re.compile(rf"[\s，,;；]\s{{0,20}}(?=[{CJK}（）()]{{2,12}}[:：])")
_IN_BRACKETS: Final = re.compile(r"[（(][^（）()]{1,20}[)）]")
_OTHER_VALUE: Final = re.compile(
    r"[，,](?=\s{0,5}(?:电话|手机|邮箱|微信|传真|地址|tel\b|phone\b|e-?mail\b))", re.IGNORECASE
)
_END: Final = 2  # characters of a Chinese label that name what it is for
_SHARE: Final = 0.7  # of the question that a heading and its document have
_LABEL_SHARE: Final = 0.9  # the same of a label
_LOOKED_AT: Final = 12  # sentences


def find_headed(question: str, sources: Sequence[Source]) -> FoundList | None:
    """The short lines below a heading that contains all words of the question; None without such a heading."""
    wording = wording_of(question)
    best: FoundList | None = None
    for source in sources[:_SOURCES] if wording.parts else ():
        lines = lines_of(source.text)
        around, title = wording.held(_context(source)), wording.held(lines[0].text if lines else "")
        for n, line in enumerate(lines):
            heading = _NUMBERING.sub("", line.text)
            if not _is_heading(heading) or not (held := wording.held(heading)) - title or wording.unasked(heading):
                continue
            share = wording.share(held | around, chinese=mainly_chinese(source.text))
            items = list(_below(lines[n + 1 : n + 1 + _LINES]))
            lacking = wording.lacks_noun(held | around)
            if items and not lacking and share >= _SHARE and (best is None or share > best.share):
                best = FoundList(source.number, _spans(source.text, items), line.start, items[-1].end, share)
    return best


def find_label(
    question: str, evidence: Sequence[Evidence], sources: Sequence[Source]
) -> tuple[Evidence, int, int] | None:
    """The label that the question names, using otherwise only words about its document, and its value.

    A line may have several labels: "性别：男　年龄：46岁". If no label is the very one, it is the only one of which the
    question names the end: 功率 of 额定功率.
    """
    wording, texts = wording_of(question), {source.number: source for source in sources}
    longer = []
    for found in evidence[:_LOOKED_AT] if wording.parts else ():
        source = texts[found.number]
        for line in _labels(found.text):
            label = _IN_BRACKETS.sub("", line["label"])
            if not (held := wording.held(label)) or held <= wording.held(source.text.partition("\n")[0]):
                continue
            share = wording.share(held | wording.held(_context(source)), chinese=mainly_chinese(found.text))
            own = _OTHER_VALUE.split(line["value"], 1)[0]
            value = found, line.start("value"), line.start("value") + len(own.rstrip())
            if share >= _LABEL_SHARE and (label in question or not wording.unasked(label)):
                return value
            if share >= _LABEL_SHARE and wording.held(label[-_END:]) == held and find_han(label):
                longer.append(value)
    return longer[0] if len({found.text[start:end] for found, start, end in longer}) == 1 else None


def _labels(text: str) -> Iterator[re.Match[str]]:
    """The labels of a line, each with its value."""
    starts = [0, *(match.end() for match in _NEXT_LABEL.finditer(text))]
    for start, end in pairwise([*starts, len(text)]):
        field = _LABEL.fullmatch(text, start, start + len(text[start:end].rstrip("。. \n\u3000，,;；")))
        if field is not None:
            yield field


def deeds_first(question: str, evidence: Sequence[Evidence], sources: Sequence[Source]) -> Sequence[Evidence]:
    """The evidence; first a sentence with what the question says of its document, if the best one lacks that.

    "Who founded Thornbury Glassworks?" is not answered by a sentence about the glassworks that founds nothing.
    """
    wording, texts = wording_of(question), {source.number: source for source in sources}
    if not evidence or evidence[0].number not in texts:
        return evidence
    wanted = frozenset(range(len(wording.parts))) - wording.held(_context(texts[evidence[0].number]))
    if not wanted or wording.held(evidence[0].text) & wanted:
        return evidence
    for found in evidence[1:_LOOKED_AT]:
        same = found.number == evidence[0].number
        if same and 2 * wording.weight_of(wording.held(found.text) & wanted) >= wording.weight_of(wanted):
            return [found, *(one for one in evidence if one is not found)]
    return evidence


def _context(source: Source) -> str:
    """What a source is about, as its title and headings say."""
    return " ".join((source.document, *source.heading, source.text[:100]))


def _is_heading(text: str) -> bool:
    short = len(find_han(text)) <= _MAX_HAN if mainly_chinese(text) else len(text.split()) <= _MAX_WORDS
    return bool(text) and short and not _NO_HEADING.search(text)


def _below(lines: Sequence[Line]) -> Iterator[Line]:
    """The lines up to the next heading, or the first label after lines without one; none if they are prose."""
    for n, line in enumerate(lines):
        text = _NUMBERING.sub("", line.text)
        if _PROSE.search(line.text) or len(line.text) > _MAX_ITEM:
            return
        if n and _is_heading(text) and not _NAME.fullmatch(text):
            return
        if n and _LABEL.fullmatch(line.text) and not _LABEL.fullmatch(lines[0].text):
            return
        yield line


def _spans(text: str, items: Sequence[Line]) -> tuple[tuple[int, int], ...]:
    """Each line, or the items of a single one."""
    if len(items) > 1:
        return tuple((line.start, line.end) for line in items)
    start = items[0].start
    return tuple((start + a, start + b) for a, b in split_items(text[start : items[0].end]))
