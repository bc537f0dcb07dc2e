"""What flows through the pipeline: documents, pages, passages, sources and cited answers, as frozen records.

Pages are counted from 0. Character spans are half open, [start, end). Boxes are (left, top, right, bottom) as
fractions of the page as it is shown (rotation applied), from its top left corner.
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
OCR_ROOM = 30_000  # characters of the document's text that are kept free for a page to be read by OCR
HEADING_CHARACTERS = 160  # of a heading path that a passage is found by


def text_digest(text: str, owner: str = "") -> bytes:
    """The key of a text's vector for `owner`: the first 16 bytes of a SHA-256 over both.

    Owners share no vectors: how long a file takes would tell that somebody else has the same text.
    """
    own = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:16]
    return hashlib.sha256(owner.encode("utf-8", "surrogatepass") + b"\0" + own).digest()[:16] if owner else own


class PageKind(StrEnum):
    """The kind of content found on a page."""

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
    flows_on: bool = False  # ends within a sentence that the next page continues
    note: Message | None = None  # what is wrong with it, one sentence; None if nothing
    awaits_ocr: bool = False  # scanned or garbled, and not read by OCR yet


def page_starts(pages: Sequence[Page]) -> list[int]:
    """The offset of each page in the document's text; one that awaits OCR has room for it, so that the next stay."""
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
    """A PDF as `rag.pdf.load` reads it."""

    pages: tuple[Page, ...]
    outline: tuple[Heading, ...] = ()
    title: str = ""  # from the metadata; "" if missing or meaningless
    author: str = ""
    created: str = ""  # ISO date; "" if unknown
    notes: tuple[Message, ...] = ()  # for the person: pages that cannot be searched, an owner's restriction

    @property
    def has_text(self) -> bool:
        """Whether it can already be searched, by what has been read so far."""
        return any(page.text.strip() for page in self.pages)


@dataclass(frozen=True, slots=True)
class Passage:
    """A stretch of a document that is embedded and retrieved.

    `start` and `end` count characters in the document's text, which is its pages' texts one after another, with room
    where a page was or is to be read by OCR; the passages of a page in order, joined, give its text back.
    """

    text: str
    start: int
    end: int
    first_page: int
    last_page: int
    heading: tuple[str, ...] = ()  # titles it stands under, from the top down

    @property
    def searchable(self) -> str:
        """What it can be found by, in words and as a vector: the last titles of its path that it lacks, its text."""
        above = " · ".join(title for title in self.heading[-2:] if title not in self.text)[:HEADING_CHARACTERS]
        return f"{above}\n{self.text}" if above else self.text


@dataclass(frozen=True, slots=True)
class Document:
    """A document in a library, complete and searchable."""

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
    page_notes: tuple[tuple[str, Message], ...]  # (page label, what was wrong with that page)
    page_kinds: tuple[PageKind, ...] = ()  # of each page


@dataclass(frozen=True, slots=True)
class Signal:
    """Why a passage was found: the score and rank that one step of retrieval gave it."""

    name: str  # "vectors" (cosine), "words" (BM25), "document" (routing), "overlap" (of terms), "page" or "reranker"
    score: float
    rank: int  # from 1, among the passages of this step; for "document" among the documents


@dataclass(frozen=True, slots=True)
class Source:
    """A passage retrieved for a question, which may have been widened to text around it."""

    number: int  # from 1; what [n] in the answer means
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
    score: float  # of the whole retrieval, 0 to about 3; comparable within one question only
    signals: tuple[Signal, ...] = ()
    passage_span: tuple[int, int] | None = None  # of the retrieved passage within `text`; None: all of it

    @classmethod
    def of_page(cls, document_id: str, document: str, page: int, label: str) -> Source:
        """A page, from 0, as a source without text and with number 0, so that it can be opened like one."""
        return cls(0, 0, document_id, document, page, page, label, heading=(), text="", start=0, end=0, score=0.0)

    @property
    def passage_text(self) -> str:
        """The text of the retrieved passage alone."""
        return self.text if self.passage_span is None else self.text[slice(*self.passage_span)]


@dataclass(frozen=True, slots=True)
class Citation:
    """A source that a sentence of the answer rests on."""

    number: int  # of the source
    start: int  # cited span: [start, end) in the source's text
    end: int


class ClaimState(StrEnum):
    """What checking a claim against its sources found."""

    SUPPORTED = "supported"
    CONTRADICTED = "contradicted"  # a source says something else in its place
    NOT_FOUND = "not found"


@dataclass(frozen=True, slots=True)
class Conflict:
    """What a claim says, and what a source says in its place."""

    start: int  # [start, end) in the sentence's text
    end: int
    number: int  # of the source
    source_start: int  # [start, end) in the source's text
    source_end: int


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence of an answer, without citation marks. All `lead + text` joined are the answer."""

    text: str
    citations: tuple[Citation, ...] = ()  # best supported first; of a contradicted claim, the source that contradicts
    lead: str = ""  # white space before the sentence
    claim: ClaimState | None = None  # None: it claims nothing, such as a heading
    conflicts: tuple[Conflict, ...] = ()  # of a contradicted claim


@dataclass(frozen=True, slots=True)
class TableExcerpt:
    """Rows of a table, with their headers, as the page shows them."""

    caption: str  # title and unit line; "" for none
    headers: tuple[str, ...]  # one per column, without the column of labels
    rows: tuple[tuple[str, ...], ...]  # label, then one cell per column; "" for an empty cell
    marked: tuple[tuple[int, int], ...] = ()  # (row, column) of the cells that answer, counted from 0


@dataclass(frozen=True, slots=True)
class ShortAnswer:
    """The value, or the values, that an answer begins with."""

    values: tuple[str, ...]  # as printed in the document, or computed and rounded
    scale: str = ""  # "thousand", "million", "billion", "ten thousand", "hundred million", "percent"; "" for none
    labels: tuple[str, ...] = ()  # what the value is of: row and column of its table
    formula: str = ""  # "(44.1 − 56.7) / 56.7"; "" if nothing was computed
    citations: tuple[Citation, ...] = ()  # the cells; a span may lie outside the source's text, on the same page
    table: TableExcerpt | None = None  # the rows it stands in
    confidence: float = 1.0  # 0..1: how likely it is right
    sure: bool = True  # whether it is likely enough to be stated; otherwise it is shown as a possibility
    names: tuple[str, ...] = ()  # of the values, one each, if there are several: years, or rows
    quoted: bool = False  # whether it is shown in quotation marks: what a document gives as the reason


class AnswerState(StrEnum):
    """How far an answer can be relied on."""

    ANSWER = "answer"
    CLOSEST = "closest"  # the nearest that was found: something is missing, or it is not sure to answer
    NONE = "none"  # not in these documents


@dataclass(frozen=True, slots=True)
class Answer:
    """A finished answer."""

    sentences: tuple[Sentence, ...]
    reader: str  # the reader's name; "" for a reply of the program itself
    state: AnswerState = AnswerState.ANSWER
    missing: tuple[str, ...] = ()  # years, names and codes of the question that no source holds
    stopped: bool = False  # ended early by the person
    seconds: float = 0.0
    short: ShortAnswer | None = None  # comes before the sentences
    reply: Message | None = None  # to a greeting and the like, for which nothing was searched
    cut: Message | None = None  # why it ends before its end; None if it does not, or the person stopped it


@dataclass(frozen=True, slots=True)
class AskOptions:
    """How a question is to be treated."""

    complete: bool = True  # complete a follow-up from the conversation
    anyway: bool = False  # answer even if the documents seem not to hold the answer
    quotes: bool = False  # answer with quotes alone, whichever model is in use
    preferences: Preferences = DEFAULT_PREFERENCES  # of the person who asks


DEFAULT_OPTIONS: Final = AskOptions()


@dataclass(frozen=True, slots=True)
class Found:
    """First event of an answer: the sources retrieved, and the queries they were retrieved with."""

    sources: tuple[Source, ...]
    query: str  # differs from the question where a follow-up was completed
    parts: tuple[str, ...] = ()  # the parts of a compound question, which were searched separately
    writes_markdown: bool = True  # whether the reader's answer is Markdown; otherwise it is plain text


@dataclass(frozen=True, slots=True)
class Reading:
    """What a model is about to read."""

    sources: int  # of those found, how many are in the prompt
    found: int
    tokens: int  # of the prompt
    context: int  # of prompt and answer together, that the model takes at most
    prompt: str  # word for word
    part: int = 0  # of documents that are read in parts, from 1; 0 for the answer itself
    parts: int = 1  # in which they are read
    cached_tokens: int = 0  # of the prompt, that need not be read again


@dataclass(frozen=True, slots=True)
class Piece:
    """The next characters of the answer, citation marks included; a mark may be cut in two."""

    text: str


@dataclass(frozen=True, slots=True)
class Checked:
    """All sentences of the answer that are complete so far, each with its claim checked."""

    sentences: tuple[Sentence, ...]


@dataclass(frozen=True, slots=True)
class Waiting:
    """The question waits for its turn."""

    place: int  # in the queue, from 1


# Waiting for each new place, one Found, with a model Readings, Pieces, now and then a Checked, one Answer.
Event = Waiting | Found | Reading | Piece | Checked | Answer


class JobState(StrEnum):
    """The stage of a file that is being added."""

    WAITING = "waiting"
    READING = "reading"
    EMBEDDING = "embedding"
    OCR = "ocr"  # its scanned pages are read; what has been read can be searched already
    LOCKED = "locked"  # waits for its password
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Job:
    """One file being added, as the page shows it."""

    id: int
    owner: str
    document_id: str
    name: str
    state: JobState
    pages: int = 0  # 0 while unknown; by OCR, those that are scanned
    pages_read: int = 0
    passages: int = 0
    passages_embedded: int = 0
    passages_per_second: float = 0.0
    seconds_left: float | None = None  # None while unknown
    message: Message | None = None  # why it is FAILED or LOCKED
    replaces: str = ""  # id of the document that it is a new version of; "" for none
    added_by: str = ""  # owner id of the person, where the document will be a collection's
    queued: float = field(default_factory=time.monotonic, compare=False)  # since this start of the program
    request: str = field(default_factory=current_request, compare=False)  # the id of what added it, for the log

    @property
    def person(self) -> str:
        """The person whose turn and place in the queue it takes."""
        return self.added_by or self.owner


@dataclass(frozen=True, slots=True)
class View:
    """A page of a source's document, with what to highlight on it."""

    source: Source
    page: int  # from 0
    page_label: str
    pages: int  # in the document
    passage_boxes: tuple[Box, ...]  # of the retrieved passage; empty if it is on other pages
    sentence_boxes: tuple[Box, ...]  # of the cited span; empty if it is on other pages
    goes_on: bool = False  # the passage continues on the next page


@dataclass(frozen=True, slots=True)
class Choice:
    """One thing that the program chose, and why: shown in the log and on the page."""

    what: str  # "reader", "embedder", "reranker", "device"; "index" while it is being loaded
    name: str
    why: Message
    ready: bool = True
    failed: Message | None = None  # what kept it from being opened
