"""The Evaluate view as HTML: kept questions, the button that runs them, what the runs gave over time, what changed."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial

from rag.evaluation.runs import Change, RightPage, Run, SavedQuestion, as_lines, compare, cuts, differences
from rag.evaluation.saved import Progress
from webui.conversation import Conversation, Evaluation
from webui.engine import Engine
from webui.saved_questions import MRR, compared, line_names
from webui.strings import Language, say
from webui.views.markup import escape
from webui.views.plot import Line, plot, round_top

_NAMED = {
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


def tabs_html(conversation: Conversation) -> str:
    """Conversation or Evaluate."""
    language, shown = conversation.language, conversation.evaluation.shown
    buttons = "".join(
        f'<button type="button" data-do="view" data-view="{view}" data-key="{view}"'
        f' aria-pressed="{str(shown == (view == "trials")).lower()}">{escape(say(language, word))}</button>'
        for view, word in (("talk", "conversation"), ("trials", "evaluate"))
    )
    return f'<nav class="tabs" data-key="tabs" aria-label="{escape(say(language, "views"))}">{buttons}</nav>'


def evaluation_html(engine: Engine, conversation: Conversation) -> str:
    """The whole view."""
    language, shown, owner = conversation.language, conversation.evaluation, conversation.owner
    questions, runs = engine.evaluations.saved(owner), engine.evaluations.runs(owner)
    progress = engine.evaluations.progress(owner)
    parts = [_top(questions, progress, language), _problem(shown, progress)]
    if not questions and not runs:
        return "".join([*parts, _welcome(language)])
    parts.insert(1, f'<p class="hint" data-key="whole">{escape(say(language, "run_whole"))}</p>')
    if runs:
        parts += [_over_time(runs, shown, language), _changes(runs, questions, shown, language)]
    parts += [_questions(questions, runs, language), _table(runs, language)]
    return "".join(parts)


def _top(questions: Sequence[SavedQuestion], progress: Progress | None, language: Language) -> str:
    """What is kept, the button that runs it, how far that is."""
    title = f"<h2>{escape(say(language, 'evaluate'))}</h2>"
    if progress is not None and progress.running:
        bar = (
            f'<progress value="{progress.done}" max="{max(progress.total, 1)}"'
            f' aria-label="{escape(say(language, "running"))}"></progress>'
        )
        told = escape(say(language, "run_progress", done=progress.done, total=progress.total))
        return (
            f'<header data-key="top">{title}<span class="far">{told}</span>{bar}'
            f'<button type="button" class="quiet" data-do="stop-run" data-key="stop">'
            f"{escape(say(language, 'stop'))}</button></header>"
        )
    off = "" if any(question.here for question in questions) else " disabled"
    lines = escape(as_lines(questions))
    export = ""
    if lines:
        export = (
            f'<button type="button" class="quiet" data-do="export" data-key="export" data-text="{lines}"'
            f' title="{escape(say(language, "export_hint"))}">{escape(say(language, "export"))}</button>'
        )
    return (
        f'<header data-key="top">{title}<span class="far"></span>{export}'
        f'<button type="button" class="small" data-do="run" data-key="run"{off}>'
        f"{escape(say(language, 'run'))}</button></header>"
    )


def _problem(shown: Evaluation, progress: Progress | None) -> str:
    problem = str(shown.problem or (progress.problem if progress else ""))
    return f'<p class="problem" role="alert" dir="auto" data-key="problem">{escape(problem)}</p>' if problem else ""


def _welcome(language: Language) -> str:
    steps = "".join(f"<li>{escape(say(language, key))}</li>" for key in ("trial_ask", "trial_mark", "trial_run"))
    return f'<div class="how" data-key="how"><p>{escape(say(language, "trial_hint"))}</p><ol>{steps}</ol></div>'


# ---- over time


def _over_time(runs: Sequence[Run], shown: Evaluation, language: Language) -> str:
    """Two plots over the questions of the newest run, and the buttons that are their legend and choose the lines."""
    newest = runs[-1]
    runs = [run.shared_with(newest) for run in runs]
    moments, notes = [_moment(run, "%m-%d %H:%M") for run in runs], _notes(runs, language)
    lines = [
        Line(say(language, "recall_at", k=k), f"l{at}", _values(runs, partial(Run.recall, k=k)))
        for at, k in enumerate(cuts(newest.depth))
    ]
    lines.append(Line(say(language, "mrr"), MRR, _values(runs, lambda run: run.mrr)))
    names = line_names(runs)
    legend = "".join(_key(line, name, name not in shown.hidden) for line, name in zip(lines, names, strict=True))
    drawn = [line for line, name in zip(lines, names, strict=True) if name not in shown.hidden]
    quality = plot(
        say(language, "quality"), drawn[::-1], moments, key="quality", told=_told(lines, _share), top=1.0,
        written=_share, notes=notes,
    )  # fmt: skip
    return (
        f'<section class="time" data-key="time"><figure><figcaption>{escape(say(language, "quality"))}</figcaption>'
        f'<div class="legend">{legend}</div>{quality}</figure>{_latency(runs, moments, notes, language)}</section>'
    )


def _notes(runs: Sequence[Run], language: Language) -> list[str]:
    """For each run over how many of the newest run's questions it is drawn, "" where that is all of them."""
    counts = [len(run.results) for run in runs]
    return ["" if n == counts[-1] else say(language, "of_questions", n=n, m=counts[-1]) for n in counts]


def _values(runs: Sequence[Run], value: Callable[[Run], float | None]) -> list[float | None]:
    """One a run, None for a run of no question."""
    return [value(run) if run.results else None for run in runs]


def _latency(runs: Sequence[Run], moments: Sequence[str], notes: Sequence[str], language: Language) -> str:
    lines = [
        Line(say(language, "p95"), "p95", _values(runs, lambda run: run.latency.p95)),
        Line(say(language, "median"), "median", _values(runs, lambda run: run.latency.median)),
    ]
    top = round_top(max(run.latency.p95 for run in runs))
    title = say(language, "latency")
    drawn = plot(
        title, lines, moments, key="latency", told=_told(lines, _milliseconds), top=top, written=_milliseconds,
        notes=notes,
    )  # fmt: skip
    legend = "".join(
        f'<span class="key {line.kind}"><i aria-hidden="true"></i>{escape(line.name)}</span>' for line in lines[::-1]
    )
    return f'<figure><figcaption>{escape(title)}</figcaption><div class="legend">{legend}</div>{drawn}</figure>'


def _key(line: Line, name: int | str, drawn: bool) -> str:
    """A button of the legend."""
    return (
        f'<button type="button" class="key {line.kind}" data-do="line" data-line="{name}"'
        f' aria-pressed="{str(drawn).lower()}"><i aria-hidden="true"></i>{escape(line.name)}</button>'
    )


def _told(lines: Sequence[Line], written: Callable[[float | None], str]) -> str:
    """First and last value of each line."""
    return "; ".join(f"{line.name} {written(line.values[0])} → {written(line.values[-1])}" for line in lines)


# ---- what changed


def _changes(runs: Sequence[Run], questions: Sequence[SavedQuestion], shown: Evaluation, language: Language) -> str:
    """Which questions were lost and won between the newest run and an earlier one."""
    old, new = compared(tuple(runs), shown.against), runs[-1]
    if old is None:
        return ""
    most = min(old.depth, new.depth)
    k = min(shown.k or most, most)
    kept = {question.id: question for question in questions}
    found = compare(old.only(kept), new.only(kept), k)
    kinds = [("lost", found.lost), ("won", found.won), ("moved", found.moved)]
    if found.other_pages:
        kinds.append(("other_pages", found.other_pages))
    groups = "".join(_group(kind, changes, kept, language) for kind, changes in kinds)
    same = f'<p class="hint" data-key="same">{escape(say(language, "same", n=found.same))}</p>'
    return (
        f'<section class="changes" data-key="changes"><h3>{escape(say(language, "changes"))}</h3>'
        f'<div class="row">{_select_run(runs, old, language)}{_select_k(cuts(most), k, language)}</div>'
        f"{_difference(old, new, language)}{groups}{same}</section>"
    )


def _select_run(runs: Sequence[Run], old: Run, language: Language) -> str:
    options = "".join(
        f'<option value="{run.id}" data-key="run-{run.id}"{" selected" if run.id == old.id else ""}>'
        f"{escape(_moment(run))}</option>"
        for run in reversed(runs[:-1])
    )
    return f'<label>{escape(say(language, "against"))} <select data-do="against">{options}</select></label>'


def _select_k(ks: Sequence[int], k: int, language: Language) -> str:
    options = "".join(
        f'<option value="{one}" data-key="k-{one}"{" selected" if one == k else ""}>{one}</option>' for one in ks
    )
    return f'<label>{escape(say(language, "among_first"))} <select data-do="k">{options}</select></label>'


def _group(kind: str, changes: Sequence[Change], questions: dict[int, SavedQuestion], language: Language) -> str:
    """The questions of one kind of change."""
    rows = [_change(change, questions[change.question], language) for change in changes]
    title = escape(f"{say(language, kind)} · {len(rows)}")
    return f'<div class="group {kind}" data-key="{kind}"><h4>{title}</h4><ul>{"".join(rows)}</ul></div>'


def _change(change: Change, question: SavedQuestion, language: Language) -> str:
    ranks = f"{_rank(change.before, language)} → {_rank(change.after, language)}"
    return f'<li data-key="change-{question.id}">{_opener(question)}<span class="ranks">{escape(ranks)}</span></li>'


def _opener(question: SavedQuestion) -> str:
    """A question as a button that opens its right page."""
    if not question.here:
        return f'<span class="asked" dir="auto">{escape(question.text)}</span>'
    return (
        f'<button type="button" class="asked" dir="auto" data-do="show" data-question="{question.id}">'
        f"{escape(question.text)}</button>"
    )


def _rank(rank: int | None, language: Language) -> str:
    return say(language, "rank_none") if rank is None else str(rank)


def _difference(old: Run, new: Run, language: Language) -> str:
    words = [_different(*one, language) for one in differences(old, new)]
    text = " · ".join(words) or say(language, "nothing_differs")
    return f'<p class="hint" dir="auto" data-key="difference">{escape(text)}</p>'


def _different(name: str, before: object, after: object, language: Language) -> str:
    if name in _UNVALUED:
        return say(language, _UNVALUED[name])
    word = say(language, _NAMED[name]) if name in _NAMED else name
    first, last = ("–" if value in (None, "") else value for value in (before, after))
    return f"{word} {first} → {last}"


# ---- kept questions


def _questions(questions: Sequence[SavedQuestion], runs: Sequence[Run], language: Language) -> str:
    rows = "".join(_question(question, runs, language) for question in questions)
    title = escape(say(language, "kept_questions", n=len(questions)))
    return f'<section class="kept" data-key="kept"><h3>{title}</h3><ul>{rows}</ul></section>'


def _question(question: SavedQuestion, runs: Sequence[Run], language: Language) -> str:
    pages = "".join(_page(question, page, language) for page in question.pages)
    label = escape(say(language, "forget", question=question.text))
    return (
        f'<li class="{"here" if question.here else "gone"}" data-key="question-{question.id}">'
        f'<div class="row">{_opener(question)}{_standing(question, runs, language)}'
        f'<button type="button" class="icon remove" data-do="forget" data-question="{question.id}"'
        f' data-sure="{escape(say(language, "remove_sure"))}" aria-label="{label}" title="{label}">✕</button></div>'
        f'<div class="right-pages">{pages}</div></li>'
    )


def _standing(question: SavedQuestion, runs: Sequence[Run], language: Language) -> str:
    """The rank in the newest run, where it is one of the right pages kept now."""
    result = runs[-1].results.get(question.id) if runs else None
    if not question.pages:
        return f'<span class="badge gone">{escape(say(language, "no_right_page"))}</span>'
    if not question.here:
        return f'<span class="badge gone">{escape(say(language, "left_out"))}</span>'
    if result is None:
        return f'<span class="badge">{escape(say(language, "not_run"))}</span>'
    if not result.same_pages(question.pages_digest):
        return f'<span class="badge">{escape(say(language, "not_run_pages"))}</span>'
    kind = "missed" if result.rank is None else "found"
    words = say(language, "rank_none") if result.rank is None else say(language, "rank", n=result.rank)
    return f'<span class="badge {kind}">{escape(words)}</span>'


def _page(question: SavedQuestion, page: RightPage, language: Language) -> str:
    meant = f'data-question="{question.id}" data-document="{escape(page.document_id)}" data-page="{page.page}"'
    shown = escape(say(language, "document_gone"))
    if page.here:
        label = escape(say(language, "page", label=page.page_label))
        shown = (
            f'<button type="button" class="chip" data-do="show" {meant}><bdi class="name">{escape(page.document)}</bdi>'
            f'<span class="page">{label}</span></button>'
        )
    take_back = escape(say(language, "unmark"))
    return (
        f'<span class="right-page" data-key="{escape(page.document_id)}-{page.page}">{shown}'
        f'<button type="button" class="icon" data-do="unmark" {meant} aria-label="{take_back}" title="{take_back}">✕'
        "</button></span>"
    )


# ---- runs


def _table(runs: Sequence[Run], language: Language) -> str:
    """All numbers, newest first, each run's over all the questions that it asked."""
    if not runs:
        return ""
    ks = cuts(runs[-1].depth)
    names = [
        say(language, "run_time"), *(say(language, "recall_at", k=k) for k in ks), say(language, "mrr"),
        say(language, "median"), say(language, "p95"), say(language, "asked"),
    ]  # fmt: skip
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in names)
    pairs = zip(reversed(runs), [*reversed(runs[:-1]), None], strict=True)
    rows = "".join(_run(run, before, ks, language) for run, before in pairs)
    return (
        f'<section class="runs" data-key="runs"><h3>{escape(say(language, "runs", n=len(runs)))}</h3>'
        f'<div class="wide"><table><thead><tr>{head}<td></td></tr></thead><tbody>{rows}</tbody></table></div></section>'
    )


def _run(run: Run, before: Run | None, ks: Sequence[int], language: Language) -> str:
    took = run.latency
    values = [*(_share(run.recall(k)) for k in ks), _share(run.mrr), f"{took.median:,.0f} ms", f"{took.p95:,.0f} ms"]
    cells = "".join(f"<td>{value}</td>" for value in [*values, str(len(run.results))])
    words = [_different(*one, language) for one in differences(before, run)] if before else [_made_with(run, language)]
    about = f'<small dir="auto">{escape(" · ".join(words))}</small>' if words else ""
    label = escape(say(language, "forget_run", time=_moment(run)))
    return (
        f'<tr data-key="run-{run.id}"><th scope="row">{escape(_moment(run))}{about}</th>{cells}'
        f'<td><button type="button" class="icon remove" data-do="forget-run" data-run="{run.id}"'
        f' data-sure="{escape(say(language, "remove_sure"))}" aria-label="{label}" title="{label}">✕</button></td></tr>'
    )


def _made_with(run: Run, language: Language) -> str:
    made = say(language, "made_with", embedder=run.embedder, documents=run.documents, passages=run.passages)
    return f"{made} · {say(language, 'differs_reranker')} {run.reranker}" if run.reranker else made


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _milliseconds(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,.0f} ms" if value >= 100 else f"{value:.3g} ms"


def _moment(run: Run, form: str = "%Y-%m-%d %H:%M:%S") -> str:
    """When a run ended, in the machine's own time."""
    return time.strftime(form, time.localtime(run.at))
