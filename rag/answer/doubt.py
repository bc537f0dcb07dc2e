"""How reliable an answer is: an answer, the closest that was found, or not in these documents.

A year, name or code in the question that no source contains prevents an answer, and so does evidence that is too far
from the question.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace

from rag.answer.missing import Comparison, HeldTerms
from rag.answer.named_things import Kind, NamedThing
from rag.answer.on_topic import without_headings
from rag.answer.phrases.fit import is_no_answer
from rag.index.tokenize import terms
from rag.language import mainly_chinese
from rag.preferences import Strictness
from rag.reader import ANSWERABLE, Evidence
from rag.records import AnswerState
from rag.settings import AnswerSettings, DoubtGates, DoubtSettings, DoubtWeights

Unit = Callable[[str, str], float]  # question, sentence -> difference in cosine between an answer and the unrelated
COMPARED_SENTENCES = 12  # best sentences of the evidence whose closeness counts
MIN_COMPARED = 4  # sentences needed for one to stand out
GAP_SOURCES = 3  # sources after the first, with which its score is compared
NEUTRAL_ODDS = 1.9  # half-way between questions with and without an answer: used if no odds are known
LONE_GAP = 0.8  # of a source that is the only one, or of a document that the question names
MAX_ODDS = 12.0  # limit beyond which odds tell no more
READ_SENTENCES = 3  # best sentences of the evidence that are searched for years and names

# A reader's answer that says there is none, in the words of the prompt or similar ones.
_REFUSAL = re.compile(
    r"(?:the |these |provided |given |available )*(?:documents?|sources?|text|passages?|information|context)"
    r"(?: \w+){0,2} (?:do(?:es)? not|don['’]t|doesn['’]t|did not)"
    r" (?:\w+ )?(?:answer|hold|contain|provide|mention|include|say|state|specify|give)"
    r"|(?:they|it) do(?:es)? not\.?$|(?:there is |i (?:can|could) find |i found )?no (?:answer|information|mention)\b"
    r"|i (?:do not|don['’]t|cannot|can['’]t) (?:know|find|answer)"
    r"|(?:根据)?(?:所?提供的?|这些|给出的?|已有的?)?(?:资料|文档|文件|来源|上下文|材料)[中里]?[，,]?(?:都|并)?(?:没有|未|无)",
    re.IGNORECASE,
)
_MAX_REFUSAL_CHARACTERS = 200  # longest refusal; a longer text says something


@dataclass(frozen=True, slots=True)
class Doubt:
    """How reliable the answer to a question is."""

    state: AnswerState
    missing: tuple[str, ...] = ()  # years, names and codes in the question that no source contains
    quoted: tuple[Evidence, ...] = ()  # what a reader of evidence may quote, best first


@dataclass(frozen=True, slots=True)
class Signs:
    """What distinguishes an answer from a near miss."""

    closeness: float  # of the closest sentence: 0 unrelated, 1 an answer
    lead: float  # by which the closest sentence exceeds the mean of the first ones
    source_lead: float  # by which the closest source exceeds the mean of the others, in the same unit
    share: float  # of the question's terms in one source, by IDF, 0..1
    years: float  # presence of the question's least present year, 0..1; 1 without years
    names: float  # presence of its least present name, 0..1; 1 without names
    source_gap: float = LONE_GAP  # by which the first source's score exceeds the mean of the next three
    odds: float = NEUTRAL_ODDS  # logarithm of the odds that a span of the best sentences answers


def judge(
    comparison: Comparison,
    evidence: Sequence[Evidence],
    unit: Unit,
    settings: AnswerSettings,
    *,
    odds: float | None = None,
    absent: Sequence[NamedThing] = (),
    anyway: bool = False,
    kept: int = 0,
) -> Doubt:
    """The doubt about the answer that the evidence, best first, gives.

    `odds`: logarithm of the odds that a span of it answers; None if not known. `absent`: what the question asks about
    but the documents never mention. `anyway`: answer in any case. `kept`: how many of the first sentences are quoted
    whatever they look like, because the short answer is from them.

    Evidence that was not compared by vectors, such as the rows of a short answer, is doubted only for what is missing.
    """
    missing = [*comparison.missing, *absent]
    state = AnswerState.NONE
    if evidence and comparison.asks:
        signs = signs_of(comparison, evidence, unit, odds)
        across = mainly_chinese(comparison.question) != mainly_chinese(evidence[0].text)
        asked_in_chinese = mainly_chinese(comparison.question)
        weights, gates = settings.doubt.of_scripts(asked_in_chinese=asked_in_chinese, across=across)
        probability = 1.0 if signs is None else probability_of(signs, weights)
        if comparison.unverified:  # rows that were not compared by vectors cannot be clear either
            probability = probability if signs is not None else gates.closest
        if comparison.unverified or (across and signs is not None and comparison.asks_for_figure_of_document):
            gates = replace(gates, answer=settings.doubt.unverified_answer)
        state = state_of(probability, gates)
        missing += hardly_present(comparison, evidence, settings.doubt) if signs is not None else []
        if missing and state is AnswerState.ANSWER:
            state = AnswerState.CLOSEST
        # In another language, only the vector can tell whether a heading is about what was asked.
        unsupported = across and not kept and all(is_no_answer(found.text, comparison.question) for found in evidence)
        if unsupported or is_about_a_stranger(comparison):
            state = AnswerState.NONE
    if anyway and evidence and terms(comparison.question) and state is AnswerState.NONE:
        state = AnswerState.CLOSEST
    rest = without_headings(comparison.question, evidence[kept:])
    quoted = () if state is AnswerState.NONE else _quoted([*evidence[:kept], *rest], settings)
    return Doubt(state, tuple(dict.fromkeys(thing.text for thing in missing)), quoted)


def is_about_a_stranger(comparison: Comparison) -> bool:
    """Whether the question names somebody or something that no source and no document names.

    A name that was only searched by its sound may be there in another form.
    """
    names = [thing for thing in comparison.missing if thing.kind is Kind.NAME and thing.certain]
    strangers = [thing for thing in names if not comparison.only_by_sound(thing)]
    return bool(strangers) and not comparison.library.named


def state_of(probability: float, gates: DoubtGates) -> AnswerState:
    """The state of an answer with this probability, if nothing is missing."""
    if probability >= gates.answer:
        return AnswerState.ANSWER
    return AnswerState.CLOSEST if probability >= gates.closest else AnswerState.NONE


def _quoted(evidence: Sequence[Evidence], settings: AnswerSettings) -> tuple[Evidence, ...]:
    best = max(found.answerability for found in evidence)
    threshold = min(settings.quote_threshold * ANSWERABLE, best)
    return tuple([found for found in evidence if found.answerability >= threshold][: settings.quoted_sentences])


def signs_of(
    comparison: Comparison, evidence: Sequence[Evidence], unit: Unit, odds: float | None = None
) -> Signs | None:
    """The signs of an answer; None if no evidence was compared by vectors."""
    relevant = {source.number for source in comparison.relevant}
    compared = [found for found in evidence if found.closeness is not None][:COMPARED_SENTENCES]
    near = [found.closeness for found in compared if found.number in relevant and found.closeness is not None]
    near = near or [found.closeness for found in compared if found.closeness is not None]
    if not near:
        return None
    texts = _texts_of(evidence)
    cosines = [signal.score for source in comparison.sources for signal in source.signals if signal.name == "vectors"]
    lead = max(cosines) - (sum(cosines) - max(cosines)) / (len(cosines) - 1) if len(cosines) > 1 else 0.0
    present = {thing: comparison.presence(thing, texts) for thing in comparison.things}
    return Signs(
        closeness=max(near),
        lead=max(near) - sum(near) / len(near) if len(near) >= MIN_COMPARED else 0.0,
        source_lead=lead / unit(comparison.question, evidence[0].text),
        share=comparison.share,
        years=min((held for thing, held in present.items() if thing.kind is Kind.YEAR), default=1.0),
        names=min((held for thing, held in present.items() if thing.kind is Kind.NAME), default=1.0),
        source_gap=_source_gap(comparison),
        odds=NEUTRAL_ODDS if odds is None else max(-MAX_ODDS, min(odds, MAX_ODDS)),
    )


def _source_gap(comparison: Comparison) -> float:
    """How far the first source's score exceeds the next ones'; sources of a named document are much alike."""
    first, *others = sorted((source.score for source in comparison.sources), reverse=True)
    others = others[:GAP_SOURCES]
    return LONE_GAP if comparison.library.named or not others else first - sum(others) / len(others)


def probability_of(signs: Signs, weights: DoubtWeights) -> float:
    """How likely the evidence answers: a logistic function of the signs."""
    total = weights.constant + sum(getattr(weights, one.name) * getattr(signs, one.name) for one in fields(signs))
    return 1.0 / (1.0 + math.exp(-total))


def hardly_present(comparison: Comparison, evidence: Sequence[Evidence], settings: DoubtSettings) -> list[NamedThing]:
    """Years and names that sources contain, but that neither the evidence nor the documents are about."""
    texts = _texts_of(evidence)
    return [thing for thing in comparison.things if comparison.presence(thing, texts) < settings.min_presence]


def _texts_of(evidence: Sequence[Evidence]) -> list[HeldTerms]:
    return [HeldTerms.of(found.text) for found in evidence[:READ_SENTENCES]]


def judge_read(comparison: Comparison, text: str, *, stopped: bool) -> Doubt:
    """The doubt about an answer in a model's own words."""
    if not stopped and (not text.strip() or is_refusal(text)):
        return Doubt(AnswerState.NONE, tuple(thing.text for thing in comparison.missing))
    missing = tuple(thing.text for thing in comparison.missing)
    return Doubt(AnswerState.CLOSEST if missing else AnswerState.ANSWER, missing)


def doubt_of_words(comparison: Comparison, text: str, stopped: bool, before: Doubt, strictness: Strictness) -> Doubt:
    """The doubt about a model's own words; the closest at most if a strict person's question found no evidence."""
    doubt = judge_read(comparison, text, stopped=stopped)
    found_nothing = before.state is AnswerState.NONE and strictness is Strictness.STRICT
    if found_nothing and doubt.state is AnswerState.ANSWER:
        return replace(doubt, state=AnswerState.CLOSEST)
    return doubt


def is_refusal(text: str) -> bool:
    """Whether an answer only says that the sources contain none."""
    text = text.strip()
    return len(text) <= _MAX_REFUSAL_CHARACTERS and _REFUSAL.match(text) is not None
