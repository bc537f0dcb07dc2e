"""The page: Gradio Blocks over an engine. Wires what people do to the engine and draws what it says.

What is drawn is built as escaped HTML by the modules beside this one; `page.js` merges it into the page and sends
back what people click. `webui.server.serve` puts the page on a port.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import gradio as gr

from rag.errors import SettingRefused
from webui.conversation import Conversation
from webui.edge import sentence_for, whole
from webui.engine import Engine
from webui.models import Models
from webui.saved_questions import change, mark_page, marked, question_of
from webui.server.sessions import Sessions
from webui.strings import pick_language, say
from webui.views.answers import conversation_html, earlier_html
from webui.views.documents import documents_html, library_html
from webui.views.evaluation import evaluation_html, tabs_html
from webui.views.picker import picker_html
from webui.views.status import head_html
from webui.views.viewer import Mark, viewer_html

POLL_SECONDS = 1.0
DRAWN = 12  # parts of the page, `everything` below
ANSWERS_AT_ONCE = 32  # each holds a thread; more wait for their turn
WAITING_QUESTIONS = 200  # in all sessions together; above, the page says that the queue is full
_SCRIPT: Final = Path(__file__).with_name("static") / "page.js"


def build_page(engine: Engine, *, models: Models | None = None, raise_errors: bool = False) -> gr.Blocks:
    """The whole page; with `models` one of them can be picked on it.

    With `raise_errors` an unexpected error is not turned into a sentence (tests, debugging).
    """
    handlers = Handlers(engine, models, raise_errors=raise_errors)
    page: gr.Blocks
    with gr.Blocks(title=say("en", "title"), analytics_enabled=False, fill_width=True, fill_height=True) as page:
        head = _drawn("head")
        with gr.Row(elem_id="panels", equal_height=True):
            with gr.Column(elem_id="library-panel", elem_classes="card scrolls"):
                library, documents = _drawn("library"), _drawn("documents")
            with gr.Column(elem_id="talk-panel", elem_classes="card"):
                with gr.Row(elem_id="talk-bar"):
                    tabs = _drawn("tabs")
                    new = gr.Button(variant="secondary", size="sm", elem_id="new", visible="hidden")
                with gr.Column(elem_id="talk-scroll", elem_classes="scrolls"):
                    earlier, conversation = _drawn("earlier"), _drawn("conversation")
                with gr.Column(elem_id="trials-scroll", elem_classes="scrolls"):
                    evaluations = _drawn("trials")
                with gr.Row(elem_id="asking"):
                    question = gr.Textbox(
                        show_label=False, container=False, lines=1, max_lines=8, autofocus=True,
                        elem_id="question", label=say("en", "question"),
                        max_length=engine.settings.limits.question_characters,
                    )  # fmt: skip
                    ask = gr.Button(variant="primary", elem_id="ask")
                    stop = gr.Button(variant="stop", elem_id="stop", visible="hidden")
            with gr.Column(elem_id="viewer-panel", elem_classes="card scrolls"):
                viewer = _drawn("viewer")
        talk = [earlier, conversation, question, ask, stop, new]
        everything = [head, library, documents, *talk, viewer, tabs, evaluations]

        quick: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
        page.load(handlers.load, None, everything, **quick)
        page.unload(handlers.unload)
        gr.Timer(POLL_SECONDS).tick(handlers.poll, None, [head, library, documents, evaluations], **quick)
        gr.on(
            [ask.click, question.submit], handlers.ask, question, talk, show_progress="hidden",
            api_visibility="private", concurrency_limit=ANSWERS_AT_ONCE, trigger_mode="multiple",
        )  # fmt: skip
        stop.click(handlers.stop, None, talk, trigger_mode="multiple", **quick)
        new.click(handlers.new, None, [*talk, viewer], **quick)
        for part in (library, documents):
            part.act(handlers.in_library, None, [library, documents], trigger_mode="multiple", **quick)
        for part in (earlier, conversation):
            part.act(handlers.in_conversation, None, [earlier, conversation, viewer], trigger_mode="multiple", **quick)
        shown = [earlier, conversation, viewer, tabs, evaluations]
        viewer.act(handlers.in_viewer, None, shown, trigger_mode="multiple", **quick)
        for part in (tabs, evaluations):
            part.act(handlers.in_trials, None, shown, trigger_mode="multiple", **quick)
        head.act(handlers.in_head, None, everything, trigger_mode="multiple", **quick)
    page.queue(max_size=WAITING_QUESTIONS, api_open=False)
    return page


def _drawn(role: str) -> gr.HTML:
    """A place for HTML drawn by the server. The value is not put into Gradio's template but merged by page.js."""
    script = f"const role = {role!r};\n{_SCRIPT.read_text(encoding='utf-8')}"
    return gr.HTML(
        value="",
        html_template='<div class="mount"></div>',
        js_on_load=script,
        apply_default_css=False,
        elem_id=role,
        elem_classes="drawn",
    )


class Handlers:
    """What happens when somebody does something. Each draws from the session's conversation and the engine."""

    def __init__(self, engine: Engine, models: Models | None = None, *, raise_errors: bool = False) -> None:
        self.engine = engine
        self.models = models
        self.sessions = Sessions()
        self.raise_errors = raise_errors

    def conversation(self, request: gr.Request) -> Conversation:
        """The conversation of whoever asks; the login name decides whose documents there are."""
        language = pick_language(request.cookies.get("language"), request.headers.get("accept-language"))
        return self.sessions.of(owner_of(request), str(request.session_hash), language)

    def load(self, request: gr.Request) -> tuple[Any, ...]:
        """A page was opened or reloaded."""
        return self._everything(self.conversation(request))

    def unload(self, request: gr.Request) -> None:
        """A page was closed, or lost its connection for a while: then it goes on in the same conversation."""
        self.sessions.stop(owner_of(request), str(request.session_hash))

    def poll(self, request: gr.Request) -> tuple[Any, ...]:
        """Once a second: send what changed, mostly nothing."""
        conversation = self.conversation(request)
        version = self.engine.version()
        if conversation.seen == version:
            return (gr.skip(),) * 4
        conversation.seen = version
        before, evaluated = conversation.listed, conversation.evaluation.drawn
        library, documents = self._library(conversation)
        listed = gr.skip() if conversation.listed == before else documents
        evaluations = self._trials(conversation)
        return (
            self._head(conversation),
            library,
            listed,
            evaluations if conversation.evaluation.drawn != evaluated else gr.skip(),
        )

    def ask(self, question: str, request: gr.Request) -> Iterator[tuple[Any, ...]]:
        """Answer, drawing again with each step."""
        question = _encodable(question or "").strip()
        conversation = self.conversation(request)
        if not question:
            yield self._talk(conversation)
            return
        first = True
        for _ in conversation.ask(self.engine, question, raise_errors=self.raise_errors):
            earlier, *rest = self._talk(conversation, emptied=first)
            yield earlier if first else gr.skip(), *rest
            first = False

    def stop(self, request: gr.Request) -> tuple[Any, ...]:
        """Stop at once: the page does not wait for the reader to notice."""
        conversation = self.conversation(request)
        conversation.stop()
        return self._talk(conversation)

    def new(self, request: gr.Request) -> tuple[Any, ...]:
        """Forget the conversation."""
        conversation = self.conversation(request)
        conversation.clear()
        return *self._talk(conversation, emptied=True), self._viewer(conversation)

    def in_library(self, event: gr.EventData, request: gr.Request) -> tuple[Any, ...]:
        """Something was ticked, removed, unlocked, stopped or added."""
        conversation = self.conversation(request)
        conversation.problem = ""
        try:
            self._change(conversation, _sent(event))
        except Exception as error:  # noqa: BLE001 - the page's edge
            conversation.problem = sentence_for(error, conversation.language, raise_errors=self.raise_errors)
        return self._library(conversation)

    def _change(self, conversation: Conversation, data: dict[str, Any]) -> None:
        """Do what was sent. Ids that are not of what this owner sees never reach the engine."""
        owner, document, job = conversation.owner, data.get("document"), whole(data.get("job"))
        documents = {known.id for known in self.engine.documents(owner)}
        is_job = any(known.id == job for known in self.engine.jobs(owner))
        conversation.left_out &= documents
        match data.get("do"):
            case "choose" if isinstance(document, str) and document in documents:
                (conversation.left_out.discard if data.get("chosen") else conversation.left_out.add)(document)
            case "choose-all":
                conversation.left_out.clear()
            case "choose-none":
                conversation.left_out |= documents
            case "remove" if isinstance(document, str) and document in documents:
                self.engine.remove(owner, document)
            case "cancel" if is_job:
                self.engine.cancel(owner, job)
            case "unlock" if is_job:
                self.engine.unlock(owner, job, str(data.get("password")))

    def in_conversation(self, event: gr.EventData, request: gr.Request) -> tuple[Any, ...]:
        """A citation was opened."""
        conversation, data = self.conversation(request), _sent(event)
        numbers = (whole(data.get(name)) for name in ("exchange", "number", "sentence"))
        conversation.opened = conversation.source(*numbers) or conversation.opened
        conversation.evaluation.problem = ""
        return *self._said(conversation), self._viewer(conversation)

    def in_viewer(self, event: gr.EventData, request: gr.Request) -> tuple[Any, ...]:
        """A page was turned or marked as right, or the viewer closed."""
        conversation, data = self.conversation(request), _sent(event)
        opened = conversation.opened
        conversation.evaluation.problem = ""
        if data.get("do") == "close":
            conversation.opened = None
        elif data.get("do") == "turn" and opened is not None:
            conversation.opened = replace(opened, page=max(whole(data.get("page")), 0))
        elif data.get("do") == "back" and opened is not None:
            conversation.opened = replace(opened, page=None)
        elif data.get("do") == "right":
            self._try(conversation, lambda: mark_page(self.engine, conversation, data))
        elif data.get("do") == "evaluate":
            conversation.evaluation.shown = True
        return self._beside(conversation)

    def in_trials(self, event: gr.EventData, request: gr.Request) -> tuple[Any, ...]:
        """The view was chosen, or something done with kept questions and runs."""
        conversation, data = self.conversation(request), _sent(event)
        conversation.evaluation.problem = ""
        conversation.evaluation.shown = data.get("do") != "view" or data.get("view") == "trials"
        self._try(conversation, lambda: change(self.engine, conversation, data))
        return self._beside(conversation)

    def _try(self, conversation: Conversation, done: Callable[[], None]) -> None:
        """Do something with kept questions; what goes wrong is said in the view and beside the page."""
        try:
            done()
        except Exception as error:  # noqa: BLE001 - the page's edge
            problem = sentence_for(error, conversation.language, raise_errors=self.raise_errors)
            conversation.evaluation.problem = problem

    def _beside(self, conversation: Conversation) -> tuple[Any, ...]:
        """What was said, the viewer, and the views with the one that is shown."""
        return *self._said(conversation), self._viewer(conversation), *self._views(conversation)

    def in_head(self, event: gr.EventData, request: gr.Request) -> tuple[Any, ...]:
        """The language was switched, or a model looked for or picked."""
        conversation, data = self.conversation(request), _sent(event)
        if data.get("do") == "language":
            conversation.language = pick_language(str(data.get("language")), None)
            return self._everything(conversation)
        conversation.pick_problem = ""
        try:
            self._pick(conversation, data)
        except Exception as error:  # noqa: BLE001 - the page's edge
            conversation.pick_problem = sentence_for(error, conversation.language, raise_errors=self.raise_errors)
        return self._head(conversation), *[gr.skip()] * (DRAWN - 1)

    def _pick(self, conversation: Conversation, data: dict[str, Any]) -> None:
        if self.models is None:
            return
        if data.get("do") == "models":
            conversation.offers = self.models.offers() if conversation.offers is None else None
        elif data.get("do") == "pick":
            name = data.get("model")
            if not isinstance(name, str):
                raise SettingRefused(say(conversation.language, "model_nothing"))
            self.models.pick(name, str(data.get("precision")))
            conversation.offers = None

    def _everything(self, conversation: Conversation) -> tuple[Any, ...]:
        conversation.seen = self.engine.version()
        return (
            self._head(conversation),
            *self._library(conversation),
            *self._talk(conversation),
            self._viewer(conversation),
            *self._views(conversation),
        )

    def _views(self, conversation: Conversation) -> tuple[Any, Any]:
        """The choice of views, and the one beside the conversation."""
        return _stamped(lambda: tabs_html(conversation)), self._trials(conversation)

    def _trials(self, conversation: Conversation) -> Any:
        """The Evaluate view, while it is shown."""
        if not conversation.evaluation.shown:
            return gr.skip()

        def drawn() -> str:
            conversation.evaluation.drawn = evaluation_html(self.engine, conversation)
            return conversation.evaluation.drawn

        return _stamped(drawn)

    def _head(self, conversation: Conversation) -> str:
        def drawn() -> str:
            picker = picker_html(self.models, conversation)
            return head_html(self.engine.choices(), conversation.language, conversation.owner, picker)

        return _stamped(drawn)

    def _library(self, conversation: Conversation) -> tuple[str, str]:
        """Files being added, and the documents."""

        def listed() -> str:
            conversation.listed = documents_html(self.engine, conversation)
            return conversation.listed

        return _stamped(lambda: library_html(self.engine, conversation)), _stamped(listed)

    def _talk(self, conversation: Conversation, *, emptied: bool = False) -> tuple[Any, ...]:
        """What was said (two parts), question box, and the three buttons."""
        language, running = conversation.language, conversation.running
        box: dict[str, Any] = {"placeholder": say(language, "question_hint"), "label": say(language, "question")}
        if emptied:
            box["value"] = ""
        return (
            *self._said(conversation),
            gr.update(**box),
            gr.update(value=say(language, "ask"), visible="hidden" if running else True),
            gr.update(value=say(language, "stop"), visible=True if running else "hidden"),
            gr.update(value=say(language, "new"), visible=True if conversation.exchanges else "hidden"),
        )

    def _said(self, conversation: Conversation) -> tuple[str, str]:
        """What was said before, and the last question with its answer."""
        return _stamped(lambda: earlier_html(conversation)), _stamped(lambda: conversation_html(conversation))

    def _viewer(self, conversation: Conversation) -> str:
        return _stamped(lambda: self._opened(conversation))

    def _opened(self, conversation: Conversation) -> str:
        opened, language = conversation.opened, conversation.language
        if opened is None:
            return viewer_html(None, None, language)
        try:
            if opened.page is None:
                view = self.engine.view(conversation.owner, opened.source, opened.citation)
            else:
                view = self.engine.view_page(conversation.owner, opened.source, opened.page, opened.citation)
        except Exception as error:  # noqa: BLE001 - the page's edge; mostly: the document was removed
            problem = sentence_for(error, language, raise_errors=self.raise_errors)
            return viewer_html(None, opened, language, problem=problem)
        question = question_of(self.engine, conversation)
        right = question is not None and marked(question, opened.source.document_id, view.page)
        return viewer_html(view, opened, language, mark=Mark(right, conversation.evaluation.problem))


def owner_of(request: gr.Request) -> str:
    """The login name; "" without login."""
    return str(request.username or "")


def _stamped(draw: Callable[[], str]) -> str:
    """Drawn HTML behind the microsecond its drawing began at: page.js drops what was overtaken."""
    began = time.time_ns() // 1000
    return f"<!--{began}-->{draw()}"


def _sent(event: gr.EventData) -> dict[str, Any]:
    """What page.js sent with an event; empty when it is nothing of the kind."""
    if not isinstance(event._data, dict):
        return {}
    return {name: _encodable(value) if isinstance(value, str) else value for name, value in event._data.items()}


def _encodable(text: str) -> str:
    """Without lone surrogates, which JSON may bring and no database, file or tokenizer takes."""
    return text.encode("utf-8", "replace").decode()
