"""Whether the quantities of a claim are in its evidence, and in the right place there."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator, Sequence

from rag.answer.claims.align import Alignment
from rag.answer.claims.arithmetic import SCALES, Sum
from rag.answer.claims.equal import agree, same_kind
from rag.answer.claims.problems import Problem, conflict_between, nearby, nearby_evidence
from rag.answer.claims.quantities import Kind, Quantity
from rag.answer.claims.sources import Segment, SourceIndex

_NEAR_VERBATIM = 0.75  # share of the claim's tokens in order, from which on places are compared
_CONSTANTS = (1.0, 2.0, 100.0, 365.0)  # of formulas of averages, percentages and days
_COMPARED = re.compile(
    r"(?:\b(?:from|to|versus|vs\.?|than|with|against|and)|由|从|至|到|比|较|与|和)[^\d]{0,4}\Z", re.IGNORECASE
)
_IN_ORDER = re.compile(r"\brespectively\b|分别", re.IGNORECASE)
_AROUND = 3  # segments before and after that are searched for dates


def quantity_problems(alignment: Alignment, index: SourceIndex, sums: Sequence[Sum]) -> Iterator[Problem]:
    """The quantities of a claim that its evidence does not state, or states about something else.

    `sums`: calculations in the claim. Their results need not be in the evidence, but their operands must be.
    """
    used = {place for places in alignment.quantity_places.values() for place in places}
    for position, places in alignment.quantity_places.items():
        if any(one.covers(alignment.quantity_of(position)) for one in sums):
            if not is_operand(alignment.quantity_of(position), sums, index):
                yield Problem("number", None)
            continue
        if places:
            yield from _misplaced(alignment, position, places)
            yield from _of_something_else(alignment, position, places, used)
            continue
        rival = _rival(alignment, position, used)
        if alignment.quantity_of(position).is_article and (rival is None or alignment.in_order < _NEAR_VERBATIM):
            continue
        if rival is not None:
            yield Problem("number", conflict_between(alignment.tokens[position], alignment.evidence[rival]))
        elif not _stands_around(alignment, position, index):
            yield Problem("number", None)


def is_operand(said: Quantity, sums: Sequence[Sum], index: SourceIndex) -> bool:
    """Whether a number in a calculation is its result, a constant, or in a source, with whatever scale."""
    if said.value in _CONSTANTS or any(
        math.isclose(said.value, one.result * scale) for one in sums for scale in SCALES
    ):
        return True
    return any(
        math.isclose(said.value * scale, quantity.value, rel_tol=1e-6)
        for segment in index.segments
        for quantity in segment.analysed.quantities
        for scale in SCALES
    )


def _misplaced(alignment: Alignment, position: int, places: list[int]) -> Iterator[Problem]:
    """A quantity that the evidence contains, but where it is, the evidence has another one."""
    if position in alignment.same or alignment.in_order < _NEAR_VERBATIM:
        return
    edit = alignment.edit_at(position)
    said = alignment.quantity_of(position)
    for place in range(*edit.evidence) if edit else ():
        other = alignment.evidence[place].quantity
        if other and same_kind(said, other) and place not in places:
            yield Problem("number", conflict_between(alignment.tokens[position], alignment.evidence[place]))
            return


def _of_something_else(
    alignment: Alignment, position: int, places: list[int], used: Collection[int]
) -> Iterator[Problem]:
    """A quantity that the evidence states about something else: in the claim, it has another one's surroundings."""
    said = alignment.quantity_of(position)
    before = alignment.claim.text[max(0, said.start - 12) : said.start]
    if said.kind is Kind.ORDINAL or _COMPARED.search(before) or _IN_ORDER.search(alignment.claim.text):
        return
    if (position in alignment.same and alignment.in_order >= _NEAR_VERBATIM) or any(
        alignment.evidence[place].segment.is_row for place in places
    ):
        return
    around = nearby(alignment, position)
    own = max(len(around & nearby_evidence(alignment, place)) for place in places)
    segments = {id(alignment.evidence[place].segment) for place in places}
    for place, placed in enumerate(alignment.evidence):
        if placed.quantity is None or place in places or not same_kind(said, placed.quantity):
            continue
        if placed.quantity.unit != said.unit:
            continue
        common = len(around & nearby_evidence(alignment, place))
        if id(placed.segment) in segments and common > own + (1 if place in used else 0):
            yield Problem("number", conflict_between(alignment.tokens[position], placed))
            return


def _rival(alignment: Alignment, position: int, used: Collection[int]) -> int | None:
    """The evidence's quantity where the claim says something else: in its place, or in its surroundings."""
    said = alignment.quantity_of(position)
    edit = alignment.edit_at(position)
    candidates = [
        place
        for place, placed in enumerate(alignment.evidence)
        if placed.quantity and place not in used and same_kind(said, placed.quantity)
    ]
    in_place = [place for place in candidates if edit and edit.evidence[0] <= place < edit.evidence[1]]
    if in_place:
        return in_place[0]
    if _said_around(alignment, said):
        return None
    around = nearby(alignment, position)
    return max(candidates, key=lambda place: len(around & nearby_evidence(alignment, place)), default=None)


def _said_around(alignment: Alignment, said: Quantity) -> bool:
    """Whether the period of a claim may be said elsewhere: the evidence is a row, whose periods stand above it."""
    return said.kind is Kind.DATE and any(segment.is_row for segment in alignment.segments)


def _stands_around(alignment: Alignment, position: int, index: SourceIndex) -> bool:
    """Whether a quantity that the evidence lacks stands near it: a date before it or in a header, a unit line."""
    said = alignment.quantity_of(position)
    if said.kind is Kind.NUMBER or said.kind is Kind.PERCENT:
        return False
    near = [one for segment in alignment.segments for one in _near(segment, index)]
    quantities = [quantity for one in near for quantity in one.analysed.quantities]
    if any(agree(said, quantity) for quantity in quantities):
        return True
    if said.kind is Kind.DATE and all(said.date[:2]):  # "December 31," stands above "2019 2018"
        year = any(quantity.date[0] == said.date[0] for quantity in quantities)
        rest = any(quantity.date[1:] == said.date[1:] for quantity in quantities)
        return year and rest
    return said.kind is Kind.DATE and str(said.date[0]) in index.source_text(alignment.segments[0].number)[:200]


def _near(segment: Segment, index: SourceIndex) -> list[Segment]:
    return index.headers(segment) if segment.is_row else index.around(segment, _AROUND, 1)
