"""Saved questions with their correct pages, and runs: all of them searched in the background as people search.

Everything belongs to one owner and is invisible to others. Of a document only its id and page numbers are stored here,
never its name or text, so nothing lingers when it is removed. A question whose documents are gone is skipped by runs
until the same file is added again; so is a question without correct pages, until it is given one. A question's text is
its owner's own and stays until they remove it. Runs hold ranks, times and digests only.
"""

from __future__ import annotations

import hashlib
import json
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass, field
from typing import Any, Final

from rag.errors import AskError, FileRefused, QuestionRefused
from rag.evaluation.metrics import first_right
from rag.evaluation.recorded import current_names, recorded_settings
from rag.evaluation.runs import Result, RightPage, Run, SavedQuestion
from rag.messages import Message
from rag.records import Choice, Source
from rag.settings import Settings
from rag.store.database import Store

log = logging.getLogger(__name__)

MAX_QUESTIONS: Final = 500  # per owner
MAX_RIGHT_PAGES: Final = 50  # per question
MAX_RUNS: Final = 100  # per owner; the oldest are deleted
PROGRESS_SECONDS: Final = 0.5  # between two reports of progress
STOP_POLL_SECONDS: Final = 0.2  # how often a waiting run looks whether it was stopped

# Saved questions and their correct pages, with name and page label from the owner's own document, else the shared one.
_SAVED = """
SELECT q.id, q.text, r.document_id, r.page, d.name, p.label
FROM kept_questions q LEFT JOIN right_pages r ON r.question = q.id
LEFT JOIN documents d ON d.key = (
    SELECT key FROM documents WHERE id = r.document_id AND owner IN ('', q.owner) ORDER BY owner DESC LIMIT 1)
LEFT JOIN pages p ON p.document = d.key AND p.number = r.page
WHERE q.owner = ? ORDER BY q.id, r.document_id, r.page
"""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an owner's run has come, or why the last one failed."""

    done: int  # questions
    total: int
    running: bool
    problem: Message | str = ""  # why it failed, one sentence


@dataclass
class _Work:
    """A run in progress, or the last one if it failed."""

    total: int
    done: int = 0
    running: bool = True
    problem: Message | str = ""
    stop: threading.Event = field(default_factory=threading.Event)


class Evaluations:
    """Saved questions and runs in the store of a data folder. Thread-safe; to be closed before the store."""

    def __init__(
        self,
        store: Store,
        settings: Settings,
        *,
        search: Callable[[str, str], list[Source]],
        choices: Callable[[], Sequence[Choice]],
        changed: Callable[[], None],
    ) -> None:
        """`search` takes owner and question; `choices` names the models in use, after the first search."""
        self._store, self._settings = store, settings
        self._search, self._choices, self._changed = search, choices, changed
        self._lock = threading.Lock()
        self._turn = threading.Lock()  # one run at a time, so that none slows down another
        self._work: dict[str, _Work] = {}
        self._threads: list[threading.Thread] = []
        self._runs: dict[str, tuple[Run, ...]] = {}  # cache, by owner
        self._runs_version = 0  # grows with every change of the stored runs

    def close(self) -> None:
        """Stop all runs, without storing them, and wait until they have ended."""
        with self._lock:
            for work in self._work.values():
                work.stop.set()
            threads = list(self._threads)
        for thread in threads:
            thread.join()

    # ---- saved questions

    def saved(self, owner: str) -> tuple[SavedQuestion, ...]:
        """The owner's saved questions, oldest first."""
        found: dict[int, tuple[str, list[RightPage]]] = {}
        for row in self._store.rows(_SAVED, (owner,)):
            pages = found.setdefault(row["id"], (row["text"], []))[1]
            if row["document_id"] is not None:
                pages.append(RightPage(row["document_id"], row["page"], row["name"] or "", row["label"] or ""))
        return tuple(SavedQuestion(key, text, tuple(pages)) for key, (text, pages) in found.items())

    def save(self, owner: str, question: str, document_id: str, page: int) -> None:
        """Save a question with a correct page (from 0), or add the page to a question that is saved already.

        Raises FileRefused for a document that `owner` cannot see; QuestionRefused for an empty or overlong question, a
        page that does not exist, or too many of them.
        """
        text = question.encode("utf-8", "replace").decode().strip()
        document = self._store.document(owner, document_id)
        if document is None:
            raise FileRefused("The document is no longer in the library.")
        if not 0 <= page < document.pages:
            raise QuestionRefused(
                "{document} has {pages} pages: choose one of them.", document=document.name, pages=document.pages
            )
        if not text or len(text) > self._settings.limits.question_characters:
            raise QuestionRefused(
                "A question of {characters:,} characters cannot be saved: ask another one.", characters=len(text)
            )
        with self._store.transaction() as sql:
            sql.execute("INSERT OR IGNORE INTO kept_questions (owner, text) VALUES (?, ?)", (owner, text))
            (key,) = sql.execute("SELECT id FROM kept_questions WHERE owner = ? AND text = ?", (owner, text)).fetchone()
            sql.execute("INSERT OR IGNORE INTO right_pages VALUES (?, ?, ?)", (key, document_id, page))
            (pages,) = sql.execute("SELECT COUNT(*) FROM right_pages WHERE question = ?", (key,)).fetchone()
            (count,) = sql.execute("SELECT COUNT(*) FROM kept_questions WHERE owner = ?", (owner,)).fetchone()
            if count > MAX_QUESTIONS or pages > MAX_RIGHT_PAGES:
                raise QuestionRefused(
                    "At most {questions} questions with {pages} pages each can be saved: remove one first.",
                    questions=MAX_QUESTIONS,
                    pages=MAX_RIGHT_PAGES,
                )
        self._changed()

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

    # ---- runs

    def runs(self, owner: str) -> tuple[Run, ...]:
        """The owner's runs, oldest first."""
        with self._lock:
            runs, version = self._runs.get(owner), self._runs_version
        if runs is None:
            runs = self._read_runs(owner)
            with self._lock:
                if version == self._runs_version:  # otherwise what was read may be out of date
                    self._runs[owner] = runs
        return runs

    def _read_runs(self, owner: str) -> tuple[Run, ...]:
        rows = self._store.rows("SELECT * FROM runs WHERE owner = ? ORDER BY id", (owner,))
        return tuple(_stored_run(row) for row in rows)

    def remove_run(self, owner: str, run_id: int) -> None:
        """Remove a run of `owner`; another owner's stays."""
        with self._store.transaction() as sql:
            sql.execute("DELETE FROM runs WHERE id = ? AND owner = ?", (run_id, owner))
        self._runs_changed(owner)
        self._changed()

    def _runs_changed(self, owner: str) -> None:
        with self._lock:
            self._runs.pop(owner, None)
            self._runs_version += 1

    def progress(self, owner: str) -> Progress | None:
        """Progress of the owner's run; None if none was started, or the last one succeeded."""
        with self._lock:
            work = self._work.get(owner)
            return Progress(work.done, work.total, work.running, work.problem) if work else None

    def start(self, owner: str) -> None:
        """Start a run in the background, unless one of this owner is in progress.

        Raises QuestionRefused if no saved question has its document in the library.
        """
        questions = [question for question in self.saved(owner) if question.here]
        if not questions:
            raise QuestionRefused("No saved question has its document in the library: save a question first.")
        with self._lock:
            if (before := self._work.get(owner)) and before.running:
                return
            work = self._work[owner] = _Work(len(questions))
            thread = threading.Thread(target=self._run, args=(owner, questions, work), name="evaluation", daemon=True)
            self._threads = [old for old in self._threads if old.is_alive()] + [thread]
            thread.start()
        self._changed()

    def stop(self, owner: str) -> None:
        """Stop the owner's run; nothing of it is stored."""
        with self._lock:
            if work := self._work.get(owner):
                work.stop.set()

    def _run(self, owner: str, questions: Sequence[SavedQuestion], work: _Work) -> None:
        try:
            with self._alone(work):
                results = self._results(owner, questions, work)
                if not work.stop.is_set():
                    self._store_run(owner, results)
        except AskError as exc:
            work.problem = exc.message
        except Exception:  # any bug: the page says that the run failed
            log.exception("A run failed")
            work.problem = Message("The run ended because of an error in the program; see the log.")
        finally:
            with self._lock:
                work.running = False
                if not work.problem:
                    del self._work[owner]
            self._changed()

    @contextmanager
    def _alone(self, work: _Work) -> Iterator[None]:
        """Wait until no other run is in progress, or this one is stopped."""
        mine = False
        while not mine and not work.stop.is_set():
            mine = self._turn.acquire(timeout=STOP_POLL_SECONDS)
        try:
            yield
        finally:
            if mine:
                self._turn.release()

    def _results(self, owner: str, questions: Sequence[SavedQuestion], work: _Work) -> dict[int, Result]:
        """Search every question; fewer results if the run was stopped."""
        results: dict[int, Result] = {}
        shown = time.monotonic()
        if not work.stop.is_set():
            self._search(owner, questions[0].text)  # warm-up, not measured: the first search after a change is slower
        for question in questions:
            if work.stop.is_set():
                break
            began = time.perf_counter()
            sources = self._search(owner, question.text)
            seconds = time.perf_counter() - began
            rank = first_right(sources, question.is_right)
            results[question.id] = Result(rank, seconds, question.pages_digest)
            work.done += 1
            if time.monotonic() - shown > PROGRESS_SECONDS:
                shown = time.monotonic()
                self._changed()
        return results

    def _store_run(self, owner: str, results: dict[int, Result]) -> None:
        """Store a run without questions and documents removed meanwhile; nothing if none is left."""
        present = {question.id for question in self.saved(owner) if question.here}
        rows = {key: astuple(result) for key, result in results.items() if key in present}
        if not rows:
            return
        with self._store.transaction() as sql:
            sql.execute(
                "INSERT INTO runs (owner, at, about, results) VALUES (?, ?, ?, ?)",
                (owner, time.time(), json.dumps(self._about(owner), default=str), json.dumps(rows)),
            )
            sql.execute(
                "DELETE FROM runs WHERE owner = ?1 AND id NOT IN"
                " (SELECT id FROM runs WHERE owner = ?1 ORDER BY id DESC LIMIT ?2)",
                (owner, MAX_RUNS),
            )
        self._runs_changed(owner)

    def _about(self, owner: str) -> dict[str, Any]:
        """The circumstances of a run, as fields of Run."""
        documents = self._store.documents(owner)
        ids = "\n".join(sorted(document.id for document in documents))
        used = {choice.what: choice.name for choice in self._choices() if not choice.failed}
        return {
            "depth": self._settings.retrieval.sources,
            "embedder": used.get("embedder", ""),
            "reranker": used.get("reranker", ""),
            "documents": len(documents),
            "passages": sum(document.passages for document in documents),
            "library": hashlib.sha256(ids.encode()).hexdigest()[:16],
            "settings": recorded_settings(self._settings),
        }


def _stored_run(row: sqlite3.Row) -> Run:
    about = json.loads(row["about"])
    # Documents stay split as they were when added, so the settings of splitting say nothing about a run.
    settings = current_names({k: v for k, v in about.pop("settings").items() if not k.startswith("splitting.")})
    results = {int(key): Result(*result) for key, result in json.loads(row["results"]).items()}
    return Run(id=row["id"], at=row["at"], results=results, settings=settings, **about)
