"""Checks what Gradio's event routes are sent, since Gradio fails on some of it with a traceback."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any, Final

from starlette.types import Message, Receive

MAX_JSON_PARTS: Final = 50_000  # lists, objects and commas in a body; each costs Gradio about 3 µs and 400 bytes
RUN: Final = "/gradio_api/run/"
# Routes that take a session name in the request body, and that Gradio answers without asking who it is.
BODY_ROUTES: Final = ("/gradio_api/queue/join", RUN, "/gradio_api/cancel", "/gradio_api/reset")


class BodyRefused(ValueError):
    """A body that our page never sends, refused with this HTTP status and text."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status, self.text = status, text


def parse_event(body: bytes) -> dict[str, Any]:
    """The JSON object in a body. Raises BodyRefused."""
    if sum(map(body.count, (b"[", b"{", b","))) > MAX_JSON_PARTS:
        raise BodyRefused(413, f"Requests of up to {MAX_JSON_PARTS:,} values are accepted here.")
    try:
        # Only numbers that JSON can represent: pydantic repeats a refused value in its error.
        parsed = json.loads(body, parse_constant=_finite, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise BodyRefused(400, "This is no JSON.") from error
    if not isinstance(parsed, dict):
        raise BodyRefused(422, "Send a JSON object.")
    return parsed


def _finite(text: str) -> float:
    number = float(text)
    if number - number != 0:  # infinite, or not a number
        raise ValueError(text)
    return number


def session_of(event: dict[str, Any]) -> list[str]:
    """The session name in an event, if there is one, as a list."""
    session = event.get("session_hash")
    return [session] if isinstance(session, str) else []


def check_event(path: str, event: dict[str, Any], known: Collection[int], names: Collection[str]) -> None:
    """Raises BodyRefused if the page has no such event. `known`: ids of its events; `names`: their names."""
    number = event.get("fn_index")
    if number is None:
        if path.startswith(RUN) and path.removeprefix(RUN).rstrip("/") not in names:
            raise BodyRefused(404, "There is no such event.")
    elif isinstance(number, bool) or not isinstance(number, int):
        raise BodyRefused(422, "fn_index is the number of an event.")
    elif number not in known:
        raise BodyRefused(404, "There is no such event.")


def again(body: bytes, receive: Receive) -> Receive:
    """A `receive` that first returns `body`, which has been read already, and then what follows it."""
    left: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again() -> Message:
        return left.pop() if left else await receive()

    return receive_again
