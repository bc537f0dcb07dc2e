"""Every text heuristic on the whole of Unicode: nothing but our own errors, and results that belong to the text."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rag.answer.citations import check_citations
from rag.answer.marks import cut_unfinished_mark, extract_citation_marks
from rag.answer.quote import QuoteReader
from rag.answer.sentences import sentence_spans, without_instructions
from rag.answer.view import Folding, find_spans, fold, wanted
from rag.engine import Engine
from rag.errors import AskError
from rag.index.tokenize import MAX_TERM, terms
from rag.ingest import preparing
from rag.ingest.chunk import chunk_document
from rag.pdf.furniture import remove_running_lines
from rag.pdf.headings import MAX_HEADING_CHARACTERS, detect_headings, headings_within, page_title
from rag.pdf.lines import lay_out_plain
from rag.pdf.normalize import clean_line, clean_word, iso_date, meaningful_title
from rag.pdf.page_breaks import ends_mid_sentence, starts_mid_sentence
from rag.pdf.text_quality import readability
from rag.records import Answer, Found, Source
from rag.retrieve.query import split_question, validate_question
from rag.settings import AnswerSettings, ChunkSettings, OcrSettings, Settings
from tests.fakes import ExactEmbedder
from tests.rag.anything import digest, documents, layouts, page_of, texts
from tests.rag.invariants import check_document, check_page, check_passages
from tests.waiting import until

MANY = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
FEW = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
count_tokens = ExactEmbedder().count_tokens


@MANY
@given(st.lists(layouts(), min_size=1, max_size=4), st.integers(1, 9))
def test_pages_are_laid_out_without_their_running_lines(layouts_of_pages, copies):
    pages = dict(enumerate(itertools.islice(itertools.cycle(layouts_of_pages), copies)))
    before = {number: [*layout.lines] for number, layout in pages.items()}
    remove_running_lines(pages)
    for number, layout in pages.items():
        assert all(line in before[number] for line in layout.lines)
        assert layout.lines or not before[number], "a page was emptied"
        ends_mid_sentence(layout)
        starts_mid_sentence(layout)
        check_page(page_of(number, layout))


@MANY
@given(texts())
def test_text_without_boxes_is_laid_out(text):
    check_page(page_of(0, lay_out_plain(text, 612, 792)))


@MANY
@given(documents(), st.integers(5, 60))
def test_passages_cover_a_document_in_order(document, size):
    check_document(document)
    check_passages(document, chunk_document(document, count_tokens, ChunkSettings(size, 3)))


@MANY
@given(texts())
def test_headings_are_lines_of_their_page(text):
    for offset, line in headings_within(text):
        assert text[offset:].lstrip().startswith(line)
        assert len(line) <= MAX_HEADING_CHARACTERS
    page_title(text)


@FEW
@given(documents())
def test_headings_of_a_document_stand_within_it_in_order(document):
    starts = [0, *itertools.accumulate(len(page.text) for page in document.pages)]
    offsets = [offset for offset, _ in detect_headings(document.pages, starts[:-1])]
    assert offsets == sorted(offsets)
    assert all(0 <= offset <= starts[-1] for offset in offsets)


@MANY
@given(texts())
def test_text_is_cleaned_and_judged(text):
    assert 0 <= readability(text) <= 1
    for word in text.split():
        cleaned = clean_word(word)
        assert clean_word(cleaned) == cleaned
        assert not cleaned.split() or cleaned.split() == [cleaned]
    assert "\n" not in clean_line(text)
    assert len(clean_line(text, 40)) <= 40
    meaningful_title(text)
    iso_date(text)


@MANY
@given(texts())
def test_sentences_are_parts_of_the_text_in_order(text):
    place = 0
    for start, end in sentence_spans(text):
        assert place <= start < end <= len(text)
        assert not text[place:start].strip()
        assert text[start:end] == text[start:end].strip()
        place = end
    assert not text[place:].strip()


@MANY
@given(texts(), texts(2))
def test_terms_and_places_of_a_text(text, needle):
    assert all(term and not term.isspace() and len(term) <= 2 * MAX_TERM for term in terms(text))
    folding = Folding()
    looked_for = wanted(needle, folding)
    spans = find_spans(text, looked_for, folding)
    assert len(spans) == (fold(text, folding).count(looked_for) if looked_for else 0)
    assert all(0 <= start < end <= len(text) for start, end in spans)


@MANY
@given(texts(surrogates=True))
def test_a_question_is_split_into_parts_of_it_or_refused(question):
    try:
        question = validate_question(question, 4_000)
    except AskError:
        return
    question.encode("utf-8")
    assert all(part.strip() for part in split_question(question))
    without_instructions(question)


@MANY
@given(texts(), st.lists(texts(30), min_size=1, max_size=3))
def test_an_answer_is_checked_against_any_sources(answer, found):
    plain, marks = extract_citation_marks(answer)
    assert all(0 <= mark.offset <= len(plain) for mark in marks)
    cut_unfinished_mark(answer)
    sources = [Source(n + 1, n, "d", "d.pdf", 0, 0, "1", (), text, 0, len(text), 1.0) for n, text in enumerate(found)]
    sentences = check_citations(answer, sources, AnswerSettings())
    assert "".join(sentence.lead + sentence.text for sentence in sentences).split() == plain.split()
    for sentence in sentences:
        for citation in sentence.citations:
            assert 0 <= citation.start <= citation.end <= len(sources[citation.number - 1].text)
        for conflict in sentence.conflicts:
            assert 0 <= conflict.start <= conflict.end <= len(sentence.text)
            assert 0 <= conflict.source_start <= conflict.source_end <= len(sources[conflict.number - 1].text)


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    options = Settings(data_dir=tmp_path_factory.mktemp("library"), ocr=OcrSettings(enabled=False))
    with Engine(options, embedder=ExactEmbedder, reader=QuoteReader()) as opened:
        yield opened


@FEW
@given(documents(), st.lists(texts(8, lines=False), min_size=1, max_size=3))
def test_any_document_can_be_added_and_asked_anything(engine, document, questions):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(preparing, "load", lambda *_args, **_options: document)
        data = digest(document)
        if any(page.text.strip() for page in document.pages):
            try:
                job = engine.add("", "any.pdf", data)
            except AskError:  # the same document once more
                return
            until(lambda: job.id not in {one.id for one in engine.jobs("")})
    for question in questions:
        try:
            events = list(engine.ask("", question))
        except AskError:
            continue
        found, answer = events[0], events[-1]
        assert isinstance(found, Found)
        assert isinstance(answer, Answer)
        sources = {source.number: source for source in found.sources}
        cited = [*(answer.short.citations if answer.short else ())]
        cited += [citation for sentence in answer.sentences for citation in sentence.citations]
        for citation in cited:
            source = sources[citation.number]
            assert 0 <= citation.start <= citation.end <= len(source.text)
            engine.view("", source, citation)
        engine.follow_ups("", question, None, found.sources)
