"""A conversation as plain data: what was asked, what was found and answered, and its branches. To and from JSON."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from functools import cache

from pydantic import TypeAdapter, ValidationError

from rag.answer.marks import remove_citation_marks, replace_citation_marks
from rag.answer.scales import named_values
from rag.messages import Message
from rag.reader import Turn
from rag.records import (
    DEFAULT_OPTIONS,
    Answer,
    AnswerState,
    AskOptions,
    Citation,
    Document,
    Found,
    Reading,
    Sentence,
    ShortAnswer,
    Source,
)

HISTORY_TURNS = 6  # earlier questions that the engine gets
NO_SENTENCE = -1  # sentence index of a source that was opened from a list rather than through a citation
ROOT = 0  # parent of the first question in a branch
FIRST_SHORT = -2  # sentence index of the short answer's first citation; -3 is its second, and so on

UNREADABLE = Message("This answer was saved by another version of the program, and this one cannot read it.")


@dataclass
class Exchange:
    """A question, and what became of it."""

    id: int
    question: str
    reader: str = ""  # name of the reader that was asked
    found: Found | None = None
    text: str = ""  # the pieces of the answer so far
    answer: Answer | None = None
    error: Message | None = None
    stopped: bool = False  # anything that arrives after it is not shown
    left: bool = False  # stopped because no page showed it any more, not by the person
    documents: tuple[str, ...] | None = None  # ids of the documents that were searched; None for all
    checked: tuple[Sentence, ...] = ()  # the complete sentences so far, until the answer is there
    parent: int | None = None  # id of the exchange before it, or ROOT; None: the one asked just before
    options: AskOptions = DEFAULT_OPTIONS  # options of the question
    only: str = ""  # id of the only document it was asked about, whatever is ticked; "": the ticked ones
    follow_ups: tuple[str, ...] = ()  # suggested next questions
    helpful: bool | None = None  # the person's rating of the answer; None if not rated
    reason: str = ""  # the person's reason for the rating
    reading: Reading | None = None  # what the model has read
    waiting: int = 0  # its place in the queue; 0 once it has its turn
    unread: tuple[str, ...] = ()  # names of files that were still being read, so that it could not search them

    @property
    def running(self) -> bool:
        """Whether more may come."""
        return self.answer is None and not self.error and not self.stopped

    @property
    def sources(self) -> tuple[Source, ...]:
        """The sources found; empty until there are any."""
        return self.found.sources if self.found else ()

    @property
    def is_plain_text(self) -> bool:
        """Whether the answer is plain text rather than Markdown."""
        return self.found is not None and not self.found.writes_markdown

    def cited_answer(self) -> str:
        """The answer as text for the clipboard, with its citations as `[n]`."""
        if self.answer is None:
            return replace_citation_marks(self.text, lambda numbers: "".join(f"[{number}]" for number in numbers))
        parts = []
        for sentence in self.answer.sentences:
            marks = "".join(f"[{citation.number}]" for citation in sentence.citations)
            parts.append(f"{sentence.lead}{sentence.text}{marks}")
        return "".join(parts).strip()

    def bare_answer(self) -> str:
        """The answer as text without its citations."""
        if self.answer is None:
            return remove_citation_marks(self.text).strip()
        text = "".join(sentence.lead + sentence.text for sentence in self.answer.sentences).strip()
        short = self.answer.short if self.answer.state is AnswerState.ANSWER else None
        return f"{_short_text(short)}\n{text}".strip() if short else text

    def source(self, number: int) -> Source | None:
        """The source with this number."""
        return next((source for source in self.sources if source.number == number), None)

    def citation(self, sentence: int, number: int) -> Citation | None:
        """The citation of source `number` in the sentence with this index, or in the short answer (`FIRST_SHORT`)."""
        if sentence <= FIRST_SHORT:
            short = self.answer.short if self.answer else None
            place = FIRST_SHORT - sentence
            citations = short.citations[place : place + 1] if short else ()
        else:
            sentences = self.answer.sentences if self.answer else self.checked
            citations = sentences[sentence].citations if 0 <= sentence < len(sentences) else ()
        return next((citation for citation in citations if citation.number == number), None)

    def cited_text(self, citation: Citation) -> str:
        """The text that a citation refers to; "" if it lies outside its source's text."""
        source = self.source(citation.number)
        return source.text[max(citation.start, 0) : max(citation.end, 0)] if source else ""

    def to_json(self) -> str:
        """As JSON text."""
        return _adapter().dump_json(self).decode()

    @classmethod
    def from_json(cls, text: str) -> Exchange:
        """The inverse of `to_json`. An answer that was still being made counts as stopped.

        Fields added since then get their defaults. Raises ValueError if the text cannot be read.
        """
        exchange = _adapter().validate_json(text)
        exchange.stopped |= exchange.running
        exchange.waiting = 0
        return exchange


@cache
def _adapter() -> TypeAdapter[Exchange]:
    return TypeAdapter(Exchange)


def stored_exchange(exchange_id: int, text: str) -> Exchange:
    """An exchange from its JSON; if that cannot be read, an exchange that says so."""
    try:
        return Exchange.from_json(text)
    except ValidationError:
        return Exchange(exchange_id, "…", error=UNREADABLE)


@dataclass(frozen=True)
class Place:
    """An open source: its exchange, its number there, and the sentence that cites it."""

    exchange: int
    number: int
    sentence: int = NO_SENTENCE
    page: int | None = None  # the page turned to, from 0; None for the page where the citation or the source begins


@dataclass(frozen=True)
class PlainPage:
    """A page opened from a document's details rather than as a source."""

    document_id: str
    document: str  # its name
    page: int  # from 0


@dataclass
class Conversation:
    """The questions of one conversation. All pages that show it share one object; see `webui.own_conversations`.

    A question asked again or edited is a variant of the first: it has the same parent and starts a branch of its own.
    Of a long conversation only the exchanges needed are in memory; `load` fetches others.
    """

    exchanges: list[Exchange] = field(default_factory=list)  # from all branches, by id; always includes the newest
    left_out: set[str] = field(default_factory=set)  # ids of the documents not to search; so new documents are searched
    leaf: int | None = None  # id of the exchange that ends the branch shown; None for the newest
    id: str = ""  # in the store; "" while it is not stored
    title: str = ""
    draft: str = ""  # typed but not asked yet
    quotes: bool = False  # answer with quotes, whichever model is in use
    opened: Place | PlainPage | None = None
    problem: Message | None = None  # why the last change could not be stored
    parents: dict[int, int] = field(default_factory=dict)  # what each exchange follows, by id; ROOT for the first
    load: Callable[[Collection[int]], list[Exchange]] = field(default=lambda ids: [], compare=False, repr=False)
    version: int = field(default=0, compare=False)  # increases with every change that a page shows
    seen_at: float = field(default_factory=time.monotonic, compare=False, repr=False)  # when a page last showed it
    stored_state: str = field(default="", compare=False, repr=False)  # what was last stored, without the exchanges
    lock: threading.RLock = field(default_factory=threading.RLock, compare=False, repr=False)
    stop_answer: threading.Event = field(default_factory=threading.Event, compare=False, repr=False)  # of the newest
    _changes: threading.Condition = field(default_factory=threading.Condition, compare=False, repr=False)

    def __post_init__(self) -> None:
        before = ROOT
        for exchange in self.exchanges:
            self.parents.setdefault(exchange.id, before if exchange.parent is None else exchange.parent)
            before = exchange.id

    @property
    def running(self) -> bool:
        """Whether an answer is being made."""
        return any(exchange.running for exchange in self.exchanges[-1:])

    @property
    def newest(self) -> int:
        """Id of the exchange that was asked last; ROOT before the first."""
        return max(self.parents, default=ROOT)

    @property
    def waiting(self) -> bool:
        """Whether an answer is waiting for its turn."""
        return any(exchange.running and exchange.waiting for exchange in self.exchanges[-1:])

    def changed(self) -> None:
        """Make all pages that show it redraw it."""
        with self._changes:
            self.version += 1
            self._changes.notify_all()

    def wait_for_change(self, seen: int, seconds: float, ended: Callable[[], bool] = lambda: False) -> int:
        """The version, once it differs from `seen`, the time is up, or `wake` was called after it `ended`."""
        with self._changes:
            self._changes.wait_for(lambda: self.version != seen or ended(), seconds)
            return self.version

    def wake(self) -> None:
        """Wake everybody who waits for a change so that they check whether it has ended; nothing needs redrawing."""
        with self._changes:
            self._changes.notify_all()

    def stop(self, *, left: bool = False) -> None:
        """Stop the answer being made; it counts as stopped at once. `left`: because everybody has left."""
        with self.lock:
            for exchange in self.exchanges[-1:]:
                exchange.left |= left and exchange.running
                exchange.stopped |= exchange.running
            self.stop_answer.set()
            self.changed()

    def add(self, exchange: Exchange) -> None:
        """Add a new exchange, and show the branch that it ends."""
        with self.lock:
            self.parents[exchange.id] = self.newest if exchange.parent is None else exchange.parent
            self.exchanges = [*self.exchanges, exchange]
            self.leaf = None
            self.changed()

    def chosen(self, documents: tuple[Document, ...]) -> tuple[str, ...] | None:
        """Ids of the documents to search; None for all."""
        kept = tuple(document.id for document in documents if document.id not in self.left_out)
        return None if len(kept) == len(documents) else kept

    def exchange(self, exchange_id: int) -> Exchange | None:
        """The exchange with this id."""
        found = self.loaded([exchange_id])
        return found[0] if found else None

    def loaded(self, ids: Sequence[int]) -> list[Exchange]:
        """The exchanges with these ids, in this order. Those not in memory are fetched from the store."""
        with self.lock:
            known = {exchange.id: exchange for exchange in self.exchanges}
            missing = [one for one in ids if one in self.parents and one not in known]
            if missing:
                known |= {exchange.id: exchange for exchange in self.load(missing)}
                self.exchanges = [known[one] for one in sorted(known)]
            return [known[one] for one in ids if one in known]

    def forget(self, keep: int) -> None:
        """Keep in memory only the newest exchange and the last ones of the branch shown; the store has the others."""
        with self.lock:
            kept = {*self.branch_ids()[-keep:], self.newest}
            self.exchanges = [exchange for exchange in self.exchanges if exchange.id in kept]

    @property
    def branch(self) -> list[Exchange]:
        """The exchanges shown, oldest first. Loads all of them."""
        return self.loaded(self.branch_ids())

    def branch_ids(self, leaf: int | None = None) -> list[int]:
        """Ids of an exchange (by default the leaf shown) and of all those it follows, oldest first; none for ROOT."""
        at = leaf if leaf is not None else self.newest if self.leaf is None else self.leaf
        branch: list[int] = []
        while at in self.parents and len(branch) < len(self.parents):
            branch.append(at)
            at = self.parents[at]
        return branch[::-1]

    def variants(self, exchange_id: int) -> list[int]:
        """Ids of an exchange and all its variants, in the order they were asked."""
        return [other for other, parent in self.parents.items() if parent == self.parents.get(exchange_id)]

    def show_variant(self, exchange_id: int) -> None:
        """Show the branch of an exchange, up to the last question asked in it."""
        if exchange_id in self.parents:
            within = {exchange_id}
            for other, parent in self.parents.items():  # a parent comes before those that follow it
                if parent in within:
                    within.add(other)
            self.leaf = max(within)
            self.changed()

    def history(self, leaf: int | None = None) -> list[Turn]:
        """The last exchanges up to a leaf (by default the one shown), as the engine takes them; without failed ones."""
        turns = [
            Turn(exchange.question, exchange.bare_answer(), exchange.found.query if exchange.found else "")
            for exchange in self.loaded(self.branch_ids(leaf)[-HISTORY_TURNS:])
            if not exchange.error
        ]
        return [turn for turn in turns if turn.answer]


def _short_text(short: ShortAnswer) -> str:
    """A short answer as text, for a reader that gets a later question."""
    value = ", ".join(named_values(short))
    return f"{' · '.join(short.labels)}: {value}" if short.labels else value
