"""New versions of documents: which one took the place of a document that is gone."""

from __future__ import annotations

from rag.records import Document
from webui.engine import Engine


def newest_version(engine: Engine, owner: str, document_id: str) -> Document | None:
    """The document that replaced one that is gone, or replaced its replacement; None if there is none.

    None, too, for a document that is there.
    """
    there = {document.id: document for document in engine.documents(owner)}
    newer, seen = engine.annotations.replaced(owner), set[str]()
    while document_id not in there and document_id in newer and document_id not in seen:
        seen.add(document_id)
        document_id = newer[document_id]
    return there.get(document_id) if seen else None
