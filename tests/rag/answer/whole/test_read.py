"""Whole documents that do not fit are read part by part; the answer cites the passages themselves."""

from __future__ import annotations

import re
import threading

import pytest

from rag.answer.quote import QuoteReader
from rag.engine import Engine
from rag.records import Answer, AnswerState, ClaimState, Found, Piece, Reading
from rag.settings import Settings
from tests.fakes import ExactEmbedder, ScriptedReader
from tests.rag.engines import add
from tests.rag.pdfs import text_pdf

FILLER = "Nothing of interest is said in this sentence about the lease. " * 20
PAGES = [f"{FILLER}\nThe deadline of step {n} is {n + 1} March 2031." if n % 4 == 0 else FILLER for n in range(24)]
OTHER = [f"{FILLER}\nThe rent is {n} euros." for n in range(8)]
DEADLINE = re.compile(r"The deadline of step \d+ is \d+ March 2031\.")


class Noting(ScriptedReader):
    """Notes every deadline of the sources with its number; answers with all that was noted."""

    context_tokens = 2_048
    stop_after = 10_000  # prompts

    def answer(self, request, stop):
        self.history.append(request)
        if len(self.history) > self.stop_after:
            stop.set()
            return
        if request.notes:
            said = [f"{line}\n" for note in request.notes for line in note.splitlines() if DEADLINE.match(line)]
        else:
            said = [f"{found} [{one.number}]\n" for one in request.sources for found in DEADLINE.findall(one.text)]
        yield from said or ["nothing"]


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    with Engine(Settings(data_dir=folder), embedder=ExactEmbedder, reader=QuoteReader()) as engine:
        add(engine, ("lease.pdf", text_pdf(PAGES)), ("rent.pdf", text_pdf(OTHER)))
        yield engine


def asked(engine, question, reader, only=None):
    engine.questions.reader = reader
    documents = [document.id for document in engine.documents("") if only in (None, document.name)]
    events = list(engine.ask("", question, documents, stop=threading.Event()))
    (found,) = (event for event in events if isinstance(event, Found))
    return found, [event for event in events if isinstance(event, Reading)], events[-1], events


@pytest.mark.parametrize("question", ["List all deadlines", "列出所有截止日期"])
def test_all_of_a_long_document_is_read_and_each_fact_cites_its_page(library, question):
    reader = Noting()
    found, readings, answer, events = asked(library, question, reader, "lease.pdf")
    assert "".join(source.text for source in found.sources).count("The deadline of step") == 6
    parts = readings[-1].parts
    assert [one.part for one in readings] == [*range(1, parts + 1), 0]
    assert parts > 3
    assert sum(one.sources for one in readings[:-1]) == len(found.sources) == readings[-1].sources
    assert all(one.tokens <= one.context == 2_048 for one in readings)
    facts = [sentence for sentence in answer.sentences if DEADLINE.search(sentence.text)]
    assert len(facts) == 6
    pages = {source.number: source.first_page for source in found.sources}
    for n, fact in enumerate(facts):
        assert fact.claim is ClaimState.SUPPORTED
        assert pages[fact.citations[0].number] == 4 * n
    assert any(isinstance(event, Piece) for event in events)


def test_a_document_that_fits_is_read_at_once(library):
    reader = Noting()
    reader.context_tokens = 32_000
    found, readings, answer, _ = asked(library, "List all deadlines", reader, "lease.pdf")
    assert [(one.part, one.parts, one.sources) for one in readings] == [(0, 1, len(found.sources))]
    assert reader.history[0].question == "List all deadlines"
    assert len([one for one in answer.sentences if DEADLINE.search(one.text)]) == 6


def test_documents_that_are_compared_are_noted_apart(library):
    reader = Noting()
    asked(library, "Compare these two documents", reader)
    assert all(len({one.document for one in request.sources}) == 1 for request in reader.history if request.sources)
    assert {one.document for request in reader.history for one in request.sources} == {"lease.pdf", "rent.pdf"}


def test_stopped_between_parts_what_was_noted_is_the_answer(library):
    reader = Noting()
    reader.stop_after = 2
    _, readings, answer, _ = asked(library, "List all deadlines", reader, "lease.pdf")
    assert isinstance(answer, Answer)
    assert answer.stopped
    assert len(readings) < readings[0].parts
    facts = [sentence for sentence in answer.sentences if DEADLINE.search(sentence.text)]
    assert facts
    assert all(fact.citations for fact in facts)


def test_where_no_part_says_anything_there_is_no_answer(library):
    reader = Noting()
    _, _, answer, _ = asked(library, "List all deadlines", reader, "rent.pdf")
    assert (answer.sentences, answer.state) == ((), AnswerState.NONE)
    assert not any(request.notes for request in reader.history)


def test_notes_that_do_not_fit_are_noted_again(library):
    class Wordy(Noting):
        def answer(self, request, stop):
            self.history.append(request)
            yield "A long note of this part. " * (20 if request.notes else 200)

    reader = Wordy()
    _, readings, answer, _ = asked(library, "List all deadlines", reader, "lease.pdf")
    assert all(one.tokens <= one.context for one in readings)
    assert len([request for request in reader.history if request.notes]) > 1
    assert answer.sentences


def test_quotes_are_answered_as_before(library):
    _, readings, answer, _ = asked(library, "Summarise lease.pdf", QuoteReader())
    assert not readings
    assert answer.short is not None
