"""What flows through the pipeline: documents, pages, passages, sources and cited answers, as frozen records.

Pages are counted from 0. Character spans are half open: [start, end). Boxes are (left, top, right, bottom) as fractions
of the page as shown (rotation applied), from its top left corner.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import accumulate
from typing import Final

import numpy as np
import numpy.typing as npt

from rag.logs import current_request
from rag.messages import Message
from rag.preferences import DEFAULT_PREFERENCES, Preferences
from rag.word_boxes import Box as Box
from rag.word_boxes import WordBoxes as WordBoxes

DocumentKey = tuple[str, str]  # owner ("" for shared) and document id
Vectors = npt.NDArray[np.float32]  # (n, d) one per text, or (d,) a single one; unit length
OCR_ROOM = 30_000  # characters of the document's text that are reserved for a page to be read by OCR
HEADING_CHARACTERS = 160  # levels of a heading path by which a passage is found


def text_digest(text: str, owner: str = "") -> bytes:
    """The key of a text's vector for `owner`: the first 16 bytes of a SHA-256 over both.

    Owners share no vectors: the time a file takes would reveal that somebody else has the same text.
    """
    own = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:16]
    return hashlib.sha256(owner.encode("utf-8", "surrogatepass") + b"\0" + own).digest()[:16] if owner else own


class PageKind(StrEnum):
    """The kind of content on a page."""

    TEXT = "text"
    OCR = "ocr"  # a picture of text, or gibberish, that was read by OCR
    SCANNED = "scanned"  # an image without a text layer
    GARBLED = "garbled"  # gibberish: broken fonts
    EMPTY = "empty"
    FAILED = "failed"  # could not be read; the other pages are kept


@dataclass(frozen=True)
class Page:
    """One page, read and cleaned up."""

    number: int
    label: str  # as the document labels it: "iv", "12"
    kind: PageKind
    text: str  # paragraphs and table rows end with "\n"; without running headers and footers
    words: WordBoxes
    width: float  # points (1/72 inch), as shown
    height: float
    furniture: str = ""  # running headers and footers, one per line
    flows_on: bool = False  # ends in the middle of a sentence that the next page continues
    note: Message | None = None  # what is wrong with it, in one sentence; None if nothing
    awaits_ocr: bool = False  # scanned or garbled, and not read by OCR yet


def page_starts(pages: Sequence[Page]) -> list[int]:
    """The offset of each page in the document's text; pages awaiting OCR have room, so later offsets stay the same."""
    lengths = (OCR_ROOM if page.awaits_ocr else len(page.text) for page in pages)
    return list(accumulate(lengths, initial=0))[:-1]


@dataclass(frozen=True, slots=True)
class Heading:
    """An entry of the document's outline."""

    title: str
    level: int  # from 1
    page: int
    top: float = 0.0  # distance from the top of the page, as a fraction of its height


@dataclass(frozen=True)
class LoadedDocument:
    """A PDF as read by `rag.pdf.load`."""

    pages: tuple[Page, ...]
    outline: tuple[Heading, ...] = ()
    title: str = ""  # from the metadata; "" if missing or meaningless
    author: str = ""
    created: str = ""  # ISO date; "" if unknown
    notes: tuple[Message, ...] = ()  # for people: pages that cannot be searched, restrictions set by the file's owner

    @property
    def has_text(self) -> bool:
        """Whether it can be searched, given what has been read so far."""
        return any(page.text.strip() for page in self.pages)


@dataclass(frozen=True, slots=True)
class Passage:
    """A stretch of a document that is embedded and retrieved.

    `start` and `end` count characters in the document's text: the texts of its pages one after another, with room for
    pages that were or will be read by OCR. Joined in order, the passages of a page are its text.
    """

    text: str
    start: int
    end: int
    first_page: int
    last_page: int
    heading: tuple[str, ...] = ()  # titles above it, from the top down

    @property
    def searchable(self) -> str:
        """It is found by this, in words and as a vector: its text, after the last titles of its path that it lacks."""
        above = " · ".join(title for title in self.heading[-2:] if title not in self.text)[:HEADING_CHARACTERS]
        return f"{above}\n{self.text}" if above else self.text


@dataclass(frozen=True, slots=True)
class Document:
    """A complete, searchable document in a library."""

    id: str  # SHA-256 of its bytes, hexadecimal
    owner: str  # "" for shared
    name: str  # file name as given: untrusted text, never a path
    title: str
    bytes: int
    pages: int
    passages: int
    kinds: dict[str, int]  # number of pages of each PageKind
    notes: tuple[Message, ...]
    added: float  # seconds since the epoch


@dataclass(frozen=True, slots=True)
class DocumentDetails:
    """What is known about a document beyond its `Document` record."""

    author: str  # "" when unknown
    created: str  # ISO date, "" when unknown
    outline: tuple[Heading, ...]
    page_notes: tuple[tuple[str, Message], ...]  # (page label, what is wrong with that page)
    page_kinds: tuple[PageKind, ...] = ()  # of each page


@dataclass(frozen=True, slots=True)
class Signal:
    """Why a passage was found: the score and rank from one step of retrieval."""

    name: str  # "vectors" (cosine), "words" (BM25), "document" (routing), "overlap" (of terms), "page" or "reranker"
    score: float
    rank: int  # from 1, among the passages of this step; for "document", among the documents


@dataclass(frozen=True, slots=True)
class Source:
    """A passage retrieved for a question, possibly extended by the text around it."""

    number: int  # from 1; what [n] in the answer refers to
    passage_id: int
    document_id: str
    document: str  # the document's name
    first_page: int
    last_page: int
    page_label: str  # label of the first page
    heading: tuple[str, ...]
    text: str
    start: int  # character span in the document's text
    end: int
    score: float  # of the whole retrieval, 0 to about 3; comparable only within one question
    signals: tuple[Signal, ...] = ()
    passage_span: tuple[int, int] | None = None  # the retrieved passage within `text`; None: all of it

    @classmethod
    def of_page(cls, document_id: str, document: str, page: int, label: str) -> Source:
        """A page (from 0) as a source without text, with number 0, so that it can be opened like one."""
        return cls(0, 0, document_id, document, page, page, label, heading=(), text="", start=0, end=0, score=0.0)

    @property
    def passage_text(self) -> str:
        """The text of the retrieved passage alone."""
        return self.text if self.passage_span is None else self.text[slice(*self.passage_span)]


@dataclass(frozen=True, slots=True)
class Citation:
    """A source that supports a sentence of the answer."""

    number: int  # of the source
    start: int  # cited span: [start, end) in the source's text
    end: int


class ClaimState(StrEnum):
    """The result of checking a claim against its sources."""

    SUPPORTED = "supported"
    CONTRADICTED = "contradicted"  # a source says something else instead
    NOT_FOUND = "not found"


@dataclass(frozen=True, slots=True)
class Conflict:
    """What a claim says, and what a source says instead."""

    start: int  # [start, end) in the sentence's text
    end: int
    number: int  # of the source
    source_start: int  # [start, end) in the source's text
    source_end: int


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of an answer, without citation marks. Joining `lead + text` of all sentences gives the answer."""

    text: str
    citations: tuple[Citation, ...] = ()  # best support first; of a contradicted claim, the source that contradicts
    lead: str = ""  # white space before the sentence
    claim: ClaimState | None = None  # None: it makes no claim, for example a heading
    conflicts: tuple[Conflict, ...] = ()  # of a contradicted claim


@dataclass(frozen=True, slots=True)
class TableExcerpt:
    """Rows of a table with their headers, as the page shows them."""

    caption: str  # title and unit line; "" for none
    headers: tuple[str, ...]  # one per column, without the column of labels
    rows: tuple[tuple[str, ...], ...]  # label, then one cell per column; "" for an empty cell
    marked: tuple[tuple[int, int], ...] = ()  # (row, column) of the cells that are the answer, from 0


@dataclass(frozen=True, slots=True)
class ShortAnswer:
    """The value, or values, that an answer starts with."""

    values: tuple[str, ...]  # as printed in the document, or computed and rounded
    scale: str = ""  # "thousand", "million", "billion", "ten thousand", "hundred million", "percent"; "" for none
    labels: tuple[str, ...] = ()  # what the value is of: row and column of its table
    formula: str = ""  # "(44.1 − 56.7) / 56.7"; "" if nothing was computed
    citations: tuple[Citation, ...] = ()  # the cells; a span may lie outside the source's text, on the same page
    table: TableExcerpt | None = None  # the rows that it comes from
    confidence: float = 1.0  # 0..1: how likely it is right
    sure: bool = True  # whether it is likely enough to be stated; otherwise it is shown as a possibility
    names: tuple[str, ...] = ()  # names of the values if there are several: years, or rows
    quoted: bool = False  # whether it is shown in quotation marks, as the reason that a document gives


class AnswerState(StrEnum):
    """How reliable an answer is."""

    ANSWER = "answer"
    CLOSEST = "closest"  # the closest that was found: something is missing, or it may not be the answer
    NONE = "none"  # not in these documents


@dataclass(frozen=True, slots=True)
class Answer:
    """A finished answer."""

    sentences: tuple[Sentence, ...]
    reader: str  # the reader's name; "" for a reply of the program itself
    state: AnswerState = AnswerState.ANSWER
    missing: tuple[str, ...] = ()  # years, names and codes in the question that no source contains
    stopped: bool = False  # stopped by the person before it was complete
    seconds: float = 0.0
    short: ShortAnswer | None = None  # comes before the sentences
    reply: Message | None = None  # to a greeting and the like, for which nothing was searched
    cut: Message | None = None  # why it is incomplete; None if it is complete, or the person stopped it


@dataclass(frozen=True, slots=True)
class AskOptions:
    """How to treat a question."""

    complete: bool = True  # complete a follow-up from the conversation
    anyway: bool = False  # answer even if the documents do not seem to hold the answer
    quotes: bool = False  # answer only with quotes, whichever model is in use
    preferences: Preferences = DEFAULT_PREFERENCES  # of the person who asks


DEFAULT_OPTIONS: Final = AskOptions()


@dataclass(frozen=True, slots=True)
class Found:
    """First event of an answer: the sources found, and the queries they were found with."""

    sources: tuple[Source, ...]
    query: str  # differs from the question if a follow-up was completed
    parts: tuple[str, ...] = ()  # the parts of a compound question, which were searched separately
    writes_markdown: bool = True  # whether the reader's answer is Markdown; otherwise it is plain text


@dataclass(frozen=True, slots=True)
class Reading:
    """What a model is about to read."""

    sources: int  # how many of the sources found are in the prompt
    found: int
    tokens: int  # of the prompt
    context: int  # for prompt and answer together, that the model accepts
    prompt: str  # word for word
    part: int = 0  # of a document read in parts, from 1; 0 for the answer itself
    parts: int = 1  # in which they are read
    cached_tokens: int = 0  # of the prompt, that need not be read again


@dataclass(frozen=True, slots=True)
class Piece:
    """The next characters of the answer, including citation marks; a mark may be split between two pieces."""

    text: str


@dataclass(frozen=True, slots=True)
class Checked:
    """All sentences of the answer that are complete so far, each with its claim checked."""

    sentences: tuple[Sentence, ...]


@dataclass(frozen=True, slots=True)
class Waiting:
    """The question waits for its turn."""

    place: int  # in the queue, from 1


# Waiting for each new place, one Found, Readings (with a model), Pieces, a Checked now and then, one Answer.
Event = Waiting | Found | Reading | Piece | Checked | Answer


class JobState(StrEnum):
    """The stage of a file that is being added."""

    WAITING = "waiting"
    READING = "reading"
    EMBEDDING = "embedding"
    OCR = "ocr"  # its scanned pages are being read; what has been read can already be searched
    LOCKED = "locked"  # waits for its password
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Job:
    """A file being added, as the page shows it."""

    id: int
    owner: str
    document_id: str
    name: str
    state: JobState
    pages: int = 0  # 0 while unknown; during OCR, the scanned pages
    pages_read: int = 0
    passages: int = 0
    passages_embedded: int = 0
    passages_per_second: float = 0.0
    seconds_left: float | None = None  # None while unknown
    message: Message | None = None  # why it is FAILED or LOCKED
    replaces: str = ""  # id of the document that it is a new version of; "" for none
    added_by: str = ""  # the person's owner id, if the document will belong to a collection
    queued: float = field(default_factory=time.monotonic, compare=False)  # since the program was started
    request: str = field(default_factory=current_request, compare=False)  # id of the request that added it, for the log

    @property
    def person(self) -> str:
        """The person whose turn and quota it uses."""
        return self.added_by or self.owner


@dataclass(frozen=True, slots=True)
class View:
    """A page of a source's document, with what to mark on it."""

    source: Source
    page: int  # from 0
    page_label: str
    pages: int  # in the document
    passage_boxes: tuple[Box, ...]  # of the retrieved passage; empty if it is on other pages
    sentence_boxes: tuple[Box, ...]  # of the cited span; empty if it is on other pages
    goes_on: bool = False  # the passage continues on the next page


@dataclass(frozen=True, slots=True)
class Choice:
    """Something that the program has chosen, and why, for the log and the page."""

    what: str  # "reader", "embedder", "reranker", "device"; "index" while it is being loaded
    name: str
    why: Message
    ready: bool = True
    failed: Message | None = None  # what prevented it from being opened
