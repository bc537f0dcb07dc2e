"""What the page is sent after an event: what its handler changed, as Gradio would send it."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import gradio as gr
import pytest

from webui.page import LeanBlocks


async def results(kind, blocks):
    with blocks() as page:
        first, second, box = gr.HTML(), gr.HTML(), gr.Textbox()
        gr.Button().click(lambda: None, None, [first, second, box])
    returned = {
        "nothing": gr.skip(),
        "html": {first: "<p>$x</p>"},
        "update": {box: gr.update(value="", label="Ask"), second: "<b>y</b>"},
    }[kind]
    (event,) = page.fns.values()
    sent = await page.postprocess_data(event, returned, None)
    return [
        {key: value for key, value in one.items() if key != "props"} if isinstance(one, dict) else one for one in sent
    ]


@pytest.mark.parametrize("kind", ["nothing", "html", "update"])
def test_the_page_is_sent_what_gradio_would_send(kind):
    async def both():
        return await results(kind, LeanBlocks), await results(kind, gr.Blocks)

    with ThreadPoolExecutor(1) as thread:  # this one has a loop, once a browser has been driven in it
        lean, usual = thread.submit(asyncio.run, both()).result()
    assert lean == usual
