"""What prevents a claim from being supported by its evidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rag.answer.claims.align import Alignment, Placed
from rag.answer.claims.tokens import Token
from rag.records import Conflict

_REACH = 6  # words on each side of a token that show what it is about
_HAN_REACH = 12  # Chinese characters


@dataclass(frozen=True, slots=True)
class Problem:
    """A part of the claim that its evidence does not say."""

    what: str  # "number", "name", "negation", "opposite", "word"
    conflict: Conflict | None  # what the evidence says instead; None if nothing


def conflict_between(claim: Token, evidence: Placed) -> Conflict:
    """A conflict of two tokens."""
    start, end = evidence.span
    return Conflict(claim.start, claim.end, evidence.segment.number, start, end)


def nearby(alignment: Alignment, index: int) -> set[str]:
    """Keys of the content tokens and quantities close to a token of the claim, in its clause."""
    return _around(alignment.tokens, alignment.claim_keys, alignment.claim_clauses, index)


def nearby_evidence(alignment: Alignment, index: int) -> set[str]:
    """Keys of the content tokens and quantities close to a token of the evidence, in its clause."""
    tokens = [placed.token for placed in alignment.evidence]
    return _around(tokens, alignment.placed_keys, alignment.evidence_clauses, index)


def _around(tokens: Sequence[Token], keys: Sequence[str], clauses: Sequence[int], index: int) -> set[str]:
    reach = _HAN_REACH if tokens[index].is_han else _REACH
    first, last = max(0, index - reach), min(len(tokens), index + reach + 1)
    return {
        keys[n]
        for n in range(first, last)
        if n != index and clauses[n] == clauses[index] and (tokens[n].is_content or tokens[n].quantity >= 0)
    }
