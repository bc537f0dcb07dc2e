"""What keeps a claim from being supported by its evidence."""

from __future__ import annotations

from dataclasses import dataclass

from rag.answer.claims.align import Alignment, Placed
from rag.answer.claims.tokens import Token
from rag.records import Conflict


@dataclass(frozen=True, slots=True)
class Problem:
    """A part of the claim that its evidence does not say."""

    what: str  # "number", "name", "negation", "opposite", "word"
    conflict: Conflict | None  # what the evidence says in its place; None if it says nothing


def conflict_between(claim: Token, evidence: Placed) -> Conflict:
    """A conflict of two tokens."""
    start, end = evidence.span
    return Conflict(claim.start, claim.end, evidence.segment.number, start, end)


def nearby(alignment: Alignment, index: int, reach: int = 5) -> set[str]:
    """Keys of the content tokens close to a token of the claim."""
    tokens = alignment.tokens[max(0, index - reach) : index + reach + 1]
    return {token.key for token in tokens if token.is_content}


def nearby_evidence(alignment: Alignment, index: int, reach: int = 5) -> set[str]:
    """Keys of the content tokens close to a token of the evidence, in its segment."""
    segment = alignment.evidence[index].segment
    placed = alignment.evidence[max(0, index - reach) : index + reach + 1]
    return {one.token.key for one in placed if one.segment is segment and one.token.is_content}
