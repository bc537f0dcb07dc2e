"""The Evaluate view: saved questions, the button that runs them, the results over time, and what changed."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from markupsafe import Markup

from rag.evaluation.question_sets import MAX_FILE_BYTES, as_csv, as_lines
from rag.evaluation.ratings import ratings_csv
from rag.evaluation.runs import Change, Result, Run, SavedQuestion, compare, cuts, differences
from webui.actions.evaluation import MRR, RIGHT, SUPPORTED, compared, line_names
from webui.engine import Engine
from webui.session import Evaluation, Session
from webui.strings import Language, say
from webui.views.experiments import comparing
from webui.views.names import parts_of
from webui.views.plot import Line, plot, round_top
from webui.views.render import render

_NAMED = {
    "reader": "differs_reader",
    "embedder": "differs_embedder",
    "reranker": "differs_reranker",
    "documents": "differs_documents",
    "passages": "differs_passages",
    "questions": "differs_questions",
}
_UNVALUED = {
    "library": "differs_library",
    "other_questions": "differs_other_questions",
    "right_pages": "differs_right_pages",
}


@dataclass(frozen=True, slots=True)
class _Key:
    """A button of the legend, which shows or hides a line."""

    name: int | str  # name of the line: its k, or "mrr"
    kind: str
    text: str
    drawn: bool


@dataclass(frozen=True, slots=True)
class _Plots:
    """Quality and latency over the runs."""

    quality: Markup
    quality_legend: list[_Key]
    latency: Markup
    latency_legend: list[Line]


@dataclass(frozen=True, slots=True)
class _RunOption:
    """A run to compare with."""

    id: int
    moment: str


@dataclass(frozen=True, slots=True)
class _Group:
    """Questions whose results changed in the same way, each with its ranks before and after."""

    kind: str  # field of Comparison
    changes: list[tuple[SavedQuestion, str]]


@dataclass(frozen=True, slots=True)
class _Changes:
    """What changed between the newest run and an earlier one."""

    runs: list[_RunOption]
    against: int  # id of the earlier one
    ks: Sequence[int]
    k: int
    difference: str  # of documents and settings
    groups: list[_Group]
    same: int


@dataclass(frozen=True, slots=True)
class _RunRow:
    """The numbers of one run."""

    id: int
    moment: str
    about: str  # what differs from the run before
    values: list[str]


@dataclass(frozen=True, slots=True)
class _Table:
    """All runs, newest first."""

    columns: list[str]
    rows: list[_RunRow]


def tabs_html(session: Session) -> Markup:
    """Conversation or Evaluate."""
    return render("tabs.html", session.language, shown="evaluation" if session.evaluation.shown else "talk")


def evaluation_html(engine: Engine, session: Session) -> Markup:
    """The whole view."""
    language, shown, owner = session.language, session.evaluation, session.owner
    questions, runs = engine.evaluations.saved(owner), engine.evaluations.runs(owner)
    progress, ratings = engine.evaluations.progress(owner), engine.ratings.all(owner)
    given = engine.evaluations.given(owner, runs[-1].id) if runs else {}
    return render(
        "evaluation.html",
        language,
        progress=progress if progress and progress.running else None,
        problem=shown.problem or (progress.problem if progress else None),
        imported=shown.imported,
        max_file_bytes=MAX_FILE_BYTES,
        parts_of=parts_of,
        exports=[("jsonl", as_lines(questions)), ("csv", as_csv(questions))] if questions else [],
        can_run=any(question.can_run for question in questions),
        plots=_plots(runs, shown, language) if runs else None,
        changes=_changes(runs, questions, shown, language),
        comparing=comparing(engine, session, questions, progress) if questions else None,
        questions=[question_row(question, runs, given, language) for question in questions],
        table=_table(runs, language) if runs else None,
        ratings=ratings[::-1],
        rated=ratings_csv(ratings),
        saved_texts={question.text for question in questions},
        good_ratings=sum(rating.helpful for rating in ratings),
    )


# ---- over time


def _plots(runs: Sequence[Run], shown: Evaluation, language: Language) -> _Plots:
    """Two plots, over the questions of the newest run."""
    newest = runs[-1]
    runs = [run.shared_with(newest) for run in runs]
    moments, notes = [_moment(run, "%m-%d %H:%M") for run in runs], _notes(runs, language)
    lines = [
        Line(say(language, "recall_at", k=k), f"l{at}", _values(runs, partial(Run.recall, k=k)))
        for at, k in enumerate(cuts(newest.depth))
    ]
    lines.append(Line(say(language, "mrr"), MRR, _values(runs, lambda run: run.mrr)))
    names = line_names(runs)
    if RIGHT in names:
        lines.append(Line(say(language, "answers_right"), RIGHT, _values(runs, lambda run: run.answers_right)))
    if SUPPORTED in names:
        lines.append(
            Line(say(language, "claims_supported"), SUPPORTED, _values(runs, lambda run: run.claims_supported))
        )
    drawn = [line for line, name in zip(lines, names, strict=True) if name not in shown.hidden]
    quality = plot(
        say(language, "quality"), drawn[::-1], moments, key="quality", told=_told(lines, _share), top=1.0,
        written=_share, notes=notes,
    )  # fmt: skip
    legend = [
        _Key(name, line.kind, line.name, name not in shown.hidden) for line, name in zip(lines, names, strict=True)
    ]
    timed = [
        Line(say(language, "p95"), "p95", _values(runs, lambda run: run.latency.p95)),
        Line(say(language, "median"), "median", _values(runs, lambda run: run.latency.median)),
    ]
    top = round_top(max(run.latency.p95 for run in runs))
    latency = plot(
        say(language, "latency"), timed, moments, key="latency", told=_told(timed, _milliseconds), top=top,
        written=_milliseconds, notes=notes,
    )  # fmt: skip
    return _Plots(quality, legend, latency, timed[::-1])


def _notes(runs: Sequence[Run], language: Language) -> list[str]:
    """For each run, how many of the newest run's questions its values cover; "" if all."""
    counts = [len(run.results) for run in runs]
    return ["" if n == counts[-1] else say(language, "of_questions", n=n, m=counts[-1]) for n in counts]


def _values(runs: Sequence[Run], value: Callable[[Run], float | None]) -> list[float | None]:
    """One value per run; None for a run with none of the questions."""
    return [value(run) if run.results else None for run in runs]


def _told(lines: Sequence[Line], written: Callable[[float | None], str]) -> str:
    """The plot in words: the first and last value of each line."""
    return "; ".join(f"{line.name} {written(line.values[0])} → {written(line.values[-1])}" for line in lines)


# ---- what changed


def _changes(
    runs: Sequence[Run], questions: Sequence[SavedQuestion], shown: Evaluation, language: Language
) -> _Changes | None:
    """Which questions were lost and won between the newest run and an earlier one; None without an earlier one."""
    old = compared(tuple(runs), shown.against)
    if old is None:
        return None
    new = runs[-1]
    most = min(old.depth, new.depth)
    k = min(shown.k or most, most)
    kept = {question.id: question for question in questions}
    found = compare(old.only(kept), new.only(kept), k)
    kinds = [("lost", found.lost), ("won", found.won), ("moved", found.moved)]
    if found.other_pages:
        kinds.append(("other_pages", found.other_pages))
    answers = [("answers_lost", found.answers_lost), ("answers_won", found.answers_won)]
    words = [_different(*one, language) for one in differences(old, new)]
    return _Changes(
        runs=[_RunOption(run.id, _moment(run)) for run in reversed(runs[:-1])],
        against=old.id,
        ks=cuts(most),
        k=k,
        difference=" · ".join(words) or say(language, "nothing_differs"),
        groups=[
            _Group(kind, [(kept[change.question], _ranks(change, language)) for change in changes])
            for kind, changes in kinds
        ]
        + [_Group(kind, [(kept[question], "") for question in changed]) for kind, changed in answers if changed],
        same=found.same,
    )


def _ranks(change: Change, language: Language) -> str:
    before, after = (say(language, "rank_none") if n is None else str(n) for n in (change.before, change.after))
    return f"{before} → {after}"


def _different(name: str, before: object, after: object, language: Language) -> str:
    """One difference between two runs, in words."""
    if name in _UNVALUED:
        return say(language, _UNVALUED[name])
    word = say(language, _NAMED[name]) if name in _NAMED else name
    first, last = ("–" if value in (None, "") else value for value in (before, after))
    return f"{word} {first} → {last}"


# ---- runs


def _table(runs: Sequence[Run], language: Language) -> _Table:
    """All runs as a table; measures that no run has get no column."""
    ks, answered = cuts(runs[-1].depth), any(run.reader for run in runs)
    columns = [
        say(language, "run_time"), *(say(language, "recall_at", k=k) for k in ks), say(language, "mrr"),
        *([say(language, name) for name in ("answers_right", "answers_f1", "claims_supported")] if answered else []),
        say(language, "median"), say(language, "p95"),
        *([say(language, "answer_time")] if answered else []), say(language, "question_count"),
    ]  # fmt: skip
    pairs = zip(reversed(runs), [*reversed(runs[:-1]), None], strict=True)
    return _Table(columns, [_run(run, before, ks, language, answered=answered) for run, before in pairs])


def _run(run: Run, before: Run | None, ks: Sequence[int], language: Language, *, answered: bool) -> _RunRow:
    took = run.latency
    values = [
        *(_share(run.recall(k)) for k in ks), _share(run.mrr),
        *(map(_share, (run.answers_right, run.answers_f1, run.claims_supported)) if answered else ()),
        f"{took.median:,.0f} ms", f"{took.p95:,.0f} ms",
        *([seconds_text(run.answer_seconds)] if answered else []), str(len(run.results)),
    ]  # fmt: skip
    words = [_different(*one, language) for one in differences(before, run)] if before else [_made_with(run, language)]
    return _RunRow(run.id, _moment(run), " · ".join(words), values)


def _made_with(run: Run, language: Language) -> str:
    made = say(language, "made_with", embedder=run.embedder, documents=run.documents, passages=run.passages)
    return f"{made} · {say(language, 'differs_reranker')} {run.reranker}" if run.reranker else made


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def seconds_text(value: float | None) -> str:
    """A time in seconds; a dash for None."""
    return "–" if value is None else f"{value:.1f} s"


def _milliseconds(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,.0f} ms" if value >= 100 else f"{value:.3g} ms"


def _moment(run: Run, form: str = "%Y-%m-%d %H:%M:%S") -> str:
    """When a run ended, in this machine's time zone."""
    return time.strftime(form, time.localtime(run.at))


# ---- the rows of the saved questions


@dataclass(frozen=True, slots=True)
class QuestionRow:
    """A saved question, and its result in the newest run."""

    question: SavedQuestion
    badges: list[tuple[str, str]]  # words and their class; class "" for neutral ones
    given: str  # the answer given, "" for none
    answered: bool  # whether the newest run asked it
    offered: bool  # whether the answer given may become the expected one


def question_row(
    question: SavedQuestion, runs: Sequence[Run], given: Mapping[int, str], language: Language
) -> QuestionRow:
    """Rank and score in the newest run, if they were measured with what is expected now."""
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
