"""A claim and the index of its sources -> supported, contradicted or not found, with citations and conflicts.

The claim is laid beside the segments that hold most of its words. Every quantity, name, direction, comparison and
negation must agree there; of the other words a share must stand there, themselves or a synonym. Calls no model.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from rag.answer.claims.align import Alignment
from rag.answer.claims.arithmetic import SCALES, Sum, find_sums
from rag.answer.claims.check_quantities import is_operand, quantity_problems
from rag.answer.claims.check_rows import row_problems
from rag.answer.claims.check_words import (
    han_name_problems,
    han_problems,
    name_problems,
    opposite_problems,
    swap_problems,
    word_problems,
)
from rag.answer.claims.coverage import covered_share, is_across
from rag.answer.claims.names import find_names
from rag.answer.claims.polarity import negation_problems
from rag.answer.claims.problems import Problem
from rag.answer.claims.sources import Segment, SourceIndex
from rag.answer.claims.tokens import Analysed, analyse, content_keys
from rag.records import Citation, ClaimState, Conflict
from rag.settings import ClaimSettings


@dataclass(frozen=True, slots=True)
class Verdict:
    """What checking a claim found."""

    state: ClaimState
    citations: tuple[Citation, ...] = ()  # of a contradicted claim: the evidence that contradicts it
    conflicts: tuple[Conflict, ...] = ()


_SHARED = 2  # words of a claim that a further segment must hold
# What Markdown puts around words, and the number or bullet of a list item.
_MARKUP = re.compile(r"\A\s*(?:\d{1,2}[.)、]|[-*•])\s+|\*\*|`")
_NOT_FOUND = Verdict(ClaimState.NOT_FOUND)


def check_claim(sentence: str, index: SourceIndex, settings: ClaimSettings, marked: Collection[int] = ()) -> Verdict:
    """Check one sentence without marks; of equal evidence that of the `marked` sources is cited."""
    sentence = _MARKUP.sub(lambda match: " " * len(match[0]), sentence)
    claim = analyse(sentence)
    keys = content_keys(claim.tokens)
    if not keys and not claim.quantities:
        return _NOT_FOUND
    sums = find_sums(sentence, claim.quantities)
    wrong = [one for one in sums if not one.right]
    if wrong:
        return Verdict(ClaimState.CONTRADICTED, (), tuple(Conflict(one.start, one.end, 0, 0, 0) for one in wrong))
    verbatim = find_verbatim(sentence, index, marked)
    if verbatim:
        return Verdict(ClaimState.SUPPORTED, (verbatim,))
    alignments = [Alignment(claim, segments) for segments in _candidates(claim, keys, index, settings, marked)]
    followed = max((alignment.in_order for alignment in alignments), default=0.0)
    if followed >= settings.verbatim_share:  # what follows a sentence closely is judged by that sentence
        alignments = [one for one in alignments if one.in_order >= followed - settings.share_margin]
    shares = [covered_share(alignment, index, computed=bool(sums)) for alignment in alignments]
    held = [share + alignment.found_quantities for alignment, share in zip(alignments, shares, strict=True)]
    enough = max(held, default=0.0) - settings.share_margin
    best: Verdict | None = None
    for alignment, share, all_held in zip(alignments, shares, held, strict=True):
        verdict = _judge(alignment, share, index, settings, sums)
        if verdict.state is ClaimState.SUPPORTED and all_held >= enough:
            return verdict
        best = best or verdict
    if sums and not best and all(is_operand(one, sums, index) for one in claim.quantities):
        return Verdict(ClaimState.SUPPORTED, _operand_citations(claim, index))
    return best if best and best.state is not ClaimState.SUPPORTED else _NOT_FOUND


def _operand_citations(claim: Analysed, index: SourceIndex) -> tuple[Citation, ...]:
    """Of a calculation without any words: the first segment that holds one of its numbers."""
    printed = {one.value for one in claim.quantities}
    for segment in index.segments:
        if any(one.value / scale in printed for one in segment.analysed.quantities for scale in SCALES):
            return (Citation(segment.number, segment.start, segment.end),)
    return ()


def find_verbatim(sentence: str, index: SourceIndex, marked: Collection[int] = ()) -> Citation | None:
    """Where a source holds the sentence word for word, whatever its white space."""
    squeezed = "".join(sentence.split()).casefold()
    texts = sorted(zip(index.sources, index.squeezed, strict=True), key=lambda entry: entry[0].number not in marked)
    for source, text in texts:
        if squeezed in text:
            sentence = sentence.strip()
            start = source.text.find(sentence)
            if start < 0:
                start, end = _span_in(source.text, text.index(squeezed), len(squeezed))
                return Citation(source.number, start, end)
            return Citation(source.number, start, start + len(sentence))
    return None


def _span_in(text: str, start: int, length: int) -> tuple[int, int]:
    """The span of text that holds the characters [start, start + length), white space not counted."""
    places = [n for n, character in enumerate(text) if not character.isspace()]
    last = min(start + length, len(places)) - 1
    return places[min(start, last)], places[last] + 1


def _candidates(
    claim: Analysed, keys: set[str], index: SourceIndex, settings: ClaimSettings, marked: Collection[int]
) -> Iterator[list[Segment]]:
    """Evidence that the claim may rest on: each of the best segments, alone and with others that add to it."""
    names = {claim.tokens[n].key for n in find_names(claim)}
    scored = [(score, segment) for segment in index.segments if (score := _closeness(claim, keys, segment)) > 0]
    scored.sort(key=lambda entry: (-entry[0], entry[1].number not in marked, entry[1].position))
    if not scored:
        return
    enough = scored[0][0] - settings.candidate_margin
    for score, segment in scored[: settings.candidates]:
        if score < enough:
            return
        if Alignment(claim, [segment]).in_order >= settings.verbatim_share:
            yield [segment]
            continue
        yield _extended(keys - names, segment, [one for _, one in scored[: settings.extending]], settings)


def _closeness(claim: Analysed, keys: set[str], segment: Segment) -> float:
    """How much of a claim a segment holds; of two that hold the same, the shorter one is closer."""
    if not segment.content and not segment.analysed.quantities:
        return 0.0
    held = len(keys & segment.content) + 0.5 * len(
        {one.value for one in claim.quantities} & {one.value for one in segment.analysed.quantities}
    )
    return held / (len(keys) + 0.5 * len(claim.quantities)) + 0.1 * held / (len(segment.content) + 1)


def _extended(keys: set[str], segment: Segment, others: Sequence[Segment], settings: ClaimSettings) -> list[Segment]:
    """A segment with those that hold enough of the words that it lacks."""
    chosen = [segment]
    missing = keys - segment.content
    while missing and len(chosen) < settings.evidence_segments:
        gains = [
            (len(missing & other.content), other)
            for other in others
            if other not in chosen and len(keys & other.content) >= _SHARED
        ]
        gain, other = max(gains, key=lambda entry: entry[0], default=(0, segment))
        if gain < settings.min_gain * len(keys) or not gain:
            break
        chosen.append(other)
        missing -= other.content
    return sorted(chosen, key=lambda one: one.position)


def _judge(
    alignment: Alignment, share: float, index: SourceIndex, settings: ClaimSettings, sums: Sequence[Sum]
) -> Verdict:
    """What the evidence says about a claim; `share`: how much of the claim's words it holds."""
    problems: list[Problem] = [
        *quantity_problems(alignment, index, sums),
        *row_problems(alignment, index),
        *name_problems(alignment, index),
        *han_name_problems(alignment, index),
        *opposite_problems(alignment),
        *word_problems(alignment, index),
        *swap_problems(alignment),
        *han_problems(alignment),
        *negation_problems(alignment),
    ]
    if share < _least_share(alignment, settings):
        return _NOT_FOUND
    if not problems:
        return Verdict(ClaimState.SUPPORTED, _citations(alignment))
    conflicts = tuple(dict.fromkeys(problem.conflict for problem in problems if problem.conflict))
    if conflicts:
        return Verdict(ClaimState.CONTRADICTED, _citations(alignment), conflicts)
    return _NOT_FOUND


def _least_share(alignment: Alignment, settings: ClaimSettings) -> float:
    """Share of a claim's words that its evidence must hold."""
    if is_across(alignment):
        return settings.min_share_across
    found = [places for places in alignment.quantity_places.values() if places]
    row = any(segment.is_row for segment in alignment.segments)
    return settings.min_share_of_row if row and found else settings.min_share


def _citations(alignment: Alignment) -> tuple[Citation, ...]:
    """One for each source of the evidence, from its first segment to its last."""
    spans: dict[int, tuple[int, int]] = {}
    for segment in alignment.segments:
        start, end = spans.get(segment.number, (segment.start, segment.end))
        spans[segment.number] = min(start, segment.start), max(end, segment.end)
    return tuple(Citation(number, *span) for number, span in spans.items())
