"""How far an answer can be relied on: an answer, the closest that was found, or not in these documents.

A year, name or code of the question that no source holds keeps it from being an answer; so does evidence that is too
far from the question.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rag.answer.missing import Comparison
from rag.reader import ANSWERABLE, Evidence
from rag.records import AnswerState
from rag.settings import AnswerSettings

# A reader's answer that says that there is none, in the words of the prompt or near them.
_REFUSAL = re.compile(
    r"(?:the |these |provided |given |available )*(?:documents?|sources?|text|passages?|information|context)"
    r"(?: \w+){0,2} (?:do(?:es)? not|don['’]t|doesn['’]t|did not)"
    r" (?:\w+ )?(?:answer|hold|contain|provide|mention|include|say|state|specify|give)"
    r"|(?:they|it) do(?:es)? not\.?$|(?:there is |i (?:can|could) find |i found )?no (?:answer|information|mention)\b"
    r"|i (?:do not|don['’]t|cannot|can['’]t) (?:know|find|answer)"
    r"|(?:根据)?(?:所?提供的?|这些|给出的?|已有的?)?(?:资料|文档|文件|来源|上下文|材料)[中里]?[，,]?(?:都|并)?(?:没有|未|无)",
    re.IGNORECASE,
)
_MAX_REFUSAL_CHARACTERS = 200  # of a refusal; a longer text says something


@dataclass(frozen=True, slots=True)
class Doubt:
    """How far the answer to a question can be relied on, as judged before it is read."""

    state: AnswerState
    missing: tuple[str, ...] = ()  # years, names and codes of the question that no source holds
    quoted: tuple[Evidence, ...] = ()  # what a reader of evidence may quote, best first


def judge(comparison: Comparison, evidence: Sequence[Evidence], settings: AnswerSettings, *, anyway: bool) -> Doubt:
    """The doubt about the answer that the evidence, best first, gives; `anyway`: to be answered in any case."""
    missing = tuple(thing.text for thing in comparison.missing)
    best = max((found.answerability for found in evidence), default=0.0)
    if not any(character.isalnum() for character in comparison.question) or best < ANSWERABLE:
        state = AnswerState.NONE
    else:
        state = AnswerState.CLOSEST if missing else AnswerState.ANSWER
    if anyway and evidence:
        state = AnswerState.CLOSEST if state is AnswerState.NONE else state
    threshold = min(settings.quote_threshold * ANSWERABLE, best)
    quoted = [found for found in evidence if found.answerability >= threshold][: settings.quoted_sentences]
    return Doubt(state, missing, () if state is AnswerState.NONE else tuple(quoted))


def judge_read(comparison: Comparison, text: str, *, stopped: bool) -> Doubt:
    """The doubt about what a model answered in its own words."""
    if not stopped and (not text.strip() or is_refusal(text)):
        return Doubt(AnswerState.NONE, tuple(thing.text for thing in comparison.missing))
    missing = tuple(thing.text for thing in comparison.missing)
    return Doubt(AnswerState.CLOSEST if missing else AnswerState.ANSWER, missing)


def is_refusal(text: str) -> bool:
    """Whether an answer only says that the sources hold none."""
    text = text.strip()
    return len(text) <= _MAX_REFUSAL_CHARACTERS and _REFUSAL.match(text) is not None
