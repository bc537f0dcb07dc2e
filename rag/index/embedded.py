"""The indexes that run in this process: FAISS and BM25, empty, with their settings."""

from rag.index.bm25 import BM25Index
from rag.index.protocols import TextIndex, VectorIndex
from rag.index.vectors import FaissIndex
from rag.settings import RetrievalSettings


def embedded_vector_index(dimension: int, settings: RetrievalSettings) -> VectorIndex:
    """For vectors of `dimension` numbers."""
    return FaissIndex(dimension, settings.exact_index_size)


def embedded_text_index(settings: RetrievalSettings) -> TextIndex:
    """For passages by their terms."""
    return BM25Index(settings.bm25)
