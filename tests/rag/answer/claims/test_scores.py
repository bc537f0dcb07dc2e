"""The share of the claims in `tests/data/claims` that is checked right stays at the level reached."""

from __future__ import annotations

from pathlib import Path

import pytest

from rag.evaluation.claims import ClaimLine, check_line, is_right, read_claims, report_claims
from rag.records import ClaimState
from rag.settings import AnswerSettings

DATA = Path(__file__).parents[3] / "data" / "claims"
FILES = sorted(file.name for file in DATA.glob("*.jsonl"))


@pytest.fixture(scope="module")
def checked() -> dict[str, list[tuple[ClaimLine, ClaimState]]]:
    settings = AnswerSettings()
    return {name: [(line, check_line(line, settings)) for line in read_claims(DATA / name)] for name in FILES}


@pytest.mark.parametrize("name", FILES)
def test_at_least_95_in_100_faithful_and_92_in_100_altered_claims_are_right(checked, name):
    for expected, least in (("supported", 0.95), ("altered", 0.92)):
        right = [is_right(found, line.expected) for line, found in checked[name] if line.expected == expected]
        assert sum(right) >= least * len(right)


@pytest.mark.parametrize("name", FILES)
def test_each_kind_of_twenty_claims_or_more_is_right_for_85_in_100(checked, name):
    report = report_claims(checked[name])
    poor = {kind: row for kind, row in report["kinds"].items() if row["right"] < 0.85 and row["claims"] >= 20}
    assert poor == {}


def test_there_are_at_least_600_made_and_150_written_claims_in_both_languages():
    made = [line for name in FILES if name.startswith("made") for line in read_claims(DATA / name)]
    written = [line for name in FILES if name.startswith("by-hand") for line in read_claims(DATA / name)]
    assert (len(made) >= 600, len(written) >= 150) == (True, True)
    assert {any("\u4e00" <= c <= "\u9fff" for c in line.sentence) for line in made} == {True, False}
