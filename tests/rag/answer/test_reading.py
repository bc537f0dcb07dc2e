"""What a model reads: as many sources as its context takes, with what stands around them."""

from __future__ import annotations

import pytest

from rag.answer.quote import QuoteReader
from rag.engine import Engine
from rag.preferences import Preferences
from rag.records import AskOptions, Found, Reading
from rag.settings import Settings
from tests.fakes import ExactEmbedder, ScriptedReader
from tests.rag.engines import add, ask
from tests.rag.pdfs import text_pdf

PAGES = [
    f"Chapter {n}. The pump number {n} was built in {1900 + n}. " + f"Detail {n} of the pump. " * 45 for n in range(40)
]


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """An engine over one document of 40 pages, and one of a single page."""
    folder = tmp_path_factory.mktemp("data")
    with Engine(Settings(data_dir=folder), embedder=ExactEmbedder, reader=QuoteReader()) as engine:
        add(engine, ("pumps.pdf", text_pdf(PAGES)), ("note.pdf", text_pdf(["Valves need oil.", "Herons nest here."])))
        yield engine


def read(engine, question, context, **options):
    """The sources found, what the page tells of the prompt, and the request that the model got."""
    reader = ScriptedReader(["It was built in 1931 [1]."])
    reader.context_tokens = context
    engine.questions.reader = reader
    events = list(engine.ask("", question, options=AskOptions(**options)))
    found = next(event for event in events if isinstance(event, Found))
    (reading,) = (event for event in events if isinstance(event, Reading))
    return found, reading, reader.history[0]


def test_a_longer_context_reads_more_sources(library):
    counts = []
    for context in (2_048, 8_192, 32_768):
        found, reading, request = read(library, "When was the pump built?", context)
        assert (reading.sources, reading.found) == (len(request.sources), len(found.sources))
        assert reading.tokens + request.sampling.max_tokens <= reading.context == context
        assert request.sources[0].text in reading.prompt
        counts.append(reading.sources)
    assert counts[0] < counts[1] < counts[2]


def test_documents_that_fit_are_read_whole_and_in_order(library):
    found, _, request = read(library, "When was the pump built?", 128_000)
    pages = [one.text.split(".")[0] for one in request.sources if one.document == "pumps.pdf"]
    assert pages == [f"Chapter {n}" for n in range(40)]
    assert [source.number for source in found.sources] == list(range(1, len(found.sources) + 1))
    assert all(one.text in " ".join(PAGES) or one.document == "note.pdf" for one in request.sources)


def test_a_number_of_sources_that_a_person_prefers_holds_for_models_too(library):
    found, _, _ = read(library, "When was the pump built?", 128_000, preferences=Preferences(sources=3))
    assert len(found.sources) == 3


def test_the_quote_reader_finds_as_many_sources_as_before(library):
    library.questions.reader = QuoteReader()
    found, _, _ = ask(library, "When was the pump built?")
    assert len(found.sources) == library.settings.retrieval.sources
    assert not any(isinstance(event, Reading) for event in library.ask("", "When was the pump built?"))


def test_a_short_context_is_used(library):
    """With 2K, what is left is less than another source would need."""
    _, reading, request = read(library, "When was the pump number 31 built?", 2_048)
    assert reading.context - request.sampling.max_tokens - reading.tokens < 200
