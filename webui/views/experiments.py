"""Two variants of the settings side by side: the form, the totals of both, and what changed for each question."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rag.evaluation.background import Progress, WorkKind
from rag.evaluation.experiment import Experiment, Variant, Verdict
from rag.evaluation.experiment_files import experiment_csv, experiment_json
from rag.evaluation.experiments import left_to_ask
from rag.evaluation.measured import Measured
from rag.evaluation.runs import Run, SavedQuestion
from webui.actions.experiments import own_preferences, variants_of
from webui.engine import Engine
from webui.session import Session
from webui.strings import Language, say
from webui.views.settings import Option, Setting, model_name, reader_setting, temperature_setting, usual_settings

SHOWN_CHARACTERS = 300  # characters of an answer that the page shows; files have more
_MODEL_ALONE = ("language",)  # settings that have no effect on quotes
_TITLES = {
    Verdict.WORSE: "experiment_worse",
    Verdict.BETTER: "experiment_better",
    Verdict.SAME: "experiment_same",
}


@dataclass(frozen=True, slots=True)
class _Row:
    """A setting in the form, with its value in both variants."""

    name: str
    title: str
    sides: list[list[Option]]


@dataclass(frozen=True, slots=True)
class _Total:
    """A measure, for both variants."""

    title: str
    values: list[str]
    difference: str  # of the second to the first; "" if there is none
    kind: str  # "won", "lost" or ""


@dataclass(frozen=True, slots=True)
class _Side:
    """One variant's result for a question."""

    answer: str  # "" for a refusal
    badges: list[tuple[str, str]]  # words and their class; class "" for neutral ones


@dataclass(frozen=True, slots=True)
class _Changed:
    """A question, and the results of both variants."""

    question: SavedQuestion
    sides: list[_Side]
    differs: bool  # whether the answers are worded differently


@dataclass(frozen=True, slots=True)
class _Shown:
    """One experiment."""

    id: int
    settings: list[tuple[str, str, str]]  # settings that differ: title, and the value of each side
    done: int
    total: int
    can_resume: bool
    verdicts: str  # how many questions were better, worse and the same
    chance: str  # how likely such a result is by chance; "" if nothing differs
    totals: list[_Total]
    groups: list[tuple[Verdict, str, list[_Changed]]]  # verdict, its title, its questions
    exports: list[tuple[str, str]]  # kind of file, text


@dataclass(frozen=True, slots=True)
class Comparing:
    """The whole section."""

    rows: list[_Row]
    ready: bool  # whether the variants differ
    busy: bool  # whether something is in progress
    progress: Progress | None  # progress of a comparison
    made: list[tuple[int, str]]  # id and name of each comparison, newest first
    shown: _Shown | None


def comparing(
    engine: Engine, session: Session, questions: Sequence[SavedQuestion], progress: Progress | None
) -> Comparing:
    """The form, and the comparison chosen, or else the newest."""
    language, experiments, owner = session.language, engine.evaluations.experiments, session.owner
    listed = experiments.listed(owner)[::-1]
    wanted = next((one for one in listed if one.id == session.evaluation.experiment), listed[0] if listed else None)
    found = experiments.get(owner, wanted.id) if wanted else None
    busy = progress is not None and progress.running
    variants = variants_of(engine, session)
    return Comparing(
        rows=_form(engine, session, variants),
        ready=variants[0] != variants[1] and any(question.can_run for question in questions),
        busy=busy,
        progress=progress if busy and progress and progress.kind is WorkKind.EXPERIMENT else None,
        made=[(one.id, _name(engine, one, language)) for one in listed],
        shown=_shown(engine, found, questions, language, busy=busy) if found else None,
    )


# ---- settings


def _form(engine: Engine, session: Session, variants: tuple[Variant, Variant]) -> list[_Row]:
    """The settings that affect the readers available."""
    manner = own_preferences(engine, session).manner
    sides = [
        _settings(engine, one, session.language, instruction=bool(manner.english or manner.chinese)) for one in variants
    ]
    return [_Row(one.name, one.title, [one.options, other.options]) for one, other in zip(*sides, strict=True)]


def _settings(engine: Engine, variant: Variant, language: Language, *, instruction: bool) -> list[Setting]:
    """The settings of a variant as lists of options. `instruction`: the person has written one."""
    preferences, usual = variant.preferences, usual_settings(engine, variant.preferences, language)
    if not model_name(engine):
        return [one for one in usual if one.name not in _MODEL_ALONE]
    found = [
        reader_setting(engine, language, quotes=variant.quotes),
        *usual,
        temperature_setting(preferences, language),
    ]
    if instruction:
        own = bool(preferences.manner.english or preferences.manner.chinese)
        options = [Option("", say(language, "usual_default"), not own), Option("own", say(language, "own"), own)]
        found.append(Setting("instruction", say(language, "setting_instruction"), "", options))
    return found


def _differing(engine: Engine, experiment: Experiment, language: Language) -> list[tuple[str, str, str]]:
    """The settings in which the variants differ: title, and the value of each side."""
    first, second = experiment.variants
    readers = experiment.circumstances.readers
    found = [(say(language, "setting_reader_short"), *readers)] if readers[0] != readers[1] else []
    sides = [
        [
            *usual_settings(engine, one.preferences, language),
            temperature_setting(one.preferences, language),
        ]
        for one in (first, second)
    ]
    for one, other in zip(*sides, strict=True):
        values = tuple(_chosen(setting) for setting in (one, other))
        if values[0] != values[1]:
            found.append((one.title, *values))
    manners = first.preferences.manner, second.preferences.manner
    if (manners[0].english, manners[0].chinese) != (manners[1].english, manners[1].chinese):
        words = [say(language, "own" if one.english or one.chinese else "usual_default") for one in manners]
        found.append((say(language, "setting_instruction"), words[0], words[1]))
    return found


def _chosen(setting: Setting) -> str:
    return next((option.word for option in setting.options if option.chosen), "")


def _name(engine: Engine, experiment: Experiment, language: Language) -> str:
    """When it was started, and what differs."""
    moment = time.strftime("%Y-%m-%d %H:%M", time.localtime(experiment.at))
    words = [f"{title} {first} / {second}" for title, first, second in _differing(engine, experiment, language)]
    return " · ".join([moment, *words])


# ---- results


def _shown(
    engine: Engine, experiment: Experiment, questions: Sequence[SavedQuestion], language: Language, *, busy: bool
) -> _Shown:
    done, left = len(experiment.pairs), left_to_ask(experiment, questions)
    counts = {verdict.value: experiment.count(verdict) for verdict in Verdict}
    chance = experiment.chance
    return _Shown(
        id=experiment.id,
        settings=_differing(engine, experiment, language),
        done=done,
        total=done + len(left),
        can_resume=bool(left) and not busy,
        verdicts=say(language, "experiment_verdicts", **counts) if done else "",
        chance="" if chance is None else say(language, "experiment_chance", percent=max(round(chance * 100), 1)),
        totals=_totals(experiment, language) if done else [],
        groups=[
            (verdict, say(language, title), _changed(experiment, questions, verdict, language))
            for verdict, title in _TITLES.items()
        ],
        exports=[]
        if busy or not done
        else [("csv", experiment_csv(experiment, questions)), ("json", experiment_json(experiment, questions))],
    )


def _totals(experiment: Experiment, language: Language) -> list[_Total]:
    """The measures of both variants."""
    first, second = experiment.runs
    refused = experiment.refused

    def points(change: float) -> str:
        return say(language, "experiment_points", n=f"{change * 100:.0f}")

    def row(
        key: str,
        value: Callable[[Run], float | None],
        written: Callable[[float], str],
        changed: Callable[[float], str] | None = None,
        *,
        better: int = 1,
    ) -> _Total | None:
        """`changed` formats the difference; `better`: 1 if more is better, -1 if less is, 0 if neither."""
        values = value(first), value(second)
        return (
            _total(say(language, key), values, (written, changed or written), better)
            if values != (None, None)
            else None
        )

    counts = _total(
        say(language, "experiment_refused"), (float(refused[0]), float(refused[1])), ("{:.0f}".format,) * 2, 0
    )
    rows = [
        row("answers_right", lambda run: run.answers_right, _percent, points),
        row("answers_f1", lambda run: run.answers_f1, "{:.2f}".format),
        row("experiment_found", lambda run: run.recall(run.depth), _percent, points),
        row("mrr", lambda run: run.mrr, "{:.2f}".format),
        row("claims_supported", lambda run: run.claims_supported, _percent, points),
        counts,
        row("answer_time", lambda run: run.answer_seconds, _seconds, better=-1),
    ]
    return [one for one in rows if one is not None]


def _total(
    title: str, values: tuple[float | None, float | None], writers: tuple[Callable[[float], str], ...], better: int
) -> _Total:
    (first, second), (written, changed) = values, writers
    shown = ["–" if value is None else written(value) for value in values]
    if first is None or second is None or shown[0] == shown[1]:
        return _Total(title, shown, "", "")
    change = second - first
    kind = "" if not better else "won" if change * better > 0 else "lost"
    sign = "+" if change > 0 else "−"
    return _Total(title, shown, f"{sign}{changed(abs(change))}", kind)


def _changed(
    experiment: Experiment, questions: Sequence[SavedQuestion], verdict: Verdict, language: Language
) -> list[_Changed]:
    """The questions with a verdict, those answered differently first."""
    found = [
        _Changed(question, [_side(one, language) for one in (pair.first, pair.second)], not pair.same_answer)
        for question, pair in experiment.answered(questions)
        if pair.verdict is verdict
    ]
    return sorted(found, key=lambda one: not one.differs)


def _side(one: Measured, language: Language) -> _Side:
    result, badges = one.result, []
    if result.exact is not None:
        badges.append(
            (say(language, "answer_right"), "found") if result.exact else (say(language, "answer_wrong"), "missed")
        )
    if result.has_pages:
        rank = result.rank
        badges.append((say(language, "rank_none"), "missed") if rank is None else (say(language, "rank", n=rank), ""))
    text = one.given if len(one.given) <= SHOWN_CHARACTERS else one.given[: SHOWN_CHARACTERS - 1] + "…"
    return _Side(text, badges)


def _percent(value: float) -> str:
    return f"{value * 100:.0f}%"


def _seconds(value: float) -> str:
    return f"{value:.2f} s" if value < 10 else f"{value:.0f} s"
