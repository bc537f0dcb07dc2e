"""What each role may do. Without logins, everybody is an administrator."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from rag.errors import NotAllowed


class Right(StrEnum):
    """Something that only some roles may do."""

    ADD = "add"  # add documents, and remove one's own
    PICK = "pick"  # pick and download models, connect to model servers
    MANAGE = "manage"  # add, change and remove users


class Role(StrEnum):
    """The role of a user."""

    ADMINISTRATOR = "administrator"
    EDITOR = "editor"
    READER = "reader"

    def may(self, right: Right) -> bool:
        """Whether this role has a right."""
        return right in _RIGHTS[self]


_RIGHTS: Final = {
    Role.ADMINISTRATOR: frozenset(Right),
    Role.EDITOR: frozenset({Right.ADD}),
    Role.READER: frozenset[Right](),
}
# Actions on the page that need a right, by the names of their events. Everybody may do everything else.
_NEEDED: Final = {
    **dict.fromkeys(
        ("remove", "undo", "sample", "cancel", "cancel-all", "dismiss-failed", "unlock", "move"), Right.ADD
    ),
    **dict.fromkeys(("models", "pick", "download", "test-server", "connect", "disconnect"), Right.PICK),
}


def check(role: Role, do: object) -> None:
    """Raises NotAllowed if `role` may not do this on the page."""
    if isinstance(do, str) and do in _NEEDED:
        require(role, _NEEDED[do])


def require(role: Role, right: Right) -> None:
    """Raises NotAllowed if `role` lacks a right."""
    if not role.may(right):
        raise NotAllowed("Your role on this server does not allow that: ask an administrator.")
