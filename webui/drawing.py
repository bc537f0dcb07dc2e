"""What the page shows of a session: draws as HTML the parts of the page that have changed."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gradio as gr

from rag.messages import Message
from webui.accounts.roles import Right
from webui.actions.evaluation import marked, question_of
from webui.edge import errors_shown
from webui.engine import Engine
from webui.models import Models
from webui.session import Opened, Session
from webui.strings import say
from webui.versions import newest_version
from webui.views.answers import conversation_html, earlier_html
from webui.views.documents import documents_changes, documents_html
from webui.views.drawer import drawer_html, note_html
from webui.views.evaluation import evaluation_html, tabs_html
from webui.views.jobs import library_html
from webui.views.names import keep_titles
from webui.views.picker import picker_html
from webui.views.settings import settings_html
from webui.views.status import head_html
from webui.views.viewer import Mark, Replaced, viewer_html
from webui.views.welcome import welcome_html

Updates = dict[Any, Any]  # component of the page -> its new value, or a `gr.update`


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
    timer: Any


class Drawing:
    """Draws the parts of the page. Each method returns the parts that it drew."""

    def __init__(self, engine: Engine, parts: Parts, models: Models | None, *, raise_errors: bool) -> None:
        self.engine = engine
        self.parts = parts
        self.models = models
        self.raise_errors = raise_errors

    def everything(self, session: Session) -> Updates:
        """All parts."""
        session.seen = self.engine.version()
        parts = self.head(session) | self.drawer(session) | self.library(session, whole=True)
        return parts | self.talk(session) | self.views(session)

    def arrived(self, session: Session) -> Updates:
        """All parts, and the draft of the conversation that is shown now."""
        updates = self.everything(session)
        updates[self.parts.question]["value"] = session.conversation.draft
        return updates

    def drawer(self, session: Session) -> Updates:
        """Which conversation is shown and, if the drawer is open, the list of all."""
        session.drawer.seen = session.own.version if session.own else 0
        return {self.parts.drawer: _stamped(lambda: drawer_html(session))}

    def note(self, session: Session) -> Updates:
        """The notice above the question box."""
        return {self.parts.note: _stamped(lambda: note_html(session))}

    def head(self, session: Session) -> Updates:
        """The header with its dialogs."""

        def drawn() -> str:
            picker = picker_html(self.models if session.role.may(Right.PICK) else None, session)
            settings = settings_html(self.engine, session)
            return head_html(self.engine.choices(), session.language, session.name_of(session.owner), picker, settings)

        return {self.parts.head: _stamped(drawn)}

    def library(self, session: Session, *, whole: bool = False) -> Updates:
        """Files being added, the documents (the whole list, or only its changes), and the welcome."""
        updates: Updates = {self.parts.library: _stamped(lambda: library_html(self.engine, session))}
        with session.listing.lock:  # so that drawings get their stamps in the order of their numbers
            draw = documents_html if whole else documents_changes
            began, listed = _stamp(), draw(self.engine, session)
            welcome = welcome_html(self.engine, session)
            if whole or welcome != session.listing.welcome:
                session.listing.welcome = welcome
                updates[self.parts.welcome] = f"{began}{welcome}"
        if listed is not None:
            updates[self.parts.documents] = f"{began}{listed}"
        return updates

    def talk(self, session: Session, *, emptied: bool = False, earlier: bool = True) -> Updates:
        """The conversation, the question box (emptied or not), and the three buttons."""
        language, running, parts = session.language, session.conversation.running, self.parts
        box: dict[str, Any] = {"placeholder": say(language, "question_hint"), "label": say(language, "question")}
        if emptied:
            box["value"] = ""
        return (
            self.exchanges(session, earlier=earlier)
            | self.note(session)
            | {
                parts.question: gr.update(**box),
                parts.ask: gr.update(value=say(language, "ask"), visible="hidden" if running else True),
                parts.stop: gr.update(value=say(language, "stop"), visible=True if running else "hidden"),
                parts.new: gr.update(
                    value=say(language, "new"), visible=True if session.conversation.exchanges else "hidden"
                ),
            }
        )

    def exchanges(self, session: Session, *, earlier: bool = True) -> Updates:
        """The last question with its answer, and the earlier ones; without `earlier` only if those have changed."""
        session.seen_conversation = session.conversation.version
        before, session.seen_earlier = session.seen_earlier, _earlier_ids(session)
        earlier |= before != session.seen_earlier
        keep_titles(self.engine, session)
        updates: Updates = {self.parts.conversation: _stamped(lambda: conversation_html(session))}
        return updates | {self.parts.earlier: _stamped(lambda: earlier_html(session))} if earlier else updates

    def views(self, session: Session) -> Updates:
        """The conversation, the viewer, the tabs and, while it is shown, the Evaluate view."""
        return (
            self.exchanges(session)
            | self.viewer(session)
            | {self.parts.tabs: _stamped(lambda: tabs_html(session))}
            | self.evaluation(session)
        )

    def evaluation(self, session: Session) -> Updates:
        """The Evaluate view, while it is shown."""
        if not session.evaluation.shown:
            return {}

        def drawn() -> str:
            session.evaluation.drawn = evaluation_html(self.engine, session)
            return session.evaluation.drawn

        return {self.parts.evaluation: _stamped(drawn)}

    def viewer(self, session: Session) -> Updates:
        """The open page."""
        return {self.parts.viewer: _stamped(lambda: self._opened(session))}

    def _opened(self, session: Session) -> str:
        """The open page, or why it cannot be shown: mostly because its document was removed."""
        opened, problems, shown = session.opened, list[Message](), ""
        keep_titles(self.engine, session)
        if opened is None:
            return viewer_html(None, None, session.language)
        with errors_shown(problems.append, raise_errors=self.raise_errors):
            if opened.page is None:
                view = self.engine.view(session.owner, opened.source, opened.citation)
            else:
                view = self.engine.view_page(session.owner, opened.source, opened.page, opened.citation)
            question = question_of(self.engine, session)
            right = question is not None and marked(question, opened.source.document_id, view.page)
            shown = viewer_html(
                view, opened, session.language, mark=Mark(right, session.evaluation.problem), titles=session.titles
            )
        if not problems:
            return shown
        replaced = self._replaced(session, opened)
        return viewer_html(None, opened, session.language, problem=problems[0], replaced=replaced)

    def _replaced(self, session: Session, opened: Opened) -> Replaced | None:
        """What replaced the document of an open source; None if nothing did."""
        newer = newest_version(self.engine, session.owner, opened.source.document_id)
        return Replaced(newer.name, opened.place.exchange if opened.place else None) if newer else None


def _earlier_ids(session: Session) -> tuple[int, ...]:
    """Ids of the exchanges above the last one."""
    return tuple(exchange.id for exchange in session.shown[:-1])


def _stamped(draw: Callable[[], str]) -> str:
    """HTML after the time its drawing began, in microseconds, so that page.js can drop drawings that were overtaken."""
    began = _stamp()
    return f"{began}{draw()}"  # not "+", which would escape the stamp


def _stamp() -> str:
    return f"<!--{time.time_ns() // 1000}-->"
