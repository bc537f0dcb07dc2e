"""The page's edge: whatever went wrong becomes one sentence, and a log entry if it was not foreseen."""

from __future__ import annotations

import logging

from rag.errors import AskError
from webui.strings import Language, say, say_message

logger = logging.getLogger(__name__)


def sentence_for(error: Exception, language: Language, *, raise_errors: bool = False) -> str:
    """What to show of `error`, plain text. An unexpected one is logged with its traceback, or raised again."""
    if isinstance(error, AskError):
        return say_message(language, error.message)
    if raise_errors:
        raise error
    logger.error("Something went wrong", exc_info=error)
    return say(language, "unexpected")


def whole(number: object) -> int:
    """A number sent by a browser, which may send anything; -1 for what is none."""
    return number if isinstance(number, int) else -1
