"""Saved questions and runs without a store: ranks follow a script."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace

from rag.errors import NotInLibrary, QuestionRefused
from rag.evaluation.background import Progress
from rag.evaluation.experiment import Circumstances, Experiment, Pair, Variant
from rag.evaluation.question_sets import QuestionRow, RefusedLine
from rag.evaluation.runs import Result, RightPage, Run, SavedQuestion
from rag.messages import Message
from rag.records import Document


def run(number: int, ranks: dict[int, int | None], pages: dict[int, str] | None = None, **changes: object) -> Run:
    """A run that gave the questions these ranks, in 10 ms, 20 ms and so on; a day after the one before.

    `pages` has digests of correct pages by question.
    """
    digests = pages or {}
    results = {key: Result(rank, at / 100, digests.get(key, "")) for at, (key, rank) in enumerate(ranks.items(), 1)}
    settings = {"retrieval.vector_weight": 0.6}
    made = Run(number, 86_400.0 * number, 8, "multilingual-e5-small", 2, 80, "library", settings, results)
    return replace(made, **changes)  # type: ignore[arg-type]


def experiment(number: int, variants: tuple[Variant, Variant], pairs: dict[int, Pair], left: int = 0) -> Experiment:
    """An experiment over these questions, and `left` more that were not asked yet."""
    made = Circumstances("multilingual-e5-small", "", ("GLM", "GLM"), (8, 8), 2, 80, "library", {})
    return Experiment(number, 86_400.0 * number, variants, made, (*pairs, *range(1_000, 1_000 + left)), pairs)


class FakeExperiments:
    """Experiments without a library: `done` has them by owner, `asked` what was asked for."""

    def __init__(self) -> None:
        self.done: dict[str, list[Experiment]] = {}
        self.asked: list[object] = []

    def listed(self, owner: str) -> tuple[Experiment, ...]:
        return tuple(replace(one, pairs={}) for one in self.done.get(owner, ()))

    def get(self, owner: str, experiment_id: int) -> Experiment | None:
        return next((one for one in self.done.get(owner, ()) if one.id == experiment_id), None)

    def start(self, owner: str, variants: tuple[Variant, Variant]) -> None:
        self.asked.append(variants)

    def resume(self, owner: str, experiment_id: int) -> None:
        self.asked.append(experiment_id)

    def remove(self, owner: str, experiment_id: int) -> None:
        self.done[owner] = [one for one in self.done[owner] if one.id != experiment_id]


class FakeEvaluations:
    """Everything in memory; a run takes no time, unless `goes_on` is cleared."""

    def __init__(
        self, documents: Callable[[str], tuple[Document, ...]], changed: Callable[[], None] = lambda: None
    ) -> None:
        self._documents, self._changed = documents, changed
        self.experiments = FakeExperiments()
        self.questions: dict[str, dict[int, SavedQuestion]] = {}  # by owner
        self.made: dict[str, list[Run]] = {}  # by owner
        self.ranks: dict[str, int | None] = {}  # by text; 1 unless told
        self.answers: dict[int, dict[int, str]] = {}  # by run and question
        self.error: Exception | None = None
        self.far: Progress | None = None
        self.goes_on = threading.Event()
        self.goes_on.set()
        self._next = 1

    def saved(self, owner: str) -> tuple[SavedQuestion, ...]:
        names = {document.id: document.name for document in self._documents(owner)}
        return tuple(
            replace(
                question,
                pages=tuple(
                    replace(
                        page,
                        document=names.get(page.document_id, ""),
                        page_label=str(page.page + 1) if page.document_id in names else "",
                    )
                    for page in question.pages
                ),
            )
            for question in self.questions.get(owner, {}).values()
        )

    def save(self, owner: str, question: str, document_id: str, page: int, answer: str = "") -> None:
        if self.error is not None:
            raise self.error
        if not any(document.id == document_id for document in self._documents(owner)):
            raise NotInLibrary("The document is no longer in the library.")
        kept = self._kept(owner, question)
        right = RightPage(document_id, page, "", "")
        pages = kept.pages if right in kept.pages else (*kept.pages, right)
        self.questions[owner][kept.id] = replace(kept, pages=pages, answer=kept.answer or answer)
        self._changed()

    def _kept(self, owner: str, question: str) -> SavedQuestion:
        mine = self.questions.setdefault(owner, {})
        kept = next((one for one in mine.values() if one.text == question.strip()), None)
        if kept is None:
            kept = mine[self._next] = SavedQuestion(self._next, question.strip(), ())
            self._next += 1
        return kept

    def save_without_page(self, owner: str, question: str) -> None:
        self._kept(owner, question)
        self._changed()

    def save_all(self, owner: str, rows: Sequence[QuestionRow]) -> tuple[int, list[RefusedLine]]:
        ids = {document.name: document.id for document in self._documents(owner)}
        refused = [RefusedLine(row.line, Message("no such document")) for row in rows if row.document not in ids]
        for row in rows:
            for page in row.pages if row.document in ids else ():
                self.save(owner, row.question, ids[row.document], page, row.answer)
        return len(rows) - len(refused), refused

    def expect(self, owner: str, question_id: int, answer: str) -> None:
        self.questions[owner][question_id] = replace(self.questions[owner][question_id], answer=answer)
        self._changed()

    def given(self, owner: str, run_id: int) -> dict[int, str]:
        return self.answers.get(run_id, {})

    def remove_page(self, owner: str, question_id: int, document_id: str, page: int) -> None:
        kept = self.questions[owner][question_id]
        left = tuple(one for one in kept.pages if (one.document_id, one.page) != (document_id, page))
        self.questions[owner][question_id] = replace(kept, pages=left)
        self._changed()

    def remove(self, owner: str, question_id: int) -> None:
        del self.questions[owner][question_id]
        self._changed()

    def runs(self, owner: str) -> tuple[Run, ...]:
        return tuple(self.made.get(owner, ()))

    def remove_run(self, owner: str, run_id: int) -> None:
        self.made[owner] = [made for made in self.made[owner] if made.id != run_id]
        self._changed()

    def progress(self, owner: str) -> Progress | None:
        return self.far

    def start(self, owner: str) -> None:
        questions = [question for question in self.saved(owner) if question.here]
        if not questions:
            raise QuestionRefused("No saved question has its document in the library: save a question first.")
        self.far = Progress(0, len(questions), running=True)
        self._changed()
        threading.Thread(target=self._work, args=(owner, questions), daemon=True).start()

    def _work(self, owner: str, questions: list[SavedQuestion]) -> None:
        if self.goes_on.wait(20) and self.far is not None:
            made = self.made.setdefault(owner, [])
            ranks = {question.id: self.ranks.get(question.text, 1) for question in questions}
            pages = {question.id: question.pages_digest for question in questions}
            made.append(run(made[-1].id + 1 if made else 1, ranks, pages))
        self.far = None
        self._changed()

    def stop(self, owner: str) -> None:
        self.far = None
        self.goes_on.set()
