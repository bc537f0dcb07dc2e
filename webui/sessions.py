"""Which conversation belongs to which session. One object a page; nothing of one owner is given to another."""

from __future__ import annotations

import threading
from collections import OrderedDict

from webui.conversation import Conversation
from webui.words import Language

MOST_SESSIONS = 1_000  # the one used longest ago is forgotten first


class Sessions:
    """Conversations by owner and session; thread-safe."""

    def __init__(self, most: int = MOST_SESSIONS) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._conversations: OrderedDict[tuple[str, str], Conversation] = OrderedDict()

    def of(self, owner: str, session: str, language: Language) -> Conversation:
        """The conversation of this session, a new one when there is none. A session's name alone opens nothing."""
        forgotten = []
        with self._lock:
            conversation = self._conversations.pop((owner, session), None) or Conversation(owner, language)
            self._conversations[owner, session] = conversation
            while len(self._conversations) > self._most:
                forgotten.append(self._conversations.popitem(last=False)[1])
        for old in forgotten:
            old.stop()
        return conversation

    def close(self, owner: str, session: str) -> None:
        """The tab is gone: stop what it was waiting for."""
        with self._lock:
            conversation = self._conversations.pop((owner, session), None)
        if conversation is not None:
            conversation.stop()

    def __len__(self) -> int:
        return len(self._conversations)
