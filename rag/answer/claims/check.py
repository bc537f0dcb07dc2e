"""A claim and the index of its sources -> supported, contradicted or not found, with citations and conflicts.

The claim is aligned with the segments that contain most of its words. Every quantity, name, direction, comparison and
negation must agree there; of the other words, a share must occur there, themselves or as a synonym. Calls no model.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from rag.answer.claims.align import Alignment
from rag.answer.claims.arithmetic import SCALES, Sum, find_sums
from rag.answer.claims.check_quantities import is_operand, quantity_problems
from rag.answer.claims.check_words import (
    han_name_problems,
    han_problems,
    name_problems,
    opposite_problems,
    swap_problems,
    word_problems,
)
from rag.answer.claims.lexicon import han_words, opposites, synonyms, tells_change
from rag.answer.claims.names import find_names
from rag.answer.claims.polarity import negation_problems
from rag.answer.claims.problems import Problem, conflict_between
from rag.answer.claims.quantities import Kind, Quantity
from rag.answer.claims.sources import Segment, SourceIndex
from rag.answer.claims.tokens import Analysed, Token, analyse, content_keys
from rag.answer.scales import FACTORS
from rag.language import mainly_chinese
from rag.pdf.tables import named_scale
from rag.records import Citation, ClaimState, Conflict
from rag.settings import ClaimSettings

# Stems of words that say how a value was computed.
_OF_COMPUTING = frozenset("sum differ averag plu minu tim divid equal change ratio result amount reach stand".split())
_UNIT_LINE = re.compile(
    r"单位|單位|[(（][^)）]{0,80}(?:million|thousand|billion|千元|万元|百万|亿元)"
    r"|\bin (?:\S{1,20} ){0,3}(?:million|thousand|billion)s",
    re.IGNORECASE,
)
_IN_ORDER = re.compile(r"\brespectively\b|分别", re.IGNORECASE)
_HEADER_CHARACTERS = 160  # of a line that may be a header


def covered_share(alignment: Alignment, index: SourceIndex, *, computed: bool) -> float:
    """Share of the claim's content that the evidence contains, 0..1; 1 for a claim of only quantities.

    Verbs that put a table row into words ("rose", "amounted to"), and words of `computed` results, need not occur
    there.
    """
    held = _held_keys(alignment, index)
    groups = synonyms()
    known = {group for key in held for group in groups.get(key, ())}
    known |= {
        group for segment in alignment.segments for _, word in han_words(segment.text) for group in groups.get(word, ())
    }
    implied = computed or any(segment.is_row for segment in alignment.segments)
    by_start = _han_groups(alignment)
    total = covered = 0.0
    tokens = alignment.tokens
    for n, token in enumerate(tokens):
        if not token.is_content or (implied and _is_verb(token, by_start)):
            continue
        weight = 0.5 if token.is_han else 1.0  # two characters are about a word
        total += weight
        groups_here = by_start.get(token.start, frozenset()) if token.is_han else groups.get(token.key, frozenset())
        pairs = _pairs(tokens, n) if token.is_han else {token.key}
        covered += weight * (not held.isdisjoint(pairs) or not known.isdisjoint(groups_here))
    return covered / total if total else 1.0


def is_across(alignment: Alignment) -> bool:
    """Whether claim and evidence are in different scripts, so that their words cannot match."""
    text = "\n".join(segment.text for segment in alignment.segments)
    return mainly_chinese(alignment.claim.text) != mainly_chinese(text)


def _held_keys(alignment: Alignment, index: SourceIndex) -> set[str]:
    """What the evidence is about, including the headers above a row."""
    held: set[str] = set()
    for segment in alignment.segments:
        held |= segment.content
        held |= {key for before in index.around(segment, 1, 0) for key in before.content}  # what "it" stands for
        if segment.is_row:
            held |= {key for header in index.headers(segment) for key in header.content}
    return held


def _pairs(tokens: tuple[Token, ...], n: int) -> set[str]:
    """The pairs of neighbouring Chinese characters that a character is part of."""
    return {
        tokens[first].text + tokens[first + 1].text
        for first in (n - 1, n)
        if first >= 0 and first + 1 < len(tokens) and tokens[first].is_han and tokens[first + 1].is_han
    }


def _han_groups(alignment: Alignment) -> dict[int, frozenset[int]]:
    """Each character's place in the claim -> the synonym groups of the known word it is part of."""
    groups = synonyms()
    return {
        start + n: groups.get(word, frozenset())
        for start, word in han_words(alignment.claim.text)
        for n in range(len(word))
    }


def _is_verb(token: Token, by_start: dict[int, frozenset[int]]) -> bool:
    """Whether a word says how a value changed or compares with others, rather than what it is the value of."""
    if token.is_han:
        return not _of_change().isdisjoint(by_start.get(token.start, frozenset()))
    return tells_change(token.key) or token.key in _OF_COMPUTING


@functools.cache
def _of_change() -> frozenset[int]:
    """The synonym groups of words such as "rose" and "higher"."""
    groups = synonyms()
    return frozenset(group for word in opposites() if tells_change(word) for group in groups.get(word, ()))


def row_problems(alignment: Alignment, index: SourceIndex) -> Iterator[Problem]:
    """Values of a row that stand in the column of another period, or with a scale that the table does not have."""
    start = 0
    for segment in alignment.segments:
        if segment.is_row:
            yield from _of_row(alignment, segment, start, index)
        start += len(segment.analysed.tokens)


def _of_row(alignment: Alignment, row: Segment, start: int, index: SourceIndex) -> Iterator[Problem]:
    cells = [
        place
        for place in range(start, min(start + len(row.analysed.tokens), len(alignment.evidence)))
        if (cell := alignment.evidence[place].quantity) and cell.kind is not Kind.ORDINAL
    ]
    years = _column_years(row, len(cells), index)
    scale = _declared_scale(row, index)
    for position, places in alignment.quantity_places.items():
        own = [place for place in places if place in cells]
        said = alignment.quantity_of(position)
        if not own or said.kind is Kind.DATE:
            continue
        token = alignment.tokens[position]
        if scale and said.scaled and not any(_fits(said, alignment.evidence[place].quantity, scale) for place in own):
            yield Problem("scale", conflict_between(token, alignment.evidence[own[0]]))
        year = _year_of(alignment, position)
        if years and year in years and all(years[cells.index(place)] != year for place in own):
            right = cells[years.index(year)]
            yield Problem("column", conflict_between(token, alignment.evidence[right]))


def _column_years(row: Segment, cells: int, index: SourceIndex) -> list[int]:
    """The year of each cell of a row, from the nearest line above that has as many; [] if there is none."""
    for line in index.headers(row):
        if len(line.text) > _HEADER_CHARACTERS:
            continue
        years = [one.date[0] for one in line.analysed.quantities if one.kind is Kind.DATE and one.date[0]]
        if len(years) == cells and len(set(years)) == cells:
            return years
        if len(years) > 1:
            return []
    return []


def _year_of(alignment: Alignment, position: int) -> int:
    """The year that a claim's value is said to be of: its only one, or the nearest; 0 for none, or in order."""
    years = [n for n in alignment.quantity_places if alignment.quantity_of(n).kind is Kind.DATE]
    if not years or (len(years) > 1 and _IN_ORDER.search(alignment.claim.text)):
        return 0
    if len(years) == 1:
        return alignment.quantity_of(years[0]).date[0]
    values = [n for n in alignment.quantity_places if n not in years]
    if len(values) != len(years):
        return 0
    # Values and years come in pairs, "2.18 in 2022 to 3.12 in 2023".
    return alignment.quantity_of(years[values.index(position)]).date[0]


def _declared_scale(row: Segment, index: SourceIndex) -> float:
    """What the lines above a row say that its values are counted in; 0 if they say nothing."""
    for line in index.headers(row):
        if _UNIT_LINE.search(line.text):
            return FACTORS.get(named_scale(line.text), 0.0)
    return 0.0


def _fits(said: Quantity, cell: Quantity | None, scale: float) -> bool:
    """Whether a value is that of a cell in the table's scale; a cell with a scale of its own was compared already."""
    if cell is None or cell.scaled or not cell.value:
        return True
    return 0.5 < said.value / (cell.value * scale) < 2.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of checking a claim."""

    state: ClaimState
    citations: tuple[Citation, ...] = ()  # for a contradicted claim: the evidence that contradicts it
    conflicts: tuple[Conflict, ...] = ()


_SHARED = 2  # words of a claim that a further segment must add
# What Markdown puts around words, and the number or bullet of a list item.
_MARKUP = re.compile(r"\A\s*(?:\d{1,2}[.)、]|[-*•])\s+|\*\*|`")
_NOT_FOUND = Verdict(ClaimState.NOT_FOUND)


def check_claim(sentence: str, index: SourceIndex, settings: ClaimSettings, marked: Collection[int] = ()) -> Verdict:
    """Check one sentence without marks; of equal evidence, that from the `marked` sources is cited."""
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
    if followed >= settings.verbatim_share:  # a sentence that closely follows a source is judged by that source alone
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
    """For a calculation without any words: the first segment that contains one of its numbers."""
    printed = {one.value for one in claim.quantities}
    for segment in index.segments:
        if any(one.value / scale in printed for one in segment.analysed.quantities for scale in SCALES):
            return (Citation(segment.number, segment.start, segment.end),)
    return ()


def find_verbatim(sentence: str, index: SourceIndex, marked: Collection[int] = ()) -> Citation | None:
    """Where a source contains the sentence word for word, ignoring white space."""
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
    """The span of text with the characters [start, start + length), not counting white space."""
    places = [n for n, character in enumerate(text) if not character.isspace()]
    last = min(start + length, len(places)) - 1
    return places[min(start, last)], places[last] + 1


def _candidates(
    claim: Analysed, keys: set[str], index: SourceIndex, settings: ClaimSettings, marked: Collection[int]
) -> Iterator[list[Segment]]:
    """Evidence that may support the claim: each of the best segments, alone and with others that add to it."""
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
    """How much of a claim a segment contains; if equal, the shorter segment is closer."""
    if not segment.content and not segment.analysed.quantities:
        return 0.0
    held = len(keys & segment.content) + 0.5 * len(
        {one.value for one in claim.quantities} & {one.value for one in segment.analysed.quantities}
    )
    return held / (len(keys) + 0.5 * len(claim.quantities)) + 0.1 * held / (len(segment.content) + 1)


def _extended(keys: set[str], segment: Segment, others: Sequence[Segment], settings: ClaimSettings) -> list[Segment]:
    """A segment with others that contain enough of the words it lacks."""
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
    """What the evidence says about a claim. `share`: how much of the claim's words it contains."""
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
    """Share of a claim's words that its evidence must contain."""
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
