"""Whether each document is intact: its pages, passages and vectors as they were stored, and its PDF."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rag.records import text_digest
from rag.settings import Settings
from rag.store.blobs import original_file
from rag.store.leftovers import Rows
from rag.store.rows import StoredPassage, blobs_crc, page_crc

_PASSAGES = (
    "SELECT p.*, '' AS document_id, '' AS owner, '' AS name, '' AS label, v.vector, v.crc FROM passages p"
    " LEFT JOIN vectors v USING (digest) WHERE p.document = ?"
)


@dataclass(frozen=True, slots=True)
class Damage:
    """What is wrong with a document."""

    key: int  # key in the database
    id: str
    owner: str
    name: str
    pages: tuple[int, ...]  # numbers of pages that differ from what was stored
    passages: tuple[int, ...]  # ids of such passages
    missing: int  # pages and passages that are missing
    vectors: int  # passages without a vector, and damaged vectors; they are made anew
    file: str  # "missing", "damaged", or "" if neither

    @property
    def text(self) -> bool:
        """Whether its text is damaged."""
        return bool(self.pages or self.passages or self.missing)

    def __str__(self) -> str:
        """One line for a person."""
        faults = [
            f"{len(self.pages)} of its pages are damaged" if self.pages else "",
            f"{len(self.passages)} of its passages are damaged" if self.passages else "",
            f"{self.missing} of its pages and passages are missing" if self.missing else "",
            f"{self.vectors} of its vectors are damaged or missing" if self.vectors else "",
            f"its PDF is {self.file}" if self.file else "",
        ]
        return f"{self.name}: " + ", ".join(fault for fault in faults if fault)


def damaged_documents(store: Rows, settings: Settings) -> Iterator[Damage]:
    """The documents that are not intact, oldest first."""
    for row in store.rows("SELECT * FROM documents ORDER BY key"):
        found = _damage(store, settings, row)
        if (found.text or found.vectors or found.file) and _is_there(store, found.key):  # removed in the meantime
            yield found


def _is_there(store: Rows, key: int) -> bool:
    return bool(store.rows("SELECT 1 FROM documents WHERE key = ?", (key,)))


def _damage(store: Rows, settings: Settings, document: Any) -> Damage:
    pages = store.rows("SELECT number, text, words, crc FROM pages WHERE document = ?", (document["key"],))
    passages = store.rows(_PASSAGES, (document["key"],))
    sentences = store.rows("SELECT digests, vectors, crc FROM sentence_vectors WHERE document = ?", (document["key"],))
    return Damage(
        document["key"],
        document["id"],
        document["owner"],
        document["name"],
        tuple(page["number"] for page in pages if not _is_whole_page(page)),
        tuple(passage["id"] for passage in passages if not _is_whole_passage(passage, document["owner"])),
        max(document["pages"] - len(pages), 0) + max(document["passages"] - len(passages), 0),
        sum(not _is_whole_vector(one["crc"], one["vector"]) for one in passages)
        + sum(not _is_whole_vector(one["crc"], one["digests"], one["vectors"]) for one in sentences),
        file_fault(settings.files_dir, document["id"]),
    )


def _is_whole_page(page: Any) -> bool:
    text, words = page["text"], page["words"]
    return isinstance(text, str) and isinstance(words, bytes) and page_crc(text, words) == page["crc"]


def _is_whole_vector(crc: int, *stored: Any) -> bool:
    return all(isinstance(blob, bytes) for blob in stored) and blobs_crc(*stored) == crc


def _is_whole_passage(passage: Any, owner: str) -> bool:
    try:
        text = StoredPassage(passage).passage.searchable  # earlier versions of the program left out the owner
        return bytes(passage["digest"]) in (text_digest(text, owner), text_digest(text))
    except (TypeError, ValueError, json.JSONDecodeError):
        return False


def file_fault(folder: Path, document_id: str) -> str:
    """What is wrong with a document's PDF: "missing", "damaged", or "" for nothing."""
    try:
        path = original_file(folder, document_id)
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256")
    except FileNotFoundError:
        return "missing"
    except (OSError, ValueError):  # unreadable, or the id itself is damaged
        return "damaged"
    return "" if digest.hexdigest() == document_id else "damaged"
