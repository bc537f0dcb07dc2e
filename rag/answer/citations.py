"""Answer + sources -> citations, sentence by sentence. Calls no model.

A reader marks the sources it used with `[n]`, and may be wrong. Each sentence of the answer is looked up in the
sources. A marked source is cited only if it supports enough of the sentence; a sentence without a supported mark cites
the source that supports it best, if that clearly does. A source supports the share of the sentence's terms that two
neighbouring sentences of the source hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rag.answer.marks import extract_citation_marks
from rag.answer.sentences import sentence_spans
from rag.index.tokenize import terms
from rag.language import mainly_chinese
from rag.records import Citation, ClaimState, Sentence, Source
from rag.settings import AnswerSettings


def check_citations(answer: str, sources: Sequence[Source], settings: AnswerSettings) -> tuple[Sentence, ...]:
    """Split an answer into sentences, each with the sources it rests on, best supported first."""
    indexed = [_IndexedSource.of(source) for source in sources]
    found: list[Sentence] = []
    for marked in _marked_sentences(answer):
        citations = _cite(marked, indexed, settings)
        claim = ClaimState.SUPPORTED if citations else ClaimState.NOT_FOUND
        found.append(Sentence(marked.text, citations, marked.lead, claim))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _MarkedSentence:
    """A sentence of the answer as the reader marked it."""

    text: str  # without marks
    numbers: tuple[int, ...]  # marked, in order
    lead: str  # white space before it


def _marked_sentences(answer: str) -> list[_MarkedSentence]:
    """The sentences of an answer, each with the numbers of the marks inside it and right after it."""
    plain, marks = extract_citation_marks(answer)
    spans = sentence_spans(plain)
    found: list[_MarkedSentence] = []
    for n, (start, end) in enumerate(spans):
        next_start = spans[n + 1][0] if n + 1 < len(spans) else len(plain) + 1
        previous_end = spans[n - 1][1] if n else 0
        numbers = [
            number
            for mark in marks
            if start < mark.offset <= end or end < mark.offset < next_start
            for number in mark.numbers
        ]
        found.append(_MarkedSentence(plain[start:end], tuple(dict.fromkeys(numbers)), plain[previous_end:start]))
    return found


@dataclass(frozen=True, slots=True)
class _IndexedSource:
    """A source with its sentences and their terms, found once for all sentences of an answer."""

    source: Source
    spans: list[tuple[int, int]]
    terms: list[set[str]]  # of each span

    @classmethod
    def of(cls, source: Source) -> _IndexedSource:
        spans = sentence_spans(source.text)
        return cls(source, spans, [set(terms(source.text[start:end])) for start, end in spans])

    def citation_for(self, sentence: str, missing_number_factor: float) -> Citation:
        """The sentence, or two neighbouring ones, that hold most of a sentence's terms, and the share they hold.

        If they lack a number of the sentence, the support is multiplied by `missing_number_factor`: numbers are what
        wrong answers get wrong.
        """
        number, text = self.source.number, self.source.text
        wanted = set(terms(sentence))
        numbers = {term for term in wanted if term[0].isdigit()}
        if wanted == numbers:  # only numbers, such as "1." of a list: no claim
            return Citation(number, 0.0, 0, 0)
        verbatim = text.find(sentence)
        if verbatim >= 0:
            return Citation(number, 1.0, verbatim, verbatim + len(sentence))
        best = Citation(number, 0.0, 0, 0)
        for neighbours in (0, 1):  # of equals the shorter one, and the first one, is cited
            for first in range(len(self.spans) - neighbours):
                last = first + neighbours
                held = self.terms[first] | self.terms[last]
                support = len(wanted & held) / len(wanted) * (1.0 if numbers <= held else missing_number_factor)
                if support > best.support + 1e-9:
                    best = Citation(number, support, self.spans[first][0], self.spans[last][1])
        return best


def _cite(marked: _MarkedSentence, sources: Sequence[_IndexedSource], settings: AnswerSettings) -> tuple[Citation, ...]:
    """The marked sources that support a sentence, else the one other source that clearly does, else none."""
    marked_citations: list[Citation] = []
    other_citations: list[Citation] = []
    for indexed in sources:
        citation = indexed.citation_for(marked.text, settings.missing_number_factor)
        # Terms cannot agree across scripts, so there the reader's own mark is believed.
        across = mainly_chinese(marked.text) != mainly_chinese(indexed.source.text)
        if citation.number in marked.numbers and (across or citation.support >= settings.min_marked_support):
            marked_citations.append(citation)
        elif citation.support >= settings.min_unmarked_support:
            other_citations.append(citation)
    if marked_citations:
        marked_citations.sort(key=lambda citation: -citation.support)
        return tuple(marked_citations[: settings.max_citations])
    return (max(other_citations, key=lambda citation: citation.support),) if other_citations else ()
