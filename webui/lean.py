"""Gradio's Blocks without what Gradio does to an event's results, which costs more than our handlers do."""

from __future__ import annotations

from typing import Any, Final, Self

import gradio as gr
from gradio.block_function import BlockFunction
from gradio.state_holder import SessionState

from webui.server.polls import Polling

QUEUE_SECONDS: Final = 0.01  # between two looks of Gradio at its queue; it looks a thousand times a second by itself
PROGRESS_SECONDS: Final = 1.0  # the same for progress bars of Gradio's, of which the page has none


class LeanBlocks(gr.Blocks):
    """Blocks whose handlers return a dict of the components that change, with their HTML or a `gr.update`.

    Gradio sends every output of an event, changed or not, and keeps its settings and its value for each session:
    20 ms of a poll that finds no change, and the HTML of every open page in memory. It needs them to check what a
    component sends back against what was sent to it; ours send nothing but text.
    """

    polling: Polling  # set once the page is laid out

    def queue(self, *arguments: Any, **options: Any) -> Self:
        """Like Gradio's, with a queue that is idle while nobody asks."""
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
