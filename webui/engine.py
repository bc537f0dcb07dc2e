"""The engine as the page sees it: a protocol, so that the page can be built and tested without a library.

`rag.engine.Engine` implements it; tests use a scripted one. Every method may be called from any thread.
An owner is a login name, or "" without logins; reading includes the shared documents (owner "").
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
    """Stored conversations. Here an owner is a login or a browser; nothing of one owner is given to another."""

    def version(self, owner: str) -> int:
        """A number that grows with every change of the owner's list; cheap to poll."""
        ...

    def create(self, owner: str, data: str) -> str:
        """A new conversation without a question; returns its id, which nobody can guess."""
        ...

    def get(self, owner: str, conversation_id: str) -> StoredConversation | None:
        """A conversation; None if the owner has none of this id."""
        ...

    def listed(self, owner: str, search: str = "", limit: int = -1) -> list[StoredConversation]:
        """Conversations with a question, newest first; those whose title or questions contain `search`."""
        ...

    def save(self, owner: str, conversation_id: str, data: str) -> None:
        """Replace the data of a conversation."""
        ...

    def rename(self, owner: str, conversation_id: str, title: str) -> None:
        """Give a conversation another title."""
        ...

    def delete(self, owner: str, conversation_id: str) -> None:
        """Delete a conversation; for a few seconds it can be restored."""
        ...

    def restore(self, owner: str, conversation_id: str) -> bool:
        """Undo a deletion; False if it is too late."""
        ...

    def put(self, owner: str, conversation_id: str, exchange: StoredExchange, question: str) -> None:
        """Store an exchange, or a later state of it. Raises StoreFull."""
        ...

    def newest_exchange(self, owner: str, conversation_id: str) -> int:
        """Number of the last exchange; 0 if there is none."""
        ...

    def exchanges(self, owner: str, conversation_id: str, numbers: Collection[int]) -> list[StoredExchange]:
        """The exchanges with these numbers, in order, without those that do not exist."""
        ...


class StoredPreferences(Protocol):
    """What people prefer. Owners are those of conversations; nothing of one owner is given to another."""

    def of(self, owner: str) -> Preferences:
        """What an owner prefers; the defaults where nothing is stored."""
        ...

    def change(self, owner: str, change: Callable[[Preferences], Preferences]) -> None:
        """Change what an owner prefers; two changes at the same time both count. Raises what `change` raises."""
        ...


class Pages(Protocol):
    """The pages of documents in an owner's library. Raises FileRefused for any other document."""

    def picture_width(self, wanted: int) -> int:
        """The width in pixels that `picture` draws for one of at least `wanted` pixels."""
        ...

    def picture(self, owner: str, document_id: str, page: int, wanted: int) -> Picture:
        """A page, counted from 0, at least `wanted` pixels wide if the limits allow it."""
        ...

    def read(self, owner: str, document_id: str, first: int, last: int) -> tuple[StoredPage, ...]:
        """Pages first..last, counted from 0, with their text; fewer if the document ends before."""
        ...

    def words(self, owner: str, document_id: str, page: int) -> tuple[Word, ...]:
        """The words of a page in reading order, each with the white space after it."""
        ...

    def contents(self, owner: str, document_id: str) -> Contents:
        """The labels of a document's pages, and its outline."""
        ...

    def find(self, owner: str, document_id: str, text: str) -> Hits:
        """On which pages of a document a text stands, and how often."""
        ...

    def found_on(self, owner: str, document_id: str, page: int, text: str) -> tuple[tuple[Box, ...], ...]:
        """The boxes of each place on a page that `find` counts."""
        ...

    def file(self, owner: str, document_id: str) -> OriginalFile:
        """The PDF itself, as it was added."""
        ...


class Annotations(Protocol):
    """Tags of documents, and which document replaced which. Nothing of one owner is given to another."""

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
    """Introductions of documents: key sentences, and questions that they answer."""

    def of(self, owner: str, document_id: str) -> Introduction | None:
        """The introduction of a document; if there is none yet, one is made in the background."""
        ...

    def making(self, owner: str, document_id: str) -> bool:
        """Whether it is being made, or waits to be."""
        ...


class Removals(Protocol):
    """Removals that can be undone for a while. A document that is about to be removed is in no list and no answer."""

    def begin(self, owner: str, document_id: str) -> None:
        """Hide a document of `owner` and remove it after a while."""
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
        """Erase all that belongs to somebody who was removed; documents of collections stay. `remove` removes one."""
        ...


class Collections(Protocol):
    """Documents that several people share. What somebody is not granted is to them as if it did not exist."""

    def of(self, person: str, *, administrator: bool = False) -> tuple[DocumentCollection, ...]:
        """Those granted to a person, by name; for an administrator all."""
        ...

    def create(self, person: str, name: str) -> int:
        """A new collection, which its maker edits; returns its number. Raises AskError."""
        ...

    def rename(self, person: str, number: int, name: str, *, administrator: bool = False) -> None:
        """Give a collection another name. Raises AskError."""
        ...

    def delete(self, person: str, number: int, *, administrator: bool = False) -> None:
        """Delete a collection without documents. Raises AskError."""
        ...

    def grant(self, person: str, number: int, to: str, *, editor: bool, administrator: bool = False) -> None:
        """Grant a collection to somebody, or change what they may do. Raises AskError."""
        ...

    def revoke(self, person: str, number: int, of: str, *, administrator: bool = False) -> None:
        """Take a collection from somebody, at once. Raises AskError."""
        ...


class Engine(Protocol):
    """Documents in, cited answers out. Errors are `rag.errors.AskError`: one sentence of plain text."""

    readiness: Readiness  # whether questions can be answered
    activity: Activity  # questions and documents, counted
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
        """What each person prefers of sources and answers."""
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
        """Moves documents into collections, and out of them."""
        ...

    @property
    def introductions(self) -> Introductions:
        """Introductions of documents."""
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
        """The reader, embedder and device in use, and why."""
        ...

    def choose(self, choice: Choice) -> None:
        """Replace the choice of the same kind, for example to report how far it has been loaded."""
        ...

    def use_reader(self, reader: Reader, why: Message) -> None:
        """Answer with another reader from the next question on."""
        ...

    def wait(self) -> None:
        """Block until questions can be answered. Raises AskError if they never can."""
        ...

    def version(self) -> int:
        """A number that grows with every change a page could show; cheap to poll."""
        ...

    def documents(self, owner: str) -> tuple[Document, ...]:
        """Complete, searchable documents."""
        ...

    def details(self, owner: str, document_id: str) -> DocumentDetails | None:
        """Author, date, outline and notes on pages of a document; None if the owner sees no such document."""
        ...

    def jobs(self, owner: str) -> tuple[Job, ...]:
        """Files being added, and those finished or failed that were not dismissed yet."""
        ...

    def adding(self, owner: str) -> Adding | None:
        """Progress of all files together that `owner` is adding; None if there is nothing left to do."""
        ...

    def add(self, owner: str, name: str, data: Path | bytes, replaces: str = "", collection: int = 0) -> Job:
        """Queue a file under this name; a file given as a path may be deleted afterwards. Raises FileRefused.

        `replaces`: id of a document that `owner` may change, and that goes when this one is complete; `collection`:
        number of the one that it is put into, 0 for their own documents. Raises CollectionRefused if they may not.
        """
        ...

    def unlock(self, owner: str, job_id: int, password: str) -> None:
        """Continue a job that waits for its password; if it is wrong, the job's message says so."""
        ...

    def cancel(self, owner: str, job_id: int) -> None:
        """Stop a running job, or take a finished or failed one off the list."""
        ...

    def remove(self, owner: str, document_id: str) -> None:
        """Remove a document at once and everywhere."""
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
        """Waiting while it has to wait, one Found, any number of Pieces, one Answer. Raises AskError.

        `documents` None searches all of them; `person` is who asks, the owner with "".
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
        """Questions to ask after a complete one and its sources, each answered by the same documents; often none.

        They are looked for while nobody else's question needs the time, and no longer once `stop` is set.
        """
        ...

    def view(self, owner: str, source: Source, citation: Citation | None) -> View:
        """The page a source is on, with the boxes of the passage and of the cited span."""
        ...

    def view_page(self, owner: str, source: Source, page: int, citation: Citation | None = None) -> View:
        """Another page, counted from 0, of the source's document."""
        ...

    def close(self) -> None:
        """Stop the workers and release the data folder."""
        ...
