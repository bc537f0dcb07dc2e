"""Suggests questions that follow on an answer: tries them with the finders of answers, over the same documents."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from typing import Final

from rag.answer.answering import Answerer
from rag.answer.asked import Asked, Retrieved
from rag.answer.follow_ups import Finders, follow_ups, same_cell
from rag.answer.own_name import COVER_CHARACTERS, company_on_cover
from rag.pdf.table import Table
from rag.records import Document, ShortAnswer, Source

MAX_SECONDS: Final = 3.0  # after which nothing more is tried: the answer counts as complete only afterwards
MAX_OTHERS: Final = 6  # documents that are asked the same
_PART: Final = re.compile(r"[\W_]+")
_BEFORE_FIGURE: Final = (
    r"\s{0,3}(?:(?:in|for|during) (?:fiscal )?(?:year )?\d{4}, )?"
    r"(?:the (?:\d{1,3}(?:\.\d)? ?(?:percent|%) )?"
    r"(?:increase|decrease|decline|growth|change|reduction|improvement) in )?"
    r"(?:(?:our|the|total|consolidated|overall|net|reported|company[’']s) ){0,4}"
)
_AFTER_FIGURE: Final = (
    r",? (?:\(\w+\) )?(?:margins?|rates?|before|from|of|attributable|per|and|as|measured|in (?!fiscal|\d{4}))"
)


def suggest(
    answerer: Answerer, asked: Asked, sources: tuple[Source, ...], may_go_on: Callable[[], bool] = lambda: True
) -> tuple[str, ...]:
    """Questions to ask next, after a complete one and its sources; often none.

    None is tried after MAX_SECONDS, or once `may_go_on` says no.
    """
    if not may_go_on():
        return ()
    found = answerer.again(asked, sources)
    if found.asks_why:
        return ()
    end = time.monotonic() + MAX_SECONDS

    def in_time() -> bool:
        return time.monotonic() < end and may_go_on()

    tried: dict[str, tuple[ShortAnswer, tuple[Source, ...]] | None] = {}

    def figure(question: str) -> ShortAnswer | None:
        if question not in tried and in_time():
            tried[question] = answerer.figure(asked, replace(found, queries=(question,)))
        answer = tried.get(question)
        return answer[0] if answer else None

    def table(short: ShortAnswer) -> Table | None:
        given = next((answer for answer in tried.values() if answer and answer[0] is short), None)
        return _table_of(short, given[1], found) if given else None

    def is_explained(question: str, names: Collection[str]) -> bool:
        fact = answerer.fact(asked, replace(found, queries=(question,))) if in_time() else None
        return fact is not None and fact.short.sure and any(is_about(row.text, names) for row in fact.rows)

    return follow_ups(
        asked.question, Finders(figure, table, is_explained, lambda: _elsewhere(answerer, asked, found, in_time))
    )


def is_about(sentence: str, names: Collection[str]) -> bool:
    """Whether a sentence that gives a reason begins with the figure itself, and not with a part or a ratio of it."""
    figure = "|".join(re.escape(name) for name in names)
    return re.match(rf"{_BEFORE_FIGURE}(?:{figure})(?!{_AFTER_FIGURE})\b", sentence, re.IGNORECASE) is not None


def _table_of(short: ShortAnswer, sources: tuple[Source, ...], found: Retrieved) -> Table | None:
    """The whole table that a figure stands in."""
    if short.table is None or not short.table.marked:
        return None
    row, _ = short.table.marked[0]
    label, cells = short.table.rows[row][0], [cell for cell in short.table.rows[row][1:] if cell]
    cited = {citation.number for citation in short.citations}
    for source in sources:
        for page in found.tables.of(source) if source.number in cited else ():
            for table in page.tables:
                for one in table.rows:
                    texts = [cell.text for cell in one.cells if cell]
                    if one.label == label and all(any(same_cell(text, cell) for text in texts) for cell in cells):
                        return table
    return None


def _elsewhere(answerer: Answerer, asked: Asked, found: Retrieved, in_time: Callable[[], bool]) -> Iterator[str]:
    """The same question of other documents in scope, each of another company, that answer it for sure.

    None is tried once it is not `in_time`.
    """
    written = _as_written(asked.question, {term for terms in found.named.values() for term in terms})
    if not written:
        return
    seen = {written.casefold()}
    others = [
        document
        for document in answerer.store.documents(asked.scope.owner)
        if document.id not in found.named and asked.scope.allows((document.owner, document.id))
    ]
    for document in sorted(others, key=lambda one: not _is_alike(one, found))[:MAX_OTHERS]:
        _, cover = answerer.store.page_text(document.owner, document.id, 0)
        name = company_on_cover(document.name, cover[:COVER_CHARACTERS])
        if not in_time():
            return
        if not name or name.casefold() in seen:
            continue
        seen.add(name.casefold())
        candidate = replace(asked, question=asked.question.replace(written, name))
        again = answerer.again(candidate, ())
        answer = answerer.figure(candidate, again) if document.id in again.named else None
        if answer and answer[0].sure and _is_from(answer, {document.id}):
            yield candidate.question


def _is_from(answer: tuple[ShortAnswer, tuple[Source, ...]], documents: Collection[str]) -> bool:
    """Whether a figure stands in one of these documents."""
    cited = {citation.number for citation in answer[0].citations}
    return bool(cited) and all(source.document_id in documents for source in answer[1] if source.number in cited)


def _is_alike(document: Document, found: Retrieved) -> bool:
    """Whether a document has the year, or another number, in its name that those asked about have in theirs."""
    numbers = {part for source in found.sources for part in _PART.split(source.document) if part.isdigit()}
    return bool(numbers & set(_PART.split(document.name)))


def _as_written(question: str, terms: set[str]) -> str:
    """The name of the document as the question writes it; "" if it does not stand there exactly once."""
    if not terms:
        return ""
    one = "|".join(re.escape(term) for term in sorted(terms, key=len, reverse=True))
    places = list(re.finditer(rf"(?<!\w)(?:{one})(?:[\s&.-]{{1,3}}(?:{one}))*(?!\w)", question, re.IGNORECASE))
    return places[0].group() if len(places) == 1 else ""
