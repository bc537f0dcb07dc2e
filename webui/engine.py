"""The engine as the page sees it: a protocol, so that the page can be built and tested without a library.

`rag.engine.Engine` implements it; tests use a scripted engine. Every method may be called from any thread. An owner is
a login name, or "" without logins. Owners can also read the shared documents, those of owner "".
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from rag.activity import Activity
from rag.answer.introduction.record import Introduction
from rag.ingest.waiting import Adding
from rag.messages import Message
from rag.pages import Contents, Hits, OriginalFile, Picture, Word
from rag.preferences import Preferences
from rag.reader import Reader, Turn
from rag.readiness import Readiness
from rag.records import (
    DEFAULT_OPTIONS,
    AskOptions,
    Box,
    Choice,
    Citation,
    Document,
    DocumentDetails,
    Event,
    Job,
    Source,
    View,
)
from rag.settings import Settings
from rag.store.collections import Collection as DocumentCollection
from rag.store.conversations import StoredConversation, StoredExchange
from rag.store.rows import StoredPage
from rag.store.totals import StoredTotals
from webui.evaluations import Evaluations, Ratings


class Conversations(Protocol):
    """Stored conversations. Here, an owner is a login or a browser; owners never see each other's conversations."""

    def version(self, owner: str) -> int:
        """A number that increases with every change to the owner's list; cheap to poll."""
        ...

    def create(self, owner: str, data: str) -> str:
        """Create a conversation without questions; returns its id, which cannot be guessed."""
        ...

    def get(self, owner: str, conversation_id: str) -> StoredConversation | None:
        """A conversation; None if the owner has none with this id."""
        ...

    def listed(self, owner: str, search: str = "", limit: int = -1) -> list[StoredConversation]:
        """Conversations with at least one question, newest first.

        `search`: only those with this text in title or questions.
        """
        ...

    def save(self, owner: str, conversation_id: str, data: str) -> None:
        """Replace the data of a conversation."""
        ...

    def rename(self, owner: str, conversation_id: str, title: str) -> None:
        """Give a conversation another title."""
        ...

    def delete(self, owner: str, conversation_id: str) -> None:
        """Delete a conversation; it can be restored for a few seconds."""
        ...

    def restore(self, owner: str, conversation_id: str) -> bool:
        """Undo a deletion; False if it is too late."""
        ...

    def put(self, owner: str, conversation_id: str, exchange: StoredExchange, question: str) -> None:
        """Store an exchange, or its later state. Raises StoreFull."""
        ...

    def newest_exchange(self, owner: str, conversation_id: str) -> int:
        """Number of the last exchange; 0 if there is none."""
        ...

    def exchanges(self, owner: str, conversation_id: str, numbers: Collection[int]) -> list[StoredExchange]:
        """The exchanges with these numbers, in order; those that do not exist are left out."""
        ...


class StoredPreferences(Protocol):
    """People's preferences, by the owners that conversations have; owners never see each other's."""

    def of(self, owner: str) -> Preferences:
        """An owner's preferences; the defaults if none are stored."""
        ...

    def change(self, owner: str, change: Callable[[Preferences], Preferences]) -> None:
        """Change an owner's preferences; concurrent changes are both kept. Raises what `change` raises."""
        ...


class Pages(Protocol):
    """The pages of documents in an owner's library. All methods raise FileRefused for any other document."""

    def picture_width(self, wanted: int) -> int:
        """The width in pixels at which `picture` draws a page if at least `wanted` pixels are needed."""
        ...

    def picture(self, owner: str, document_id: str, page: int, wanted: int) -> Picture:
        """A page (from 0), at least `wanted` pixels wide if the limits allow it."""
        ...

    def read(self, owner: str, document_id: str, first: int, last: int) -> tuple[StoredPage, ...]:
        """Pages first..last (from 0) with their text; fewer if the document ends earlier."""
        ...

    def words(self, owner: str, document_id: str, page: int) -> tuple[Word, ...]:
        """The words of a page in reading order, each with the white space that follows it."""
        ...

    def contents(self, owner: str, document_id: str) -> Contents:
        """A document's page labels and outline."""
        ...

    def find(self, owner: str, document_id: str, text: str) -> Hits:
        """The pages of a document on which a text occurs, and how often."""
        ...

    def found_on(self, owner: str, document_id: str, page: int, text: str) -> tuple[tuple[Box, ...], ...]:
        """The boxes of each occurrence on a page that `find` counts."""
        ...

    def file(self, owner: str, document_id: str) -> OriginalFile:
        """The PDF itself, as it was added."""
        ...


class Annotations(Protocol):
    """Tags of documents, and which document replaced which; owners never see each other's."""

    def tags(self, owner: str) -> dict[str, tuple[str, ...]]:
        """The tags of each document that has any, by document id."""
        ...

    def add_tag(self, owner: str, documents: Collection[str], tag: str) -> None:
        """Tag documents. Raises AskError."""
        ...

    def remove_tag(self, owner: str, document_id: str, tag: str) -> None:
        """Remove a tag from a document."""
        ...

    def replaced(self, owner: str) -> dict[str, str]:
        """Documents that were replaced by a newer version: old id -> new id."""
        ...


class Introductions(Protocol):
    """Introductions to documents: key sentences, and questions that they answer."""

    def of(self, owner: str, document_id: str) -> Introduction | None:
        """A document's introduction. If there is none yet, it is made in the background."""
        ...

    def making(self, owner: str, document_id: str) -> bool:
        """Whether it is being made, or is waiting to be."""
        ...


class Removals(Protocol):
    """Removals that can be undone for a while. A document about to be removed is in no list and no answer."""

    def begin(self, owner: str, document_id: str) -> None:
        """Hide one of `owner`'s documents, and remove it after a while."""
        ...

    def undo(self, owner: str) -> None:
        """Keep all documents of `owner` that are about to be removed."""
        ...

    def pending(self, owner: str) -> Collection[str]:
        """Ids of the documents of `owner` that are about to be removed."""
        ...


class Sharing(Protocol):
    """Moves documents to other owners."""

    def move(self, owner: str, document_id: str, collection: int) -> None:
        """Move a document into a collection; with 0, to `owner`'s own. Raises AskError if they may not."""
        ...

    def erase(self, owner: str, conversation_owner: str, remove: Callable[[str, str], None]) -> None:
        """Erase all data of a removed user; documents in collections stay. `remove` removes one document."""
        ...


class Collections(Protocol):
    """Documents shared by several people. To people without access, a collection does not exist."""

    def of(self, person: str, *, administrator: bool = False) -> tuple[DocumentCollection, ...]:
        """The collections that a person may see, by name; an administrator sees all."""
        ...

    def create(self, person: str, name: str) -> int:
        """Create a collection, with the person as its editor; returns its number. Raises AskError."""
        ...

    def rename(self, person: str, number: int, name: str, *, administrator: bool = False) -> None:
        """Give a collection another name. Raises AskError."""
        ...

    def delete(self, person: str, number: int, *, administrator: bool = False) -> None:
        """Delete a collection without documents. Raises AskError."""
        ...

    def grant(self, person: str, number: int, to: str, *, editor: bool, administrator: bool = False) -> None:
        """Give somebody access to a collection, or change what they may do in it. Raises AskError."""
        ...

    def revoke(self, person: str, number: int, of: str, *, administrator: bool = False) -> None:
        """Take away somebody's access to a collection, at once. Raises AskError."""
        ...


class Engine(Protocol):
    """Documents in, cited answers out. Its errors are `rag.errors.AskError`: one sentence of plain text."""

    readiness: Readiness  # whether questions can be answered
    activity: Activity  # counts of questions and documents
    totals: StoredTotals  # how much is stored

    @property
    def settings(self) -> Settings:
        """Limits and folders."""
        ...

    @property
    def evaluations(self) -> Evaluations:
        """Saved questions and runs."""
        ...

    @property
    def conversations(self) -> Conversations:
        """Stored conversations."""
        ...

    @property
    def preferences(self) -> StoredPreferences:
        """Each person's preferences for sources and answers."""
        ...

    @property
    def ratings(self) -> Ratings:
        """How people rated answers."""
        ...

    @property
    def annotations(self) -> Annotations:
        """Tags, and which document replaced which."""
        ...

    @property
    def collections(self) -> Collections:
        """Documents that several people share."""
        ...

    @property
    def sharing(self) -> Sharing:
        """Moves documents into and out of collections."""
        ...

    @property
    def introductions(self) -> Introductions:
        """Introductions to documents."""
        ...

    @property
    def removals(self) -> Removals:
        """Removals that can be undone for a while."""
        ...

    @property
    def pages(self) -> Pages:
        """Pictures and words of pages, search within a document, outline and file."""
        ...

    def choices(self) -> tuple[Choice, ...]:
        """The reader, the embedder and the device in use, and why each was chosen."""
        ...

    def choose(self, choice: Choice) -> None:
        """Replace the choice of the same kind, for example to show how far it has been loaded."""
        ...

    def use_reader(self, reader: Reader, why: Message) -> None:
        """Use another reader, from the next question on."""
        ...

    def wait(self) -> None:
        """Block until questions can be answered. Raises AskError if they never can."""
        ...

    def version(self) -> int:
        """A number that increases with every change that a page might show; cheap to poll."""
        ...

    def documents(self, owner: str) -> tuple[Document, ...]:
        """The documents that are complete and can be searched."""
        ...

    def details(self, owner: str, document_id: str) -> DocumentDetails | None:
        """Author, date, outline and page notes of a document; None if the owner cannot see it."""
        ...

    def jobs(self, owner: str) -> tuple[Job, ...]:
        """Files being added, and those that finished or failed and have not been dismissed."""
        ...

    def adding(self, owner: str) -> Adding | None:
        """The combined progress of all files that `owner` is adding; None if nothing is left to do."""
        ...

    def add(self, owner: str, name: str, data: Path | bytes, replaces: str = "", collection: int = 0) -> Job:
        """Queue a file under this name. A file given as a path may be deleted afterwards. Raises FileRefused.

        `replaces`: id of a document that `owner` may change, which is removed when this one is complete; `collection`:
        number of the collection to add it to, 0 for the owner's own documents. Raises CollectionRefused if they may
        not.
        """
        ...

    def unlock(self, owner: str, job_id: int, password: str) -> None:
        """Continue a job that waits for a password. If the password is wrong, the job's message says so."""
        ...

    def cancel(self, owner: str, job_id: int) -> None:
        """Stop a running job, or dismiss one that has finished or failed."""
        ...

    def remove(self, owner: str, document_id: str) -> None:
        """Remove a document and all its data at once."""
        ...

    def ask(
        self,
        owner: str,
        question: str,
        documents: Collection[str] | None,
        history: Sequence[Turn],
        stop: threading.Event,
        options: AskOptions = DEFAULT_OPTIONS,
        person: str = "",
    ) -> Iterator[Event]:
        """Waiting, while it has to wait; one Found; any number of Pieces; one Answer. Raises AskError.

        `documents`: None searches all of them. `person`: who asks; "" for the owner.
        """
        ...

    def search(
        self, owner: str, question: str, documents: Collection[str] | None = None, count: int | None = None
    ) -> list[Source]:
        """At most `count` sources for a question, without an answer. Raises AskError."""
        ...

    def follow_ups(
        self,
        owner: str,
        question: str,
        documents: Collection[str] | None,
        sources: tuple[Source, ...],
        stop: threading.Event | None = None,
    ) -> tuple[str, ...]:
        """Questions to ask next, given a completed question and its sources; the same documents answer them.

        Often none. They are looked for only while no other question needs the time, and until `stop` is set.
        """
        ...

    def view(self, owner: str, source: Source, citation: Citation | None) -> View:
        """The page that a source is on, with the boxes of its passage and of the cited span."""
        ...

    def view_page(self, owner: str, source: Source, page: int, citation: Citation | None = None) -> View:
        """Another page, counted from 0, of the source's document."""
        ...

    def close(self) -> None:
        """Stop the workers and release the data folder."""
        ...
