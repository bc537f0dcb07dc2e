"""Experiments in the store: asks the saved questions with two variants of the settings; can be stopped and resumed.

Everything belongs to one owner and is invisible to others. Each question is stored as soon as both variants have
answered it, so a stopped experiment, even one stopped by the end of the program, continues with the next question.
Answers are kept until the experiment or the question is removed.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Final

from pydantic import TypeAdapter, ValidationError

from rag.errors import QuestionRefused
from rag.evaluation.background import Background, Work, WorkKind
from rag.evaluation.experiment import Circumstances, Experiment, Pair, Variant
from rag.evaluation.measured import Ask, Measured, measure, warm_up
from rag.evaluation.questions import questions_to_run
from rag.evaluation.runs import SavedQuestion
from rag.records import DEFAULT_OPTIONS
from rag.store.database import Store

MAX_EXPERIMENTS: Final = 50  # per owner; the oldest are deleted
MAX_GIVEN_CHARACTERS: Final = 1_000  # kept of an answer


@dataclass(frozen=True, slots=True)
class _Stored:
    """The data of an experiment, apart from its results."""

    variants: tuple[Variant, Variant]
    circumstances: Circumstances
    questions: tuple[int, ...]


class Experiments:
    """The experiments of all owners. Thread-safe."""

    def __init__(
        self,
        store: Store,
        background: Background,
        *,
        saved: Callable[[str], Sequence[SavedQuestion]],
        ask: Ask,
        circumstances: Callable[[str, tuple[Variant, Variant]], Circumstances],
        changed: Callable[[], None],
    ) -> None:
        """`saved`: an owner's questions; `circumstances`: of an owner's experiment, after the first question."""
        self._store, self._background, self._saved, self._ask = store, background, saved, ask
        self._circumstances, self._changed = circumstances, changed

    def listed(self, owner: str) -> tuple[Experiment, ...]:
        """The owner's experiments without their results, oldest first."""
        rows = self._store.rows("SELECT id, at, data FROM experiments WHERE owner = ? ORDER BY id", (owner,))
        found = (_experiment(row["id"], row["at"], row["data"]) for row in rows)
        return tuple(one for one in found if one is not None)

    def get(self, owner: str, experiment_id: int) -> Experiment | None:
        """An experiment with its results; None if the owner has none with this id."""
        rows = self._store.rows(
            "SELECT id, at, data FROM experiments WHERE id = ? AND owner = ?", (experiment_id, owner)
        )
        found = _experiment(rows[0]["id"], rows[0]["at"], rows[0]["data"]) if rows else None
        if found is None:
            return None
        results = self._store.rows(
            "SELECT question, data FROM experiment_results WHERE experiment = ? ORDER BY question", (experiment_id,)
        )
        return replace(found, pairs={row["question"]: _pairs().validate_json(row["data"]) for row in results})

    def remove(self, owner: str, experiment_id: int) -> None:
        """Remove an experiment of `owner`; another owner's stays."""
        with self._store.transaction() as sql:
            sql.execute("DELETE FROM experiments WHERE id = ? AND owner = ?", (experiment_id, owner))
        self._changed()

    def start(self, owner: str, variants: tuple[Variant, Variant]) -> None:
        """Ask all saved questions with both variants in the background, unless this owner has something in progress.

        Raises QuestionRefused if the variants are equal, or no saved question has its document in the library.
        """
        if variants[0] == variants[1]:
            raise QuestionRefused("Both sides have the same settings: change one of them.")
        questions = questions_to_run(self._saved(owner))

        def job(work: Work) -> None:
            self._warm_up(owner, questions)
            if work.stop.is_set():
                return
            ids = tuple(question.id for question in questions)
            experiment = self._add(owner, _Stored(variants, self._circumstances(owner, variants), ids))
            self._fill(owner, experiment, variants, questions, work)

        self._background.start(owner, WorkKind.EXPERIMENT, len(questions), job)

    def resume(self, owner: str, experiment_id: int) -> None:
        """Ask the questions that are left, in the background, unless this owner has something in progress.

        Raises QuestionRefused if nothing is left. If something was changed in the meantime, the task fails and says so.
        """
        experiment = self.get(owner, experiment_id)
        questions = left_to_ask(experiment, self._saved(owner)) if experiment else []
        if experiment is None or not questions:
            raise QuestionRefused("All questions have been asked: start a new comparison.")

        def job(work: Work) -> None:
            work.done = len(experiment.pairs)
            self._warm_up(owner, questions)
            if not work.stop.is_set() and self._circumstances(owner, experiment.variants) != experiment.circumstances:
                raise QuestionRefused(
                    "Documents, models or settings have changed since this comparison began: start a new one."
                )
            self._fill(owner, experiment.id, experiment.variants, questions, work)

        total = len(experiment.pairs) + len(questions)
        self._background.start(owner, WorkKind.EXPERIMENT, total, job)

    def _warm_up(self, owner: str, questions: Sequence[SavedQuestion]) -> None:
        warm_up(self._ask(owner, questions[0].text, stop=threading.Event(), options=DEFAULT_OPTIONS))

    def _fill(
        self,
        owner: str,
        experiment_id: int,
        variants: tuple[Variant, Variant],
        questions: Sequence[SavedQuestion],
        work: Work,
    ) -> None:
        """Ask the questions and store each. The variants take turns in going first, so that neither is favoured."""
        for at, question in enumerate(questions):
            asked: list[Measured] = []
            for variant in variants if at % 2 == 0 else variants[::-1]:
                if work.stop.is_set():
                    return
                asked.append(self._measure(owner, question, variant, work.stop))
            if work.stop.is_set():  # a stopped answer says nothing
                return
            self._keep(experiment_id, question.id, Pair(*(asked if at % 2 == 0 else asked[::-1])))
            work.step()

    def _measure(self, owner: str, question: SavedQuestion, variant: Variant, stop: threading.Event) -> Measured:
        events = self._ask(owner, question.text, stop=stop, options=variant.options)
        return measure(question, events, MAX_GIVEN_CHARACTERS)

    def _add(self, owner: str, data: _Stored) -> int:
        with self._store.transaction() as sql:
            added = sql.execute(
                "INSERT INTO experiments (owner, at, data) VALUES (?, ?, ?)",
                (owner, time.time(), _adapter().dump_json(data).decode()),
            ).lastrowid
            sql.execute(
                "DELETE FROM experiments WHERE owner = ?1 AND id NOT IN"
                " (SELECT id FROM experiments WHERE owner = ?1 ORDER BY id DESC LIMIT ?2)",
                (owner, MAX_EXPERIMENTS),
            )
        self._changed()
        return int(added or 0)

    def _keep(self, experiment_id: int, question_id: int, pair: Pair) -> None:
        """Store the results of a question, unless it or the experiment was removed in the meantime."""
        with self._store.transaction() as sql:
            sql.execute(
                "INSERT OR REPLACE INTO experiment_results (experiment, question, data)"
                " SELECT experiments.id, kept_questions.id, ? FROM experiments, kept_questions"
                " WHERE experiments.id = ? AND kept_questions.id = ?",
                (_pairs().dump_json(pair).decode(), experiment_id, question_id),
            )


def left_to_ask(experiment: Experiment, saved: Sequence[SavedQuestion]) -> list[SavedQuestion]:
    """The questions of an experiment that have not been asked yet but still can be."""
    left = set(experiment.left)
    return [question for question in saved if question.id in left and question.can_run]


def json_values(settings: dict[str, object]) -> dict[str, object]:
    """Settings as they come back from JSON, so that they can be compared with stored ones."""
    return dict(json.loads(json.dumps(settings, default=str)))


def _experiment(experiment_id: int, at: float, data: str) -> Experiment | None:
    """A stored experiment without results; None if this version cannot read it."""
    try:
        stored = _adapter().validate_json(data)
    except ValidationError:
        return None
    return Experiment(experiment_id, at, stored.variants, stored.circumstances, stored.questions)


@cache
def _adapter() -> TypeAdapter[_Stored]:
    return TypeAdapter(_Stored)


@cache
def _pairs() -> TypeAdapter[Pair]:
    return TypeAdapter(Pair)
