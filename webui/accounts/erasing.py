"""Erases the data of removed users: once when the server starts, then within a minute of each removal.

Users can be removed on the page or by another process, and the latter cannot change the library. The server finds them
in the database of users.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from rag.errors import AskError
from webui.accounts.accounts import Accounts
from webui.engine import Engine
from webui.server.api.tokens import ApiTokens
from webui.server.visitors import conversation_owner

logger = logging.getLogger(__name__)

SECONDS: Final = 30.0  # between checks


def erase_removed(accounts: Accounts, engine: Engine) -> None:
    """Erase the data of removed users. Failures are logged, and tried again next time."""
    tokens = ApiTokens(engine.settings.data_dir)
    try:
        for user_id in accounts.to_erase():
            engine.evaluations.stop(user_id)
            engine.sharing.erase(user_id, conversation_owner(user_id, {}), engine.remove)
            tokens.revoke_of(user_id)
            accounts.erased(user_id)
            logger.info("The documents and conversations of the removed user %r are erased", user_id)
    except AskError as error:
        logger.error("%s", error)


@contextmanager
def erasing(accounts: Accounts, engine: Engine) -> Iterator[None]:
    """Erase once now and then repeatedly, in a thread, until the block ends."""
    ended = threading.Event()

    def work() -> None:
        while not ended.wait(SECONDS):
            erase_removed(accounts, engine)

    erase_removed(accounts, engine)
    thread = threading.Thread(target=work, name="erasing", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
