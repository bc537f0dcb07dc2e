"""Which conversation belongs to which session, and which session to which login.

One object a page; nothing of one owner is given to another.
"""

from __future__ import annotations

import threading
from collections import OrderedDict

from webui.conversation import Conversation
from webui.strings import Language

MOST_SESSIONS = 1_000  # the one used longest ago is forgotten first
LONGEST_SESSION = 100  # characters of a session's name; Gradio's page makes up 10 to 11


class Sessions:
    """Conversations by owner and session; thread-safe. Each owner has room of its own, so that none is pushed out."""

    def __init__(self, most: int = MOST_SESSIONS) -> None:
        self._most = most  # of one owner
        self._lock = threading.Lock()
        self._conversations: dict[str, OrderedDict[str, Conversation]] = {}  # of each owner by session

    def of(self, owner: str, session: str, language: Language) -> Conversation:
        """The conversation of this session, a new one when there is none. A session's name alone opens nothing."""
        forgotten = []
        with self._lock:
            own = self._conversations.setdefault(owner, OrderedDict())
            conversation = own.pop(session, None) or Conversation(owner, language)
            own[session] = conversation
            while len(own) > self._most:
                forgotten.append(own.popitem(last=False)[1])
        for old in forgotten:
            old.stop()
        return conversation

    def stop(self, owner: str, session: str) -> None:
        """Nobody waits for an answer any more: stop the one that is being made."""
        with self._lock:
            own = self._conversations.get(owner)
            conversation = own.get(session) if own else None
        if conversation is not None:
            conversation.stop()

    def __len__(self) -> int:
        return sum(map(len, self._conversations.values()))


class SessionLogins:
    """Sessions by the login that used them first; thread-safe.

    Each login has room of its own, so that nobody can push another's sessions out.
    """

    def __init__(self, most: int = MOST_SESSIONS) -> None:
        self._most = most  # of one login
        self._lock = threading.Lock()
        self._logins: dict[str, str] = {}  # session -> login
        self._used: dict[str, OrderedDict[str, None]] = {}  # login -> its sessions, the one used last at the end

    def claim(self, login: str, session: str) -> bool:
        """Whether `login` may use this session: it is its own, or nobody's so far."""
        if len(session) > LONGEST_SESSION:
            return False
        with self._lock:
            if self._logins.setdefault(session, login) != login:
                return False
            used = self._used.setdefault(login, OrderedDict())
            used[session] = None
            used.move_to_end(session)
            if len(used) > self._most:
                del self._logins[used.popitem(last=False)[0]]
            return True
