"""The stored conversations of one person, and those that are open in pages.

A conversation open in several pages is one object, so all of them see the same turns. If something cannot be stored, it
stays in memory and the conversation says why.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, partial
from unicodedata import east_asian_width
from weakref import WeakValueDictionary

from pydantic import TypeAdapter, ValidationError

from rag.errors import StoreError
from rag.store.conversations import StoredConversation, StoredExchange
from webui.conversation import Conversation, Exchange, Place, PlainPage, stored_exchange
from webui.engine import Conversations

LOADED_TURNS = 40  # exchanges of a stored conversation that stay in memory when a question is asked
TITLE_COLUMNS = 60  # of a title made from the first question; a Chinese character takes two
MAX_DRAFT_CHARACTERS = 20_000


@dataclass
class _State:
    """What is stored of a conversation besides its exchanges."""

    left_out: list[str] = field(default_factory=list)
    leaf: int | None = None
    draft: str = ""
    opened: Place | PlainPage | None = None
    branches: dict[int, int] = field(default_factory=dict)  # parents of those not asked after the one before
    quotes: bool = False


class OwnConversations:
    """Conversations of one owner: a login or a browser. Thread-safe."""

    def __init__(self, stored: Conversations, owner: str) -> None:
        self.stored, self.owner = stored, owner
        self.seen_at = time.monotonic()  # when one of the owner's pages was last heard from
        self._lock = threading.Lock()
        self._open: WeakValueDictionary[str, Conversation] = WeakValueDictionary()

    @property
    def version(self) -> int:
        """A number that increases with every change of the list; cheap to poll."""
        return self.stored.version(self.owner)

    def is_gone(self, conversation: Conversation) -> bool:
        """Whether a conversation that was stored has been deleted."""
        return bool(conversation.id) and self.stored.get(self.owner, conversation.id) is None

    def open(self, conversation_id: str) -> Conversation | None:
        """A conversation by its id; None if this owner has none with it. Raises StoreError."""
        with self._lock:
            found = self.stored.get(self.owner, conversation_id)
            if found is None:
                return None
            conversation = self._open.get(conversation_id)
            if conversation is None:
                conversation = self._open[conversation_id] = self._read(found)
            return conversation

    def delete(self, conversation_id: str) -> None:
        """Delete a conversation, and stop the answer being made in it. Raises StoreError."""
        self.stored.delete(self.owner, conversation_id)
        conversation = self._open.get(conversation_id)
        if conversation is not None:
            conversation.stop()

    def _read(self, found: StoredConversation) -> Conversation:
        state, newest = _state_of(found.data), self.stored.newest_exchange(self.owner, found.id)
        parents = {number: state.branches.get(number, number - 1) for number in range(1, newest + 1)}
        conversation = Conversation(
            left_out=set(state.left_out), leaf=state.leaf, id=found.id, title=found.title, draft=state.draft,
            opened=state.opened, quotes=state.quotes, parents=parents, load=partial(self._load, found.id),
            stored_state=found.data,
        )  # fmt: skip
        conversation.loaded([newest])
        return conversation

    def _load(self, conversation_id: str, numbers: Collection[int]) -> list[Exchange]:
        stored = self.stored.exchanges(self.owner, conversation_id, numbers)
        return [stored_exchange(exchange.number, exchange.data) for exchange in stored]

    def keep(self, conversation: Conversation) -> None:
        """Store what is ticked, typed and open. A new conversation with none of these is not stored."""
        state = _text_of(conversation)
        if state == (conversation.stored_state if conversation.id else _text_of(Conversation())):
            return
        with conversation.lock, _errors_kept(conversation):
            if conversation.id:
                self.stored.save(self.owner, conversation.id, state)
                conversation.stored_state = state
            else:
                self._create(conversation, state)

    def keep_exchange(self, conversation: Conversation, exchange: Exchange) -> None:
        """Store an exchange in its current state. The first one gives the conversation its title."""
        with conversation.lock, _errors_kept(conversation):
            if not conversation.id:
                self._create(conversation, _text_of(conversation))
            # After a failure, store all that are in memory: the store may lack any of them.
            for one in conversation.exchanges if conversation.problem else [exchange]:
                self.stored.put(self.owner, conversation.id, StoredExchange(one.id, one.to_json()), one.question)
            conversation.problem = None
            if not conversation.title:
                self.rename(conversation.id, title_of(exchange.question))
            if not exchange.running:
                conversation.forget(LOADED_TURNS)

    def _create(self, conversation: Conversation, state: str) -> None:
        with self._lock:  # so that no other page reads it from the store meanwhile and gets a separate object
            conversation.id = self.stored.create(self.owner, state)
            conversation.load = partial(self._load, conversation.id)
            conversation.stored_state = state
            self._open[conversation.id] = conversation

    def rename(self, conversation_id: str, title: str) -> None:
        """Give a conversation another title. Raises StoreError."""
        self.stored.rename(self.owner, conversation_id, title)
        conversation = self._open.get(conversation_id)
        if conversation is not None:
            conversation.title = title
            conversation.changed()


@cache
def _adapter() -> TypeAdapter[_State]:
    return TypeAdapter(_State)


def _state_of(text: str) -> _State:
    try:
        return _adapter().validate_json(text)
    except ValidationError:  # written by another version: the exchanges matter more than what was ticked
        return _State()


def _text_of(conversation: Conversation) -> str:
    state = _State(
        sorted(conversation.left_out),
        conversation.leaf,
        conversation.draft[:MAX_DRAFT_CHARACTERS],
        conversation.opened,
        {number: parent for number, parent in conversation.parents.items() if parent != number - 1},
        conversation.quotes,
    )
    return _adapter().dump_json(state).decode()


@contextmanager
def _errors_kept(conversation: Conversation) -> Iterator[None]:
    """Note in the conversation why it cannot be stored, and continue with it in memory."""
    try:
        yield
    except StoreError as error:
        conversation.problem = error.message
        conversation.changed()


def title_of(question: str) -> str:
    """A title of at most TITLE_COLUMNS from a question, cut at a word."""
    text, columns = " ".join(question.split()), 0
    for at, character in enumerate(text):
        columns += 2 if east_asian_width(character) in "WF" else 1
        if columns > TITLE_COLUMNS:
            kept = text[:at]
            words = kept.rsplit(" ", 1)[0]
            return (words if len(words) > at // 2 else kept).rstrip(" ,;:，；：") + "…"
    return text
