"""One person's conversation with the library: what was asked, found and answered, and what is chosen and open.

Knows the engine and nothing of HTML or Gradio. A conversation belongs to one session of one owner; it may be
stopped, asked again and read from several threads at once.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from rag.answer.marks import remove_citation_marks, replace_citation_marks
from rag.reader import Turn
from rag.records import Answer, Citation, Document, Found, Piece, Source
from webui.edge import sentence_for
from webui.engine import Engine
from webui.models import ModelOffer
from webui.strings import Language, say

SHOW_EVERY_SECONDS = 0.06  # pieces that come faster are shown together
MOST_EXCHANGES = 50  # kept and shown; the oldest go first
HISTORY_TURNS = 6  # earlier questions given to the engine


@dataclass
class Exchange:
    """One question and what became of it."""

    id: int
    question: str
    reader: str = ""  # name of the one that was asked
    found: Found | None = None
    text: str = ""  # the pieces so far
    answer: Answer | None = None
    error: str = ""  # one sentence
    stopped: bool = False  # by the person; whatever comes after is not shown
    stop: threading.Event = field(default_factory=threading.Event)

    @property
    def running(self) -> bool:
        """Whether more may come."""
        return self.answer is None and not self.error and not self.stopped

    @property
    def sources(self) -> tuple[Source, ...]:
        """What was retrieved; empty until it is."""
        return self.found.sources if self.found else ()

    @property
    def is_plain_text(self) -> bool:
        """Whether the answer is plain text rather than Markdown."""
        return self.found is not None and not self.found.writes_markdown

    def plain_answer(self) -> str:
        """The answer as text with its citations as `[n]`, for the clipboard."""
        if self.answer is None:
            return replace_citation_marks(self.text, lambda numbers: "".join(f"[{number}]" for number in numbers))
        parts = []
        for sentence in self.answer.sentences:
            marks = "".join(f"[{citation.number}]" for citation in sentence.citations)
            parts.append(f"{sentence.lead}{sentence.text}{marks}")
        return "".join(parts).strip()


@dataclass
class Opened:
    """What the viewer shows."""

    source: Source
    citation: Citation | None
    page: int | None = None  # turned to, from 0; None for the one where the citation, or the source, begins
    question: str = ""  # that a right page may be marked for


@dataclass
class Evaluation:
    """What the Evaluate view of a session shows."""

    shown: bool = False  # instead of the conversation
    hidden: set[int | str] = field(default_factory=set)  # lines left out of the plot: their k, or "mrr"
    k: int | None = None  # sources among which a right page counts as found; None for all
    against: int | None = None  # run that the newest is compared with; None for the one before it
    problem: str = ""  # one sentence: why the last thing done failed
    drawn: str = ""  # as last sent


class Conversation:
    """What one session knows: its questions, the documents left out, the source that is open."""

    def __init__(self, owner: str, language: Language) -> None:
        self.owner = owner
        self.language: Language = language
        self.exchanges: list[Exchange] = []
        self.left_out: set[str] = set()  # document ids that are not asked; new documents are
        self.opened: Opened | None = None
        self.evaluation = Evaluation()
        self.problem = ""  # one sentence: why the last thing done with a document failed
        self.offers: tuple[ModelOffer, ...] | None = None  # models to pick from, while they are shown
        self.pick_problem = ""  # one sentence: why the last model could not be picked
        self.seen = -1  # the engine's version that the page shows
        self.listed = ""  # the list of documents as last sent: long, and mostly the same
        self._lock = threading.Lock()
        self._next_id = 1

    @property
    def running(self) -> bool:
        """Whether an answer is being made."""
        return any(exchange.running for exchange in self.exchanges[-1:])

    def chosen(self, documents: tuple[Document, ...]) -> list[str] | None:
        """Ids of the documents to ask; None for all of them."""
        ids = [document.id for document in documents]
        kept = [name for name in ids if name not in self.left_out]
        return None if len(kept) == len(ids) else kept

    def stop(self) -> None:
        """Stop the answer that is being made, at once as far as the person sees."""
        with self._lock:
            self._stop()

    def _stop(self) -> None:
        for exchange in self.exchanges:
            if exchange.running:
                exchange.stopped = True
            exchange.stop.set()

    def clear(self) -> None:
        """Stop, and forget what was asked."""
        with self._lock:
            self._stop()
            self.exchanges = []
            self.opened = None

    def ask(self, engine: Engine, question: str, *, raise_errors: bool = False) -> Iterator[None]:
        """Ask, and yield each time the page should be drawn anew. Stops what was being answered before.

        What goes wrong becomes a sentence in the exchange; with `raise_errors` only what is meant for a person.
        """
        history = self.history()
        most = engine.settings.limits.question_characters
        shown = question if len(question) <= most else question[:most] + "…"
        with self._lock:
            self._stop()
            exchange = Exchange(self._next_id, shown, _reader(engine))
            self._next_id += 1
            self.exchanges = [*self.exchanges, exchange][-MOST_EXCHANGES:]
        yield
        try:
            yield from self._follow(engine, exchange, question, history)
        except Exception as error:  # noqa: BLE001 - the page's edge
            exchange.error = sentence_for(error, self.language, raise_errors=raise_errors)
        finally:
            exchange.stop.set()
        yield

    def _follow(self, engine: Engine, exchange: Exchange, question: str, history: list[Turn]) -> Iterator[None]:
        documents = engine.documents(self.owner)
        chosen = self.chosen(documents)
        if refusal := _refusal(documents, chosen):
            exchange.error = say(self.language, refusal)
            return
        if exchange.stop.is_set():
            return  # overtaken while it waited for its turn: only the newest question of a session is worked on
        events = engine.ask(self.owner, question, chosen, history, exchange.stop)
        shown = 0.0
        for event in events:
            if exchange.stopped:
                # The answer up to the stop still brings its citations, when the reader ends in time.
                if isinstance(event, Answer):
                    exchange.answer = event
                continue
            if isinstance(event, Found):
                exchange.found = event
            elif isinstance(event, Piece):
                exchange.text += event.text
                if time.monotonic() - shown < SHOW_EVERY_SECONDS:
                    continue
            else:
                exchange.answer = event
            shown = time.monotonic()
            yield

    def history(self) -> list[Turn]:
        """Earlier questions and their answers, marks taken out, as the engine wants them."""
        turns = []
        for exchange in self.exchanges[-HISTORY_TURNS:]:
            if exchange.answer is not None:
                text = "".join(part.lead + part.text for part in exchange.answer.sentences)
            else:
                text = remove_citation_marks(exchange.text)
            if text.strip() and not exchange.error:
                turns.append(Turn(exchange.question, text.strip()))
        return turns

    def source(self, exchange_id: int, number: int, sentence: int) -> Opened | None:
        """The source number `number` of an exchange, with the citation of sentence `sentence` (-1 for none)."""
        for exchange in self.exchanges:
            if exchange.id != exchange_id:
                continue
            source = next((found for found in exchange.sources if found.number == number), None)
            if source is None:
                return None
            question = exchange.found.query if exchange.found else exchange.question
            return Opened(source, _citation(exchange, number, sentence), question=question)
        return None


def _citation(exchange: Exchange, number: int, sentence: int) -> Citation | None:
    if exchange.answer is None or not 0 <= sentence < len(exchange.answer.sentences):
        return None
    citations = exchange.answer.sentences[sentence].citations
    return next((citation for citation in citations if citation.number == number), None)


def _refusal(documents: tuple[Document, ...], chosen: list[str] | None) -> str:
    """Key of the words that say why nothing can be asked; "" when it can."""
    if not documents:
        return "nothing_to_ask"
    return "nothing_chosen" if chosen == [] else ""


def _reader(engine: Engine) -> str:
    """Name of the reader that is answering now."""
    return next((choice.name for choice in engine.choices() if choice.what == "reader"), "")
