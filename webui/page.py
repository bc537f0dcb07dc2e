"""The page: lays out the Gradio components and wires their events to the handlers.

The views render escaped HTML; `page.js` merges it into the page and sends back what people click. `webui.server.serve`
puts the page on a port.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, Final, Self

import gradio as gr
from gradio.block_function import BlockFunction
from gradio.state_holder import SessionState

from webui.answering import MAX_ANSWERS, Answers
from webui.drawing import Parts
from webui.endpoints import add_endpoints
from webui.engine import Engine
from webui.handlers import POLL_SECONDS, Handlers, People
from webui.models import Models
from webui.server.polls import Polling
from webui.strings import say

MAX_QUEUED_QUESTIONS = 200  # of all sessions together; beyond it, the page says that the queue is full
QUEUE_SECONDS: Final = 0.01  # between Gradio's checks of its queue; its own default is a thousand a second
PROGRESS_SECONDS: Final = 1.0  # the same for Gradio's progress bars, of which the page has none
# Joined into the function that every part of the page runs; the others use what page.js defines.
SCRIPTS: Final = (
    "page.js",
    "roving.js",
    "history.js",
    "head.js",
    "drawer.js",
    "library.js",
    "conversation.js",
    "evaluation.js",
    "keys.js",
    "settings.js",
)
VIEWER_SCRIPTS: Final = (  # the viewer needs only these, and nothing else needs them
    "page.js", "roving.js", "history.js", "viewer.js", "viewer-sheet.js", "viewer-zoom.js", "viewer-find.js",
    "viewer-contents.js", "viewer-divider.js",
)  # fmt: skip
_QUICK: Final[dict[str, Any]] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
_STATIC: Final = Path(__file__).with_name("static")


def build_page(
    engine: Engine,
    answers: Answers,
    *,
    models: Models | None = None,
    people: People,
    raise_errors: bool = False,
) -> LeanBlocks:
    """The whole page. With `models`, people whose role allows it can choose one. `people`: their names and roles.

    With `raise_errors`, unexpected errors are raised instead of shown as a sentence (for tests and debugging).
    """
    page: LeanBlocks
    with LeanBlocks(title=say("en", "title"), analytics_enabled=False, fill_width=True, fill_height=True) as page:
        place = gr.Textbox(visible=False)  # which conversation the page's address names
        head, drawer = _drawn("head"), _drawn("drawer")
        with gr.Row(elem_id="panels", equal_height=True):
            with gr.Column(elem_id="library-panel", elem_classes="card scrolls"):
                library, documents = _drawn("library"), _drawn("documents")
            with gr.Column(elem_id="talk-panel", elem_classes="card"):
                with gr.Row(elem_id="talk-bar"):
                    tabs = _drawn("tabs")
                    new = gr.Button(variant="secondary", size="sm", elem_id="new", visible="hidden")
                with gr.Column(elem_id="talk-scroll", elem_classes="scrolls"):
                    welcome, earlier, conversation = _drawn("welcome"), _drawn("earlier"), _drawn("conversation")
                with gr.Column(elem_id="evaluation-scroll", elem_classes="scrolls"):
                    evaluation = _drawn("evaluation")
                note = _drawn("note")
                with gr.Row(elem_id="asking"):
                    question = gr.Textbox(
                        show_label=False, container=False, lines=1, max_lines=8, autofocus=True,
                        elem_id="question", label=say("en", "question"),
                        max_length=engine.settings.limits.question_characters,
                    )  # fmt: skip
                    ask = gr.Button(variant="primary", elem_id="ask")
                    stop = gr.Button(variant="stop", elem_id="stop", visible="hidden")
            with gr.Column(elem_id="viewer-panel", elem_classes="card"):
                viewer = _drawn("viewer")
        parts = Parts(
            head=head, drawer=drawer, note=note, library=library, documents=documents, welcome=welcome,
            tabs=tabs, earlier=earlier, conversation=conversation, question=question, ask=ask, stop=stop,
            new=new, viewer=viewer, evaluation=evaluation, timer=gr.Timer(POLL_SECONDS),
        )  # fmt: skip
        add_endpoints(engine, concurrency_limit=MAX_ANSWERS, concurrency_id="answers")
        handlers = Handlers(engine, parts, answers, models, people=people, raise_errors=raise_errors)
        page.load(handlers.load, place, _all(parts), js=_script("place.js"), **_QUICK)
        _wire(page, parts, handlers)
    page.queue(max_size=MAX_QUEUED_QUESTIONS, api_open=False)
    return page


def _wire(page: LeanBlocks, parts: Parts, handlers: Handlers) -> None:
    """Connect the page's events to their handlers, with the parts that each may change."""
    everything = _all(parts)
    library = [parts.library, parts.documents, parts.welcome]
    exchanges = [parts.earlier, parts.conversation]
    talk = [*exchanges, parts.note, parts.question, parts.ask, parts.stop, parts.new, parts.drawer]
    views = [*exchanges, parts.viewer, parts.tabs, parts.evaluation]

    poll = parts.timer.tick(handlers.poll, None, everything, **_QUICK)
    page.polling = Polling(poll["id"], len(everything), handlers.unchanged)
    answering: dict[str, Any] = {
        "show_progress": "hidden", "api_visibility": "private", "trigger_mode": "multiple",
        "concurrency_limit": MAX_ANSWERS, "concurrency_id": "answers",
    }  # fmt: skip
    gr.on([parts.ask.click, parts.question.submit], handlers.ask, parts.question, talk, **answering)
    for part in (*exchanges, parts.viewer):
        part.again(handlers.again, None, talk, **answering)
    for part in (parts.welcome, parts.documents):
        part.suggest(handlers.suggested, None, talk, **answering)
    parts.stop.click(handlers.stop, None, talk, trigger_mode="multiple", **_QUICK)
    parts.new.click(handlers.new, None, everything, **_QUICK)
    for acting, handler, outputs in (
        ([parts.drawer], handlers.in_drawer, everything),
        (library, handlers.in_library, [*library, parts.drawer, parts.viewer]),
        (exchanges, handlers.in_conversation, [*exchanges, parts.viewer]),
        ([parts.viewer], handlers.in_viewer, views),
        ([parts.tabs, parts.evaluation], handlers.in_evaluation, views),
        ([parts.head], handlers.in_head, everything),
    ):
        for part in acting:
            part.act(handler, None, outputs, trigger_mode="multiple", **_QUICK)


def _all(parts: Parts) -> list[Any]:
    return [getattr(parts, field.name) for field in fields(parts)]


def _script(name: str) -> str:
    return (_STATIC / name).read_text(encoding="utf-8")


def head_script() -> str:
    """The script in the page's head: a function that each part of the page runs with what Gradio passes to it.

    In `js_on_load` it would be sent once for each part, and Gradio would search it for event names on every update.
    """
    functions = (("askPart", SCRIPTS), ("askViewer", VIEWER_SCRIPTS))
    given = "role, element, trigger, props, watch"
    return "".join(
        f"function {name}({given}) {{\n{_joined(scripts)}\nwatch('value', draw);\ndraw();\n}}\n"
        for name, scripts in functions
    )


def _joined(scripts: Sequence[str]) -> str:
    return "\n".join(map(_script, scripts))


def _drawn(role: str) -> gr.HTML:
    """A place for HTML drawn by the server. page.js merges the value; Gradio's template does not contain it."""
    function = "askViewer" if role == "viewer" else "askPart"
    events = "'act' 'again' 'suggest'"  # Gradio lets a part use only events that its script names
    return gr.HTML(
        value="",
        html_template='<div class="mount"></div>',
        js_on_load=f"{function}('{role}', element, trigger, props, watch); // {events}",
        apply_default_css=False,
        elem_id=role,
        elem_classes="drawn",
    )


# ---- Gradio's Blocks, without its postprocessing of an event's results


class LeanBlocks(gr.Blocks):
    """Blocks whose handlers return a dict from changed components to their HTML or a `gr.update`.

    Gradio sends every output of an event, changed or not, and keeps each one's settings and value for each session.
    That costs 20 ms for a poll that finds no change, and holds the HTML of every open page in memory. It does this to
    check what a component sends back; ours only send text.
    """

    polling: Polling  # set once the page is laid out

    def queue(self, *arguments: Any, **options: Any) -> Self:
        """Like Gradio's, but the queue is idle while nobody asks."""
        super().queue(*arguments, **options)
        self._queue.sleep_when_free, self._queue.progress_update_sleep_when_free = QUEUE_SECONDS, PROGRESS_SECONDS
        return self

    async def postprocess_data(
        self, block_fn: BlockFunction, predictions: list[Any] | dict[Any, Any], state: SessionState | None
    ) -> list[Any]:
        """The values sent to the page for the outputs of an event."""
        if not isinstance(predictions, dict) or len(block_fn.outputs) == 1:  # a program's endpoint, or the end
            return await super().postprocess_data(block_fn, predictions, state)
        unchanged = gr.skip()
        return [predictions.get(output, unchanged) for output in block_fn.outputs]
