"""Answer + sources -> each sentence with its claim checked, and the sources that support it. Calls no model.

A reader marks the sources it used with `[n]`, and may be wrong: a mark only decides which of several supporting sources
is cited first.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from rag.answer.claims.check import check_claim, find_verbatim
from rag.answer.claims.sources import SourceIndex
from rag.answer.marks import extract_citation_marks
from rag.answer.sentences import sentence_spans
from rag.records import ClaimState, Sentence, Source
from rag.settings import AnswerSettings

# Sentences that claim nothing about the documents: headings and list openers; greetings, offers, and that the sources
# hold nothing. A source may hold the very words, though.
_HEADING = re.compile(r"#|\*\*[^*]{1,100}\*\*:?\Z|.{0,200}[:：]\Z")
_SMALL_TALK = re.compile(
    r"(?:hello|hi|sure|certainly|of course|thank you|thanks|you're welcome|i hope|let me know|feel free)\b"
    r"|(?:sorry|i'm sorry|i apologi[sz]e|unfortunately,? i|i (?:cannot|can't|could not|am unable|don't))\b"
    r"|if you (?:have any|need (?:any|more|further))\b|please let me\b|no information\b"
    r"|the (?:provided |given )?(?:sources?|documents?|passages?|context) (?:provided )?(?:do(?:es)? not|contains? no)"
    r"|您好|你好|当然|好的|谢谢|不客气|希望|如有|如果您|抱歉|很抱歉|对不起|以下是"
    r"|(?:根据)?(?:提供的|所给)?(?:资料|文档|来源)[中里]?[，,]?(?:无法|没有|未)",
    re.IGNORECASE,
)

_MAY_END = re.compile(r"[\s.!?。！？；]")  # characters at which a sentence may turn out to be complete
_LONG = 1_000  # after this many characters without a complete sentence, check less often


class ClaimChecker:
    """Checks sentences against the same sources, one by one as they arrive."""

    def __init__(self, sources: Sequence[Source], settings: AnswerSettings) -> None:
        """Indexes the sources once."""
        self._index, self._settings = SourceIndex(sources), settings

    def check(self, text: str, marked: Sequence[int] = (), lead: str = "") -> Sentence:
        """A sentence without its marks, checked. `marked`: the numbers of the sources that the reader marked."""
        if not any(character.isalpha() for character in text):  # "1." of a list
            return Sentence(text, (), lead)
        if _HEADING.match(text) and not find_verbatim(text, self._index):
            return Sentence(text, (), lead)
        verdict = check_claim(text, self._index, self._settings.claims, marked)
        if verdict.state is not ClaimState.SUPPORTED and _SMALL_TALK.match(text):
            return Sentence(text, (), lead)
        citations = verdict.citations[: self._settings.max_citations]
        return Sentence(text, citations, lead, verdict.state, verdict.conflicts)


@dataclass(frozen=True, slots=True)
class _MarkedSentence:
    """A sentence of the answer as the reader marked it."""

    text: str  # without marks
    numbers: tuple[int, ...]  # marked, in order
    lead: str  # white space before it


def _marked_sentences(answer: str) -> list[_MarkedSentence]:
    """The sentences of an answer, each with the numbers of the marks in it and right after it."""
    plain, marks = extract_citation_marks(answer)
    spans = sentence_spans(plain)
    found: list[_MarkedSentence] = []
    offsets = [mark.offset for mark in marks]
    for n, (start, end) in enumerate(spans):
        next_start = spans[n + 1][0] if n + 1 < len(spans) else len(plain) + 1
        previous_end = spans[n - 1][1] if n else 0
        own = marks[bisect_right(offsets, start) : bisect_left(offsets, max(next_start, end + 1))]
        numbers = [number for mark in own for number in mark.numbers]
        found.append(_MarkedSentence(plain[start:end], tuple(dict.fromkeys(numbers)), plain[previous_end:start]))
    return found


class AnswerChecker:
    """Checks an answer while it streams in: each sentence once, as soon as the next one has started.

    Takes time in proportion to the answer, since complete sentences are not split again.
    """

    def __init__(self, sources: Sequence[Source], settings: AnswerSettings) -> None:
        """Indexes the sources once."""
        self._pieces: list[str] = []
        self.claims = ClaimChecker(sources, settings)
        self._checked: dict[_MarkedSentence, Sentence] = {}
        self._complete: list[Sentence] = []
        self._rest = ""  # what follows the complete sentences, with marks
        self._next_split = 0  # characters of the rest from which it is split again

    @property
    def text(self) -> str:
        """The answer so far, with marks."""
        return "".join(self._pieces)

    def add(self, piece: str) -> tuple[Sentence, ...]:
        """Add the next characters; returns all complete sentences if there are more than before, else nothing."""
        self._pieces.append(piece)
        self._rest += piece
        if len(self._rest) < self._next_split or not _MAY_END.search(piece):
            return ()
        complete = _marked_sentences(self._rest)[:-1]
        if not complete:
            self._next_split = len(self._rest) * 9 // 8 if len(self._rest) > _LONG else 0
            return ()
        self._complete += map(self._check, complete)
        self._rest = self._rest[_end_with_marks(self._rest, sum(len(one.lead) + len(one.text) for one in complete)) :]
        self._next_split = 0
        return tuple(self._complete)

    def finish(self) -> tuple[Sentence, ...]:
        """All sentences of the answer."""
        return tuple(map(self._check, _marked_sentences(self.text)))

    def _check(self, marked: _MarkedSentence) -> Sentence:
        found = self._checked.get(marked)
        if found is None:
            found = self._checked[marked] = self.claims.check(marked.text, marked.numbers, marked.lead)
        return found


def _end_with_marks(answer: str, end: int) -> int:
    """The position in the answer with marks of character `end` in the answer without them."""
    _, marks = extract_citation_marks(answer)
    return end + sum(mark.length for mark in marks if mark.offset <= end)


def check_citations(answer: str, sources: Sequence[Source], settings: AnswerSettings) -> tuple[Sentence, ...]:
    """Split a whole answer into sentences, each checked against the sources."""
    checker = AnswerChecker(sources, settings)
    checker.add(answer)
    return checker.finish()
