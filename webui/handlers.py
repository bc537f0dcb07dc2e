"""What the page does when somebody does something: each handler changes the session and redraws parts of the page."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import gradio as gr

from rag.messages import Message
from rag.records import AskOptions
from webui.actions.conversations import NOT_THERE, arrive, change_conversations
from webui.actions.evaluation import change, mark_page, marked, question_of
from webui.actions.library import change_library, suggested
from webui.actions.models import change_model
from webui.actions.settings import change_settings
from webui.actions.turns import asked_again, change_turn
from webui.actions.viewer import turn_viewer
from webui.edge import errors_shown, to_int, to_text
from webui.engine import Engine
from webui.listing import order_of
from webui.models import Models
from webui.server.sessions import Sessions
from webui.server.visitors import conversation_owner
from webui.session import Asking, Session
from webui.strings import pick_language, say
from webui.views.answers import conversation_html, earlier_html
from webui.views.documents import documents_changes, documents_html
from webui.views.drawer import drawer_html, note_html
from webui.views.evaluation import evaluation_html, tabs_html
from webui.views.jobs import library_html
from webui.views.picker import picker_html
from webui.views.settings import settings_html
from webui.views.status import head_html
from webui.views.viewer import Mark, viewer_html
from webui.views.welcome import welcome_html

Updates = dict[Any, Any]  # component of the page -> its new value, or what gr.update gives


@dataclass(frozen=True)
class Parts:
    """The components of the page that change."""

    head: Any
    drawer: Any
    library: Any
    documents: Any
    welcome: Any
    tabs: Any
    earlier: Any
    conversation: Any
    note: Any
    question: Any
    ask: Any
    stop: Any
    new: Any
    viewer: Any
    evaluation: Any


class Handlers:
    """The handlers of all events of the page. Each returns the parts that changed."""

    def __init__(
        self, engine: Engine, parts: Parts, models: Models | None = None, *, raise_errors: bool = False
    ) -> None:
        self.engine = engine
        self.parts = parts
        self.models = models
        self.sessions = Sessions(lambda: engine.conversations)
        self.raise_errors = raise_errors

    def session(self, request: gr.Request) -> Session:
        """The session of whoever asks; the login name decides whose documents there are."""
        language = pick_language(request.cookies.get("language"), request.headers.get("accept-language"))
        owner = owner_of(request)
        return self.sessions.of(owner, str(request.session_hash), language, conversation_owner(owner, request.cookies))

    def load(self, place: str, request: gr.Request) -> Updates:
        """A page was opened or reloaded; `place` tells which conversation its address names."""
        session = self.session(request)
        session.listing.order = order_of(request.cookies.get("sort"))
        with errors_shown(session.show_notice, raise_errors=self.raise_errors):
            arrive(session, to_text(place))
        return self._arrived(session)

    def unload(self, request: gr.Request) -> None:
        """A page was closed, or lost its connection for a while; if it comes back, it has the same session."""
        owner = owner_of(request)
        self.sessions.leave(owner, str(request.session_hash), conversation_owner(owner, request.cookies))

    def poll(self, request: gr.Request) -> Updates:
        """Once a second: send what changed, mostly nothing."""
        session = self.session(request)
        version, talk = self.engine.version(), self._changed_talk(session)
        if session.seen == version:
            return talk or dict(gr.skip())
        session.seen = version
        evaluated = session.evaluation.drawn
        updates = self._head(session) | self._library(session) | self._evaluation(session)
        if session.evaluation.drawn == evaluated:
            updates.pop(self.parts.evaluation, None)
        return updates | talk

    def _changed_talk(self, session: Session) -> Updates:
        """What changed in the conversation since this page drew it, because another page changed it."""
        updates: Updates = {}
        if session.own and (session.drawer.seen != session.own.version or session.drawer.is_too_late):
            if session.own.is_gone(session.conversation):
                session.begin()
                session.show_notice(NOT_THERE)
                return self._everything(session)
            updates |= self._drawer(session)
        if session.seen_conversation != session.conversation.version:
            same = session.conversation.running and session.seen_earlier == _earlier_ids(session)
            updates |= self._talk(session, earlier=not same)
        return updates

    def ask(self, question: str, request: gr.Request) -> Iterator[Updates]:
        """Answer, drawing again with each step."""
        question = to_text(question).strip()
        session = self.session(request)
        if question:
            options = AskOptions(quotes=session.conversation.quotes)
            too_long = len(question) > self.engine.settings.limits.question_characters
            yield from self._answer(session, Asking(question, options), emptied=not too_long)
        else:
            yield self._talk(session)

    def again(self, event: gr.EventData, request: gr.Request) -> Iterator[Updates]:
        """Ask an earlier question again, or differently."""
        session = self.session(request)
        asking = asked_again(self.engine, session, _sent(event))
        if asking is not None:
            yield from self._answer(session, asking, emptied=False)

    def suggested(self, event: gr.EventData, request: gr.Request) -> Iterator[Updates]:
        """Ask a question that a document suggests."""
        session = self.session(request)
        asking = suggested(self.engine, session, _sent(event))
        if asking is not None:
            yield from self._answer(session, asking, emptied=False)

    def _answer(self, session: Session, asking: Asking, *, emptied: bool) -> Iterator[Updates]:
        """Answer, drawing again with each step; `emptied`: empty the question box first."""
        first = True
        for _ in session.ask(self.engine, asking, raise_errors=self.raise_errors):
            updates = self._talk(session, emptied=first and emptied, earlier=first)
            yield updates | self._drawer(session) if first else updates
            first = False

    def stop(self, request: gr.Request) -> Updates:
        """Stop at once: the page does not wait for the reader to notice."""
        session = self.session(request)
        session.stop()
        return self._talk(session)

    def new(self, request: gr.Request) -> Updates:
        """Begin a new conversation."""
        session = self.session(request)
        session.begin()
        return self._arrived(session)

    def in_drawer(self, event: gr.EventData, request: gr.Request) -> Updates:
        """Something was done with a conversation as a whole, or something typed into the question box."""
        session = self.session(request)
        version = session.conversation.version
        with errors_shown(session.show_notice, raise_errors=self.raise_errors):
            if change_conversations(session, _sent(event)):
                return self._arrived(session)
        updates = self._drawer(session) | self._note(session)
        return updates if version == session.conversation.version else updates | self._talk(session)

    def in_library(self, event: gr.EventData, request: gr.Request) -> Updates:
        """Something was ticked, removed, unlocked, stopped or added."""
        session = self.session(request)
        session.problem = None

        def show(problem: Message) -> None:
            session.problem = problem

        with errors_shown(show, raise_errors=self.raise_errors):
            change_library(self.engine, session, _sent(event))
        session.keep()
        updates = self._library(session) | self._drawer(session)
        return updates | self._viewer(session) if _sent(event).get("do") == "page" else updates

    def in_conversation(self, event: gr.EventData, request: gr.Request) -> Updates:
        """A citation was opened, another variant of a question is to be shown, or an answer was rated."""
        session, data = self.session(request), _sent(event)
        if data.get("do") == "earlier":
            session.show_earlier()
        elif data.get("do") == "open":
            session.open_source(*(to_int(data.get(name)) for name in ("exchange", "number", "sentence")))
        else:
            change_turn(self.engine, session, data)
        session.evaluation.problem = None
        session.keep()
        return self._exchanges(session) | self._viewer(session)

    def in_viewer(self, event: gr.EventData, request: gr.Request) -> Updates:
        """A page was turned or marked as correct, or the viewer closed."""
        session, data = self.session(request), _sent(event)
        session.evaluation.problem = None
        turn_viewer(session, data)
        if data.get("do") == "right":
            self._try_evaluation(session, lambda: mark_page(self.engine, session, data))
        elif data.get("do") == "evaluate":
            session.evaluation.shown = True
        session.keep()
        return self._viewer(session) if data.get("do") in ("turn", "back") else self._views(session)

    def in_evaluation(self, event: gr.EventData, request: gr.Request) -> Updates:
        """The view was chosen, or something done with saved questions and runs."""
        session, data = self.session(request), _sent(event)
        session.evaluation.problem = None
        session.evaluation.shown = data.get("do") != "view" or data.get("view") == "evaluation"
        self._try_evaluation(session, lambda: change(self.engine, session, data))
        session.keep()
        return self._views(session)

    def _try_evaluation(self, session: Session, action: Callable[[], None]) -> None:
        """Do something with saved questions; what goes wrong is shown in the view and beside the page."""

        def show(problem: Message) -> None:
            session.evaluation.problem = problem

        with errors_shown(show, raise_errors=self.raise_errors):
            action()

    def in_head(self, event: gr.EventData, request: gr.Request) -> Updates:
        """The language was switched, or a model looked for or picked."""
        session, data = self.session(request), _sent(event)
        if data.get("do") == "language":
            session.language = pick_language(str(data.get("language")), None)
            return self._everything(session)
        session.pick_problem = session.setting_problem = None
        about_settings = data.get("do") in ("setting", "settings", "default-settings")

        def show(problem: Message) -> None:
            session.setting_problem, session.pick_problem = (problem, None) if about_settings else (None, problem)

        with errors_shown(show, raise_errors=self.raise_errors):
            if about_settings:
                change_settings(self.engine, session, data)
            else:
                change_model(self.models, session, data)
        return self._head(session)

    # ---- drawing

    def _everything(self, session: Session) -> Updates:
        session.seen = self.engine.version()
        parts = self._head(session) | self._drawer(session) | self._library(session, whole=True)
        return parts | self._talk(session) | self._views(session)

    def _arrived(self, session: Session) -> Updates:
        """Everything, with what was typed in the conversation that is shown now."""
        updates = self._everything(session)
        updates[self.parts.question]["value"] = session.conversation.draft
        return updates

    def _drawer(self, session: Session) -> Updates:
        """Which conversation is shown, and the list of all while it is open."""
        session.drawer.seen = session.own.version if session.own else 0
        return {self.parts.drawer: _stamped(lambda: drawer_html(session))}

    def _note(self, session: Session) -> Updates:
        """What is said above the question box."""
        return {self.parts.note: _stamped(lambda: note_html(session))}

    def _head(self, session: Session) -> Updates:
        def drawn() -> str:
            picker = picker_html(self.models, session)
            settings = settings_html(self.engine, session)
            return head_html(self.engine.choices(), session.language, session.owner, picker, settings)

        return {self.parts.head: _stamped(drawn)}

    def _library(self, session: Session, *, whole: bool = False) -> Updates:
        """Files being added, the documents (the whole list, or what changed in it), and the welcome."""
        updates: Updates = {self.parts.library: _stamped(lambda: library_html(self.engine, session))}
        with session.listing.lock:  # so that drawings are stamped in the order of their numbers
            draw = documents_html if whole else documents_changes
            began, listed = _stamp(), draw(self.engine, session)
            welcome = welcome_html(self.engine, session)
            if whole or welcome != session.listing.welcome:
                session.listing.welcome = welcome
                updates[self.parts.welcome] = f"{began}{welcome}"
        if listed is not None:
            updates[self.parts.documents] = f"{began}{listed}"
        return updates

    def _talk(self, session: Session, *, emptied: bool = False, earlier: bool = True) -> Updates:
        """The conversation, the question box, emptied or not, and the three buttons."""
        language, running, parts = session.language, session.conversation.running, self.parts
        box: dict[str, Any] = {"placeholder": say(language, "question_hint"), "label": say(language, "question")}
        if emptied:
            box["value"] = ""
        return (
            self._exchanges(session, earlier=earlier)
            | self._note(session)
            | {
                parts.question: gr.update(**box),
                parts.ask: gr.update(value=say(language, "ask"), visible="hidden" if running else True),
                parts.stop: gr.update(value=say(language, "stop"), visible=True if running else "hidden"),
                parts.new: gr.update(
                    value=say(language, "new"), visible=True if session.conversation.exchanges else "hidden"
                ),
            }
        )

    def _exchanges(self, session: Session, *, earlier: bool = True) -> Updates:
        """The earlier questions, unless they are the same as before, and the last one with its answer."""
        session.seen_conversation = session.conversation.version
        session.seen_earlier = _earlier_ids(session)
        updates: Updates = {self.parts.conversation: _stamped(lambda: conversation_html(session))}
        return updates | {self.parts.earlier: _stamped(lambda: earlier_html(session))} if earlier else updates

    def _views(self, session: Session) -> Updates:
        """The conversation, the viewer, the tabs, and the Evaluate view while it is shown."""
        return (
            self._exchanges(session)
            | self._viewer(session)
            | {self.parts.tabs: _stamped(lambda: tabs_html(session))}
            | self._evaluation(session)
        )

    def _evaluation(self, session: Session) -> Updates:
        """The Evaluate view, while it is shown."""
        if not session.evaluation.shown:
            return {}

        def drawn() -> str:
            session.evaluation.drawn = evaluation_html(self.engine, session)
            return session.evaluation.drawn

        return {self.parts.evaluation: _stamped(drawn)}

    def _viewer(self, session: Session) -> Updates:
        return {self.parts.viewer: _stamped(lambda: self._opened(session))}

    def _opened(self, session: Session) -> str:
        """The open page, or why it cannot be shown: mostly because its document was removed."""
        opened, problems, shown = session.opened, list[Message](), ""
        if opened is None:
            return viewer_html(None, None, session.language)
        with errors_shown(problems.append, raise_errors=self.raise_errors):
            if opened.page is None:
                view = self.engine.view(session.owner, opened.source, opened.citation)
            else:
                view = self.engine.view_page(session.owner, opened.source, opened.page, opened.citation)
            question = question_of(self.engine, session)
            right = question is not None and marked(question, opened.source.document_id, view.page)
            shown = viewer_html(view, opened, session.language, mark=Mark(right, session.evaluation.problem))
        return viewer_html(None, opened, session.language, problem=problems[0]) if problems else shown


def _earlier_ids(session: Session) -> tuple[int, ...]:
    """Ids of the exchanges shown before the last one."""
    return tuple(exchange.id for exchange in session.shown[:-1])


def owner_of(request: gr.Request) -> str:
    """The login name; "" without login."""
    return str(request.username or "")


def _stamped(draw: Callable[[], str]) -> str:
    """Drawn HTML after the time its drawing began, in microseconds: page.js drops drawings that were overtaken."""
    began = _stamp()
    return f"{began}{draw()}"  # not "+", which would escape the stamp


def _stamp() -> str:
    return f"<!--{time.time_ns() // 1000}-->"


def _sent(event: gr.EventData) -> dict[str, Any]:
    """What the page sent with an event; empty when it is nothing of the kind."""
    if not isinstance(event._data, dict):
        return {}
    return {name: to_text(value) if isinstance(value, str) else value for name, value in event._data.items()}
