"""The details of a document: metadata, introduction, outline, tags, and the kinds of its pages."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

from rag.answer.introduction.record import Introduction
from rag.messages import Message
from rag.records import Document, DocumentDetails, PageKind
from webui.strings import Language, say

MAX_SHOWN_HEADINGS = 100  # entries of a document's outline
MAX_OUTLINE_LEVEL = 4  # deeper headings are indented like those of this level
MAX_THUMBNAILS = 1_000  # pages shown as thumbnails, which are loaded when scrolled into view
THUMBNAIL_PIXELS = 160


@dataclass(frozen=True, slots=True)
class _Heading:
    """An entry of a document's outline; `level` from 1 to MAX_OUTLINE_LEVEL."""

    title: str
    level: int
    number: int  # of its page, from 0
    page: str  # "p. 5"


@dataclass(frozen=True, slots=True)
class _Thumbnail:
    """A page as a thumbnail."""

    source: str  # address of the picture
    label: str  # "p. 5: scanned"
    kind: str  # "" for a page with text


@dataclass(frozen=True, slots=True)
class Details:
    """What the details of a document show."""

    facts: tuple[tuple[str, str], ...]  # label and value, such as ("Author", "ACME")
    outline: tuple[_Heading, ...]
    more_headings: int  # not shown
    thumbnails: tuple[_Thumbnail, ...]
    more_pages: int  # pages without a thumbnail
    page_notes: tuple[tuple[str, Message], ...]  # "p. 5", and what is wrong with that page
    introduction: Introduction | None
    making: bool  # whether the introduction is being made
    tags: tuple[str, ...]


def details_of(
    document: Document,
    details: DocumentDetails,
    introduction: Introduction | None,
    language: Language,
    *,
    making: bool = False,
    tags: tuple[str, ...] = (),
) -> Details:
    """The details of a document as the templates take them."""
    outline = tuple(
        _Heading(
            entry.title,
            min(entry.level, MAX_OUTLINE_LEVEL),
            number=entry.page,
            page=say(language, "page", label=entry.page + 1),
        )
        for entry in details.outline[:MAX_SHOWN_HEADINGS]
    )
    thumbnails = tuple(_thumbnails(document, details, language))
    return Details(
        facts=tuple(_facts(document, details, introduction, language)),
        outline=outline,
        more_headings=len(details.outline) - len(outline),
        thumbnails=thumbnails,
        more_pages=document.pages - len(thumbnails),
        page_notes=tuple((say(language, "page", label=label), note) for label, note in details.page_notes),
        introduction=introduction,
        making=making,
        tags=tags,
    )


def size_words(size: int) -> str:
    """A number of bytes, such as "1.4 MB"."""
    return f"{size / 1e6:.1f} MB" if size >= 100_000 else f"{max(size / 1e3, 0.1):.1f} KB"


def _facts(
    document: Document, details: DocumentDetails, introduction: Introduction | None, language: Language
) -> list[tuple[str, str]]:
    languages = introduction.languages if introduction else ()
    tables = introduction.tables if introduction else None
    facts = {
        "document_title": introduction.title if introduction else document.title,
        "file_name": document.name,
        "author": details.author,
        "created": details.created,
        "size": size_words(document.bytes),
        "page_kinds": _kinds(details, language) or str(document.pages),
        "languages": ", ".join(say(language, f"language_{one}") for one in languages),
        "tables": "" if tables is None else str(tables),
    }
    return [(say(language, key), value) for key, value in facts.items() if value]


def _kinds(details: DocumentDetails, language: Language) -> str:
    """Which pages are of which kind: "1-12 text, 13 scanned, 14-20 text"; a count if all are text or that is long."""
    runs: list[tuple[PageKind, int, int]] = []
    for kind, pages in groupby(enumerate(details.page_kinds, 1), key=lambda page: page[1]):
        numbers = [number for number, _ in pages]
        runs.append((kind, numbers[0], numbers[-1]))
    if len(runs) == 1 and runs[0][0] is PageKind.TEXT:
        return str(len(details.page_kinds))
    if len(runs) > 8:
        counts = {kind: details.page_kinds.count(kind) for kind in dict.fromkeys(details.page_kinds)}
        return ", ".join(f"{count} {say(language, f'is_{kind}')}" for kind, count in counts.items())
    spans = [(kind, str(first) if first == last else f"{first}–{last}") for kind, first, last in runs]
    return ", ".join(f"{span} {say(language, f'is_{kind}')}" for kind, span in spans)


def _thumbnails(document: Document, details: DocumentDetails, language: Language) -> list[_Thumbnail]:
    return [
        _Thumbnail(
            source=f"document/{document.id}/page/{number}?width={THUMBNAIL_PIXELS}",
            label=f"{say(language, 'page', label=number + 1)}: {say(language, f'is_{kind}')}",
            kind="" if kind is PageKind.TEXT else say(language, f"is_{kind}"),
        )
        for number, kind in enumerate(details.page_kinds[:MAX_THUMBNAILS])
    ]
