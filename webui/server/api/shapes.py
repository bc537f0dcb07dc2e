"""What programs send and get, as pydantic models, which validate requests and produce the OpenAPI documentation.

Pages are counted from 1 here, as people count them; everywhere else in the program, from 0.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from rag.records import JobState, PageKind

MAX_SOURCES = 50  # results of one search
MAX_HISTORY = 20  # earlier questions that one request may contain
MAX_SCOPE = 1_000  # documents that one question may name


def _encodable(text: str) -> str:
    """A text without lone surrogates: JSON allows them, but databases, files and tokenizers do not."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("the text is no valid Unicode") from None
    return text


Text = Annotated[str, AfterValidator(_encodable)]
DocumentId = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", description="SHA-256 of the file, hexadecimal")]
DocumentIds = Annotated[
    list[DocumentId] | None,
    Field(min_length=1, max_length=MAX_SCOPE, description="ids of the documents to search; by default all"),
]


class Sent(BaseModel):
    """Base of what programs send: unknown fields are errors rather than ignored."""

    model_config = ConfigDict(extra="forbid")


class SearchRequest(Sent):
    """A question to find sources for."""

    question: Text = Field(description="a question, or words to search for")
    documents: DocumentIds = None
    limit: int = Field(10, ge=1, le=MAX_SOURCES, description="maximum number of sources")


class EarlierTurn(Sent):
    """An earlier question of the conversation, with its answer."""

    question: Text = Field(max_length=20_000)
    answer: Text = Field(max_length=100_000)


class AskRequest(Sent):
    """A question to answer."""

    question: Text = Field(description="the question, in English or Chinese")
    documents: DocumentIds = None
    history: list[EarlierTurn] = Field([], max_length=MAX_HISTORY, description="the conversation so far, oldest first")
    anyway: bool = Field(False, description="answer even if the documents seem not to hold the answer")
    stream: bool = Field(False, description="send server-sent events while the answer is made")


class UnlockRequest(Sent):
    """The password of a document that waits for it."""

    password: Text = Field(max_length=1_000)


class Source(BaseModel):
    """A passage that was found."""

    number: int = Field(description="the n of [n] in an answer")
    document_id: str
    document: str = Field(description="file name")
    page: int = Field(description="page that the passage begins on, from 1")
    last_page: int = Field(description="page that it ends on, from 1")
    page_label: str = Field(description="what the document calls its page, such as iv")
    heading: list[str] = Field(description="titles it stands under, from the top down")
    text: str
    score: float = Field(description="comparable within one question only")


class Citation(BaseModel):
    """A place that the answer is based on."""

    number: int = Field(description="number of the source")
    document_id: str
    document: str = Field(description="file name")
    page: int = Field(description="page that the quote begins on, from 1")
    page_label: str = Field(description="what the document calls this page")
    quote: str = Field(description="what the document says there, word for word")


class Sentence(BaseModel):
    """A sentence of the answer, checked against the sources."""

    text: str
    claim: Literal["supported", "contradicted", "not found"] | None = Field(description="null if it makes no claim")
    citations: list[Citation]


class ShortAnswer(BaseModel):
    """The value, name, phrase or list that answers the question."""

    values: list[str] = Field(description="as printed in the document, or computed and rounded")
    scale: str = Field(description="thousand, million, billion, ten thousand, hundred million, percent, or empty")
    labels: list[str] = Field(description="what the value is of: row and column of its table")
    formula: str = Field(description="how it was computed; empty if it was not")
    sure: bool = Field(description="false for a best guess")
    citations: list[Citation]


class SearchResponse(BaseModel):
    """The sources that were found, best first."""

    sources: list[Source]


class AskResponse(BaseModel):
    """A finished answer."""

    state: Literal["answer", "closest", "none"] = Field(
        description="closest: the nearest that was found, which may not answer; none: not in these documents"
    )
    text: str = Field(description="the answer in words, its citations as [n]; for none, why there is no answer")
    short: ShortAnswer | None
    sentences: list[Sentence]
    citations: list[Citation] = Field(description="all citations of the answer in order, each place once")
    sources: list[Source] = Field(description="all sources that were found for the question")
    question: str = Field(description="as it was understood: a follow-up is completed from the history")
    missing: list[str] = Field(description="years, names and codes of the question that no source holds")
    incomplete: str = Field("", description="why the answer is cut short; otherwise empty")
    reader: str = Field(description="name of the model, or of the quote reader; empty for a reply of the program")
    seconds: float


class Heading(BaseModel):
    """An entry of a document's outline."""

    title: str
    level: int = Field(description="from 1")
    page: int = Field(description="from 1")


class Ingestion(BaseModel):
    """How far a document being added has got."""

    pages_read: int
    passages_embedded: int
    seconds_left: float | None = Field(description="null while unknown")
    message: str = Field(description="why it failed, or what it waits for; otherwise empty")


class Document(BaseModel):
    """A document of the library, or one that is being added."""

    id: str
    name: str = Field(description="file name as given")
    title: str
    state: str = Field(description="ready, or while it is being added: " + ", ".join(JobState))
    shared: bool = Field(description="whether everybody sees it")
    collection: int | None = Field(description="number of the shared collection that it is in; null for none")
    pages: int = Field(description="0 while unknown")
    passages: int = Field(description="0 while unknown")
    bytes: int = Field(description="0 while it is being added")
    added: str | None = Field(description="ISO 8601; null while it is being added")
    page_kinds: dict[str, int] = Field(description="number of pages of each kind: " + ", ".join(PageKind))
    notes: list[str] = Field(description="which parts cannot be searched, and why")
    ingestion: Ingestion | None = Field(description="null when it is ready")


class DocumentDetails(Document):
    """A document with what its file says about itself."""

    author: str
    created: str = Field(description="ISO date, or empty")
    outline: list[Heading]


class DocumentList(BaseModel):
    """All documents that can be seen."""

    documents: list[Document]


class Collection(BaseModel):
    """A collection shared with whoever asks."""

    number: int
    name: str
    edits: bool = Field(description="whether you may add, move and remove its documents")
    documents: int


class CollectionList(BaseModel):
    """The collections shared with whoever asks."""

    collections: list[Collection]


class MoveRequest(BaseModel):
    """Where to move a document."""

    collection: int | None = Field(description="number of a collection; null for your own documents", ge=1)


class Page(BaseModel):
    """The text of a page."""

    document_id: str
    number: int = Field(description="from 1")
    label: str = Field(description="what the document calls it, such as iv")
    kind: str = Field(description=", ".join(PageKind))
    text: str
    note: str = Field(description="what is wrong with the page; usually empty")


class Error(BaseModel):
    """Why a request was refused."""

    error: str = Field(description="one sentence: what is wrong and what to do")


class ChatPart(BaseModel):
    """A part of a message; only text is used."""

    type: str
    text: Text = Field("", max_length=100_000)


class ChatMessage(BaseModel):
    """A message of OpenAI's chat completions."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: Text | list[ChatPart] | None = None

    @property
    def text(self) -> str:
        """All of its text."""
        if isinstance(self.content, list):
            return "\n".join(part.text for part in self.content if part.type == "text")
        return self.content or ""


class ChatRequest(BaseModel):
    """The fields of OpenAI's chat completions that are used here; others, such as temperature, are ignored."""

    model: str = Field("", max_length=200)
    messages: list[ChatMessage] = Field(min_length=1, max_length=1_000)
    stream: bool = False
    n: int = Field(1, ge=1, le=1)
    documents: DocumentIds = None
    stream_options: dict[str, Any] | None = None
