from __future__ import annotations

import pytest

from rag.answer.quote import QuoteReader
from rag.engine import Engine
from rag.settings import Limits, Settings
from tests.fakes import ExactEmbedder


@pytest.fixture
def make(tmp_path):
    """Open engines on one data folder; all are closed at the end."""
    opened: list[Engine] = []

    def open_engine(reader=None, embedder=None, limits=None, **options) -> Engine:
        settings = Settings(data_dir=tmp_path / "data", limits=limits or Limits())
        made = embedder or ExactEmbedder()
        engine = Engine(settings, embedder=lambda: made, reader=reader or QuoteReader(), **options)
        opened.append(engine)
        return engine

    yield open_engine
    for engine in opened:
        engine.close()
