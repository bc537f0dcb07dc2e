"""Who may log in, in which role, and for how long. Covers the users in the database and those named by `--auth`.

A session is a random token in a cookie. Only its hash is kept, and only in memory, so a restart ends all sessions.
People type names; everything else uses a user's id (`webui.accounts.users`). A user named by `--auth` has the name as
id.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from rag.errors import LoginRefused, SettingRefused
from webui.accounts.brake import Brake, RefusalLog
from webui.accounts.passwords import Passwords, check_new_password
from webui.accounts.provider import Identity, Provider, ProviderLogin
from webui.accounts.roles import Role
from webui.accounts.users import User, Users, checked_name, name_in

logger = logging.getLogger(__name__)

IDLE_SECONDS: Final = 12 * 3_600.0  # a session unused for this long ends
MAX_SECONDS: Final = 7 * 24 * 3_600.0  # a session ends this long after the login, even in use
MAX_SESSIONS: Final = 50  # per user; the oldest session ends first


@dataclass(frozen=True, slots=True)
class _Known:
    """Somebody who is allowed to log in."""

    id: str
    hash: str
    role: Role
    generation: int


@dataclass(slots=True)
class _Session:
    """One browser or program that has logged in."""

    generation: int  # the user's generation at the time of the login
    began: float
    used: float


class Accounts:
    """The logins of one server. Thread-safe. With no users at all, everybody may do everything, as owner ""."""

    def __init__(
        self,
        users: Users | None = None,
        quick: Mapping[str, str] | None = None,
        clock: Callable[[], float] = time.time,
        provider: Provider | None = None,
    ) -> None:
        """`quick`: password of each user named by `--auth`; they are editors. Users in the database take precedence.

        `provider`: also lets people log in with an account elsewhere.
        """
        self._users, self._clock = users, clock
        self._passwords, self._brake, self._refusals = Passwords(), Brake(), RefusalLog(logger)
        self._quick = {name: self._passwords.hash(password) for name, password in (quick or {}).items()}
        self._quick_generations = dict.fromkeys(self._quick, 0)
        self._sessions: dict[str, OrderedDict[str, _Session]] = {}  # id -> digest of the token -> session
        self._user_of: dict[str, str] = {}  # digest of the token -> id
        self._lock = threading.Lock()
        self.provider = ProviderLogin(provider) if provider else None
        self.needed = bool(self._quick or (users and users.all()) or provider)  # whether people have to log in

    def __contains__(self, user_id: object) -> bool:
        return isinstance(user_id, str) and self._of_id(user_id) is not None

    def role(self, user_id: str) -> Role:
        """The role of a user. Raises StoreError."""
        if not self.needed:
            return Role.ADMINISTRATOR
        known = self._of_id(user_id)
        return known.role if known else Role.READER

    def id_of(self, name: str) -> str | None:
        """The id of the user who logs in with this name; None if there is none. Raises StoreError."""
        known = self._named(name)
        return known.id if known else None

    def name_of(self, user_id: str) -> str:
        """The name under which people see a user, including one who was removed. Raises StoreError."""
        user = self._users.of_id(user_id) if self._users else None
        return user.name if user else name_in(user_id)

    @property
    def has_administrator(self) -> bool:
        """Whether any user may choose models."""
        return not self.needed or any(user.role is Role.ADMINISTRATOR for user in self.users())

    def log_in(self, name: str, password: str, address: str) -> str:
        """Log in and return the new session's token. Takes as long for an unknown user.

        Raises LoginRefused and StoreError.
        """
        known = self._named(name)
        shown = repr(name) if known else "an unknown user"  # people sometimes type a password into the name field
        if seconds := self._brake.begin(name, address):
            self._refusals.warn("Login of %s from %s refused: the next try is in %d s", shown, address, seconds)
            raise LoginRefused("There were too many wrong passwords: try again in {seconds} s.", seconds=seconds)
        stored = known.hash or None if known else None  # users of a provider have no password here
        if not self._passwords.matches(stored, password) or known is None:
            self._refusals.warn("Wrong password for %s from %s", shown, address)
            raise LoginRefused("The name or the password is wrong.")
        self._brake.succeeded(name, address)
        return self._begin(known.id, known.generation)

    def log_in_as(self, identity: Identity) -> str:
        """Start a session for somebody whom the provider has identified; returns its token.

        Raises LoginRefused and StoreError.
        """
        assert self.provider is not None
        provider = self.provider.provider
        role = Role.ADMINISTRATOR if identity.subject == provider.administrator else Role.EDITOR
        user = self._database.of_provider(f"{provider.url} {identity.subject}", identity.name, role)
        return self._begin(user.id, user.generation)

    def user_of(self, token: str | None) -> str | None:
        """The id of the user whose session this is; None if it has ended or never existed. Raises StoreError."""
        digest, now = _digest(token or ""), self._clock()
        with self._lock:
            user_id = self._user_of.get(digest)
            session = self._sessions[user_id][digest] if user_id is not None else None
        if user_id is None or session is None:
            return None
        known = self._of_id(user_id)
        ended = now - session.began > MAX_SECONDS or now - session.used > IDLE_SECONDS
        if ended or known is None or known.generation != session.generation:
            self.log_out(token)
            return None
        session.used = now
        return user_id

    def log_out(self, token: str | None) -> None:
        """End a session."""
        digest = _digest(token or "")
        with self._lock:
            if (user_id := self._user_of.pop(digest, None)) is not None:
                self._sessions[user_id].pop(digest, None)

    def log_out_everywhere(self, user_id: str) -> None:
        """End all sessions of a user. Raises StoreError."""
        if self._users and (user := self._users.of_id(user_id)):
            self._users.end_sessions(user.name)
        else:
            self._quick_generations[user_id] = self._quick_generations.get(user_id, 0) + 1
        with self._lock:
            for digest in self._sessions.pop(user_id, ()):
                self._user_of.pop(digest, None)

    def change_password(self, user_id: str, old: str, new: str, address: str) -> str:
        """Change a user's own password. Ends all of their sessions and returns the token of a new one.

        Raises LoginRefused if the old password is wrong, SettingRefused if the new one is too short, and StoreError.
        """
        check_new_password(new)
        name = self.name_of(user_id)
        self.log_out(self.log_in(name, old, address))
        if not self.is_stored(user_id):
            raise LoginRefused("Your password is set by --auth: ask whoever runs the server to change it.")
        self._database.set_password(name, self._passwords.hash(new))
        known = self._of_id(user_id)
        return self._begin(user_id, known.generation if known else 0)

    # ---- managing users; every change takes effect at once, also in other processes

    @property
    def has_quick_users(self) -> bool:
        """Whether `--auth` names users. Those can only be changed on the command line."""
        return bool(self._quick)

    def is_stored(self, user_id: str) -> bool:
        """Whether a user is in the database and has a password that can be changed."""
        user = self._users.of_id(user_id) if self._users else None
        return bool(user and user.hash)

    def users(self) -> tuple[User, ...]:
        """The users of the database. Raises StoreError."""
        return self._users.all() if self._users else ()

    def add_user(self, name: str, password: str, role: Role) -> str:
        """Add a user to the database; returns the name as stored. Raises SettingRefused and StoreError."""
        name = checked_name(name)
        check_new_password(password)
        self._database.add(name, role, self._passwords.hash(password))
        return name

    def set_password(self, name: str, password: str) -> None:
        """Change any user's password, which ends their sessions. Raises SettingRefused and StoreError."""
        check_new_password(password)
        self._database.set_password(name, self._passwords.hash(password))

    def set_role(self, name: str, role: Role) -> None:
        """Raises SettingRefused for an unknown user, and StoreError."""
        self._database.set_role(name, role)

    def remove_user(self, name: str) -> None:
        """Remove a user and end their sessions. Raises SettingRefused if there is no such user, and StoreError.

        `webui.accounts.erasing` erases what belonged to them.
        """
        self._database.remove(name)

    def to_erase(self) -> tuple[str, ...]:
        """Ids of removed users whose data are still to be erased, except those who may still log in.

        Raises StoreError.
        """
        return tuple(one for one in self._users.to_erase() if one not in self) if self._users else ()

    def erased(self, user_id: str) -> None:
        """Record that a removed user's data have been erased. Raises StoreError."""
        self._database.erased(user_id)

    @property
    def _database(self) -> Users:
        if self._users is None:
            raise SettingRefused("This server keeps no users: add them with --add-user, and start it again.")
        return self._users

    # The part of a dict's interface that Gradio uses on its table of tokens.
    get = user_of

    def _begin(self, user_id: str, generation: int) -> str:
        token, now = secrets.token_urlsafe(32), self._clock()
        with self._lock:
            sessions = self._sessions.setdefault(user_id, OrderedDict())
            sessions[_digest(token)] = _Session(generation, now, now)
            self._user_of[_digest(token)] = user_id
            while len(sessions) > MAX_SESSIONS:
                self._user_of.pop(sessions.popitem(last=False)[0], None)
        return token

    def _named(self, name: str) -> _Known | None:
        """Who logs in with this name; None if nobody does."""
        if self._users and (user := self._users.get(name)):
            return _stored(user)
        return self._quick_user(name)

    def _of_id(self, user_id: str) -> _Known | None:
        """The user with this id; None if there is none."""
        if self._users and (user := self._users.of_id(user_id)):
            return _stored(user)
        return self._quick_user(user_id)

    def _quick_user(self, name: str) -> _Known | None:
        if name not in self._quick:
            return None
        return _Known(name, self._quick[name], Role.EDITOR, self._quick_generations[name])


def _stored(user: User) -> _Known:
    return _Known(user.id, user.hash, user.role, user.generation)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
