"""API tokens: created and revoked on the command line, and kept as hashes in a file in the data folder.

A file rather than the database, because another process holds the database while the page is served.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import secrets
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from filelock import FileLock

from rag.errors import SettingRefused, StoreError
from rag.store.blobs import replace_file
from webui.accounts.users import name_in

logger = logging.getLogger(__name__)

PREFIX: Final = "ask-"  # lets people and secret scanners recognise a token
TOKEN_BYTES: Final = 32
MAX_NAME_CHARACTERS: Final = 100
FILE: Final = "api-tokens.json"  # in the data folder
LOCK_SECONDS: Final = 5.0  # to wait while another process changes the file


@dataclass(frozen=True, slots=True)
class ApiToken:
    """A token as stored."""

    id: str  # used to revoke it; reveals nothing about the token
    user: str  # id of the user, or any name if there are no logins
    digest: str  # SHA-256 of the token, hexadecimal. A token is random, so a slow hash is not needed.
    created: float  # seconds since the epoch


class ApiTokens:
    """The tokens of a data folder. Thread-safe; changes by other processes are seen at the next check."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / FILE
        self._lock = threading.Lock()
        self._seen: tuple[int, int, int] | None = None  # modification state of the file that `_known` was read from
        self._known: tuple[ApiToken, ...] = ()

    def create(self, user: str) -> str:
        """Create a token for a user; only its hash is kept. Raises SettingRefused and StoreError."""
        name = user.strip()
        if not name or len(name) > MAX_NAME_CHARACTERS or not name_in(name).isprintable():
            raise SettingRefused("--api-token takes a name of up to {most} characters.", most=MAX_NAME_CHARACTERS)
        token = PREFIX + secrets.token_urlsafe(TOKEN_BYTES)
        new = ApiToken(secrets.token_hex(4), name, _digest(token), time.time())
        self._change(lambda known: [*known, new])
        return token

    def all(self) -> tuple[ApiToken, ...]:
        """All tokens, oldest first. Raises StoreError if their file cannot be read."""
        with self._lock:
            try:
                state = self._path.stat()
            except FileNotFoundError:
                self._seen, self._known = None, ()
                return ()
            seen = (state.st_ino, state.st_mtime_ns, state.st_size)
            if seen != self._seen:
                self._seen, self._known = seen, self._read()
            return self._known

    def revoke(self, name: str) -> int:
        """Revoke the token with this id, or all tokens of this user; returns how many. Raises StoreError."""
        return self._revoke(lambda token: name in (token.id, name_in(token.user)))

    def revoke_of(self, user_id: str) -> int:
        """Revoke all tokens of the user with this id, but not those of a namesake; returns how many.

        Raises StoreError.
        """
        return self._revoke(lambda token: token.user == user_id)

    def user(self, token: str) -> str | None:
        """Whose token this is; None if it is unknown or revoked."""
        digest, found = _digest(token), None
        try:
            known = self.all()
        except StoreError as error:
            logger.error("%s", error)
            return None
        for one in known:  # compare with all of them, so that the time does not tell which one came close
            if hmac.compare_digest(one.digest, digest):
                found = one.user
        return found

    def _read(self) -> tuple[ApiToken, ...]:
        try:
            return tuple(ApiToken(**token) for token in json.loads(self._path.read_text("utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise StoreError(
                "{path} cannot be read ({reason}): delete it, and make the tokens again with --api-token.",
                path=str(self._path),
                reason=type(error).__name__,
            ) from error

    def _revoke(self, is_meant: Callable[[ApiToken], bool]) -> int:
        if not any(map(is_meant, self.all())):
            return 0
        return self._change(lambda known: [token for token in known if not is_meant(token)])

    def _change(self, changed: Callable[[tuple[ApiToken, ...]], Iterable[ApiToken]]) -> int:
        """Change the tokens, one process at a time; returns how many were removed. Raises StoreError."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with FileLock(self._path.with_suffix(".lock"), timeout=LOCK_SECONDS, mode=0o600):
                known = self.all()
                tokens = list(changed(known))
                data = json.dumps([asdict(token) for token in tokens], indent=1).encode()
                replace_file(self._path, data)  # written to a temporary file that only this user may read, then renamed
        except OSError as error:  # filelock's Timeout is an OSError
            raise StoreError(
                "{path} cannot be written ({reason}): choose another --data-dir.",
                path=str(self._path),
                reason=error.strerror or type(error).__name__,
            ) from error
        return len(known) - len(tokens)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()
