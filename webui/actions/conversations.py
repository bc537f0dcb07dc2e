"""Actions on whole conversations: open, start, rename, delete and search them, and keep the draft of a question."""

from __future__ import annotations

import json
import time
from typing import Any, Final

from rag.messages import Message
from rag.store.conversations import UNDO_SECONDS
from webui.edge import to_int, to_text
from webui.own_conversations import OwnConversations
from webui.session import Session

LISTED: Final = 50  # conversations that the drawer lists at first, and how many “Show more” adds
MAX_TITLE_CHARACTERS: Final = 200
MAX_SEARCH_CHARACTERS: Final = 200

NOT_THERE = Message("This conversation is not here: it was deleted, or it belongs to somebody else.")
TOO_LATE = Message("The conversation could not be restored: it has been deleted for good.")


def arrive(session: Session, place: str) -> None:
    """Show the conversation that the page's address names. `place` is what `static/place.js` returns."""
    try:
        data = json.loads(place or "{}")
    except (ValueError, RecursionError):
        data = {}
    data = data if isinstance(data, dict) else {}
    session.drawer.utc_offset = to_int(data.get("offset"))
    wanted = to_text(data.get("conversation"))
    # The page's script may have asked for it already, and then changed the address.
    if wanted or not session.loaded:
        _visit(session, wanted)
    if isinstance(data.get("draft"), str):
        session.conversation.draft = to_text(data.get("draft"))
        if session.conversation.id:
            session.keep()


def change_conversations(session: Session, data: dict[str, Any]) -> bool:
    """Do what the browser sent; returns whether another conversation is shown now. Raises StoreError."""
    wanted = to_text(data.get("conversation"))
    match data.get("do"):
        case "visit":
            _visit(session, wanted)
            return True
        case "begin":
            session.begin()
            return True
        case "draft" if wanted == session.conversation.id:
            session.conversation.draft = to_text(data.get("text"))
            if wanted:
                session.keep()
        case _ if session.own:
            return _change_list(session, data, wanted)
    return False


def _change_list(session: Session, data: dict[str, Any], wanted: str) -> bool:
    """Do what was sent from the list of conversations; returns whether another one is shown now."""
    own, drawer = session.own, session.drawer
    if own is None:
        return False
    match data.get("do"):
        case "list":
            drawer.open, drawer.most = data.get("open") is True, LISTED
            drawer.search = drawer.search if drawer.open else ""
        case "search":
            drawer.search, drawer.most = to_text(data.get("text"))[:MAX_SEARCH_CHARACTERS].strip(), LISTED
        case "older":
            drawer.most += LISTED
        case "rename" if title := " ".join(to_text(data.get("title"))[:MAX_TITLE_CHARACTERS].split()):
            own.rename(wanted, title)
        case "delete":
            return _delete(session, own, wanted)
        case "restore":
            return _undo(session, own)
    return False


def _delete(session: Session, own: OwnConversations, wanted: str) -> bool:
    """Delete a conversation. If it is the one shown, a new one replaces it."""
    found = own.stored.get(own.owner, wanted)
    if found is None:
        return False
    own.delete(wanted)
    session.drawer.deleted = (wanted, found.title, time.monotonic() + UNDO_SECONDS)
    if wanted != session.conversation.id:
        return False
    session.begin()
    return True


def _undo(session: Session, own: OwnConversations) -> bool:
    """Restore the last conversation deleted, and show it unless something has been asked since."""
    deleted, session.drawer.deleted = session.drawer.deleted, None
    if deleted is None:
        return False
    if not own.stored.restore(own.owner, deleted[0]):
        session.show_notice(TOO_LATE)
        return False
    if session.conversation.parents:
        return False
    _visit(session, deleted[0])
    return True


def _visit(session: Session, wanted: str) -> None:
    """Show a conversation; a new one for "". If the id is unknown, show a new one and say so."""
    session.loaded = True
    if not wanted:
        session.begin()
    elif not session.resume(wanted):
        session.show_notice(NOT_THERE)
