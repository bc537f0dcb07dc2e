"""Handles the page's events: each handler changes the session and redraws parts of the page."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import gradio as gr

from rag.logs import steps_in_request
from rag.messages import Message
from rag.records import AskOptions
from webui.accounts.roles import Role, check
from webui.accounts.users import name_in
from webui.actions.conversations import NOT_THERE, arrive, change_conversations
from webui.actions.evaluation import change, mark_page
from webui.actions.library import change_library, suggested
from webui.actions.models import change_model
from webui.actions.settings import change_settings
from webui.actions.turns import asked_again, change_turn
from webui.actions.viewer import turn_viewer
from webui.answering import Answers
from webui.drawing import Drawing, Parts, Updates
from webui.edge import errors_shown, to_int, to_text
from webui.engine import Engine
from webui.listing import order_of
from webui.models import Models
from webui.server.polls import Pace
from webui.server.sessions import Sessions
from webui.server.visitors import conversation_owner
from webui.server.watch import id_of
from webui.session import Asking, Session
from webui.strings import language_of, pick_language

POLL_SECONDS = 1.0
QUICK_POLL_SECONDS = 0.2  # while polling draws an answer


@dataclass(frozen=True, slots=True)
class People:
    """People's names and roles, by id."""

    role_of: Callable[[str], Role]
    name_of: Callable[[str], str] = name_in


class Handlers:
    """The handlers of all events of the page. Each returns the parts that changed."""

    def __init__(
        self,
        engine: Engine,
        parts: Parts,
        answers: Answers,
        models: Models | None = None,
        *,
        people: People,
        raise_errors: bool = False,
    ) -> None:
        self.engine = engine
        self.models = models
        self.people = people
        self.sessions = Sessions(lambda: engine.conversations)
        self.pace = Pace(self.sessions.count_open, POLL_SECONDS)
        self.draw = Drawing(engine, parts, models, raise_errors=raise_errors)
        self.answers = answers
        self.raise_errors = raise_errors

    def session(self, request: gr.Request) -> Session:
        """The session of the request's page. Its login decides which documents it sees."""
        language = language_of(request)
        owner = owner_of(request)
        person = conversation_owner(owner, request.cookies)
        session = self.sessions.of(owner, str(request.session_hash), language, person)
        session.heard()
        session.role, session.name_of = self.people.role_of(owner), self.people.name_of  # the role may have changed
        return session

    def load(self, place: str, request: gr.Request) -> Updates:
        """A page was opened or reloaded. `place` tells which conversation its address names."""
        session = self.session(request)
        session.listing.order = order_of(request.cookies.get("sort"))
        with errors_shown(session.show_notice, raise_errors=self.raise_errors):
            arrive(session, to_text(place))
        return self.draw.arrived(session)

    def poll(self, request: gr.Request) -> Updates:
        """Send what has changed. Called once a second, and more often while polling draws an answer."""
        session = self.session(request)
        version, talk = self.engine.version(), self._changed_talk(session)
        quick = session.should_poll_quickly
        if quick != session.polls_quickly:
            session.polls_quickly = quick
            talk[self.draw.parts.timer] = gr.update(value=QUICK_POLL_SECONDS if quick else POLL_SECONDS)
        if not self._is_due(session, version):
            return talk or dict(gr.skip())
        session.seen, session.polled_at = version, time.monotonic()
        evaluated = session.evaluation.drawn
        updates = self.draw.head(session) | self.draw.library(session) | self.draw.evaluation(session)
        if session.evaluation.drawn == evaluated:
            updates.pop(self.draw.parts.evaluation, None)
        return updates | talk

    def unchanged(self, owner: str, person: str, name: str) -> bool:
        """Whether the session is known and `poll` would draw nothing now. Must be quick, since it blocks the server."""
        session = self.sessions.known(owner, name, person)
        if session is None or session.talk_has_changed or self._is_due(session, self.engine.version()):
            return False
        session.heard()
        return True

    def _is_due(self, session: Session, version: int) -> bool:
        """Whether it is time to send a page the changes that concern everybody."""
        return session.seen != version and self.pace.is_due(session.polled_at)

    def _changed_talk(self, session: Session) -> Updates:
        """What another page has changed in the conversation since this page drew it."""
        updates: Updates = {}
        if session.own and session.drawer_has_changed:
            if session.own.is_gone(session.conversation):
                session.begin()
                session.show_notice(NOT_THERE)
                return self.draw.everything(session)
            updates |= self.draw.drawer(session)
        if session.seen_conversation != session.conversation.version:
            updates |= self.draw.talk(session, earlier=not session.conversation.running)
        return updates

    def ask(self, question: str, request: gr.Request) -> Iterator[Updates]:
        """Answer, redrawing with each step."""
        question = to_text(question).strip()
        session = self.session(request)
        if question:
            options = AskOptions(quotes=session.conversation.quotes)
            too_long = len(question) > self.engine.settings.limits.question_characters
            yield from self._answer(session, Asking(question, options), request, emptied=not too_long)
        else:
            yield self.draw.talk(session)

    def again(self, event: gr.EventData, request: gr.Request) -> Iterator[Updates]:
        """Ask an earlier question again, or differently."""
        session = self.session(request)
        asking = asked_again(self.engine, session, _sent(event))
        if asking is not None:
            yield from self._answer(session, asking, request, emptied=False)

    def suggested(self, event: gr.EventData, request: gr.Request) -> Iterator[Updates]:
        """Ask a question that a document suggests."""
        session = self.session(request)
        asking = suggested(self.engine, session, _sent(event))
        if asking is not None:
            yield from self._answer(session, asking, request, emptied=False)

    def _answer(self, session: Session, asking: Asking, request: gr.Request, *, emptied: bool) -> Iterator[Updates]:
        """Answer, redrawing with each step. `emptied`: empty the question box first."""
        first, conversation = True, session.conversation
        session.following += 1
        try:
            for _ in steps_in_request(id_of(request), self.answers.ask(session, asking)):
                if not first and session.conversation is not conversation:
                    return  # the page shows another conversation now; the answer continues
                updates = self.draw.talk(session, emptied=first and emptied, earlier=first)
                yield updates | self.draw.drawer(session) if first else updates
                first = False
        finally:
            session.following -= 1

    def stop(self, request: gr.Request) -> Updates:
        """Stop at once; the page does not wait until the reader notices."""
        session = self.session(request)
        session.stop()
        return self.draw.talk(session)

    def new(self, request: gr.Request) -> Updates:
        """Start a new conversation."""
        session = self.session(request)
        session.begin()
        return self.draw.arrived(session)

    def in_drawer(self, event: gr.EventData, request: gr.Request) -> Updates:
        """Something was done with whole conversations, or typed into the question box."""
        session = self.session(request)
        version = session.conversation.version
        with errors_shown(session.show_notice, raise_errors=self.raise_errors):
            if change_conversations(session, _sent(event)):
                return self.draw.arrived(session)
        updates = self.draw.drawer(session) | self.draw.note(session)
        return updates if version == session.conversation.version else updates | self.draw.talk(session)

    def in_library(self, event: gr.EventData, request: gr.Request) -> Updates:
        """A document was ticked, removed or added, or a file unlocked or stopped."""
        session, data = self.session(request), _sent(event)
        session.problem = None

        def show(problem: Message) -> None:
            session.problem = problem

        with errors_shown(show, raise_errors=self.raise_errors):
            check(session.role, data.get("do"))
            change_library(self.engine, session, data)
        session.keep()
        updates = self.draw.library(session) | self.draw.drawer(session)
        return updates | self.draw.viewer(session) if data.get("do") == "page" else updates

    def in_conversation(self, event: gr.EventData, request: gr.Request) -> Updates:
        """A citation was opened, another variant chosen, or an answer rated."""
        session, data = self.session(request), _sent(event)
        if data.get("do") == "earlier":
            session.show_earlier()
        elif data.get("do") == "redraw":
            session.drawn_turns.forget()
        elif data.get("do") == "open":
            session.open_source(*(to_int(data.get(name)) for name in ("exchange", "number", "sentence")))
        else:
            change_turn(self.engine, session, data)
        session.evaluation.problem = None
        session.keep()
        return self.draw.exchanges(session) | self.draw.viewer(session)

    def in_viewer(self, event: gr.EventData, request: gr.Request) -> Updates:
        """A page was turned or marked as correct, or the viewer was closed."""
        session, data = self.session(request), _sent(event)
        session.evaluation.problem = None
        turn_viewer(self.engine, session, data)
        if data.get("do") == "right":
            self._try_evaluation(session, lambda: mark_page(self.engine, session, data))
        elif data.get("do") == "evaluate":
            session.evaluation.shown = True
        session.keep()
        return self.draw.viewer(session) if data.get("do") in ("turn", "back") else self.draw.views(session)

    def in_evaluation(self, event: gr.EventData, request: gr.Request) -> Updates:
        """The Evaluate view was opened, or something was done in it."""
        session, data = self.session(request), _sent(event)
        session.evaluation.problem = None
        session.evaluation.shown = data.get("do") != "view" or data.get("view") == "evaluation"
        self._try_evaluation(session, lambda: change(self.engine, session, data))
        session.keep()
        return self.draw.views(session)

    def _try_evaluation(self, session: Session, action: Callable[[], None]) -> None:
        """Do something with saved questions; errors are shown in the view and next to the page."""

        def show(problem: Message) -> None:
            session.evaluation.problem = problem

        with errors_shown(show, raise_errors=self.raise_errors):
            action()

    def in_head(self, event: gr.EventData, request: gr.Request) -> Updates:
        """The language was switched, or something was done in the model picker."""
        session, data = self.session(request), _sent(event)
        if data.get("do") == "language":
            session.language = pick_language(str(data.get("language")), None)
            return self.draw.everything(session)
        session.pick_problem = session.setting_problem = None
        about_settings = data.get("do") in ("setting", "settings", "default-settings")

        def show(problem: Message) -> None:
            session.setting_problem, session.pick_problem = (problem, None) if about_settings else (None, problem)

        with errors_shown(show, raise_errors=self.raise_errors):
            check(session.role, data.get("do"))
            if about_settings:
                change_settings(self.engine, session, data)
            else:
                change_model(self.models, session, data)
        return self.draw.head(session)


def owner_of(request: gr.Request) -> str:
    """The user's id; "" without logins."""
    return str(request.username or "")


def _sent(event: gr.EventData) -> dict[str, Any]:
    """The data of an event; empty if they are not what the page sends."""
    if not isinstance(event._data, dict):
        return {}
    return {name: to_text(value) if isinstance(value, str) else value for name, value in event._data.items()}
