"""Whether two quantities agree: equal after applying scale and unit, or after rounding as the claim does."""

from __future__ import annotations

import math
from typing import Final

from rag.answer.claims.quantities import Kind, Quantity
from rag.answer.claims.sources import Segment
from rag.answer.claims.units import CURRENCIES
from rag.answer.scales import FACTORS

_ROW_SCALES: Final = (1.0, *FACTORS.values())  # a table may state its scale in a caption
_MIN_ROUNDED_DIGITS = 2  # significant digits of a claim that may be rounded without saying "about"
_EPSILON = 1e-9


def agree(claim: Quantity, source: Quantity, segment: Segment | None = None) -> bool:
    """Whether a source's quantity says what the claim's quantity says."""
    if Kind.DATE in (claim.kind, source.kind):
        return _dates_agree(claim, source)
    if Kind.ORDINAL in (claim.kind, source.kind):
        return claim.value == source.value and (claim.kind is source.kind or not (claim.unit or source.unit))
    row = segment is not None and segment.is_row
    if not _units_agree(claim, source, row):
        return False
    scales = _ROW_SCALES if row and claim.scaled and not source.scaled else (1.0,)
    return any(_values_agree(claim, source, scale) for scale in scales) and _bounds_agree(claim, source)


def same_kind(claim: Quantity, source: Quantity) -> bool:
    """Whether one may replace the other."""
    if claim.kind is not source.kind:
        return False
    if claim.kind is Kind.DATE:
        return [bool(part) for part in claim.date] == [bool(part) for part in source.date] or bool(
            claim.date[0] and source.date[0]
        )
    return True


def _dates_agree(claim: Quantity, source: Quantity) -> bool:
    if claim.kind is Kind.DATE and source.kind is Kind.DATE:
        return all(said in (0, written) for said, written in zip(claim.date, source.date, strict=True)) and (
            claim.date[0] != 0 or source.date[1:] == claim.date[1:]
        )
    dated, other = (claim, source) if claim.kind is Kind.DATE else (source, claim)
    return (
        dated.date[1:] == (0, 0)
        and other.kind is Kind.NUMBER
        and not other.unit
        and not other.scaled
        and other.value == dated.date[0]
    )


def _units_agree(claim: Quantity, source: Quantity, row: bool) -> bool:
    if claim.unit == source.unit:
        return True
    if {claim.unit, source.unit} == {"CNY", "YEN-SIGN"} or {claim.unit, source.unit} == {"JPY", "YEN-SIGN"}:
        return True
    if row:  # units are in the header or the caption
        return not source.unit or (not claim.unit and source.unit in CURRENCIES)
    # A claim may leave out a currency, or use a unit mentioned before.
    return claim.kind is source.kind and (not claim.unit or not source.unit) and claim.unit != "%"


def _values_agree(claim: Quantity, source: Quantity, scale: float) -> bool:
    value, step = source.value * scale, source.step * scale
    if math.isclose(claim.value, value, rel_tol=_EPSILON, abs_tol=_EPSILON):
        return True
    # The source prints more digits; rounded to the claim's last digit, it equals the claim.
    coarse = claim.step
    if claim.bound and claim.value:
        coarse = max(coarse, _last_digit(claim.value))
    if coarse <= step * (1 + _EPSILON):
        return False
    exact_enough = claim.bound or claim.value >= coarse * 10 ** (_MIN_ROUNDED_DIGITS - 1)
    return bool(exact_enough) and (
        abs(claim.value - value) <= coarse / 2 * (1 + _EPSILON) or _holds(claim, value, coarse)
    )


def _holds(claim: Quantity, value: float, coarse: float) -> bool:
    """Whether a bound is true for a value close to it: "more than 200" for 212."""
    if claim.bound == ">":
        return 0 < value - claim.value < coarse
    return claim.bound == "<" and 0 < claim.value - value < coarse


def _last_digit(value: float) -> float:
    """The place of the last digit that is not 0: 100 for 1200."""
    place = 1.0
    while value % (place * 10) == 0 and place < value:
        place *= 10
    return place


def _bounds_agree(claim: Quantity, source: Quantity) -> bool:
    if {claim.bound, source.bound} == {"<", ">"}:
        return False
    exact = math.isclose(claim.value, source.value, rel_tol=_EPSILON)
    return not (exact and claim.bound in ("<", ">") and not source.bound)
