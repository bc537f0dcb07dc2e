from __future__ import annotations

import pytest

from rag.answer.quote import QuoteReader
from rag.engine import Engine
from rag.settings import Limits, OcrSettings, Settings
from tests.fakes import ExactEmbedder
from tests.rag.ocr import FakeOcr


@pytest.fixture
def make(tmp_path):
    """Open engines on one data folder; all are closed at the end."""
    opened: list[Engine] = []

    def open_engine(reader=None, embedder=None, limits=None, scans=True, **options) -> Engine:
        settings = Settings(
            data_dir=tmp_path / "data", limits=limits or Limits(), ocr=OcrSettings(scans, batch_pages=3)
        )
        made = embedder or ExactEmbedder()
        options = {"ocr": FakeOcr(lambda _: ())} | options  # by default it finds nothing, quickly
        engine = Engine(settings, embedder=lambda: made, reader=reader or QuoteReader(), **options)
        opened.append(engine)
        return engine

    yield open_engine
    for engine in opened:
        engine.close()
