"""The short answer from running text: a span of a sentence, a list, or yes or no, with the sentence it is from.

If in doubt, there is none: the sentences of the sources are then the whole answer.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from rag.answer.evidence import citation_of
from rag.answer.figures.question import Operation, is_own_word, operation_of
from rag.answer.phrases.causes import gives_cause, moves
from rag.answer.phrases.counted import (
    asks_how_many,
    counts_condition,
    counts_others,
    is_of_other_deed,
    is_of_other_years,
    names_count,
)
from rag.answer.phrases.fit import CLAUSE_NUMBER, NUMBERING, is_no_answer, is_row, may_be
from rag.answer.phrases.headed import HEADED_KINDS, deeds_first, find_headed, find_label
from rag.answer.phrases.kind import Kind, kind_of
from rag.answer.phrases.labels import asked_address, find_address, find_expansion, find_numbered
from rag.answer.phrases.limits import is_of_other_noun, is_part, lacks_extreme, lacks_order, lacks_verb
from rag.answer.phrases.lists import FoundList, enumeration_around, find_list, names_around, split_items
from rag.answer.phrases.negated import denies, is_negated
from rag.answer.phrases.offices import (
    asks_for_directors,
    asks_for_office,
    asks_of_another_time,
    find_holder,
    is_name,
    tells_of_directors,
)
from rag.answer.phrases.refine import (
    answers_nothing,
    asks_which,
    completed,
    is_clause,
    is_no_choice,
    is_of_condition,
    refined,
)
from rag.answer.phrases.releases import find_release, may_be_release
from rag.answer.phrases.span_model import Span, SpanModel
from rag.answer.phrases.values import cut_to_value, in_asked_clause
from rag.answer.phrases.yes_no import decide, yes_or_no
from rag.index.protocols import TermWeight
from rag.reader import ANSWERABLE, Evidence
from rag.records import Citation, ShortAnswer, Source
from rag.settings import PhraseSettings

_TRIMMED = " \t\n,;:.，；：。、!?！？"  # at the ends of a span
_PAIRS = (("(", ")"), ("（", "）"), ("“", "”"), ("《", "》"), ("「", "」"), ("[", "]"), ('"', '"'))

_OPENING: Final = re.compile(r"(?:such as|including|namely|e\.g\.)[,:]?\s", re.IGNORECASE)
_JOINING: Final = re.compile(r"\s(?:and|or|but|nor|the|an?|of|for|from|with|than|that|which|its|their)$", re.IGNORECASE)

_REASONED: Final = frozenset({Kind.WHY, Kind.HOW, Kind.LIST, Kind.CHANGE})  # what no single value answers
_TOLD: Final = 0.7  # confidence in the answer of a label or an office
_NO_COUNT: Final = re.compile(r"[%％$£€¥￥]|\bpercent\b|百分之")  # beside what is no count
# Of a sentence: is it about something else?
_DOUBTS: Final = (is_of_other_deed, lacks_order, lacks_extreme, lacks_verb)
_GOES_ON: Final = re.compile(r"[，；;。](?=[^\W\d_])")  # of a value: another clause
_COMPUTED: Final = frozenset({Operation.AVERAGE, Operation.RATIO, Operation.SUM, Operation.PERCENT_CHANGE})
_PERCENT: Final = re.compile(r"[%％]|\bpercent\b")
_TOTALS: Final = re.compile(
    r"\b(?:revenues?|sales|income|profits?|earnings|expenses?|assets|amount|value)\b", re.IGNORECASE
)
_AMOUNT: Final = re.compile(r"[$£€¥￥元]|\b(?:dollars?|euros?|pounds?|million|billion)\b")
_COUNTED: Final = frozenset({Kind.MONEY, Kind.PERCENT, Kind.NUMBER, Kind.DURATION})
_NUMBERS: Final = frozenset({Kind.MONEY, Kind.PERCENT, Kind.NUMBER})  # kinds that a wrong span is read as a fact for

Phrase = tuple[ShortAnswer, list[Evidence]]  # a short answer, and the evidence, starting with what it is from


@dataclass(frozen=True, slots=True)
class PhraseFinder:
    """Finds short answers in sentences."""

    model: SpanModel | None  # None: no spans, only lists and yes or no
    settings: PhraseSettings

    def find(
        self,
        question: str,
        evidence: Sequence[Evidence],
        sources: Sequence[Source],
        term_weight: TermWeight,
        named: str = "",
    ) -> tuple[Phrase | None, float | None]:
        """The short answer, None if no sentence answers; and the odds that there is one.

        `named`: the question with the name of the document's company, if `question` is without it. The odds are the
        logarithm of the odds that a span of the best sentences answers, rather than that none does; None without a
        model, and for questions that no span answers, such as for a reason. `term_weight`: the IDF of a term in the
        library asked.
        """
        kind = kind_of(question)
        if kind is Kind.YES_NO:
            return self._decided(question, evidence, sources, term_weight), None
        if kind is Kind.LIST and (found := find_list(question, sources, term_weight, self.settings)):
            return self._listed(found, evidence, sources), None
        if kind in HEADED_KINDS and (headed := find_headed(question, sources)):
            return self._listed(headed, evidence, sources), None
        if kind not in _REASONED:
            evidence = deeds_first(question, evidence, sources)
        span = self.model.find(question, evidence[: self.settings.span_sentences]) if self.model else None
        odds = span.log_probability - span.log_null if span and kind not in _REASONED else None
        if release := find_release(question, evidence, sources, term_weight):
            return _stated(*release, sources, evidence), odds
        if kind not in _REASONED and (told := _told(named or question, kind, evidence, sources)):
            return _stated(*told, sources, evidence), odds
        return self._span(span, question, kind, evidence, sources, named or question), odds

    def _decided(
        self, question: str, evidence: Sequence[Evidence], sources: Sequence[Source], term_weight: TermWeight
    ) -> Phrase | None:
        decision = decide(question, evidence, term_weight, self.settings)
        if decision is None:
            return None
        found = decision.evidence
        cited = citation_of(found, 0, len(found.text), sources)
        short = ShortAnswer(
            (yes_or_no(question, yes=decision.yes),), citations=(cited,), confidence=decision.confidence
        )
        return short, _first(found, evidence)

    def _listed(self, found: FoundList, evidence: Sequence[Evidence], sources: Sequence[Source]) -> Phrase:
        text = next(source.text for source in sources if source.number == found.number)
        values = tuple(text[start:end] for start, end in found.items)
        cited = tuple(Citation(found.number, start, end) for start, end in found.items)
        quoted = Evidence(found.number, text[found.start : found.end], ANSWERABLE)
        rest = [one for one in evidence if one.text not in quoted.text]
        return ShortAnswer(values, citations=cited, confidence=found.share), [quoted, *rest]

    def _span(
        self,
        span: Span | None,
        question: str,
        kind: Kind,
        evidence: Sequence[Evidence],
        sources: Sequence[Source],
        named: str,
    ) -> Phrase | None:
        confidence = self._confidence(span, evidence) if span else 0.0
        least = self.settings.min_number_confidence if kind in _NUMBERS else self.settings.min_confidence
        if span is None or confidence < least:
            return None
        found = evidence[span.sentence]
        start, end = cut_to_value(kind, question, found.text, *trim(found.text, span.start, span.end))
        start, end = refined(kind, question, found.text, start, end)
        start, end = completed(kind, question, found.text, start, end)
        if kind in _COUNTED:
            start, end = in_asked_clause(question, found.text, start, end)
        if start >= end or _is_unfit(kind, question, found.text, start, end):
            return None
        if answers_nothing(named, found.text, start, end):
            return None
        sure = confidence >= self.settings.sure_confidence and span.log_probability >= self.settings.sure_span
        sure = sure and not _is_doubtful(kind, question, found.text, start, end)
        sure = sure and not is_of_other_noun(question, found.text, start, [one.text for one in evidence])
        if kind is Kind.WHY and not gives_cause(question, found.text, start):
            if moves(question):
                return None
            sure = False
        spans = _items(found.text, start, end, several=kind is Kind.LIST)
        cited = tuple(citation_of(found, a, b, sources) for a, b in spans)
        values = tuple(" ".join(found.text[a:b].split()) for a, b in spans)
        quoted = kind is Kind.WHY
        short = ShortAnswer(values, citations=cited, confidence=confidence, sure=sure, quoted=quoted)
        return short, _first(found, evidence)

    def _confidence(self, span: Span, evidence: Sequence[Evidence]) -> float:
        """How likely the span is correct, calibrated on questions that the model was not trained on."""
        settings = self.settings
        score = (
            settings.confidence_bias
            + settings.confidence_span * span.log_probability
            + settings.confidence_none * span.log_null
            + settings.confidence_answerability * min(max(found.answerability for found in evidence), 2.0)
        )
        return 1.0 / (1.0 + math.exp(-score))


def _told(
    question: str, kind: Kind, evidence: Sequence[Evidence], sources: Sequence[Source]
) -> tuple[Evidence, int, int] | None:
    """The answer from a label, an office or the form of an address, without a model."""
    if (written := asked_address(question)) and (address := find_address(written, evidence)):
        return address
    holder = find_holder(question, evidence) if kind is Kind.PERSON else None
    told = holder or find_expansion(question, evidence) or find_numbered(question, evidence)
    return told or find_label(question, evidence, sources)


def _stated(
    found: Evidence, start: int, end: int, sources: Sequence[Source], evidence: Sequence[Evidence]
) -> tuple[ShortAnswer, list[Evidence]]:
    value, cited = " ".join(found.text[start:end].split()), citation_of(found, start, end, sources)
    return ShortAnswer((value,), citations=(cited,), confidence=_TOLD), _first(found, evidence)


def _is_unfit(kind: Kind, question: str, text: str, start: int, end: int) -> bool:
    """Whether a span must not be shown: part of a heading, meaningless, or another's name if an office is asked for."""
    if kind is Kind.PERSON and asks_for_office(question) and not asks_of_another_time(question):
        return True  # whoever holds it would have been found beside it
    if asks_for_directors(question) and not (tells_of_directors(text) and is_name(text[start:end])):
        return True
    counts = kind is Kind.DURATION or (kind is Kind.NUMBER and asks_how_many(question))
    if counts and _NO_COUNT.search(text[max(start - 1, 0) : end + 1]):
        return True
    if asks_how_many(question) and not names_count(text[start:end]):
        return True
    if kind in _NUMBERS and (counts_condition(question, text, end) or is_of_other_years(question, text)):
        return True
    if kind in _NUMBERS and counts_others(question, text, start):
        return True
    if (kind is Kind.PERSON or asks_which(question)) and is_clause(text[start:end]):
        return True
    if kind is Kind.PERSON and not may_be(kind, text[start:end]):
        return True
    if _is_no_value(kind, question, text[start:end]):
        return True
    whole = NUMBERING.sub("", text[:start]) == "" and end >= len(text.rstrip())
    return is_of_condition(question, text, start, end) or (whole and is_no_answer(text, question))


def _is_doubtful(kind: Kind, question: str, text: str, start: int, end: int) -> bool:
    """Whether a span is a best guess at most: about something else, a part of what is asked, or of another kind."""
    if is_row(text) or not may_be(kind, text[start:end]):
        return True
    if is_negated(question) and not denies(text):
        return True
    if any(doubt(question, text) for doubt in _DOUBTS) or _is_operand(question, text):
        return True
    if kind in _NUMBERS and (_GOES_ON.search(text, start, end) or is_part(question, text, start)):
        return True
    return not may_be_release(question, text, start, end)


def _is_no_value(kind: Kind, question: str, value: str) -> bool:
    """Whether a span cannot be an answer by itself, such as a percentage for an amount of money."""
    if is_no_choice(question, value):
        return True
    if CLAUSE_NUMBER.fullmatch(value) and not CLAUSE_NUMBER.search(question):
        return True
    of_total = kind is Kind.MONEY and _TOTALS.search(question) is not None
    return of_total and bool(_PERCENT.search(value)) and not _AMOUNT.search(value)


def _is_operand(question: str, text: str) -> bool:
    """Whether the answer must be computed, such as an average, but a sentence has no word for it: a part, at most."""
    operation = operation_of(question)
    return operation in _COMPUTED and not is_own_word(operation, text)


def _items(sentence: str, start: int, end: int, *, several: bool) -> list[tuple[int, int]]:
    """The span or, if it is or belongs to an enumeration, its items; `several`: whether the question asks for them."""
    inside = [(start + a, start + b) for a, b in split_items(sentence[start:end])]
    names = names_around(sentence, start, end)
    if len(names) > len(inside) and (several or len(inside) > 1):
        return names
    if not several:
        return [(start, end)]
    return inside if len(inside) > 1 else enumeration_around(sentence, start, end)


def trim(text: str, start: int, end: int) -> tuple[int, int]:
    """A span without punctuation around it or words that open or join it; with both brackets of a pair or none."""
    while start < end and text[start] in _TRIMMED:
        start += 1
    if announced := _OPENING.match(text, start, end):
        return trim(text, announced.end(), end)
    while start < end and text[end - 1] in _TRIMMED:
        end -= 1
    if joining := _JOINING.search(text, start, end):
        return trim(text, start, joining.start())
    for opening, closing in _PAIRS:
        inside = text[start:end]
        opened, closed = inside.count(opening), inside.count(closing)
        if opening == closing:
            opened, closed = (opened + 1) // 2, opened // 2
        if opened > closed and text[end : end + 1] == closing:
            end += 1
        elif opened > closed and inside.startswith(opening):
            start += 1
        elif closed > opened and inside.endswith(closing):
            end -= 1
    return start, end


def _first(found: Evidence, evidence: Sequence[Evidence]) -> list[Evidence]:
    """The evidence, with one sentence moved to the front and counted as an answer."""
    answering = replace(found, answerability=max(found.answerability, ANSWERABLE))
    return [answering, *(one for one in evidence if one is not found)]
