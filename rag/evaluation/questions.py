"""Saved questions in the store, each with the pages that answer it and the expected answer.

Everything belongs to one owner and is invisible to others. Only a document's id and page numbers are stored here, never
its name or text, so nothing lingers when it is removed. A question and its expected answer are the owner's own words,
and stay until the owner removes them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from typing import Final

from rag.errors import AskError, FileRefused, NotInLibrary, QuestionRefused
from rag.evaluation.question_sets import QuestionRow, RefusedLine
from rag.evaluation.runs import RightPage, SavedQuestion
from rag.records import Document
from rag.store.access import PREFERRED, sees
from rag.store.database import Store

MAX_QUESTIONS: Final = 500  # per owner
MAX_RIGHT_PAGES: Final = 50  # per question
MAX_ANSWER_CHARACTERS: Final = 500  # of an expected answer

# Saved questions and their correct pages. Name and page label come from the owner's own document, else from another.
_SAVED = f"""
SELECT q.id, q.text, q.answer, r.document_id, r.page, d.name, p.label
FROM kept_questions q LEFT JOIN right_pages r ON r.question = q.id
LEFT JOIN documents d ON d.key = (
    SELECT key FROM documents WHERE id = r.document_id AND {sees("?1")} ORDER BY {PREFERRED} LIMIT 1)
LEFT JOIN pages p ON p.document = d.key AND p.number = r.page
WHERE q.owner = ?1 ORDER BY q.id, r.document_id, r.page
"""


class SavedQuestions:
    """The saved questions of all owners. Thread-safe."""

    def __init__(self, store: Store, max_characters: int, changed: Callable[[], None]) -> None:
        """`max_characters`: of a question."""
        self._store, self._max_characters, self._changed = store, max_characters, changed

    def saved(self, owner: str) -> tuple[SavedQuestion, ...]:
        """The owner's saved questions, oldest first."""
        found: dict[int, tuple[str, str, list[RightPage]]] = {}
        for row in self._store.rows(_SAVED, (owner,)):
            pages = found.setdefault(row["id"], (row["text"], row["answer"], []))[2]
            if row["document_id"] is not None:
                pages.append(RightPage(row["document_id"], row["page"], row["name"] or "", row["label"] or ""))
        return tuple(SavedQuestion(key, text, tuple(pages), answer) for key, (text, answer, pages) in found.items())

    def save(self, owner: str, question: str, document_id: str, page: int, answer: str = "") -> None:
        """Save a question with a page (from 0) that answers it, or add the page to a saved question.

        `answer`: the expected one, unless the question already has one. Raises NotInLibrary if `owner` cannot see the
        document; QuestionRefused for an empty or overlong question, a page that does not exist, or too many pages.
        """
        document = self._store.document(owner, document_id)
        if document is None:
            raise NotInLibrary("The document is no longer in the library.")
        with self._store.transaction() as sql:
            key = self._keep(sql, owner, question)
            self._add_page(sql, key, document, page)
            if answer := _cleaned(answer):
                sql.execute("UPDATE kept_questions SET answer = ? WHERE id = ? AND answer = ''", (answer, key))
        self._changed()

    def save_without_page(self, owner: str, question: str) -> None:
        """Save a question without a page. Raises QuestionRefused if it is empty or too long, or there are too many."""
        with self._store.transaction() as sql:
            self._keep(sql, owner, question)
        self._changed()

    def expect(self, owner: str, question_id: int, answer: str) -> None:
        """Set the expected answer of a question, "" for none. Raises QuestionRefused if it is too long."""
        with self._store.transaction() as sql:
            sql.execute(
                "UPDATE kept_questions SET answer = ? WHERE id = ? AND owner = ?",
                (_checked_answer(answer), question_id, owner),
            )
        self._removed()

    def save_all(self, owner: str, rows: Sequence[QuestionRow]) -> tuple[int, list[RefusedLine]]:
        """Save the rows of a question set; returns how many were saved, and why the others were refused.

        A row adds its pages to a question that is already saved, and replaces the expected answer if it has one.
        """
        documents = _by_name(self._store.documents(owner), owner)
        refused = []
        with self._store.transaction() as sql:
            for row in rows:
                sql.execute("SAVEPOINT row")
                try:
                    self._save_row(sql, owner, row, documents)
                except AskError as error:
                    sql.execute("ROLLBACK TO row")
                    refused.append(RefusedLine(row.line, error.message))
                sql.execute("RELEASE row")
        self._changed()
        return len(rows) - len(refused), refused

    def _save_row(self, sql: sqlite3.Connection, owner: str, row: QuestionRow, documents: dict[str, Document]) -> None:
        key = self._keep(sql, owner, row.question)
        if row.document:
            document = documents.get(row.document.casefold())
            if document is None:
                raise FileRefused("The library has no document “{name}”: add it first.", name=row.document)
            for page in row.pages:
                self._add_page(sql, key, document, page)
        if row.answer:
            sql.execute("UPDATE kept_questions SET answer = ? WHERE id = ?", (_checked_answer(row.answer), key))

    def remove_page(self, owner: str, question_id: int, document_id: str, page: int) -> None:
        """Remove a correct page of a question; the question and its results stay."""
        with self._store.transaction() as sql:
            sql.execute(
                "DELETE FROM right_pages WHERE document_id = ? AND page = ? AND question IN"
                " (SELECT id FROM kept_questions WHERE id = ? AND owner = ?)",
                (document_id, page, question_id, owner),
            )
        self._removed()

    def remove(self, owner: str, question_id: int) -> None:
        """Remove a saved question of `owner`; another owner's stays."""
        with self._store.transaction() as sql:
            sql.execute("DELETE FROM kept_questions WHERE id = ? AND owner = ?", (question_id, owner))
        self._removed()

    def _removed(self) -> None:
        self._store.checkpoint()
        self._changed()

    def _keep(self, sql: sqlite3.Connection, owner: str, question: str) -> int:
        """Id of the saved question with this text; saves it if necessary. Raises QuestionRefused."""
        text = _cleaned(question)
        if not text or len(text) > self._max_characters:
            raise QuestionRefused(
                "A question of {characters:,} characters cannot be saved: ask a shorter one.", characters=len(text)
            )
        sql.execute("INSERT OR IGNORE INTO kept_questions (owner, text) VALUES (?, ?)", (owner, text))
        (count,) = sql.execute("SELECT COUNT(*) FROM kept_questions WHERE owner = ?", (owner,)).fetchone()
        if count > MAX_QUESTIONS:
            raise _too_many()
        (key,) = sql.execute("SELECT id FROM kept_questions WHERE owner = ? AND text = ?", (owner, text)).fetchone()
        return int(key)

    def _add_page(self, sql: sqlite3.Connection, question: int, document: Document, page: int) -> None:
        if not 0 <= page < document.pages:
            raise QuestionRefused(
                "{document} has {pages} pages: choose one of them.", document=document.name, pages=document.pages
            )
        sql.execute("INSERT OR IGNORE INTO right_pages VALUES (?, ?, ?)", (question, document.id, page))
        (pages,) = sql.execute("SELECT COUNT(*) FROM right_pages WHERE question = ?", (question,)).fetchone()
        if pages > MAX_RIGHT_PAGES:
            raise _too_many()


def questions_to_run(saved: Sequence[SavedQuestion]) -> list[SavedQuestion]:
    """The saved questions that can be asked and measured. Raises QuestionRefused if there are none."""
    questions = [question for question in saved if question.can_run]
    if not questions:
        raise QuestionRefused("No saved question has its document in the library: save a question first.")
    return questions


def _too_many() -> QuestionRefused:
    return QuestionRefused(
        "At most {questions} questions with {pages} pages each can be saved: remove one first.",
        questions=MAX_QUESTIONS,
        pages=MAX_RIGHT_PAGES,
    )


def _cleaned(text: str) -> str:
    """A text that SQLite accepts, without surrounding white space."""
    return text.encode("utf-8", "replace").decode().strip()


def _checked_answer(answer: str) -> str:
    answer = _cleaned(answer)
    if len(answer) > MAX_ANSWER_CHARACTERS:
        raise QuestionRefused(
            "The expected answer has {characters:,} characters, the limit is {limit:,}: shorten it.",
            characters=len(answer),
            limit=MAX_ANSWER_CHARACTERS,
        )
    return answer


def _by_name(documents: Sequence[Document], owner: str) -> dict[str, Document]:
    """Documents by name in lower case, with and without ".pdf"; the owner's own take precedence over shared ones."""
    ordered = sorted(documents, key=lambda document: document.owner == owner)
    names = {document.name.casefold(): document for document in ordered}
    return {name.removesuffix(".pdf"): document for name, document in names.items()} | names
