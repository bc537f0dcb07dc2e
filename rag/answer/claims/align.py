"""Aligns a claim with the segments that may support it: what is the same in the same order, and what is different."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cached_property

from rag.answer.claims.equal import agree
from rag.answer.claims.quantities import Quantity
from rag.answer.claims.sources import Segment
from rag.answer.claims.tokens import Analysed, Token, clauses_of

EXTRA_TOKENS = 2  # of the evidence, beyond as many as the claim has in their place
MAX_TOKENS = 500  # of a claim or of its evidence: aligning takes quadratic time


@dataclass(frozen=True, slots=True)
class Placed:
    """A token of the evidence."""

    token: Token
    segment: Segment
    quantity: Quantity | None

    @property
    def span(self) -> tuple[int, int]:
        """[start, end) in the source's text."""
        return self.segment.start + self.token.start, self.segment.start + self.token.end


@dataclass(frozen=True, slots=True)
class Edit:
    """A stretch of the claim that differs from the corresponding stretch of the evidence; either may be empty."""

    claim: tuple[int, int]  # [start, end) among the claim's tokens
    evidence: tuple[int, int]  # [start, end) among the evidence's tokens


class Alignment:
    """One claim and its evidence."""

    def __init__(self, claim: Analysed, segments: Sequence[Segment]) -> None:
        self.claim, self.segments = claim, list(segments)
        self.tokens = claim.tokens[:MAX_TOKENS]
        self.evidence = _placed(segments)[:MAX_TOKENS]
        self.quantity_places = self._match_quantities()
        self.claim_keys: list[str] = []  # what each token is compared by; agreeing quantities have the same key
        self.placed_keys: list[str] = []
        self.claim_clauses = clauses_of(claim, self.tokens)
        self.evidence_clauses = self._evidence_clauses()
        self.edits: list[Edit] = []
        self.same: dict[int, int] = {}  # claim token -> evidence token in its place
        self._align()

    @cached_property
    def evidence_keys(self) -> set[str]:
        """What the evidence's words and characters are compared by."""
        return {placed.token.key for placed in self.evidence if placed.quantity is None}

    @cached_property
    def in_order(self) -> float:
        """Share of the claim's tokens that are in the evidence in the same order."""
        return len(self.same) / max(len(self.tokens), 1)

    @cached_property
    def found_quantities(self) -> float:
        """Share of the claim's quantities that the evidence contains; 1 for a claim without any."""
        places = self.quantity_places.values()
        return sum(map(bool, places)) / len(places) if places else 1.0

    def edit_at(self, index: int) -> Edit | None:
        """The edit that a token of the claim belongs to."""
        return next((edit for edit in self.edits if edit.claim[0] <= index < edit.claim[1]), None)

    def in_place(self, edit: Edit) -> list[int]:
        """The evidence's tokens in place of an edit; at the ends of the claim, no more than it can correspond to."""
        start, end = edit.evidence
        most = edit.claim[1] - edit.claim[0] + EXTRA_TOKENS
        if edit.claim[0] == 0 and end - start > most:
            start = end - most
        if edit.claim[1] == len(self.tokens) and end - start > most:
            end = start + most
        return list(range(start, end))

    def quantity_of(self, index: int) -> Quantity:
        """The quantity that a token of the claim is."""
        return self.claim.quantities[self.tokens[index].quantity]

    def _match_quantities(self) -> dict[int, list[int]]:
        """For each quantity token of the claim, the evidence tokens that agree with it."""
        places = [(n, placed) for n, placed in enumerate(self.evidence) if placed.quantity]
        found: dict[int, list[int]] = {}
        for index, token in enumerate(self.tokens):
            if token.quantity >= 0:
                said = self.claim.quantities[token.quantity]
                found[index] = [
                    n for n, placed in places if placed.quantity and agree(said, placed.quantity, placed.segment)
                ]
        return found

    def _evidence_clauses(self) -> list[int]:
        """The clause that each token of the evidence belongs to."""
        found: list[int] = []
        for segment in self.segments:
            first = found[-1] + 1 if found else 0
            found += [first + n for n in clauses_of(segment.analysed, segment.analysed.tokens)]
        return found[: len(self.evidence)]

    def _align(self) -> None:
        """Find what is the same in the same order, and the edits in between."""
        evidence_keys = [placed.token.key or _quantity_key(placed.quantity) for placed in self.evidence]
        claim_keys = [token.key or f"?{n}" for n, token in enumerate(self.tokens)]
        for n, places in self.quantity_places.items():
            own = _quantity_key(self.quantity_of(n))
            alike = [evidence_keys[place] for place in places]
            claim_keys[n] = own if own in alike else alike[0] if alike else claim_keys[n]
        self.claim_keys, self.placed_keys = claim_keys, evidence_keys
        matcher = SequenceMatcher(None, claim_keys, evidence_keys, autojunk=False)
        for tag, i1, i2, j1, j2 in matcher.get_opcodes():
            if tag == "equal":
                self.same.update(zip(range(i1, i2), range(j1, j2), strict=True))
            else:
                self.edits.append(Edit((i1, i2), (j1, j2)))


def _quantity_key(quantity: Quantity | None) -> str:
    """The same for quantities that are printed alike."""
    return f"#{quantity.kind.name} {quantity.value:.9g} {quantity.unit} {quantity.date}" if quantity else ""


def _placed(segments: Sequence[Segment]) -> list[Placed]:
    return [
        Placed(token, segment, segment.analysed.quantities[token.quantity] if token.quantity >= 0 else None)
        for segment in segments
        for token in segment.analysed.tokens
    ]
