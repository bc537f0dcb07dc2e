"""Claim files: sentences with sources and the expected result of checking them; and the share checked correctly."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rag.answer.citations import check_citations
from rag.answer.claims.check import check_claim
from rag.answer.claims.sources import SourceIndex
from rag.json_lines import read_lines
from rag.records import ClaimState, Source
from rag.settings import AnswerSettings

ALTERED: Final = "altered"  # expected: anything but supported
EXPECTED: Final = (*(str(state) for state in ClaimState), ALTERED)


@dataclass(frozen=True, slots=True)
class ClaimLine:
    """A line of a claim file."""

    sentence: str  # may contain citation marks
    sources: tuple[str, ...]
    expected: str  # one of EXPECTED
    kind: str  # how the sentence was changed; claims are counted by it

    @classmethod
    def parse(cls, row: Mapping[str, Any]) -> ClaimLine:
        """Raises KeyError for a missing field, TypeError or ValueError for one that is not as described."""
        sentence, sources, expected, kind = row["sentence"], row["sources"], row["expected"], row["kind"]
        if not (isinstance(sentence, str) and isinstance(kind, str)):
            raise TypeError("'sentence' and 'kind' must be texts")
        if not isinstance(sources, list) or not all(isinstance(source, str) for source in sources):
            raise TypeError("'sources' must be a list of texts")
        if expected not in EXPECTED:
            raise ValueError(f"'expected' must be one of {', '.join(EXPECTED)}")
        return cls(sentence, tuple(sources), expected, kind)


def read_claims(file: Path) -> list[ClaimLine]:
    """All claims in a file. Raises SettingRefused if the file or a line cannot be read."""
    return read_lines(file, ClaimLine.parse)


def check_line(claim: ClaimLine, settings: AnswerSettings) -> ClaimState:
    """The result of checking; for several sentences, the worst."""
    sources = [Source(n, n, "", "", 0, 0, "1", (), text, 0, len(text), 1.0) for n, text in enumerate(claim.sources, 1)]
    states = {sentence.claim for sentence in check_citations(claim.sentence, sources, settings)}
    for state in (ClaimState.CONTRADICTED, ClaimState.NOT_FOUND, ClaimState.SUPPORTED):
        if state in states:
            return state
    return check_claim(claim.sentence, SourceIndex(sources), settings.claims).state  # it does not look like a claim


def is_right(found: ClaimState, expected: str) -> bool:
    """Whether the result of checking is the expected one."""
    return found is not ClaimState.SUPPORTED if expected == ALTERED else found == expected


def report_claims(checked: Iterable[tuple[ClaimLine, ClaimState]]) -> dict[str, Any]:
    """By kind: the number of claims, what was expected ("mixed" if it differs), and the share checked correctly."""
    groups: dict[str, list[tuple[str, bool]]] = {}
    for line, found in checked:
        groups.setdefault(line.kind, []).append((line.expected, is_right(found, line.expected)))
    return {"kinds": {kind: _summary(rows) for kind, rows in sorted(groups.items())}}


def _summary(rows: Sequence[tuple[str, bool]]) -> dict[str, Any]:
    expected = {one for one, _ in rows}
    return {
        "claims": len(rows),
        "expected": expected.pop() if len(expected) == 1 else "mixed",
        "right": round(sum(right for _, right in rows) / len(rows), 4),
    }


def format_claims(report: dict[str, Any]) -> str:
    """The report as a table of text."""
    rows = [f"{'kind':<24} {'claims':>6} {'expected':<12} {'right':>6}\n"]
    for kind, row in report["kinds"].items():
        rows.append(f"{kind:<24} {row['claims']:>6} {row['expected']:<12} {row['right']:>6.3f}\n")
    return "".join(rows)
