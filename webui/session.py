"""What one open page works with: its conversation, the answer being made, and what is chosen and open.

Knows the engine and nothing of HTML or Gradio. A session belongs to one owner; it may be stopped, asked again and
read from several threads at the same time.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from rag.answer.small_talk import is_small_talk
from rag.messages import Message
from rag.reader import Turn
from rag.records import DEFAULT_OPTIONS, Answer, AskOptions, Checked, Citation, Document, Event, Found, Piece, Source
from webui.conversation import ROOT, Conversation, Exchange
from webui.edge import errors_shown
from webui.engine import Engine
from webui.listing import Listing
from webui.models import ModelOffer
from webui.strings import Language

REDRAW_SECONDS = 0.06  # pieces that come faster are shown together
MAX_EXCHANGES = 50  # kept and shown; the oldest go first

NOTHING_TO_ASK = Message("Add a document first, then ask your question.")
NOTHING_CHOSEN = Message("No document is ticked. Tick at least one on the left.")


@dataclass(frozen=True, slots=True)
class Asking:
    """A question, and how and where in the conversation it is asked."""

    question: str
    options: AskOptions = DEFAULT_OPTIONS
    instead_of: int | None = None  # id of the exchange that it is a variant of; None: it comes after all shown
    only: str = ""  # id of the one document it is about; "" for those ticked


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
        self.listing = Listing()
        self.problem: Message | None = None  # why the last thing done with a document failed
        self.offers: tuple[ModelOffer, ...] | None = None  # models to pick from, while they are shown
        self.pick_problem: Message | None = None  # why the last model could not be picked
        self.seen = -1  # the engine's version that the page shows
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
            self.conversation.exchanges, self.conversation.leaf = [], None
            self.opened = None

    def ask(self, engine: Engine, asking: Asking, *, raise_errors: bool = False) -> Iterator[None]:
        """Ask, and yield each time the page should be drawn anew. Stops what was being answered before.

        What goes wrong becomes the error of the exchange; with `raise_errors` only what is meant for a person.
        """
        with self._lock:
            self._stop()
            stop = self._stop_answer = threading.Event()
            exchange, history = self._begun(engine, asking)
        yield

        def show(error: Message) -> None:
            exchange.error = error

        try:
            with errors_shown(show, raise_errors=raise_errors):
                documents = engine.documents(self.owner)
                exchange.documents = (asking.only,) if asking.only else self.conversation.chosen(documents)
                small_talk = is_small_talk(asking.question)
                exchange.error = None if small_talk else _refusal(documents, exchange.documents)
                # An exchange overtaken while it waited for its turn asks nothing: only the newest is worked on.
                if not exchange.error and not stop.is_set():
                    scope, options = exchange.documents, asking.options
                    events = engine.ask(self.owner, asking.question, scope, history, stop, options)
                    yield from _follow(exchange, events)
        finally:
            stop.set()
        yield

    def _begun(self, engine: Engine, asking: Asking) -> tuple[Exchange, list[Turn]]:
        """A new exchange at the end of the branch shown, or in the place of another; and what came before it."""
        conversation, longest = self.conversation, engine.settings.limits.question_characters
        question = asking.question if len(asking.question) <= longest else asking.question[:longest] + "…"
        if asking.instead_of is None:
            parent = conversation.branch[-1].id if conversation.exchanges else ROOT
        else:
            parent = conversation.parents().get(asking.instead_of, ROOT)
        exchange = Exchange(
            self._next_id, question, _reader_name(engine), parent=parent, options=asking.options, only=asking.only
        )
        self._next_id += 1
        history = conversation.history(parent)
        conversation.exchanges = [*conversation.exchanges, exchange][-MAX_EXCHANGES:]
        conversation.leaf = None
        return exchange, history

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
