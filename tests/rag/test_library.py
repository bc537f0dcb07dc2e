"""Documents in the store and the indexes, seen through an engine whose indexes take their time to load."""

from __future__ import annotations

import threading

import pytest

from rag.answer.quote import QuoteReader
from rag.engine import Engine
from rag.index.bm25 import BM25Index
from rag.opening import Parts
from rag.settings import Settings
from tests.fakes import ExactEmbedder
from tests.rag.engines import add
from tests.rag.pdfs import text_pdf
from tests.waiting import until

MANUAL = text_pdf(["The red pump was built in 1931."])
HERONS = text_pdf(["Herons nest by the lake in spring."])


class SlowIndex(BM25Index):
    """A text index that waits while it is being filled."""

    def __init__(self) -> None:
        super().__init__()
        self.reached, self.gate = threading.Event(), threading.Event()

    def add(self, *arguments) -> None:
        super().add(*arguments)
        self.reached.set()
        assert self.gate.wait(60)


@pytest.fixture
def settings(tmp_path):
    settings = Settings(data_dir=tmp_path / "data")
    with Engine(settings, embedder=ExactEmbedder, reader=QuoteReader()) as engine:
        add(engine, ("manual.pdf", MANUAL))
        add(engine, ("herons.pdf", HERONS))
    return settings


@pytest.fixture
def index():
    return SlowIndex()


@pytest.fixture
def loading(settings, index):
    """An engine in the middle of loading its indexes."""
    with Engine(
        settings, embedder=ExactEmbedder, reader=QuoteReader(), parts=Parts(text_index=lambda _: index)
    ) as engine:
        assert index.reached.wait(60)
        yield engine
        index.gate.set()


def test_documents_are_listed_and_the_loading_is_shown_while_the_indexes_load(loading, index):
    assert [document.name for document in loading.documents("")] == ["manual.pdf", "herons.pdf"]
    shown = {choice.what: choice for choice in loading.choices()}
    assert (shown["index"].name, shown["index"].ready, shown["embedder"].ready) == ("0%", False, True)
    assert str(shown["index"].why) == "it is being loaded; questions wait."
    index.gate.set()
    loading.wait()
    assert "index" not in {choice.what for choice in loading.choices()}
    assert loading.search("", "When was the red pump built?")[0].document == "manual.pdf"


def test_a_document_removed_while_the_indexes_load_does_not_come_back(loading, index):
    manual, herons = loading.documents("")
    loading.remove("", manual.id)
    assert loading.documents("") == (herons,)
    index.gate.set()
    loading.wait()
    assert loading.documents("") == (herons,)
    assert {source.document for source in loading.search("", "When was the red pump built?")} == {"herons.pdf"}
    assert (len(index), index.passages_with("pump").tolist()) == (1, [])
    add(loading, ("manual.pdf", MANUAL))
    assert loading.search("", "When was the red pump built?")[0].document == "manual.pdf"


def test_an_engine_closed_while_its_indexes_load_loads_them_at_the_next_start(settings, index):
    parts = Parts(text_index=lambda _: index)
    engine = Engine(settings, embedder=ExactEmbedder, reader=QuoteReader(), parts=parts)
    assert index.reached.wait(60)
    closing = threading.Thread(target=engine.close)
    closing.start()
    index.gate.set()
    closing.join(60)
    assert not closing.is_alive()
    with Engine(settings, embedder=ExactEmbedder, reader=QuoteReader()) as again:
        until(lambda: len(again.documents("")) == 2)
        assert again.search("", "When was the red pump built?")[0].document == "manual.pdf"


class FullIndex(BM25Index):
    """A text index that has no memory left for herons."""

    def add(self, ids, texts, documents) -> None:
        if "heron" in texts.vocabulary:
            raise MemoryError
        super().add(ids, texts, documents)


def test_a_document_that_does_not_fit_the_indexes_is_not_in_the_library(tmp_path):
    settings = Settings(data_dir=tmp_path / "data")
    with Engine(
        settings, embedder=ExactEmbedder, reader=QuoteReader(), parts=Parts(text_index=lambda _: FullIndex())
    ) as engine:
        add(engine, ("manual.pdf", MANUAL), ("herons.pdf", HERONS))
        assert [document.name for document in engine.documents("")] == ["manual.pdf"]
        assert [job.name for job in engine.jobs("")] == ["herons.pdf"]
        assert {source.document for source in engine.search("", "Where do herons nest?")} == {"manual.pdf"}
        assert len(list(settings.files_dir.iterdir())) == 1


def test_documents_are_listed_while_one_is_added_to_the_indexes_which_is_not_among_them_yet(tmp_path, index):
    settings = Settings(data_dir=tmp_path / "data")
    with Engine(
        settings, embedder=ExactEmbedder, reader=QuoteReader(), parts=Parts(text_index=lambda _: index)
    ) as engine:
        engine.add("", "manual.pdf", MANUAL)
        assert index.reached.wait(60)
        assert engine.documents("") == ()
        index.gate.set()
        until(lambda: engine.documents(""))
        assert engine.search("", "When was the red pump built?")[0].document == "manual.pdf"
