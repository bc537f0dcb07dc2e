"""A question from start to finish: what is searched, what is answered, and how reliable the answer is."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from rag.answer.absent_nouns import AbsentNouns
from rag.answer.agreement import contradict
from rag.answer.answerability import EvidenceScorer
from rag.answer.asked import Asked, Findings, Retrieved
from rag.answer.cells.short_cell import short_cell
from rag.answer.citations import AnswerChecker
from rag.answer.document_answer import DocumentAnswer
from rag.answer.doubt import Doubt, doubt_of_words, judge
from rag.answer.evidence import Coverage, named_first, of_documents_that_mention, prompt_evidence, take_turns
from rag.answer.facts.short_fact import FactFinder
from rag.answer.figures.short_figure import short_figure
from rag.answer.metrics.documents import StatementFinder
from rag.answer.metrics.short_metric import short_metric, unreported
from rag.answer.missing import Comparison, KnownLibrary
from rag.answer.on_topic import on_topic
from rag.answer.own_name import DocumentNames
from rag.answer.phrases.short_phrase import PhraseFinder
from rag.answer.reading import ModelContext, checked
from rag.answer.row_quotes import HeadedRows, with_headings
from rag.answer.source_tables import KeptTables, SourceTables
from rag.answer.steady import LastRead
from rag.answer.summary.summary import Summary, summarise
from rag.answer.units import with_units
from rag.answer.whole.read import Parts, WholeReading, WholeRequest, whole_request
from rag.errors import Stopped
from rag.index.protocols import TermWeight
from rag.preferences import DEFAULT_PREFERENCES, Preferences
from rag.reader import Evidence, Reader, Sampling
from rag.records import (
    Answer,
    AnswerState,
    DocumentKey,
    Event,
    Found,
    ShortAnswer,
    Source,
)
from rag.retrieve.everyday_words import in_words_of_documents, says_in
from rag.retrieve.query import build_query
from rag.retrieve.retriever import Retriever
from rag.settings import Settings
from rag.store.database import Store

_Candidate = tuple[ShortAnswer, list[Evidence]]  # a short answer, and what it is taken from


class Answerer:
    """Answers questions about one library."""

    def __init__(
        self, store: Store, retriever: Retriever, scorer: EvidenceScorer, phrases: PhraseFinder, settings: Settings
    ) -> None:
        self.store, self._retriever, self.scorer, self._settings = store, retriever, scorer, settings
        self._names = DocumentNames(store, retriever.searching, settings.retrieval.routing.min_own_voice)
        self._absent = AbsentNouns(scorer.embedder, settings.answering.doubt)
        self._statements = StatementFinder(store, retriever.searching.named_documents)
        self._facts, self._tables = FactFinder(store), KeptTables(store)
        self._phrases, self._last_read = phrases, LastRead()

    def answer(self, asked: Asked, reader: Reader, sampling: Sampling, stop: threading.Event) -> Iterator[Event]:
        """One Found, Pieces as they arrive, one Answer.

        Raises ReaderError, Stopped if `stop` was set before the reader began, and QuestionRefused, which can also come
        after Found if the question leaves no room for sources.
        """
        began = time.monotonic()
        preferences, mentioned = asked.options.preferences, self._mentioned(asked)
        sampling = preferences.sampling(sampling, reader.context_tokens)
        settings = preferences.answering(self._settings.answering).summary
        context = ModelContext(asked, reader, sampling, self.store, self._settings, self._last_read)
        if whole := None if reader.quotes_evidence else self._whole(asked, mentioned, context):
            yield from self._read_whole(asked, *whole, reader, stop)
            return
        if summary := summarise(self.store, asked.scope, asked.question, settings, mentioned):
            yield from self._summarise(asked, summary, reader, context, stop)
            return
        capacity = context.capacity()
        found = self.retrieve(asked, capacity.sources, capacity.full_pages)
        raise_if_set(stop)
        # A figure of accounts or a fact may be on pages that are not among the sources.
        placed = self._metric(asked, found) or self.fact(asked, found)
        if placed is not None:
            found = replace(found, sources=placed.at_most(preferences.sources))
        found = replace(found, sources=context.arranged(found.sources, capacity, cited=placed is not None))
        yield Found(found.sources, found.queries[0], found.queries[1:], reader.writes_markdown)
        findings = self.find(asked, found, placed, stop)
        raise_if_set(stop)
        comparison, short, anyway = self.compare(asked, found), findings.short, asked.options.anyway
        doubt = self._doubt(asked, found, findings, comparison, placed)
        checker = AnswerChecker(found.sources, self._settings.answering)
        rows = _headed(doubt, short if doubt.state is AnswerState.ANSWER or anyway else None, found, checker)
        given = rows.quoted if reader.quotes_evidence else prompt_evidence(short, doubt.quoted)
        reading = context.read(found.sources, given, found.tables, stop)
        cut = yield from checked(reading if found.sources else (), checker)
        if not reader.quotes_evidence:  # a model's own words are the answer
            doubt = doubt_of_words(comparison, checker.text, stop.is_set(), doubt, preferences.strictness)
            short = None
        short = short if doubt.state is AnswerState.ANSWER or anyway else None
        unsure = short is not None and short.table is not None and not short.sure
        yield Answer(
            sentences=rows.cited(checker.finish()),
            reader=reader.name,
            state=AnswerState.CLOSEST if unsure else doubt.state,
            missing=doubt.missing,
            stopped=stop.is_set(),
            seconds=time.monotonic() - began,
            short=short,
            cut=cut,
        )

    def again(self, asked: Asked, sources: tuple[Source, ...]) -> Retrieved:
        """A question with the sources of another one, without a search."""
        named = self._retriever.searching.named_documents(asked.question, asked.scope)
        question = asked.question
        return Retrieved((question,), (question,), np.zeros((1, 0), np.float32), sources, named, self.tables(asked))

    def figure(self, asked: Asked, found: Retrieved) -> tuple[ShortAnswer, tuple[Source, ...]] | None:
        """The figure that answers a question, from a statement of accounts or the sources' tables, and its sources."""
        metric = self._metric(asked, found)
        if metric is not None:
            return metric.short, metric.sources
        figures = self._settings.answering.figures
        figure = short_figure(found.queries[0], found.sources, found.tables, found.named, figures)
        return (figure[0], found.sources) if figure else None

    def forget(self, document: DocumentKey) -> None:
        """Drop everything kept of a document that was removed or has changed."""
        self._statements.forget(document)
        self._last_read.forget(document[1])
        self._tables.forget(document)
        self._facts.forget(document)
        self._retriever.forget(document)
        self.scorer.sentence_vectors.forget(document)

    def judge(
        self,
        comparison: Comparison,
        findings: Findings,
        *,
        anyway: bool = False,
        preferences: Preferences = DEFAULT_PREFERENCES,
    ) -> Doubt:
        """The doubt about an answer. The cells of a sure figure count as an answer even if no sentence does."""
        short, evidence, odds = findings
        absent = self._absent.find(comparison, evidence)
        settings = preferences.answering(self._settings.answering)
        kept = 0 if short is None else 1
        unit = self.scorer.unit
        doubt = judge(comparison, evidence, unit, settings, odds=odds, absent=absent, anyway=anyway, kept=kept)
        sure = short is not None and short.table is not None and short.sure
        if sure and not (comparison.missing or comparison.unverified or absent):
            return Doubt(AnswerState.ANSWER, quoted=doubt.quoted)
        if short is None and doubt.state is AnswerState.ANSWER:
            names = frozenset[str]().union(*comparison.library.named.values())
            told, quoted = on_topic(comparison.question, doubt.quoted, names)
            return replace(doubt, state=AnswerState.ANSWER if told else AnswerState.CLOSEST, quoted=quoted)
        return doubt

    def _doubt(
        self,
        asked: Asked,
        found: Retrieved,
        findings: Findings,
        comparison: Comparison,
        placed: DocumentAnswer | None,
    ) -> Doubt:
        """The doubt about the findings; none if they are `placed`: every word of such a question was understood."""
        if placed is not None:
            return Doubt(AnswerState.ANSWER, quoted=tuple(placed.rows))
        doubt = self.judge(comparison, findings, anyway=asked.options.anyway, preferences=asked.options.preferences)
        return self._without_statement(doubt, findings.short, asked, found)

    def _without_statement(self, doubt: Doubt, short: ShortAnswer | None, asked: Asked, found: Retrieved) -> Doubt:
        """The doubt, lowered to the closest if no statement of the company is for the year asked about."""
        sure = short is not None and short.sure
        if sure or doubt.state is not AnswerState.ANSWER or not self._settings.answering.short.accounts:
            return doubt
        missing = unreported(self._statements, asked.scope, found.queries[0], found.sources)
        return replace(doubt, state=AnswerState.CLOSEST, missing=(*doubt.missing, *missing)) if missing else doubt

    def _mentioned(self, asked: Asked) -> frozenset[str]:
        """Ids of the documents that the previous question named."""
        last = asked.history[-1] if asked.history and asked.options.complete else None
        named = self._retriever.searching.named_documents(last.completed or last.question, asked.scope) if last else {}
        return frozenset(named)

    def _whole(
        self, asked: Asked, mentioned: frozenset[str], context: ModelContext
    ) -> tuple[WholeReading, Parts] | None:
        """How a model reads whole documents, if the question is about them; else None."""
        kind = whole_request(asked.question)
        if kind is None:
            return None
        named = self._retriever.searching.named_documents(asked.question, asked.scope)
        return context.whole(WholeRequest(asked.question, kind, asked.scope, mentioned, named))

    def _read_whole(
        self, asked: Asked, reading: WholeReading, documents: Parts, reader: Reader, stop: threading.Event
    ) -> Iterator[Event]:
        """A model's answer to a request over whole documents, read in parts if they do not fit."""
        began = time.monotonic()
        yield Found(documents.sources, asked.question)
        checker = AnswerChecker(documents.sources, self._settings.answering)
        cut = yield from checked(reading.read(documents, self.tables(asked), stop), checker)
        sentences, stopped = checker.finish(), stop.is_set()
        state = AnswerState.ANSWER if sentences or stopped else AnswerState.NONE
        seconds = time.monotonic() - began
        yield Answer(sentences, reader.name, state, stopped=stopped, seconds=seconds, cut=cut)

    def _summarise(
        self, asked: Asked, summary: Summary, reader: Reader, context: ModelContext, stop: threading.Event
    ) -> Iterator[Event]:
        """The answer to a request about whole documents: the reader's or, without a model, selected sentences."""
        began = time.monotonic()
        yield Found(summary.sources, asked.question, (), reader.writes_markdown)
        quoted = (paragraph if n == 0 else f"\n\n{paragraph}" for n, paragraph in enumerate(summary.paragraphs))
        checker = AnswerChecker(summary.sources, self._settings.answering)
        read = context.read(summary.sources, (), self.tables(asked), stop)
        cut = yield from checked(quoted if reader.quotes_evidence else read, checker)
        sentences = tuple(
            replace(one, citations=(), claim=None) if one.text in summary.headings else one for one in checker.finish()
        )
        seconds = time.monotonic() - began
        yield Answer(sentences, reader.name, stopped=stop.is_set(), seconds=seconds, short=summary.short, cut=cut)

    def retrieve(self, asked: Asked, count: int | None = None, full_pages: int | None = None) -> Retrieved:
        """At most `count` sources for a question, completed from the conversation; by default as many as preferred.

        `full_pages`: how many of them are extended to their whole page; by default as configured.
        """
        limit, retrieval = self._settings.limits.question_characters, self._settings.retrieval
        complete = asked.options.complete
        query = build_query(asked.question, asked.history, limit, retrieval.query, complete=complete)
        if complete:
            query = self._names.as_written(query, asked.scope)
            query = in_words_of_documents(query, says_in(self._coverage(asked)))
        named = self._retriever.searching.named_documents(query.completed, asked.scope)
        query = self._names.without_own_name(query, named, asked.scope)
        count = count or asked.options.preferences.sources or retrieval.sources
        vectors, sources = self._retriever.find(query, asked.scope, count, full_pages)
        return Retrieved(query.texts, query.searched, vectors, tuple(sources), named, self.tables(asked))

    def compare(self, asked: Asked, found: Retrieved) -> Comparison:
        """The question compared with its sources, to find what they lack."""
        library = KnownLibrary(
            named=found.named,
            term_weight=self._term_weight(asked),
            coverage=self._coverage(asked),
            first_page=lambda source: self._first_page(asked.scope.owner, source),
        )
        return Comparison(found.queries[0], found.sources, library, self._settings.answering.doubt)

    def tables(self, asked: Asked) -> SourceTables:
        """Looks up the tables on the pages of sources."""
        return SourceTables(self._tables, asked.scope.owner)

    def _first_page(self, owner: str, source: Source) -> str:
        document = self.store.document(owner, source.document_id)
        return self.store.page_text(document.owner, document.id, 0)[1] if document else ""

    def _metric(self, asked: Asked, found: Retrieved) -> DocumentAnswer | None:
        if not self._settings.answering.short.accounts or found.asks_why or found.asks_who:
            return None
        return short_metric(self._statements, asked.scope, found.queries[0], found.sources)

    def fact(self, asked: Asked, found: Retrieved) -> DocumentAnswer | None:
        """The fact or the reason asked for, as a document states it."""
        if not self._settings.answering.short.text or len(found.queries) > 1:
            return None
        return self._facts.find(found.queries[0], asked.scope, found.named, found.sources)

    def find(
        self,
        asked: Asked,
        found: Retrieved,
        placed: DocumentAnswer | None = None,
        stop: threading.Event | None = None,
    ) -> Findings:
        """The figure or else the phrase that answers, and where it is from; no short answer to several questions."""
        question, several = found.queries[0], len(found.queries) > 1
        short = self._settings.answering.short
        figure: _Candidate | None = None
        if placed is not None:
            return Findings(placed.short, placed.rows)
        if not several and short.tables and not found.asks_why:
            figures = self._settings.answering.figures
            figure = short_figure(question, found.sources, found.tables, found.named, figures)
        if figure and figure[1] and figure[0].sure:
            return Findings(*figure)
        if not several and short.tables:
            cell = short_cell(question, found.sources, found.tables, found.named)
            if cell and cell[1] and cell[0].sure:
                return Findings(*cell)
            figure = figure or cell
        raise_if_set(stop)
        evidence = named_first(self._find_evidence(asked, found, stop), found.sources, found.named)
        evidence = of_documents_that_mention(question, evidence, found.sources, found.named, self._coverage(asked))
        compared = self._retriever.searching.compared_documents(question, asked.scope)
        if compared:
            evidence = take_turns(evidence, found.sources, [side.documents or () for side in compared])
        if not short.text or several or compared:
            return Findings(*self._likelier(figure, None, evidence))
        raise_if_set(stop)
        weight = self._term_weight(asked)
        phrase, odds = self._phrases.find(found.searched[0], evidence, found.sources, weight, named=question)
        answer, evidence = self._likelier(figure, phrase, evidence)
        if answer is None or not answer.sure:
            evidence = with_units(evidence, found.sources, kept=0 if answer is None else 1)
        return Findings(answer, evidence, odds)

    def _likelier(
        self, figure: _Candidate | None, phrase: _Candidate | None, evidence: list[Evidence]
    ) -> tuple[ShortAnswer | None, list[Evidence]]:
        """The likelier of two short answers, but never a phrase instead of a figure that had to be computed.

        For an uncertain figure, its rows and the best sentences are shown; also for one that a phrase contradicts.
        """
        if figure is None:
            return phrase or (None, evidence)
        short, rows = figure
        if phrase and self._outweighs(phrase[0], short):
            return phrase
        rows = rows[: self._settings.answering.quoted_sentences - 1]
        quoted = {row.text for row in rows}
        return short, [*rows, *(one for one in evidence if one.text not in quoted)]

    def _outweighs(self, phrase: ShortAnswer, figure: ShortAnswer) -> bool:
        """Whether a phrase should be preferred to a figure."""
        if figure.formula or phrase.confidence < figure.confidence:
            return False
        could_be_right = figure.confidence >= self._settings.answering.figures.doubt_confidence
        return not (could_be_right and contradict(phrase, figure))

    def _find_evidence(self, asked: Asked, found: Retrieved, stop: threading.Event | None) -> list[Evidence]:
        """The sentences that may answer, best first. Raises Stopped."""
        first = 1 if len(found.queries) > 1 else 0  # a compound question is answered part by part
        first_sources = found.sources[: self._settings.answering.evidence_sources]
        documents = [self.store.document(asked.scope.owner, one.document_id) for one in first_sources]
        owners = {document.id: document.owner for document in documents if document is not None}
        questions, vectors, weight = found.searched[first:], found.vectors[first:], self._term_weight(asked)
        return self.scorer.find_evidence(questions, vectors, found.sources, weight, owners, stop)

    def _coverage(self, asked: Asked) -> Coverage:
        """The share of each document's passages that contain a term, for documents the person can see."""
        return lambda term: self._retriever.searching.coverage(term, asked.scope)

    def _term_weight(self, asked: Asked) -> TermWeight:
        """The IDF of terms in the person's library."""
        return lambda term: self._retriever.searching.idf(term, asked.scope)


def _headed(doubt: Doubt, short: ShortAnswer | None, found: Retrieved, checker: AnswerChecker) -> HeadedRows:
    """What is quoted, with headings added to rows, unless a short answer shows them as a table."""
    shown = short is not None and short.table is not None
    return with_headings(doubt.quoted, found.sources, found.tables, checker.claims, shown=shown)


def raise_if_set(stop: threading.Event | None) -> None:
    """Raises Stopped if nobody waits for the answer any more."""
    if stop is not None and stop.is_set():
        raise Stopped
