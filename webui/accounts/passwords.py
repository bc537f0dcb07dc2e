"""Password hashes: argon2id with the parameters that OWASP recommends for a server with little memory.

https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html
"""

from __future__ import annotations

import threading
from typing import Final

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

from rag.errors import SettingRefused

MIN_CHARACTERS: Final = 8
MAX_BYTES: Final = 1_024
AT_ONCE: Final = 2  # hashes computed at the same time; each takes 19 MiB
_HASHER: Final = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1, type=Type.ID)  # memory in KiB


class Passwords:
    """Hashes and verifies passwords, a few at a time. Thread-safe."""

    def __init__(self) -> None:
        self._turns = threading.BoundedSemaphore(AT_ONCE)
        self._nobodys = _HASHER.hash("")  # checked for unknown users, so that they take as long as known ones

    def hash(self, password: str) -> str:
        """The hash to store, with its salt and parameters."""
        with self._turns:
            return _HASHER.hash(_encoded(password))

    def matches(self, stored: str | None, password: str) -> bool:
        """Whether this is the password behind a hash. None never matches, but takes the same time."""
        try:
            with self._turns:
                _HASHER.verify(self._nobodys if stored is None else stored, _encoded(password)[:MAX_BYTES])
        except (VerificationError, InvalidHashError):
            return False
        return stored is not None


def check_new_password(password: str) -> None:
    """Raises SettingRefused if a new password is too short or too long."""
    if len(password) < MIN_CHARACTERS:
        raise SettingRefused(
            "The password has {length} characters: choose one of at least {limit}.",
            length=len(password),
            limit=MIN_CHARACTERS,
        )
    if len(_encoded(password)) > MAX_BYTES:
        raise SettingRefused("The password is longer than {limit:,} bytes: choose a shorter one.", limit=MAX_BYTES)


def _encoded(password: str) -> bytes:
    return password.encode("utf-8", "surrogatepass")
