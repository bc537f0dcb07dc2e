"""The sessions of all open pages by owner, and which login a session belongs to.

Nothing of one owner is given to another.
"""

from __future__ import annotations

import threading
from collections import OrderedDict

from webui.session import Session
from webui.strings import Language

MAX_SESSIONS = 1_000  # per owner; the least recently used is forgotten first
MAX_NAME_CHARACTERS = 100  # of a session; Gradio's page makes up names of 10 to 11


class Sessions:
    """Sessions by owner and name; thread-safe. The limit is per owner, so that nobody pushes out another's sessions."""

    def __init__(self, most: int = MAX_SESSIONS) -> None:
        self._most = most  # of one owner
        self._lock = threading.Lock()
        self._sessions: dict[str, OrderedDict[str, Session]] = {}  # of each owner by name, least recently used first

    def of(self, owner: str, name: str, language: Language) -> Session:
        """The owner's session of this name, created if there is none. Another owner's is never given out."""
        forgotten = []
        with self._lock:
            own = self._sessions.setdefault(owner, OrderedDict())
            session = own.pop(name, None) or Session(owner, language)
            own[name] = session
            while len(own) > self._most:
                forgotten.append(own.popitem(last=False)[1])
        for old in forgotten:
            old.stop()
        return session

    def stop(self, owner: str, name: str) -> None:
        """Stop the answer that is being made in a session, because nobody waits for it any more."""
        with self._lock:
            own = self._sessions.get(owner)
            session = own.get(name) if own else None
        if session is not None:
            session.stop()

    def __len__(self) -> int:
        return sum(map(len, self._sessions.values()))


class SessionLogins:
    """Which login each session belongs to: the one that used it first. Thread-safe.

    Each login has a limit of its own, so that nobody can push out another's sessions.
    """

    def __init__(self, most: int = MAX_SESSIONS) -> None:
        self._most = most  # of one login
        self._lock = threading.Lock()
        self._logins: dict[str, str] = {}  # session -> login
        self._used: dict[str, OrderedDict[str, None]] = {}  # login -> its sessions, least recently used first

    def claim(self, login: str, session: str) -> bool:
        """Whether `login` may use this session: it owns it, or nobody did and it does from now on."""
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
