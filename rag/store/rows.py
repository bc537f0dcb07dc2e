"""Rows of the store's tables to records, and back."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

from rag.messages import Message
from rag.records import Document, Page, PageKind, Passage, Signal, Source, WordBoxes


class StoredPassage:
    """A passage as it is kept, with the document it belongs to."""

    __slots__ = ("document", "document_id", "id", "owner", "page_label", "passage")

    def __init__(self, row: sqlite3.Row) -> None:
        self.id: int = row["id"]
        self.document_id: str = row["document_id"]
        self.owner: str = row["owner"]
        self.document: str = row["name"]
        self.page_label: str = row["label"]  # of its first page
        self.passage = Passage(
            text=row["text"],
            start=row["start"],
            end=row["stop"],
            first_page=row["first_page"],
            last_page=row["last_page"],
            heading=tuple(json.loads(row["heading"])),
        )

    def as_source(self, number: int, score: float, signals: tuple[Signal, ...]) -> Source:
        """The passage as found for a question."""
        passage = self.passage
        return Source(
            number=number,
            passage_id=self.id,
            document_id=self.document_id,
            document=self.document,
            first_page=passage.first_page,
            last_page=passage.last_page,
            page_label=self.page_label,
            heading=passage.heading,
            text=passage.text,
            start=passage.start,
            end=passage.end,
            score=score,
            signals=signals,
        )


def page_row(key: int | None, page: Page) -> tuple[Any, ...]:
    """A page as a row of the table of pages, under the key of its document."""
    words = page.words.to_bytes()
    size = (page.width, page.height)
    note = json.dumps(page.note.to_json()) if page.note else ""
    return (key, page.number, page.label, page.kind, page.text, words, *size, page.furniture, page.flows_on, note)


def page_of(row: sqlite3.Row) -> Page:
    """The inverse of `page_row`."""
    return Page(
        number=row["number"],
        label=row["label"],
        kind=PageKind(row["kind"]),
        text=row["text"],
        words=WordBoxes.from_bytes(row["words"]),
        width=row["width"],
        height=row["height"],
        furniture=row["furniture"],
        flows_on=bool(row["flows_on"]),
        note=_note(row["note"]),
    )


def _note(stored: str) -> Message | None:
    """A page's note; older versions stored the sentence itself instead of JSON."""
    if not stored:
        return None
    return Message.from_json(json.loads(stored) if stored.startswith("{") else stored)


def document_of(row: sqlite3.Row) -> Document:
    """A document from its row."""
    return Document(
        id=row["id"],
        owner=row["owner"],
        name=row["name"],
        title=row["title"],
        bytes=row["bytes"],
        pages=row["pages"],
        passages=row["passages"],
        kinds=json.loads(row["kinds"]),
        notes=tuple(map(Message.from_json, json.loads(row["notes"]))),
        added=row["added"],
    )
