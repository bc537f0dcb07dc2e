from __future__ import annotations

import pytest

from rag.answer.quote import QuoteReader
from rag.engine import Engine
from rag.opening import Parts
from rag.settings import Limits, OcrSettings, Settings
from tests.fakes import ExactEmbedder
from tests.rag.ocr import FakeOcr


@pytest.fixture
def make(tmp_path):
    """Open engines on one data folder; all are closed at the end."""
    opened: list[Engine] = []

    def open_engine(reader=None, embedder=None, limits=None, scans=True, re_embed=False, **parts) -> Engine:
        settings = Settings(
            data_dir=tmp_path / "data", limits=limits or Limits(), ocr=OcrSettings(scans, batch_pages=3)
        )
        made = embedder or ExactEmbedder()
        replaced = Parts(**{"ocr": FakeOcr(lambda _: ())} | parts)  # by default it finds nothing, quickly
        engine = Engine(
            settings, embedder=lambda: made, reader=reader or QuoteReader(), re_embed=re_embed, parts=replaced
        )
        opened.append(engine)
        return engine

    yield open_engine
    for engine in opened:
        engine.close()
