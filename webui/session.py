"""The state of one open page: its conversation, the answer being made, and what is ticked and open.

Knows the engine and nothing of HTML or Gradio. A session belongs to one owner. It may be stopped, asked again and read
from several threads at the same time.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from rag.answer.small_talk import is_small_talk
from rag.evaluation.experiment import Variant
from rag.evaluation.question_sets import RefusedLine
from rag.messages import Message
from rag.preferences import DEFAULT_PREFERENCES, Preferences
from rag.reader import Turn
from rag.records import (
    DEFAULT_OPTIONS,
    Answer,
    AnswerState,
    AskOptions,
    Checked,
    Citation,
    Document,
    Event,
    Found,
    Job,
    JobState,
    Piece,
    Reading,
    Source,
    Waiting,
)
from webui.accounts.roles import Role
from webui.accounts.users import name_in
from webui.conversation import ROOT, Conversation, Exchange, Place, PlainPage
from webui.drawn_turns import DrawnTurns
from webui.edge import errors_shown
from webui.engine import Engine
from webui.listing import Listing
from webui.models import ModelOffer, Recommendation, ServedModel
from webui.own_conversations import OwnConversations
from webui.strings import Language

REDRAW_SECONDS = 0.06  # pieces and checked sentences that arrive within this time are shown together
SHOWN_TURNS = 20  # drawn at first, and how many “Show earlier” adds

NOTHING_TO_ASK = Message("Add a document first, then ask your question.")
NOTHING_READ = Message("Your documents are still being read: ask again once they are in the list.")
NOTHING_CHOSEN = Message("No document is ticked. Tick at least one in the list.")
_ENDED = (JobState.LOCKED, JobState.FAILED)  # of a file that is not being read any more


@dataclass(frozen=True, slots=True)
class Asking:
    """A question, and how and where in the conversation to ask it."""

    question: str
    options: AskOptions = DEFAULT_OPTIONS
    instead_of: int | None = None  # id of the exchange that it is a variant of; None: it follows all those shown
    only: str = ""  # id of the only document to ask; "" for those ticked


@dataclass
class Opened:
    """What the viewer shows."""

    source: Source
    citation: Citation | None
    page: int | None = None  # the page turned to, from 0; None for the page where the citation or the source begins
    question: str = ""  # the question that a correct page may be marked for
    place: Place | None = None  # where it was opened from; None for a page opened on its own

    @property
    def kept(self) -> Place | PlainPage | None:
        """What is stored about it; None for a saved question's correct page, which belongs to no conversation."""
        if self.place is not None:
            return replace(self.place, page=self.page)
        if self.question:
            return None
        page = self.source.first_page if self.page is None else self.page
        return PlainPage(self.source.document_id, self.source.document, page)


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of the lines of an imported question set."""

    saved: int
    refused: tuple[RefusedLine, ...]


@dataclass
class Evaluation:
    """What the Evaluate view of a session shows."""

    shown: bool = False  # shown instead of the conversation
    hidden: set[int | str] = field(default_factory=set)  # lines hidden in the plot: their k, or "mrr"
    k: int | None = None  # number of sources within which a correct page counts as found; None for all
    against: int | None = None  # the run to compare the newest with; None for the one before it
    problem: Message | None = None  # why the last action failed
    imported: Imported | None = None  # the last file imported, until it is dismissed
    variants: tuple[Variant, Variant] | None = None  # to compare next; None: both are the person's settings
    experiment: int | None = None  # id of the comparison shown; None for the newest
    drawn: str = ""  # HTML, as last sent


@dataclass
class Drawer:
    """What the drawer with the person's conversations shows."""

    open: bool = False
    search: str = ""
    most: int = 50  # how many are listed; increases when more are asked for
    deleted: tuple[str, str, float] | None = None  # id, title and time of the one that can be restored
    utc_offset: int = 0  # the browser's, in minutes east of Greenwich
    seen: int = -1  # version of the list on the page

    @property
    def is_too_late(self) -> bool:
        """Whether the page still offers to restore something that can no longer be restored."""
        return self.deleted is not None and time.monotonic() > self.deleted[2]


class Session:
    """One open page: its conversation, and what is chosen, open and drawn."""

    def __init__(self, owner: str, language: Language, own: OwnConversations | None = None) -> None:
        """`owner` of documents; `own`: the person's stored conversations, None if nothing is stored."""
        self.owner, self.language, self.own = owner, language, own
        self.conversation = Conversation()
        self.role = Role.READER if owner else Role.ADMINISTRATOR  # as of the last request
        self.name_of: Callable[[str], str] = name_in  # the name that people see for a user's id
        self.loaded = False  # whether the page has said which conversation it shows
        self.turns = SHOWN_TURNS  # how many of the last exchanges are shown
        self.opened: Opened | None = None
        self.drawer = Drawer()
        self.evaluation = Evaluation()
        self.listing, self.drawn_turns = Listing(), DrawnTurns()
        self.titles: Mapping[str, str] = {}  # of documents, by id; shown instead of file names
        self.titles_of = -1  # the engine's version that the titles are from
        self.prompts: set[int] = set()  # ids of the exchanges whose prompt is shown
        self.problem: Message | None = None  # why the last action on a document failed
        self.notice: Message | None = None  # why another conversation is shown than was asked for
        self.offers: tuple[ModelOffer, ...] | None = None  # models to choose from, while they are shown
        self.recommended: Recommendation | None = None  # the recommended one for this machine
        self.served: tuple[ServedModel, ...] = ()  # models of the server that was tested
        self.pick_problem: Message | None = None  # why the last model could not be chosen
        self.setting_problem: Message | None = None  # why the last setting was not kept
        self.seen = -1  # the engine's version that the page shows
        self.polled_at = -math.inf  # when a poll last brought changes of the engine
        self.seen_conversation = -1  # the conversation's version that the page shows
        self.seen_earlier: tuple[int, ...] = ()  # ids of the exchanges above the last one
        self.polls_quickly = False  # more often than once a second
        self.following = 0  # requests of this page that are drawing an answer step by step
        self.seen_at = time.monotonic()  # when the page was last heard from
        self._unstored = DEFAULT_PREFERENCES  # of a person for whom nothing is stored

    @property
    def person(self) -> str:
        """Who asks: the login, or the browser without logins."""
        return self.own.owner if self.own else self.owner

    def preferences(self, engine: Engine) -> Preferences:
        """The person's preferences. Raises StoreError."""
        return engine.preferences.of(self.own.owner) if self.own else self._unstored

    def prefer(self, engine: Engine, change: Callable[[Preferences], Preferences]) -> None:
        """Change the person's preferences, from the next question on. Raises StoreError, and what `change` raises."""
        if self.own:
            engine.preferences.change(self.own.owner, change)
        else:
            self._unstored = change(self._unstored)

    def heard(self) -> None:
        """Note that the page has sent something, and so is open."""
        self.seen_at = self.conversation.seen_at = time.monotonic()
        if self.own:
            self.own.seen_at = self.seen_at

    @property
    def should_poll_quickly(self) -> bool:
        """Whether an answer is being made that no request of this page draws."""
        return self.conversation.running and not self.following

    @property
    def drawer_has_changed(self) -> bool:
        """Whether the list of conversations on the page is out of date."""
        return self.own is not None and (self.drawer.seen != self.own.version or self.drawer.is_too_late)

    @property
    def talk_has_changed(self) -> bool:
        """Whether the list, the conversation or the polling rate differ from what the page has."""
        conversation = self.seen_conversation != self.conversation.version
        return conversation or self.drawer_has_changed or self.should_poll_quickly != self.polls_quickly

    def stop(self) -> None:
        """Stop the answer that is being made."""
        self.conversation.stop()

    def show(self, conversation: Conversation) -> None:
        """Show a conversation, with the page that was open in it."""
        self.conversation, self.turns, self.opened, self.notice = conversation, SHOWN_TURNS, None, None
        self.prompts = set()
        match conversation.opened:
            case Place() as place:
                self._open(place)
            case PlainPage() as opened:
                self.open_page(opened)

    def begin(self) -> None:
        """Show a new conversation over the documents that are ticked now."""
        self.show(Conversation(left_out=set(self.conversation.left_out)))

    def resume(self, conversation_id: str) -> bool:
        """Show a stored conversation; a new one if this person has none with this id."""
        found = self.own.open(conversation_id) if self.own else None
        self.show(found or Conversation())
        return found is not None

    def show_notice(self, notice: Message) -> None:
        """Show a notice above the question box, until another conversation is shown or a question is asked."""
        self.notice = notice

    def keep(self) -> None:
        """Store what is ticked, typed and open."""
        self.conversation.opened = self.opened.kept if self.opened else None
        if self.own:
            self.own.keep(self.conversation)

    @property
    def shown(self) -> list[Exchange]:
        """The last exchanges of the branch, oldest first, up to the number to be shown."""
        return self.conversation.loaded(self.conversation.branch_ids()[-self.turns :])

    @property
    def has_earlier(self) -> bool:
        """Whether there are exchanges before those shown."""
        return len(self.conversation.branch_ids()) > self.turns

    def show_earlier(self) -> None:
        """Show more of the earlier exchanges."""
        if self.has_earlier:
            self.turns += SHOWN_TURNS

    def ask(self, engine: Engine, asking: Asking, *, raise_errors: bool = False) -> Iterator[None]:
        """Ask, and yield whenever the page should be redrawn. Stops an answer that is still being made.

        Errors are stored in the exchange; with `raise_errors`, only those meant for people.
        """
        conversation = self.conversation
        with conversation.lock:
            conversation.stop()
            stop = conversation.stop_answer = threading.Event()
            exchange, history = self._begun(engine, asking)
        self.store(conversation, exchange)
        yield

        def show(error: Message) -> None:
            exchange.error = error

        try:
            with errors_shown(show, raise_errors=raise_errors):
                documents = engine.documents(self.owner)
                exchange.documents = (asking.only,) if asking.only else conversation.chosen(documents)
                exchange.unread = () if asking.only else _unread(engine.jobs(self.owner), documents)
                small_talk = is_small_talk(asking.question)
                exchange.error = None if small_talk else _refusal(documents, exchange)
                # If another question came while this one waited for its turn, only the newest is answered.
                if not exchange.error and not stop.is_set():
                    scope, options = exchange.documents, self._preferred(engine, asking.options)
                    events = engine.ask(self.owner, asking.question, scope, history, stop, options, self.person)
                    for _ in _follow(exchange, events):
                        conversation.changed()
                        yield
                    exchange.follow_ups = self._follow_ups(engine, exchange, stop)
        finally:
            stop.set()
            exchange.stopped |= exchange.running
            if exchange.stopped or exchange.error or exchange.follow_ups:  # else it has been drawn already
                conversation.changed()
            self.store(conversation, exchange)
        yield

    def _follow_ups(self, engine: Engine, exchange: Exchange, stop: threading.Event) -> tuple[str, ...]:
        answer, found = exchange.answer, exchange.found
        if answer is None or found is None or answer.state is not AnswerState.ANSWER or exchange.stopped:
            return ()
        return engine.follow_ups(self.owner, found.query, exchange.documents, found.sources, stop)

    def _preferred(self, engine: Engine, options: AskOptions) -> AskOptions:
        """The options with the person's current preferences, which are not stored with each exchange."""
        preferences = self.preferences(engine)
        return replace(options, complete=options.complete and preferences.follow_ups, preferences=preferences)

    def store(self, conversation: Conversation, exchange: Exchange) -> None:
        """Store an exchange of a conversation as it is now."""
        if self.own:
            self.own.keep_exchange(conversation, exchange)
            self.own.keep(conversation)

    def _begun(self, engine: Engine, asking: Asking) -> tuple[Exchange, list[Turn]]:
        """A new exchange at the end of the branch, or in place of another one, and the turns before it."""
        conversation, longest = self.conversation, engine.settings.limits.question_characters
        question = asking.question if len(asking.question) <= longest else asking.question[:longest] + "…"
        if asking.instead_of is None:
            parent = (conversation.branch_ids() or [ROOT])[-1]
        else:
            parent = conversation.parents.get(asking.instead_of, ROOT)
        reader, number = _reader_name(engine), conversation.newest + 1
        exchange = Exchange(number, question, reader, parent=parent, options=asking.options, only=asking.only)
        history = conversation.history(parent)
        conversation.add(exchange)
        conversation.draft = ""
        self.turns, self.notice = SHOWN_TURNS, None
        return exchange, history

    def open_source(self, exchange_id: int, number: int, sentence: int) -> None:
        """Open source `number` of an exchange, with the citation in sentence `sentence` (-1 for none), if it exists."""
        self._open(Place(exchange_id, number, sentence))

    def open_page(self, page: PlainPage) -> None:
        """Open a page of a document on its own; nothing is marked on it."""
        source = Source.of_page(page.document_id, page.document, page.page, str(page.page + 1))
        self.opened = Opened(source, None, page.page)

    def _open(self, place: Place) -> None:
        exchange = self.conversation.exchange(place.exchange)
        source = exchange.source(place.number) if exchange else None
        if exchange is None or source is None:
            return
        question = exchange.found.query if exchange.found else exchange.question
        citation = exchange.citation(place.sentence, place.number)
        self.opened = Opened(source, citation, place.page, question, place)


def _follow(exchange: Exchange, events: Iterator[Event]) -> Iterator[None]:
    """Add the events of an answer to its exchange; yield whenever it should be redrawn."""
    drawn: dict[type[Event], float] = {}  # when it last was, for events that can wait
    for event in events:
        if exchange.stopped:
            # If the reader ends in time, the answer up to the stop still gets its citations.
            if isinstance(event, Answer):
                exchange.answer = event
            continue
        _take(exchange, event)
        now = time.monotonic()
        if now - drawn.get(type(event), 0.0) < REDRAW_SECONDS:
            continue
        drawn[Piece] = now
        if isinstance(event, Checked):
            drawn[Checked] = now
        yield


def _take(exchange: Exchange, event: Event) -> None:
    if isinstance(event, Waiting):
        exchange.waiting = event.place
    elif isinstance(event, Found):
        exchange.found, exchange.waiting = event, 0
    elif isinstance(event, Reading):
        exchange.reading = event
    elif isinstance(event, Piece):
        exchange.text += event.text
    elif isinstance(event, Checked):
        exchange.checked = event.sentences
    else:
        exchange.answer, exchange.checked = event, ()


def _refusal(documents: tuple[Document, ...], exchange: Exchange) -> Message | None:
    """Why nothing can be asked; None if it can."""
    if not documents:
        return NOTHING_READ if exchange.unread else NOTHING_TO_ASK
    return NOTHING_CHOSEN if exchange.documents == () else None


def _unread(jobs: tuple[Job, ...], documents: tuple[Document, ...]) -> tuple[str, ...]:
    """Names of the files that are being read and not among the documents yet."""
    ready = {document.id for document in documents}
    return tuple(job.name for job in jobs if job.state not in _ENDED and job.document_id not in ready)


def _reader_name(engine: Engine) -> str:
    """Name of the reader in use."""
    return next((choice.name for choice in engine.choices() if choice.what == "reader"), "")
