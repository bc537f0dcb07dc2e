"""Questions kept with their right pages, and runs of all of them through the very search that answers people.

Everything belongs to one owner and is invisible to others. Of a document only its id and page numbers are kept here,
never its name or text, so that nothing lingers when it is removed; a question whose documents are gone is left out of
the runs, and asked again once the same file is back. A question's text is its owner's own and stays until they forget
it, without right pages too: then it is left out of the runs, and goes on when it is given one. Runs hold ranks, times
and digests alone.
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
from typing import Any

from rag.errors import AskError, FileRefused, QuestionRefused
from rag.evaluation.metrics import first_right
from rag.evaluation.recorded import current_names, recorded_settings
from rag.evaluation.runs import Result, RightPage, Run, SavedQuestion
from rag.records import Choice, Source
from rag.settings import Settings
from rag.store.database import Store

log = logging.getLogger(__name__)

MOST_QUESTIONS = 500  # of one owner
MOST_PAGES = 50  # right pages of one question
MOST_RUNS = 100  # of one owner; the oldest go first
SHOW_EVERY_SECONDS = 0.5
LOOK_EVERY_SECONDS = 0.2  # whether a run that waits for its turn was stopped

# Questions and right pages with what is to be shown of their document, the owner's own before the shared one.
_KEPT = """
SELECT q.id, q.text, r.document_id, r.page, d.name, p.label
FROM kept_questions q LEFT JOIN right_pages r ON r.question = q.id
LEFT JOIN documents d ON d.key = (
    SELECT key FROM documents WHERE id = r.document_id AND owner IN ('', q.owner) ORDER BY owner DESC LIMIT 1)
LEFT JOIN pages p ON p.document = d.key AND p.number = r.page
WHERE q.owner = ? ORDER BY q.id, r.document_id, r.page
"""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an owner's run is, or why the last one ended without numbers."""

    done: int  # questions
    total: int
    running: bool
    problem: str = ""  # one sentence


@dataclass
class _Work:
    total: int
    done: int = 0
    running: bool = True
    problem: str = ""
    stop: threading.Event = field(default_factory=threading.Event)


class Evaluations:
    """Kept questions and runs in the store of a data folder. Thread-safe; close it before the store."""

    def __init__(
        self,
        store: Store,
        settings: Settings,
        *,
        search: Callable[[str, str], list[Source]],
        choices: Callable[[], Sequence[Choice]],
        changed: Callable[[], None],
    ) -> None:
        """`search` takes owner and question; `choices` says what is in use, asked after the first search."""
        self._store, self._settings = store, settings
        self._search, self._choices, self._changed = search, choices, changed
        self._lock = threading.Lock()
        self._turn = threading.Lock()  # one run at a time, so that each is measured alone
        self._work: dict[str, _Work] = {}
        self._threads: list[threading.Thread] = []
        self._runs: dict[str, tuple[Run, ...]] = {}  # by owner, as read last
        self._kept_runs = 0  # grows with each change of the runs kept

    def close(self) -> None:
        """Stop the runs and wait until they have ended; none of them is kept."""
        with self._lock:
            for work in self._work.values():
                work.stop.set()
            threads = list(self._threads)
        for thread in threads:
            thread.join()

    # ---- kept questions

    def kept(self, owner: str) -> tuple[SavedQuestion, ...]:
        """The owner's questions, oldest first."""
        found: dict[int, tuple[str, list[RightPage]]] = {}
        for row in self._store.rows(_KEPT, (owner,)):
            pages = found.setdefault(row["id"], (row["text"], []))[1]
            if row["document_id"] is not None:
                pages.append(RightPage(row["document_id"], row["page"], row["name"] or "", row["label"] or ""))
        return tuple(SavedQuestion(key, text, tuple(pages)) for key, (text, pages) in found.items())

    def keep(self, owner: str, question: str, document_id: str, page: int) -> None:
        """Keep a question with a right page (from 0), or one more for a question that is kept already.

        Raises FileRefused for a document that `owner` does not see, QuestionRefused for what cannot be kept.
        """
        text = question.encode("utf-8", "replace").decode().strip()
        document = self._store.document(owner, document_id)
        if document is None:
            raise FileRefused("The document is no longer in the library.")
        if not 0 <= page < document.pages:
            raise QuestionRefused(f"{document.name} has {document.pages} pages: choose one of them.")
        if not text or len(text) > self._settings.limits.question_characters:
            raise QuestionRefused(f"A question of {len(text):,} characters cannot be kept: ask another one.")
        with self._store.transaction() as sql:
            sql.execute("INSERT OR IGNORE INTO kept_questions (owner, text) VALUES (?, ?)", (owner, text))
            (key,) = sql.execute("SELECT id FROM kept_questions WHERE owner = ? AND text = ?", (owner, text)).fetchone()
            sql.execute("INSERT OR IGNORE INTO right_pages VALUES (?, ?, ?)", (key, document_id, page))
            (pages,) = sql.execute("SELECT COUNT(*) FROM right_pages WHERE question = ?", (key,)).fetchone()
            (count,) = sql.execute("SELECT COUNT(*) FROM kept_questions WHERE owner = ?", (owner,)).fetchone()
            if count > MOST_QUESTIONS or pages > MOST_PAGES:
                limit = f"{MOST_QUESTIONS} questions with {MOST_PAGES} right pages each"
                raise QuestionRefused(f"No more than {limit} can be kept: remove one first.")
        self._changed()

    def forget_page(self, owner: str, question_id: int, document_id: str, page: int) -> None:
        """Take a right page back. The question stays: once it has another one, its runs are still those of it."""
        with self._store.transaction() as sql:
            sql.execute(
                "DELETE FROM right_pages WHERE document_id = ? AND page = ? AND question IN"
                " (SELECT id FROM kept_questions WHERE id = ? AND owner = ?)",
                (document_id, page, question_id, owner),
            )
        self._forgotten()

    def forget(self, owner: str, question_id: int) -> None:
        """Forget a question of `owner`; one that is not theirs stays."""
        with self._store.transaction() as sql:
            sql.execute("DELETE FROM kept_questions WHERE id = ? AND owner = ?", (question_id, owner))
        self._forgotten()

    def _forgotten(self) -> None:
        self._store.checkpoint()
        self._changed()

    # ---- runs

    def runs(self, owner: str) -> tuple[Run, ...]:
        """The owner's runs, oldest first."""
        with self._lock:
            runs, version = self._runs.get(owner), self._kept_runs
        if runs is None:
            runs = self._read_runs(owner)
            with self._lock:
                if version == self._kept_runs:  # else it may be an older state that was read
                    self._runs[owner] = runs
        return runs

    def _read_runs(self, owner: str) -> tuple[Run, ...]:
        rows = self._store.rows("SELECT * FROM runs WHERE owner = ? ORDER BY id", (owner,))
        return tuple(_stored_run(row) for row in rows)

    def forget_run(self, owner: str, run_id: int) -> None:
        """Forget a run of `owner`; one that is not theirs stays."""
        with self._store.transaction() as sql:
            sql.execute("DELETE FROM runs WHERE id = ? AND owner = ?", (run_id, owner))
        self._runs_changed(owner)
        self._changed()

    def _runs_changed(self, owner: str) -> None:
        with self._lock:
            self._runs.pop(owner, None)
            self._kept_runs += 1

    def progress(self, owner: str) -> Progress | None:
        """Of the owner's run; None where there was none since the start, or the last one ended well."""
        with self._lock:
            work = self._work.get(owner)
            return Progress(work.done, work.total, work.running, work.problem) if work else None

    def start(self, owner: str) -> None:
        """Search for all kept questions in the background; nothing where that goes on already.

        Raises QuestionRefused where there is none whose document is in the library.
        """
        questions = [question for question in self.kept(owner) if question.here]
        if not questions:
            raise QuestionRefused("No question is kept whose document is in the library: keep one first.")
        with self._lock:
            if (before := self._work.get(owner)) and before.running:
                return
            work = self._work[owner] = _Work(len(questions))
            thread = threading.Thread(target=self._run, args=(owner, questions, work), name="trials", daemon=True)
            self._threads = [old for old in self._threads if old.is_alive()] + [thread]
            thread.start()
        self._changed()

    def stop(self, owner: str) -> None:
        """Give up the owner's run; what it found so far is not kept."""
        with self._lock:
            if work := self._work.get(owner):
                work.stop.set()

    def _run(self, owner: str, questions: Sequence[SavedQuestion], work: _Work) -> None:
        try:
            with self._in_turn(work):
                results = self._results(owner, questions, work)
                if not work.stop.is_set():
                    self._keep_run(owner, results)
        except AskError as exc:
            work.problem = str(exc)
        except Exception:  # a worker's edge: whatever it is, the page says that there is no run
            log.exception("A run over kept questions failed")
            work.problem = "The run ended because of an error in the program; see the log."
        finally:
            with self._lock:
                work.running = False
                if not work.problem:
                    del self._work[owner]
            self._changed()

    @contextmanager
    def _in_turn(self, work: _Work) -> Iterator[None]:
        """Wait until no other run goes on, or this one is stopped."""
        mine = False
        while not mine and not work.stop.is_set():
            mine = self._turn.acquire(timeout=LOOK_EVERY_SECONDS)
        try:
            yield
        finally:
            if mine:
                self._turn.release()

    def _results(self, owner: str, questions: Sequence[SavedQuestion], work: _Work) -> dict[int, Result]:
        """What each question gives; fewer where the run was stopped."""
        results: dict[int, Result] = {}
        shown = time.monotonic()
        if not work.stop.is_set():
            self._search(owner, questions[0].text)  # not measured: the first search after a change prepares the index
        for question in questions:
            if work.stop.is_set():
                break
            began = time.perf_counter()
            sources = self._search(owner, question.text)
            seconds = time.perf_counter() - began
            rank = first_right(sources, question.is_right)
            results[question.id] = Result(rank, seconds, question.pages_digest)
            work.done += 1
            if time.monotonic() - shown > SHOW_EVERY_SECONDS:
                shown = time.monotonic()
                self._changed()
        return results

    def _keep_run(self, owner: str, results: dict[int, Result]) -> None:
        """Store a run without what was removed or forgotten in the meantime; nothing where that is all of it."""
        alive = {question.id for question in self.kept(owner) if question.here}
        rows = {key: astuple(result) for key, result in results.items() if key in alive}
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
                (owner, MOST_RUNS),
            )
        self._runs_changed(owner)

    def _about(self, owner: str) -> dict[str, Any]:
        """What a run was made with: fields of Run."""
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
    # Documents keep the split they were added with: what the settings say of it tells nothing of a run.
    settings = current_names({k: v for k, v in about.pop("settings").items() if not k.startswith("splitting.")})
    results = {int(key): Result(*result) for key, result in json.loads(row["results"]).items()}
    return Run(id=row["id"], at=row["at"], results=results, settings=settings, **about)
