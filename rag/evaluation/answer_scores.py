"""How correct short answers are: exact match and F1, overall, by kind, and by where the answer comes from."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from rag.evaluation.outcomes import Outcome, normalise
from rag.evaluation.short_answers import Scores, short_answer_scores
from rag.language import mainly_chinese
from rag.records import AnswerState

NO_SCORE = Scores(0.0, 0.0)


def answer_scores(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """`exact` and `f1` (0..1), overall and by `kinds` and `sources` if questions have them, and the `states` counted.

    A question without a short answer scores 0. Questions without a reference answer only count in `states`.
    """
    answered = [outcome for outcome in outcomes if outcome.answer is not None]
    scored = [(outcome, scores_of(outcome)) for outcome in answered if outcome.question.answers]
    states = Counter(outcome.answer.state for outcome in answered if outcome.answer)
    return {
        **_means([scores for _, scores in scored]),
        "kinds": _grouped(scored, lambda outcome: outcome.question.kind),
        "sources": _grouped(scored, lambda outcome: outcome.question.evidence),
        "states": {state.value: states[state] for state in AnswerState},
    }


def scores_of(outcome: Outcome) -> Scores:
    """The scores of one short answer.

    A question with a kind is scored as in TAT-QA, where all of several reference answers are wanted. For other
    questions they are alternatives, and the best counts, as in SQuAD (Rajpurkar et al. 2016). Chinese is compared by
    characters, as in CMRC 2018 (Cui et al. 2019).
    """
    question, short = outcome.question, outcome.answer.short if outcome.answer else None
    if short is None:
        return NO_SCORE
    if question.kind:
        return short_answer_scores(short.values, short.scale, question.answers, question.scale, question.kind)
    given = " ".join(short.values)
    found = [text_scores(given, answer) for answer in question.answers]
    return max(found, key=lambda scores: (scores.f1, scores.exact), default=NO_SCORE)


def text_scores(given: str, wanted: str) -> Scores:
    """Exact match and F1 of two texts by words; of Chinese by characters."""
    had, gold = _units(given), _units(wanted)
    common = sum((Counter(had) & Counter(gold)).values())
    return Scores(float(bool(gold) and had == gold), 2 * common / (len(had) + len(gold)) if common else 0.0)


def _units(text: str) -> list[str]:
    """Words, or the characters of Chinese."""
    return list(normalise(text)) if mainly_chinese(text) else normalise(text).split()


def _grouped(
    scored: Sequence[tuple[Outcome, Scores]], group_of: Callable[[Outcome], str]
) -> dict[str, dict[str, float | int | None]]:
    groups: dict[str, list[Scores]] = defaultdict(list)
    for outcome, scores in scored:
        if group := group_of(outcome):
            groups[group].append(scores)
    return {group: {"questions": len(groups[group]), **_means(groups[group])} for group in sorted(groups)}


def _means(scores: Sequence[Scores]) -> dict[str, float | int | None]:
    if not scores:
        return {"exact": None, "f1": None}
    return {
        "exact": round(sum(one.exact for one in scores) / len(scores), 4),
        "f1": round(sum(one.f1 for one in scores) / len(scores), 4),
    }
