"""Runs over saved questions: all of them asked in the background, just as people ask.

Everything belongs to one owner and is invisible to others. A question whose documents are gone is skipped until the
same file is added again, and so is one with neither a page nor an expected answer. Runs store ranks, scores, times and
digests; the answers are kept only for the newest run, and until their question is removed.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import astuple, replace
from typing import Any, Final

from rag.answer.quote import QuoteReader
from rag.evaluation.background import Background, Progress, Work, WorkKind
from rag.evaluation.experiment import Circumstances, Variant
from rag.evaluation.experiments import Experiments, json_values
from rag.evaluation.measured import Ask, Measured, measure, warm_up
from rag.evaluation.questions import SavedQuestions, questions_to_run
from rag.evaluation.recorded import current_names, recorded_settings
from rag.evaluation.runs import AnswerResult, Result, Run, SavedQuestion
from rag.records import DEFAULT_OPTIONS, Choice
from rag.settings import Settings
from rag.store.database import Store

MAX_RUNS: Final = 100  # per owner; the oldest are deleted


class Evaluations(SavedQuestions):
    """Saved questions and runs in the store of a data folder. Thread-safe. Close it before the store."""

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
        self._background = Background(changed)
        self.experiments = Experiments(
            store, self._background, saved=self.saved, ask=ask, circumstances=self._circumstances, changed=changed
        )
        self._lock = threading.Lock()
        self._runs: dict[str, tuple[Run, ...]] = {}  # cache, by owner
        self._runs_version = 0  # increases with every change of the stored runs

    def close(self) -> None:
        """Stop all runs, without storing them, and all experiments; wait until they have ended."""
        self._background.close()

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
        """Progress of the owner's run or experiment; None if none was started, or the last one succeeded."""
        return self._background.progress(owner)

    def start(self, owner: str) -> None:
        """Start a run in the background, unless this owner has something in progress.

        Raises QuestionRefused if no saved question has its document in the library.
        """
        questions = questions_to_run(self.saved(owner))

        def job(work: Work) -> None:
            measured = self._measured(owner, questions, work)
            if not work.stop.is_set():
                self._store_run(owner, measured)

        self._background.start(owner, WorkKind.RUN, len(questions), job)

    def stop(self, owner: str) -> None:
        """Stop what is in progress. Nothing of a run is stored; an experiment can be resumed."""
        self._background.stop(owner)

    def _measured(self, owner: str, questions: Sequence[SavedQuestion], work: Work) -> dict[int, Measured]:
        """Ask every question; returns fewer results if the run was stopped."""
        measured: dict[int, Measured] = {}
        warm_up(self._ask(owner, questions[0].text, stop=threading.Event(), options=DEFAULT_OPTIONS))
        for question in questions:
            one = None if work.stop.is_set() else self._measure(owner, question, work)
            if one is None or work.stop.is_set():  # a stopped answer says nothing
                break
            measured[question.id] = one
            work.step()
        return measured

    def _measure(self, owner: str, question: SavedQuestion, work: Work) -> Measured:
        return measure(question, self._ask(owner, question.text, stop=work.stop, options=DEFAULT_OPTIONS))

    def _store_run(self, owner: str, measured: dict[int, Measured]) -> None:
        """Store a run without questions and documents removed in the meantime; nothing if none is left."""
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
            # A question may just have been removed.
            sql.executemany(
                "INSERT INTO given_answers SELECT ?, id, ? FROM kept_questions WHERE id = ?",
                [(run, one.given, key) for key, one in kept.items()],
            )
        self._runs_changed(owner)

    def given(self, owner: str, run_id: int) -> dict[int, str]:
        """The answers of a run, by id of the saved question; empty if they were not kept."""
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

    def _circumstances(self, owner: str, variants: tuple[Variant, Variant]) -> Circumstances:
        """The circumstances of an experiment."""
        about = self._about(owner)
        reader, depth = about.pop("reader"), about.pop("depth")
        first, second = variants
        return Circumstances(
            readers=(QuoteReader.name if first.quotes else reader, QuoteReader.name if second.quotes else reader),
            depths=(first.preferences.sources or depth, second.preferences.sources or depth),
            **about | {"settings": json_values(about["settings"])},
        )


def _stored_run(row: sqlite3.Row) -> Run:
    about = json.loads(row["about"])
    # Documents stay split as they were when added, so the settings for splitting say nothing about a run.
    settings = current_names({k: v for k, v in about.pop("settings").items() if not k.startswith("splitting.")})
    results = {int(key): _stored_result(result) for key, result in json.loads(row["results"]).items()}
    return Run(id=row["id"], at=row["at"], results=results, settings=settings, **about)


def _stored_result(row: list[Any]) -> Result:
    measured, answer = row[:3], row[3] if len(row) > 3 else None
    result = Result(*measured)
    return replace(result, answer=AnswerResult(*answer)) if answer else result
