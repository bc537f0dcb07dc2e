"""Saved questions, runs, experiments and ratings as the page sees them: protocols like those of webui/engine.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from rag.evaluation.background import Progress
from rag.evaluation.experiment import Experiment, Variant
from rag.evaluation.question_sets import QuestionRow, RefusedLine
from rag.evaluation.ratings import Rating
from rag.evaluation.runs import Run, SavedQuestion


class Experiments(Protocol):
    """Two variants of the settings, compared on the saved questions. Owners never see each other's."""

    def listed(self, owner: str) -> tuple[Experiment, ...]:
        """Experiments without their results, oldest first."""
        ...

    def get(self, owner: str, experiment_id: int) -> Experiment | None:
        """An experiment with its results; None if the owner has none with this id."""
        ...

    def start(self, owner: str, variants: tuple[Variant, Variant]) -> None:
        """Ask all saved questions with both variants, in the background. Raises AskError."""
        ...

    def resume(self, owner: str, experiment_id: int) -> None:
        """Ask the questions that an experiment has left, in the background. Raises AskError."""
        ...

    def remove(self, owner: str, experiment_id: int) -> None:
        """Remove an experiment."""
        ...


class Evaluations(Protocol):
    """Saved questions with their correct pages, and runs over them. Owners never see each other's."""

    @property
    def experiments(self) -> Experiments:
        """Comparisons of two variants of the settings."""
        ...

    def saved(self, owner: str) -> tuple[SavedQuestion, ...]:
        """Saved questions, oldest first."""
        ...

    def save(self, owner: str, question: str, document_id: str, page: int, answer: str = "") -> None:
        """Save a question with a correct page (from 0) and the expected answer, or add them to it. Raises AskError."""
        ...

    def save_without_page(self, owner: str, question: str) -> None:
        """Save a question that has no correct page yet. Raises AskError."""
        ...

    def save_all(self, owner: str, rows: Sequence[QuestionRow]) -> tuple[int, list[RefusedLine]]:
        """Save the rows of a question set; returns how many were saved, and why the others were refused."""
        ...

    def expect(self, owner: str, question_id: int, answer: str) -> None:
        """Set the expected answer of a question, "" for none. Raises AskError."""
        ...

    def remove_page(self, owner: str, question_id: int, document_id: str, page: int) -> None:
        """Remove a correct page; the question stays."""
        ...

    def remove(self, owner: str, question_id: int) -> None:
        """Remove a saved question."""
        ...

    def runs(self, owner: str) -> tuple[Run, ...]:
        """Runs, oldest first."""
        ...

    def given(self, owner: str, run_id: int) -> Mapping[int, str]:
        """The answers of the newest run, by id of the saved question."""
        ...

    def remove_run(self, owner: str, run_id: int) -> None:
        """Remove a run."""
        ...

    def progress(self, owner: str) -> Progress | None:
        """Progress of the run or experiment, or why the last one failed; None otherwise."""
        ...

    def start(self, owner: str) -> None:
        """Start a run in the background. Raises AskError if there are no saved questions that can be searched."""
        ...

    def stop(self, owner: str) -> None:
        """Stop the run, or the experiment, which can be resumed."""
        ...


class Ratings(Protocol):
    """People's ratings of answers. Owners never see each other's."""

    def all(self, owner: str) -> tuple[Rating, ...]:
        """Ratings, oldest first."""
        ...

    def rate(self, owner: str, question: str, reader: str, helpful: bool | None, reason: str = "") -> None:
        """Rate an answer, replacing an earlier rating; None withdraws it. Raises AskError."""
        ...

    def remove(self, owner: str, rating_id: int) -> None:
        """Remove a rating."""
        ...
