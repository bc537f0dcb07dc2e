"""Runs over saved questions: all of them asked in the background, as people ask.

Everything belongs to one owner and is invisible to others. A question whose documents are gone is skipped by runs
until the same file is added again; so is a question with neither a page nor an expected answer. Runs hold ranks,
scores, times and digests; what was answered is kept of the newest run only, and until its question is removed.
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
from dataclasses import astuple, dataclass, field, replace
from typing import Any, Final

from rag.errors import AskError, QuestionRefused
from rag.evaluation.measured import Ask, Measured, measure, warm_up
from rag.evaluation.questions import SavedQuestions
from rag.evaluation.recorded import current_names, recorded_settings
from rag.evaluation.runs import AnswerResult, Result, Run, SavedQuestion
from rag.messages import Message
from rag.records import DEFAULT_OPTIONS, Choice
from rag.settings import Settings
from rag.store.database import Store

log = logging.getLogger(__name__)

MAX_RUNS: Final = 100  # per owner; the oldest are deleted
PROGRESS_SECONDS: Final = 0.5  # between two reports of progress
STOP_POLL_SECONDS: Final = 0.2  # how often a waiting run looks whether it was stopped


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


class Evaluations(SavedQuestions):
    """Saved questions and runs in the store of a data folder. Thread-safe; to be closed before the store."""

    def __init__(
        self,
        store: Store,
        settings: Settings,
        *,
        ask: Ask,
        choices: Callable[[], Sequence[Choice]],
        changed: Callable[[], None],
    ) -> None:
        """`choices` names the models in use, after the first question."""
        super().__init__(store, settings.limits.question_characters, changed)
        self._settings, self._ask, self._choices = settings, ask, choices
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
        questions = [question for question in self.saved(owner) if question.can_run]
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
                measured = self._measured(owner, questions, work)
                if not work.stop.is_set():
                    self._store_run(owner, measured)
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

    def _measured(self, owner: str, questions: Sequence[SavedQuestion], work: _Work) -> dict[int, Measured]:
        """Ask every question; fewer results if the run was stopped."""
        measured: dict[int, Measured] = {}
        shown = time.monotonic()
        if not work.stop.is_set():
            warm_up(self._ask(owner, questions[0].text, stop=work.stop, options=DEFAULT_OPTIONS))
        for question in questions:
            one = None if work.stop.is_set() else self._measure(owner, question, work)
            if one is None or work.stop.is_set():  # an answer that was stopped says nothing
                break
            measured[question.id] = one
            work.done += 1
            if time.monotonic() - shown > PROGRESS_SECONDS:
                shown = time.monotonic()
                self._changed()
        return measured

    def _measure(self, owner: str, question: SavedQuestion, work: _Work) -> Measured:
        return measure(question, self._ask(owner, question.text, stop=work.stop, options=DEFAULT_OPTIONS))

    def _store_run(self, owner: str, measured: dict[int, Measured]) -> None:
        """Store a run without questions and documents removed meanwhile; nothing if none is left."""
        present = {question.id for question in self.saved(owner) if question.can_run}
        kept = {key: one for key, one in measured.items() if key in present}
        if not kept:
            return
        results = json.dumps({key: astuple(one.result) for key, one in kept.items()})
        with self._store.transaction() as sql:
            run = sql.execute(
                "INSERT INTO runs (owner, at, about, results) VALUES (?, ?, ?, ?)",
                (owner, time.time(), json.dumps(self._about(owner), default=str), results),
            ).lastrowid
            sql.execute(
                "DELETE FROM runs WHERE owner = ?1 AND id NOT IN"
                " (SELECT id FROM runs WHERE owner = ?1 ORDER BY id DESC LIMIT ?2)",
                (owner, MAX_RUNS),
            )
            sql.execute("DELETE FROM given_answers WHERE run IN (SELECT id FROM runs WHERE owner = ?)", (owner,))
            # A question may have been removed just now.
            sql.executemany(
                "INSERT INTO given_answers SELECT ?, id, ? FROM kept_questions WHERE id = ?",
                [(run, one.given, key) for key, one in kept.items()],
            )
        self._runs_changed(owner)

    def given(self, owner: str, run_id: int) -> dict[int, str]:
        """What a run answered, by id of the saved question; empty where that is not kept."""
        rows = self._store.rows(
            "SELECT question, text FROM given_answers WHERE run = (SELECT id FROM runs WHERE id = ? AND owner = ?)",
            (run_id, owner),
        )
        return {row["question"]: row["text"] for row in rows}

    def _about(self, owner: str) -> dict[str, Any]:
        """The circumstances of a run, as fields of Run."""
        documents = self._store.documents(owner)
        ids = "\n".join(sorted(document.id for document in documents))
        used = {choice.what: choice.name for choice in self._choices() if not choice.failed}
        return {
            "depth": self._settings.retrieval.sources,
            "embedder": used.get("embedder", ""),
            "reranker": used.get("reranker", ""),
            "reader": used.get("reader", ""),
            "documents": len(documents),
            "passages": sum(document.passages for document in documents),
            "library": hashlib.sha256(ids.encode()).hexdigest()[:16],
            "settings": recorded_settings(self._settings),
        }


def _stored_run(row: sqlite3.Row) -> Run:
    about = json.loads(row["about"])
    # Documents stay split as they were when added, so the settings of splitting say nothing about a run.
    settings = current_names({k: v for k, v in about.pop("settings").items() if not k.startswith("splitting.")})
    results = {int(key): _stored_result(result) for key, result in json.loads(row["results"]).items()}
    return Run(id=row["id"], at=row["at"], results=results, settings=settings, **about)


def _stored_result(row: list[Any]) -> Result:
    measured, answer = row[:3], row[3] if len(row) > 3 else None
    result = Result(*measured)
    return replace(result, answer=AnswerResult(*answer)) if answer else result
