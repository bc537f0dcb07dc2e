"""Answer + sources -> citations, sentence by sentence. Asks no model.

A reader marks the sources it used with `[n]`, and may be wrong. Each sentence is looked for in the sources: a mark
stands only where the source holds enough of the sentence, numbers above all; a sentence without a mark gets one where
a source clearly holds it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rag.answer.marks import extract_citation_marks
from rag.answer.sentences import spans
from rag.index.tokenize import terms
from rag.language import mainly_chinese
from rag.records import Citation, Sentence, Source
from rag.settings import AnswerSettings


@dataclass(frozen=True, slots=True)
class _Marked:
    text: str  # without marks
    numbers: tuple[int, ...]
    lead: str


def check(answer: str, sources: Sequence[Source], settings: AnswerSettings) -> tuple[Sentence, ...]:
    """Cut an answer into sentences and say which sources each rests on, best first."""
    indexed = [(source, _Text.of(source.text)) for source in sources]
    sentences = []
    for marked in _marked_sentences(answer):
        citations = _citations(marked, indexed, settings)
        sentences.append(Sentence(marked.text, citations, marked.lead))
    return tuple(sentences)


def _marked_sentences(answer: str) -> list[_Marked]:
    """Sentences of the answer with the source numbers marked inside them, or right behind their end."""
    plain, marks = extract_citation_marks(answer)
    bounds = spans(plain)
    found: list[_Marked] = []
    for n, (start, end) in enumerate(bounds):
        after = bounds[n + 1][0] if n + 1 < len(bounds) else len(plain) + 1
        before = bounds[n - 1][1] if n else 0
        numbers = [
            number
            for mark in marks
            if start < mark.offset <= end or end < mark.offset < after
            for number in mark.numbers
        ]
        found.append(_Marked(plain[start:end], tuple(dict.fromkeys(numbers)), plain[before:start]))
    return found


@dataclass(frozen=True, slots=True)
class _Text:
    """A source's text cut up once: sentence spans and the terms of each."""

    text: str
    spans: list[tuple[int, int]]
    terms: list[set[str]]

    @classmethod
    def of(cls, text: str) -> _Text:
        found = spans(text)
        return cls(text, found, [set(terms(text[start:end])) for start, end in found])


def _citations(
    marked: _Marked, indexed: Sequence[tuple[Source, _Text]], settings: AnswerSettings
) -> tuple[Citation, ...]:
    kept: list[Citation] = []
    others: list[Citation] = []
    for source, text in indexed:
        across = mainly_chinese(marked.text) != mainly_chinese(source.text)
        support, start, end = _support(marked.text, text)
        citation = Citation(source.number, support, start, end)
        if source.number in marked.numbers and (across or support >= settings.min_marked_support):
            kept.append(citation)
        elif support >= settings.min_unmarked_support:
            others.append(citation)
    if kept:
        return tuple(sorted(kept, key=lambda citation: -citation.support)[: settings.max_citations])
    return (max(others, key=lambda citation: citation.support),) if others else ()


def _support(sentence: str, source: _Text) -> tuple[float, int, int]:
    """(share of the sentence's terms in the best stretch of up to two sentences, its span in the source).

    A number of the sentence that the stretch lacks halves the share: figures are what a wrong answer gets wrong.
    """
    wanted = set(terms(sentence))
    numbers = {term for term in wanted if term[0].isdigit()}
    if wanted == numbers:  # "1." of a list says nothing
        return 0.0, 0, 0
    verbatim = source.text.find(sentence)
    if verbatim >= 0:
        return 1.0, verbatim, verbatim + len(sentence)
    best = (0.0, 0, 0)
    for n, (start, _) in enumerate(source.spans):
        for last in (n, n + 1):
            if last >= len(source.spans):
                break
            held = source.terms[n] | source.terms[last]
            share = len(wanted & held) / len(wanted) / (1 if numbers <= held else 2)
            if share > best[0] + 1e-9:
                best = (share, start, source.spans[last][1])
    return best
