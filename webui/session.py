"""What one open page works with: its conversation, the answer being made, and what is chosen and open.

Knows the engine and nothing of HTML or Gradio. A session belongs to one owner; it may be stopped, asked again and
read from several threads at the same time.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from rag.answer.small_talk import is_small_talk
from rag.messages import Message
from rag.records import DEFAULT_OPTIONS, Answer, AskOptions, Checked, Citation, Document, Event, Found, Piece, Source
from webui.conversation import Conversation, Exchange
from webui.edge import errors_shown
from webui.engine import Engine
from webui.models import ModelOffer
from webui.strings import Language

REDRAW_SECONDS = 0.06  # pieces that come faster are shown together
MAX_EXCHANGES = 50  # kept and shown; the oldest go first

NOTHING_TO_ASK = Message("Add a document first, then ask your question.")
NOTHING_CHOSEN = Message("No document is ticked. Tick at least one on the left.")


@dataclass
class Opened:
    """What the viewer shows."""

    source: Source
    citation: Citation | None
    page: int | None = None  # turned to, from 0; None for the one where the citation, or the source, begins
    question: str = ""  # that a correct page may be marked for


@dataclass
class Evaluation:
    """What the Evaluate view of a session shows."""

    shown: bool = False  # instead of the conversation
    hidden: set[int | str] = field(default_factory=set)  # lines left out of the plot: their k, or "mrr"
    k: int | None = None  # sources among which a correct page counts as found; None for all
    against: int | None = None  # run that the newest is compared with; None for the one before it
    problem: Message | None = None  # why the last thing done failed
    drawn: str = ""  # HTML as last sent


class Session:
    """One open page: its conversation, and what is chosen, open and drawn."""

    def __init__(self, owner: str, language: Language) -> None:
        self.owner = owner
        self.conversation = Conversation(language)
        self.opened: Opened | None = None
        self.evaluation = Evaluation()
        self.detailed: set[str] = set()  # ids of the documents whose details are open
        self.problem: Message | None = None  # why the last thing done with a document failed
        self.offers: tuple[ModelOffer, ...] | None = None  # models to pick from, while they are shown
        self.pick_problem: Message | None = None  # why the last model could not be picked
        self.seen = -1  # the engine's version that the page shows
        self.listed = ""  # HTML of the list of documents as last sent: long, and mostly the same
        self._lock = threading.Lock()
        self._next_id = 1
        self._stop_answer = threading.Event()  # of the newest exchange

    @property
    def language(self) -> Language:
        """The language of the page."""
        return self.conversation.language

    def stop(self) -> None:
        """Stop the answer that is being made; the page shows it as stopped at once."""
        with self._lock:
            self._stop()

    def _stop(self) -> None:
        for exchange in self.conversation.exchanges[-1:]:
            exchange.stopped |= exchange.running
        self._stop_answer.set()

    def clear(self) -> None:
        """Stop, and forget what was asked."""
        with self._lock:
            self._stop()
            self.conversation.exchanges = []
            self.opened = None

    def ask(
        self, engine: Engine, question: str, options: AskOptions = DEFAULT_OPTIONS, *, raise_errors: bool = False
    ) -> Iterator[None]:
        """Ask, and yield each time the page should be drawn anew. Stops what was being answered before.

        What goes wrong becomes the error of the exchange; with `raise_errors` only what is meant for a person.
        """
        history = self.conversation.history()
        longest = engine.settings.limits.question_characters
        shown = question if len(question) <= longest else question[:longest] + "…"
        with self._lock:
            self._stop()
            stop = self._stop_answer = threading.Event()
            exchange = Exchange(self._next_id, shown, reader=_reader_name(engine))
            self._next_id += 1
            self.conversation.exchanges = [*self.conversation.exchanges, exchange][-MAX_EXCHANGES:]
        yield

        def show(error: Message) -> None:
            exchange.error = error

        try:
            with errors_shown(show, raise_errors=raise_errors):
                documents = engine.documents(self.owner)
                exchange.documents = self.conversation.chosen(documents)
                exchange.error = None if is_small_talk(question) else _refusal(documents, exchange.documents)
                # An exchange overtaken while it waited for its turn asks nothing: only the newest is worked on.
                if not exchange.error and not stop.is_set():
                    events = engine.ask(self.owner, question, exchange.documents, history, stop, options)
                    yield from _follow(exchange, events)
        finally:
            stop.set()
        yield

    def reworded(self, exchange_id: int, how: Any, text: str) -> tuple[str, AskOptions] | None:
        """An earlier question and how to ask it again; None where there is nothing to ask.

        `how`: "anyway", despite a refusal; "typed", not completed from the conversation; "understood", as `text` says.
        """
        exchange = self.conversation.exchange(exchange_id)
        if exchange is None:
            return None
        match how:
            case "anyway":
                understood = exchange.found.query if exchange.found else exchange.question
                return understood, AskOptions(complete=False, anyway=True)
            case "typed":
                return exchange.question, AskOptions(complete=False)
            case "understood" if text.strip():
                return text.strip(), AskOptions(complete=False)
        return None

    def open_source(self, exchange_id: int, number: int, sentence: int) -> None:
        """Open source `number` of an exchange, with the citation of sentence `sentence` (-1 for none), if it exists."""
        exchange = self.conversation.exchange(exchange_id)
        source = exchange.source(number) if exchange else None
        if exchange is None or source is None:
            return
        question = exchange.found.query if exchange.found else exchange.question
        self.opened = Opened(source, exchange.citation(sentence, number), question=question)


def _follow(exchange: Exchange, events: Iterator[Event]) -> Iterator[None]:
    """Take the events of an answer into its exchange; yield when it should be drawn anew."""
    drawn = 0.0
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
            if time.monotonic() - drawn < REDRAW_SECONDS:
                continue
        elif isinstance(event, Checked):
            exchange.checked = event.sentences
        else:
            exchange.answer, exchange.checked = event, ()
        drawn = time.monotonic()
        yield


def _refusal(documents: tuple[Document, ...], chosen: tuple[str, ...] | None) -> Message | None:
    """Why nothing can be asked; None when it can."""
    if not documents:
        return NOTHING_TO_ASK
    return NOTHING_CHOSEN if chosen == () else None


def _reader_name(engine: Engine) -> str:
    """Name of the reader that is answering now."""
    return next((choice.name for choice in engine.choices() if choice.what == "reader"), "")
