"""The sessions of all open pages by owner, and which login each session belongs to.

Owners never see each other's. Without logins there is one owner of documents, but conversations, and so sessions,
belong to a browser.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from weakref import WeakValueDictionary

from webui.engine import Conversations
from webui.own_conversations import OwnConversations
from webui.session import Session
from webui.strings import Language

MAX_SESSIONS = 1_000  # per owner; the least recently used is forgotten first
MAX_NAME_CHARACTERS = 100  # characters of a session name; Gradio's page uses 10 to 11


class Sessions:
    """Sessions by owner and name. Thread-safe.

    The limit is per owner, so that nobody can push out another's sessions.
    """

    def __init__(self, stored: Callable[[], Conversations] | None = None, *, most: int = MAX_SESSIONS) -> None:
        """`stored`: everybody's stored conversations; with None, nothing is stored."""
        self._stored = stored
        self._most = most  # per owner
        self._lock = threading.Lock()
        # By owner of documents, then by owner of conversations and name; least recently used first.
        self._sessions: dict[str, OrderedDict[tuple[str, str], Session]] = {}
        self._conversations: WeakValueDictionary[str, OwnConversations] = WeakValueDictionary()

    def of(self, owner: str, name: str, language: Language, conversation_owner: str = "") -> Session:
        """The owner's session with this name, created if there is none. Never another owner's.

        `conversation_owner`: see `webui.server.visitors`; with "" its conversations are not stored.
        """
        key = (conversation_owner, name)
        with self._lock:
            own = self._sessions.setdefault(owner, OrderedDict())
            session = own.pop(key, None) or Session(owner, language, self._own_conversations(conversation_owner))
            own[key] = session
            while len(own) > self._most:
                own.popitem(last=False)
            return session

    def known(self, owner: str, name: str, conversation_owner: str) -> Session | None:
        """The owner's session with this name, if there is one."""
        with self._lock:
            own = self._sessions.get(owner)
            return own.get((conversation_owner, name)) if own else None

    def count_open(self, seconds: float) -> int:
        """How many pages have sent something within the last `seconds`."""
        since = time.monotonic() - seconds
        with self._lock:
            return sum(session.seen_at >= since for own in self._sessions.values() for session in own.values())

    def _own_conversations(self, owner: str) -> OwnConversations | None:
        """An owner's stored conversations: one object for all of their pages."""
        if not owner or self._stored is None:
            return None
        own = self._conversations.get(owner)
        if own is None:
            own = self._conversations[owner] = OwnConversations(self._stored(), owner)
        return own

    def __len__(self) -> int:
        return sum(map(len, self._sessions.values()))


class SessionLogins:
    """Which login each session belongs to: the first that used it. Thread-safe.

    The limit is per login, so that nobody can push out another's sessions.
    """

    def __init__(self, most: int = MAX_SESSIONS) -> None:
        self._most = most  # per login
        self._lock = threading.Lock()
        self._logins: dict[str, str] = {}  # session -> login
        self._used: dict[str, OrderedDict[str, None]] = {}  # login -> its sessions, least recently used first

    def claim(self, login: str, session: str) -> bool:
        """Whether `login` may use this session. If it belonged to nobody, it belongs to `login` from now on."""
        if len(session) > MAX_NAME_CHARACTERS:
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
