"""The rows of the saved questions: how the newest run found and answered each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rag.evaluation.runs import Result, Run, SavedQuestion
from webui.strings import Language, say


@dataclass(frozen=True, slots=True)
class QuestionRow:
    """A saved question and what became of it in the newest run."""

    question: SavedQuestion
    badges: list[tuple[str, str]]  # words, and their class: "" for neutral ones
    given: str  # what was answered, "" for nothing
    answered: bool  # whether the newest run asked it
    offered: bool  # whether what was answered may be made the answer expected


def question_row(
    question: SavedQuestion, runs: Sequence[Run], given: Mapping[int, str], language: Language
) -> QuestionRow:
    """The rank and score in the newest run, as far as they were measured with what is expected today."""
    result = runs[-1].results.get(question.id) if runs else None
    badges = [badge for badge in (_found(question, result, language), _right(question, result, language)) if badge]
    answer = given.get(question.id, "")
    is_right = result is not None and result.exact == 1.0
    return QuestionRow(question, badges, answer, question.id in given, offered=bool(answer) and not is_right)


def _found(question: SavedQuestion, result: Result | None, language: Language) -> tuple[str, str] | None:
    if not (question.pages or question.answer):
        return say(language, "nothing_expected"), "gone"
    if not question.can_run:
        return say(language, "skipped_removed"), "gone"
    if result is None:
        return say(language, "not_run"), ""
    if not result.same_pages(question.pages_digest):
        return say(language, "not_run_pages"), ""
    if not question.pages:
        return None
    if result.rank is None:
        return say(language, "rank_none"), "missed"
    return say(language, "rank", n=result.rank), "found"


def _right(question: SavedQuestion, result: Result | None, language: Language) -> tuple[str, str] | None:
    answer = result.answer if result else None
    if answer is None or not question.answer or not question.can_run:
        return None
    if answer.expected != question.answer_digest:
        return say(language, "not_run_answer"), ""
    return (say(language, "answer_right"), "found") if answer.exact else (say(language, "answer_wrong"), "missed")
