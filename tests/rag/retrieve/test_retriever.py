"""The steps of retrieval together, over a small library. Questions through the whole engine are in `test_engine.py`."""

from __future__ import annotations

import time

import numpy as np
import pytest

from rag.answer.quote import QuoteReader
from rag.engine import Engine
from rag.retrieve.searching import centred
from rag.settings import RetrievalSettings, RoutingSettings, Settings
from tests.fakes import ExactEmbedder
from tests.rag.pdfs import text_pdf

MEAN = {False: np.array([1.0, 0.0], np.float32), True: np.array([0.0, 1.0], np.float32)}


def test_a_share_of_what_all_questions_of_its_language_have_in_common_is_subtracted():
    embedding = np.array([0.6, 0.8], np.float32)
    assert centred("How high is the bridge?", embedding, MEAN, 0.5) == pytest.approx([0.1, 0.8])
    assert centred("桥有多高？", embedding, MEAN, 0.5) == pytest.approx([0.6, 0.3])


ALPHADYNE = [
    "The red pump of Alphadyne was built by Ann Keller in Gdansk.",
    "The blue valve weighs 12 kilograms today.",
]
BETATRON = ["The blue valve weighs 30 kilograms.", "Nothing else stands on this page."]


@pytest.fixture
def found(tmp_path):
    """Opens an engine with these retrieval settings over two manuals, and searches them."""
    folder = tmp_path / "data"

    def search(question: str, **settings) -> list[str]:
        retrieval = RetrievalSettings(**settings)
        with Engine(Settings(folder, retrieval=retrieval), embedder=ExactEmbedder, reader=QuoteReader()) as engine:
            if not engine.documents(""):
                engine.add("", "Alphadyne.pdf", text_pdf(ALPHADYNE))
                engine.add("", "Betatron.pdf", text_pdf(BETATRON))
            engine.wait()
            while engine.jobs(""):
                time.sleep(0.01)
            return [f"{source.document} {source.first_page}" for source in engine.search("", question)]

    return search


def test_a_document_named_in_one_part_of_a_question_counts_in_the_others_too(found):
    question = "Who built the red pump of Alphadyne? How heavy is the blue valve?"
    assert found(question)[:2] == ["Alphadyne.pdf 0", "Alphadyne.pdf 1"]
    alone = RoutingSettings(min_part_share=0.0)
    assert found(question, routing=alone)[:2] == ["Alphadyne.pdf 0", "Betatron.pdf 0"]


def test_results_of_compared_documents_are_interleaved(found):
    question = "How heavy is the blue valve of Betatron, compared with Alphadyne?"
    assert set(found(question)[:2]) == {"Alphadyne.pdf 1", "Betatron.pdf 0"}
