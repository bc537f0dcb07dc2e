"""What a document's notes and errors say about its pages by their kind: scanned, garbled, damaged, empty."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import reduce

from rag.errors import DamagedFile, NoText
from rag.messages import Message, Value
from rag.records import PageKind

MAX_LABELS_SHOWN = 10  # page labels in a note
NEEDS_OCR = (PageKind.SCANNED, PageKind.GARBLED)
OF_ONE = "{count:,} of {pages:,} pages is {problem}: {labels}."
OF_SEVERAL = "{count:,} of {pages:,} pages are {problem}: {labels}."
NOT_READ_YET = Message("This page shows its text as a picture and has not been read by OCR yet.")
CANCELLED = Message(
    "Reading this page by OCR was cancelled: remove the document and add it again to make it searchable."
)
NOTHING_FOUND = Message("OCR found no text on this page.")
TOO_LONG = Message("OCR found more text on this page than the limit: the rest cannot be searched.")
NOT_RECOGNISED = Message("scanned and could not be read by OCR")
PROBLEMS = {
    PageKind.SCANNED: Message("scanned without text and cannot be searched before OCR"),
    PageKind.GARBLED: Message("written in broken fonts and cannot be searched before OCR"),
    PageKind.FAILED: Message("damaged and could not be read"),
}


def notes_on_kinds(labels: Sequence[tuple[PageKind, str]], pages: int, *, tried_ocr: bool = False) -> Iterator[Message]:
    """One note for each kind of page that cannot be searched, from the kinds and labels of such pages.

    `pages`: in the document; `tried_ocr`: whether OCR has had its turn.
    """
    groups: list[tuple[PageKind, ...]] = [(kind,) for kind in PROBLEMS]
    if tried_ocr:
        groups = [NEEDS_OCR, (PageKind.FAILED,)]
    for kinds in groups:
        problem = NOT_RECOGNISED if kinds == NEEDS_OCR else PROBLEMS[kinds[0]]
        found = [label for kind, label in labels if kind in kinds]
        values: dict[str, Value] = {"count": len(found), "pages": pages, "problem": problem, "labels": listed(found)}
        if found:
            yield Message(OF_ONE if len(found) == 1 else OF_SEVERAL, values)


def listed(labels: Sequence[str]) -> str:
    """The first of these page labels, as a note shows them."""
    return ", ".join(labels[:MAX_LABELS_SHOWN]) + (", …" if len(labels) > MAX_LABELS_SHOWN else "")


def is_note_on_kinds(note: Message) -> bool:
    """Whether `notes_on_kinds` wrote it."""
    return note.template in (OF_ONE, OF_SEVERAL)


def failed_by_ocr(reason: Message) -> Message:
    """The note on a page that OCR cannot read."""
    return Message(
        "This page could not be read by OCR, because {reason}: scan it again at 200 to 300 dots per inch, and add the "
        "document again.",
        {"reason": reason},
    )


def no_text(kinds: Sequence[PageKind], *, tried_ocr: bool = False) -> NoText | DamagedFile:
    """The error for a document without a page of text."""
    count = len(kinds)
    if tried_ocr:
        found = joined([_counted(kind, kinds.count(kind)) for kind in PageKind if kind in kinds])
        return NoText(
            "It has no text that can be searched (pages: {kinds}), and OCR finds none either: scan it again at 200 to "
            "300 dots per inch, and add the result.",
            kinds=found,
        )
    if kinds.count(PageKind.FAILED) == count:
        return DamagedFile(
            "None of its pages ({count:,}) can be read: download it again or print it to a new PDF.", count=count
        )
    if set(kinds) == {PageKind.EMPTY}:
        return NoText("It has no text that can be searched: all of its pages ({count:,}) are empty.", count=count)
    found = joined([_counted(kind, kinds.count(kind)) for kind in PageKind if kind in kinds])
    return NoText(
        "It has no text that can be searched (pages: {kinds}): start without --no-ocr, or run OCR over it first, for "
        "example `ocrmypdf --force-ocr in.pdf out.pdf`, and add the result.",
        kinds=found,
    )


def _counted(kind: PageKind, count: int) -> Message:
    """How many pages are of a kind that cannot be searched."""
    values: dict[str, Value] = {"count": count}
    match kind:
        case PageKind.SCANNED:
            return Message("{count:,} scanned", values)
        case PageKind.GARBLED:
            return Message("{count:,} in broken fonts", values)
        case PageKind.FAILED:
            return Message("{count:,} damaged", values)
    return Message("{count:,} empty", values)


def joined(parts: Sequence[Message]) -> Message:
    """The messages as a list within a sentence."""
    return reduce(lambda before, part: Message("{before}, {part}", {"before": before, "part": part}), parts)
