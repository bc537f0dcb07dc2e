"""Converts the engine's records to what programs get: pages counted from 1, and citations with the words they quote."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime

from rag import records
from rag.answer.view import place_of
from rag.errors import FileRefused
from rag.records import Answer, AnswerState, Found, Job
from rag.store.access import collection_of
from rag.store.rows import StoredPage
from webui.conversation import Exchange
from webui.engine import Engine
from webui.server.api import shapes
from webui.strings import Language, say, say_message
from webui.views.doubts import doubt_of
from webui.views.short import repeats_list, repeats_rows, short_text


def source_shape(source: records.Source) -> shapes.Source:
    """A source."""
    return shapes.Source(
        number=source.number,
        document_id=source.document_id,
        document=source.document,
        page=source.first_page + 1,
        last_page=source.last_page + 1,
        page_label=source.page_label,
        heading=list(source.heading),
        text=source.text,
        score=round(source.score, 4),
    )


class AnswerShapes:
    """An answer as programs get it. Looks up the pages of its citations."""

    def __init__(self, engine: Engine, owner: str, question: str, found: Found, answer: Answer) -> None:
        self._engine, self._owner = engine, owner
        self._exchange = Exchange(0, question, found=found, answer=answer)
        self._answer, self._found = answer, found

    def response(self, language: Language) -> shapes.AskResponse:
        """The whole answer."""
        answer = self._answer
        short = answer.short
        return shapes.AskResponse(
            state=answer.state.value,
            text=answer_text(self._exchange, language),
            short=None
            if short is None
            else shapes.ShortAnswer(
                values=list(short.values),
                scale=short.scale,
                labels=list(short.labels),
                formula=short.formula,
                sure=short.sure,
                citations=self._cited(short.citations),
            ),
            sentences=[
                shapes.Sentence(
                    text=sentence.text,
                    claim=sentence.claim.value if sentence.claim else None,
                    citations=self._cited(sentence.citations),
                )
                for sentence in answer.sentences
            ],
            citations=self.citations(),
            sources=[source_shape(source) for source in self._found.sources],
            question=self._found.query,
            missing=list(answer.missing),
            incomplete=say_message(language, answer.cut) if answer.cut else "",
            reader=answer.reader,
            seconds=round(answer.seconds, 3),
        )

    def citations(self) -> list[shapes.Citation]:
        """All citations of the answer in order, each place once."""
        answer = self._answer
        cited = list(answer.short.citations) if answer.short else []
        cited += [citation for sentence in answer.sentences for citation in sentence.citations]
        places = {(one.number, one.start, one.end): one for one in cited}
        return self._cited(places.values())

    def _cited(self, citations: Iterable[records.Citation]) -> list[shapes.Citation]:
        sources = {source.number: source for source in self._found.sources}
        return [self._citation(sources[one.number], one) for one in citations if one.number in sources]

    def _citation(self, source: records.Source, citation: records.Citation) -> shapes.Citation:
        place = place_of(citation, source, lambda: self._pages(source))
        return shapes.Citation(
            number=source.number,
            document_id=source.document_id,
            document=source.document,
            page=place.page + 1,
            page_label=place.label,
            quote=place.quote,
        )

    def _pages(self, source: records.Source) -> tuple[StoredPage, ...]:
        """The pages of a source; none if its document has been removed."""
        with suppress(FileRefused):
            return self._engine.pages.read(self._owner, source.document_id, source.first_page, source.last_page)
        return ()


def answer_text(exchange: Exchange, language: Language) -> str:
    """A finished answer in words, the short answer first, its citations as [n]; or why there is none."""
    answer = exchange.answer
    if answer is None:
        return ""
    if answer.reply:
        return say_message(language, answer.reply)
    short, doubt = answer.short, doubt_of(exchange, language)
    if doubt and doubt.state is AnswerState.NONE:
        return doubt.in_one_line(language)
    warning = doubt.in_one_line(language) if doubt else ""
    stated = short_text(short, language) if short and not doubt else ""
    said = "" if stated and (repeats_rows(answer) or repeats_list(answer)) else exchange.cited_answer()
    return "\n\n".join(part for part in (warning, stated, said) if part)


def source_lines(citations: Iterable[shapes.Citation], language: Language) -> list[str]:
    """A line for each cited source, such as "[1] report.pdf, p. 12"."""
    pages: dict[tuple[int, str], dict[str, None]] = {}
    for one in sorted(citations, key=lambda citation: citation.number):
        pages.setdefault((one.number, one.document), {})[one.page_label] = None
    return [
        f"[{number}] {' '.join(document.split())}, {say(language, 'page', label=', '.join(labels))}"
        for (number, document), labels in pages.items()
    ]


def library_shapes(engine: Engine, owner: str, language: Language) -> Iterator[shapes.Document]:
    """The documents that an owner can see, then those being added."""
    yield from (document_shape(document, language) for document in engine.documents(owner))
    yield from (job_shape(job, language) for job in engine.jobs(owner))


def document_shape(document: records.Document, language: Language) -> shapes.Document:
    """A document that is ready."""
    return shapes.Document(
        id=document.id,
        name=document.name,
        title=document.title,
        state="ready",
        shared=document.owner == "",
        collection=collection_of(document.owner),
        pages=document.pages,
        passages=document.passages,
        bytes=document.bytes,
        added=datetime.fromtimestamp(document.added, UTC).isoformat(timespec="seconds"),
        page_kinds=dict(document.kinds),
        notes=[say_message(language, note) for note in document.notes],
        ingestion=None,
    )


def job_shape(job: Job, language: Language) -> shapes.Document:
    """A document that is being added, or could not be added."""
    return shapes.Document(
        id=job.document_id,
        name=job.name,
        title="",
        state=job.state.value,
        shared=job.owner == "",
        collection=collection_of(job.owner),
        pages=job.pages,
        passages=job.passages,
        bytes=0,
        added=None,
        page_kinds={},
        notes=[],
        ingestion=shapes.Ingestion(
            pages_read=job.pages_read,
            passages_embedded=job.passages_embedded,
            seconds_left=job.seconds_left,
            message=say_message(language, job.message) if job.message else "",
        ),
    )


def page_shape(document_id: str, page: StoredPage, language: Language) -> shapes.Page:
    """A page of a document."""
    return shapes.Page(
        document_id=document_id,
        number=page.number + 1,
        label=page.label,
        kind=page.kind.value,
        text=page.text,
        note=say_message(language, page.note) if page.note else "",
    )
