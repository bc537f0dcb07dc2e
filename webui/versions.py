"""New versions of documents: which document replaced one that is gone."""

from __future__ import annotations

from rag.records import Document
from webui.engine import Engine


def newest_version(engine: Engine, owner: str, document_id: str) -> Document | None:
    """The last in the chain of documents that replaced this one; None if it is still there, or nothing replaced it."""
    there = {document.id: document for document in engine.documents(owner)}
    newer, seen = engine.annotations.replaced(owner), set[str]()
    while document_id not in there and document_id in newer and document_id not in seen:
        seen.add(document_id)
        document_id = newer[document_id]
    return there.get(document_id) if seen else None
